"""When fake time may jump: not while anything is ready to run."""

from __future__ import annotations

import asyncio

from firstlight.model import FakeClock


def test_time_stands_still_while_a_long_chain_of_tasks_is_ready() -> None:
    clock = FakeClock(start=0.0)
    seen: list[float] = []

    async def chain(depth: int) -> None:
        if depth:
            await asyncio.ensure_future(chain(depth - 1))
        else:
            seen.append(clock.now())

    async def main() -> None:
        sleeper = asyncio.ensure_future(clock.sleep_until(10.0))
        for _ in range(7):
            await asyncio.sleep(0)
        await chain(30)
        await sleeper

    asyncio.run(main())
    assert seen == [0.0]


def test_a_task_that_spins_does_not_stop_time() -> None:
    clock = FakeClock(start=0.0)

    async def main() -> None:
        sleeper = asyncio.ensure_future(clock.sleep_until(10.0))
        while clock.now() < 10.0:  # noqa: ASYNC110 - that is what is tested
            await asyncio.sleep(0)
        await sleeper

    asyncio.run(asyncio.wait_for(main(), 10.0))
    assert clock.now() == 10.0
