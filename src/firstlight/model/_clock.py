"""The injected clock.

Times inside Firstlight are seconds of the machine's monotonic clock, which all processes of one host share, so that
motors, triggers and frames of different processes can be compared. ``epoch`` converts them to UTC for people and files.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """Source of time; everything that waits or stamps takes one."""

    name: str
    """Identity of the clock, stored beside every hardware timestamp."""

    def now(self) -> float:
        """Seconds of the clock."""

    def epoch(self, now: float) -> float:
        """UTC seconds since 1970 that correspond to ``now``."""

    async def sleep_until(self, moment: float) -> None:
        """Return when ``now() >= moment``; at once (after one pass of the loop) if it already is."""

    def pause_until(self, moment: float) -> None:
        """Blocking twin of :meth:`sleep_until`, for driver threads."""


class RealClock:
    """The machine's monotonic clock, the same in every process of this host."""

    name = "monotonic"

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic()

    def epoch(self, now: float) -> float:
        return now + self._offset

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))

    def pause_until(self, moment: float) -> None:
        delay = moment - time.monotonic()
        if delay > 0:
            time.sleep(delay)


_PASSES = 100


class FakeClock:
    """Time that jumps to the next moment somebody sleeps for; single process, single event loop.

    Sleepers wake in the order of their moments (then of their calls), once every other ready task has run, so a scan
    of hours takes milliseconds and always in the same order.
    """

    name = "fake"

    def __init__(self, start: float = 1000.0, epoch: float = 1_700_000_000.0) -> None:
        self._now = start
        self._offset = epoch - start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._pending: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        return self._now

    def epoch(self, now: float) -> float:
        return now + self._offset

    def advance(self, seconds: float) -> None:
        """Move time forward by hand; sleepers whose moment has come wake at the next pass of the loop."""
        self._now += seconds
        self._wake()

    async def sleep_until(self, moment: float) -> None:
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A loop that ended took its sleepers and its handle with it.
            self._loop, self._pending = loop, None
            self._sleepers.clear()
        future: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (moment, next(self._order), future))
        self._schedule(loop)
        await future

    def pause_until(self, moment: float) -> None:
        self._now = max(self._now, moment)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._pending is None:
            self._pending = loop.call_soon(self._idle, loop, _PASSES)

    def _idle(self, loop: asyncio.AbstractEventLoop, passes: int) -> None:
        # Time jumps when nothing else is ready to run. A loop that does not tell gets some passes, and one that
        # always has something ready (a task that spins) must not stop time for ever.
        if passes and getattr(loop, "_ready", True):
            self._pending = loop.call_soon(self._idle, loop, passes - 1)
            return
        self._pending = None
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._sleepers:
            self._now = max(self._now, self._sleepers[0][0])
            self._wake()
            if self._sleepers:
                self._schedule(loop)

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._now:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
