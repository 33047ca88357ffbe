"""The reading ends of logs and ragged channels, and what all reading ends share."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._blocks import BlockReader
from firstlight.buffer._column import ColumnReader
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import COUNT, LONGEST_NAME, Head, head_path
from firstlight.buffer._log import VALUES_COLUMN, VALUES_LETTER
from firstlight.buffer._mapping import Mapping
from firstlight.buffer._ragged import END, ENDS_COLUMN, ENDS_LETTER
from firstlight.model import (
    Block,
    ChannelSpec,
    IndexNeverThere,
    IndexNotYetThere,
    NotFound,
    Ragged,
)


class ChannelReader(abc.ABC):
    """One channel as any process reads it. Reading takes nothing away and keeps nobody waiting."""

    def __init__(self, head: Head, channels: Path, bell: Doorbell) -> None:
        self.spec: ChannelSpec = head.spec
        """What the channel is."""
        self._head = head
        self._words = head.words
        self._bell = bell
        self._blocks = BlockReader(head, channels)

    @property
    def name(self) -> str:
        """Name of the channel."""
        return self.spec.name

    @property
    def head(self) -> Head:
        """The mapped head, for the other modules of this room."""
        return self._head

    @property
    def count(self) -> int:
        """Items acknowledged so far."""
        count: int = self._words[COUNT]
        return count

    @property
    def first(self) -> int:
        """From this item on, all items are held in memory or spill."""
        return 0

    @property
    def sealed(self) -> bool:
        """Whether no item will follow; a count read after this is final."""
        return self._head.sealed

    @property
    def seal_reason(self) -> str:
        """Why the channel ended; empty while it has not, and for the normal end."""
        return self._head.reason

    def __len__(self) -> int:
        return self.count

    @abc.abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any] | Ragged:
        """Copy of the items ``start`` to ``stop``: ``(n, *item shape)``, or a :class:`Ragged`.

        :raises IndexNotYetThere: when the last of them is not acknowledged yet.
        :raises IndexNeverThere: when the channel is sealed before it, or ``start`` is negative.
        :raises IndexNoLongerThere: when the first was released from memory (a ring), or the run was removed.
        """

    @abc.abstractmethod
    def view(self, start: int, stop: int) -> NDArray[Any] | Ragged | None:
        """Read-only view of as many items from ``start`` on as lie side by side; None when a copy must do.

        For retaining readers; a ring's slots must be pinned meanwhile.
        """

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Acknowledge time (monotonic, s) of each item from ``start`` to ``stop``.

        Exact for the first item of an append that came 10 ms or more after the last noted one; others carry the time
        of the item noted before them, less than 10 ms early.
        """
        self.check(start, stop)
        return self._blocks.times(start, stop)

    def wait(self, count: int, timeout: float) -> bool:
        """Wait until there are ``count`` items, or the channel is sealed.

        :return: whether one of the two holds.
        """
        w = self._words
        return self._bell.wait(lambda: w[COUNT] >= count or self._head.sealed, timeout)

    def latest(self) -> Block | None:
        """The newest item, None when there is none."""
        count = self.count
        if not count:
            return None
        return Block(self.name, count - 1, self.read(count - 1, count), self._blocks.time(count - 1))

    def block(self, start: int, stop: int) -> Block:
        """:meth:`read` with the acknowledge time of the last item."""
        return Block(self.name, start, self.read(start, stop), self._blocks.time(stop - 1) if stop > start else 0.0)

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        """Items between ``start`` and ``stop`` that the producer could not keep; they read as fill values."""
        return np.empty(0, np.int64)

    def released(self, reader: str) -> int:
        """Items that a retaining reader has released.

        :raises NotFound: when the run lists no such reader.
        """
        return self._head.released(self.place_of(reader))

    def place_of(self, reader: str) -> int:
        """Place of a retaining reader in the run's list."""
        if reader not in self._head.readers:
            raise NotFound(f"Channel {self.name} has no retaining reader {reader!r}.")
        return self._head.readers.index(reader)

    def check(self, start: int, stop: int) -> None:
        """Raise the typed error when the items are not there to be read."""
        # The seal first: a count that is read after it is final.
        sealed = self._head.sealed
        count = self._words[COUNT]
        if start < 0 or stop < start:
            raise IndexNeverThere(f"{self.name}[{start}:{stop}] is not a range of items.")
        if stop > count:
            if sealed:
                raise IndexNeverThere(
                    f"{self.name} was sealed with {count} items; item {stop - 1} will never be there."
                )
            raise IndexNotYetThere(f"{self.name} has {count} items so far; item {stop - 1} is not there yet.")


class LogReader(ChannelReader):
    """A log."""

    def __init__(self, head: Head, channels: Path, bell: Doorbell) -> None:
        super().__init__(head, channels, bell)
        self._values = ColumnReader(
            head, channels, VALUES_COLUMN, VALUES_LETTER, np.dtype(self.spec.dtype), self.spec.shape
        )

    def read(self, start: int, stop: int) -> NDArray[Any]:
        self.check(start, stop)
        return self._values.read(start, stop)

    def view(self, start: int, stop: int) -> NDArray[Any]:
        self.check(start, stop)
        return self._values.contiguous(start, stop)


class RaggedReader(ChannelReader):
    """A ragged channel."""

    def __init__(self, head: Head, channels: Path, bell: Doorbell) -> None:
        super().__init__(head, channels, bell)
        self._values = ColumnReader(head, channels, VALUES_COLUMN, VALUES_LETTER, np.dtype(self.spec.dtype), ())
        self._ends = ColumnReader(head, channels, ENDS_COLUMN, ENDS_LETTER, END, ())

    def read(self, start: int, stop: int) -> Ragged:
        self.check(start, stop)
        bounds = self._bounds(start, stop)
        return Ragged(self._values.read(int(bounds[0]), int(bounds[-1])), bounds - bounds[0])

    def view(self, start: int, stop: int) -> Ragged | None:
        self.check(start, stop)
        bounds = self._bounds(start, stop)
        low, high = int(bounds[0]), int(bounds[-1])
        values = self._values.contiguous(low, high) if high > low else self._values.read(low, low)
        # Items whose values end inside this part; the one that crosses into the next part has to be copied.
        whole = int(np.searchsorted(bounds, low + len(values), side="right")) - 1
        if whole == 0 and stop > start:
            return None
        return Ragged(values[: int(bounds[whole]) - low], bounds[: whole + 1] - low)

    def _bounds(self, start: int, stop: int) -> NDArray[np.int64]:
        if start == 0:
            return np.concatenate([np.zeros(1, END), self._ends.read(0, stop)])
        return self._ends.read(start - 1, stop)


def open_channel(channels: Path, name: str, bell: Doorbell) -> ChannelReader:
    """The reader for a channel that has appeared.

    :raises NotFound: when it has not.
    """
    from firstlight.buffer._ring_reader import RingReader

    if len(name.encode()) > LONGEST_NAME:
        # The file system would not call it missing.
        raise NotFound(f"There is no channel {name[:40]!r}... in {channels.parent.name}: no name is that long.")
    try:
        head = Head(Mapping.open(head_path(channels, name), writable=True))
    except NotFound as error:
        raise NotFound(f"There is no channel {name!r} in {channels.parent.name}.") from error
    kinds: dict[str, type[ChannelReader]] = {"ragged": RaggedReader, "ring": RingReader}
    return kinds.get(head.spec.kind.value, LogReader)(head, channels, bell)
