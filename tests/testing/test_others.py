"""Our shutters and triggers pass the tests that we publish; and the tests find what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.devices.sim import MemoryBoard, SimAxis, SimShutter, SimTrigger
from firstlight.model import Clock, FakeClock, Shutter, Trigger
from firstlight.model.motion import POSITION, Segments
from firstlight.testing import AxisConformance, ShutterConformance, TriggerConformance


class TestSimulatedShutter(ShutterConformance):
    @pytest.fixture
    def shutter(self) -> Shutter:
        return SimShutter("fast", clock=FakeClock())


class TestSimulatedTrigger(TriggerConformance):
    @pytest.fixture
    def clock(self) -> Clock:
        return FakeClock()

    @pytest.fixture
    def board(self) -> MemoryBoard:
        return MemoryBoard()

    @pytest.fixture
    def axis(self, clock: Clock, board: MemoryBoard) -> Axis:
        return Axis(SimAxis("x", unit="mm", velocity=1.0, acceleration=10.0, clock=clock, board=board))

    @pytest.fixture
    def trigger(self, clock: Clock, axis: Axis, board: MemoryBoard) -> Trigger:
        return SimTrigger("card", clock=clock, board=board)


class Runaway(SimAxis):
    """Does not stop, and publishes another motion than it makes."""

    async def stop(self) -> None:
        pass

    def segments(self, since: float) -> Segments:
        rows = super().segments(since)
        rows[:, POSITION] += 0.5
        return rows


def test_a_driver_that_does_not_stop_and_tells_wrong_positions_is_found_out() -> None:
    clock = FakeClock()
    axis = Axis(Runaway("x", clock=clock, limits=(-10.0, 10.0)))
    tests = AxisConformance()
    tests.test_a_move_ends_at_rest_on_its_target(axis)
    with pytest.raises(AssertionError):
        tests.test_a_stopped_move_is_at_rest_on_its_way(axis, clock)
    with pytest.raises(AssertionError):
        tests.test_its_motion_is_sorted_and_ends_where_it_is(axis, clock)


class Leaky(SimShutter):
    """Says that it is closed before it is."""

    async def close(self) -> None:
        pass


def test_a_shutter_that_does_not_close_is_found_out() -> None:
    with pytest.raises(AssertionError):
        ShutterConformance().test_it_opens_and_closes(Leaky("fast", clock=FakeClock()))


class Late(SimTrigger):
    """Its pulses come late."""

    def pulses(self) -> NDArray[np.float64]:
        return super().pulses() + 0.001


def test_a_trigger_whose_pulses_are_late_is_found_out() -> None:
    clock = FakeClock()
    with pytest.raises(AssertionError):
        TriggerConformance().test_pulses_in_time_are_a_period_apart_and_as_many_as_planned(
            Late("card", clock=clock), clock
        )
