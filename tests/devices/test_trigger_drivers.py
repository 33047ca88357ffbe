"""What every trigger must do in the modes that it declares; a driver joins by a factory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.devices.sim import MemoryBoard, SimAxis, SimTrigger
from firstlight.model import DeviceError, FakeClock, Trigger, TriggerMode, TriggerPlan
from firstlight.model.motion import positions


def simulated(clock: FakeClock, board: MemoryBoard) -> Trigger:
    return SimTrigger("card", clock=clock, board=board)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


@pytest.fixture
def axis(clock: FakeClock, board: MemoryBoard) -> SimAxis:
    return SimAxis("x", velocity=1.0, acceleration=10.0, clock=clock, board=board)


@pytest.fixture(params=[simulated])
def trigger(request: pytest.FixtureRequest, clock: FakeClock, board: MemoryBoard, axis: SimAxis) -> Any:
    factory: Callable[[FakeClock, MemoryBoard], Trigger] = request.param
    return factory(clock, board)


def test_it_is_a_trigger_that_has_given_no_pulse(trigger: Trigger) -> None:
    assert isinstance(trigger, Trigger)
    assert len(trigger.pulses()) == 0


def test_in_time_it_pulses_at_the_period_from_the_given_moment(trigger: Trigger, clock: FakeClock) -> None:
    start = clock.now() + 1.0
    asyncio.run(trigger.prepare(TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=0.1, period=0.25)))
    asyncio.run(trigger.start(start))
    assert len(trigger.pulses()) == 0
    clock.advance(1.5)
    np.testing.assert_allclose(trigger.pulses(), start + np.arange(3) * 0.25)
    clock.advance(10.0)
    np.testing.assert_allclose(trigger.pulses(), start + np.arange(5) * 0.25)


def test_stop_ends_the_pulses_and_may_be_repeated(trigger: Trigger, clock: FakeClock) -> None:
    asyncio.run(trigger.prepare(TriggerPlan(mode=TriggerMode.TIME, points=0, exposure=0.1, period=0.25)))
    asyncio.run(trigger.start(clock.now()))
    clock.advance(0.6)
    asyncio.run(trigger.stop())
    clock.advance(10.0)
    asyncio.run(trigger.stop())
    assert len(trigger.pulses()) == 3


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_along_an_axis_it_pulses_where_it_should(
    trigger: Trigger, clock: FakeClock, axis: SimAxis, direction: float
) -> None:
    plan = TriggerPlan(
        mode=TriggerMode.POSITION, points=11, exposure=0.01, axis="x", first=direction, step=0.1 * direction
    )
    asyncio.run(trigger.prepare(plan))
    asyncio.run(trigger.start(clock.now()))
    began = clock.now()
    asyncio.run(axis.move(1.52 * direction))
    early = trigger.pulses()
    assert len(early) == 6
    asyncio.run(axis.move(3.0 * direction))
    pulses = trigger.pulses()
    np.testing.assert_array_equal(pulses[:6], early)
    at = positions(axis.segments(began), pulses)
    np.testing.assert_allclose(at, direction * (1.0 + 0.1 * np.arange(11)), atol=1e-9)


def test_a_position_counts_only_after_the_one_before_it_was_passed(
    trigger: Trigger, clock: FakeClock, axis: SimAxis
) -> None:
    asyncio.run(axis.move(3.0))
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=3, exposure=0.01, axis="x", first=1.0, step=1.0)
    asyncio.run(trigger.prepare(plan))
    asyncio.run(trigger.start(clock.now()))
    began = clock.now()
    asyncio.run(axis.move(0.0))
    assert len(trigger.pulses()) == 1
    asyncio.run(axis.move(5.0))
    np.testing.assert_allclose(positions(axis.segments(began), trigger.pulses()), [1.0, 2.0, 3.0], atol=1e-9)
    assert np.all(np.diff(trigger.pulses()) > 0)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.1), "cannot pulse"),
        (TriggerPlan(mode=TriggerMode.TIME, points=2, exposure=0.1), "period"),
        (TriggerPlan(mode=TriggerMode.TIME, points=2, exposure=0.2, period=0.1), "do not fit"),
        (TriggerPlan(mode=TriggerMode.POSITION, points=0, exposure=0.1, axis="x", step=1.0), "number of points"),
        (TriggerPlan(mode=TriggerMode.POSITION, points=2, exposure=0.1, axis="x"), "step"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(trigger: Trigger, plan: TriggerPlan, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        asyncio.run(trigger.prepare(plan))


def test_starting_before_preparing_is_an_error(trigger: Trigger, clock: FakeClock) -> None:
    with pytest.raises(DeviceError, match="before it was prepared"):
        asyncio.run(trigger.start(clock.now()))


def test_a_card_without_axes_keeps_time_only(clock: FakeClock) -> None:
    assert SimTrigger("card", clock=clock).modes == {TriggerMode.TIME}
