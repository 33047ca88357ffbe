"""The desk: what all commands of a shell share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstlight.model import InvalidInput, NotFound
from firstlight.shell._face import SessionFace
from firstlight.shell._notes import Note, Notes

if TYPE_CHECKING:
    from rich.console import Console

    from firstlight.data import Run

WIDE = 120
"""Columns of what is no terminal."""
_KEPT = 10_000
"""Lines of output that are remembered for the log."""


@dataclass(slots=True)
class Display:
    """What is shown while scans run."""

    table: bool = True
    """A line for each point."""
    plot: bool = True
    """A plot in the terminal, while it runs and at the end."""
    progress: bool = True
    """A bar with the time that remains."""

    def __repr__(self) -> str:
        return " ".join(f"{name}={'on' if getattr(self, name) else 'off'}" for name in ("table", "plot", "progress"))


class Desk:
    """Session, screen, choices and memory of one shell.

    :param console: where commands print; standard output by default.
    :param log: whether what is typed and printed goes to the electronic log.
    """

    def __init__(self, session: SessionFace, console: Console | None = None, *, log: bool = True) -> None:
        self.session = session
        self.console = console or _console()
        self.display = Display()
        self.selected: tuple[str, ...] = ()
        """Counters that are plotted and aligned on; the run's own when empty."""
        self.error: BaseException | None = None
        """The last error."""
        self.shown: Any = None
        """The run that was just displayed, of which one more line is enough."""
        self.output: list[str] = []
        """What the present input has printed."""
        self.typed = ""
        """The present input."""
        self.previous: Note | None = None
        """The input before, with its output."""
        self.notes = Notes(session) if log else None
        self.names: dict[str, Any] = {}
        """What the shell put into the user's namespace."""

    # -- printing

    @property
    def terminal(self) -> bool:
        """Whether somebody looks at a terminal, so that lines may change in place."""
        return self.console.is_terminal and not self.console.is_jupyter

    @property
    def notebook(self) -> bool:
        """Whether what is said goes into a cell of a notebook."""
        return self.console.is_jupyter

    @property
    def width(self) -> int:
        """Columns of the screen."""
        return self.console.width

    def say(self, text: str = "", style: str = "") -> None:
        """Print text as it is, and remember it for the log."""
        self.remember(text)
        self.console.print(text, style=style or None, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def remember(self, text: str) -> None:
        """Keep text that was printed in another way."""
        self.output += text.splitlines()
        del self.output[:-_KEPT]

    # -- runs

    def run(self) -> Run:
        """The last run with a curve: the last one that has more than one point.

        :raises NotFound: when there is none.
        """
        last = self.session.last
        if last is not None and last.info.npoints != 1:
            return last
        for run in reversed(list(self.session.runs)):
            if run.info.npoints != 1:
                return run
        axis = next(iter(self.session.axes), "x")
        raise NotFound("There is no scan yet.", hint=f"Scan first, for instance: dscan {axis} -1 1 20 0.1.")

    # -- the log

    def begin(self, text: str) -> None:
        """An input begins."""
        self.typed = text.strip()
        self.output = []

    def finish(self, result: Any = None, error: str = "") -> None:
        """The input ended.

        :param error: the sentence that was shown.
        """
        if not self.typed:
            return
        lines = _middle_out(self.output)
        if result is not None:
            lines = [*lines, _short(result)]
        if error:
            lines = [*lines, error]
        note = Note("error" if error else "command", "\n".join([self.typed, *lines]))
        if not self.typed.startswith("elog_"):
            self.previous = note
            if self.notes is not None:
                self.notes.add(note)
        self.typed = ""
        self.output = []

    def written(self) -> Notes:
        """The writer of the electronic log.

        :raises InvalidInput: when this shell keeps none.
        """
        if self.notes is None:
            raise InvalidInput("This shell keeps no electronic log.", hint="Start it without --no-log.")
        return self.notes

    def close(self) -> None:
        """Finish writing."""
        if self.notes is not None:
            self.notes.close()


def _console() -> Console:
    from rich.console import Console

    # Into a pipe or a file lines go whole: cells cut at the width of no terminal help nobody.
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDE)


def _middle_out(lines: list[str]) -> list[str]:
    """Long output without its middle: the points of a scan are in its file."""
    first, last = 6, 14
    if len(lines) <= first + last:
        return list(lines)
    return [*lines[:first], f"... {len(lines) - first - last} lines ...", *lines[-last:]]


def _short(result: Any) -> str:
    text = repr(result)
    return text if len(text) <= 2000 else f"{text[:2000]} ..."
