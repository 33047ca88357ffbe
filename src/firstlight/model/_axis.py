"""What only some axes can do: optional protocols of drivers, hooks around motions, and the state of an axis.

A driver implements those that its controller knows; ``devices.Axis`` refuses what a driver does not implement. All
positions, speeds and directions are the dial's. Methods that wait are ``async``, or plain functions of a driver that
declares ``blocking = True``, as everywhere in :mod:`firstlight.model`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class AxisFlag(StrEnum):
    """One thing that holds for an axis now."""

    READY = "READY"
    """It may be moved."""
    MOVING = "MOVING"
    FAULT = "FAULT"
    """The controller reports an error, or does not answer."""
    DISABLED = "DISABLED"
    """Its power is off."""
    HOME = "HOME"
    """It is on its home switch."""
    LIMPOS = "LIMPOS"
    """It is on the limit switch of the positive direction."""
    LIMNEG = "LIMNEG"
    """It is on the limit switch of the negative direction."""


@dataclass(frozen=True, slots=True)
class AxisState:
    """The state of an axis as a value.

    :param text: what the controller adds in words; empty for nothing.
    """

    flags: frozenset[AxisFlag]
    text: str = ""

    def __contains__(self, flag: AxisFlag | str) -> bool:
        """Whether a flag holds: ``"LIMPOS" in axis.state``."""
        return flag in self.flags

    def __str__(self) -> str:
        words = " ".join(flag.value for flag in AxisFlag if flag in self.flags)
        return f"{words} ({self.text})" if self.text else words

    def mirrored(self) -> AxisState:
        """The same for somebody who looks from the other side: positive and negative limit change places."""
        swap = {AxisFlag.LIMPOS: AxisFlag.LIMNEG, AxisFlag.LIMNEG: AxisFlag.LIMPOS}
        return AxisState(frozenset(swap.get(flag, flag) for flag in self.flags), self.text)


@runtime_checkable
class ReportsState(Protocol):
    """A driver that tells more than whether it moves."""

    def state(self) -> AxisState:
        """Flags now; READY and MOVING are the axis' own business and need not be among them."""


@runtime_checkable
class Jogs(Protocol):
    """A driver that can run without a target."""

    async def jog(self, velocity: float) -> None:
        """Run at a signed speed (unit/s) until ``stop()``, and return at rest without an error; cancellation stops it.

        :raises DeviceError: when something else than ``stop()`` ended it, for instance a limit switch.
        """


@runtime_checkable
class Homes(Protocol):
    """A driver that finds its home switch."""

    async def home(self, direction: int) -> None:
        """Search the home switch, first in ``direction`` (1 or -1), and return at rest with the dial set by it."""


@runtime_checkable
class SearchesLimits(Protocol):
    """A driver that finds its limit switches."""

    async def search_limit(self, direction: int) -> None:
        """Move onto the limit switch in ``direction`` (1 or -1), and return at rest on it."""


@runtime_checkable
class SetsDial(Protocol):
    """A driver whose controller can be told where it is."""

    async def set_dial(self, position: float) -> None:
        """Call the present position ``position``; nothing moves."""


@runtime_checkable
class Enables(Protocol):
    """A driver whose power can be switched."""

    async def enable(self) -> None:
        """Power on; return when it may be moved."""

    async def disable(self) -> None:
        """Power off."""


@runtime_checkable
class Encoder(Protocol):
    """A position that is measured, beside the one that the controller counts."""

    name: str

    def position(self) -> float:
        """Measured position now, in units of the axis' dial."""


@runtime_checkable
class MotionHook(Protocol):
    """Something to do around every motion of an axis: air pads, brakes, a detector to draw back.

    Both may be plain functions, ``async``, or blocking in a thread (``blocking = True``).
    """

    name: str

    def before(self, axis: str, target: float) -> Awaitable[None] | None:
        """Get ready; an error refuses the motion.

        :param target: user position; infinite for motions that search a switch or run until they are stopped.
        """

    def after(self, axis: str) -> Awaitable[None] | None:
        """Called when the axis is at rest, also when the motion or :meth:`before` failed."""
