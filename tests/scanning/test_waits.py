from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from firstlight.model import DeviceError, FakeClock
from firstlight.scanning import Devices
from firstlight.scanning._waits import DaemonThreads, Waits


def test_a_thread_that_hangs_does_not_hold_up_the_next_call() -> None:
    threads, free = DaemonThreads(), threading.Event()
    hanging = threads.submit(free.wait)
    assert threads.submit(lambda: 5).result(10) == 5
    free.set()
    assert hanging.result(10)


def test_free_threads_are_used_again(wait_for: Callable[..., None]) -> None:
    threads = DaemonThreads()
    seen = set()
    for _ in range(20):
        seen.add(threads.submit(threading.get_ident).result(10))
        wait_for(lambda: threads._free)
    assert len(seen) == 1
    threads.shutdown()


def test_threads_never_keep_the_interpreter() -> None:
    names: list[bool] = []
    DaemonThreads().submit(lambda: names.append(threading.current_thread().daemon)).result(10)
    assert names == [True]


def test_what_a_thread_raises_reaches_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        DaemonThreads().submit(lambda: 1 / 0).result(10)


def test_the_first_error_of_several_wins_and_the_others_are_cancelled() -> None:
    ended: list[str] = []

    async def fine() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def bad() -> None:
        raise DeviceError("a", "no.")

    async def main() -> None:
        waits = Waits(FakeClock(), Devices())
        with pytest.raises(DeviceError, match="a: no"):
            await waits.together(fine(), bad(), fine())
        while waits.left:  # noqa: ASYNC110 - they end by themselves
            await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == ["cancelled", "cancelled"]


def test_results_come_in_the_order_of_the_calls() -> None:
    async def value(n: int) -> int:
        await asyncio.sleep(0)
        return n

    async def main() -> list[int]:
        return await Waits(FakeClock(), Devices()).together(*map(value, range(5)))

    assert asyncio.run(main()) == list(range(5))
