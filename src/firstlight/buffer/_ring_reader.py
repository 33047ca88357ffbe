"""The reading end of a ring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._channel import ChannelReader
from firstlight.buffer._column import ColumnReader
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import MISSING, OLDEST, Head
from firstlight.buffer._mapping import Mapping
from firstlight.buffer._memory import Segment
from firstlight.buffer._ring import (
    GENERATIONS_COLUMN,
    MISSING_COLUMN,
    MISSING_ITEM,
    MISSING_LETTER,
    SLOTS_FILE,
    frames,
    generations,
)
from firstlight.buffer._spill import SpillReader
from firstlight.buffer._words import WORD, snapshot
from firstlight.model import Block, IndexNoLongerThere, NotFound


class RingReader(ChannelReader):
    """A ring: what is not in its slots is looked for in the spill."""

    def __init__(self, head: Head, channels: Path, bell: Doorbell) -> None:
        super().__init__(head, channels, bell)
        self._dtype, self._shape = np.dtype(self.spec.dtype), self.spec.shape
        self._generations, slots = generations(head)
        self._all = snapshot(head.first_part(GENERATIONS_COLUMN)[0][: slots * WORD])
        try:
            self._segment = Segment(Mapping.open(channels / f"{self.spec.name}.{SLOTS_FILE}"))
        except NotFound as error:
            raise self._gone(0) from error
        self._epoch = head.epoch
        self._frames = frames(self._segment, self._dtype, self._shape, slots)
        self._last = 0
        self._spill = SpillReader(head, channels, Path(head.description["spill"]))
        self._missing = ColumnReader(head, channels, MISSING_COLUMN, MISSING_LETTER, MISSING_ITEM, ())

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self._frames)

    @property
    def first(self) -> int:
        oldest: int = self._words[OLDEST]
        # What was spilled or is missing counts as far back as it joins what is in memory without a gap.
        known = np.concatenate([self._spill.items(), self._missing.read(0, self._words[MISSING])])
        below = np.sort(known[known < oldest])
        joined = below[below == oldest - np.arange(len(below), 0, -1)]
        return oldest - len(joined)

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        items = self._missing.read(0, self._words[MISSING])
        return items[np.searchsorted(items, start) : np.searchsorted(items, stop)]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        self.check(start, stop)
        result: NDArray[Any] = np.empty((stop - start, *self._shape), self._dtype)
        for item in range(start, stop):
            if not self._copy(item, result[item - start : item - start + 1]):
                raise self._gone(item)
        return result

    def latest(self) -> Block | None:
        block = None
        while block is None and (count := self.count):
            try:
                block = super().latest()
            except IndexNoLongerThere:
                # The producer overtook the copy, so there is a newer one; unless the run was removed.
                if self.count == count:
                    raise
        return block

    def view(self, start: int, stop: int) -> NDArray[Any] | None:
        self.check(start, stop)
        slot = self._find(start)
        if slot is None:
            return None
        n = 1
        while n < stop - start and slot + n < len(self._frames) and self._generations[slot + n] == start + n + 1:
            n += 1
        view = self._frames[slot : slot + n]
        view.flags.writeable = False
        return view

    def _find(self, item: int) -> int | None:
        """The slot that holds an item now."""
        generation = item + 1
        guess = (self._last + 1) % len(self._frames)
        if self._generations[guess] != generation:
            found = np.flatnonzero(self._all == generation)
            if not len(found):
                return None
            guess = int(found[0])
            if self._generations[guess] != generation:
                return None
        self._last = guess
        return guess

    def _copy(self, item: int, out: NDArray[Any]) -> bool:
        slot = self._find(item)
        if slot is not None:
            out[0] = self._frames[slot]
            # Recycled while it was copied: the copy may be torn. The producer clears the generation before it writes.
            if self._generations[slot] == item + 1 and self._segment.epoch == self._epoch:
                return True
        # An item leaves its slot after it is in the spill, so it is there if it is anywhere.
        frame = self._spill.read(item)
        if frame is not None:
            out[0] = frame
            return True
        if len(self.missing(item, item + 1)):
            out[0] = self.spec.fill
            return True
        return False

    def _gone(self, item: int) -> IndexNoLongerThere:
        return IndexNoLongerThere(
            f"{self.name}: the memory of item {item} was released.", hint="Read it from its file, if the run was saved."
        )
