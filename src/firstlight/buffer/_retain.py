"""Retaining readers: what they have not released stays readable, whatever happens to anybody."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from firstlight.buffer._channel import ChannelReader, open_channel
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import PINNED_FROM, PINNED_UNTIL, READER, RELEASED, ROOM_BELL, Head
from firstlight.buffer._locks import Lock
from firstlight.buffer._ring_reader import RingReader
from firstlight.buffer._words import FAR, LINE, Fence
from firstlight.model import Conflict, IndexNoLongerThere, InvalidInput, Ragged

Pin = tuple[int, int]
"""First item that must stay where it is, and the one behind the last."""


class View:
    """A range of items that stays valid inside ``with``; made by :meth:`RetainingReader.view`."""

    __slots__ = ("_grip", "_pin", "_start", "_stop", "_use", "_values")

    def __init__(self, grip: Grip, use: Use, start: int, stop: int) -> None:
        self._grip, self._use, self._start, self._stop = grip, use, start, stop
        self._pin: Pin | None = None

    def __enter__(self) -> NDArray[Any] | Ragged:
        self._use.begin()
        try:
            self._values, self._pin = self._grip.take(self._start, self._stop)
        except BaseException:
            self._use.end()
            raise
        return self._values

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._values
        pin, self._pin = self._pin, None
        try:
            if pin is not None:
                self._grip.drop(pin)
        finally:
            self._use.end()


class Use:
    """A reader's name in use: given free once it is closed and nothing that was begun before is still under way.

    Released positions and pins are words that a successor of the name owns as soon as the lock is free.
    """

    def __init__(self, name: str, lock: Lock) -> None:
        self._name = name
        self._file = lock
        self._lock = threading.Lock()
        self._count = 0
        self._closed = False

    def begin(self) -> None:
        """Something begins that reads or writes what the name stands for.

        :raises Conflict: when the reader is closed.
        """
        with self._lock:
            if self._closed:
                raise Conflict(f"The retaining reader {self._name!r} is closed.")
            self._count += 1

    def end(self) -> None:
        """It is over."""
        with self._lock:
            self._count -= 1
            free = self._closed and not self._count
        if free:
            self._file.release()

    def close(self) -> None:
        """Nothing begins any more; idempotent."""
        with self._lock:
            self._closed = True
            free = not self._count
        if free:
            self._file.release()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class Grip:
    """One retaining reader's hold on one channel: its released position and its pins."""

    def __init__(self, channel: ChannelReader, head: Head, place: int) -> None:
        self.channel = channel
        self._words = head.words
        self._at = READER + place * LINE
        self._quota = 0
        self._room: Doorbell | None = None
        if isinstance(channel, RingReader):
            # All readers together can never pin a whole ring.
            self._quota = max(1, channel.slots // (2 * len(head.readers)))
            self._room = Doorbell(head.mapping, ROOM_BELL)
        self._fence = Fence()
        self._open: list[Pin] = []
        self._lock = threading.Lock()
        # What a killed predecessor had pinned.
        self._words[self._at + PINNED_FROM] = FAR
        self._words[self._at + PINNED_UNTIL] = 0

    @property
    def position(self) -> int:
        """Items released."""
        position: int = self._words[self._at + RELEASED]
        return position

    def release(self, upto: int) -> None:
        """Release all items below ``upto``."""
        if not self.position <= upto <= self.channel.count:
            raise InvalidInput(
                f"{self.channel.name}: release up to {upto} is not between {self.position} and {self.channel.count}."
            )
        self._words[self._at + RELEASED] = upto
        if self._room is not None:
            self._room.answer()

    def take(self, start: int, stop: int) -> tuple[NDArray[Any] | Ragged, Pin | None]:
        """Values from ``start`` on, and what was pinned for them, to be dropped with :meth:`drop`: None for a copy."""
        self.channel.check(start, stop)
        if start < self.position:
            raise IndexNoLongerThere(f"{self.channel.name}: item {start} was released by this reader.")
        if stop == start:
            return self.channel.read(start, stop), None
        pin = None
        if self._room is None:
            values = self.channel.view(start, stop)
        else:
            values, pin = self._pinned(start, stop)
        if values is None:
            values = self.channel.read(start, start + 1)
        # Also an empty item, which lies nowhere.
        _freeze(values)
        return values, pin

    def _pinned(self, start: int, stop: int) -> tuple[NDArray[Any] | Ragged | None, Pin | None]:
        with self._lock:
            low = min([start, *(a for a, _ in self._open)])
            high = max([b for _, b in self._open], default=start)
            stop = min(stop, max(low + self._quota, start))
            if stop == start or max(high, stop) - low > self._quota:
                return None, None
            self._pin(low, max(high, stop))
            self._fence()
            values = self.channel.view(start, stop)
            pin = None if values is None else (start, start + len(values))
            if pin is not None:
                self._open.append(pin)
            self._repin()
            return values, pin

    def drop(self, pin: Pin) -> None:
        """End a view of items that were pinned for it."""
        with self._lock:
            self._open.remove(pin)
            self._repin()
            if self._room is not None:
                self._room.answer()

    def _repin(self) -> None:
        if self._open:
            self._pin(min(a for a, _ in self._open), max(b for _, b in self._open))
        else:
            self._words[self._at + PINNED_FROM] = FAR

    def _pin(self, low: int, high: int) -> None:
        # Two words, so the range between the stores is the larger of both, or empty when nothing was pinned before.
        w, at = self._words, self._at
        if high >= w[at + PINNED_UNTIL] or w[at + PINNED_FROM] == FAR:
            w[at + PINNED_UNTIL] = high
            w[at + PINNED_FROM] = low
        else:
            w[at + PINNED_FROM] = low
            w[at + PINNED_UNTIL] = high


class RetainingReader:
    """A reader that a run lists by name: nothing that it has not released is ever taken away.

    One process at a time; its threads may share it, and hold several views. Its released positions are words in the
    heads of the channels: a process that takes over after ``kill -9`` continues there.
    """

    def __init__(self, name: str, channels: Path, bell: Doorbell, lock: Lock) -> None:
        self.name = name
        self._channels, self._bell = channels, bell
        self._use = Use(name, lock)
        self._grips: dict[str, Grip] = {}
        # Two grips on one channel would overwrite each other's pins.
        self._opening = threading.Lock()

    def channel(self, name: str) -> ChannelReader:
        """The channel's reader.

        :raises NotFound: when the channel has not appeared.
        """
        with self._use:
            return self._grip(name).channel

    def position(self, channel: str) -> int:
        """Items of a channel that were released, by this process or by those before it."""
        with self._use:
            return self._grip(channel).position

    def view(self, channel: str, start: int, stop: int) -> View:
        """Items as they lie in memory: use it in a ``with`` statement and nowhere after it.

        Gives a read-only array of shape ``(k, *item shape)`` or a :class:`Ragged`, with 1 <= k <= stop - start: as
        many items as lie side by side (never more than a share of a ring, so that it keeps turning). Frames that were
        spilled are read from disk. Errors as :meth:`ChannelReader.read`.
        """
        with self._use:
            return View(self._grip(channel), self._use, start, stop)

    def release(self, channel: str, upto: int) -> None:
        """Release the items below ``upto``, for ever.

        :raises InvalidInput: when that goes back, or beyond what was acknowledged.
        """
        with self._use:
            self._grip(channel).release(upto)

    def close(self) -> None:
        """Give the name free for another process, once the views that are open now have ended; positions stay."""
        self._use.close()
        self._grips.clear()

    def __enter__(self) -> RetainingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _grip(self, name: str) -> Grip:
        grip = self._grips.get(name)
        if grip is None:
            with self._opening:
                grip = self._grips.get(name)
                if grip is None:
                    channel = open_channel(self._channels, name, self._bell)
                    grip = self._grips[name] = Grip(channel, channel.head, channel.place_of(self.name))
        return grip


def _freeze(values: NDArray[Any] | Ragged) -> None:
    array = values.values if isinstance(values, Ragged) else values
    array.flags.writeable = False
