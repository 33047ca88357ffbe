"""Faults on demand: what simulated devices do wrong when they are told to.

A fault is set for a device by its name on the board, where the device finds it, in whichever process it lives. When it
happens is a function of the seed, the device and how often it was asked, so a test that fails can be repeated.
"""

from __future__ import annotations

import asyncio
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from firstlight.model import Clock, DeviceError, InvalidInput
from firstlight.simulation import key, key_of, uniform

if TYPE_CHECKING:
    from firstlight.devices.sim._published import Board, MemoryBoard


class Fault(StrEnum):
    """What can go wrong; the value of each is what :meth:`Faults.inject` takes."""

    STUCK = "stuck"
    """Axis: it does not move, and its controller notices when it should have arrived. Shutter: it stays as it is."""
    SILENT = "silent"
    """It never answers."""
    MIDWAY = "midway"
    """Axis: it stops after a share of the way, the value (0.5)."""
    SLIPS = "slips"
    """Axis: each move loses steps, the value in units of the axis (0.01), and the controller does not notice."""
    DISCONNECTED = "disconnected"
    """Every call fails."""
    FAILS = "fails"
    """Counter: reading it fails."""
    NAN = "nan"
    """Counter: it reads no number; a spectrum detector loses the point."""
    NOISE = "noise"
    """Counter: more noise, relative, the value (0.1)."""
    DRIFT = "drift"
    """Counter: it drifts from the moment of the fault on, relative, the value a second (0.01)."""
    DROPS = "drops"
    """Camera: a frame is missing. Trigger: a pulse is."""
    SLOW = "slow"
    """Camera: a frame comes later, by the value in seconds (1)."""
    HOT = "hot"
    """Camera: a share of the pixels, the value (0.001), reads the maximum."""


VALUES = {
    Fault.MIDWAY: 0.5, Fault.SLIPS: 0.01, Fault.NOISE: 0.1, Fault.DRIFT: 0.01, Fault.SLOW: 1.0, Fault.HOT: 1e-3,
}  # fmt: skip
"""Where a fault has a value, what it is by itself."""

AXIS = (Fault.STUCK, Fault.SILENT, Fault.MIDWAY, Fault.SLIPS, Fault.DISCONNECTED)
COUNTER = (Fault.FAILS, Fault.SILENT, Fault.NAN, Fault.NOISE, Fault.DRIFT, Fault.DISCONNECTED)
SHUTTER = (Fault.STUCK, Fault.SILENT, Fault.DISCONNECTED)
TRIGGER = (Fault.DROPS, Fault.SILENT, Fault.DISCONNECTED)
CAMERA = (Fault.DROPS, Fault.SILENT, Fault.SLOW, Fault.HOT, Fault.DISCONNECTED)

CODES = list(Fault)
"""A fault is published as its place in this list."""


@dataclass(slots=True)
class Active:
    """A fault of one device.

    :param moment: from which it holds, s.
    :param probability: that it happens, each time there is an occasion.
    :param times: how often it happens at most.
    :param seed: of when it happens.
    """

    moment: float
    probability: float
    value: float
    times: float = math.inf
    seed: int = 0
    occasions: int = 0
    happened: int = 0

    def row(self, what: Fault) -> list[float]:
        """As it is published."""
        return [self.moment, CODES.index(what), self.probability, self.value, self.times, self.seed]


def from_row(row: list[float]) -> tuple[Fault, Active]:
    """A fault from its published row."""
    moment, code, probability, value, times, seed = row
    return CODES[int(code)], Active(moment, probability, value, times, int(seed))


class Faults:
    """The faults of one device, set and asked for.

    :param name: of the device.
    :param kinds: what can go wrong with it.
    :param board: where they are set; only those of this process's own board can be set here.
    """

    def __init__(self, name: str, kinds: tuple[Fault, ...], clock: Clock, board: Board) -> None:
        self.name = name
        self.kinds = kinds
        self._clock = clock
        self._board = board
        self._state = key_of(name)

    def __repr__(self) -> str:
        return f"<Faults of {self.name}: {', '.join(self.active) or 'none'}>"

    @property
    def active(self) -> Mapping[Fault, Active]:
        """What is set, also what holds only later."""
        return self._board.faults(self.name)

    def inject(
        self,
        what: str,
        value: float | None = None,
        *,
        probability: float = 1.0,
        after: float = 0.0,
        times: int | None = None,
        seed: int = 0,
    ) -> None:
        """Let something go wrong until it is cleared.

        :param what: one of :class:`Fault` that fits the device.
        :param value: how much, see :class:`Fault`.
        :param probability: that it happens, each time there is an occasion: a move, a reading, a frame.
        :param after: seconds from now.
        :param times: how often at most; None for always.
        :raises InvalidInput: when the device cannot fail like that, or a number makes no sense.
        """
        inject(
            self._board, self._clock, self.name, what, value, kinds=self.kinds, probability=probability, after=after,
            times=times, seed=seed,
        )  # fmt: skip

    def clear(self, what: str = "") -> None:
        """All is well again; or with one fault."""
        for fault in list(self.active):
            if not what or fault == what:
                _own(self._board).post_fault(self.name, fault, None)

    def happens(self, what: Fault, *keys: int) -> float | None:
        """The value of a fault if it happens now, else None.

        :param keys: what tells this occasion from others; the number of occasions so far when not given.
        """
        fault = self._held(what)
        if fault is None or fault.happened >= fault.times:
            return None
        fault.occasions += 1
        state = key(fault.seed, self._state, CODES.index(what), *(keys or (fault.occasions,)))
        if uniform(state, 0) >= fault.probability:
            return None
        fault.happened += 1
        return fault.value

    def since(self, what: Fault) -> float | None:
        """The moment from which a fault holds, if it holds now."""
        fault = self._held(what)
        return None if fault is None else fault.moment

    def check(self) -> None:
        """Refuse to answer while disconnected.

        :raises DeviceError: when it is.
        """
        if self.active and self.happens(Fault.DISCONNECTED) is not None:
            self.refuse("the connection is lost.", hint="Check its cable and its controller.")

    def refuse(self, message: str, *, hint: str = "") -> NoReturn:
        """Fail."""
        raise DeviceError(self.name, message, hint=hint)

    async def answer(self) -> None:
        """Never, while silent; fail, while disconnected; at once otherwise."""
        self.check()
        if self.active and self.happens(Fault.SILENT) is not None:
            await asyncio.get_running_loop().create_future()

    def truth(self) -> dict[str, Any]:
        """What is set, for the record."""
        return {
            what.value: {"probability": fault.probability, "value": fault.value} for what, fault in self.active.items()
        }

    def _held(self, what: Fault) -> Active | None:
        active = self._board.faults(self.name)
        if not active:
            return None
        fault = active.get(what)
        return fault if fault is not None and fault.moment <= self._clock.now() else None


class Faulty(Protocol):
    """A device whose faults can be set."""

    faults: Faults


def inject(
    board: Board,
    clock: Clock,
    device: str,
    what: str,
    value: float | None = None,
    *,
    kinds: tuple[Fault, ...] = tuple(Fault),
    probability: float = 1.0,
    after: float = 0.0,
    times: int | None = None,
    seed: int = 0,
) -> None:
    """Set a fault of any device by its name, see :meth:`Faults.inject`."""
    words = [kind.value for kind in kinds]
    if what not in words:
        close = difflib.get_close_matches(what, words, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It can be: {', '.join(words)}."
        raise InvalidInput(f"{device} cannot be {what!r}.", hint=hint)
    if not (0.0 < probability <= 1.0 and after >= 0.0 and (times is None or times >= 1)):
        raise InvalidInput(
            f"{device}: a fault needs a probability above 0 and up to 1, and times from 1 on.",
            hint="Clear it to end it.",
        )
    fault = Fault(what)
    amount = VALUES.get(fault, 1.0) if value is None else float(value)
    _own(board).post_fault(device, fault, Active(clock.now() + after, probability, amount, times or math.inf, seed))


def _own(board: Board) -> MemoryBoard:
    from firstlight.devices.sim._published import MemoryBoard

    if not isinstance(board, MemoryBoard):
        raise InvalidInput("Faults are set in the session, not in the process of a camera.")
    return board
