"""What devices are built into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firstlight.model import Clock, OutOfBand, RealClock

if TYPE_CHECKING:
    from firstlight.devices.sim import MemoryBoard


@dataclass(frozen=True)
class Surroundings:
    """Clock and board that the devices of one session share.

    :param board: where simulated devices publish; None for a new one in this process's memory. With a ``SharedBoard``
        devices get an out-of-band stop, and cameras in other processes see them.
    """

    clock: Clock = field(default_factory=RealClock)
    board: MemoryBoard = field(default_factory=lambda: _memory_board())

    def out_of_band(self, function: str, device: str) -> OutOfBand | None:
        """The stop of a device by the guard: ``function`` of ``devices.sim``; None when nothing is published."""
        from firstlight.devices.sim import SharedBoard

        if not isinstance(self.board, SharedBoard):
            return None
        return OutOfBand(
            f"firstlight.devices.sim:{function}",
            {"buffer": str(self.board.root), "run": self.board.member.key, "device": device},
        )


def _memory_board() -> MemoryBoard:
    from firstlight.devices.sim import MemoryBoard

    return MemoryBoard()
