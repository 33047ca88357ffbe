"""Columns: arrays that only grow, kept in segments of growing size.

Part 0 lies in the channel's head. Part k >= 1 is a file ``<channel>.<letter><k>`` of 64 KiB · 2^(k-1) bytes, at most
64 MiB (or the power of two that holds one item): powers of two, so that segments of one run fit the next. Everybody
computes from the capacity of part 0 and the size of an item where item i lies. A part exists before the count that
makes its items visible is stored.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._head import Head
from firstlight.buffer._mapping import Mapping
from firstlight.buffer._memory import SEGMENT_HEADER, Segment
from firstlight.model import FirstlightError, IndexNoLongerThere, NotFound

SMALLEST = 64 * 1024
LARGEST = 64 * 1024 * 1024
_AHEAD = 256 * 1024
"""Parts of this size and more are allocated by a thread before they are needed: fresh pages come at 0.4 GB/s."""

Allocate = Callable[[str, int], Segment]
"""Makes a segment from its suffix (letter and number) and its size."""


class Geometry:
    """Where the items of a column lie."""

    __slots__ = ("_starts", "item_nbytes")

    def __init__(self, item_nbytes: int, first: int) -> None:
        self.item_nbytes = item_nbytes
        self._starts = [0, first]

    def part_nbytes(self, k: int) -> int:
        """Size of the file of part ``k`` >= 1."""
        one = 1 << (self.item_nbytes + SEGMENT_HEADER - 1).bit_length()
        return max(min(SMALLEST << min(k - 1, 40), LARGEST), one)

    def start(self, k: int) -> int:
        """Index of the first item of part ``k``."""
        while len(self._starts) <= k:
            part = len(self._starts) - 1
            self._starts.append(self._starts[-1] + (self.part_nbytes(part) - SEGMENT_HEADER) // self.item_nbytes)
        return self._starts[k]

    def part_of(self, index: int) -> int:
        """The part that holds an item."""
        while self._starts[-1] <= index:
            self.start(len(self._starts))
        return bisect_right(self._starts, index) - 1


class ColumnWriter:
    """The growing end of a column; one thread.

    :ivar array: items of the current part.
    :ivar base: index of its first item.
    :ivar limit: up to here items can be stored into ``array`` without :meth:`write`.
    """

    __slots__ = (
        "_allocate",
        "_dtype",
        "_end",
        "_geometry",
        "_letter",
        "_part",
        "_ready",
        "_shape",
        "_thread",
        "array",
        "base",
        "limit",
    )

    def __init__(
        self, head: Head, column: int, letter: str, dtype: np.dtype[Any], shape: tuple[int, ...], allocate: Allocate
    ) -> None:
        memory, capacity = head.first_part(column)
        self._dtype, self._shape, self._letter, self._allocate = dtype, shape, letter, allocate
        self._geometry = Geometry(item_nbytes(dtype, shape), capacity)
        self._part = 0
        self._ready: dict[int, Segment] = {}
        self._thread: threading.Thread | None = None
        self.array: NDArray[Any] = items(memory, 0, capacity, dtype, shape)
        self.base = 0
        self._end = self.limit = capacity

    def write(self, start: int, values: NDArray[Any]) -> None:
        """Store items from index ``start`` on, which must not be below ``base``.

        :raises StorageFull: when a segment can not be had; then nothing was stored, and ``base`` is what it was.
        """
        if start + len(values) > self._end:
            self.reserve(start + len(values))
        while len(values):
            while start >= self.limit:
                self._grow()
            n = min(self.limit - start, len(values))
            self.array[start - self.base : start - self.base + n] = values[:n]
            values = values[n:]
            start += n

    def reserve(self, upto: int) -> None:
        """Allocate the parts that hold the items below ``upto`` now: storing them can not fail any more.

        :raises StorageFull: when a segment can not be had.
        """
        self._join()
        for part in range(self._part + 1, self._geometry.part_of(max(upto - 1, 0)) + 1):
            if part not in self._ready:
                self._ready[part] = self._make(part)

    def close(self) -> None:
        """Wait for an allocation under way, so that nothing is made in a folder that may be removed."""
        self._join()

    def _join(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _grow(self) -> None:
        if self.limit < self._end:
            # Half full: let a thread get the next part, and go on to the end of this one.
            self.limit = self._end
            following = self._part + 1
            if following not in self._ready:
                self._thread = threading.Thread(target=self._prepare, args=(following,), daemon=True)
                self._thread.start()
            return
        part = self._part + 1
        self._join()
        segment = self._ready.pop(part, None) or self._make(part)
        first, end = self._geometry.start(part), self._geometry.start(part + 1)
        self.array = items(segment.mapping.memory, SEGMENT_HEADER, end - first, self._dtype, self._shape)
        self._part, self.base, self._end = part, first, end
        soft = (first + end) // 2 if self._geometry.part_nbytes(part + 1) >= _AHEAD else end
        self.limit = soft if soft > first else end

    def _make(self, part: int) -> Segment:
        return self._allocate(f"{self._letter}{part}", self._geometry.part_nbytes(part))

    def _prepare(self, part: int) -> None:
        try:
            self._ready[part] = self._make(part)
        except (FirstlightError, OSError):
            # The writer tries again when it needs the part, and raises there.
            return


class ColumnReader:
    """Any part of a column, mapped when it is asked for; knows nothing of counts."""

    def __init__(
        self, head: Head, folder: Path, column: int, letter: str, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        memory, capacity = head.first_part(column)
        self._epoch, self._stem = head.epoch, f"{folder}/{head.spec.name}.{letter}"
        self._name, self._dtype, self._shape = head.spec.name, dtype, shape
        self._geometry = Geometry(item_nbytes(dtype, shape), capacity)
        array = items(memory, 0, capacity, dtype, shape)
        array.flags.writeable = False
        self._parts: dict[int, tuple[NDArray[Any], Segment | None]] = {0: (array, None)}

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Copy of the items ``start`` to ``stop``, which must have been published.

        :raises IndexNoLongerThere: when the run was removed meanwhile.
        """
        part = self._geometry.part_of(start)
        array, segment = self._parts.get(part) or self._open(part)
        first = start - self._geometry.start(part)
        inside = array[first : first + stop - start]
        if len(inside) == stop - start:
            whole: NDArray[Any] = inside.copy()
            if segment is None or segment.epoch == self._epoch:
                return whole
        result: NDArray[Any] = np.empty((stop - start, *self._shape), self._dtype)
        done = start
        while done < stop:
            view = self.contiguous(done, stop)
            result[done - start : done - start + len(view)] = view
            done += len(view)
        for part in range(self._geometry.part_of(start), self._geometry.part_of(max(start, stop - 1)) + 1):
            segment = self._parts[part][1] if part in self._parts else None
            if segment is not None and segment.epoch != self._epoch:
                raise self._gone()
        return result

    def contiguous(self, start: int, stop: int) -> NDArray[Any]:
        """Read-only view of as many items from ``start`` on as one part holds, at most to ``stop``."""
        part = self._geometry.part_of(start)
        array, _ = self._parts.get(part) or self._open(part)
        base = self._geometry.start(part)
        return array[start - base : stop - base]

    def _open(self, part: int) -> tuple[NDArray[Any], Segment | None]:
        try:
            segment = Segment(Mapping.open(Path(f"{self._stem}{part}")))
        except NotFound as error:
            raise self._gone() from error
        if segment.epoch != self._epoch:
            raise self._gone()
        count = self._geometry.start(part + 1) - self._geometry.start(part)
        array = items(segment.mapping.memory, SEGMENT_HEADER, count, self._dtype, self._shape)
        self._parts[part] = array, segment
        return array, segment

    def _gone(self) -> IndexNoLongerThere:
        return IndexNoLongerThere(f"{self._name}: its run was removed from the buffer.", hint="Read it from its file.")


def item_nbytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Bytes of one item."""
    return math.prod(shape) * dtype.itemsize


def items(memory: memoryview, offset: int, count: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of items on mapped memory, writable if the memory is."""
    return np.frombuffer(memory, dtype, count * math.prod(shape), offset).reshape((count, *shape))
