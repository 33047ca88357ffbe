"""Rings: frames in recycled slots.

A slot's generation is the index of its item plus one, 0 while it holds none. An item leaves its slot only when every
retaining reader of the run has released it or a spill file holds it, and no reader has it pinned. Slots are not tied to
indices: a pinned slot stays out of circulation, and the others go round.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._column import ColumnWriter
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import (
    COUNT,
    MISSING,
    OLDEST,
    PINNED_FROM,
    PINNED_UNTIL,
    READER,
    RELEASED,
    ROOM_BELL,
    Head,
    Part,
)
from firstlight.buffer._log import checked
from firstlight.buffer._mapping import PAGE
from firstlight.buffer._memory import Segment
from firstlight.buffer._policy import BackPressure, RingBusy
from firstlight.buffer._spill import SpillRoom, SpillWriter
from firstlight.buffer._words import LINE, WORD, Fence, words
from firstlight.buffer._writer import ChannelWriter, Place
from firstlight.model import FirstlightError, InvalidInput

GENERATIONS_COLUMN = 1
MISSING_COLUMN, MISSING_LETTER = 2, "m"
MISSING_ITEM = np.dtype("<i8")
MISSING_PART = Part(MISSING_ITEM.itemsize, 32)
SLOTS_FILE = "s1"


def stride(item_nbytes: int) -> int:
    """Bytes from slot to slot."""
    return -(-item_nbytes // 64) * 64


def slots_nbytes(item_nbytes: int, slots: int) -> int:
    """Size of the file of all slots."""
    return -(-(PAGE + slots * stride(item_nbytes)) // PAGE) * PAGE


def frames(segment: Segment, dtype: np.dtype[Any], shape: tuple[int, ...], slots: int) -> NDArray[Any]:
    """All slots as one array ``(slots, *shape)``; writable if the mapping is."""
    one = np.empty(shape, dtype).strides if shape else ()
    nbytes = math.prod(shape) * dtype.itemsize
    return np.ndarray((slots, *shape), dtype, segment.mapping.memory, PAGE, (stride(nbytes), *one))


def generations(head: Head) -> tuple[memoryview, int]:
    """The generation words of a ring, and how many slots it has."""
    memory, slots = head.first_part(GENERATIONS_COLUMN)
    return words(memory[: slots * WORD]), slots


class RingWriter(ChannelWriter):
    """The producing end of a ring."""

    def __init__(self, place: Place, segment: Segment, policy: BackPressure, room: SpillRoom) -> None:
        super().__init__(place)
        head = place.head
        self._dtype, self._shape = np.dtype(self.spec.dtype), self.spec.shape
        self._generations, self._slots = generations(head)
        self._frames = frames(segment, self._dtype, self._shape, self._slots)
        self._policy = policy
        self._readers = [READER + r * LINE for r in range(len(head.readers))]
        self._room = Doorbell(head.mapping, ROOM_BELL)
        self._fence = Fence()
        self._free = deque(range(self._slots))
        # A share only: whoever looks back finds the rest of the ring full.
        self._batch = max(1, self._slots // 4)
        self._held: deque[tuple[int, int, float]] = deque()  # item, slot, time
        self._pinned: list[tuple[int, int]] = []
        self._taken: deque[int] = deque()
        self._scratch: NDArray[Any] | None = None
        self._missing = ColumnWriter(head, MISSING_COLUMN, MISSING_LETTER, MISSING_ITEM, (), place.allocate)
        self._dropped = 0
        self._closed = False
        # Shared with the spilling thread, under the mutex.
        self._mutex = threading.Lock()
        self._spill = SpillWriter(head, place.spill, room, place.allocate)
        self._spilled_until = 0
        self._spilling = -1
        self._spill_error: FirstlightError | None = None
        self._poke = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Frames that were not kept; each is recorded as missing."""
        return self._dropped

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self._slots

    def slot(self, timeout: float | None = None) -> NDArray[Any]:
        """The slot of the next frame, writable, its old contents undefined; the same one until :meth:`commit`.

        Waits for the spill (``SPILL``) or for the readers (``BLOCK``) when none is free.

        :param timeout: seconds to wait; None waits as long as it takes.
        :raises RingBusy: when the timeout is over.
        :raises StorageFull: when no slot is free and the spill is full.
        :raises Conflict: when the channel is sealed.
        """
        if self._closed:
            raise self._refuse()
        if not self._taken and self._scratch is None:
            self._take(timeout)
        if self._scratch is not None:
            return self._scratch
        # The ellipsis makes a view even of a scalar.
        return self._frames[self._taken[0], ...]

    def several(self, n: int, timeout: float | None = None) -> NDArray[Any]:
        """Slots of the next frames, as many as lie side by side: ``(k, *item shape)`` with 1 <= k <= n.

        Commit any number of them, in order. Errors as :meth:`slot`.
        """
        first = self.slot(timeout)
        if self._scratch is not None:
            return first[np.newaxis]
        while len(self._taken) < n:
            slot = self._try(after=self._taken[-1])
            if slot is None:
                break
            self._taken.append(slot)
        return self._frames[self._taken[0] : self._taken[0] + min(n, len(self._taken))]

    def commit(self, n: int = 1) -> int:
        """Acknowledge the frame in :meth:`slot` (the first ``n`` in :meth:`several`); return the number of all frames.

        :raises InvalidInput: when fewer slots were asked for.
        """
        start = self._count
        now = self._now()
        with self._mutex:
            if self._closed:
                raise self._refuse()
            if self._scratch is None and not 0 <= n <= len(self._taken):
                raise InvalidInput(f"Channel {self.name}: {n} frames to commit, {len(self._taken)} slots were taken.")
            # Whatever can fail comes before the frame becomes visible.
            if now >= self._due:
                self._due = self._blocks.note(start, now)
            if self._scratch is not None:
                self._missing.write(self._dropped, np.array([start], MISSING_ITEM))
                self._scratch = None
                self._dropped += 1
                self._words[MISSING] = self._dropped
                n = 1
            else:
                for item in range(start, start + n):
                    slot = self._taken.popleft()
                    self._generations[slot] = item + 1
                    self._held.append((item, slot, now))
            self._count = start + n
            self._words[COUNT] = self._count
        if self._flag[0]:
            self._bell.ring()
        if self._policy is BackPressure.SPILL and self._lagging():
            self._wake_spiller()
        return self._count

    def append(self, values: NDArray[Any], timeout: float | None = None) -> int:
        """Copy frames in and acknowledge them one by one.

        :param values: ``(n, *item shape)``.
        """
        for frame in checked(self.spec, self._dtype, self._shape, values):
            self.slot(timeout)[...] = frame
            self.commit()
        return self._count

    # -- slots

    def _take(self, timeout: float | None) -> None:
        if self._policy is BackPressure.DEGRADE and self._thinned():
            self._scratch = np.empty(self._shape, self._dtype)
            return
        slot = self._try()
        if slot is None and self._policy in (BackPressure.DROP, BackPressure.DEGRADE):
            self._scratch = np.empty(self._shape, self._dtype)
            return
        if slot is None:
            found: list[int] = []
            # An earlier failure may be over: the spill tries again, and only what fails from now on counts.
            self._spill_error = None

            def freed() -> bool:
                if self._closed:
                    raise self._refuse()
                one = self._try()
                if one is not None:
                    found.append(one)
                elif self._policy is BackPressure.SPILL:
                    if self._spill_error is not None:
                        raise self._spill_error
                    self._wake_spiller()
                return one is not None

            if not self._room.wait(freed, float("inf") if timeout is None else timeout):
                raise RingBusy(
                    f"No slot of {self.name} became free in {timeout} s.", hint="Its readers are too slow, or stopped."
                )
            slot = found[0]
        self._taken.append(slot)

    def _try(self, after: int | None = None) -> int | None:
        """A free slot, the one behind ``after`` if given."""
        with self._mutex:
            if not self._free:
                self._reclaim()
            if not self._free or (after is not None and self._free[0] != after + 1):
                return None
            return self._free.popleft()

    def _needed_from(self) -> int:
        """The first item that a retaining reader has not released."""
        w = self._words
        return min((w[r + RELEASED] for r in self._readers), default=self._count)

    def _reclaim(self) -> None:
        if self._pinned:
            pinned, self._pinned = self._pinned, []
            for item, slot in pinned:
                if self._is_pinned(item):
                    self._pinned.append((item, slot))
                else:
                    self._free.append(slot)
        keep_from = max(self._needed_from(), self._spilled_until)
        while not self._free and (batch := self._releasable(keep_from)):
            self._words[OLDEST] = self._held[0][0] if self._held else self._count
            for _, slot in batch:
                self._generations[slot] = 0
            # A reader pins first and looks at the generation then; here it is the other way round. With a barrier on
            # both sides at least one of the two sees the other.
            self._fence()
            for item, slot in batch:
                if self._is_pinned(item):
                    self._pinned.append((item, slot))
                else:
                    self._free.append(slot)

    def _releasable(self, keep_from: int) -> list[tuple[int, int]]:
        """Take the oldest items below ``keep_from`` out, with their slots; several at once, which costs hardly more."""
        held = self._held
        batch: list[tuple[int, int]] = []
        while held and len(batch) < self._batch and held[0][0] < keep_from and held[0][0] != self._spilling:
            item, slot, _ = held.popleft()
            batch.append((item, slot))
        return batch

    def _is_pinned(self, item: int) -> bool:
        w = self._words
        return any(w[r + PINNED_FROM] <= item < w[r + PINNED_UNTIL] for r in self._readers)

    def _occupied(self) -> int:
        """Slots that can not be recycled now."""
        if not self._held:
            return len(self._pinned)
        oldest = self._held[0][0]
        keep_from = max(self._needed_from(), self._spilled_until, oldest)
        return min(self._count - keep_from, len(self._held)) + len(self._pinned)

    def _thinned(self) -> bool:
        occupied = self._occupied() / self._slots
        step = 1 if occupied < 0.5 else 2 if occupied < 0.75 else 4 if occupied < 0.875 else 8
        return self._count % step != 0

    # -- spilling

    def _lagging(self) -> bool:
        return self._slots - self._occupied() < max(1, self._slots // 4)

    def _wake_spiller(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._spill_loop, name=f"spill-{self.name}", daemon=True)
            self._thread.start()
        self._poke.set()

    def _spill_loop(self) -> None:
        while True:
            self._poke.wait()
            self._poke.clear()
            if self._closed:
                return
            try:
                while self._spill_one():
                    self._room.ring()
            except FirstlightError as error:
                self._spill_error = error
                self._room.ring()
            except OSError as error:
                self._spill_error = FirstlightError(f"{self.name}: the spill failed: {error}.")
                self._room.ring()

    def _spill_one(self) -> bool:
        """Move the oldest frame that somebody needs to disk, if slots are scarce."""
        with self._mutex:
            if self._closed or not self._lagging() or not self._held:
                return False
            needed = self._needed_from()
            item = max(needed, self._spilled_until, self._held[0][0])
            position = item - self._held[0][0]
            if position >= len(self._held):
                return False
            _, slot, time = self._held[position]
            self._spilling = item
        try:
            self._spill.write(item, self._frames[slot], time, needed)
        finally:
            with self._mutex:
                self._spilling = -1
        self._spilled_until = item + 1
        return True

    def _close(self) -> None:
        with self._mutex:
            self._closed = True
        if self._thread is not None:
            self._poke.set()
            self._thread.join()
        self._spill.close()
        self._missing.close()
        super()._close()


__all__ = ["RingWriter", "frames", "generations", "slots_nbytes", "stride"]
