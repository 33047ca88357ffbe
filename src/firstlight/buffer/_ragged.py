"""Ragged channels: items are 1-D arrays of varying length; values first, then their ends, then one count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._column import ColumnWriter
from firstlight.buffer._head import COUNT, VALUES, Part
from firstlight.buffer._log import VALUES_COLUMN, VALUES_LETTER, checked
from firstlight.buffer._writer import ChannelWriter, Place
from firstlight.model import InvalidInput

END = np.dtype("<i8")
ENDS_COLUMN, ENDS_LETTER = 2, "e"
ENDS_PART = Part(END.itemsize, 1024)


class RaggedWriter(ChannelWriter):
    """The producing end of a ragged channel."""

    __slots__ = ("_closed", "_column", "_dtype", "_ends", "_stored")

    def __init__(self, place: Place, capacity: int | None, values: int | None) -> None:
        super().__init__(place)
        self._dtype = np.dtype(self.spec.dtype)
        self._column = ColumnWriter(place.head, VALUES_COLUMN, VALUES_LETTER, self._dtype, (), place.allocate)
        self._ends = ColumnWriter(place.head, ENDS_COLUMN, ENDS_LETTER, END, (), place.allocate)
        if capacity is not None:
            self._ends.reserve(capacity)
        if values is not None:
            self._column.reserve(values)
        self._stored = 0
        self._closed = False

    def append(self, values: NDArray[Any], lengths: NDArray[np.integer[Any]] | Sequence[int]) -> int:
        """Acknowledge several items.

        :param values: values of all items one after the other, 1-D.
        :param lengths: number of values of each item; they add up to ``len(values)``.
        :return: items acknowledged so far.
        :raises InvalidInput: when the lengths do not fit the values, or the dtype is another one.
        :raises StorageFull: when there is no room; nothing is acknowledged.
        """
        if self._closed:
            raise self._refuse()
        block = checked(self.spec, self._dtype, (), values)
        sizes = np.asarray(lengths)
        if sizes.ndim != 1 or (sizes.size and (sizes.dtype.kind not in "iu" or sizes.min() < 0)):
            raise InvalidInput(f"Channel {self.name}: lengths are a 1-D array of integers that are not negative.")
        if int(sizes.sum()) != len(block):
            raise InvalidInput(f"Channel {self.name}: lengths add up to {sizes.sum()}, but {len(block)} values came.")
        start = self._count
        # Whatever can fail comes before anything is stored.
        now = self._now()
        if now >= self._due:
            self._due = self._blocks.note(start, now)
        self._column.reserve(self._stored + len(block))
        self._ends.reserve(start + len(sizes))
        self._column.write(self._stored, block)
        self._ends.write(start, self._stored + np.cumsum(sizes, dtype=END))
        self._stored += len(block)
        self._words[VALUES] = self._stored
        self._count = start + len(sizes)
        self._words[COUNT] = self._count
        if self._closed:
            raise self._refuse()  # sealed by another thread at this instant
        self._bell.answer()
        return self._count

    def append_one(self, values: NDArray[Any]) -> int:
        """Acknowledge one item."""
        return self.append(values, (len(values),))

    def _close(self) -> None:
        self._closed = True
        self._column.close()
        self._ends.close()
        super()._close()
