from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.devices import Axis, Surroundings, build
from firstlight.devices.sim import Beam, MemoryBoard, RingCurrent, SharedBoard, SimBeamline, SimShutter
from firstlight.model import FakeClock, InvalidInput, NotFound, RunInfo
from firstlight.simulation import Monochromator, Undulator

ENERGY = 12.398
GAP = Undulator().gap_for(ENERGY, 3)
BRAGG = float(Monochromator().angle(ENERGY))

ELEMENTS: list[dict[str, Any]] = [
    {"name": "mono", "kind": "monochromator", "distance": 30.0, "bragg": "bragg", "pitch": "pitch"},
    {"name": "s1", "kind": "slits", "distance": 38.0, "left": "s1l", "right": "s1r", "error": 0.2},
    {"name": "att", "kind": "attenuator", "distance": 39.0, "wheel": "att", "foils": [{}, {"thickness": 0.5}]},
    {"name": "fast", "kind": "shutter", "distance": 40.0, "shutter": "fshut"},
    {"name": "i0", "kind": "gas", "distance": 40.5},
]
AXES: dict[str, dict[str, Any]] = {
    "gap": {"unit": "mm", "position": GAP},
    "bragg": {"unit": "deg", "position": BRAGG},
    "pitch": {"unit": "urad", "velocity": 100.0, "acceleration": 1000.0},
    "s1l": {"unit": "mm", "position": -0.5, "velocity": 1.0, "acceleration": 10.0},
    "s1r": {"unit": "mm", "position": 0.5},
    "att": {"unit": ""},
}


def beamline(surroundings: Surroundings, **settings: Any) -> dict[str, Any]:
    devices: dict[str, Any] = {n: build({"name": n, "kind": "sim.axis", **s}, surroundings) for n, s in AXES.items()}
    devices["ring"] = build({"name": "ring", "kind": "sim.ring", "lifetime": 3600.0}, surroundings)
    devices["fshut"] = build({"name": "fshut", "kind": "sim.shutter"}, surroundings)
    options = {"ring": "ring", "undulator": {"gap": "gap"}, "elements": ELEMENTS} | settings
    devices["beam"] = build({"name": "beam", "kind": "sim.beamline", **options}, surroundings)
    return devices


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def devices(clock: FakeClock, board: MemoryBoard) -> dict[str, Any]:
    return beamline(Surroundings(clock, board))


def run(clock: FakeClock, story: Any) -> None:
    asyncio.run(story)
    clock.advance(0.01)


def test_the_beam_follows_the_axes_of_the_session(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    beam = Beam("beam", board)
    before = beam.at([clock.now()], "fast")
    assert before.energy[0] == pytest.approx(ENERGY)
    run(clock, devices["bragg"].move(BRAGG + 0.01))
    after = beam.at([clock.now()], "fast")
    assert after.energy[0] == pytest.approx(float(Monochromator().energies(np.array([BRAGG + 0.01]))[0, 0]))
    run(clock, devices["att"].move(1))
    assert beam.at([clock.now()], "fast").flux[0] < 0.7 * after.flux[0]


def test_positions_are_taken_in_the_units_of_their_axes(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    run(clock, devices["pitch"].move(10.0))
    y = Beam("beam", board).at([clock.now()], "fast").y[0]
    assert y == pytest.approx(2 * 0.010 * (40.0 - 30.0), rel=0.02)


def test_an_exposure_sees_the_beam_only_while_the_shutter_is_open(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    beam = Beam("beam", board)
    shutter: SimShutter = devices["fshut"]
    run(clock, shutter.open())
    clock.advance(1.0)
    run(clock, shutter.close())
    rows = board.shutter("fshut", 0.0)
    opened, closed = rows[-2, 0], rows[-1, 0]
    seen = beam.during([opened - 0.5, opened + 0.2], [closed + 0.5, opened + 0.3], "i0")
    rate = beam.at([opened + 0.5], "i0").flux[0]
    photons = seen.sums(seen.beam.flux)
    assert photons[0] == pytest.approx(rate * (closed - opened), rel=1e-3)
    assert photons[1] == pytest.approx(rate * 0.1, rel=1e-3)
    assert beam.at([opened - 0.01, opened + 0.01, closed + 0.01], "i0").flux.tolist()[::2] == [0.0, 0.0]
    # What comes before the shutter sees the beam all the time.
    assert beam.during([opened - 0.5], [closed + 0.5], "att").seconds.sum() == pytest.approx(closed - opened + 1.0)


def test_an_exposure_during_a_motion_is_the_mean_over_it(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    beam = Beam("beam", board)

    async def story() -> None:
        move = asyncio.ensure_future(devices["s1l"].move(0.4))
        await clock.sleep_until(clock.now() + 2.0)
        await move

    start = clock.now() + 0.1
    run(clock, story())
    seen = beam.during([start], [start + 0.5], "att")
    moments = start + (np.arange(400) + 0.5) / 400 * 0.5
    expected = beam.at(moments, "att").flux.mean() * 0.5
    assert seen.sums(seen.beam.flux)[0] == pytest.approx(expected, rel=3e-3)


def test_many_exposures_at_once_give_what_each_gives_alone(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    run(clock, devices["fshut"].open())
    run(clock, devices["pitch"].move(5.0))
    clock.advance(50.0)
    beam = Beam("beam", board)
    starts = np.linspace(0.0, 40.0, 23)
    together = beam.during(starts, starts + 0.3, "i0")
    sums = together.sums(together.beam.flux)
    for k, start in enumerate(starts.tolist()):
        alone = Beam("beam", board).during([start], [start + 0.3], "i0")
        # A block is looked at in 8 parts when anything moves in it, one exposure only when it moves then.
        assert sums[k] == pytest.approx(alone.sums(alone.beam.flux)[0], rel=1e-3, abs=1.0)


def test_lost_beam_is_seen_by_all(devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard) -> None:
    beam = Beam("beam", board)
    ring: RingCurrent = devices["ring"]
    ring.lose_beam(after=5.0, refill=10.0)
    now = clock.now()
    flux = beam.at([now + 4.9, now + 5.1, now + 14.9, now + 15.1], "att").flux
    assert flux[0] > 0.0
    assert flux[1:3].tolist() == [0.0, 0.0]
    assert flux[3] / flux[0] == pytest.approx(200.0 / float(ring.ring.current_at(now + 4.9)), rel=1e-3)
    assert ring.value(now + 5.0, now + 5.5) == 0.0
    clock.advance(6.0)
    assert ring.current == 0.0
    ring.refill()
    clock.advance(1.0)
    assert ring.current == pytest.approx(200.0, rel=1e-3)


def test_injections_disturb_the_light(clock: FakeClock, board: MemoryBoard) -> None:
    surroundings = Surroundings(clock, board)
    build(
        {"name": "ring", "kind": "sim.ring", "interval": 60.0, "dip": 0.5, "recovery": 0.1, "lifetime": 1e9},
        surroundings,
    )
    build({"name": "beam", "kind": "sim.beamline", "ring": "ring"}, surroundings)
    beam = Beam("beam", board)
    flux = beam.at([119.9, 120.0, 120.1, 121.5], 20.0).flux
    assert flux / flux[0] == pytest.approx([1.0, 0.5, 1.0 - 0.5 * np.exp(-1.0), 1.0], rel=1e-4)
    seen = beam.during([120.0], [120.4], 20.0)
    expected = 0.4 - 0.5 * 0.1 * (1.0 - np.exp(-4.0))
    assert seen.sums(seen.beam.flux)[0] / flux[0] == pytest.approx(expected, rel=3e-3)


def test_misalignments_are_drawn_from_the_seed_and_told_as_truth(clock: FakeClock) -> None:
    made = [beamline(Surroundings(clock, MemoryBoard()), seed=seed)["beam"] for seed in (3, 3, 4, None)]
    first, again, other, perfect = (b.truth() for b in made)
    assert first == again != other
    assert first["mono"]["pitch"] != 0.0
    assert first["s1"]["x_offset"] != first["s1"]["y_offset"]
    assert perfect["mono"]["pitch"] == perfect["mono"]["bragg_offset"] == perfect["s1"]["x_offset"] == 0.0


def test_the_second_crystal_is_found_by_a_scan_of_its_pitch(clock: FakeClock, board: MemoryBoard) -> None:
    devices = beamline(Surroundings(clock, board), seed=3, elements=ELEMENTS[:1])
    axis: Axis = devices["pitch"]
    beam = Beam("beam", board)
    seen = []
    targets = np.arange(-250.0, 250.0, 4.0)
    for target in targets.tolist():
        run(clock, axis.move(target))
        seen.append(beam.at([clock.now()], 40.0).flux[0])
    assert targets[int(np.argmax(seen))] == pytest.approx(1e3 * devices["beam"].truth()["mono"]["pitch"], abs=4.0)


def test_a_place_and_an_axis_that_do_not_exist_are_named(clock: FakeClock, board: MemoryBoard) -> None:
    surroundings = Surroundings(clock, board)
    made = build({"name": "beam", "kind": "sim.beamline", "undulator": {"gap": "gapp"}}, surroundings)
    assert isinstance(made, SimBeamline)
    with pytest.raises(NotFound, match="beam names gapp"):
        Beam("beam", board).check(20.0)
    with pytest.raises(NotFound, match="i7"):
        Beam("beam", board).check("i7")
    with pytest.raises(NotFound, match="beem"):
        Beam("beem", board).check(20.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "lens"}, "lens"),
        ({"kind": "slits", "distance": -1.0}, "distance"),
        ({"kind": "slits", "upper": "x"}, "upper"),
        ({"kind": "monochromator", "crystal": "Si999"}, "Si999"),
        ({"kind": "mirror", "coating": "Unobtainium"}, "Unobtainium"),
    ],
)
def test_a_wrong_element_is_refused(clock: FakeClock, board: MemoryBoard, change: dict[str, Any], word: str) -> None:
    element = {"name": "e", "distance": 30.0} | change
    with pytest.raises(InvalidInput, match=word):
        build({"name": "beam", "kind": "sim.beamline", "elements": [element]}, Surroundings(clock, board))


def test_a_beamline_that_is_configured_again_is_seen_by_all(
    devices: Mapping[str, Any], clock: FakeClock, board: MemoryBoard
) -> None:
    beam = Beam("beam", board)
    run(clock, devices["fshut"].open())
    before = beam.at([clock.now()], "i0")
    beamline(
        Surroundings(clock, board), elements=[*ELEMENTS, {"name": "s0", "kind": "slits", "distance": 20.0}], seed=4
    )
    after = Beam("beam", board).at([clock.now()], "i0")
    assert after.flux[0] != before.flux[0]
    assert beam.at([clock.now()], "i0").flux[0] == after.flux[0]
    assert "s0" in [element.name for element in beam.optics.elements]


CHILD = """
import json, sys
from firstlight.devices.sim import Beam, BufferBoard
beam = Beam("beam", BufferBoard(sys.argv[1]))
state = beam.at(json.loads(sys.argv[2]), "i0")
seen = beam.during([state.moments[0]], [state.moments[-1]], "i0")
photons = float(seen.sums(seen.beam.flux)[0])
print(json.dumps([state.fluxes.tolist(), state.energies.tolist(), state.x.tolist(), photons]))
"""


def test_another_process_sees_exactly_the_same_beam(tmp_path: Path) -> None:
    clock = FakeClock()
    buffer = Buffer(tmp_path)
    member = buffer.create_run(RunInfo(name="devices", title="", start_epoch=0.0, clock=clock.name, clock_offset=0.0))
    board = SharedBoard(member, buffer.root)
    beamline(Surroundings(clock, board), seed=7)
    devices = beamline(Surroundings(clock, board), seed=8)
    run(clock, devices["fshut"].open())
    run(clock, devices["pitch"].move(-7.0))
    run(clock, devices["s1l"].move(-0.31))
    devices["ring"].lose_beam(after=3.0, refill=4.0)
    moments = np.linspace(0.0, 12.0, 25).tolist()
    found = subprocess.run(
        [sys.executable, "-c", CHILD, str(buffer.root), json.dumps(moments)], capture_output=True, text=True, check=True
    )
    fluxes, energies, x, photons = json.loads(found.stdout)
    here = Beam("beam", board)
    state, seen = here.at(moments, "i0"), here.during([moments[0]], [moments[-1]], "i0")
    assert fluxes == state.fluxes.tolist()
    assert energies == state.energies.tolist()
    assert x == state.x.tolist()
    assert photons == float(seen.sums(seen.beam.flux)[0])
    member.close()
