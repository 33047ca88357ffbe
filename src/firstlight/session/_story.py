"""How the demo talks: lines that say what happens, progress bars where there is a terminal, plain lines where not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int | None, doing: str = "") -> None:
        """So much is done, of so much; ``doing`` says what, when it changes."""


class Story:
    """Tells a person what happens.

    :param lively: whether lines may be redrawn: a terminal, and a person before it.
    """

    def __init__(self, console: Console, *, lively: bool) -> None:
        self.console = console
        self.lively = lively and console.is_terminal
        self._began = time.monotonic()
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """The next part begins."""
        self._chapter += 1
        self.console.print()
        self.console.print(f"[bold cyan]{self._chapter}. {escape(title)}[/]  [dim]{self.elapsed:.0f} s[/]")

    def say(self, text: str) -> None:
        """One line; ``text`` may hold the markup of rich."""
        self.console.print(f"   {text}", highlight=False, soft_wrap=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    @contextmanager
    def progress(self, title: str) -> Iterator[Advance]:
        """A bar while something takes its time; without a terminal one line when it is done."""
        began = time.monotonic()
        if not self.lively:
            yield lambda done, total, doing="": None
            self.say(f"{escape(title)}: {time.monotonic() - began:.1f} s")
            return
        columns = (
            TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self.console, transient=True) as bars:
            bar = bars.add_task(escape(title), total=None)

            def advance(done: int, total: int | None, doing: str = "") -> None:
                bars.update(
                    bar, completed=done, total=total, description=escape(f"{title}: {doing}" if doing else title)
                )

            yield advance
        self.say(f"{escape(title)}: {time.monotonic() - began:.1f} s")
