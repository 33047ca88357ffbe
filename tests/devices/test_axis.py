from __future__ import annotations

import asyncio
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import Axis, SoftAxis
from firstlight.devices.sim import SimAxis
from firstlight.model import AxisDriver, DeviceError, FakeClock, InvalidInput, LimitError, OutOfBand
from firstlight.model.motion import Segments, positions, rest


def make(limits: tuple[float, float] | None = (-100.0, 200.0), **settings: object) -> tuple[Axis, FakeClock]:
    clock = FakeClock()
    driver = SimAxis("rot", unit="deg", limits=(-180.0, 540.0), clock=clock)
    return Axis(driver, limits=limits, **settings), clock  # type: ignore[arg-type]


def test_user_position_is_sign_times_dial_plus_offset() -> None:
    axis, _ = make(sign=-1, offset=10.0)
    asyncio.run(axis.move(30.0))
    assert axis.dial == -20.0
    assert axis.position == 30.0


def test_limits_in_user_units_follow_sign_and_offset_and_are_sorted() -> None:
    axis, _ = make(sign=-1, offset=10.0)
    assert axis.limits == (-190.0, 110.0)


def test_limits_intersect_those_of_the_controller() -> None:
    axis, _ = make(limits=(-1000.0, 90.0))
    assert axis.dial_limits == (-180.0, 90.0)
    axis, _ = make(limits=None)
    assert axis.dial_limits == (-180.0, 540.0)


def test_setting_a_position_moves_neither_the_axis_nor_its_dial_limits() -> None:
    axis, _ = make()
    axis.set_position(5.0)
    assert axis.position == 5.0
    assert axis.dial == 0.0
    assert axis.dial_limits == (-100.0, 200.0)
    assert axis.limits == (-95.0, 205.0)


def test_limits_can_be_assigned_in_user_units() -> None:
    axis, _ = make(sign=-1, offset=10.0)
    axis.limits = (0.0, 20.0)
    assert axis.dial_limits == (-10.0, 10.0)


def test_a_refused_target_names_the_device_the_position_and_the_limits_and_nothing_moves() -> None:
    axis, _ = make()
    with pytest.raises(LimitError, match=r"rot: cannot go to 600 deg: its limits are -100 to 200 deg"):
        asyncio.run(axis.move(600.0))
    assert axis.position == 0.0


@pytest.mark.parametrize("target", [math.nan, math.inf, -math.inf])
def test_a_target_that_is_no_number_is_refused(target: float) -> None:
    axis, _ = make()
    with pytest.raises(LimitError, match="finite"):
        axis.check(target)


@given(offset=st.floats(-1e3, 1e3), sign=st.sampled_from([-1, 1]))
def test_the_limits_themselves_are_allowed_whatever_the_roundoff(offset: float, sign: int) -> None:
    axis, _ = make(limits=None, offset=offset, sign=sign)
    for limit in axis.limits:
        axis.check(limit)
        asyncio.run(axis.move(limit))


def test_a_position_cannot_be_set_while_the_axis_moves() -> None:
    axis, _ = make()

    async def story() -> None:
        task = asyncio.create_task(axis.move(90.0))
        await asyncio.sleep(0)
        with pytest.raises(DeviceError, match="moves"):
            axis.set_position(0.0)
        await task

    asyncio.run(story())


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_speed_and_acceleration_must_be_positive(wrong: float) -> None:
    axis, _ = make()
    with pytest.raises(InvalidInput, match="rot: velocity"):
        axis.velocity = wrong
    with pytest.raises(InvalidInput, match="rot: acceleration"):
        axis.acceleration = wrong
    with pytest.raises(InvalidInput, match="rot: velocity"):
        asyncio.run(axis.move(1.0, wrong))


def test_a_sign_is_one_or_minus_one() -> None:
    with pytest.raises(InvalidInput, match="sign"):
        make(sign=2)


def test_crossed_limits_are_refused() -> None:
    with pytest.raises(InvalidInput, match="above the high limit"):
        make(limits=(1.0, 0.0))


def test_segments_are_in_user_units() -> None:
    axis, clock = make(sign=-1, offset=10.0)
    began = clock.now()
    asyncio.run(axis.move(50.0))
    moments = np.linspace(began, clock.now(), 50)
    user = positions(axis.segments(began), moments)
    dial = positions(axis.driver.segments(began), moments)
    np.testing.assert_allclose(user, 10.0 - dial, atol=1e-9)
    assert user[0] == 10.0
    assert user[-1] == pytest.approx(50.0)


class BlockingAxis:
    """A driver whose library blocks: its move is a plain function."""

    blocking = True

    def __init__(self) -> None:
        self.name = "slow"
        self.unit = "mm"
        self.velocity = 1.0
        self.acceleration = 1.0
        self.limits = (-10.0, 10.0)
        self.out_of_band: OutOfBand | None = None
        self.at = 0.0
        self.stopped = False

    def position(self) -> float:
        return self.at

    def moving(self) -> bool:
        return False

    def move(self, target: float, velocity: float | None = None) -> None:
        while not self.stopped and self.at != target:
            time.sleep(0.001)
            if target < 5.0:
                self.at = target

    def stop(self) -> None:
        self.stopped = True

    def segments(self, since: float) -> Segments:
        return rest(self.at, since)


def test_a_blocking_driver_moves_in_a_thread_and_is_stopped_before_a_cancellation_propagates() -> None:
    driver = BlockingAxis()
    axis = Axis(driver)  # type: ignore[arg-type]

    async def story() -> None:
        await axis.move(2.0)
        assert axis.position == 2.0
        task = asyncio.create_task(axis.move(8.0))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert driver.stopped


def test_a_soft_axis_is_made_of_functions() -> None:
    box = {"at": 1.0}
    driver = SoftAxis("temperature", lambda: box["at"], lambda x: box.update(at=x), unit="K", limits=(0.0, 300.0))
    assert isinstance(driver, AxisDriver)
    axis = Axis(driver)
    asyncio.run(axis.move(77.0))
    assert box["at"] == 77.0
    assert axis.position == 77.0
    with pytest.raises(LimitError):
        asyncio.run(axis.move(301.0))
