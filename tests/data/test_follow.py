"""Followers get every item once, watchers the newest."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from firstlight.data import Latest, Run
from firstlight.model import Block, ChannelSpec, IndexNotYetThere, InvalidInput
from tests.data.conftest import ArraySource


def grow(source: ArraySource, blocks: int) -> threading.Thread:
    """Another thread appends ``blocks`` blocks of three items to the diode, then seals it."""

    def work() -> None:
        channel = source.made["diode"]
        for i in range(blocks):
            channel.append(np.arange(3 * i, 3 * i + 3, dtype=float))
        channel.seal()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def empty(source: ArraySource) -> Run:
    from firstlight.data._resolver import Resolver

    source.made.clear()
    source.add(ChannelSpec("diode"))
    return Run(Resolver(source, None))


def check(blocks: list[Block], items: int) -> None:
    assert all(len(b) for b in blocks)
    first = 0
    for block in blocks:
        assert block.first == first
        first += len(block)
    np.testing.assert_array_equal(np.concatenate([np.asarray(b.values) for b in blocks]), np.arange(items))


def test_a_follower_gets_every_item_once_and_ends_at_the_seal(source: ArraySource) -> None:
    run = empty(source)
    thread = grow(source, 200)
    check(list(run["diode"].follow()), 600)
    thread.join()


def test_a_coroutine_follows_in_the_same_way(source: ArraySource) -> None:
    run = empty(source)

    async def follow() -> list[Block]:
        return [block async for block in run["diode"].follow()]

    thread = grow(source, 200)
    check(asyncio.run(follow()), 600)
    thread.join()


def test_large_blocks_are_read_off_the_event_loop(source: ArraySource) -> None:
    run = empty(source)
    source.made["diode"].append(np.arange(300_000.0))
    source.made["diode"].seal()
    threads: list[str] = []
    read = source.made["diode"].read

    def spy(start: int, stop: int) -> Any:
        threads.append(threading.current_thread().name)
        return read(start, stop)

    source.made["diode"].read = spy  # type: ignore[method-assign]

    async def follow() -> list[Block]:
        return [block async for block in run["diode"].follow()]

    check(asyncio.run(follow()), 300_000)
    assert threads
    assert threading.main_thread().name not in threads


def test_blocks_have_a_limit(source: ArraySource) -> None:
    run = empty(source)
    source.made["diode"].append(np.arange(10.0))
    source.made["diode"].seal()
    assert [len(b) for b in run["diode"].follow(limit=4)] == [4, 4, 2]
    with pytest.raises(InvalidInput):
        run["diode"].follow(limit=0)


@pytest.mark.parametrize(("start", "first"), [(4, 4), (-3, 7), (-30, 0), (10, None), (12, None)])
def test_a_follower_may_start_later(run: Run, source: ArraySource, start: int, first: int | None) -> None:
    follower = run["diode"].follow(start)
    source.stop()
    blocks = list(follower)
    assert [b.first for b in blocks] == ([] if first is None else [first])


def test_a_follower_that_waits_too_long_says_what_is_missing(run: Run) -> None:
    follower = run["diode"].follow(timeout=0.02)
    next(follower)
    with pytest.raises(IndexNotYetThere, match=r"diode\[10\] did not come within 0.02 s"):
        next(follower)

    async def wait() -> None:
        await run["diode"].follow(10, timeout=0.02).__anext__()

    with pytest.raises(IndexNotYetThere):
        asyncio.run(wait())


def test_waiting_tells_whether_the_items_came(run: Run, source: ArraySource) -> None:
    diode = run["diode"]
    assert diode.wait(10, timeout=0)
    assert not diode.wait(11, timeout=0.02)
    threading.Timer(0.02, lambda: source.made["diode"].append([1.0])).start()
    assert diode.wait(11, timeout=10)
    threading.Timer(0.02, source.made["diode"].seal).start()
    assert not diode.wait(12, timeout=10)
    assert asyncio.run(diode.wait_async(11, timeout=10))
    assert not asyncio.run(diode.wait_async(12, timeout=10))


def test_the_newest_item_comes_with_the_number_of_lost_ones(run: Run, source: ArraySource) -> None:
    diode = run["diode"]
    newest = diode.latest()
    assert newest == Latest(index=9, value=diode[9], time=9.0, lost=9)
    assert diode.latest(newest.seen) is None
    source.made["diode"].append([1.0])
    assert diode.latest(newest.seen) == Latest(index=10, value=1.0, time=10.0, lost=0)
    source.made["diode"].append([2.0, 3.0, 4.0])
    assert diode.latest(11) == Latest(index=13, value=4.0, time=13.0, lost=2)


def test_a_watcher_counts_what_it_left_out(source: ArraySource) -> None:
    run = empty(source)
    watcher = run["diode"].watch(timeout=0.02)
    with pytest.raises(IndexNotYetThere):
        next(watcher)
    source.made["diode"].append(np.arange(5.0))
    assert next(watcher).value == 4.0
    source.made["diode"].append([5.0])
    assert next(watcher).value == 5.0
    source.made["diode"].append([6.0, 7.0])
    source.made["diode"].seal()
    assert [n.value for n in watcher] == [7.0]
    assert (watcher.seen, watcher.lost) == (8, 5)


def test_a_watching_coroutine_sees_the_end(source: ArraySource) -> None:
    run = empty(source)

    async def watch() -> tuple[list[int], int]:
        watcher = run["diode"].watch(interval=0.001)
        return [n.index async for n in watcher], watcher.lost

    thread = grow(source, 100)
    seen, lost = asyncio.run(watch())
    thread.join()
    assert seen == sorted(set(seen))
    assert seen[-1] == 299
    assert len(seen) + lost == 300
