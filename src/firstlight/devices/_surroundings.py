"""What devices are built into."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from firstlight.model import Clock, NotFound, OutOfBand, RealClock

if TYPE_CHECKING:
    from firstlight.devices.sim import MemoryBoard


@dataclass(frozen=True)
class Surroundings:
    """What the devices of one session share: clock, board, and each other.

    :param board: where simulated devices publish; None for a new one in this process's memory. With a ``SharedBoard``
        devices get an out-of-band stop, and cameras in other processes see them.
    :param devices: those built so far, by name: what calculated axes and other devices made of devices are built on.
        It may be a mapping that builds what is asked for.
    """

    clock: Clock = field(default_factory=RealClock)
    board: MemoryBoard = field(default_factory=lambda: _memory_board())
    devices: Mapping[str, Any] = field(default_factory=dict)

    def device(self, name: str) -> Any:
        """Another device of the session, or a part of one: ``slits.gap``.

        :raises NotFound: with the nearest name.
        """
        whole, _, part = name.partition(".")
        try:
            found = self.devices[whole]
            return found.axes[part] if part else found
        except (KeyError, AttributeError):
            close = difflib.get_close_matches(name, list(self.devices), n=1)
            known = ", ".join(self.devices) or "none"
            hint = f"Did you mean {close[0]}?" if close else f"There are, so far: {known}."
            raise NotFound(f"There is no device {name}.", hint=hint) from None

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
