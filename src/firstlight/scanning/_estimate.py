"""What a scan would cost, and what it would do, without moving anything."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firstlight.devices import travel_time
from firstlight.model import FirstlightError, ScanKind
from firstlight.scanning._chain import Chain
from firstlight.scanning._devices import Devices
from firstlight.scanning._path import Positions
from firstlight.scanning._plan import LEAD, Plan
from firstlight.scanning._selection import channels_of

OVERHEAD = 0.1e-3
"""Seconds that the engine itself takes for a point that it asks for."""


@dataclass(frozen=True)
class Estimate:
    """What a scan would take; ``print`` it.

    :param points: None when open-ended.
    :param duration: seconds; infinite when open-ended.
    :param nbytes: of all its data; per point when open-ended.
    :param memory_free: bytes left in the buffer's memory; None when unknown.
    :param disk_free: bytes left where it is saved; None when it is not, or unknown.
    :param problems: why it may not run, a sentence each.
    """

    title: str
    points: int | None
    duration: float
    nbytes: int
    memory_free: int | None = None
    disk_free: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it may run, and what it saves fits on the disk."""
        return not self.problems and (self.disk_free is None or self.nbytes < self.disk_free)

    def __str__(self) -> str:
        if self.points is None:
            lines = [f"{self.title}: until it is stopped, {size(self.nbytes)} a point"]
        else:
            points = "1 point" if self.points == 1 else f"{self.points} points"
            lines = [f"{self.title}: {points}, {span(self.duration)}, {size(self.nbytes)}"]
        if self.memory_free is not None:
            much = "" if self.nbytes < self.memory_free else ": less than the data, so what is not saved in time spills"
            lines.append(f"  memory: {size(self.memory_free)} free{much}")
        if self.disk_free is not None:
            lines.append(
                f"  disk: {size(self.disk_free)} free" + ("" if self.nbytes < self.disk_free else ": NOT ENOUGH")
            )
        lines += [f"  NOT POSSIBLE: {problem}" for problem in self.problems] or ["  within limits"]
        return "\n".join(lines)


@dataclass(frozen=True)
class DryRun:
    """What a scan would do, point by point; nothing moved.

    :param positions: axis to the user position of each point (the middle of the exposure in a continuous scan).
    :param chain: who would trigger whom.
    :param parts: of a sequence: what each of its scans would do.
    """

    title: str
    points: int | None
    positions: Positions = field(default_factory=dict)
    chain: Chain | None = None
    parts: tuple[DryRun, ...] = ()

    def __str__(self) -> str:
        if self.chain is None:
            return "\n".join([self.title, *(str(part) for part in self.parts)])
        lines = [str(self.chain)]
        for name, values in self.positions.items():
            shown = [f"{v:.6g}" for v in values[:4]] + (["..."] if len(values) > 5 else [])
            shown += [f"{v:.6g}" for v in values[max(4, len(values) - 1) :]]
            lines.append(f"  {name}: {', '.join(shown)}")
        return "\n".join(lines)


def duration(plan: Plan, devices: Devices) -> float:
    """Seconds that a plan needs: motions at the axes' speeds, exposures, pauses."""
    scan = plan.scan
    if plan.points is None:
        return math.inf
    if plan.sweep is not None:
        s, axis = plan.sweep, devices.axis(plan.sweep.axis)

        def travel(a: float, b: float, velocity: float = axis.velocity) -> float:
            return travel_time(b - a, velocity, axis.acceleration)

        there = travel(plan.origin[s.axis], s.departure) + travel(s.departure, s.arrival, s.velocity)
        return there + (travel(s.arrival, plan.origin[s.axis]) if plan.back else 0.0)
    if plan.period is not None:
        return LEAD + plan.points * plan.period
    total = plan.points * (scan.count_time + scan.sleep_time + OVERHEAD)
    if scan.kind is ScanKind.STEP:
        total += _moving(plan, devices)
    return total


def _moving(plan: Plan, devices: Devices) -> float:
    """Seconds of motion of a step scan: axes of one step move together, the slowest counts."""
    assert plan.points is not None
    legs = np.zeros(plan.points)
    back = 0.0
    for name, positions in plan.positions.items():
        axis = devices.axis(name)
        distances = np.abs(np.diff(positions, prepend=plan.origin[name]))
        unique, inverse = np.unique(distances, return_inverse=True)
        times = np.array([travel_time(d, axis.velocity, axis.acceleration) for d in unique.tolist()])[inverse]
        if axis.backlash:
            # Against its backlash it goes too far, and back.
            extra = travel_time(2 * axis.backlash, axis.velocity, axis.acceleration)
            times = times + np.where(np.isfinite(axis.overshoots(positions)), extra, 0.0)
        legs = np.maximum(legs, times)
        if name in plan.back:
            back = max(back, travel_time(positions[-1] - plan.origin[name], axis.velocity, axis.acceleration))
    return float(legs.sum() + np.count_nonzero(legs) * plan.scan.stab_time + back)


def nbytes(plan: Plan) -> int:
    """Bytes of all channels of a plan; of one point when it is open-ended."""
    scalars = 2 + (len(plan.axes) + len(plan.reals)) * (3 if plan.sweep is not None else 1)
    point = 8 * scalars + sum(c.item_nbytes for counter in plan.counters for c in counter.channels)
    point += sum(c.item_nbytes for derived in plan.derived for c in derived.derivation.channels)
    for camera in plan.cameras:
        published = plan.selection.published.get(camera.name)
        point += sum(c.item_nbytes for c in channels_of(camera) if published is None or c.name in published) + 17
    return point * (plan.points if plan.points is not None else 1)


def estimate(
    plan: Plan, devices: Devices, problems: list[FirstlightError], memory: Path | None, disk: Path | None
) -> Estimate:
    """Put the figures of a plan together.

    :param memory: the buffer's folder.
    :param disk: a folder at or above the one where the scan is saved.
    """
    return Estimate(
        title=plan.scan.title,
        points=plan.points,
        duration=duration(plan, devices),
        nbytes=nbytes(plan),
        memory_free=free(memory),
        disk_free=free(disk) if plan.scan.save else None,
        problems=tuple(str(problem) for problem in problems),
    )


def free(folder: Path | None) -> int | None:
    """Bytes free where a folder is or will be."""
    while folder is not None and not folder.exists():
        folder = folder.parent if folder != folder.parent else None
    if folder is None:
        return None
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def size(count: float) -> str:
    """Bytes for people: ``590 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def span(seconds: float) -> str:
    """Seconds for people: ``11.2 s``, ``3 min 20 s``."""
    if seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
