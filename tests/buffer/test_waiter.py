"""Asynchronous waiting: one thread for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from firstlight.buffer import _waiter
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._mapping import PAGE, Mapping
from firstlight.buffer._waiter import wait_async


@pytest.fixture(params=["many", "one"])
def bells(request: pytest.FixtureRequest, buffer_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Doorbell]:
    """Some bells; with a kernel that waits for many at once, and with one that does not."""
    monkeypatch.setattr(_waiter, "_waiters", [])
    if request.param == "one":
        monkeypatch.setattr(_waiter, "can_wait_for_many", lambda: False)
    elif not _waiter.can_wait_for_many():
        pytest.skip("optional: this kernel has no futex_waitv")
    return [Doorbell(Mapping.create(buffer_root / str(k), PAGE), 0) for k in range(5)]


def test_a_condition_that_holds_needs_no_thread(bells: list[Doorbell]) -> None:
    assert asyncio.run(wait_async(bells[0], lambda: True, 0.0))
    assert not _waiter._waiters


def test_the_timeout_ends_a_wait(bells: list[Doorbell]) -> None:
    assert not asyncio.run(wait_async(bells[0], lambda: False, 0.02))


def test_a_ring_is_seen(bells: list[Doorbell]) -> None:
    async def main() -> bool:
        count = [0]

        def produce() -> None:
            count[0] += 1
            bells[0].answer()

        def reached(k: int) -> bool:
            return count[0] >= k

        for k in range(1, 30):
            asyncio.get_running_loop().call_soon(produce)
            if not await wait_async(bells[0], partial(reached, k), 10.0):
                return False
        return True

    assert asyncio.run(main())


def test_many_followers_of_many_bells_share_the_threads(bells: list[Doorbell]) -> None:
    counts = [0] * len(bells)

    def beyond(k: int, seen: int) -> bool:
        return counts[k] > seen

    async def follow(k: int) -> int:
        seen = 0
        while seen < 20:
            assert await wait_async(bells[k], partial(beyond, k, seen), 10.0)
            seen = counts[k]
        return seen

    async def main() -> list[int]:
        followers = [asyncio.create_task(follow(k % len(bells))) for k in range(40)]
        for _ in range(20):
            for k, bell in enumerate(bells):
                counts[k] += 1
                bell.answer()
            await asyncio.sleep(0.001)
        return await asyncio.gather(*followers)

    assert asyncio.run(main()) == [20] * 40
    assert len(_waiter._waiters) == (1 if _waiter.can_wait_for_many() else len(bells))


def test_a_cancelled_wait_leaves_no_follower(bells: list[Doorbell]) -> None:
    async def main() -> None:
        task = asyncio.create_task(wait_async(bells[0], lambda: False, 60.0))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not _waiter._waiters[0]._followers


def test_a_condition_that_raises_leaves_no_follower(bells: list[Doorbell]) -> None:
    looked: list[int] = []

    def condition() -> bool:
        looked.append(1)
        if len(looked) > 1:
            raise ValueError("no")
        return False

    with pytest.raises(ValueError, match="no"):
        asyncio.run(wait_async(bells[0], condition, 60.0))
    assert not _waiter._waiters[0]._followers


def test_the_thread_ends_when_nobody_follows(bells: list[Doorbell], wait_for: Callable[..., None]) -> None:
    assert not asyncio.run(wait_async(bells[0], lambda: False, 0.01))
    wait_for(lambda: not _waiter._waiters[0]._running)
    assert not asyncio.run(wait_async(bells[0], lambda: False, 0.01))
