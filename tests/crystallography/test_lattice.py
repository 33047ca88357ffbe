from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.crystallography import Lattice
from firstlight.model import InvalidInput


def test_a_cubic_cell_needs_one_length() -> None:
    silicon = Lattice(5.431020511)

    assert silicon.parameters == pytest.approx((5.431020511, 5.431020511, 5.431020511, 90, 90, 90))
    assert silicon.spacing((1, 1, 1)) == pytest.approx(3.135601148)  # CODATA's d220 times √8 / √3
    assert silicon.spacing((2, 2, 0)) == pytest.approx(1.920155716)  # CODATA 2018: 192.0155716 pm


def test_reciprocal_edges_of_a_triclinic_cell_are_dual_to_the_edges(triclinic: Lattice) -> None:
    products = triclinic.direct.T @ triclinic.B
    assert products == pytest.approx(2 * math.pi * np.eye(3), abs=1e-12)
    assert np.linalg.norm(triclinic.direct, axis=0) == pytest.approx([4.1, 5.2, 6.3])
    assert np.linalg.det(triclinic.direct) == pytest.approx(triclinic.volume)


def test_b_has_a_star_along_x_and_b_star_in_the_plane(triclinic: Lattice) -> None:
    assert np.tril(triclinic.B, -1) == pytest.approx(np.zeros((3, 3)), abs=1e-15)
    assert (np.diag(triclinic.B) > 0).all()


def test_a_cell_comes_back_from_its_matrix_however_turned(triclinic: Lattice, ub: NDArray[np.float64]) -> None:
    assert Lattice.of_matrix(ub).parameters == pytest.approx(triclinic.parameters)


@pytest.mark.parametrize(
    "cell",
    [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 1.0, 30, 30, 80), (1, 1, 1, 120, 120, 120), (1, 1, 1, 180, 90, 90)],
)
def test_a_cell_that_does_not_close_is_refused(cell: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"edges|No cell"):
        Lattice(*cell)


def test_a_flat_matrix_holds_no_cell() -> None:
    with pytest.raises(InvalidInput, match="independent"):
        Lattice.of_matrix(np.diag([1.0, 1.0, 0.0]))
