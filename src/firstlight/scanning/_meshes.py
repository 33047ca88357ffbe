"""Grids: ``amesh`` and its relatives. The first axis is the fast one, the last the slow one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

Line = tuple[Device, Position, Position, int]
"""Axis, start, stop, intervals."""


def amesh(
    axis1: Device,
    start1: Position,
    stop1: Position,
    intervals1: int,
    axis2: Device,
    start2: Position,
    stop2: Position,
    intervals2: int,
    count_time: Seconds,
    *counters: Device,
    backnforth: bool = False,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """A grid: ``axis1`` (fast) goes from ``start1`` to ``stop1`` for each of the positions of ``axis2`` (slow).

    :param intervals1: steps of the fast axis: ``intervals1 + 1`` points in each line.
    :param intervals2: steps of the slow axis: ``intervals2 + 1`` lines.
    :param backnforth: every other line is visited backwards.
    """
    return _meshed(
        "amesh",
        [(axis1, start1, stop1, intervals1), (axis2, start2, stop2, intervals2)],
        count_time,
        counters,
        numbered=True,
        backnforth=backnforth,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def dmesh(
    axis1: Device,
    start1: Position,
    stop1: Position,
    intervals1: int,
    axis2: Device,
    start2: Position,
    stop2: Position,
    intervals2: int,
    count_time: Seconds,
    *counters: Device,
    backnforth: bool = False,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`amesh`, with positions relative to where the axes are; they return there.

    :param intervals1: steps of the fast axis: ``intervals1 + 1`` points in each line.
    :param intervals2: steps of the slow axis: ``intervals2 + 1`` lines.
    :param backnforth: every other line is visited backwards.
    """
    return _meshed(
        "dmesh",
        [(axis1, start1, stop1, intervals1), (axis2, start2, stop2, intervals2)],
        count_time,
        counters,
        numbered=True,
        relative=True,
        backnforth=backnforth,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def anmesh(
    axes: Iterable[Line],
    count_time: Seconds,
    *counters: Device,
    backnforth: bool = False,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """A grid of any number of axes, the fast one first: ``anmesh([("x", 0, 1, 10), ("y", 0, 2, 20)], 0.1)``.

    :param axes: axis, start, stop and intervals of each.
    :param backnforth: every other line is visited backwards.
    """
    return _meshed(
        "anmesh",
        axes,
        count_time,
        counters,
        backnforth=backnforth,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def dnmesh(
    axes: Iterable[Line],
    count_time: Seconds,
    *counters: Device,
    backnforth: bool = False,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`anmesh`, with positions relative to where the axes are; they return there.

    :param axes: axis, start, stop and intervals of each.
    :param backnforth: every other line is visited backwards.
    """
    return _meshed(
        "dnmesh",
        axes,
        count_time,
        counters,
        relative=True,
        backnforth=backnforth,
        title=title,
        name=name,
        save=save,
        sleep_time=sleep_time,
        stab_time=stab_time,
    )


def _meshed(
    command: str,
    lines: Iterable[Sequence[object]],
    count_time: Seconds,
    counters: tuple[Device, ...],
    *,
    numbered: bool = False,
    relative: bool = False,
    backnforth: bool,
    title: str,
    name: str,
    save: bool,
    sleep_time: Seconds,
    stab_time: Seconds,
) -> Scan:
    """One grid.

    :param numbered: the arguments are called ``axis1``, ``start1``, ... in errors.
    """
    grid: list[tuple[str, float, float, int]] = []
    units: dict[str, str] = {}
    words: list[object] = []
    given = rows(command, lines, ("axis", "start", "stop", "intervals"))
    for number, (axis, start, stop, intervals) in enumerate(given, start=1):
        mark = str(number) if numbered else ""
        moved = device_name(axis, f"axis{mark}")
        if any(moved == other for other, *_ in grid):
            raise InvalidInput(f"{command}: {moved} cannot be both axes.", hint="Name two different axes.")
        (a, b), unit = positions(moved, **{f"start{mark}": start, f"stop{mark}": stop})
        grid.append((moved, a, b, whole(intervals, f"intervals{mark}", 1) + 1))
        words += [moved, start, stop, intervals]
        if unit:
            units[moved] = unit
    npoints = 1
    for *_, points in grid:
        npoints *= points
    return Scan(
        name=name or command,
        title=title or typed(command, *words, count_time, *counters),
        kind=ScanKind.STEP,
        path=_path.mesh(*grid, backnforth=bool(backnforth)),
        npoints=npoints,
        count_time=seconds(count_time, "count_time"),
        counters=counter_names(counters),
        units=units,
        relative=relative,
        sleep_time=seconds(sleep_time, "sleep_time"),
        stab_time=seconds(stab_time, "stab_time"),
        save=save,
    )
