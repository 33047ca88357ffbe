"""From a description to numbers: where the axes go, what measures, how fast, and whether all that is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.model import (
    CounterDriver,
    DeviceError,
    FirstlightError,
    InvalidInput,
    LimitError,
    Scan,
    ScanKind,
    Trigger,
    TriggerMode,
    TriggerPlan,
    convert,
)
from firstlight.scanning._devices import Camera, Devices
from firstlight.scanning._gate import Gate
from firstlight.scanning._joint import behind, expand, refuse_overlap
from firstlight.scanning._path import Points, Positions, points_of
from firstlight.scanning._selection import Derived, Selection, channels_of, select

LEAD = 0.25
"""Seconds at constant speed before the first exposure: time to tell all devices when it starts."""
TRAIL = 0.02
"""Seconds at constant speed after the last exposure."""


@dataclass(frozen=True)
class Sweep:
    """One continuous motion, user units.

    :param first: position at the start of exposure 0.
    :param last: position at the end of the last period.
    :param step: signed distance between the starts of two exposures.
    :param velocity: unit/s, positive.
    :param departure: where the axis waits before: the run-up and the lead lie between here and ``first``.
    :param arrival: where it comes to rest.
    """

    axis: str
    first: float
    last: float
    step: float
    velocity: float
    departure: float
    arrival: float

    @property
    def direction(self) -> int:
        """1 upwards, -1 downwards."""
        return 1 if self.step >= 0 else -1


@dataclass(frozen=True)
class Plan:
    """A scan resolved against the devices, at this moment; nothing has moved.

    :param points: number of points; None when open-ended.
    :param positions: axis to the user position of each point (middle of the exposure in a continuous scan).
    :param shape: points along each dimension of the path, outermost first; empty without axes.
    :param origin: axis to where it was, for those that move.
    :param selection: what measures.
    :param reals: axes that the calculated ones among them are calculated from: recorded too.
    :param period: seconds between starts, of scans that are not triggered by software.
    :param pulse: device that makes the pulses; None when devices run by the plan alone.
    """

    scan: Scan
    points: int | None
    axes: tuple[str, ...]
    positions: Positions
    shape: tuple[int, ...]
    origin: dict[str, float]
    selection: Selection
    period: float | None = None
    sweep: Sweep | None = None
    pulse: Trigger | None = None
    back: frozenset[str] = field(default_factory=frozenset)
    reals: tuple[str, ...] = ()

    @property
    def counters(self) -> Sequence[CounterDriver]:
        """Counters that are asked or triggered."""
        return self.selection.counters

    @property
    def cameras(self) -> Sequence[Camera]:
        """Cameras, whatever of them is published."""
        return self.selection.cameras

    @property
    def derived(self) -> Sequence[Derived]:
        """Counters that are computed, each after those that it is computed from."""
        return self.selection.derived

    def frames_of(self, camera: Camera) -> str:
        """The channel by which the frames of a camera are counted: the frames, unless they are not published."""
        published = self.selection.published.get(camera.name)
        return camera.name if published is None or camera.name in published else f"{camera.name}:status"

    def trigger(self, devices: Devices) -> TriggerPlan:
        """What every slave is told before the run."""
        scan, sweep = self.scan, self.sweep
        plan = TriggerPlan(mode=scan.trigger, points=self.points or 0, exposure=scan.count_time)
        if scan.trigger is TriggerMode.SOFTWARE or self.period is None:
            return plan
        plan = plan.model_copy(update={"period": self.period})
        if sweep is None or scan.trigger is TriggerMode.TIME:
            return plan
        axis = devices.axis(sweep.axis)
        return plan.model_copy(
            update={"axis": sweep.axis, "first": axis.to_dial(sweep.first), "step": axis.sign * sweep.step}
        )


def resolve(scan: Scan, devices: Devices) -> Plan:
    """Numbers for a scan; limits are not looked at yet (:func:`problems`).

    :raises NotFound: for unknown devices.
    :raises InvalidInput: for a description that makes no sense with these devices.
    """
    path = points_of(scan.path) if scan.path is not None else None
    reals = behind(devices, path.axes) if path is not None else ()
    selection = select(devices, scan.counters, (*path.axes, *reals) if path is not None else ())
    counters, cameras = selection.counters, selection.cameras
    _check_modes(scan, counters, cameras)
    period = None
    if scan.trigger is not TriggerMode.SOFTWARE:
        period = max([scan.count_time, *(camera.info.period(scan.count_time) for camera in cameras)])
        if period <= 0:
            raise InvalidInput("count_time: devices that run freely need an exposure of more than 0 s.")
    _check_names(scan, selection)
    if scan.shutter == "closed" and not devices.shutters:
        raise InvalidInput(
            f"{scan.title}: there is no fast shutter to keep closed.",
            hint="Configure a shutter, or leave the dark frames out.",
        )
    if scan.kind is ScanKind.TIME:
        points = scan.npoints or None
        pulse = _pulse(scan, devices)
        return Plan(scan, points, (), {}, (), {}, selection, period, None, pulse)
    if path is None:
        raise InvalidInput(f"{scan.name} has no path.")
    refuse_overlap(devices, path.axes)
    origin = {name: position_of(devices.axis(name)) for name in path.axes}
    positions = {name: _user(scan, devices.axis(name), path.middle[name], origin[name]) for name in path.axes}
    sweep = None
    if scan.kind is ScanKind.FLY:
        assert period is not None
        sweep = _sweep(scan, devices, path, period, origin)
    return Plan(
        scan,
        len(path),
        path.axes,
        positions,
        path.shape,
        origin,
        selection,
        period,
        sweep,
        _pulse(scan, devices) if sweep else None,
        frozenset(path.axes) if scan.relative or scan.back else frozenset(),
        reals,
    )


def problems(plan: Plan, devices: Devices, gate: Gate) -> list[FirstlightError]:
    """Why the scan may not run: every position of its path against limits and rules, and speeds."""
    found: list[FirstlightError] = []

    def attempt(
        name: str,
        positions: Sequence[float] | NDArray[np.float64],
        label: Callable[[int], str],
        side: int | None = None,
    ) -> None:
        attempt_all({name: np.asarray(positions, dtype=np.float64)}, label, side)

    def attempt_all(path: Positions, label: Callable[[int], str], side: int | None = None) -> None:
        before = len(found)
        for name, positions in path.items():
            try:
                gate.check_path(name, positions, label, side)
            except LimitError as error:
                found.append(error)
        joint = {name for name in path if devices.axis(name).calculation is not None}
        if not joint or len(found) > before:
            return
        try:
            real = expand(devices, {name: path[name] for name in joint})
        except LimitError as error:
            found.append(error)
            return
        for name, positions in real.items():
            try:
                gate.check_path(name, positions, label, side)
            except LimitError as error:
                found.append(error)

    sweep = plan.sweep
    if sweep is None:
        attempt_all(plan.positions, lambda index: f"point {index}")
        return found
    axis = devices.axis(sweep.axis)
    if sweep.velocity > axis.maximum_velocity * (1 + 1e-9):
        slowest = abs(sweep.step) / axis.maximum_velocity
        found.append(
            LimitError(
                axis.name,
                f"would have to move at {sweep.velocity:.4g} {axis.unit}/s, above its {axis.maximum_velocity:.4g} "
                f"{axis.unit}/s.",
                hint=f"Count at least {slowest:.3g} s, or take more intervals.",
            )
        )
    before = len(found)
    attempt(sweep.axis, [sweep.first, sweep.last], lambda index: ("the start", "the end")[index], 0)
    if len(found) == before:
        attempt(sweep.axis, [sweep.departure], lambda index: "the beginning of the run-up", 0)
        attempt(sweep.axis, [sweep.arrival], lambda index: "the end of the run-down", 0)
    if len(found) == before and axis.backlash:
        taken_up = sweep.departure - sweep.direction * abs(axis.backlash)
        attempt(sweep.axis, [taken_up], lambda index: "the backlash before the run-up", 0)
    return found


def position_of(axis: Axis) -> float:
    """User position now; whatever the driver raises gets the axis' name.

    :raises DeviceError: when it does not tell.
    """
    try:
        return axis.position
    except FirstlightError:
        raise
    except Exception as error:
        text = str(error).strip().rstrip(".")
        raise DeviceError(axis.name, f"does not tell its position: {type(error).__name__}: {text}.") from error


def _user(scan: Scan, axis: Axis, values: NDArray[np.float64], origin: float) -> NDArray[np.float64]:
    unit = scan.units.get(axis.name)
    if unit and unit != axis.unit:
        # Every conversion is a straight line, that of temperatures too: two points give it.
        try:
            at_zero, at_one = convert(f"0 {unit}", axis.unit), convert(f"1 {unit}", axis.unit)
        except InvalidInput:
            raise InvalidInput(
                f"{axis.name} moves in {axis.unit or 'plain numbers'}, not in {unit}.", hint="Give another unit."
            ) from None
        values = at_zero + values * (at_one - at_zero)
    return values + origin if scan.relative else values


def _sweep(scan: Scan, devices: Devices, path: Points, period: float, origin: dict[str, float]) -> Sweep:
    if len(path.axes) != 1:
        raise InvalidInput(f"A continuous scan moves one axis, not {len(path.axes)}.")
    name = path.axes[0]
    axis = devices.axis(name)
    ends = np.array([path.lower[name][0], path.upper[name][-1]])
    # The specification keeps the middle of the first interval: its start comes back with roundoff, and zero shows it.
    ends[np.abs(ends) < 1e-12 * np.ptp(ends)] = 0.0
    first, last = _user(scan, axis, ends, origin[name]).tolist()
    step = (last - first) / len(path)
    velocity = abs(step) / period
    if axis.calculation is not None:
        if scan.trigger is TriggerMode.POSITION:
            raise InvalidInput(
                f"{name}: no hardware compares the position of a calculated axis.",
                hint="Trigger in time, or scan one of its real axes.",
            )
        if not axis.calculation.linear(name, first, last):
            reals = ", ".join(axis.calculation.moved())
            raise InvalidInput(
                f"{name}: a continuous scan needs real axes ({reals}) that move in proportion to it, and these do not.",
                hint="Use a step scan, or scan a real axis.",
            )
    if not math.isfinite(axis.acceleration) or not axis.acceleration > 0:
        raise DeviceError(name, "cannot move at constant speed.", hint="Use a step scan.")
    direction = math.copysign(1.0, step)
    ramp = velocity**2 / (2.0 * axis.acceleration)
    return Sweep(
        axis=name,
        first=first,
        last=last,
        step=step,
        velocity=velocity,
        departure=first - direction * (ramp + velocity * LEAD),
        arrival=last + direction * (ramp + velocity * TRAIL),
    )


def _pulse(scan: Scan, devices: Devices) -> Trigger | None:
    if scan.trigger is TriggerMode.SOFTWARE:
        return None
    return next((t for t in devices.triggers.values() if scan.trigger in t.modes), None)


def _check_names(scan: Scan, selection: Selection) -> None:
    names = [spec.name for counter in selection.counters for spec in counter.channels]
    names += [spec.name for derived in selection.derived for spec in derived.derivation.channels]
    for camera in selection.cameras:
        published = selection.published.get(camera.name)
        channels = [spec.name for spec in channels_of(camera)]
        names += [name for name in channels if published is None or name in published]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"{scan.name}: two devices publish a channel called {name}.", hint="Rename one of them.")
        seen.add(name)


def _check_modes(scan: Scan, counters: Sequence[CounterDriver], cameras: Sequence[Camera]) -> None:
    modes = {c.name: c.modes for c in counters} | {c.name: c.info.modes for c in cameras}
    unfit = [name for name, possible in modes.items() if scan.trigger not in possible]
    if unfit:
        possible = ", ".join(sorted(modes[unfit[0]]))
        raise InvalidInput(
            f"{scan.name}: {', '.join(unfit)} cannot be triggered by {scan.trigger.value}.",
            hint=f"{unfit[0]} can be triggered by: {possible}.",
        )
