from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xraydb
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firstlight.model import InvalidInput, NotFound
from firstlight.simulation import (
    CRYSTALS,
    Absorber,
    Attenuator,
    BeamState,
    FastShutter,
    Foil,
    GasCell,
    Mirror,
    Monochromator,
    Optics,
    Profile,
    Slits,
    Undulator,
)

ENERGY = 12.398
SOURCE = Undulator()
MONO = Monochromator("mono")
GAP, BRAGG = SOURCE.gap_for(ENERGY, 3), float(MONO.angle(ENERGY))


def profile(n: int = 1, *, sigma: float = 0.5, centre: float = 0.0) -> Profile:
    ones = np.ones(n)
    return Profile(centre * ones, 0.0 * ones, 0.0 * ones, sigma / 30.0 * ones, -np.inf * ones, np.inf * ones, 30.0)


def beam(n: int = 1, **settings: float) -> BeamState:
    energies = np.tile([ENERGY, 3 * ENERGY], (n, 1))
    return BeamState(
        np.zeros(n), energies, np.tile([1e12, 1e9], (n, 1)), np.full(n, 1e-3), profile(n, **settings), profile(n)
    )


def chain(*elements: Any) -> Optics:
    return Optics(SOURCE, [MONO, *elements])


def positions(**others: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    tuned: dict[str, dict[str, Any]] = {"undulator": {"gap": GAP}, "mono": {"bragg": BRAGG}}
    for name, words in others.items():
        tuned[name] = tuned.get(name, {}) | dict(words)
    return {name: {word: np.atleast_1d(value) for word, value in words.items()} for name, words in tuned.items()}


# -- slits


@given(st.floats(-2, 2), st.floats(0.01, 3), st.floats(-1, 1), st.floats(0.1, 2))
def test_slits_pass_what_the_error_function_says(centre: float, opening: float, at: float, sigma: float) -> None:
    low, high = centre - opening / 2, centre + opening / 2
    slits = Slits("s", 30.0)
    cut = slits.apply(beam(sigma=sigma, centre=at), {"left": np.array([low]), "right": np.array([high])})
    expected = stats.norm.cdf(high, at, sigma) - stats.norm.cdf(low, at, sigma)
    assert cut.flux[0] == pytest.approx(1e12 * expected, rel=1e-9, abs=1.0)


def test_the_beam_behind_slits_has_the_moments_of_a_truncated_gaussian() -> None:
    cut = profile(sigma=0.5, centre=0.1).clip(np.array([-0.2]), np.array([0.9]))
    expected = stats.truncnorm((-0.2 - 0.1) / 0.5, (0.9 - 0.1) / 0.5, loc=0.1, scale=0.5)
    assert cut.mean[0] == pytest.approx(expected.mean())
    assert cut.rms[0] == pytest.approx(expected.std())
    x = np.linspace(-1.0, 1.5, 5001)
    assert cut.density(x)[0] == pytest.approx(expected.pdf(x), abs=1e-9)


def test_two_slits_in_a_row_pass_what_the_narrower_shadow_leaves() -> None:
    first, second = Slits("s1", 30.0), Slits("s2", 60.0)
    blade = {"left": np.array([-0.3]), "right": np.array([0.3])}
    behind = second.apply(first.apply(beam(), blade).drift(60.0), {"left": np.array([-0.6]), "right": np.array([0.6])})
    # The shadow of the first is twice as wide at twice the distance: the second cuts nothing.
    assert behind.flux[0] == pytest.approx(first.apply(beam(), blade).flux[0])
    narrower = second.apply(
        first.apply(beam(), blade).drift(60.0), {"left": np.array([-0.2]), "right": np.array([0.2])}
    )
    assert narrower.flux[0] == pytest.approx(first.apply(beam(), {k: v / 3 for k, v in blade.items()}).flux[0])
    assert narrower.width[0] == pytest.approx(0.4)


@given(st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4), st.floats(0.0, 1.0))
def test_opening_a_blade_never_takes_light_away(blades: list[float], step: float) -> None:
    left, right, bottom, top = (np.array([b]) for b in blades)
    slits = Slits("s", 30.0, (0.1, -0.2))
    at = {"left": left, "right": right, "bottom": bottom, "top": top}
    before = slits.apply(beam(), at).flux[0]
    wider = slits.apply(beam(), at | {"right": right + step, "bottom": bottom - step}).flux[0]
    assert 0.0 <= before <= wider <= 1e12


def test_closed_blades_pass_nothing() -> None:
    closed = Slits("s", 30.0).apply(beam(), {"left": np.array([0.2]), "right": np.array([-0.2])})
    assert closed.flux[0] == 0.0
    assert np.isfinite([closed.x[0], closed.horizontal.rms[0], closed.width[0]]).all()


# -- monochromator


def test_silicon_reflects_one_angstrom_where_the_tables_say() -> None:
    # d(111) of silicon is 3.13560 Å, so 1 Å is reflected at asin(1 / 2d).
    assert Monochromator().angle(12.39842) == pytest.approx(np.degrees(np.arcsin(1.0 / (2 * 3.135601))), abs=1e-4)
    assert Monochromator().angle(12.39842) == pytest.approx(9.1757, abs=5e-4)
    assert Monochromator(crystal="Si311").angle(12.39842) == pytest.approx(17.775, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "hkl"), [("Si111", (1, 1, 1)), ("Si220", (2, 2, 0)), ("Si311", (3, 1, 1)), ("Ge111", (1, 1, 1))]
)
def test_darwin_widths_are_those_of_xraydb(name: str, hkl: tuple[int, int, int]) -> None:
    mono = Monochromator(crystal=name)
    for column, order in enumerate(CRYSTALS[name].orders):
        found = xraydb.darwin_width(order * 12398.0, name[:2], tuple(order * i for i in hkl))
        width = mono.width(np.array([float(np.degrees(found.theta))]))[0, column]
        assert width == pytest.approx(1e3 * found.theta_width, rel=0.01)


def test_the_rocking_curve_of_two_crystals_is_as_wide_as_two_darwin_curves_are() -> None:
    mono = Monochromator()
    bragg = float(mono.angle(12.398))
    tilts = np.linspace(-0.06, 0.06, 2401)
    curve = mono.rocking(tilts, np.full(len(tilts), bragg))[:, 0]
    above = tilts[curve > 0.5 * curve.max()]
    # Two identical flat-topped curves: about 1.3 to 1.45 times the width of one (30 µrad at 1 Å).
    assert above[-1] - above[0] == pytest.approx(0.0301, rel=0.06)
    assert curve.argmax() == len(tilts) // 2


def test_a_small_tilt_takes_the_harmonics_away_first() -> None:
    mono = Monochromator()
    ratio = mono.rocking(np.array([0.008]), np.array([BRAGG]))[0]
    assert ratio[0] > 0.6
    assert ratio[1] < 0.15


def test_the_tilt_turns_the_beam_by_twice_itself() -> None:
    state = chain().beam([0.0], positions(mono={"pitch": 0.01}), 40.0)
    assert state.y[0] == pytest.approx(2 * 0.01 * (40.0 - 30.0))


def test_an_offset_of_the_bragg_angle_shifts_the_energy() -> None:
    wrong = Monochromator("mono", offset=0.02)
    state = Optics(SOURCE, [wrong]).beam([0.0], positions(), 40.0)
    assert state.energy[0] == pytest.approx(float(MONO.energies(np.array([BRAGG + 0.02]))[0, 0]))
    assert wrong.angle(ENERGY) == pytest.approx(BRAGG - 0.02)


def test_the_bandwidth_has_the_resolution_of_the_crystal_and_the_flux_follows_it() -> None:
    si111 = chain().beam([0.0], positions(), 40.0)
    si311 = Optics(SOURCE, [Monochromator("mono", "Si311")]).beam(
        [0.0], positions(mono={"bragg": Monochromator(crystal="Si311").angle(ENERGY)}), 40.0
    )
    assert si111.energy[0] == pytest.approx(si311.energy[0])
    assert 1.33e-4 * ENERGY < si111.bandwidth[0] < 2.5e-4 * ENERGY
    assert si311.flux[0] / si111.flux[0] == pytest.approx(2.823e-5 / 1.33e-4, rel=1e-6)


def test_a_glitch_takes_light_at_its_energy() -> None:
    dark = Monochromator("mono", glitches=[(ENERGY, 0.4, 0.002)])
    assert Optics(SOURCE, [dark]).beam([0.0], positions(), 40.0).flux[0] == pytest.approx(
        0.6 * chain().beam([0.0], positions(), 40.0).flux[0], rel=1e-6
    )


def test_an_unknown_crystal_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Si110"):
        Monochromator(crystal="Si110")


# -- mirror


@pytest.mark.parametrize("coating", ["Rh", "Si", "Pt"])
def test_the_mirror_reflects_as_in_xraydb(coating: str) -> None:
    mirror = Mirror(coating=coating, roughness=0.0)
    density = {"Rh": 12.41, "Si": 2.329, "Pt": 21.45}[coating]
    for energy in (7.0, 10.0, 16.0):
        angles = np.linspace(0.5, 6.0, 40)
        expected = xraydb.mirror_reflectivity(coating, angles * 1e-3, energy * 1e3, density)
        assert mirror.reflectivity(angles, energy) == pytest.approx(expected, abs=0.03)


def test_the_mirror_cuts_off_above_its_energy() -> None:
    mirror = Mirror(angle=2.5)
    assert mirror.critical(12.4) == pytest.approx(5.4, abs=0.2)
    energies = np.linspace(5.0, 60.0, 111)
    reflected = mirror.reflectivity(2.5, energies)
    cut_off = energies[np.argmax(mirror.critical(energies) < 2.5)]
    assert (reflected[energies < 0.8 * cut_off] > 0.75).all()
    assert (reflected[energies > 1.3 * cut_off] < 0.05).all()


def test_the_mirror_catches_what_its_length_covers_and_turns_the_rest() -> None:
    mirror = Mirror("mirror", 30.0, angle=2.5, length=400.0)
    caught = mirror.apply(beam(), {"pitch": np.array([2.6])})
    half = 0.5 * 400.0 * np.sin(2.6e-3)
    expected = stats.norm.cdf(half, 0, 0.5) - stats.norm.cdf(-half, 0, 0.5)
    assert caught.flux[0] == pytest.approx(1e12 * expected * float(mirror.reflectivity(2.6, ENERGY)))
    assert caught.drift(35.0).y[0] == pytest.approx(2 * 0.1 * 5.0)
    # Half of the beam passes above a mirror that is too low by half of its shadow.
    low = mirror.apply(beam(), {"height": np.array([-50.0])})
    assert low.flux[0] == pytest.approx(0.0)


def test_the_mirror_takes_the_third_harmonic_away() -> None:
    behind = Mirror("mirror", 33.0).apply(beam(), {})
    assert behind.fluxes[0, 1] / behind.fluxes[0, 0] < 0.05 * 1e-3


# -- absorbers


def test_the_attenuator_puts_the_foil_of_its_position_into_the_beam() -> None:
    wheel = Attenuator("att", 39.0, (Foil(), Foil("Al", 0.5), Foil("Cu", 0.02)))
    passed = wheel.apply(beam(6), {"wheel": np.array([0.0, 1.0, 2.0, 0.5, 3.0, -1.0])}).flux / 1e12
    assert passed[0] == 1.0
    assert passed[1] == pytest.approx(float(np.exp(-0.05 * xraydb.material_mu("Al", 12398.0, 2.699))), rel=0.01)
    assert passed[2] == pytest.approx(float(np.exp(-0.002 * xraydb.material_mu("Cu", 12398.0, 8.96))), rel=0.01)
    assert passed[3:].tolist() == [0.0, 0.0, 0.0]


def test_a_filter_before_the_monochromator_acts_at_the_energy_that_it_selects() -> None:
    foil = Foil("Al", 0.3)
    front = chain(Absorber("window", 28.0, foil)).beam([0.0], positions(), 40.0)
    behind = chain(Absorber("window", 35.0, foil)).beam([0.0], positions(), 40.0)
    assert front.fluxes == pytest.approx(behind.fluxes)


def test_slits_before_the_monochromator_weaken_what_it_selects() -> None:
    blades = {"left": -0.2, "right": 0.2, "bottom": -0.2, "top": 0.2}
    front = chain(Slits("s1", 27.0)).beam([0.0], positions(s1=blades), 40.0)
    behind = chain(Slits("s1", 32.0)).beam([0.0], positions(s1={k: v * 32 / 27 for k, v in blades.items()}), 40.0)
    assert front.flux == pytest.approx(behind.flux, rel=0.01)
    assert front.flux[0] < 0.5 * chain().beam([0.0], positions(), 40.0).flux[0]


def test_a_gas_ionises_less_than_it_removes() -> None:
    cell = GasCell("i0", 40.0, "nitrogen", 100.0)
    energies = np.array([[6.0, 8.0, 12.0]])
    removed, ionising = 1.0 - cell.transmission(energies), cell.ionising(energies)
    assert (ionising < removed).all()
    assert (ionising > 0.5 * removed).all()


# -- the chain


AT = positions(
    mono={"pitch": 0.004}, mirror={"pitch": 2.51, "height": 0.1}, s1={"left": -0.4, "right": 0.5}, att={"wheel": 1.0}
)
FULL = chain(
    Slits("s1", 27.0, (0.05, 0.1)), Mirror("mirror", 33.0), Attenuator("att", 39.0, (Foil(), Foil("Al", 0.1))),
    FastShutter("fshut", 40.0), GasCell("i0", 40.5),
)  # fmt: skip


@pytest.mark.parametrize("where", ["s1", "mono", "mirror", "att", "fshut", "i0", 45.0])
def test_moments_at_once_give_what_each_gives_alone(where: str | float) -> None:
    rng = np.random.default_rng(3)
    n = 7
    many = {e: {w: v + rng.normal(0, 0.002, n) for w, v in words.items()} for e, words in AT.items()}
    many["att"] = {"wheel": np.array([0.0, 1, 1, 0, 0.5, 1, 0])}
    current, orbit = rng.uniform(100, 200, n), rng.normal(0, 0.01, (4, n))
    together = FULL.beam(np.arange(n), many, where, current=current, orbit=orbit)
    for k in range(n):
        one = {e: {w: v[k : k + 1] for w, v in words.items()} for e, words in many.items()}
        alone = FULL.beam([k], one, where, current=current[k], orbit=orbit[:, k : k + 1])
        assert together.fluxes[k] == pytest.approx(alone.fluxes[0], rel=1e-12)
        assert together.energies[k] == pytest.approx(alone.energies[0], rel=1e-12)
        for field in ("x", "y", "width", "height", "bandwidth"):
            assert getattr(together, field)[k] == pytest.approx(getattr(alone, field)[0], rel=1e-9, abs=1e-12)


def test_no_element_makes_light() -> None:
    fluxes = [FULL.beam([0.0], AT, where).fluxes[0, 0] for where in ("mirror", "att", "fshut", "i0", 45.0)]
    assert fluxes == sorted(fluxes, reverse=True)


def test_the_light_is_proportional_to_the_current() -> None:
    one, two = (FULL.beam([0.0], AT, "i0", current=c) for c in (100.0, 200.0))
    assert two.fluxes == pytest.approx(2.0 * one.fluxes)


def test_the_density_on_a_plane_adds_up_to_the_flux() -> None:
    state = FULL.beam([0.0], AT, "i0")
    x, y = np.linspace(-4, 4, 801), np.linspace(-4, 4, 801)
    total = state.density(x, y)[0].sum() * (x[1] - x[0]) * (y[1] - y[0])
    assert total == pytest.approx(state.flux[0], rel=0.01)


def test_detuning_the_gap_loses_the_beam() -> None:
    gaps = GAP + np.linspace(-0.3, 0.3, 121)
    many = {"undulator": {"gap": gaps}, "mono": {"bragg": np.full(121, BRAGG)}}
    flux = chain().beam(np.zeros(121), many, 40.0).flux
    peak = gaps[flux.argmax()]
    assert peak == pytest.approx(GAP, abs=0.02)
    # A wider gap moves the line up, and its tail to low energies over the energy that is selected.
    assert flux[64] > 1.1 * flux[56]
    assert flux[0] < 0.2 * flux.max()
    assert flux[-1] < 0.2 * flux.max()


def test_places_are_elements_or_distances_and_others_are_refused() -> None:
    assert FULL.place("att") == 39.0
    assert FULL.place(41.5) == 41.5
    with pytest.raises(NotFound, match="i9"):
        FULL.beam([0.0], AT, "i9")
    with pytest.raises(InvalidInput, match="same name"):
        Optics(SOURCE, [Slits("s"), Slits("s", 28.0)])
    with pytest.raises(InvalidInput, match="before the source"):
        Optics(SOURCE, [Slits("s", -1.0)])


def test_the_truth_names_what_is_wrong() -> None:
    optics = Optics(Undulator(offset=0.02), [Monochromator("mono", offset=0.01), Slits("s1", offset=(0.1, 0.2))])
    truth = optics.truth()
    assert truth["undulator"]["gap_offset"] == 0.02
    assert truth["mono"]["bragg_offset"] == 0.01
    assert truth["s1"]["y_offset"] == 0.2
