"""Looking ahead: whether a scan or a sequence may run, what it would take, and what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firstlight.model import FirstlightError, Scan
from firstlight.scanning._chain import build
from firstlight.scanning._devices import Devices
from firstlight.scanning._estimate import DryRun, Estimate, estimate, free
from firstlight.scanning._gate import Gate
from firstlight.scanning._plan import problems, resolve
from firstlight.scanning._sequence import ScanSequence, lay_out


def examine(what: Scan | ScanSequence, devices: Devices, gate: Gate) -> tuple[Any, list[FirstlightError]]:
    """The plan of a scan, or the parts of a sequence, and why it may not run."""
    part = gate.part(devices)
    if isinstance(what, ScanSequence):
        return lay_out(what, devices, part)
    plan = resolve(what, devices)
    return plan, problems(plan, devices, part)


def foresee(
    what: Scan | ScanSequence, devices: Devices, gate: Gate, memory: Path | None, disk: Path | None
) -> Estimate:
    """What it would take.

    :param memory: root of the buffer; None when that is no folder.
    :param disk: folder at or above the one where it is saved.
    """
    laid, found = examine(what, devices, gate)
    if not isinstance(what, ScanSequence):
        return estimate(laid, devices, found, memory, disk)
    return Estimate(
        title=what.title,
        points=sum(scan.npoints for scan in what.scans),
        duration=sum(part.seconds for part in laid),
        nbytes=sum(part.nbytes for part in laid),
        memory_free=free(memory),
        disk_free=free(disk) if what.save else None,
        problems=tuple(str(problem) for problem in found),
    )


def rehearse(what: Scan | ScanSequence, devices: Devices, gate: Gate) -> DryRun:
    """What it would do, point by point.

    :raises FirstlightError: why it may not run.
    """
    laid, found = examine(what, devices, gate)
    for problem in found:
        raise problem

    def dry(plan: Any) -> DryRun:
        return DryRun(plan.scan.title, plan.points, plan.positions, build(plan, devices))

    if not isinstance(what, ScanSequence):
        return dry(laid)
    parts = tuple(
        dry(part.plan) if part.plan is not None else DryRun(f"move {part.step.axis} to {part.target:g}", None)
        for part in laid
    )
    return DryRun(what.title, None, {}, None, parts)
