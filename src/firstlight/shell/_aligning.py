"""After a scan: where the centre is, and going there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from firstlight.data import Position
from firstlight.model import FirstlightError, InvalidInput, NotFound
from firstlight.shell._desk import Desk
from firstlight.shell._face import AxisFace, Number, Word
from firstlight.shell._moving import go
from firstlight.shell._plot import curves, drawn, require
from firstlight.shell._words import name_of, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from firstlight.data import Run

Find = Callable[["Run", str | None, str | None], Position]


def cen(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> Position:
    """Centre of the width at half height of the last scan's peak or dip, or the middle of its edge.

    ::

        cen
        cen diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _found(desk, "cen", counter, axis, run)


def com(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> Position:
    """Centre of mass of the last scan, above its base line.

    ::

        com
        com diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _found(desk, "com", counter, axis, run)


def peak(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> Position:
    """Position of the highest point of the last scan.

    ::

        peak
        peak diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _found(desk, "peak", counter, axis, run)


def trough(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> Position:
    """Position of the lowest point of the last scan.

    ::

        trough
        trough diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _found(desk, "trough", counter, axis, run)


def fwhm(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> Position:
    """Full width at half height of the last scan's peak or dip.

    ::

        fwhm
        fwhm diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _found(desk, "fwhm", counter, axis, run)


def goto_cen(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> None:
    """Move the axis of the last scan to the centre that cen finds.

    ::

        goto_cen

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    _goto(desk, "cen", counter, axis, run)


def goto_com(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> None:
    """Move the axis of the last scan to the centre of mass.

    ::

        goto_com diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    _goto(desk, "com", counter, axis, run)


def goto_peak(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> None:
    """Move the axis of the last scan to its highest point.

    ::

        goto_peak diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    _goto(desk, "peak", counter, axis, run)


def goto_min(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> None:
    """Move the axis of the last scan to its lowest point.

    ::

        goto_min diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    _goto(desk, "trough", counter, axis, run)


def find_position(
    desk: Desk,
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    counter: Word | None = None,
    axis: Word | None = None,
    run: Run | None = None,
) -> Position:
    """The position that a function of yours finds in the last scan.

    ::

        find_position(lambda x, y: x[y.argmax()])

    :param function: gets positions and heights, returns a position.
    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    return _custom(desk, function, counter, axis, run)


def goto_custom(
    desk: Desk,
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    counter: Word | None = None,
    axis: Word | None = None,
    run: Run | None = None,
) -> None:
    """Move the axis of the last scan to the position that a function of yours finds.

    ::

        goto_custom(lambda x, y: x[y.argmax()])

    :param function: gets positions and heights, returns a position.
    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    found = _custom(desk, function, counter, axis, run)
    _there(desk, {found.axis: found}, f"the position that you found in {found.counter}")


def where(desk: Desk, counter: Word | None = None, axis: Word | None = None, run: Run | None = None) -> None:
    """The curve of the last scan, with a line where its axis is now.

    ::

        where

    :param counter: by default the one chosen by plotselect, or the run's first.
    :param axis: by default the one that moved.
    :param run: by default the last.
    """
    run = run or desk.run()
    wanted, along = _counter(desk, run, counter), _axis(run, axis)
    found = require(curves(run, [wanted] if wanted else [], along), run)
    name = along or (run.info.plots[0].x if run.info.plots else next(iter(run.info.axes), ""))
    moved = desk.session.axes.get(name)
    marks = [moved.position] if moved is not None else []
    desk.say(drawn(found[0], desk.width, marks=marks))
    if moved is not None:
        desk.say(f"{moved.name} is at {marks[0]:.6g} {moved.unit}".rstrip())


def lineup(
    desk: Desk,
    axis: Word,
    start: Number,
    stop: Number,
    intervals: int,
    count_time: Number,
    counter: Word,
) -> None:
    """Scan an axis relative to where it is, then go to the highest point.

    ::

        lineup sx -1 1 20 0.1 diode

    :param axis: what moves.
    :param start: first position minus the present one.
    :param stop: last position minus the present one.
    :param intervals: number of steps.
    :param count_time: seconds that each point integrates.
    :param counter: what to look at.
    """
    run = desk.names["dscan"](axis, start, stop, intervals, count_time, counter)
    _goto(desk, "peak", counter, None, run)


_WORDS = {
    "cen": "the centre",
    "com": "the centre of mass",
    "peak": "the highest point",
    "trough": "the lowest point",
}


def _found(desk: Desk, what: str, counter: Word | None, axis: Word | None, run: Run | None) -> Position:
    run = run or desk.run()
    find: Callable[..., Position] = getattr(run, what)
    return find(_counter(desk, run, counter), _axis(run, axis))


def _goto(desk: Desk, what: str, counter: Word | None, axis: Word | None, run: Run | None) -> None:
    run = run or desk.run()
    find: Callable[..., Position] = getattr(run, what)
    wanted = _counter(desk, run, counter)
    along = _axis(run, axis)
    # Axes that went together go together.
    axes: Sequence[str | None] = [along] if along else (run.info.axes or [None])
    targets = {found.axis: found for found in (find(wanted, name) for name in axes)}
    seen = next(iter(targets.values())).counter
    _there(desk, targets, f"{_WORDS[what]} of {seen}")


def _there(desk: Desk, targets: dict[str, Position], what: str) -> None:
    axes: list[AxisFace] = []
    for name in targets:
        axis = desk.session.axes.get(name)
        if axis is None:
            raise InvalidInput(
                f"The last scan went along {name.replace('_', ' ')}, which is no axis to move.",
                hint="Scan an axis, or name one.",
            )
        axes.append(axis)
    for axis in axes:
        words = f"{axis.name}: {axis.position:.6g} → {targets[axis.name]}, {what}"
        desk.say(words)
    go(desk, axes, {name: float(position) for name, position in targets.items()}, live=True)


def _custom(
    desk: Desk, function: Callable[..., float], counter: Word | None, axis: Word | None, run: Run | None
) -> Position:
    if not callable(function):
        raise InvalidInput(
            f"{function!r} is no function.", hint="Give a function of positions and heights that returns a position."
        )
    run = run or desk.run()
    wanted = _counter(desk, run, counter)
    curve = require(curves(run, [wanted] if wanted else [], _axis(run, axis)), run)[0]
    try:
        found = float(function(curve.x, curve.y))
    except FirstlightError:
        raise
    except Exception as error:
        raise InvalidInput(f"Your function failed: {type(error).__name__}: {error}.") from error
    return Position(found, run[curve.axis].unit, curve.axis, curve.counter)


def _counter(desk: Desk, run: Run, counter: Word | None) -> str | None:
    if counter is not None:
        return _measured(run, name_of(counter, "counter"))
    return next((name for name in desk.selected if name in run), None)


def _axis(run: Run, axis: Word | None) -> str | None:
    return None if axis is None else _measured(run, name_of(axis, "axis"))


def _measured(run: Run, name: str) -> str:
    if name not in run:
        known = [channel for channel, spec in run.specs().items() if not spec.shape]
        raise NotFound(f"The scan '{run.title}' has no {name}.", hint=nearest(name, known, "counters"))
    return name
