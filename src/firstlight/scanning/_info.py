"""The description that travels with a run, and the record of its end."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from firstlight.model import (
    ChannelKind,
    ChannelRole,
    Clock,
    EndReason,
    FirstlightError,
    Pause,
    PlotHint,
    Quantity,
    RunAborted,
    RunEnd,
    RunInfo,
    Saving,
)
from firstlight.scanning._devices import Devices
from firstlight.scanning._plan import Plan
from firstlight.scanning._presets import EndScan

_log = logging.getLogger(__name__)


def run_info(
    clock: Clock,
    devices: Devices,
    plan: Plan,
    saving: Saving | None,
    parent: str | None,
    metadata: Mapping[str, Any],
    session: str = "",
) -> RunInfo:
    """The description of the run of a plan.

    :param metadata: of the session; the scan's own wins.
    """
    scan = plan.scan
    technique = dict(scan.metadata)
    if scan.image_key is not None:
        # nxtomomill recognises darks, flats and projections of a sequence by this.
        technique = merged({"technique": {"image_key": scan.image_key}}, technique)
    return RunInfo(
        name=scan.name,
        title=scan.title,
        start_epoch=clock.epoch(clock.now()),
        clock=clock.name,
        clock_offset=clock.epoch(0.0),
        npoints=plan.points,
        saving=saving,
        session=session,
        parent=parent,
        axes=plan.axes,
        shape=plan.shape if len(plan.shape) > 1 else (),
        count_time=scan.count_time,
        plots=plots(plan),
        positioners=positioners(devices),
        parameters=scan.model_dump(mode="json", exclude={"metadata"}, exclude_defaults=True),
        devices=device_settings(devices, plan),
        metadata=merged(metadata, technique),
    )


def positioners(devices: Devices) -> dict[str, Quantity]:
    """Where all axes are; one that does not answer is left out, because most scans do not need it."""
    found = {}
    for name, axis in devices.axes.items():
        try:
            position = axis.position
        except Exception as error:  # noqa: BLE001 - any axis of the beamline may be off
            _log.warning("%s does not tell its position: %s", name, error)
            continue
        if math.isfinite(position):
            found[name] = Quantity(value=position, unit=axis.unit)
    return found


def plots(plan: Plan) -> tuple[PlotHint, ...]:
    """Each scalar counter against what moves: the fast axis of a grid, the first of axes that go together, or time."""
    x = plan.axes[-1 if len(plan.shape) > 1 else 0] if plan.axes else "elapsed_time"
    specs = [spec for counter in plan.counters for spec in counter.channels]
    specs += [spec for derived in plan.derived for spec in derived.derivation.channels]
    y = tuple(s.name for s in specs if s.shape == () and s.kind is ChannelKind.LOG and s.role is not ChannelRole.STATUS)
    return (PlotHint(x=x, y=y),) if y else ()


def device_settings(devices: Devices, plan: Plan) -> dict[str, dict[str, Any]]:
    """How the devices of a plan are set."""
    settings: dict[str, dict[str, Any]] = {}
    for name in (*plan.axes, *plan.reals):
        axis = devices.axis(name)
        found: dict[str, Any] = {"sign": axis.sign, "offset": axis.offset, "offset@units": axis.unit}
        speed = plan.sweep.velocity if plan.sweep is not None and name in plan.axes else axis.velocity
        for key, value, unit in (
            ("velocity", speed, f"{axis.unit}/s"),
            ("acceleration", axis.acceleration, f"{axis.unit}/s^2"),
        ):
            if math.isfinite(value):
                found |= {key: value, f"{key}@units": unit}
        settings[name] = found
    measuring: dict[str, object] = {counter.name: counter for counter in plan.counters}
    measuring |= {derived.name: derived.counter for derived in plan.derived}
    for name, counter in measuring.items():
        # A driver that has nothing to tell has no such attribute.
        if isinstance(told := getattr(counter, "info", None), Mapping) and told:
            settings[name] = dict(told)
    for camera in plan.cameras:
        info = camera.info
        settings[camera.name] = {
            "acq_parameters": {
                "acq_expo_time": plan.scan.count_time,
                "acq_expo_time@units": "s",
                "acq_mode": plan.scan.trigger.value,
                "acq_nb_frames": plan.points or 0,
                **({"acq_period": plan.period, "acq_period@units": "s"} if plan.period else {}),
            },
            "dead_time": info.dead_time,
            "dead_time@units": "s",
        }
        for key, size in (("y_pixel_size", info.pixel_size[0]), ("x_pixel_size", info.pixel_size[1])):
            if size > 0:
                settings[camera.name] |= {key: size, f"{key}@units": "m"}
    for name, truth in truths(devices, plan).items():
        settings.setdefault(name, {})["truth"] = truth
    return settings


def truths(devices: Devices, plan: Plan) -> dict[str, dict[str, Any]]:
    """What simulated devices of a plan, and those that all plans use, tell beyond what can be measured."""
    asked: dict[str, Any] = {name: devices.axis(name).driver for name in plan.axes if name in devices.axes}
    asked |= {counter.name: counter for counter in plan.counters}
    asked |= {camera.name: camera for camera in plan.cameras} | dict(devices.others)
    # A camera whose process is elsewhere hands the question on, so its class does not show that it can be asked.
    tellers = {name: getattr(device, "truth", None) for name, device in asked.items()}
    found = {name: dict(truth()) for name, truth in tellers.items() if callable(truth)}
    return {name: truth for name, truth in found.items() if truth}


def run_end(
    cause: BaseException | None, clock: Clock, devices: Devices, pauses: tuple[Pause, ...] = ()
) -> tuple[RunEnd, FirstlightError | None]:
    """The record of the end, and the error that the caller gets."""
    error: FirstlightError | None = None
    message = ""
    reason = EndReason.SUCCESS
    if isinstance(cause, EndScan):
        message = str(cause)
    elif cause is not None:
        reason = EndReason.ABORTED if isinstance(cause, RunAborted) else EndReason.FAILED
        error = as_error(cause)
        message = str(error)
    end = RunEnd(
        reason=reason,
        message=message,
        epoch=clock.epoch(clock.now()),
        positioners=positioners(devices),
        pauses=pauses,
    )
    return end, error


def as_error(cause: BaseException) -> FirstlightError:
    """An error that people can be shown; what was not raised on purpose goes to the log with its traceback."""
    if isinstance(cause, FirstlightError):
        return cause
    _log.error("the engine failed", exc_info=cause)
    error = FirstlightError(f"The engine failed: {type(cause).__name__}: {str(cause).rstrip('.')}.")
    error.__cause__ = cause
    return error


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees in one; where both have a value, that of ``above``."""
    result = dict(below)
    for key, value in above.items():
        there = result.get(key)
        result[key] = merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    return result
