"""Axes that depend on each other: calculated axes and the real ones behind them, and arriving together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from firstlight.devices import Axis, slowed, travel_time
from firstlight.model import Conflict
from firstlight.scanning._devices import Devices

if TYPE_CHECKING:
    from firstlight.scanning._gate import Motion

Targets = Mapping[str, NDArray[np.float64]]
"""Axis to user positions, of one shape for all."""


def reals_of(devices: Devices, name: str) -> tuple[str, ...]:
    """The axes that move when this one does: itself, or the real axes of a calculated one, to the last level."""
    axis = devices.axis(name)
    if axis.calculation is None:
        return (axis.name,)
    return tuple(dict.fromkeys(x for real in axis.calculation.moved() for x in reals_of(devices, real)))


def behind(devices: Devices, names: Iterable[str]) -> tuple[str, ...]:
    """Axes of all levels that the calculated ones among these are calculated from, the named ones left out."""
    found: dict[str, None] = {}

    def look(axis: Axis) -> None:
        if axis.calculation is not None:
            for name in axis.calculation.reals:
                found.setdefault(name)
                look(devices.axis(name))

    names = tuple(names)
    for name in names:
        look(devices.axis(name))
    return tuple(name for name in found if name not in names)


def refuse_overlap(devices: Devices, names: Iterable[str]) -> None:
    """Refuse axes that would move each other's motors.

    :raises Conflict: that names both and what they share.
    """
    for a, b in itertools.combinations(names, 2):
        first, second = devices.axis(a).calculation, devices.axis(b).calculation
        if first is not None and first is second:
            continue
        shared = set(reals_of(devices, a)) & set(reals_of(devices, b))
        if shared:
            one = min(shared)
            what = f"{b if one == a else a} moves {one}" if one in (a, b) else f"{a} and {b} both move {one}"
            raise Conflict(f"{what}: they cannot be moved at once.", hint="Move one of them at a time.")


def expand(devices: Devices, targets: Targets) -> dict[str, NDArray[np.float64]]:
    """Positions of the axes that really move.

    Axes of one calculation are converted together; those of it that are not named stay where they were sent.

    :raises Conflict: when two of them move the same axis.
    """
    refuse_overlap(devices, targets)
    found: dict[str, NDArray[np.float64]] = {}
    groups: dict[int, dict[str, NDArray[np.float64]]] = {}
    for name, values in targets.items():
        axis = devices.axis(name)
        if axis.calculation is None:
            found[axis.name] = values
        else:
            groups.setdefault(id(axis.calculation), {})[axis.name] = values
    for group in groups.values():
        calculation = devices.axis(next(iter(group))).calculation
        assert calculation is not None
        found |= expand(devices, calculation.targets(group))
    return found


def arriving_together(devices: Devices, motions: Sequence[Motion]) -> list[Motion]:
    """The same motions, all but the slowest slowed down so that all come to rest at the same time."""
    if len(motions) < 2:
        return list(motions)
    axes = [devices.axis(motion.axis) for motion in motions]
    routes = [axis.route(motion.target, motion.side) for axis, motion in zip(axes, motions, strict=True)]
    times = [
        sum(travel_time(d, motion.velocity or axis.velocity, axis.acceleration) for d in route)
        for axis, motion, route in zip(axes, motions, routes, strict=True)
    ]
    longest = max(times)
    return [
        replace(motion, velocity=min(slowed(route, longest, axis.acceleration), motion.velocity or axis.velocity))
        if 0.0 < seconds < longest
        else motion
        for axis, motion, route, seconds in zip(axes, motions, routes, times, strict=True)
    ]
