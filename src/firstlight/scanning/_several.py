"""Step scans of several axes at once, and step scans over lists of positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from firstlight.model import InvalidInput, Scan, ScanKind
from firstlight.scanning import _path
from firstlight.scanning._arguments import (
    Device,
    Position,
    Seconds,
    counter_names,
    device_name,
    positions,
    rows,
    seconds,
    typed,
    whole,
)

Stretch = tuple[Device, Position, Position]
"""Axis, start, stop."""


def a2scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move two axes together, each from its start to its stop, and count at ``intervals + 1`` points.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "a2scan",
        [(axis1, start1, stop1), (axis2, start2, stop2)],
        intervals,
        count_time,
        counters,
        numbered=True,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def d2scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`a2scan`, with positions relative to where the axes are; they return there.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "d2scan",
        [(axis1, start1, stop1), (axis2, start2, stop2)],
        intervals,
        count_time,
        counters,
        numbered=True,
        relative=True,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def anscan(
    axes: Iterable[Stretch],
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move any number of axes together: ``anscan([("x", 0, 1), ("y", 5, 6), ("z", 2, 3)], 10, 0.1)``.

    :param axes: axis, start and stop of each.
    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "anscan",
        axes,
        intervals,
        count_time,
        counters,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def dnscan(
    axes: Iterable[Stretch],
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`anscan`, with positions relative to where the axes are; they return there.

    :param axes: axis, start and stop of each.
    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "dnscan",
        axes,
        intervals,
        count_time,
        counters,
        relative=True,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def lookupscan(
    axes: Iterable[tuple[Device, Iterable[Position]]],
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Visit listed positions, all axes together: ``lookupscan([("x", [0, 1, 5]), ("y", [2, 2, 3])], 0.1)``.

    :param axes: axis and its positions, as many for each axis as there are points.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return _listed(
        "lookupscan",
        axes,
        count_time,
        counters,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def pointscan(
    axis: Device,
    positions: Iterable[Position],
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Visit listed positions of one axis: ``pointscan("x", [0, 1, 5], 0.1)``.

    :param positions: one a point, in the order in which they are visited.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return _listed(
        "pointscan",
        [(axis, positions)],
        count_time,
        counters,
        single=True,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def together(
    command: str,
    lines: Iterable[Sequence[object]],
    intervals: int,
    count_time: Seconds,
    counters: tuple[Device, ...],
    *,
    numbered: bool = False,
    relative: bool = False,
    title: str,
    name: str,
    save: bool,
    sleep_time: Seconds,
    stab_time: Seconds,
) -> Scan:
    """All axes along one line.

    :param numbered: the arguments are called ``axis1``, ``start1``, ... in errors.
    """
    count = whole(intervals, "intervals", 1) + 1
    stretches: list[tuple[str, float, float, int]] = []
    units: dict[str, str] = {}
    words: list[object] = []
    for number, (axis, start, stop) in enumerate(rows(command, lines, ("axis", "start", "stop")), start=1):
        mark = str(number) if numbered else ""
        moved = _another(command, axis, f"axis{mark}", [known for known, *_ in stretches])
        (a, b), unit = positions(moved, **{f"start{mark}": start, f"stop{mark}": stop})
        stretches.append((moved, a, b, count))
        words += [moved, start, stop]
        if unit:
            units[moved] = unit
    return _step(
        name or command,
        title or typed(command, *words, intervals, count_time, *counters),
        _path.together(*stretches),
        count,
        count_time,
        counters,
        units=units,
        relative=relative,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def _listed(
    command: str,
    columns: Iterable[Sequence[object]],
    count_time: Seconds,
    counters: tuple[Device, ...],
    *,
    single: bool = False,
    title: str,
    name: str,
    save: bool,
    sleep_time: Seconds,
    stab_time: Seconds,
) -> Scan:
    """Positions point by point.

    :param single: there is one axis, whose arguments are the command's own.
    """
    found: dict[str, tuple[float, ...]] = {}
    units: dict[str, str] = {}
    words: list[object] = []
    for axis, given in rows(command, columns, ("axis", "positions")):
        moved = _another(command, axis, "axis", list(found))
        wanted = _list(command, moved, given)
        found[moved], unit = positions(moved, **{f"positions[{index}]": value for index, value in enumerate(wanted)})
        words.append([moved, wanted])
        if unit:
            units[moved] = unit
    first = next(iter(found))
    for moved, values in found.items():
        if len(values) != len(found[first]):
            raise InvalidInput(
                f"{command}: {moved} has {len(values)} positions and {first} has {len(found[first])}.",
                hint="Give as many for each axis.",
            )
    return _step(
        name or command,
        title or typed(command, *([moved, wanted] if single else [words]), count_time, *counters),
        _path.listed(found),
        len(found[first]),
        count_time,
        counters,
        units=units,
        relative=False,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def _step(
    name: str,
    title: str,
    path: dict[str, Any],
    npoints: int,
    count_time: Seconds,
    counters: tuple[Device, ...],
    *,
    units: dict[str, str],
    relative: bool,
    save: bool,
    sleep_time: Seconds,
    stab_time: Seconds,
) -> Scan:
    return Scan(
        name=name,
        title=title,
        kind=ScanKind.STEP,
        path=path,
        npoints=npoints,
        count_time=seconds(count_time, "count_time"),
        counters=counter_names(counters),
        units=units,
        relative=relative,
        sleep_time=seconds(sleep_time, "sleep_time"),
        stab_time=seconds(stab_time, "stab_time"),
        save=save,
    )


def _another(command: str, axis: Device, what: str, known: Sequence[str]) -> str:
    moved = device_name(axis, what)
    if moved in known:
        raise InvalidInput(f"{command}: {moved} is named twice.", hint="Name each axis once.")
    return moved


def _list(command: str, axis: str, given: Any) -> list[Any]:
    """Positions as a list; one position alone is no list."""
    try:
        if isinstance(given, str):
            raise TypeError
        wanted = list(given)
    except TypeError:
        raise InvalidInput(
            f"{command}: {given!r} is not a list of positions of {axis}.", hint="Write for instance [0, 1.5, 3]."
        ) from None
    if not wanted:
        raise InvalidInput(f"{command}: there are no positions for {axis}.", hint="Give at least one.")
    return wanted
