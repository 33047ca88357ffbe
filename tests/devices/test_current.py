from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import xraydb

from firstlight.devices import Surroundings, build
from firstlight.devices.sim import IonChamber, MemoryBoard, PhotoDiode
from firstlight.model import Clock, DeviceError, FakeClock, TriggerMode, TriggerPlan
from firstlight.simulation import Monochromator, Undulator

ENERGY = 12.398
GAP = Undulator().gap_for(ENERGY, 3)
BRAGG = float(Monochromator().angle(ENERGY))
BEAMLINE: dict[str, Any] = {
    "name": "beam",
    "kind": "sim.beamline",
    "undulator": {"fixed": GAP},
    "elements": [
        {"name": "mono", "kind": "monochromator", "distance": 30.0, "fixed": BRAGG},
        {"name": "mirror", "kind": "mirror", "distance": 33.0},
        {"name": "fast", "kind": "shutter", "distance": 40.0, "shutter": "fshut"},
        {"name": "i0", "kind": "gas", "distance": 40.5, "length": 50.0},
        {"name": "i1", "kind": "gas", "distance": 41.5, "gas": "argon", "length": 100.0},
    ],
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def surroundings(clock: Clock) -> Surroundings:
    around = Surroundings(clock, MemoryBoard())
    build(BEAMLINE, around)
    around.board.post_shutter("fshut", 0.0, True)
    return around


def chamber(around: Surroundings, name: str = "i0", **settings: Any) -> IonChamber:
    config = {"name": name, "kind": "sim.ion_chamber", "beamline": "beam", "gas": name, "seed": None, "dark": 0.0}
    made = build(config | settings, around)
    assert isinstance(made, IonChamber)
    return made


def test_the_current_of_an_ion_chamber_is_the_textbook_one(surroundings: Surroundings) -> None:
    i0 = chamber(surroundings, gain=1e4)
    state = i0.beam.at([1.0], "i0")
    # All light is in the first line behind the mirror: I = Φ · μ_photo/μ (1 - exp(-μ l)) · E/W · e.
    assert state.fluxes[0, 1:].sum() < 1e-3 * state.flux[0]
    density = 28.0134 * 1e5 / (8.314462618 * 293.15) * 1e-6
    mu = xraydb.mu_elam("N", ENERGY * 1e3) * density
    photo = xraydb.mu_elam("N", ENERGY * 1e3, kind="photo") * density
    share = photo / mu * (1.0 - np.exp(-mu * 5.0))
    expected = state.flux[0] * share * ENERGY * 1e3 / xraydb.ionization_potential("nitrogen") * 1.602176634e-19
    assert i0.value(1.0, 2.0) == pytest.approx(expected, rel=0.02)


def test_the_flux_found_from_the_current_is_about_that_of_xraydb(surroundings: Surroundings) -> None:
    i0 = chamber(surroundings, gain=1e4)
    current = i0.value(1.0, 2.0)
    found = xraydb.ionchamber_fluxes(
        gas="nitrogen", volts=current * 1e4, length=5.0, energy=ENERGY * 1e3, sensitivity=1e-4, sensitivity_units="A/V",
        with_compton=False, both_carriers=False,
    )  # fmt: skip
    # Its gas is at 0 °C and 1 atm, ours at 20 °C and 1 bar.
    thinner = xraydb.get_material("nitrogen")[1] / i0.cell.filling.density
    assert found.incident * thinner == pytest.approx(i0.beam.at([1.0], "i0").flux[0], rel=0.02)


def test_a_chamber_weakens_the_beam_for_the_next_one(surroundings: Surroundings) -> None:
    i0, i1 = chamber(surroundings), chamber(surroundings, "i1")
    before, after = (i0.beam.at([1.0], where).flux[0] for where in ("i0", "i1"))
    assert after / before == pytest.approx(float(i0.cell.transmission(np.array([[ENERGY]]))[0, 0]))
    assert i1.value(1.0, 2.0) > i0.value(1.0, 2.0)


def test_a_diode_takes_a_pair_for_each_3_66_ev(surroundings: Surroundings) -> None:
    made = build(
        {"name": "pd", "kind": "sim.photodiode", "beamline": "beam", "at": 45.0, "gain": 1.0, "seed": None, "dark": 0},
        surroundings,
    )
    assert isinstance(made, PhotoDiode)
    flux = made.beam.at([1.0], 45.0).flux[0]
    absorbed = 1.0 - np.exp(-xraydb.mu_elam("Si", ENERGY * 1e3) * 2.329 * 0.03)
    expected = flux * absorbed * ENERGY * 1e3 / 3.66 * 1.602176634e-19
    assert made.value(1.0, 2.0) == pytest.approx(expected, rel=0.01)


def test_without_beam_only_the_dark_current_is_left(surroundings: Surroundings) -> None:
    surroundings.board.post_shutter("fshut", 10.0, False)
    i0 = chamber(surroundings, dark=3e-9)
    assert i0.value(11.0, 12.0) == 3e-9
    assert i0.value(9.5, 10.5) == pytest.approx(0.5 * i0.value(8.0, 9.0), rel=1e-3)


def test_the_converter_reads_its_largest_value_beyond_its_range(surroundings: Surroundings) -> None:
    i0 = chamber(surroundings, gain=1e9)
    assert i0.value(1.0, 2.0) == i0.range == pytest.approx(1e-8)


def test_noise_falls_with_the_root_of_the_time_and_is_the_same_for_the_same_moment(
    surroundings: Surroundings,
) -> None:
    surroundings.board.post_shutter("fshut", 0.5, False)
    i0 = chamber(surroundings, noise=1e-9, seed=3)
    starts = 1.0 + np.arange(4000, dtype=np.float64) * 10.0
    for exposure in (0.01, 1.0):
        values = i0.values(starts, starts + exposure)
        assert values.std() == pytest.approx(1e-9 / np.sqrt(2.0 * exposure), rel=0.05)
        assert i0.value(starts[7], starts[7] + exposure) == values[7]
    assert chamber(surroundings, noise=1e-9, seed=4).value(1.0, 2.0) != i0.value(1.0, 2.0)


def test_shot_noise_is_that_of_the_photons_absorbed(surroundings: Surroundings) -> None:
    i0 = chamber(surroundings, noise=0.0, seed=1)
    quiet = chamber(surroundings, noise=0.0)
    starts, exposure = 1.0 + np.arange(3000, dtype=np.float64) * 0.1, 1e-6
    values = i0.values(starts, starts + exposure)
    absorbed = i0.beam.at([1.0], "i0").flux[0] * float(i0.cell.ionising(np.array([[ENERGY]]))[0, 0]) * exposure
    mean = quiet.value(1.0, 1.0 + exposure)
    assert values.std() / mean == pytest.approx(1.0 / np.sqrt(absorbed), rel=0.06)
    assert values.mean() == pytest.approx(mean, rel=5.0 / np.sqrt(absorbed * 3000))


def test_all_trigger_modes_give_the_same_current(surroundings: Surroundings, clock: FakeClock) -> None:
    i0 = chamber(surroundings)

    async def story() -> tuple[float, list[float]]:
        i0.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1))
        i0.start(clock.now())
        await clock.sleep_until(clock.now() + 0.1)
        one = float(i0.read()[0])
        i0.prepare(TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=0.1, period=0.2))
        i0.start(clock.now())
        await clock.sleep_until(clock.now() + 2.0)
        return one, np.asarray(i0.collect()[0].values).tolist()

    one, many = asyncio.run(story())
    assert many == pytest.approx([one] * 5, rel=1e-6)


def test_what_is_missing_is_named_when_a_run_is_prepared(clock: Clock) -> None:
    around = Surroundings(clock, MemoryBoard())
    build(BEAMLINE, around)
    plan = TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1)
    with pytest.raises(DeviceError, match="i0: No simulated shutter is named 'fshut'"):
        chamber(around).prepare(plan)
    around.board.post_shutter("fshut", 0.0, True)
    with pytest.raises(DeviceError, match="no element 'i7'"):
        chamber(around, "i7").prepare(plan)
    with pytest.raises(DeviceError, match="mirror is no gas"):
        chamber(around, gas="mirror").value(1.0, 2.0)
