"""A sequence of scans as one value, and as one run that refers to the runs of its scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from firstlight.devices import travel_time
from firstlight.model import (
    ChannelRole,
    ChannelSpec,
    FirstlightError,
    InvalidInput,
    Pause,
    RunInfo,
    RunState,
    Saving,
    Scan,
    convert,
)
from firstlight.scanning._conduct import Conductor, Interrupt, Outcome, Settings, complaint, finish, supervise
from firstlight.scanning._devices import Devices
from firstlight.scanning._estimate import duration, nbytes
from firstlight.scanning._gate import Gate, Motion
from firstlight.scanning._info import merged, positioners, run_end
from firstlight.scanning._plan import Plan, position_of, problems, resolve
from firstlight.scanning._progress import Reporter
from firstlight.scanning._record import Recorder
from firstlight.scanning._rest import rest
from firstlight.scanning._steering import Steering
from firstlight.scanning._travel import travel
from firstlight.scanning._waits import Waits


class MoveTo(BaseModel):
    """A step of a sequence that moves one axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["move"] = "move"
    axis: str
    position: float | None = None
    """User position; None for where the axis was when the sequence began."""
    unit: str = ""
    """Unit of the position; empty for the axis' own."""


class ScanSequence(BaseModel):
    """Scans and motions, one after the other, that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    steps: tuple[Scan | MoveTo, ...]
    back: tuple[str, ...] = ()
    """Axes that return to where they were when the sequence ends, however it ends."""
    save: bool = True
    metadata: dict[str, Any] = Field(default_factory=dict)

    @property
    def scans(self) -> tuple[Scan, ...]:
        """Its scans alone."""
        return tuple(step for step in self.steps if isinstance(step, Scan))


Savings: TypeAlias = Callable[[Scan | ScanSequence], Saving | None]
"""Where a scan or sequence is to be saved: takes the next number; None when it is not saved."""


@dataclass(frozen=True)
class Part:
    """One step of a sequence, resolved.

    :param plan: of a scan; None for a motion.
    :param target: user position of a motion.
    """

    step: Scan | MoveTo
    seconds: float
    nbytes: int
    plan: Plan | None = None
    target: float = 0.0


def lay_out(sequence: ScanSequence, devices: Devices, gate: Gate) -> tuple[list[Part], list[FirstlightError]]:
    """Resolve all steps as they would follow each other, and collect why any of them may not be done."""
    parts: list[Part] = []
    found: list[FirstlightError] = []
    at = {name: position_of(devices.axis(name)) for name in _axes(sequence)}
    began = dict(at)

    def travel(name: str, target: float) -> float:
        axis = devices.axis(name)
        seconds = travel_time(target - at[name], axis.velocity, axis.acceleration)
        at[name] = target
        return seconds

    for step in sequence.steps:
        if isinstance(step, MoveTo):
            target = target_of(step, devices, began)
            try:
                gate.check(Motion(step.axis, target))
            except FirstlightError as error:
                found.append(error)
            parts.append(Part(step, travel(step.axis, target), 0, None, target))
            continue
        plan = resolve(step, devices)
        found += problems(plan, devices, gate)
        plan = replace(plan, origin={name: at.setdefault(name, p) for name, p in plan.origin.items()})
        parts.append(Part(step, duration(plan, devices), nbytes(plan), plan))
        for name in plan.axes:
            if name not in plan.back:
                at[name] = plan.sweep.arrival if plan.sweep is not None else float(plan.positions[name][-1])
    return parts, found


def target_of(step: MoveTo, devices: Devices, began: dict[str, float]) -> float:
    """User position that a step goes to, in the axis' own unit."""
    if step.position is None:
        return began[step.axis]
    unit = devices.axis(step.axis).unit
    if step.unit in ("", unit):
        return step.position
    return convert(f"{step.position!r} {step.unit}", unit)


async def conduct_sequence(
    settings: Settings, sequence: ScanSequence, interrupt: Interrupt, steering: Steering, savings: Savings
) -> Outcome:
    """Run all steps; the first that does not succeed ends the sequence, and axes return."""
    devices, clock = settings.devices, settings.clock
    if not sequence.scans:
        raise InvalidInput(f"{sequence.name} contains no scan.")
    laid, found = lay_out(sequence, devices, settings.gate)
    refused = (found and found[0]) or complaint(settings.watches)
    if refused:
        raise refused
    saving = savings(sequence) if sequence.save else None
    owner = settings.store.create_run(
        _info(settings, sequence, saving, laid), readers=settings.readers if saving else ()
    )
    began = {name: position_of(devices.axis(name)) for name in _axes(sequence)}
    waits = Waits(clock, devices)
    reporter = Reporter(clock, settings.tell, owner.key, sequence.name, sequence.title, len(sequence.scans), 0.0)
    parts: list[Outcome] = []
    pauses: list[Pause] = []
    cause: BaseException | None = None
    recorder: Recorder | None = None
    try:
        recorder = Recorder(clock, owner, [ChannelSpec("scan_numbers", "<i8", role=ChannelRole.OTHER)], lambda e: None)
        owner.prepared()
        owner.running()
        reporter.enter(RunState.RUNNING)
        recorder.began = clock.now()
        for step in sequence.steps:
            if steering.asked:
                waiting = rest(steering, reporter, clock, len(parts), part=False)
                cause = await supervise(waiting, waits, settings, interrupt, None)
                if cause is not None:
                    break
                pauses += steering.take()
            if isinstance(step, MoveTo):
                move = _go(settings, waits, step.axis, target_of(step, devices, began), "scan")
                cause = await supervise(move, waits, settings, interrupt, None)
            else:
                outcome = await _part(settings, step, interrupt, steering, savings, owner.key, recorder, len(parts))
                parts.append(outcome)
                cause = outcome.error
                reporter.at(len(parts))
            if cause is not None:
                break
    except Exception as error:  # noqa: BLE001 - it becomes the end of the sequence
        cause = error
    cause = await _come_home(settings, sequence, waits, interrupt, began, cause)
    if recorder is not None:
        try:
            recorder.close()
        except Exception as error:  # noqa: BLE001 - it becomes the end of the sequence
            cause = cause or error
    end, failure = finish(owner, *run_end(cause, clock, devices, (*pauses, *steering.take())))
    reporter.enter(RunState.STOPPED)
    return Outcome(owner.key, sequence.name, sequence.title, end, len(parts), failure, tuple(parts))


async def _part(
    settings: Settings,
    scan: Scan,
    interrupt: Interrupt,
    steering: Steering,
    savings: Savings,
    parent: str,
    recorder: Recorder,
    index: int,
) -> Outcome:
    now = settings.clock.now()
    plan = resolve(scan.model_copy(update={"sequence": parent}), settings.devices)
    saving = savings(scan) if scan.save else None
    recorder.add(now, (saving.number if saving is not None else index + 1,), now)
    recorder.flush()
    return await Conductor(settings, plan, interrupt, steering, parent=parent).conduct(saving)


async def _come_home(
    settings: Settings,
    sequence: ScanSequence,
    waits: Waits,
    interrupt: Interrupt,
    began: dict[str, float],
    cause: BaseException | None,
) -> BaseException | None:
    """Stop what moves, then bring the axes back; a second Ctrl-C leaves them where they are."""
    if cause is not None:
        await settings.gate.stop()
    failed = getattr(cause, "device", None)
    moves = [_go(settings, waits, name, began[name], "cleanup") for name in sequence.back if name != failed]
    if not moves or interrupt.times > 1:
        for move in moves:
            move.close()
        return cause
    # Without the watches: axes go back also when the saver is gone.
    calm = replace(settings, watches=[])
    error = await supervise(waits.together(*moves), waits, calm, interrupt, None, times=interrupt.times + 1)
    if error is not None:
        await settings.gate.stop()
    return cause or error


async def _go(settings: Settings, waits: Waits, name: str, target: float, origin: str) -> None:
    if target != position_of(settings.devices.axis(name)):
        await travel(settings.gate, waits, Motion(name, target, None, origin))


def _axes(sequence: ScanSequence) -> Sequence[str]:
    return sorted({*sequence.back, *(step.axis for step in sequence.steps if isinstance(step, MoveTo))})


def _info(settings: Settings, sequence: ScanSequence, saving: Saving | None, laid: Sequence[Part]) -> RunInfo:
    clock = settings.clock
    cameras = sorted({camera.name for part in laid if part.plan is not None for camera in part.plan.cameras})
    # Only here it is known which cameras a group of counters stands for; nxtomomill needs their names.
    tomographic = "tomoconfig" in sequence.metadata.get("technique", {})
    detectors = {"technique": {"tomoconfig": {"detector": cameras}}} if tomographic else {}
    return RunInfo(
        name=sequence.name,
        title=sequence.title,
        start_epoch=clock.epoch(clock.now()),
        clock=clock.name,
        clock_offset=clock.epoch(0.0),
        npoints=len(sequence.scans),
        saving=saving,
        session=settings.session,
        positioners=positioners(settings.devices),
        parameters=sequence.model_dump(mode="json", exclude={"metadata", "steps"}, exclude_defaults=True)
        | {"steps": [step.title if isinstance(step, Scan) else f"move {step.axis}" for step in sequence.steps]},
        metadata=merged(merged(settings.metadata(), detectors), sequence.metadata),
    )
