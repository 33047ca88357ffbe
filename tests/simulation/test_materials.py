from __future__ import annotations

import numpy as np
import pytest
import xraydb
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation import MATERIALS, attenuation, material, refraction, transmission
from firstlight.simulation._materials import COMMON, HIGHEST, LOWEST, composition, element

ENERGIES = np.geomspace(3.0, 100.0, 137)


def away_from_edges(symbol: str, energies: NDArray[np.float64]) -> NDArray[np.float64]:
    edges = np.array([edge.energy * 1e-3 for edge in xraydb.xray_edges(symbol).values()])
    near = np.abs(energies[:, None] / edges[None, :] - 1.0) < 3e-3
    return np.asarray(energies[~near.any(axis=1)])


@pytest.mark.parametrize("symbol", COMMON)
def test_the_table_of_the_package_is_that_of_xraydb(symbol: str) -> None:
    energies = away_from_edges(symbol, ENERGIES)
    table = element(symbol)
    for column, kind in ((table.total, "total"), (table.photo, "photo")):
        ours = np.exp(np.interp(np.log(energies), np.log(table.energies), column))
        assert ours == pytest.approx(xraydb.mu_elam(symbol, energies * 1e3, kind=kind), rel=0.01)
    assert table.mass == pytest.approx(xraydb.atomic_mass(symbol))


def test_one_millimetre_of_aluminium_passes_what_xraydb_says_at_20_kev() -> None:
    expected = np.exp(-xraydb.mu_elam("Al", 20e3) * 2.699 * 0.1)
    assert transmission(material("Al"), 1.0, 20.0) == pytest.approx(expected, rel=0.01)
    assert expected == pytest.approx(0.395, abs=0.01)


@pytest.mark.parametrize("name", MATERIALS)
def test_materials_attenuate_as_in_xraydb(name: str) -> None:
    known = MATERIALS[name]
    for energy in (8.0, 17.0, 45.0):
        expected = 0.1 * xraydb.material_mu(known.formula, energy * 1e3, density=known.density)
        assert attenuation(known, energy) == pytest.approx(expected, rel=0.01)


def test_an_edge_is_where_it_belongs() -> None:
    below, above = attenuation(material("Cu"), [8.978, 8.980])
    assert above / below > 5.0


@given(st.sampled_from(sorted(MATERIALS)), st.floats(LOWEST, HIGHEST), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_two_layers_pass_the_product_of_what_each_passes(name: str, energy: float, one: float, other: float) -> None:
    known = MATERIALS[name]
    both = transmission(known, one + other, energy)
    assert both == pytest.approx(transmission(known, one, energy) * transmission(known, other, energy), rel=1e-9)
    assert 0.0 <= both <= 1.0


@pytest.mark.parametrize(("name", "energy"), [("Rh", 12.0), ("Si", 8.0), ("Pt", 20.0)])
def test_the_index_of_refraction_is_that_of_xraydb(name: str, energy: float) -> None:
    known = MATERIALS[name]
    delta, beta, _ = xraydb.xray_delta_beta(known.formula, known.density, energy * 1e3)
    ours = refraction(known, energy)
    assert ours[0] == pytest.approx(delta, rel=0.01)
    assert ours[1] == pytest.approx(beta, rel=0.08)


def test_a_formula_needs_a_density_and_sense() -> None:
    assert composition("H2O")["O"] == pytest.approx(0.888, abs=1e-3)
    assert attenuation(material("SiO2", 2.2), 10.0) > 0.0
    for name in ("SiO2", "Unobtainium", "h2o", ""):
        with pytest.raises(InvalidInput):
            material(name)


def test_an_element_that_is_not_in_the_table_comes_from_xraydb() -> None:
    expected = 0.1 * 6.77 * xraydb.mu_elam("Ce", 30e3)
    assert attenuation(material("Ce", 6.77), 30.0) == pytest.approx(expected, rel=0.01)
