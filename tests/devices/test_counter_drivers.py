"""Counters triggered by the position of an axis; what all counters must do is in ``firstlight.testing``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from firstlight.devices import SoftCounter
from firstlight.devices.sim import Diode, MemoryBoard, RingCurrent, SimAxis
from firstlight.model import Block, ChannelSpec, CounterDriver, DeviceError, FakeClock, TriggerMode, TriggerPlan

Factory = Callable[[FakeClock, MemoryBoard], CounterDriver]


def collect(driver: CounterDriver) -> Sequence[Block]:
    blocks = driver.collect()
    assert not isinstance(blocks, Awaitable)
    return blocks


def ring(clock: FakeClock, board: MemoryBoard) -> CounterDriver:
    return RingCurrent("counter", clock=clock, board=board)


def diode(clock: FakeClock, board: MemoryBoard) -> CounterDriver:
    return Diode("counter", clock=clock, board=board, seed=1)


def soft(clock: FakeClock, board: MemoryBoard) -> CounterDriver:
    return SoftCounter("counter", lambda: 42.0)


def soft_pair(clock: FakeClock, board: MemoryBoard) -> CounterDriver:
    async def read() -> tuple[float, float]:
        return 1.0, 2.0

    return SoftCounter("counter", read, channels=[ChannelSpec("counter:a"), ChannelSpec("counter:b")])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def axis(clock: FakeClock, board: MemoryBoard) -> SimAxis:
    return SimAxis("x", velocity=1.0, acceleration=10.0, clock=clock, board=board)


@pytest.fixture(params=[ring, diode, soft, soft_pair])
def driver(request: pytest.FixtureRequest, clock: FakeClock, board: MemoryBoard, axis: SimAxis) -> Any:
    factory: Factory = request.param
    return factory(clock, board)


def refuses(driver: CounterDriver, mode: TriggerMode) -> bool:
    """Whether the driver does not declare the mode; then it must say so when it is asked for it."""
    if mode not in driver.modes:
        plan = TriggerPlan(mode=mode, points=1, exposure=0.1, period=0.2, axis="x", step=1.0)
        with pytest.raises(DeviceError, match="counter: cannot be triggered"):
            driver.prepare(plan)
        return True
    return False


def test_by_position_it_gives_every_point_that_the_axis_passed(
    driver: CounterDriver, clock: FakeClock, axis: SimAxis
) -> None:
    if refuses(driver, TriggerMode.POSITION):
        return
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=20, exposure=0.05, period=0.1, axis="x", first=1.0, step=0.1)
    driver.prepare(plan)
    driver.start(clock.now())
    asyncio.run(axis.move(2.0))
    (block,) = collect(driver)
    # 1.0, 1.1 ... 2.0; the last exposure begins as the axis comes to rest, and is not over yet.
    assert (block.first, len(block)) == (0, 10)
    asyncio.run(axis.move(5.0))
    (block,) = collect(driver)
    assert (block.first, len(block)) == (10, 10)
    assert collect(driver) == ()


def test_values_do_not_depend_on_when_they_are_collected(clock: FakeClock, board: MemoryBoard, axis: SimAxis) -> None:
    plan = TriggerPlan(mode=TriggerMode.TIME, points=50, exposure=0.01, period=0.02)
    often, once = (Diode("counter", clock=clock, board=board, seed=1) for _ in range(2))
    start = clock.now()
    pieces: list[np.ndarray[Any, Any]] = []
    for counter in (often, once):
        counter.prepare(plan)
        counter.start(start)
    for _ in range(60):
        clock.advance(0.02)
        pieces += [np.asarray(block.values) for block in often.collect()]
    (whole,) = once.collect()
    np.testing.assert_array_equal(np.concatenate(pieces), whole.values)


def test_a_position_plan_along_an_unknown_axis_names_those_it_knows(clock: FakeClock, board: MemoryBoard) -> None:
    SimAxis("rot", clock=clock, board=board)
    counter = RingCurrent("ring", clock=clock, board=board)
    counter.prepare(TriggerPlan(mode=TriggerMode.POSITION, points=2, exposure=0.1, axis="nope", step=1.0))
    counter.start(clock.now())
    clock.advance(1.0)
    with pytest.raises(LookupError, match=r"'nope'.*Known: rot"):
        counter.collect()
