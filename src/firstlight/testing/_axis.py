"""What every axis must do, whatever its driver."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from firstlight.devices import Axis
from firstlight.model import AxisDriver, Clock, DeviceError, Homes, Jogs, LimitError, RealClock, SearchesLimits
from firstlight.model.motion import DURATION, POSITION, START, positions


class AxisConformance:
    """Tests of one axis.

    Derive a class from it, in a module of tests, with a fixture ``axis`` that gives an axis at rest; and with a fixture
    ``clock`` when its driver runs on another one than the machine's. The axis is moved, by :attr:`reach` at most from
    where it is and within its limits, and moved back in the end.
    """

    reach: ClassVar[float] = 1.0
    """How far it may be moved from where it is, either way, in its unit."""
    accuracy: ClassVar[float] = 1e-6
    """How close to its target it comes to rest, in its unit."""
    continuous: ClassVar[bool] = True
    """Whether its driver publishes where it is during a motion, not only where it came to rest."""
    examples: ClassVar[int] = 10
    """Random stories that it is led through."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of its driver."""
        return RealClock()

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        """The axis."""
        raise NotImplementedError("A conformance test needs a fixture 'axis'.")

    @pytest.fixture(autouse=True)
    def _back(self, axis: Axis) -> Any:
        before = axis.position
        yield
        axis.changed.clear()
        axis.reset()
        asyncio.run(axis.move(before))

    def span(self, axis: Axis) -> tuple[float, float]:
        """(low, high) positions, user units, between which it is moved."""
        low, high = axis.limits
        here = axis.position
        return max(low, here - self.reach), min(high, here + self.reach)

    # -- moving

    def test_it_has_a_name_a_unit_and_limits_around_it(self, axis: Axis) -> None:
        assert isinstance(axis.driver, AxisDriver)
        assert axis.name
        assert isinstance(axis.unit, str)
        low, high = axis.limits
        assert low - self.accuracy <= axis.position <= high + self.accuracy
        assert not axis.moving

    def test_a_move_ends_at_rest_on_its_target(self, axis: Axis) -> None:
        for target in (*self.span(axis), axis.position):
            asyncio.run(axis.move(target))
            assert abs(axis.position - target) <= self.accuracy
            assert not axis.moving
            assert abs(axis.setpoint - target) <= self.accuracy

    def test_a_target_outside_the_limits_is_refused_and_nothing_moves(self, axis: Axis) -> None:
        low, high = self.span(axis)
        axis.limits = (low, high)
        before = axis.position
        for target in (low - self.reach, high + self.reach, math.nan, math.inf):
            with pytest.raises(LimitError, match=axis.name):
                axis.check(target)
            with pytest.raises(LimitError):
                asyncio.run(axis.move(target))
        assert abs(axis.position - before) <= self.accuracy
        asyncio.run(axis.move(low))
        asyncio.run(axis.move(high))

    def test_stop_at_rest_does_nothing(self, axis: Axis) -> None:
        before = axis.position
        asyncio.run(axis.stop())
        assert abs(axis.position - before) <= self.accuracy
        assert not axis.moving

    def test_a_stopped_move_is_at_rest_on_its_way(self, axis: Axis, clock: Clock) -> None:
        low, high = self.span(axis)
        asyncio.run(axis.move(low))

        async def story() -> None:
            task = asyncio.ensure_future(axis.move(high))
            await clock.sleep_until(clock.now() + axis.travel_time(high) / 2)
            await axis.stop()
            assert not axis.moving
            # It had arrived already, or says that it was stopped.
            with contextlib.suppress(DeviceError):
                await task

        asyncio.run(story())
        assert low - self.accuracy <= axis.position <= high + self.accuracy

    def test_a_cancelled_move_is_at_rest_when_the_cancellation_arrives(self, axis: Axis, clock: Clock) -> None:
        low, high = self.span(axis)
        asyncio.run(axis.move(low))

        async def story() -> None:
            task = asyncio.ensure_future(axis.move(high))
            await clock.sleep_until(clock.now() + axis.travel_time(high) / 2)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                assert not axis.moving

        asyncio.run(story())
        assert low - self.accuracy <= axis.position <= high + self.accuracy
        asyncio.run(axis.move(high))
        assert abs(axis.position - high) <= self.accuracy

    def test_what_it_cannot_do_it_refuses_by_its_name(self, axis: Axis) -> None:
        if not isinstance(axis.driver, Jogs):
            with pytest.raises(DeviceError, match=axis.name):
                asyncio.run(axis.jog(1e-3))
        if not isinstance(axis.driver, Homes):
            with pytest.raises(DeviceError, match=axis.name):
                asyncio.run(axis.home(1))
        if not isinstance(axis.driver, SearchesLimits):
            with pytest.raises(DeviceError, match=axis.name):
                asyncio.run(axis.search_limit(1))

    def test_a_jog_ends_at_rest_without_an_error_when_it_is_stopped(self, axis: Axis, clock: Clock) -> None:
        if not isinstance(axis.driver, Jogs):
            return
        low, high = self.span(axis)
        asyncio.run(axis.move(low))
        axis.limits = (low, high)

        async def story() -> None:
            task = asyncio.ensure_future(axis.jog(axis.velocity / 2))
            await clock.sleep_until(clock.now() + self.reach / axis.velocity)
            await axis.stop()
            await task
            assert not axis.moving

        asyncio.run(story())
        assert low - self.accuracy <= axis.position <= high + self.accuracy

    # -- motion as data

    def test_its_motion_is_sorted_and_ends_where_it_is(self, axis: Axis, clock: Clock) -> None:
        began = clock.now()
        low, high = self.span(axis)
        for target in (low, high):
            asyncio.run(axis.move(target))
        rows = axis.segments(began)
        assert rows.ndim == 2
        assert rows.shape[1] == 5
        assert np.all(np.isfinite(rows))
        assert np.all(np.diff(rows[:, START]) >= 0)
        assert np.all(rows[:, DURATION] >= 0)
        now = clock.now()
        assert abs(positions(rows, [now])[0] - axis.position) <= self.accuracy
        assert abs(positions(axis.segments(now), [now])[0] - axis.position) <= self.accuracy

    def test_its_motion_does_not_jump(self, axis: Axis, clock: Clock) -> None:
        if not self.continuous:
            return
        began = clock.now()
        low, high = self.span(axis)
        for target in (low, high, low):
            asyncio.run(axis.move(target))
        rows = axis.segments(began)
        joints = rows[1:, START]
        before = [positions(rows[: k + 1], [moment])[0] for k, moment in enumerate(joints)]
        slack = max(self.accuracy, 1e-6 * self.reach)
        np.testing.assert_allclose(rows[1:, POSITION], before, atol=slack)
        moments = np.linspace(began, clock.now(), 200)
        late = moments[moments >= (began + clock.now()) / 2]
        cut = axis.segments(float(late[0]))
        np.testing.assert_allclose(positions(cut, late), positions(rows, late), atol=slack)

    # -- settings

    def test_setting_a_position_moves_nothing(self, axis: Axis) -> None:
        if axis.calculation is not None:
            return
        dial, limits = axis.dial, axis.dial_limits
        axis.set_position(axis.position + self.reach)
        assert abs(axis.dial - dial) <= self.accuracy
        assert axis.dial_limits == limits
        assert abs(axis.position - (axis.sign * dial + axis.offset)) <= self.accuracy

    def test_settings_by_hand_are_told_kept_and_restored(self, axis: Axis) -> None:
        told: list[Axis] = []
        axis.changed.append(told.append)
        low, high = self.span(axis)
        axis.limits = (low, high)
        kept = axis.settings()
        assert told == [axis]
        axis.reset()
        assert axis.settings() == {}
        assert axis.restore(kept) == []
        assert axis.settings() == kept
        assert axis.fixed_limits == pytest.approx((low, high))

    def test_it_is_ready_at_rest_and_describes_itself(self, axis: Axis) -> None:
        assert "READY" in axis.state
        assert "MOVING" not in axis.state
        assert axis.name in axis.__info__()

    # -- whatever happens

    def test_whatever_happens_it_stays_within_its_limits_and_comes_to_rest(self, axis: Axis, clock: Clock) -> None:
        conformance = self

        class Story(RuleBasedStateMachine):
            """Moves, stops, cancellations, limits and set positions in any order."""

            @initialize()
            def begin(self) -> None:
                axis.reset()
                self.low, self.high = conformance.span(axis)
                self.began = clock.now()

            @rule(share=st.floats(0, 1))
            def move(self, share: float) -> None:
                target = self.low + share * (self.high - self.low)
                asyncio.run(axis.move(target))
                assert abs(axis.position - target) <= conformance.accuracy

            @rule(share=st.floats(0, 1), beyond=st.sampled_from([-1.0, 1.0]))
            def leave(self, share: float, beyond: float) -> None:
                axis.limits = (self.low, self.high)
                edge = self.high if beyond > 0 else self.low
                before = axis.position
                with pytest.raises(LimitError):
                    asyncio.run(axis.move(edge + beyond * (0.01 + share) * conformance.reach))
                assert abs(axis.position - before) <= conformance.accuracy

            @rule(share=st.floats(0, 1), part=st.floats(0, 1.2), cancel=st.booleans())
            def interrupt(self, share: float, part: float, cancel: bool) -> None:
                target = self.low + share * (self.high - self.low)

                async def story() -> None:
                    task = asyncio.ensure_future(axis.move(target))
                    await clock.sleep_until(clock.now() + part * axis.travel_time(target))
                    if cancel:
                        task.cancel()
                    else:
                        await axis.stop()
                    await asyncio.wait([task])
                    assert not axis.moving
                    if not task.cancelled():
                        assert isinstance(task.exception(), (DeviceError, type(None)))

                asyncio.run(story())

            @rule(shift=st.floats(-1, 1))
            def rename(self, shift: float) -> None:
                if axis.calculation is not None:
                    return
                before, dial = axis.position, axis.dial
                axis.set_position(before + shift)
                assert abs(axis.dial - dial) <= conformance.accuracy
                self.low, self.high = self.low + shift, self.high + shift

            @invariant()
            def at_rest_within_its_limits(self) -> None:
                if not hasattr(self, "low"):
                    return
                assert not axis.moving
                slack = conformance.accuracy
                assert self.low - slack <= axis.position <= self.high + slack
                assert abs(axis.position - axis.to_user(axis.dial)) <= slack
                if conformance.continuous:
                    moments = np.linspace(self.began, clock.now(), 200)
                    seen = positions(axis.segments(self.began), moments)
                    slack = max(slack, 1e-6 * conformance.reach)
                    assert seen.min() >= self.low - slack
                    assert seen.max() <= self.high + slack

        _run(Story, self.examples)


def _run(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
