"""Clocks: real time agrees with the machine's, fake time jumps from sleeper to sleeper in a fixed order."""

from __future__ import annotations

import asyncio
import time

import pytest

from firstlight.model import Clock, FakeClock, RealClock


@pytest.mark.parametrize("clock", [RealClock(), FakeClock()], ids=["real", "fake"])
def test_a_clock_waits_until_the_moment_has_come(clock: Clock) -> None:
    async def wait() -> float:
        moment = clock.now() + 0.01
        await clock.sleep_until(moment)
        return clock.now() - moment

    assert asyncio.run(wait()) >= 0.0
    moment = clock.now() + 0.01
    clock.pause_until(moment)
    assert clock.now() >= moment


@pytest.mark.parametrize("clock", [RealClock(), FakeClock()], ids=["real", "fake"])
def test_a_moment_that_has_passed_is_not_waited_for(clock: Clock) -> None:
    before = clock.now()
    asyncio.run(clock.sleep_until(before - 100.0))
    clock.pause_until(before - 100.0)
    assert clock.now() < before + 50.0


def test_real_time_is_the_machines_monotonic_time_and_its_epoch_is_utc() -> None:
    clock = RealClock()
    before = time.monotonic()
    now = clock.now()
    assert before <= now <= time.monotonic()
    assert clock.epoch(now) == pytest.approx(time.time(), abs=60.0)


def test_fake_epoch_runs_with_fake_time() -> None:
    clock = FakeClock(start=10.0, epoch=1e9)
    clock.advance(5.0)
    assert (clock.now(), clock.epoch(clock.now())) == (15.0, 1e9 + 5.0)


def test_fake_sleepers_wake_in_the_order_of_their_moments_then_of_their_calls() -> None:
    clock = FakeClock(start=0.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, moment: float) -> None:
        await clock.sleep_until(moment)
        woken.append((name, clock.now()))

    async def main() -> None:
        await asyncio.gather(sleeper("late", 3600.0), sleeper("a", 1.0), sleeper("b", 1.0), sleeper("next", 2.0))

    asyncio.run(main())
    assert woken == [("a", 1.0), ("b", 1.0), ("next", 2.0), ("late", 3600.0)]


def test_fake_time_stands_still_while_another_task_has_work() -> None:
    clock = FakeClock(start=0.0)

    async def worker() -> float:
        for _ in range(5):
            await asyncio.sleep(0)
        return clock.now()

    async def main() -> float:
        sleeper = asyncio.create_task(clock.sleep_until(100.0))
        seen = await asyncio.create_task(worker())
        await sleeper
        return seen

    assert asyncio.run(main()) == 0.0


def test_a_cancelled_sleeper_does_not_move_fake_time() -> None:
    clock = FakeClock(start=0.0)

    async def main() -> None:
        task = asyncio.create_task(clock.sleep_until(1000.0))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await clock.sleep_until(1.0)

    asyncio.run(main())
    assert clock.now() == 1.0


def test_advancing_fake_time_by_hand_wakes_whom_it_passes() -> None:
    clock = FakeClock(start=0.0)

    async def main() -> list[float]:
        first = asyncio.ensure_future(clock.sleep_until(1.0))
        await asyncio.sleep(0)
        clock.advance(1.5)
        await first
        return [clock.now()]

    assert asyncio.run(main()) == [1.5]


def test_fake_time_serves_a_second_loop_after_a_first_one_was_cut_short() -> None:
    clock = FakeClock(start=0.0)

    async def cut_short() -> None:
        task = asyncio.create_task(clock.sleep_until(1000.0))
        await asyncio.sleep(0)
        del task

    async def sleep() -> None:
        await asyncio.wait_for(clock.sleep_until(2.0), timeout=5.0)

    asyncio.run(cut_short())
    asyncio.run(sleep())
    assert clock.now() == 2.0
