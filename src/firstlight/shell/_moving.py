"""Moving axes: ``mv``, ``mvr``, ``umv`` and their relatives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from firstlight.model import FirstlightError, RunAborted
from firstlight.scanning import held
from firstlight.shell._command import Wrong, listing
from firstlight.shell._desk import Desk
from firstlight.shell._face import AxisFace, Number, Word
from firstlight.shell._words import axes_of, axis_of, number

INTERVAL = 0.1
"""Seconds between two looks at an axis that moves."""


def mv(desk: Desk, *moves: Word | Number) -> None:
    """Move axes to user positions, all at once, and wait.

    ::

        mv rot 10
        mv rot 10 sx "2 mm"

    :param moves: axis and position, as often as wanted.
    """
    _move(desk, "mv", moves)


def mvr(desk: Desk, *moves: Word | Number) -> None:
    """Move axes by distances, all at once, and wait.

    ::

        mvr sx -0.5

    :param moves: axis and distance, as often as wanted.
    """
    _move(desk, "mvr", moves, relative=True)


def mvd(desk: Desk, *moves: Word | Number) -> None:
    """Move axes to dial positions, and wait.

    ::

        mvd rot 10

    :param moves: axis and dial position, as often as wanted.
    """
    _move(desk, "mvd", moves, dial=True)


def mvdr(desk: Desk, *moves: Word | Number) -> None:
    """Move axes by distances of their dial, and wait.

    ::

        mvdr sx 0.1

    :param moves: axis and distance, as often as wanted.
    """
    _move(desk, "mvdr", moves, relative=True, dial=True)


def umv(desk: Desk, *moves: Word | Number) -> None:
    """Move axes to user positions, and show where they are on the way.

    ::

        umv rot 180

    :param moves: axis and position, as often as wanted.
    """
    _move(desk, "umv", moves, live=True)


def umvr(desk: Desk, *moves: Word | Number) -> None:
    """Move axes by distances, and show where they are on the way.

    ::

        umvr rot -5

    :param moves: axis and distance, as often as wanted.
    """
    _move(desk, "umvr", moves, relative=True, live=True)


def umvd(desk: Desk, *moves: Word | Number) -> None:
    """Move axes to dial positions, and show where they are on the way.

    ::

        umvd rot 90

    :param moves: axis and dial position, as often as wanted.
    """
    _move(desk, "umvd", moves, dial=True, live=True)


def umvdr(desk: Desk, *moves: Word | Number) -> None:
    """Move axes by distances of their dial, and show where they are on the way.

    ::

        umvdr sx -0.1

    :param moves: axis and distance, as often as wanted.
    """
    _move(desk, "umvdr", moves, relative=True, dial=True, live=True)


def move(desk: Desk, *moves: Word | Number, relative: bool = False, dial: bool = False, wait: bool = True) -> None:
    """Move axes; the general form.

    ::

        move rot 10 wait=False

    :param moves: axis and position, as often as wanted.
    :param relative: positions are distances.
    :param dial: positions are those of the dial.
    :param wait: return when all are at rest; otherwise at once.
    """
    _move(desk, "move", moves, relative=relative, dial=dial, wait=wait)


def stop(desk: Desk, *axes: Word) -> None:
    """Stop axes; everything that moves when none is named.

    ::

        stop
        stop rot

    :param axes: axes, or their names.
    """
    desk.session.stop(*(axis.name for axis in axes_of(desk.session, axes)) if axes else ())


def _move(
    desk: Desk,
    command: str,
    moves: Sequence[Any],
    *,
    relative: bool = False,
    dial: bool = False,
    live: bool = False,
    wait: bool = True,
) -> None:
    hint = f"Write for instance: {command} {next(iter(desk.session.axes), 'rot')} 10."
    if not moves:
        raise Wrong(f"{command} needs an axis and a {'distance' if relative else 'position'}.", hint=hint)
    targets: dict[str, float] = {}
    axes: list[AxisFace] = []
    for word, value in zip(moves[::2], [*moves[1::2], None] if len(moves) % 2 else moves[1::2], strict=True):
        axis = axis_of(desk.session, word)
        if value is None:
            raise Wrong(f"{command}: there is no position for {axis.name}.", hint=hint)
        if axis.name in targets:
            raise Wrong(f"{command}: {axis.name} is named twice.", hint="Name each axis once.")
        wanted = number(value, axis.unit, axis.name)
        if dial:
            wanted = axis.sign * wanted + (0.0 if relative else axis.offset)
        targets[axis.name] = wanted
        axes.append(axis)
    go(desk, axes, targets, relative=relative, live=live, wait=wait)


def go(
    desk: Desk,
    axes: Sequence[AxisFace],
    targets: dict[str, float],
    *,
    relative: bool = False,
    live: bool = False,
    wait: bool = True,
) -> None:
    """Move, and say so.

    :param targets: user positions, or distances.
    :param live: positions change on the screen; otherwise a line says where from and where to.
    """
    session = desk.session
    if not wait:
        session.move(targets, relative=relative, wait=False)
        desk.say(f"{listing(targets)} {'is' if len(targets) == 1 else 'are'} on the way.")
        return
    began = {axis.name: axis.position for axis in axes}
    goals = {name: began[name] + goal if relative else goal for name, goal in targets.items()}
    try:
        with Positions(desk, axes, live=live):
            session.move(targets, relative=relative)
    except (RunAborted, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt):
            with suppress(KeyboardInterrupt), held():
                session.stop(*targets)
        raise RunAborted(f"The motion was stopped: {_where(axes)}.") from error
    if not live:
        for axis in axes:
            desk.say(f"{axis.name}: {began[axis.name]:.6g} → {goals[axis.name]:.6g} {axis.unit}".rstrip())


class Positions:
    """Shows positions on one line while the ``with`` block runs.

    :param live: whether to show anything.
    """

    def __init__(self, desk: Desk, axes: Sequence[AxisFace], *, live: bool) -> None:
        self._desk = desk
        self._axes = axes
        self._live = live
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="firstlight-positions", daemon=True)

    def __enter__(self) -> Self:
        if self._live and self._desk.terminal:
            try:
                with held():
                    self._thread.start()
            except KeyboardInterrupt:
                self._leave()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with held():
            self._leave()
            if self._live and error is None:
                self._desk.say(_where(self._axes))

    def _leave(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._write("\r\x1b[2K")

    def _work(self) -> None:
        while True:
            self._write(f"\r\x1b[2K{_where(self._axes)}"[: self._desk.width + 4])
            if self._ended.wait(INTERVAL):
                return

    def _write(self, text: str) -> None:
        file = self._desk.console.file
        file.write(text)
        file.flush()


def _where(axes: Sequence[AxisFace]) -> str:
    """``rot is at 3.21 deg, sx is at 0.1 mm``."""
    words = []
    for axis in axes:
        try:
            words.append(f"{axis.name} is at {axis.position:.6g} {axis.unit}".rstrip())
        except FirstlightError as error:
            words.append(str(error).rstrip("."))
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            words.append(f"{axis.name} does not tell its position ({error})")
    return ", ".join(words)
