"""What a receiver tells about itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firstlight.wire import register


@register
class ReceiverState(StrEnum):
    """What a receiver does."""

    IDLE = "idle"
    """No run."""
    PREPARED = "prepared"
    """It has joined a run and waits for the start."""
    RUNNING = "running"
    COMPLETE = "complete"
    """All frames came; it waits for the stop."""
    STOPPED = "stopped"
    FAILED = "failed"


@register
@dataclass(frozen=True, slots=True)
class Status:
    """A receiver at one moment.

    :param run: key of its run; empty when there was none.
    :param frames: acknowledged, missing ones included.
    :param points: frames asked for; 0 when open-ended.
    :param missing: frames that the source lost; they read as the missing value.
    :param dropped: frames that the ring could not keep; they read as the missing value too.
    :param rate: frames per second, over the last two seconds.
    :param slots: of the ring.
    :param behind: frames that the slowest retaining reader has not released yet.
    :param spilled: bytes of the run that were moved to disk.
    :param message: why it failed; empty otherwise.
    """

    state: ReceiverState
    run: str = ""
    frames: int = 0
    points: int = 0
    missing: int = 0
    dropped: int = 0
    rate: float = 0.0
    slots: int = 0
    behind: int = 0
    spilled: int = 0
    message: str = ""

    @property
    def fill(self) -> float:
        """Part of the ring that readers still need, 0 to 1."""
        return min(1.0, self.behind / self.slots) if self.slots else 0.0
