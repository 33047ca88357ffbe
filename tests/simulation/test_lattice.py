from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import Lattice

edge = st.floats(2.0, 30.0)
cell_angle = st.floats(70.0, 110.0)
index = st.integers(-6, 6)
lattices = st.builds(Lattice, edge, edge, edge, cell_angle, cell_angle, cell_angle)


@given(lattice=lattices, h=index, k=index, l=index)
def test_the_b_matrix_gives_vectors_of_length_one_over_d(lattice: Lattice, h: int, k: int, l: int) -> None:
    if (h, k, l) == (0, 0, 0):
        return
    q = lattice.b_matrix() @ np.array([h, k, l])
    assert np.linalg.norm(q) == pytest.approx(1.0 / float(lattice.spacing([h, k, l])), rel=1e-9)


@given(lattice=lattices)
def test_the_volume_of_the_reciprocal_cell_is_the_inverse(lattice: Lattice) -> None:
    assert float(np.linalg.det(lattice.b_matrix())) == pytest.approx(1.0 / lattice.volume, rel=1e-9)


def test_the_hexagonal_spacing_is_the_schoolbook_one() -> None:
    a, c = 4.759, 12.992
    hexagonal = Lattice(a, a, c, gamma=120.0)
    for h, k, l in ((1, 0, 4), (1, 1, 3), (0, 0, 6)):
        expected = 1.0 / (4.0 / 3.0 * (h * h + h * k + k * k) / a**2 + l * l / c**2)
        assert float(hexagonal.spacing([h, k, l])) ** 2 == pytest.approx(expected, rel=1e-12)


def test_indices_are_complete_down_to_the_smallest_spacing() -> None:
    cubic = Lattice(4.0, 4.0, 4.0)
    found = {tuple(row) for row in cubic.indices(1.9).tolist()}
    assert found == {
        (h, k, l)
        for h in range(-3, 4)
        for k in range(-3, 4)
        for l in range(-3, 4)
        if 0 < h * h + k * k + l * l <= (4.0 / 1.9) ** 2
    }


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0, 90.0, 90.0, 90.0), (1.0, 1.0, 1.0, 20.0, 20.0, 150.0)])
def test_an_impossible_cell_is_refused(values: tuple[float, float, float, float, float, float]) -> None:
    with pytest.raises(InvalidInput, match=r"cell"):
        Lattice(*values)
