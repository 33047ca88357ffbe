from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.devices import Axis, Surroundings, build, build_source
from firstlight.devices.sim import (
    Diode,
    FaultPanel,
    MemoryBoard,
    RingCurrent,
    SharedBoard,
    SimAxis,
    SimCamera,
    SimEncoder,
    SimShutter,
    SimTrigger,
)
from firstlight.model import (
    STATUS_GOOD,
    STATUS_MISSING,
    DeviceError,
    FakeClock,
    InvalidInput,
    RunInfo,
    TriggerMode,
    TriggerPlan,
    missing_value,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def rot(clock: FakeClock, board: MemoryBoard) -> SimAxis:
    return SimAxis("rot", clock=clock, board=board)


def within(clock: FakeClock, seconds: float, call: Coroutine[Any, Any, Any]) -> bool:
    """Whether a call ends in this time; it is cancelled when it does not."""

    async def story() -> bool:
        task = asyncio.ensure_future(call)
        await clock.sleep_until(clock.now() + seconds)
        await asyncio.sleep(0)
        done = task.done()
        task.cancel()
        await asyncio.wait([task])
        if done:
            task.result()
        return done

    return asyncio.run(story())


# -- axes


def test_a_stuck_axis_stays_where_it_is_and_its_controller_notices(rot: SimAxis, clock: FakeClock) -> None:
    rot.faults.inject("stuck")
    began = clock.now()
    with pytest.raises(DeviceError, match="rot: did not move: its controller reports a following error at 0 deg"):
        asyncio.run(rot.move(10.0))
    assert clock.now() - began == pytest.approx(1.0, abs=0.1)
    assert rot.position() == rot.mechanical() == 0.0
    rot.faults.clear()
    asyncio.run(rot.move(10.0))
    assert rot.position() == 10.0


def test_a_silent_axis_never_answers(rot: SimAxis, clock: FakeClock) -> None:
    rot.faults.inject("silent")
    assert not within(clock, 1000.0, rot.move(10.0))
    rot.faults.clear("silent")
    assert within(clock, 1000.0, rot.move(10.0))


@pytest.mark.parametrize(("value", "at"), [(None, 5.0), (0.25, 2.5)])
def test_an_axis_stops_midway(rot: SimAxis, value: float | None, at: float) -> None:
    rot.faults.inject("midway", value)
    with pytest.raises(DeviceError, match=f"stopped by itself at {at:g} deg on its way to 10 deg"):
        asyncio.run(rot.move(10.0))
    assert rot.position() == pytest.approx(at)


def test_lost_steps_are_not_noticed_but_the_encoder_sees_them(rot: SimAxis, board: MemoryBoard) -> None:
    encoder = SimEncoder(rot)
    rot.faults.inject("slips", 0.2)
    asyncio.run(rot.move(10.0))
    assert rot.position() == 10.0
    assert encoder.position() == rot.mechanical() == pytest.approx(9.8)
    asyncio.run(rot.move(5.0))
    assert rot.position() == 5.0
    # It lost as many steps on the way back.
    assert rot.mechanical() == pytest.approx(5.0)
    asyncio.run(rot.move(8.0))
    assert rot.truth()["slip"] == pytest.approx(-0.2)
    assert rot.truth()["faults"] == {"slips": {"probability": 1.0, "value": 0.2}}


def test_a_disconnected_axis_answers_nothing(rot: SimAxis) -> None:
    rot.faults.inject("disconnected")
    for call in (rot.position, lambda: asyncio.run(rot.move(1.0)), lambda: asyncio.run(rot.stop())):
        with pytest.raises(DeviceError, match="rot: the connection is lost"):
            call()
    rot.faults.clear()
    assert rot.position() == 0.0


def test_pulling_the_plug_in_the_middle_of_a_move_ends_it_at_once(rot: SimAxis, clock: FakeClock) -> None:
    async def story() -> None:
        move = asyncio.ensure_future(rot.move(100.0))
        await clock.sleep_until(clock.now() + 1.0)
        rot.faults.inject("disconnected")
        await asyncio.wait([move])
        move.result()

    began = clock.now()
    with pytest.raises(DeviceError, match="the connection is lost"):
        asyncio.run(story())
    assert clock.now() - began == pytest.approx(1.0)
    # The controller goes on by itself, and is found at its target when it is plugged in again.
    clock.advance(10.0)
    rot.faults.clear()
    assert rot.position() == 100.0


def test_other_motions_fail_as_well_without_a_connection(rot: SimAxis) -> None:
    rot.faults.inject("disconnected")
    for call in (rot.jog(1.0), rot.home(1), rot.search_limit(1)):
        with pytest.raises(DeviceError, match="the connection is lost"):
            asyncio.run(call)


# -- when


def test_a_fault_begins_when_it_should_and_happens_as_often_as_it_should(rot: SimAxis, clock: FakeClock) -> None:
    rot.faults.inject("midway", after=30.0, times=2)
    asyncio.run(rot.move(1.0))
    clock.advance(30.0)
    for target in (2.0, 3.0):
        with pytest.raises(DeviceError):
            asyncio.run(rot.move(target))
    asyncio.run(rot.move(4.0))
    assert rot.position() == 4.0


def happened(seed: int) -> list[bool]:
    clock = FakeClock()
    axis = SimAxis("rot", clock=clock, board=MemoryBoard(), instant=True)
    axis.faults.inject("stuck", probability=0.3, seed=seed)
    found = []
    for target in range(1, 200):
        try:
            asyncio.run(axis.move(float(target)))
        except DeviceError:
            found.append(True)
        else:
            found.append(False)
    return found


def test_chance_is_drawn_from_the_seed_alone() -> None:
    first = happened(1)
    assert first == happened(1) != happened(2)
    assert 0.2 < np.mean(first) < 0.4


def test_a_fault_that_does_not_fit_is_refused_with_the_nearest_word(rot: SimAxis) -> None:
    with pytest.raises(InvalidInput, match="Did you mean stuck"):
        rot.faults.inject("stick")
    with pytest.raises(InvalidInput, match="rot cannot be 'nan'"):
        rot.faults.inject("nan")
    with pytest.raises(InvalidInput, match="probability"):
        rot.faults.inject("stuck", probability=0.0)
    assert repr(rot.faults) == "<Faults of rot: none>"


# -- counters


@pytest.fixture
def diode(clock: FakeClock, board: MemoryBoard) -> Diode:
    return Diode("diode", rate=1e6, noise=False, clock=clock, board=board)


async def reading(diode: Diode, clock: FakeClock) -> float:
    diode.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1))
    diode.start(clock.now())
    await clock.sleep_until(clock.now() + 0.1)
    values = diode.read()
    return float((values if isinstance(values, tuple) else await values)[0])


def test_a_counter_fails_hangs_and_reads_nonsense(diode: Diode, clock: FakeClock) -> None:
    good = asyncio.run(reading(diode, clock))
    diode.faults.inject("nan")
    assert np.isnan(asyncio.run(reading(diode, clock)))
    diode.faults.clear()
    diode.faults.inject("fails")
    with pytest.raises(DeviceError, match="diode: its electronics report an error"):
        asyncio.run(reading(diode, clock))
    diode.faults.clear()
    diode.faults.inject("silent")
    assert not within(clock, 100.0, reading(diode, clock))
    diode.faults.clear()
    assert asyncio.run(reading(diode, clock)) == pytest.approx(good, rel=0.01)


def test_noise_and_drift_are_as_large_as_they_should_be(diode: Diode, clock: FakeClock) -> None:
    good = asyncio.run(reading(diode, clock))
    diode.faults.inject("noise", 0.05)
    values = np.array([asyncio.run(reading(diode, clock)) for _ in range(300)])
    assert values.std() / good == pytest.approx(0.05, rel=0.15)
    diode.faults.clear()
    diode.faults.inject("drift", 0.01)
    clock.advance(20.0)
    assert asyncio.run(reading(diode, clock)) / good == pytest.approx(1.2, rel=1e-2)


def test_a_point_in_a_block_is_as_wrong_as_the_same_point_alone(diode: Diode, clock: FakeClock) -> None:
    diode.faults.inject("noise", 0.05)
    diode.prepare(TriggerPlan(mode=TriggerMode.TIME, points=9, exposure=0.1, period=0.2))
    diode.start(clock.now())
    blocks = []
    for _ in range(5):
        clock.advance(0.5)
        blocks += [np.asarray(block.values) for block in diode.collect()]
    again = Diode("diode", rate=1e6, noise=False, clock=clock, board=diode._board)
    again.prepare(TriggerPlan(mode=TriggerMode.TIME, points=9, exposure=0.1, period=0.2))
    again.start(clock.now() - 2.5)
    assert np.concatenate(blocks).tolist() == np.asarray(again.collect()[0].values).tolist()
    assert len(blocks) > 2


def test_a_silent_counter_gives_no_more_blocks(diode: Diode, clock: FakeClock) -> None:
    diode.prepare(TriggerPlan(mode=TriggerMode.TIME, points=9, exposure=0.1, period=0.2))
    diode.start(clock.now())
    clock.advance(0.5)
    assert len(np.asarray(diode.collect()[0].values)) == 3
    diode.faults.inject("silent")
    clock.advance(0.5)
    assert diode.collect() == ()


def test_the_ring_has_the_faults_of_a_counter(clock: FakeClock, board: MemoryBoard) -> None:
    ring = RingCurrent("ring", clock=clock, board=board)
    ring.faults.inject("disconnected")
    with pytest.raises(DeviceError, match="ring: the connection is lost"):
        ring.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1))


COUNTERS: dict[str, dict[str, Any]] = {
    "point": {"kind": "sim.point_detector", "sample": {"technique": "absorption"}},
    "photodiode": {"kind": "sim.photodiode", "beamline": "beam", "at": 45.0},
    "ion chamber": {"kind": "sim.ion_chamber", "beamline": "beam", "gas": "i0"},
    "mca": {"kind": "sim.mca", "elements": 2, "energy": 17.0, "flux": 1e10, "rois": {"all": [0, 1000]}},
}
"""All that counts in a beam, by the settings that build it."""


@pytest.fixture(params=list(COUNTERS))
def detector(request: pytest.FixtureRequest, clock: FakeClock, board: MemoryBoard) -> Any:
    around = Surroundings(clock, board)
    gas = {"name": "i0", "kind": "gas", "distance": 40.5, "length": 50.0}
    build({"name": "beam", "kind": "sim.beamline", "elements": [gas]}, around)
    return build({"name": "det", **COUNTERS[request.param]}, around)


async def point_of(detector: Any, clock: FakeClock) -> dict[str, Any]:
    detector.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1))
    detector.start(clock.now())
    await clock.sleep_until(clock.now() + 0.1)
    values = detector.read()
    if not isinstance(values, (tuple, list)):
        values = await values
    return dict(zip([spec.name for spec in detector.channels], values, strict=True))


def counted(point: dict[str, Any]) -> float:
    return float(point.get("det", point.get("det:all")))  # type: ignore[arg-type]


def test_whatever_counts_fails_hangs_and_is_disconnected(detector: Any, clock: FakeClock) -> None:
    good = counted(asyncio.run(point_of(detector, clock)))
    assert good > 0
    for what, words in (("fails", "its electronics report an error"), ("disconnected", "the connection is lost")):
        detector.faults.inject(what)
        with pytest.raises(DeviceError, match=f"det: {words}"):
            asyncio.run(point_of(detector, clock))
        detector.faults.clear()
    detector.faults.inject("silent")
    assert not within(clock, 100.0, point_of(detector, clock))
    detector.faults.clear()
    assert counted(asyncio.run(point_of(detector, clock))) == pytest.approx(good, rel=0.05)
    with pytest.raises(InvalidInput, match="det cannot be 'hot'"):
        detector.faults.inject("hot")


def test_whatever_counts_drifts_and_loses_points(detector: Any, clock: FakeClock) -> None:
    good = counted(asyncio.run(point_of(detector, clock)))
    detector.faults.inject("drift", 0.05)
    clock.advance(20.0)
    assert counted(asyncio.run(point_of(detector, clock))) / good == pytest.approx(2.0, rel=0.05)
    detector.faults.clear()
    detector.faults.inject("nan")
    for name, value in asyncio.run(point_of(detector, clock)).items():
        array = np.asarray(value)
        missing = np.isnan(array) if array.dtype.kind == "f" else array == missing_value(array.dtype)
        assert missing.all(), name


def test_whatever_counts_gives_no_blocks_while_it_is_silent(detector: Any, clock: FakeClock) -> None:
    detector.prepare(TriggerPlan(mode=TriggerMode.TIME, points=20, exposure=0.1, period=0.2))
    detector.start(clock.now())
    clock.advance(1.0)
    first = len(detector.collect()[0])
    assert first in (4, 5)
    detector.faults.inject("silent")
    clock.advance(1.0)
    assert not detector.collect()
    detector.faults.clear()
    block = detector.collect()[0]
    assert block.first == first
    assert first + len(block) in (9, 10)
    detector.faults.inject("fails")
    with pytest.raises(DeviceError, match="det: its electronics report an error"):
        detector.collect()


# -- timing cards


def test_a_card_loses_pulses_and_never_takes_one_back(clock: FakeClock, board: MemoryBoard) -> None:
    card = SimTrigger("card", clock=clock, board=board)

    def begin() -> float:
        asyncio.run(card.prepare(TriggerPlan(mode=TriggerMode.TIME, points=100, exposure=0.05, period=0.1)))
        start = clock.now()
        asyncio.run(card.start(start))
        clock.advance(2.05)
        return start

    start = begin()
    card.faults.inject("drops", probability=0.3)
    clock.advance(8.0)
    pulses = card.pulses()
    assert 60 < len(pulses) < 95
    np.testing.assert_allclose(pulses[:20], start + 0.1 * np.arange(20))
    clock.advance(100.0)
    card.faults.clear()
    assert card.pulses()[: len(pulses)].tolist() == pulses.tolist()
    begin()
    card.faults.inject("silent")
    clock.advance(3.0)
    assert len(card.pulses()) == 21
    card.faults.clear()
    assert len(card.pulses()) == 21
    clock.advance(100.0)
    assert len(card.pulses()) > 21
    card.faults.inject("disconnected")
    with pytest.raises(DeviceError, match="card: the connection is lost"):
        card.pulses()


# -- shutters


def test_a_shutter_does_not_open(clock: FakeClock, board: MemoryBoard) -> None:
    shutter = SimShutter("fshut", clock=clock, board=board)
    shutter.faults.inject("stuck")
    with pytest.raises(DeviceError, match="fshut: did not open: its switch says that it is still closed"):
        asyncio.run(shutter.open())
    assert board.shutter("fshut", clock.now())[-1, 1] == 0.0
    # It is closed: nothing is wrong with that.
    asyncio.run(shutter.close())
    shutter.faults.clear()
    asyncio.run(shutter.open())
    assert shutter.is_open
    shutter.faults.inject("silent")
    assert not within(clock, 100.0, shutter.close())


# -- cameras


def camera(board: MemoryBoard, clock: FakeClock, **settings: Any) -> SimCamera:
    made = build_source(
        "sim.camera", {"name": "cam", "shape": [16, 20], "sample": "none", **settings}, Surroundings(clock, board)
    )
    assert isinstance(made, SimCamera)
    made.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=100, exposure=0.01))
    return made


def frame_of(cam: SimCamera, index: int) -> tuple[np.ndarray[Any, Any], int | None]:
    frame = np.zeros(cam.info.shape, dtype=cam.info.dtype)
    cam.trigger()
    stamp = cam.acquire(index, frame, 10.0)
    return frame, None if stamp is None else stamp.status


def test_a_camera_drops_frames(clock: FakeClock, board: MemoryBoard) -> None:
    cam = camera(board, clock)
    panel = FaultPanel("faults", clock=clock, board=board)
    panel.inject("cam", "drops", probability=0.4)
    found = [frame_of(cam, index) for index in range(60)]
    statuses = [status for _, status in found]
    assert 10 < statuses.count(STATUS_MISSING) < 40
    assert statuses.count(STATUS_GOOD) == 60 - statuses.count(STATUS_MISSING)
    assert all((frame == 65535).all() == (status == STATUS_MISSING) for frame, status in found)


def test_a_camera_freezes_and_thaws(clock: FakeClock, board: MemoryBoard) -> None:
    cam = camera(board, clock)
    panel = FaultPanel("faults", clock=clock, board=board)
    panel.inject("cam", "silent")
    began = clock.now()
    assert frame_of(cam, 0)[1] is None
    assert clock.now() - began == pytest.approx(10.0)
    panel.clear()
    assert cam.acquire(0, np.zeros(cam.info.shape, dtype=cam.info.dtype), 10.0) is not None


def test_a_camera_is_slow_has_hot_pixels_and_loses_its_connection(clock: FakeClock, board: MemoryBoard) -> None:
    cam = camera(board, clock)
    panel = FaultPanel("faults", clock=clock, board=board)
    panel.inject("cam", "slow", 3.0)
    began = clock.now()
    assert frame_of(cam, 0)[1] == STATUS_GOOD
    assert clock.now() - began > 3.0
    panel.clear()
    panel.inject("cam", "hot", 0.05)
    pictures = [frame_of(cam, index)[0] == 65535 for index in (1, 2)]
    assert pictures[0].sum() == round(0.05 * 16 * 20)
    assert np.array_equal(*pictures)
    panel.inject("cam", "disconnected")
    with pytest.raises(DeviceError, match="cam: the connection is lost"):
        frame_of(cam, 3)


CHILD = """
import json, sys
import numpy as np
from firstlight.devices import build_source
from firstlight.model import TriggerMode, TriggerPlan
cam = build_source("sim.camera", {"name": "cam", "shape": [4, 5], "sample": "none", "buffer": sys.argv[1]})
cam.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=20, exposure=0.0))
frame = np.zeros((4, 5), "<u2")
found = []
for index in range(20):
    cam.trigger()
    found.append(cam.acquire(index, frame, 10.0).status)
print(json.dumps(found))
"""


def test_faults_reach_a_camera_in_another_process(tmp_path: Path, clock: FakeClock) -> None:
    buffer = Buffer(tmp_path)
    member = buffer.create_run(RunInfo(name="devices", title="", start_epoch=0.0, clock=clock.name, clock_offset=0.0))
    board = SharedBoard(member, buffer.root)
    # Its moment lies before any of the other process's real clock.
    panel = FaultPanel("faults", clock=clock, board=board)
    panel.inject("cam", "drops", probability=0.5, seed=7)
    panel.inject("cam", "hot")
    panel.inject("cam", "hot", 0.3)
    found = subprocess.run([sys.executable, "-c", CHILD, str(buffer.root)], capture_output=True, text=True, check=True)
    statuses = json.loads(found.stdout)
    here = camera(board, clock)
    assert statuses == [frame_of(here, index)[1] for index in range(20)]
    assert 0 < statuses.count(STATUS_MISSING) < 20
    member.close()


# -- the panel


def test_the_panel_sets_what_its_configuration_says(clock: FakeClock, board: MemoryBoard) -> None:
    around = Surroundings(clock, board)
    panel = build(
        {
            "name": "faults",
            "kind": "sim.faults",
            "faults": [{"device": "rot", "what": "stuck", "times": 1}, {"device": "cam", "what": "drops"}],
        },
        around,
    )
    assert isinstance(panel, FaultPanel)
    rot = build({"name": "rot", "kind": "sim.axis"}, around)
    assert isinstance(rot, Axis)
    with pytest.raises(DeviceError, match="following error"):
        asyncio.run(rot.move(1.0))
    asyncio.run(rot.move(1.0))
    assert repr(panel) == "<FaultPanel faults: cam drops, rot stuck>"
    assert panel.truth()["cam"] == {"drops": {"probability": 1.0, "value": 1.0}}
    panel.clear("cam")
    assert list(panel.active) == ["rot"]
    panel.clear()
    assert repr(panel) == "<FaultPanel faults: all is well>"


@pytest.mark.parametrize(
    ("change", "word"), [({"what": "sticky"}, "what"), ({"times": 0}, "times"), ({"device": ""}, "device")]
)
def test_a_wrong_fault_is_refused(clock: FakeClock, board: MemoryBoard, change: dict[str, Any], word: str) -> None:
    fault = {"device": "rot", "what": "stuck"} | change
    with pytest.raises(InvalidInput, match=word):
        build({"name": "faults", "kind": "sim.faults", "faults": [fault]}, Surroundings(clock, board))


# -- the pool of frames


def test_a_pool_renders_its_frames_once_and_shows_them_again(
    clock: FakeClock, board: MemoryBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    cam = camera(board, clock, pool=3)
    count = 0
    render: Callable[..., int] = cam.render

    def counted(*arguments: Any) -> int:
        nonlocal count
        count += 1
        return render(*arguments)

    monkeypatch.setattr(cam, "render", counted)
    frames = [frame_of(cam, index)[0] for index in range(9)]
    assert count == 3
    for index in range(3, 9):
        assert np.array_equal(frames[index], frames[index - 3])
    assert not np.array_equal(frames[0], frames[1])
    cam.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.01))
    frame_of(cam, 0)
    assert count == 4
