from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.crystallography import Lattice, orientation_of, refine, ub_from_three, ub_from_two
from firstlight.model import InvalidInput
from tests.crystallography.conftest import random_rotation

Floats = NDArray[np.float64]


def test_two_reflections_orient_a_lattice(triclinic: Lattice, ub: Floats) -> None:
    hkl = np.array([[1, 0, 2], [0, 1, -1]])

    assert ub_from_two(triclinic, hkl, hkl @ ub.T) == pytest.approx(ub)


def test_the_first_reflection_is_met_and_the_second_only_fixes_the_turn(triclinic: Lattice, ub: Floats) -> None:
    hkl = np.array([[1, 0, 2], [0, 1, -1]])
    seen = hkl @ ub.T
    seen[1] += [0.01, -0.02, 0.03]

    found = ub_from_two(triclinic, hkl, seen)

    first, second = hkl @ found.T
    assert first == pytest.approx(seen[0])
    assert np.dot(np.cross(first, second), seen[1]) == pytest.approx(0, abs=1e-9)
    assert Lattice.of_matrix(found).parameters == pytest.approx(triclinic.parameters)


def test_two_reflections_along_one_line_are_refused(triclinic: Lattice, ub: Floats) -> None:
    with pytest.raises(InvalidInput, match="along one line"):
        ub_from_two(triclinic, [[1, 0, 2], [2, 0, 4]], [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(InvalidInput, match="positions"):
        ub_from_two(triclinic, [[1, 0, 2], [1, 0, 4]], [[1, 0, 0], [2, 0, 0]])
    with pytest.raises(InvalidInput, match="no direction"):
        ub_from_two(triclinic, [[1, 0, 2], [0, 0, 0]], [[1, 0, 0], [0, 1, 0]])


def test_three_reflections_need_no_lattice(triclinic: Lattice, ub: Floats) -> None:
    hkl = np.array([[1, 0, 2], [0, 1, -1], [2, 2, 1]])

    found = ub_from_three(hkl, hkl @ ub.T)

    assert found == pytest.approx(ub)
    u, lattice = orientation_of(found)
    assert lattice.parameters == pytest.approx(triclinic.parameters)
    assert u @ u.T == pytest.approx(np.eye(3))


def test_three_reflections_in_a_plane_and_left_handed_ones_are_refused(ub: Floats) -> None:
    flat = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    with pytest.raises(InvalidInput, match="one plane"):
        ub_from_three(flat, flat @ ub.T)
    hkl = np.eye(3)
    with pytest.raises(InvalidInput, match="left-handed"):
        ub_from_three(hkl, -hkl @ ub.T)


def noisy(ub: Floats, spread: float, count: int = 40) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(8)
    hkl = rng.integers(-4, 5, (count, 3)).astype(float)
    hkl = hkl[np.abs(hkl).sum(axis=1) > 0]
    return hkl, hkl @ ub.T + rng.normal(0, spread, hkl.shape)


def test_refinement_averages_noise(triclinic: Lattice, ub: Floats) -> None:
    hkl, seen = noisy(ub, 1e-3)

    found = refine(hkl, seen)

    assert found.lattice.parameters == pytest.approx(triclinic.parameters, rel=3e-4)
    assert np.abs(found.ub - ub).max() < 3e-4
    assert np.abs(found.residuals).max() < 1e-2
    assert 0 < np.median(found.errors) < 0.1


def test_refinement_with_a_lattice_keeps_it(triclinic: Lattice, ub: Floats) -> None:
    hkl, seen = noisy(ub, 1e-3)

    found = refine(hkl, seen, lattice=triclinic)

    assert Lattice.of_matrix(found.ub).parameters == pytest.approx(triclinic.parameters)
    turn = found.ub @ np.linalg.inv(ub)
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) < 0.02
    # No small turn fits better.
    best = np.sum((hkl @ found.ub.T - seen) ** 2)
    for axis in np.eye(3):
        for angle in (1e-4, -1e-4):
            moved = found.ub + angle * np.cross(axis, found.ub.T).T
            assert np.sum((hkl @ moved.T - seen) ** 2) > best


@pytest.mark.parametrize(
    ("system", "cell"),
    [
        ("cubic", Lattice(5.43)),
        ("tetragonal", Lattice(3.9, c=9.4)),
        ("orthorhombic", Lattice(4, 5, 6)),
        ("hexagonal", Lattice(3.2, 3.2, 5.2, 90, 90, 120)),
        ("rhombohedral", Lattice(4.7, alpha=57, beta=57, gamma=57)),
        ("monoclinic", Lattice(4, 5, 6, 90, 101, 90)),
    ],
)
def test_refinement_keeps_a_crystal_system(system: str, cell: Lattice) -> None:
    if system == "tetragonal":
        cell = Lattice(3.9, 3.9, 9.4)
    ub = random_rotation(6) @ cell.B
    hkl, seen = noisy(ub, 1e-3)

    found = refine(hkl, seen, system=system)

    assert found.lattice.parameters == pytest.approx(cell.parameters, rel=5e-4)
    fixed = [k for k, value in enumerate(cell.parameters) if k > 2 and value in (90, 120)]
    assert [found.lattice.parameters[k] for k in fixed] == [cell.parameters[k] for k in fixed]
    assert np.abs(found.ub - ub).max() < 5e-4


def test_a_wrong_index_stands_out(ub: Floats) -> None:
    hkl, seen = noisy(ub, 1e-4)
    hkl[7] += [0, 0, 1]

    assert refine(hkl, seen).worst == 7


def test_an_unknown_system_names_the_known_ones(ub: Floats) -> None:
    with pytest.raises(InvalidInput, match="hexagonal"):
        refine(np.eye(3), np.eye(3) @ ub.T, system="trigonal")
