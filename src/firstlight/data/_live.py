"""A run in the buffer as a source: shared memory first, then what was spilled to disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer import ChannelReader, RunReader
from firstlight.data._source import Items, SourceGone, Stored
from firstlight.model import Block, ChannelSpec, IndexNoLongerThere, NotFound, RunEnd, RunInfo, RunState

T = TypeVar("T")


class LiveChannel:
    """One channel of a run in the buffer."""

    def __init__(self, reader: ChannelReader, run: RunReader) -> None:
        self._reader = reader
        self._run = run
        self.spec: ChannelSpec = reader.spec

    @property
    def count(self) -> int:
        return self._reader.count

    @property
    def first(self) -> int:
        return self._reader.first

    @property
    def sealed(self) -> bool:
        return self._reader.sealed

    @property
    def seal_reason(self) -> str:
        return self._reader.seal_reason

    def read(self, start: int, stop: int) -> Items:
        try:
            return self._reader.read(start, stop)
        except IndexNoLongerThere as error:
            raise self._lost(error) from error

    def block(self, start: int, stop: int) -> Block:
        try:
            return self._reader.block(start, stop)
        except IndexNoLongerThere as error:
            raise self._lost(error) from error

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._reader.times(start, stop)

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        return self._reader.missing(start, stop)

    def stored(self) -> Sequence[Stored]:
        return ()

    def _lost(self, error: IndexNoLongerThere) -> IndexNoLongerThere | SourceGone:
        """One item was released, or the whole run removed."""
        if self._run.path.exists():
            return error
        return SourceGone(f"run {self._run.key} was removed from the buffer.")


class LiveRun:
    """One run in the buffer."""

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._channels: dict[str, LiveChannel] = {}
        self.where = f"run {reader.key} in the buffer"

    @property
    def key(self) -> str:
        """Key of the run."""
        return self._reader.key

    @property
    def info(self) -> RunInfo:
        return self._ask(lambda: self._reader.info)

    @property
    def state(self) -> RunState:
        return self._reader.state

    @property
    def end(self) -> RunEnd | None:
        end = self._reader.end
        if end is None and self._reader.state >= RunState.STOPPED and not self._reader.path.exists():
            raise SourceGone(f"{self.where} was removed.")
        return end

    def names(self) -> Sequence[str]:
        return self._ask(lambda: list(self._reader.channels))

    def channel(self, name: str) -> LiveChannel | None:
        known = self._channels.get(name)
        if known is not None:
            return known
        # A path with slashes is the name of no channel, and must not reach the file system.
        if not all(c.isalnum() or c in "_-:." for c in name):
            return None
        try:
            made = self._channels[name] = LiveChannel(self._reader.channel(name), self._reader)
        except NotFound as error:
            if not self._reader.path.exists():
                raise SourceGone(f"{self.where} was removed.") from error
            return None
        return made

    def refresh(self) -> None:
        """Nothing to do: memory is always up to date."""

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        return self._reader.wait(condition, timeout)

    def wait_async(self, condition: Callable[[], bool], timeout: float) -> Awaitable[bool]:
        return self._reader.wait_async(condition, timeout)

    def close(self) -> None:
        """Forget the mappings."""
        self._channels.clear()

    def _ask(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except NotFound as error:
            raise SourceGone(f"{self.where} was removed.") from error
