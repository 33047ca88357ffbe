"""The panel on which faults are set, for every simulated device of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from firstlight.devices._configuration import Configuration, Mention, parse
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.sim._faults import Active, Fault, inject
from firstlight.devices.sim._names import Name
from firstlight.devices.sim._published import MemoryBoard
from firstlight.model import Clock, RealClock


class FaultSettings(Configuration):
    """One fault."""

    device: Mention
    """Name of the device that goes wrong."""
    what: Fault
    """What it does."""
    value: float | None = None
    """How much, where that has a meaning."""
    probability: float = Field(default=1.0, gt=0, le=1)
    """That it happens, each time there is an occasion: a move, a reading, a frame."""
    after: float = Field(default=0.0, ge=0)
    """Seconds from the start of the session."""
    times: int | None = Field(default=None, ge=1)
    """How often at most; always when not given."""
    seed: int = 0
    """Of when it happens."""


class FaultsConfiguration(Configuration):
    """What simulated devices do wrong, and a panel to set it."""

    name: Name
    faults: tuple[FaultSettings, ...] = ()
    """Set from the start."""


class FaultPanel:
    """Sets and clears faults of simulated devices by their names, cameras in other processes included.

    :param board: of the session.
    """

    def __init__(self, name: str, *, clock: Clock | None = None, board: MemoryBoard | None = None) -> None:
        self.name = name
        self._clock: Clock = clock or RealClock()
        self._board = board if board is not None else MemoryBoard()
        self._set: set[str] = set()

    def __repr__(self) -> str:
        words = [f"{device} {what.value}" for device, faults in self.active.items() for what in faults]
        return f"<FaultPanel {self.name}: {', '.join(words) or 'all is well'}>"

    @property
    def active(self) -> dict[str, Mapping[Fault, Active]]:
        """What is set, by device."""
        found = {device: self._board.faults(device) for device in sorted(self._set)}
        return {device: faults for device, faults in found.items() if faults}

    def inject(
        self,
        device: str,
        what: str,
        value: float | None = None,
        *,
        probability: float = 1.0,
        after: float = 0.0,
        times: int | None = None,
        seed: int = 0,
    ) -> None:
        """Let a device go wrong until that is cleared, see :meth:`Faults.inject`.

        :param device: its name; a fault that it does not know has no effect.
        """
        inject(
            self._board, self._clock, device, what, value, probability=probability, after=after, times=times, seed=seed
        )
        self._set.add(device)

    def clear(self, device: str = "") -> None:
        """All is well again, with one device or with all that were set here."""
        for name in [device] if device else sorted(self._set):
            for what in list(self._board.faults(name)):
                self._board.post_fault(name, what, None)

    def truth(self) -> dict[str, Any]:
        """What is set, for the record."""
        return {
            device: {what.value: {"probability": f.probability, "value": f.value} for what, f in faults.items()}
            for device, faults in self.active.items()
        }


def faults(config: Mapping[str, Any], surroundings: Surroundings) -> FaultPanel:
    """Build a ``sim.faults``."""
    c = parse(FaultsConfiguration, config, "sim.faults")
    panel = FaultPanel(c.name, clock=surroundings.clock, board=surroundings.board)
    for fault in c.faults:
        panel.inject(**fault.model_dump())
    return panel
