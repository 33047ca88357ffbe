"""The block index of a channel: when which items were acknowledged.

An entry is (first item, monotonic time). An append starts a new entry unless the last one is younger than
:data:`RESOLUTION`; so an item of entry k was acknowledged no earlier than the entry's time, and less than RESOLUTION
later if other appends share its entry. An append slower than that has its own exact entry.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._column import Allocate, ColumnReader, ColumnWriter
from firstlight.buffer._head import BLOCKS, Head, Part

RESOLUTION = 0.01
"""Seconds."""

ENTRY = np.dtype([("first", "<i8"), ("time", "<f8")])
PART = Part(ENTRY.itemsize, 64)
_LETTER = "b"


class BlockWriter:
    """Adds entries; published before the count of the items they speak of."""

    __slots__ = ("_column", "_count", "_words")

    def __init__(self, head: Head, allocate: Allocate) -> None:
        self._column = ColumnWriter(head, 0, _LETTER, ENTRY, (), allocate)
        self._words = head.words
        self._count = 0

    def note(self, first: int, now: float) -> float:
        """Start an entry; return the time from which on the next one is due."""
        self._column.write(self._count, np.array([(first, now)], ENTRY))
        self._count += 1
        self._words[BLOCKS] = self._count
        return now + RESOLUTION

    def close(self) -> None:
        """Wait for allocations under way."""
        self._column.close()


class BlockReader:
    """Looks entries up."""

    def __init__(self, head: Head, folder: Path) -> None:
        self._column = ColumnReader(head, folder, 0, _LETTER, ENTRY, ())
        self._words = head.words

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Acknowledge time of each published item from ``start`` to ``stop``."""
        entries = self._column.read(0, self._words[BLOCKS])
        row = np.searchsorted(entries["first"], np.arange(start, stop), side="right") - 1
        times: NDArray[np.float64] = entries["time"][row]
        return times

    def time(self, index: int) -> float:
        """Acknowledge time of one published item; cheap for the newest ones."""
        last = self._words[BLOCKS]
        for k in range(last - 1, max(-1, last - 5), -1):
            entry = self._column.contiguous(k, k + 1)[0]
            if entry["first"] <= index:
                return float(entry["time"])
        return float(self.times(index, index + 1)[0])
