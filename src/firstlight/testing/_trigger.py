"""What every device that makes pulses must do."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import numpy as np
import pytest

from firstlight.devices import Axis
from firstlight.model import Clock, DeviceError, RealClock, Trigger, TriggerMode, TriggerPlan
from firstlight.model.motion import positions


class TriggerConformance:
    """Tests of one trigger.

    Derive a class from it with a fixture ``trigger``; with a fixture ``clock`` when it runs on another one than the
    machine's; and, for a trigger that compares positions, with a fixture ``axis`` that gives the axis it looks at.
    """

    period: ClassVar[float] = 0.02
    """Seconds between pulses."""
    jitter: ClassVar[float] = 1e-6
    """How far a pulse may be from its moment, seconds."""
    step: ClassVar[float] = 0.1
    """Distance between positions that trigger, in the dial unit of the axis."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of the trigger."""
        return RealClock()

    @pytest.fixture
    def axis(self) -> Axis | None:
        """The axis whose positions it compares; None when it cannot."""
        return None

    @pytest.fixture
    def trigger(self, clock: Clock) -> Trigger:
        """The trigger."""
        raise NotImplementedError("A conformance test needs a fixture 'trigger'.")

    def plan(self, points: int = 10) -> TriggerPlan:
        """Pulses in time."""
        return TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=self.period / 2, period=self.period)

    def test_it_is_a_trigger_that_says_what_it_can(self, trigger: Trigger) -> None:
        assert isinstance(trigger, Trigger)
        assert trigger.name
        assert trigger.modes
        assert trigger.modes <= {TriggerMode.TIME, TriggerMode.POSITION}

    def test_a_mode_that_it_does_not_offer_is_refused(self, trigger: Trigger) -> None:
        for mode in set(TriggerMode) - trigger.modes:
            plan = TriggerPlan(mode=mode, points=1, exposure=0.0, period=self.period, axis="none", step=1.0)
            with pytest.raises(DeviceError, match=trigger.name):
                asyncio.run(trigger.prepare(plan))

    def test_it_is_started_after_it_was_prepared(self, trigger: Trigger, clock: Clock) -> None:
        with pytest.raises(DeviceError, match=trigger.name):
            asyncio.run(trigger.start(clock.now()))
        assert len(trigger.pulses()) == 0

    def test_pulses_in_time_are_a_period_apart_and_as_many_as_planned(self, trigger: Trigger, clock: Clock) -> None:
        if TriggerMode.TIME not in trigger.modes:
            return

        async def story() -> None:
            await trigger.prepare(self.plan(10))
            moment = clock.now() + 2 * self.period
            await trigger.start(moment)
            assert len(trigger.pulses()) == 0
            await clock.sleep_until(moment + 4.5 * self.period)
            half = trigger.pulses()
            assert 1 <= len(half) <= 10
            await clock.sleep_until(moment + 20 * self.period)
            pulses = trigger.pulses()
            np.testing.assert_allclose(pulses, moment + self.period * np.arange(10), rtol=0, atol=self.jitter)
            np.testing.assert_array_equal(pulses[: len(half)], half)
            await trigger.stop()

        asyncio.run(story())

    def test_nothing_comes_after_a_stop_and_stopping_twice_is_fine(self, trigger: Trigger, clock: Clock) -> None:
        asyncio.run(trigger.stop())
        if TriggerMode.TIME not in trigger.modes:
            return

        async def story() -> None:
            await trigger.prepare(self.plan(1000))
            moment = clock.now() + self.period
            await trigger.start(moment)
            await clock.sleep_until(moment + 3.5 * self.period)
            await trigger.stop()
            count = len(trigger.pulses())
            assert count < 1000
            await clock.sleep_until(clock.now() + 5 * self.period)
            await trigger.stop()
            assert len(trigger.pulses()) == count

        asyncio.run(story())

    def test_it_can_be_prepared_again(self, trigger: Trigger, clock: Clock) -> None:
        if TriggerMode.TIME not in trigger.modes:
            return

        async def story() -> None:
            for points in (3, 5):
                await trigger.prepare(self.plan(points))
                await trigger.start(clock.now() + self.period)
                await clock.sleep_until(clock.now() + (points + 3) * self.period)
                assert len(trigger.pulses()) == points
                await trigger.stop()

        asyncio.run(story())

    def test_pulses_along_an_axis_come_where_it_passes(self, trigger: Trigger, clock: Clock, axis: Axis | None) -> None:
        if TriggerMode.POSITION not in trigger.modes or axis is None:
            return
        here = axis.dial
        plan = TriggerPlan(
            mode=TriggerMode.POSITION, points=5, exposure=0.0, period=0.0, axis=axis.name,
            first=here + self.step, step=self.step,
        )  # fmt: skip

        async def story() -> None:
            await trigger.prepare(plan)
            began = clock.now()
            await trigger.start(began)
            await axis.move(axis.to_user(here + 7 * self.step))
            pulses = trigger.pulses()
            assert len(pulses) == 5
            assert np.all(np.diff(pulses) >= 0)
            passed = positions(axis.driver.segments(began), pulses)
            np.testing.assert_allclose(passed, here + self.step * np.arange(1, 6), atol=1e-3 * self.step)
            await trigger.stop()
            await axis.move(axis.to_user(here))

        asyncio.run(story())
