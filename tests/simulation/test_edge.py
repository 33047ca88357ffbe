from __future__ import annotations

import numpy as np
import pytest
import xraydb

from firstlight.model import InvalidInput
from firstlight.simulation import AbsorptionScan, EdgePlate, EdgeSample, FineStructure, Shell

ENERGIES = np.linspace(8.7, 10.0, 1301)


def test_far_below_the_edge_absorption_is_that_of_the_tables_and_above_it_on_average_too() -> None:
    foil = EdgeSample(thickness=10.0)
    below, above = ENERGIES < 8.75, ENERGIES > 9.3
    tables = xraydb.mu_elam("Cu", ENERGIES * 1e3) * 8.96e-4
    found = foil.absorption(ENERGIES)
    np.testing.assert_allclose(found[below], tables[below], rtol=0.02)
    assert float((found / tables)[above].mean()) == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(foil.transmission(ENERGIES), np.exp(-10.0 * found))


def test_the_edge_is_where_it_is_said_to_be() -> None:
    foil = FineStructure(shells=(), white_line=0.0)
    assert foil.e0 == pytest.approx(8.979)
    fine = np.linspace(8.97, 8.99, 4001)
    slope = np.gradient(foil.edge_shape(fine))
    assert fine[np.argmax(slope)] == pytest.approx(8.979, abs=1e-5)
    assert FineStructure(shift=25.0).e0 == pytest.approx(9.004)
    assert foil.edge_shape([8.5, 9.5]) == pytest.approx([0.0, 1.0], abs=2e-3)


def test_the_fine_structure_has_its_shell_at_its_distance() -> None:
    """The Fourier transform of k² χ peaks at R, less what the slope of the phase takes away."""
    shell = Shell(12, 2.556, 0.0085)
    structure = FineStructure(shells=(shell,), phase=(0.3, -0.4))
    k = np.linspace(3.0, 14.0, 441)
    weighted = k**2 * structure.chi(k) * np.hanning(len(k))
    r = np.linspace(0.5, 5.0, 1801)
    transform = np.abs(np.exp(2j * np.outer(r, k)) @ weighted)
    assert r[np.argmax(transform)] == pytest.approx(2.556 - 0.2, abs=0.02)


def test_the_equation_of_the_fine_structure_term_by_term() -> None:
    structure = FineStructure(shells=(Shell(6, 2.0, 0.01, 5.0),), s02=0.8, phase=(0.5, -0.1), path=10.0)
    k = 7.0
    amplitude = 0.8 * 6 * 5.0 * 64 / (64 + 49) / (7.0 * 4.0)
    damping = np.exp(-2 * 0.01 * 49) * np.exp(-4.0 / 10.0) * (1 - np.exp(-(3.5**2)))
    expected = amplitude * damping * np.sin(2 * 7.0 * 2.0 + 0.5 - 0.7)
    assert float(structure.chi(k)) == pytest.approx(expected, rel=1e-12)
    assert float(structure.chi(-1.0)) == 0.0
    # Size of copper's: a tenth or so.
    assert 0.05 < np.abs(FineStructure().chi(np.linspace(3, 6, 100))).max() < 0.3


def test_a_thin_sample_fluoresces_as_it_absorbs_and_a_thick_one_less() -> None:
    shape = FineStructure().edge_shape(ENERGIES)
    above = ENERGIES > 9.05
    thin = EdgeSample(thickness=0.01).fluorescence(ENERGIES)
    step = FineStructure(shells=(), white_line=0.0)
    smooth = EdgeSample(step, thickness=0.01).fluorescence(ENERGIES)
    np.testing.assert_allclose((thin / smooth)[above], shape[above] / step.edge_shape(ENERGIES)[above], rtol=2e-3)
    thick = EdgeSample(thickness=50.0).fluorescence(ENERGIES)
    thick_smooth = EdgeSample(step, thickness=50.0).fluorescence(ENERGIES)
    assert np.ptp((thick / thick_smooth)[above]) < 0.6 * np.ptp((thin / smooth)[above])
    below = ENERGIES < 8.9
    assert thin[below].max() < 0.02 * thin[above].mean()


def test_other_elements_absorb_too() -> None:
    oxide = EdgeSample(formula="CuO", density=6.31, thickness=5.0)
    expected = (
        sum(f * xraydb.mu_elam(e, 8800.0) for e, f in (("Cu", 63.546 / 79.545), ("O", 15.999 / 79.545))) * 6.31e-4
    )
    assert float(oxide.absorption(8.8)) == pytest.approx(float(expected), rel=0.02)


def test_l_edges_are_continued_up_to_the_next_one_only() -> None:
    lead = EdgeSample(FineStructure("Pb", "L3", shells=(), white_line=0.0), density=11.35)
    found = lead.absorption(np.array([12.9, 13.3])) / (xraydb.mu_elam("Pb", np.array([12900.0, 13300.0])) * 11.35e-4)
    np.testing.assert_allclose(found, 1.0, rtol=0.02)


def test_in_a_beamline_it_filters_the_beam() -> None:
    from firstlight.simulation import BeamState, Profile

    one = np.ones(2)
    profile = Profile(0 * one, 0 * one, one, 0 * one, -np.inf * one, np.inf * one)
    beam = BeamState(one, np.array([[8.9, 17.8], [9.1, 18.2]]), np.full((2, 2), 1e10), one, profile, profile)
    foil = EdgeSample(thickness=8.0)
    behind = EdgePlate("sample", 40.0, foil).apply(beam, {})
    np.testing.assert_allclose(behind.fluxes, 1e10 * foil.transmission(beam.energies))
    assert behind.flux[1] < 0.5 * behind.flux[0]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no edge 'M5'.*K, L1"):
        FineStructure("Cu", "M5")
    with pytest.raises(InvalidInput, match=r"holds no Cu"):
        EdgeSample(formula="Fe2O3")
    with pytest.raises(InvalidInput, match=r"'reflection'.*transmission, fluorescence"):
        AbsorptionScan(EdgeSample(), "reflection")
    with pytest.raises(InvalidInput, match="shell"):
        FineStructure(shells=(Shell(1, 0.0, 0.0),))
