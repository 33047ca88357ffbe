"""Where axes are and how they do: ``wa``, ``wu``, ``wm``, ``sta``, ``stm``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from firstlight.model import FirstlightError
from firstlight.shell._desk import Desk
from firstlight.shell._face import AxisFace, Word
from firstlight.shell._reading import read_all
from firstlight.shell._table import cell
from firstlight.shell._words import axes_of

ERROR = "ERR"
_NARROW = 9
_MOST_ERRORS = 5
"""Sentences about axes that do not answer, in one table."""


def wa(desk: Desk, *axes: Word) -> None:
    """Where all axes are: user and dial positions.

    ::

        wa
        wa s*

    :param axes: only these; names, or patterns such as ``s*``.
    """
    _table(desk, axes, {"user": lambda axis: axis.position, "dial": lambda axis: axis.dial})


def wu(desk: Desk, *axes: Word) -> None:
    """Where all axes are: user positions.

    ::

        wu

    :param axes: only these; names, or patterns such as ``s*``.
    """
    _table(desk, axes, {"user": lambda axis: axis.position})


def wm(desk: Desk, *axes: Word) -> None:
    """Where axes are, with their limits and offsets.

    ::

        wm rot sx

    :param axes: names, or patterns; all axes when none is named.
    """
    _table(
        desk,
        axes,
        {
            "user high": lambda axis: axis.limits[1],
            "user": lambda axis: axis.position,
            "user low": lambda axis: axis.limits[0],
            "dial high": lambda axis: _dial_limits(axis)[1],
            "dial": lambda axis: axis.dial,
            "dial low": lambda axis: _dial_limits(axis)[0],
            "offset": lambda axis: axis.offset,
            "sign": lambda axis: axis.sign,
            "velocity": lambda axis: axis.velocity,
        },
    )


def sta(desk: Desk) -> None:
    """The state of all axes.

    ::

        sta
    """
    _states(desk, ())


def stm(desk: Desk, *axes: Word) -> None:
    """The state of axes.

    ::

        stm rot sx

    :param axes: names, or patterns; all axes when none is named.
    """
    _states(desk, axes)


def _dial_limits(axis: AxisFace) -> tuple[float, float]:
    a, b = (axis.sign * (limit - axis.offset) for limit in axis.limits)
    return min(a, b), max(a, b)


def _table(desk: Desk, words: Sequence[Word], rows: Mapping[str, Callable[[AxisFace], Any]]) -> None:
    axes = {axis.name: axis for axis in axes_of(desk.session, words)}
    if not axes:
        desk.say("There are no axes.")
        return
    answers = read_all(axes, lambda axis: {row: ask(axis) for row, ask in rows.items()})
    columns: list[list[str]] = []
    errors: list[str] = []
    for name, axis in axes.items():
        answer = answers[name]
        if isinstance(answer, Exception):
            errors.append(_sentence(name, answer))
            cells = [ERROR] * len(rows)
        else:
            cells = [cell(answer[row]) for row in rows]
        columns.append([f"{name}[{axis.unit}]" if axis.unit else name, *cells])
    desk.say(blocks(["", *rows], columns, desk.width))
    for sentence in errors[:_MOST_ERRORS]:
        desk.say(sentence, style="red")
    if len(errors) > _MOST_ERRORS:
        desk.say(f"{len(errors) - _MOST_ERRORS} more axes do not answer.", style="red")


def blocks(heads: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> str:
    """Columns side by side, below each other where the screen is too narrow.

    :param heads: names of the rows.
    """
    left = max(map(len, heads))
    lines: list[str] = []
    block: list[tuple[int, Sequence[str]]] = []
    used = left

    def flush() -> None:
        if not block:
            return
        if lines:
            lines.append("")
        for row, head in enumerate(heads):
            cells = "  ".join(column[row].rjust(wide) for wide, column in block)
            lines.append(f"{head:<{left}}  {cells}".rstrip())

    for column in columns:
        wide = max(_NARROW, *map(len, column))
        if block and used + 2 + wide > width:
            flush()
            block, used = [], left
        block.append((wide, column))
        used += 2 + wide
    flush()
    return "\n".join(lines)


def _states(desk: Desk, words: Sequence[Word]) -> None:
    axes = {axis.name: axis for axis in axes_of(desk.session, words)}
    if not axes:
        desk.say("There are no axes.")
        return
    answers = read_all(axes, _state)
    width = max(map(len, axes))
    for name, answer in answers.items():
        if isinstance(answer, Exception):
            desk.say(f"{name:<{width}}  {ERROR}  {_sentence(name, answer).removeprefix(f'{name}: ')}", style="red")
        else:
            desk.say(f"{name:<{width}}  {answer}")


def _state(axis: Any) -> str:
    state = getattr(axis, "state", None)
    if state is not None:
        return str(state)
    return "MOVING" if axis.moving else "READY"


def _sentence(name: str, error: Exception) -> str:
    if isinstance(error, FirstlightError):
        return error.message if error.message.startswith(name) else f"{name}: {error.message}"
    return f"{name}: {type(error).__name__}: {str(error).strip().rstrip('.')}."
