"""From which place each item is read: memory or spill while the buffer holds it, the file afterwards.

A run moves while it is read: its frames leave the ring for the file, its folder leaves the buffer when it is cleaned.
The resolver hides that. It asks the live source first, fetches from the file what memory has released, and forgets the
live source once that is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from firstlight.data._source import ChannelSource, Items, NoChannel, RunSource, SourceGone, Stored, join, nearest
from firstlight.model import (
    Block,
    ChannelSpec,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    NotFound,
    RunEnd,
    RunInfo,
    RunState,
)

T = TypeVar("T")

GRACE = 3.0
"""Seconds to look for an item that has left the memory and is not in the file yet: several flushes of the saver."""

_STEP = 0.5
"""Longest single wait (s) before the sources are looked at again: one may have disappeared."""


class Resolver:
    """One run in up to two places.

    :param live: the run in the buffer, None when it is not there.
    :param open_file: opens the run's file; None when the run is not saved. It is called when the file is needed first,
        and again after it raised :class:`NotFound` (the file does not exist yet).
    """

    def __init__(self, live: RunSource | None, open_file: Callable[[], RunSource] | None) -> None:
        self._live = live
        self._open_file = open_file
        self._file: RunSource | None = None
        self._gone = ""
        self._lock = threading.RLock()
        if live is None:
            self._need_file()

    @property
    def live(self) -> bool:
        """Whether the buffer (still) holds the run."""
        return self._live is not None

    @property
    def where(self) -> str:
        """The place that answers first, for messages."""
        source = self._live or self._file
        return source.where if source is not None else self._gone

    @property
    def key(self) -> str:
        """Key of the run in the buffer, now or then; empty when unknown."""
        return self._first(lambda s: s.key)

    @property
    def live_source(self) -> RunSource | None:
        """The run in the buffer; None when it is not there (any more)."""
        return self._live

    @property
    def file_source(self) -> RunSource | None:
        """The run in its file; None while that does not exist."""
        return self._need_file()

    @property
    def info(self) -> RunInfo:
        return self._first(lambda s: s.info)

    @property
    def state(self) -> RunState:
        return self._first(lambda s: s.state)

    @property
    def end(self) -> RunEnd | None:
        return self._first(lambda s: s.end)

    def names(self) -> list[str]:
        """Names of the channels that exist now: the axes in the order of the scan, then the others by alphabet."""
        names = set(self._first(lambda s: s.names()))
        axes = [a for a in self.info.axes if a in names]
        return axes + sorted(names.difference(axes))

    def has(self, name: str) -> bool:
        """Whether the channel exists now."""
        return self._first(lambda s: s.channel(name)) is not None

    def spec(self, name: str) -> ChannelSpec:
        """What the items of a channel are; NotFound when it does not exist."""
        return self._ask(name, lambda c: c.spec)

    def count(self, name: str) -> int:
        """Items that exist now."""
        return self._ask(name, lambda c: c.count)

    def sealed(self, name: str) -> bool:
        """Whether the count is final."""
        return self._ask(name, lambda c: c.sealed)

    def seal_reason(self, name: str) -> str:
        """Why the channel ended."""
        return self._ask(name, lambda c: c.seal_reason)

    def in_memory(self, name: str, start: int) -> bool:
        """Whether the item can be read without touching a file."""
        return self._live is not None and self._ask(name, lambda c: c.first) <= start

    def refresh(self) -> None:
        """Look again at what may have grown."""
        if self._file is not None:
            self._file.refresh()
        self._first(lambda s: s.refresh())

    def close(self) -> None:
        """Release files and mappings; the resolver is not used afterwards."""
        for source in (self._live, self._file):
            if source is not None:
                source.close()

    def read(self, name: str, start: int, stop: int) -> Items:
        """Items ``start`` to ``stop - 1``, wherever each of them is.

        :raises IndexNotYetThere: an item was not produced yet.
        :raises IndexNeverThere: the channel ended before it.
        :raises IndexNoLongerThere: it left the memory, and no file holds it.
        """
        spec = self.spec(name)
        self.check(name, stop)
        parts: list[Items] = []
        at = start
        while at < stop:
            part = self._read_some(name, at, stop)
            parts.append(part)
            at += len(part)
        return join(parts, spec)

    def check(self, name: str, stop: int) -> None:
        """Raise the error that says why item ``stop - 1`` does not exist; return when it does (or did)."""
        count = self.count(name)
        if stop <= count:
            return
        if self.sealed(name):
            count = self.count(name)  # the last items may have come between the two questions
            if stop <= count:
                return
            reason = self.seal_reason(name)
            ended = f"ended with {count} items" + (f" ({reason})" if reason else "")
            raise IndexNeverThere(f"{name}[{stop - 1}] will never be there: the channel {ended}.")
        raise IndexNotYetThere(
            f"{name}[{stop - 1}] is not there yet: the channel has {count} items and is still growing.",
            hint=f"Wait for it with .wait({stop}).",
        )

    def block(self, name: str, start: int, stop: int) -> Block:
        """The same as one block, with the time at which its last item was acknowledged (NaN where unknown)."""
        live = self._live_channel(name)
        if live is not None and live.count >= stop:
            try:
                return live.block(start, stop)
            except (IndexNoLongerThere, SourceGone):
                pass  # the slower way finds out where it is
        values = self.read(name, start, stop)
        return Block(name, start, values, float(self.times(name, stop - 1, stop)[0]) if stop > start else np.nan)

    def stored(self, name: str, count: int) -> tuple[Stored, ...]:
        """Where the first ``count`` items lie in files; empty when one of them does not."""
        file = self._need_file()
        channel = file.channel(name) if file is not None else None
        if channel is None:
            return ()
        found: list[Stored] = []
        left = count
        for piece in channel.stored():
            if left > 0:
                found.append(Stored(piece.file, piece.dataset, piece.first, min(piece.count, left)))
                left -= piece.count
        return tuple(found) if left <= 0 else ()

    def missing_items(self, name: str, start: int, stop: int) -> NDArray[np.int64]:
        """Items that the producer could not keep."""
        return self._ask(name, lambda c: c.missing(start, stop))

    def times(self, name: str, start: int, stop: int) -> NDArray[np.float64]:
        """Acknowledge times of the items (s, monotonic), NaN where unknown."""
        try:
            return self._ask(name, lambda c: c.times(start, stop))
        except IndexNoLongerThere:
            return np.full(stop - start, np.nan)

    def wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Block until the condition holds (true) or the time is over (false)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not condition():
            left = _STEP if deadline is None else min(_STEP, deadline - time.monotonic())
            if left <= 0:
                return False
            self._first(lambda s, t=left: s.wait(condition, t))  # type: ignore[misc]
        return True

    async def wait_async(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """The same, for coroutines."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not condition():
            left = _STEP if deadline is None else min(_STEP, deadline - time.monotonic())
            if left <= 0:
                return False
            try:
                await self._source().wait_async(condition, left)
            except SourceGone as error:
                self._drop_live(error)
        return True

    def _read_some(self, name: str, at: int, stop: int) -> Items:
        """At least one item from ``at`` on, from the first place that holds it."""
        deadline = time.monotonic() + GRACE
        while True:
            reach = stop
            live = self._live_channel(name)
            if live is not None:
                try:
                    return live.read(at, min(stop, live.count))
                except IndexNoLongerThere:
                    # Released, or recycled while it was copied. The file is slower than memory: take from it only
                    # what memory no longer has.
                    first = live.first
                    reach = min(stop, first) if first > at else stop
                except SourceGone as error:
                    self._drop_live(error)
            file = self._need_file()
            stored = file.channel(name) if file is not None else None
            if stored is not None and at < stored.count:
                return stored.read(at, min(reach, stored.count))
            if file is None and self._open_file is None:
                raise IndexNoLongerThere(
                    f"{name}[{at}] is no longer there: memory released it, and the run is not saved in a file.",
                    hint="Save the run, or follow the channel while it is acquired.",
                )
            if time.monotonic() > deadline:
                place = file.where if file is not None else "its file, which does not exist"
                raise IndexNoLongerThere(
                    f"{name}[{at}] is no longer there: memory released it, and it is not in {place}.",
                    hint="If the saver died, 'firstlight recover' rebuilds the file.",
                )
            time.sleep(0.02)  # the saver flushes every half second
            if file is not None:
                file.refresh()

    def _live_channel(self, name: str) -> ChannelSource | None:
        if self._live is None:
            return None
        try:
            return self._live.channel(name)
        except SourceGone as error:
            self._drop_live(error)
            return None

    def _need_file(self) -> RunSource | None:
        with self._lock:
            if self._file is None and self._open_file is not None:
                try:
                    self._file = self._open_file()
                except NotFound:
                    if self._live is None:
                        raise
            return self._file

    def _drop_live(self, error: SourceGone) -> None:
        """The buffer no longer has the run: from now on the file answers."""
        with self._lock:
            if self._live is not None:
                self._gone = self._live.where
                self._live.close()
                self._live = None
        if self._open_file is None:
            raise IndexNoLongerThere(
                f"The run {self._gone} was removed from the buffer, and it is not saved in a file."
            ) from error

    def _source(self) -> RunSource:
        source = self._live or self._need_file()
        if source is None:
            raise IndexNoLongerThere(
                f"The run {self._gone} was removed from the buffer, and it is not saved in a file."
            )
        return source

    def _first(self, ask: Callable[[RunSource], T]) -> T:
        while True:
            source = self._source()
            try:
                return ask(source)
            except SourceGone as error:
                if source is not self._live:
                    raise
                self._drop_live(error)

    def _ask(self, name: str, ask: Callable[[ChannelSource], T]) -> T:
        def of_channel(source: RunSource) -> T:
            channel = source.channel(name)
            if channel is None:
                raise self.missing(name)
            return ask(channel)

        return self._first(of_channel)

    def missing(self, name: str) -> NoChannel:
        """The error for a channel that does not exist, with the names that do."""
        source = self._source()
        hint = nearest(name, source.names(), "channel")
        if source.state < RunState.STOPPED:
            hint += " The run goes on: .channel(name, timeout=...) waits for a channel to appear."
        return NoChannel(f"{source.where} has no channel {name!r}.", hint=hint)
