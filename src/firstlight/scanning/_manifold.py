"""Step scans of three to five axes that are named one by one: ``a3scan`` to ``a5scan`` and their relatives."""

from __future__ import annotations

from firstlight.model import Scan
from firstlight.scanning._arguments import Device, Position, Seconds
from firstlight.scanning._several import together


def a3scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move three axes together, each from its start to its stop, and count at ``intervals + 1`` points.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "a3scan",
        [(axis1, start1, stop1), (axis2, start2, stop2), (axis3, start3, stop3)],
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


def a4scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    axis4: Device,
    start4: Position,
    stop4: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move four axes together, each from its start to its stop, and count at ``intervals + 1`` points.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "a4scan",
        [(axis1, start1, stop1), (axis2, start2, stop2), (axis3, start3, stop3), (axis4, start4, stop4)],
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


def a5scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    axis4: Device,
    start4: Position,
    stop4: Position,
    axis5: Device,
    start5: Position,
    stop5: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """Move five axes together, each from its start to its stop, and count at ``intervals + 1`` points.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "a5scan",
        [
            (axis1, start1, stop1),
            (axis2, start2, stop2),
            (axis3, start3, stop3),
            (axis4, start4, stop4),
            (axis5, start5, stop5),
        ],
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


def d3scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`a3scan`, with positions relative to where the axes are; they return there.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "d3scan",
        [(axis1, start1, stop1), (axis2, start2, stop2), (axis3, start3, stop3)],
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


def d4scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    axis4: Device,
    start4: Position,
    stop4: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`a4scan`, with positions relative to where the axes are; they return there.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "d4scan",
        [(axis1, start1, stop1), (axis2, start2, stop2), (axis3, start3, stop3), (axis4, start4, stop4)],
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


def d5scan(
    axis1: Device,
    start1: Position,
    stop1: Position,
    axis2: Device,
    start2: Position,
    stop2: Position,
    axis3: Device,
    start3: Position,
    stop3: Position,
    axis4: Device,
    start4: Position,
    stop4: Position,
    axis5: Device,
    start5: Position,
    stop5: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    title: str = "",
    name: str = "",
    save: bool = True,
    sleep_time: Seconds = 0.0,
    stab_time: Seconds = 0.0,
) -> Scan:
    """The same as :func:`a5scan`, with positions relative to where the axes are; they return there.

    :param intervals: number of steps, at least 1.
    :param count_time: seconds that each point integrates.
    :param counters: counters, cameras or groups.
    """
    return together(
        "d5scan",
        [
            (axis1, start1, stop1),
            (axis2, start2, stop2),
            (axis3, start3, stop3),
            (axis4, start4, stop4),
            (axis5, start5, stop5),
        ],
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
