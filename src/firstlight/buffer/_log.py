"""Logs: items of one fixed shape, contiguous in segments, all kept until their run is removed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.buffer._column import ColumnWriter
from firstlight.buffer._head import COUNT, Part
from firstlight.buffer._writer import ChannelWriter, Place
from firstlight.model import ChannelSpec, InvalidInput

VALUES_COLUMN, VALUES_LETTER = 1, "v"
_FIRST_NBYTES = 16 * 1024
_LARGEST_FIRST = 64 * 1024
_CELLS = frozenset("bBhHiIlLqQfd")
"""Formats that a memoryview stores by itself, faster than an array does."""


def values_part(spec: ChannelSpec, capacity: int | None) -> Part:
    """The first part of the values: 16 KiB, or ``capacity`` items when those are at most 64 KiB."""
    first = max(1, _FIRST_NBYTES // spec.item_nbytes)
    if capacity is not None and capacity * spec.item_nbytes <= _LARGEST_FIRST:
        first = max(1, capacity)
    return Part(spec.item_nbytes, first)


class LogWriter(ChannelWriter):
    """The producing end of a log."""

    __slots__ = ("_array", "_base", "_cells", "_column", "_dtype", "_limit", "_shape")

    def __init__(self, place: Place, capacity: int | None) -> None:
        super().__init__(place)
        self._dtype = np.dtype(self.spec.dtype)
        self._shape = self.spec.shape
        self._column = ColumnWriter(place.head, VALUES_COLUMN, VALUES_LETTER, self._dtype, self._shape, place.allocate)
        if capacity is not None:
            self._column.reserve(capacity)
        self._look()

    def append(self, values: NDArray[Any]) -> int:
        """Acknowledge a block.

        :param values: ``(n, *item shape)``, of the channel's dtype or one that casts to it without a change of kind.
        :return: items acknowledged so far; when this returns, the block survives ``kill -9``.
        :raises InvalidInput: for another shape or dtype.
        :raises StorageFull: when there is no room; nothing of the block is acknowledged.
        :raises Conflict: when the channel is sealed.
        """
        start = self._count
        try:
            stop = start + len(values)
        except TypeError:
            values = checked(self.spec, self._dtype, self._shape, values)
            stop = start + len(values)
        # Whatever can fail comes before the block becomes visible; a note without its items does no harm.
        now = self._now()
        if now >= self._due:
            self._due = self._note(start, now)
        cells = self._cells
        if stop > self._limit or cells is None:
            self._write(start, values)
        else:
            base = self._base
            try:
                # A memoryview refuses other formats, lengths and dimensions by itself, and copies faster than an array.
                cells[start - base : stop - base] = values  # type: ignore[call-overload]
            except (TypeError, ValueError):
                self._write(start, values)
        self._count = stop
        self._words[COUNT] = stop
        if self._limit < 0:
            raise self._refuse()  # sealed by another thread at this instant
        if self._flag[0]:
            self._bell.ring()
        return stop

    def append_one(self, value: Any) -> int:
        """Acknowledge one item; the fast path for a scalar.

        :raises InvalidInput: when the value does not fit the dtype.
        """
        start = self._count
        if start >= self._limit or self._cells is None:
            return self.append(self._block_of(value))
        now = self._now()
        if now >= self._due:
            self._due = self._note(start, now)
        try:
            self._cells[start - self._base] = value
        except (TypeError, ValueError):
            return self.append(self._block_of(value))
        self._count = start = start + 1
        self._words[COUNT] = start
        if self._limit < 0:
            raise self._refuse()
        if self._flag[0]:
            self._bell.ring()
        return start

    def _note(self, first: int, now: float) -> float:
        if self._limit < 0:
            raise self._refuse()
        return self._blocks.note(first, now)

    def _block_of(self, value: Any) -> NDArray[Any]:
        return checked(self.spec, self._dtype, self._shape, np.asarray(value)[np.newaxis])

    def _write(self, start: int, values: NDArray[Any]) -> None:
        if self._limit < 0:
            raise self._refuse()
        block = checked(self.spec, self._dtype, self._shape, values)
        if start + len(block) > self._limit:
            self._column.write(start, block)
            self._look()
        else:
            self._array[start - self._base : start - self._base + len(block)] = block

    def _look(self) -> None:
        self._array, self._base, self._limit = self._column.array, self._column.base, self._column.limit
        scalar = self._shape == () and self._dtype.isnative and self._dtype.char in _CELLS
        self._cells = self._array.data if scalar else None

    def _close(self) -> None:
        self._limit = -1
        self._column.close()
        super()._close()


def checked(spec: ChannelSpec, dtype: np.dtype[Any], shape: tuple[int, ...], values: ArrayLike) -> NDArray[Any]:
    """The block as an array of the channel's dtype and item shape, or the error that says what is wrong."""
    array = np.asarray(values)
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        raise InvalidInput(
            f"Channel {spec.name} takes blocks of shape (n, {', '.join(map(str, shape))}), not {array.shape}."
            if shape
            else f"Channel {spec.name} takes 1-D blocks of scalars, not arrays of shape {array.shape}."
        )
    if not _keeps_values(array, dtype):
        raise InvalidInput(
            f"Channel {spec.name} keeps {dtype.str}; this {array.dtype.str} block would change its values."
        )
    return array.astype(dtype, copy=False)


def _keeps_values(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    if array.dtype.kind in "iu" and dtype.kind in "iu":
        # Python integers arrive as int64; they may go into any integer channel that can hold them.
        if np.can_cast(array.dtype, dtype, "safe") or not array.size:
            return True
        limits = np.iinfo(dtype)
        return bool(limits.min <= array.min() and array.max() <= limits.max)
    return bool(np.can_cast(array.dtype, dtype, "same_kind"))
