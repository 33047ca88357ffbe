"""The gate: every motion is a value that passes here, whoever asks for it, and nothing else moves an axis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.model import LimitError
from firstlight.scanning._devices import Devices


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion that somebody proposes.

    :param target: user position.
    :param velocity: cruise speed (unit/s); None for the axis' own.
    :param origin: who asks: ``scan``, ``prompt``, ``cleanup``, ...
    """

    axis: str
    target: float
    velocity: float | None = None
    origin: str = "scan"


Rule: TypeAlias = Callable[[Motion], str | None]
"""Looks at one proposed motion: a sentence that says why not, or None."""


class Gate:
    """The single entry of all motions.

    :param rules: asked for each motion after the limits, in order; the first that objects refuses it.
    """

    def __init__(self, devices: Devices, rules: Sequence[Rule] = ()) -> None:
        self.devices = devices
        self.rules: list[Rule] = list(rules)
        self.listeners: list[Callable[[str, bool], None]] = []
        """Called in the engine's thread with the name of an axis that sets off (True) or has ended (False)."""
        self._under_way: set[str] = set()
        self._whole: Gate | None = None

    @property
    def under_way(self) -> frozenset[str]:
        """Axes that move now because they passed the gate."""
        return frozenset(self._under_way)

    def part(self, devices: Devices | None = None) -> Gate:
        """The same gate for one of several that move at the same time: :meth:`stop` ends what passed this part only.

        :param devices: those that this part may move; the gate's own when None.
        """
        part = Gate(devices or self.devices)
        part.rules = self.rules
        part.listeners = self.listeners
        part._whole = self._whole or self
        return part

    def check(self, motion: Motion) -> Axis:
        """Refuse a motion that must not be; nothing moves.

        :raises LimitError: that names the axis, the position, and the limits or the objection.
        """
        axis = self.devices.axis(motion.axis)
        axis.check(motion.target)
        if motion.velocity is not None and motion.velocity > axis.velocity * (1 + 1e-9):
            unit = f"{axis.unit}/s"
            raise LimitError(
                axis.name, f"cannot move at {motion.velocity:g} {unit}: its speed limit is {axis.velocity:g} {unit}."
            )
        for rule in self.rules:
            objection = rule(motion)
            if objection:
                raise LimitError(axis.name, f"may not go to {motion.target:g} {axis.unit}: {objection}")
        return axis

    def check_path(self, name: str, positions: NDArray[np.float64], label: Callable[[int], str]) -> None:
        """Refuse a path of which any position is outside the limits, naming the first one.

        :param label: what position ``index`` is, for the error: ``point 3``.
        """
        axis = self.devices.axis(name)
        low, high = axis.limits
        slack = 1e-9 * max(1.0, float(np.max(np.abs(positions), initial=0.0)))
        bad = np.flatnonzero(~((positions >= low - slack) & (positions <= high + slack)))
        if len(bad):
            first = int(bad[0])
            raise LimitError(
                name,
                f"{label(first)} is at {positions[first]:g} {axis.unit}, outside its limits {low:g} to {high:g} "
                f"{axis.unit}.",
                hint="Choose another range, or change the limits.",
            )
        if self.rules:
            for index, target in enumerate(positions.tolist()):
                motion = Motion(name, target)
                for rule in self.rules:
                    objection = rule(motion)
                    if objection:
                        raise LimitError(name, f"{label(index)} at {target:g} {axis.unit} is refused: {objection}")

    async def move(self, motion: Motion) -> None:
        """Check, then move and return at rest; cancellation stops the axis before it propagates."""
        axis = self.check(motion)
        self._set_off(motion.axis)
        await axis.move(motion.target, motion.velocity)
        # Left in the set when the move ends in any other way: the stop that follows must include it.
        self._ended([motion.axis])

    async def stop(self, axes: Iterable[str] = ()) -> dict[str, BaseException]:
        """Stop the axes named and all that are under way, all at once; what failed, by axis."""
        names = sorted({*axes, *self._under_way})
        results = await asyncio.gather(*(self.devices.axis(n).stop() for n in names), return_exceptions=True)
        self._ended(names)
        return {n: r for n, r in zip(names, results, strict=True) if isinstance(r, BaseException)}

    def _set_off(self, name: str) -> None:
        self._under_way.add(name)
        if self._whole is not None:
            self._whole._under_way.add(name)
        for listener in self.listeners:
            listener(name, True)

    def _ended(self, names: Sequence[str]) -> None:
        self._under_way.difference_update(names)
        if self._whole is not None:
            self._whole._under_way.difference_update(names)
        for name in names:
            for listener in self.listeners:
                listener(name, False)
