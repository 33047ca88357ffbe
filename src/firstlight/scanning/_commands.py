"""The scan commands: each is one typed function that returns a :class:`Scan`, which nothing has executed yet.

Names and the order of arguments are SPEC's, as users of BLISS know them. The signatures here are the single source
for the shell, the wire and forms. ``N`` intervals are ``N + 1`` points in a step scan and ``N`` frames in a
continuous one. Without counters, the session's default group measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from firstlight.model import InvalidInput, Scan, ScanKind, TriggerMode
from firstlight.scanning import _path
from firstlight.scanning._arguments import (
    Device,
    Position,
    Seconds,
    counter_names,
    device_name,
    positions,
    seconds,
    trigger_mode,
    typed,
    whole,
)
from firstlight.scanning._manifold import a3scan, a4scan, a5scan, d3scan, d4scan, d5scan
from firstlight.scanning._meshes import amesh, anmesh, dmesh, dnmesh
from firstlight.scanning._several import a2scan, anscan, d2scan, dnscan, lookupscan, pointscan

ShutterUse = Literal["open", "closed", "as-is"]


def ct(count_time: Seconds = 1.0, *counters: Device, title: str = "", name: str = "", save: bool = False) -> Scan:
    """Count once; not saved unless ``save``.

    :param count_time: seconds to integrate, or a text such as ``"10 ms"``.
    :param counters: counters, cameras or groups.
    """
    return _timed("ct", (count_time, *counters), 1, count_time, counters, title=title, name=name, save=save)


def sct(count_time: Seconds = 1.0, *counters: Device, title: str = "", name: str = "") -> Scan:
    """Count once, and save it.

    :param count_time: seconds to integrate, or a text such as ``"10 ms"``.
    :param counters: counters, cameras or groups.
    """
    return _timed("sct", (count_time, *counters), 1, count_time, counters, title=title, name=name, save=True)


def loopscan(
    npoints: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    trigger: Literal["software", "time"] = "software",
    shutter: ShutterUse = "open",
) -> Scan:
    """Count ``npoints`` times, one after the other.

    :param npoints: number of points.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    :param sleep_time: seconds to wait after each point.
    :param trigger: ``software``: the engine asks for each point; ``time``: devices run freely, as fast as all can.
    :param shutter: what the fast shutter does during the scan.
    """
    mode = trigger_mode(trigger, (TriggerMode.SOFTWARE, TriggerMode.TIME))
    if mode is TriggerMode.TIME and seconds(sleep_time, "sleep_time") > 0:
        raise InvalidInput("sleep_time: a time-triggered scan does not wait between points.", hint="Leave it out.")
    return _timed(
        "loopscan",
        (npoints, count_time, *counters),
        whole(npoints, "npoints", 1),
        count_time,
        counters,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        trigger=mode,
        shutter=shutter,
    )


def timescan(
    count_time: Seconds,
    *counters: Device,
    npoints: int = 0,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
) -> Scan:
    """Count again and again, until it is stopped or ``npoints`` are there.

    :param count_time: seconds that each point integrates.
    :param npoints: number of points; 0 for no end.
    :param sleep_time: seconds to wait after each point.
    """
    return _timed(
        "timescan",
        (count_time, *counters),
        whole(npoints, "npoints", 0),
        count_time,
        counters,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
    )


def ascan(
    axis: Device,
    start: Position,
    stop: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move an axis from ``start`` to ``stop`` and count at ``intervals + 1`` points.

    :param start: first position, in user units of the axis or a text such as ``"1 mm"``.
    :param stop: last position.
    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    :param sleep_time: seconds to wait after each point.
    :param stab_time: seconds to wait after each motion.
    """
    return _stepped(
        "ascan", axis, start, stop, intervals, count_time, counters, False, title, name, save, sleep_time, stab_time
    )


def dscan(
    axis: Device,
    start: Position,
    stop: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`ascan`, with positions relative to where the axis is; it returns there.

    :param start: first position minus the present one.
    :param stop: last position minus the present one.
    """
    return _stepped(
        "dscan", axis, start, stop, intervals, count_time, counters, True, title, name, save, sleep_time, stab_time
    )


def flyscan(
    axis: Device,
    start: Position,
    stop: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    trigger: Literal["time", "position"] = "time",
    back: bool = False,
    title: str = "",
    name: str = "",
    save: bool = True,
    shutter: ShutterUse = "open",
) -> Scan:
    """Move an axis at constant speed from ``start`` to ``stop`` and make ``intervals`` exposures on the way.

    Exposure k starts where interval k starts. The time between two starts is the longest that any device needs; it sets
    the speed. Start, middle and end position of each exposure are recorded.

    :param intervals: number of exposures, at least 1.
    :param count_time: seconds of each exposure.
    :param trigger: ``time``: a common start, then a clock; ``position``: each exposure starts as the axis passes.
    :param back: the axis returns to where it was.
    :param shutter: what the fast shutter does during the scan.
    """
    moved = device_name(axis, "axis")
    (a, b), unit = positions(moved, start=start, stop=stop)
    if a == b:
        raise InvalidInput(f"flyscan: {moved} would not move from {start} to {stop}.", hint="Use loopscan instead.")
    count = whole(intervals, "intervals", 1)
    exposure = seconds(count_time, "count_time")
    if exposure == 0:
        raise InvalidInput("count_time: a continuous scan needs an exposure of more than 0 s.")
    return Scan(
        name=name or "flyscan",
        title=title or typed("flyscan", moved, start, stop, intervals, count_time, *counters),
        kind=ScanKind.FLY,
        path=_path.sweep(moved, a, b, count),
        npoints=count,
        count_time=exposure,
        counters=counter_names(counters),
        units={moved: unit} if unit else {},
        trigger=trigger_mode(trigger, (TriggerMode.TIME, TriggerMode.POSITION)),
        back=bool(back),
        shutter=shutter,
        save=save,
    )


def _timed(
    command: str,
    arguments: tuple[object, ...],
    npoints: int,
    count_time: Seconds,
    counters: tuple[Device, ...],
    *,
    title: str,
    name: str,
    save: bool,
    sleep_time: Seconds = 0.0,
    trigger: TriggerMode = TriggerMode.SOFTWARE,
    shutter: ShutterUse = "open",
) -> Scan:
    return Scan(
        name=name or command,
        title=title or typed(command, *arguments),
        kind=ScanKind.TIME,
        npoints=npoints,
        count_time=seconds(count_time, "count_time"),
        counters=counter_names(counters),
        trigger=trigger,
        sleep_time=seconds(sleep_time, "sleep_time"),
        shutter=shutter,
        save=save,
    )


def _stepped(
    command: str,
    axis: Device,
    start: Position,
    stop: Position,
    intervals: int,
    count_time: Seconds,
    counters: tuple[Device, ...],
    relative: bool,
    title: str,
    name: str,
    save: bool,
    sleep_time: Seconds,
    stab_time: Seconds,
) -> Scan:
    moved = device_name(axis, "axis")
    (a, b), unit = positions(moved, start=start, stop=stop)
    count = whole(intervals, "intervals", 1) + 1
    return Scan(
        name=name or command,
        title=title or typed(command, moved, start, stop, intervals, count_time, *counters),
        kind=ScanKind.STEP,
        path=_path.line(moved, a, b, count),
        npoints=count,
        count_time=seconds(count_time, "count_time"),
        counters=counter_names(counters),
        units={moved: unit} if unit else {},
        relative=relative,
        sleep_time=seconds(sleep_time, "sleep_time"),
        stab_time=seconds(stab_time, "stab_time"),
        save=save,
    )


COMMANDS: Mapping[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (
        *(ct, sct, loopscan, timescan),
        *(ascan, dscan, a2scan, d2scan, a3scan, d3scan, a4scan, d4scan, a5scan, d5scan),
        *(anscan, dnscan, lookupscan, pointscan),
        *(amesh, dmesh, anmesh, dnmesh),
        flyscan,
    )
}
"""The commands by name, for shells and services that offer them all."""
