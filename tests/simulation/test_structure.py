from __future__ import annotations

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.simulation import STANDARDS, crystal_structure, standard_structure


@pytest.mark.parametrize(("name", "density"), [("CeO2", 7.215), ("LaB6", 4.72), ("Si", 2.329), ("Al2O3", 3.987)])
def test_the_density_of_a_reference_material_is_that_of_handbooks(name: str, density: float) -> None:
    assert standard_structure(name).density == pytest.approx(density, rel=3e-3)


@pytest.mark.parametrize(
    ("name", "absent", "present"),
    [
        ("CeO2", [(1, 0, 0), (2, 1, 0), (2, 1, 1)], [(1, 1, 1), (2, 0, 0), (3, 1, 1)]),
        ("Si", [(2, 0, 0), (2, 2, 2), (1, 1, 0)], [(1, 1, 1), (2, 2, 0), (4, 0, 0)]),
        ("Al2O3", [(1, 0, 0), (0, 0, 3), (1, 1, 1), (1, 0, 1)], [(0, 1, 2), (1, 0, 4), (1, 1, 3)]),
        ("LaB6", [], [(1, 0, 0), (1, 1, 0), (1, 1, 1)]),
    ],
)
def test_reflections_are_extinct_as_the_space_group_demands(
    name: str, absent: list[tuple[int, int, int]], present: list[tuple[int, int, int]]
) -> None:
    structure = standard_structure(name)
    strong = structure.intensities(np.array(present), 30.0)
    assert strong.min() > 100.0
    if absent:
        assert structure.intensities(np.array(absent), 30.0).max() < 1e-3 * strong.min()


def test_relative_intensities_are_those_of_the_powder_diffraction_file() -> None:
    """LaB6 at 1.5406 Å (PDF 34-0427: 100 54, 110 100, 111 41, 200 23, 210 47), with LP of an unpolarised beam."""
    structure = standard_structure("LaB6")
    hkl = np.array([(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0)])
    theta = np.arcsin(1.5406 / (2.0 * structure.lattice.spacing(hkl)))
    lp = (1.0 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    found = structure.intensities(hkl, 8.048) * np.array([6, 12, 8, 6, 24]) * lp
    np.testing.assert_allclose(100.0 * found / found[1], [54, 100, 41, 23, 47], atol=9.0)


@pytest.mark.parametrize("name", list(STANDARDS))
def test_friedel_mates_differ_by_anomalous_scattering_only(name: str) -> None:
    structure = standard_structure(name)
    hkl = structure.lattice.indices(1.2)
    # All of them have a centre of symmetry.
    np.testing.assert_allclose(
        structure.intensities(hkl, 25.0), structure.intensities(-hkl, 25.0), rtol=1e-9, atol=1e-6
    )


def test_a_large_cell_has_wilson_statistics_and_the_symmetry_of_its_laue_group() -> None:
    protein = crystal_structure("lysozyme")
    hkl = protein.lattice.indices(2.5)
    found = protein.intensities(hkl, 12.0)
    mates = protein.intensities(hkl[:, [1, 0, 2]] * np.array([1, -1, -1]), 12.0)
    np.testing.assert_allclose(found, mates, rtol=1e-12)
    shell = found[protein.lattice.spacing(hkl) < 2.6]
    # <I²> / <I>² = 2 for an acentric crystal.
    assert float(np.mean(shell**2) / np.mean(shell) ** 2) == pytest.approx(2.0, abs=0.25)


def test_an_unknown_material_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'Fe'.*Known: CeO2, LaB6, Si, Al2O3"):
        standard_structure("Fe")
    with pytest.raises(InvalidInput, match=r"'salt'.*lysozyme"):
        crystal_structure("salt")
