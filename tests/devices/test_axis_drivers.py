"""What every axis driver must do; a driver joins by a factory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.devices import SoftAxis
from firstlight.devices.sim import MemoryBoard, SimAxis
from firstlight.model import AxisDriver, DeviceError, FakeClock, LimitError
from firstlight.model.motion import ACCELERATION, VELOCITY, positions, states

Factory = Callable[[FakeClock], AxisDriver]


def simulated(clock: FakeClock) -> AxisDriver:
    return SimAxis("x", velocity=2.0, acceleration=4.0, limits=(-10.0, 10.0), clock=clock)


def instant(clock: FakeClock) -> AxisDriver:
    return SimAxis("x", velocity=2.0, acceleration=4.0, limits=(-10.0, 10.0), clock=clock, instant=True)


def soft(clock: FakeClock) -> AxisDriver:
    state = {"at": 0.0}

    async def move(target: float) -> None:
        await clock.sleep_until(clock.now() + 1.0)
        state["at"] = target

    return SoftAxis("x", lambda: state["at"], move, limits=(-10.0, 10.0), clock=clock)


@pytest.fixture(params=[simulated, instant, soft])
def factory(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def driver(factory: Factory, clock: FakeClock) -> AxisDriver:
    return factory(clock)


def test_it_is_an_axis_driver(driver: AxisDriver) -> None:
    assert isinstance(driver, AxisDriver)


def test_a_move_ends_at_rest_on_its_target(driver: AxisDriver) -> None:
    asyncio.run(driver.move(5.0))
    assert driver.position() == 5.0
    assert not driver.moving()


def test_a_target_outside_the_limits_is_refused_and_nothing_moves(driver: AxisDriver) -> None:
    with pytest.raises(LimitError, match="x: "):
        asyncio.run(driver.move(11.0))
    assert driver.position() == 0.0


def test_segments_end_where_it_rests(driver: AxisDriver, clock: FakeClock) -> None:
    began = clock.now()
    asyncio.run(driver.move(5.0))
    asyncio.run(driver.move(-3.0))
    now = clock.now()
    rows = driver.segments(began)
    assert rows.ndim == 2
    assert rows.shape[1] == 5
    assert positions(rows, [now + 1.0])[0] == pytest.approx(-3.0)
    assert positions(driver.segments(now), [now])[0] == pytest.approx(-3.0)


def test_stop_at_rest_does_nothing(driver: AxisDriver) -> None:
    asyncio.run(driver.move(5.0))
    asyncio.run(driver.stop())
    assert driver.position() == 5.0


def test_a_cancelled_move_leaves_it_at_rest(factory: Factory, clock: FakeClock) -> None:
    driver = factory(clock)

    async def story() -> None:
        task = asyncio.create_task(driver.move(8.0))
        await clock.sleep_until(clock.now() + 0.5)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            assert not driver.moving()

    asyncio.run(story())
    assert not driver.moving()


class TestTrapezoids:
    """The simulated motor's own behaviour."""

    def test_the_motion_is_continuous_and_keeps_speed_and_acceleration(self, clock: FakeClock) -> None:
        driver = simulated(clock)
        began = clock.now()
        asyncio.run(driver.move(8.0))
        rows = driver.segments(began)
        moments = np.linspace(began, clock.now(), 20001)
        position, velocity = states(rows, moments)
        assert np.abs(velocity).max() == pytest.approx(2.0)
        assert np.abs(np.diff(velocity) / np.diff(moments)).max() <= 4.0 * 1.001
        np.testing.assert_allclose(np.diff(position), velocity[:-1] * np.diff(moments), atol=1e-6)

    def test_a_move_takes_ramp_plus_cruise(self, clock: FakeClock) -> None:
        driver = simulated(clock)
        began = clock.now()
        asyncio.run(driver.move(8.0))
        assert clock.now() - began == pytest.approx(8.0 / 2.0 + 2.0 / 4.0 + 0.002)

    def test_a_short_move_does_not_reach_full_speed(self, clock: FakeClock) -> None:
        driver = simulated(clock)
        began = clock.now()
        asyncio.run(driver.move(0.01))
        assert driver.segments(began)[:, VELOCITY].max() < 0.3

    def test_a_move_may_have_its_own_speed(self, clock: FakeClock) -> None:
        driver = simulated(clock)
        began = clock.now()
        asyncio.run(driver.move(1.0, velocity=0.5))
        assert driver.segments(began)[:, VELOCITY].max() == 0.5
        assert driver.velocity == 2.0

    def test_motion_is_published_before_it_begins(self, clock: FakeClock) -> None:
        board = MemoryBoard()
        driver = SimAxis("x", clock=clock, board=board)

        async def story() -> None:
            task = asyncio.create_task(driver.move(8.0))
            await asyncio.sleep(0)
            rows = board.motion("x", clock.now())
            assert rows[1, 0] > clock.now()
            assert driver.moving()
            await task

        asyncio.run(story())

    def test_a_cancelled_move_decelerates_and_rests_short_of_its_target(self, clock: FakeClock) -> None:
        driver = simulated(clock)
        began = clock.now()

        async def story() -> float:
            task = asyncio.create_task(driver.move(8.0))
            await clock.sleep_until(began + 2.0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return clock.now()

        rested = asyncio.run(story())
        assert rested - began == pytest.approx(2.0 + 0.002 + 0.5)
        # Ramp 0.5, cruise at 2 for 1.5 s, ramp 0.5.
        assert driver.position() == pytest.approx(0.5 + 2.0 * 1.5 + 0.5)
        rows = driver.segments(began)
        assert rows[-1, ACCELERATION] == -4.0
        asyncio.run(driver.move(8.0))
        assert driver.position() == 8.0

    def test_stop_ends_a_move_with_an_error_that_says_where(self, clock: FakeClock) -> None:
        driver = simulated(clock)

        async def story() -> None:
            task = asyncio.create_task(driver.move(8.0))
            await clock.sleep_until(clock.now() + 2.0)
            await driver.stop()
            assert not driver.moving()
            with pytest.raises(DeviceError, match=r"x: was stopped at 4 deg on its way to 8 deg"):
                await task

        asyncio.run(story())

    def test_a_stop_before_the_motion_began_leaves_it_where_it_was(self, clock: FakeClock) -> None:
        driver = simulated(clock)

        async def story() -> None:
            task = asyncio.create_task(driver.move(8.0))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(story())
        assert driver.position() == 0.0

    def test_a_second_move_at_the_same_time_is_refused(self, clock: FakeClock) -> None:
        driver = simulated(clock)

        async def story() -> None:
            task = asyncio.create_task(driver.move(8.0))
            await asyncio.sleep(0)
            with pytest.raises(DeviceError, match="x: is already moving to 8 deg"):
                await driver.move(1.0)
            await task

        asyncio.run(story())

    def test_instant_moves_take_no_time_unless_given_a_speed(self, clock: FakeClock) -> None:
        driver = instant(clock)
        began = clock.now()
        asyncio.run(driver.move(8.0))
        assert clock.now() == began
        asyncio.run(driver.move(6.0, velocity=1.0))
        assert clock.now() > began + 2.0
