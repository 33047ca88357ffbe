"""The bar of a scan that runs, with its curve above it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from firstlight.model import FirstlightError
from firstlight.shell._plot import HEIGHT, curves, drawn

if TYPE_CHECKING:
    from firstlight.data import Run

FEWEST = 3
"""Points below which a curve shows nothing."""
INTERVAL = 0.25
"""Seconds between two curves, at least."""
SHARE = 20
"""A curve waits so many times as long as the one before took to draw: the scan needs the interpreter more."""
LEFT = 10
"""Lines of the screen that a curve leaves to the points and the bar."""
LOW, NARROW = 8, 50
"""Lines and columns below which a curve cannot be read."""


class LiveBar(Progress):
    """A bar below a picture; both go away at the end."""

    def __init__(self, console: Console) -> None:
        self.above = ""
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[remaining]}", markup=False),
            TextColumn("{task.fields[doing]}", style="dim", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The picture, when there is one, and the bar."""
        if self.above:
            yield Text(self.above, no_wrap=True, overflow="crop")
        yield from super().get_renderables()


class LiveCurve:
    """Draws the curve of a run again and again, as often as it costs next to nothing.

    :param clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + INTERVAL
        self._points = 0
        self._drawn = False
        self._text = ""

    def text(self, run: Run, counters: Sequence[str], columns: int, lines: int) -> str:
        """The curve as it is now, or as it was a moment ago; empty when there is none, or no room for it.

        :param counters: those that the user chose; the first of them is drawn.
        :param columns: of the screen; so are ``lines``.
        """
        room = min(HEIGHT, lines - LEFT)
        if room < LOW or columns < NARROW:
            return ""
        began = self._clock()
        if began < self._due or run.npoints < FEWEST or run.npoints == self._points:
            return self._text
        self._points = run.npoints
        try:
            found = curves(run, counters)[:1]
            # A map has a frame, a title and a scale, and a line of text for each of two lines of a curve.
            heights = [(room - 4) // 2 if curve.grid else room for curve in found]
            self._text = "\n".join(
                drawn(curve, columns, height, most=4 * columns) for curve, height in zip(found, heights, strict=True)
            )
        except FirstlightError:
            self._text = ""  # a channel without a number yet
        now = self._clock()
        # The first curve loads what draws it, and tells nothing of the next.
        self._due = now + (max(INTERVAL, SHARE * (now - began)) if self._drawn else INTERVAL)
        self._drawn = True
        return self._text
