"""What the producing ends of all channels share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firstlight.buffer._blocks import BlockWriter
from firstlight.buffer._column import Allocate
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import Head
from firstlight.model import ChannelSpec, Conflict


@dataclass(frozen=True, slots=True)
class Place:
    """Where a writer lives.

    :param head: the mapped head of its channel, visible.
    :param allocate: makes its segments.
    :param bell: the doorbell of its run.
    :param now: the clock of its run.
    :param spill: folder on disk for what the memory can not hold.
    """

    head: Head
    allocate: Allocate
    bell: Doorbell
    now: Callable[[], float]
    spill: Path


class ChannelWriter:
    """Common part of :class:`LogWriter`, :class:`RaggedWriter` and :class:`RingWriter`.

    A writer belongs to one thread at a time.
    """

    __slots__ = ("_bell", "_blocks", "_count", "_due", "_flag", "_head", "_now", "_words", "spec")

    def __init__(self, place: Place) -> None:
        self.spec: ChannelSpec = place.head.spec
        """What the channel is."""
        self._head = place.head
        self._words = place.head.words
        self._blocks = BlockWriter(place.head, place.allocate)
        self._bell = place.bell
        self._flag = place.bell.flag
        self._now = place.now
        self._count = 0
        self._due = float("-inf")

    @property
    def name(self) -> str:
        """Name of the channel."""
        return self.spec.name

    @property
    def count(self) -> int:
        """Items acknowledged so far."""
        return self._count

    @property
    def sealed(self) -> bool:
        """Whether the channel has ended."""
        return self._head.sealed

    def seal(self, reason: str = "") -> None:
        """End the channel: no item will follow. The first reason stands; empty is the normal end."""
        self._close()
        self._head.seal(reason)
        self._bell.ring()

    def _close(self) -> None:
        """Refuse further items and stop helpers."""
        self._blocks.close()

    def _refuse(self) -> Conflict:
        return Conflict(f"Channel {self.name} is sealed: {self._head.reason or 'it has ended'}.")
