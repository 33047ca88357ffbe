"""The gate: every motion is a value that passes here, whoever asks for it, and nothing else moves an axis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.model import LimitError
from firstlight.scanning._devices import Devices
from firstlight.scanning._heard import logger_of
from firstlight.scanning._joint import arriving_together, expand, reals_of, refuse_overlap


class MotionKind(StrEnum):
    """What a motion does."""

    MOVE = "move"
    """Goes to its target."""
    JOG = "jog"
    """Runs until it is stopped, or at the limit, its target."""
    HOME = "home"
    """Searches the home switch."""
    LIMIT = "limit"
    """Searches a limit switch."""


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion that somebody proposes.

    :param target: user position; where it would end at the latest, of a jog, and ±infinity where that is unknown.
    :param velocity: cruise speed (unit/s); None for the axis' own. Signed for a jog.
    :param origin: who asks: ``scan``, ``prompt``, ``cleanup``, ...
    :param side: for an axis with backlash: 1 or -1 to come from below or above, 0 to go straight; None as it is set.
    """

    axis: str
    target: float
    velocity: float | None = None
    origin: str = "scan"
    kind: MotionKind = MotionKind.MOVE
    side: int | None = None

    @property
    def words(self) -> str:
        """What it does, for messages: ``to move to 3``."""
        if self.kind is MotionKind.MOVE:
            return f"to move to {self.target:.6g}"
        return {"jog": "to jog", "home": "to search its home switch"}.get(self.kind, "to search a limit switch")


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
        if motion.kind is MotionKind.MOVE:
            axis.check(motion.target, motion.side)
            if motion.velocity is not None and motion.velocity > axis.maximum_velocity * (1 + 1e-9):
                unit = f"{axis.unit}/s"
                raise LimitError(
                    axis.name,
                    f"cannot move at {motion.velocity:g} {unit}: its speed limit is {axis.maximum_velocity:g} {unit}.",
                )
        elif motion.kind is MotionKind.JOG:
            axis.jog_limit(motion.velocity or 0.0)
        self._ask(axis, motion)
        if axis.calculation is not None:
            # Where it comes to rest on the way, too.
            way = motion.kind is MotionKind.MOVE and axis.calculation.follows
            stops = axis.calculation.stops(motion.axis, motion.target) if way else np.array([motion.target])
            for name, targets in expand(self.devices, {motion.axis: stops}).items():
                for target in targets.tolist():
                    self._ask(self.devices.axis(name), replace(motion, axis=name, target=target, velocity=None))
        return axis

    def admit(self, motions: Sequence[Motion]) -> list[Motion]:
        """Check motions that are to be done at once, and say what really moves.

        Calculated axes of one calculation are converted together, and what has to move for them sets off and arrives
        together.

        :raises LimitError: when any of it must not be.
        :raises Conflict: when two of them move the same axis.
        """
        joint = [m for m in motions if self.devices.axis(m.axis).calculation is not None and m.kind is MotionKind.MOVE]
        refuse_overlap(self.devices, [m.axis for m in motions])
        # One that follows its relation on the way moves its real axes itself.
        joint = [m for m in joint if not self._follows(m, joint)]
        alone = [m for m in motions if m not in joint]
        for motion in alone:
            self.check(motion)
        if not joint:
            return alone
        for motion in joint:
            axis = self.devices.axis(motion.axis)
            axis.check_own(motion.target)
            self._ask(axis, motion)
        real = [
            Motion(name, target, None, joint[0].origin)
            for name, target in self._expanded({m.axis: m.target for m in joint}).items()
        ]
        for motion in real:
            self.check(motion)
        return [*alone, *arriving_together(self.devices, real)]

    def check_path(
        self, name: str, positions: NDArray[np.float64], label: Callable[[int], str], side: int | None = None
    ) -> None:
        """Refuse a path of which any position is outside the limits, naming the first one.

        :param label: what position ``index`` is, for the error: ``point 3``.
        :param side: as in :class:`Motion`.
        """
        axis = self.devices.axis(name)
        self._within(axis, positions, label)
        if side is None:
            before = axis.overshoots(positions)
            there = np.flatnonzero(np.isfinite(before))
            if len(there):
                self._within(axis, before[there], lambda index: f"the backlash before {label(int(there[index]))}")
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
        names = (motion.axis,) if axis.calculation is None else (motion.axis, *reals_of(self.devices, motion.axis))
        for name in names:
            self._set_off(name)
        log = logger_of(motion.axis)
        log.debug("%s to %.8g %s for the %s", motion.kind, motion.target, axis.unit, motion.origin)
        if motion.kind is MotionKind.MOVE:
            await axis.move(motion.target, motion.velocity, side=motion.side)
        elif motion.kind is MotionKind.JOG:
            await axis.jog(motion.velocity or 0.0)
        elif motion.kind is MotionKind.HOME:
            await axis.home(1 if motion.target > 0 else -1)
        else:
            await axis.search_limit(1 if motion.target > 0 else -1)
        log.debug("at rest")
        # Left in the set when the move ends in any other way: the stop that follows must include it.
        self._ended(names)

    async def stop(self, axes: Iterable[str] = ()) -> dict[str, BaseException]:
        """Stop the axes named and all that are under way, all at once; what failed, by axis."""
        names = sorted({*axes, *self._under_way})
        for name in names:
            logger_of(name).debug("stop")
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

    def _follows(self, motion: Motion, joint: Sequence[Motion]) -> bool:
        calculation = self.devices.axis(motion.axis).calculation
        same = [m for m in joint if self.devices.axis(m.axis).calculation is calculation]
        return calculation is not None and calculation.follows and len(same) == 1

    def _ask(self, axis: Axis, motion: Motion) -> None:
        for rule in self.rules:
            objection = rule(motion)
            if objection:
                what = f"go to {motion.target:g} {axis.unit}" if motion.kind is MotionKind.MOVE else motion.words[3:]
                raise LimitError(axis.name, f"may not {what}: {objection}")

    def _expanded(self, targets: Mapping[str, float]) -> dict[str, float]:
        found = expand(self.devices, {name: np.array([target]) for name, target in targets.items()})
        return {name: float(values[0]) for name, values in found.items()}

    @staticmethod
    def _within(axis: Axis, positions: NDArray[np.float64], label: Callable[[int], str]) -> None:
        low, high = axis.fixed_limits
        slack = 1e-9 * max(1.0, float(np.max(np.abs(positions), initial=0.0)))
        bad = np.flatnonzero(~((positions >= low - slack) & (positions <= high + slack)))
        if len(bad):
            first = int(bad[0])
            raise LimitError(
                axis.name,
                f"{label(first)} is at {positions[first]:g} {axis.unit}, outside its limits {low:g} to {high:g} "
                f"{axis.unit}.",
                hint="Choose another range, or change the limits.",
            )
