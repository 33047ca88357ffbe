"""Channels as they grow: every item in blocks, or only the newest one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstlight.data._resolver import Resolver
from firstlight.model import Block, IndexNotYetThere

if TYPE_CHECKING:
    from firstlight.data._channel import Channel

_INLINE = 1 << 20
"""Bytes in memory that a coroutine copies itself; more, or anything from a file, goes through a thread."""


class Follower(Iterator[Block], AsyncIterator[Block]):
    """The blocks of one channel as they come; made by :meth:`Channel.follow`.

    It never skips an item: what left the memory comes from the file. It ends when the channel is sealed and all its
    items were given.
    """

    def __init__(self, resolver: Resolver, name: str, position: int, timeout: float | None, limit: int) -> None:
        self._resolver = resolver
        self._name = name
        self._timeout = timeout
        self._limit = limit
        self.position = position
        """Index of the next item to come."""

    def __next__(self) -> Block:
        if not self._resolver.wait(self._due, self._timeout):
            raise self._late()
        if self._ended():
            raise StopIteration
        return self._take()

    async def __anext__(self) -> Block:
        if not await self._resolver.wait_async(self._due, self._timeout):
            raise self._late()
        if self._ended():
            raise StopAsyncIteration
        count = min(self._resolver.count(self._name) - self.position, self._limit)
        small = count * self._resolver.spec(self._name).item_nbytes <= _INLINE
        if small and self._resolver.in_memory(self._name, self.position):
            return self._take()
        return await asyncio.to_thread(self._take)

    def _due(self) -> bool:
        resolver = self._resolver
        return resolver.count(self._name) > self.position or resolver.sealed(self._name)

    def _ended(self) -> bool:
        # Sealed is asked first: the count is final only after that.
        return self._resolver.sealed(self._name) and self._resolver.count(self._name) <= self.position

    def _take(self) -> Block:
        first = self.position
        stop = min(self._resolver.count(self._name), first + self._limit)
        block = self._resolver.block(self._name, first, stop)
        self.position = stop
        return block

    def _late(self) -> IndexNotYetThere:
        return IndexNotYetThere(f"{self._name}[{self.position}] did not come within {self._timeout} s.")


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest item of a channel."""

    index: int
    """Its index."""
    value: Any
    """The item."""
    time: float
    """When it was acknowledged (s, monotonic); NaN where that is not recorded."""
    lost: int
    """Items between the previous answer and this one, which the caller did not get."""

    @property
    def seen(self) -> int:
        """Number of items known after this one; the argument of the next :meth:`Channel.latest`."""
        return self.index + 1


class Watcher(Iterator[Latest], AsyncIterator[Latest]):
    """The newest items of one channel; made by :meth:`Channel.watch`."""

    def __init__(self, channel: Channel, interval: float, timeout: float | None) -> None:
        self._channel = channel
        self._interval = interval
        self._timeout = timeout
        self._due_at = 0.0
        self.seen = 0
        """Number of items known so far, given or lost."""
        self.lost = 0
        """Items that were left out so far."""

    def __next__(self) -> Latest:
        pause = self._due_at - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self._channel.wait(self.seen + 1, self._timeout)
        newest = self._newest()
        if newest is None:
            raise StopIteration
        return newest

    async def __anext__(self) -> Latest:
        pause = self._due_at - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        await self._channel.wait_async(self.seen + 1, self._timeout)
        newest = await asyncio.to_thread(self._newest)
        if newest is None:
            raise StopAsyncIteration
        return newest

    def _newest(self) -> Latest | None:
        newest = self._channel.latest(self.seen)
        if newest is None:
            if self._channel.sealed:
                # The last item may have come just before the seal.
                newest = self._channel.latest(self.seen)
            else:
                raise IndexNotYetThere(f"{self._channel.name}[{self.seen}] did not come within {self._timeout} s.")
        if newest is not None:
            self.seen = newest.seen
            self.lost += newest.lost
            self._due_at = time.monotonic() + self._interval
        return newest
