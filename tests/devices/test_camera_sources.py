"""Frame sources triggered by position and from other threads; what all must do is in ``firstlight.testing``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import MemoryBoard, SimAxis
from firstlight.model import (
    STATUS_GOOD,
    STATUS_MISSING,
    Clock,
    DeviceError,
    FakeClock,
    FrameSource,
    FrameStamp,
    RealClock,
    TriggerMode,
    TriggerPlan,
)

Factory = Callable[[Clock, MemoryBoard], FrameSource]


def simulated(clock: Clock, board: MemoryBoard) -> FrameSource:
    config = {"name": "cam", "shape": [8, 12], "rotation": "rot", "dead_time": "1 ms", "maximum_rate": "200 Hz"}
    return build_source("sim.camera", config, Surroundings(clock, board))


@pytest.fixture(params=["simulated", "replayed"])
def factory(request: pytest.FixtureRequest, data_exchange: Callable[..., Path]) -> Any:
    def replayed(clock: Clock, board: MemoryBoard) -> FrameSource:
        config = {"name": "cam", "file": str(path), "rotation": "rot", "dead_time": "1 ms", "maximum_rate": "200 Hz"}
        return build_source("replay", config, Surroundings(clock, board))

    path = data_exchange()
    return simulated if request.param == "simulated" else replayed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def axis(clock: FakeClock, board: MemoryBoard) -> SimAxis:
    return SimAxis("rot", velocity=10.0, acceleration=100.0, clock=clock, board=board)


@pytest.fixture
def source(factory: Factory, clock: FakeClock, board: MemoryBoard, axis: SimAxis) -> Iterator[FrameSource]:
    source = factory(clock, board)
    yield source
    source.close()


def empty(source: FrameSource) -> NDArray[Any]:
    return np.empty(source.info.shape, source.info.dtype)


def time_plan(source: FrameSource, points: int = 5, exposure: float = 0.02) -> TriggerPlan:
    period = source.info.period(exposure)
    return TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=exposure, period=period)


def take(source: FrameSource, count: int, timeout: float = 10.0) -> tuple[list[FrameStamp], list[bytes]]:
    stamps, frames = [], []
    for index in range(count):
        frame = empty(source)
        stamp = source.acquire(index, frame, timeout)
        assert stamp is not None, index
        stamps.append(stamp)
        frames.append(frame.tobytes())
    return stamps, frames


def test_asking_late_changes_neither_frames_nor_stamps(
    factory: Factory, clock: FakeClock, board: MemoryBoard, axis: SimAxis
) -> None:
    prompt, late = factory(clock, board), factory(clock, board)
    plan = time_plan(prompt)
    start = clock.now() + 0.1
    for source in (prompt, late):
        source.prepare(plan)
        source.start(start)

    async def story() -> None:
        # The axis turns while frames are taken, and elsewhere when the late ones are asked for.
        turning = asyncio.create_task(axis.move(20.0))
        await asyncio.sleep(0)
        turning.cancel()
        await asyncio.wait([turning])

    asyncio.run(story())
    first = take(prompt, 5)
    asyncio.run(axis.move(90.0))
    assert take(late, 5) == first


def test_by_position_each_frame_starts_where_it_should(
    source: FrameSource, clock: FakeClock, board: MemoryBoard, axis: SimAxis
) -> None:
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=5, exposure=0.02, period=0.1, axis="rot", first=5.0, step=1.0)
    source.prepare(plan)
    source.start(clock.now())
    frame = empty(source)
    assert source.acquire(0, frame, 0.1) is None
    began = clock.now()
    asyncio.run(axis.move(20.0))
    stamps, _ = take(source, 5)
    from firstlight.model.motion import positions

    at = positions(board.motion("rot", began), [stamp.start for stamp in stamps])
    np.testing.assert_allclose(at, [5.0, 6.0, 7.0, 8.0, 9.0], atol=1e-6)
    source.stop()


def test_a_position_that_comes_while_it_is_busy_is_missed_and_said_to_be(
    source: FrameSource, clock: FakeClock, axis: SimAxis
) -> None:
    # 10 deg/s: a position every 10 ms, but each exposure takes 15 ms and more.
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=6, exposure=0.015, axis="rot", first=5.0, step=0.1)
    source.prepare(plan)
    source.start(clock.now())
    asyncio.run(axis.move(20.0))
    stamps, frames = take(source, 6)
    assert [stamp.status for stamp in stamps] == [STATUS_GOOD, STATUS_MISSING] * 3
    assert set(frames[1]) == {0xFF}


def test_stop_ends_a_waiting_acquire(factory: Factory) -> None:
    clock, board = RealClock(), MemoryBoard()
    SimAxis("rot", clock=clock, board=board)
    source = factory(clock, board)
    source.prepare(time_plan(source))
    source.start(clock.now() + 3600.0)
    results: list[FrameStamp | None] = []
    thread = threading.Thread(target=lambda: results.append(source.acquire(0, empty(source), 3600.0)))
    thread.start()
    source.stop()
    thread.join(timeout=10.0)
    assert results == [None]
    source.stop()
    source.close()


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=1.0, period=0.5), "cannot take a frame"),
        (TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=1.0, period=1.0), "cannot take a frame"),
        (TriggerPlan(mode=TriggerMode.POSITION, points=5, exposure=1.0, axis="rot"), "step"),
        (TriggerPlan(mode=TriggerMode.POSITION, points=5, exposure=1.0, axis="no", step=1.0), "'no'"),
    ],
)
def test_a_plan_that_it_cannot_keep_is_refused(source: FrameSource, plan: TriggerPlan, why: str) -> None:
    with pytest.raises((DeviceError, LookupError), match=why):
        source.prepare(plan)


def test_orders_in_the_wrong_state_are_errors(factory: Factory, clock: FakeClock, board: MemoryBoard) -> None:
    SimAxis("rot", clock=clock, board=board)
    source = factory(clock, board)
    with pytest.raises(DeviceError, match="before it was prepared"):
        source.start(0.0)
    with pytest.raises(DeviceError, match="before it was prepared"):
        source.acquire(0, empty(source), 0.0)
    with pytest.raises(DeviceError, match="not prepared for software"):
        source.trigger()


def test_triggers_from_another_thread_wake_a_waiting_acquire(factory: Factory) -> None:
    clock, board = RealClock(), MemoryBoard()
    SimAxis("rot", clock=clock, board=board)
    source = factory(clock, board)
    source.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.0))
    source.start(clock.now())
    results: list[FrameStamp | None] = []
    thread = threading.Thread(target=lambda: results.append(source.acquire(0, empty(source), 30.0)))
    thread.start()
    source.trigger()
    thread.join(timeout=20.0)
    assert results
    assert results[0] is not None
    source.close()
