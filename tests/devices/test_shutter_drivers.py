"""What every shutter must do; a driver joins by a factory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from firstlight.devices.sim import MemoryBoard, SimShutter
from firstlight.model import FakeClock, Shutter


def simulated(clock: FakeClock) -> Shutter:
    return SimShutter("shutter", clock=clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[simulated])
def shutter(request: pytest.FixtureRequest, clock: FakeClock) -> Any:
    factory: Callable[[FakeClock], Shutter] = request.param
    return factory(clock)


def test_it_is_a_shutter_and_closed_at_first(shutter: Shutter) -> None:
    assert isinstance(shutter, Shutter)
    assert not shutter.is_open


def test_it_is_open_when_open_returns_and_closed_when_close_returns(shutter: Shutter) -> None:
    asyncio.run(shutter.open())
    assert shutter.is_open
    asyncio.run(shutter.close())
    assert not shutter.is_open


def test_orders_may_be_repeated(shutter: Shutter) -> None:
    async def story() -> None:
        await shutter.close()
        await shutter.open()
        await shutter.open()
        assert shutter.is_open
        await shutter.close()
        await shutter.close()
        assert not shutter.is_open

    asyncio.run(story())


def test_a_cancelled_close_is_carried_out(shutter: Shutter, clock: FakeClock) -> None:
    async def story() -> None:
        await shutter.open()
        task = asyncio.create_task(shutter.close())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(story())
    clock.advance(1.0)
    assert not shutter.is_open


def test_states_are_published_before_they_hold(clock: FakeClock) -> None:
    board = MemoryBoard()
    shutter = SimShutter("shutter", delay=0.01, clock=clock, board=board)
    now = clock.now()
    asyncio.run(shutter.open())
    rows = board.shutter("shutter", now)
    assert rows.tolist() == [[now, 0.0], [pytest.approx(now + 0.01), 1.0]]
