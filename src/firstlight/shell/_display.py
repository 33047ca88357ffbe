"""What is seen of a run while it goes on: its curve, a bar, the points, and a line at the end.

The engine tells how far it is; a thread of its own draws that some times a second and reads the points from the buffer.
What comes faster than it can be read is left out and counted, and nothing of this makes the acquisition wait.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from firstlight.model import FirstlightError, RunState
from firstlight.scanning import held
from firstlight.shell._desk import Desk
from firstlight.shell._inline import Line
from firstlight.shell._table import Table

if TYPE_CHECKING:
    from firstlight.data import Run
    from firstlight.scanning import Progress
    from firstlight.shell._live import LiveBar, LiveCurve

_log = logging.getLogger(__name__)

INTERVAL = 0.15
"""Seconds between two looks."""
FAST = 6
"""Points in one look above which points are left out."""
LAST = 5
"""Points that are shown at the end of a run that was too fast."""


class Watching:
    """Shows the runs that happen in its ``with`` block."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._guard = threading.Lock()
        self._news: dict[str, Progress] = {}
        self._order: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="firstlight-display", daemon=True)
        self._unlisten: Callable[[], None] = lambda: None
        self._bar: LiveBar | None = None
        self._curve: LiveCurve | None = None
        self._line: Line | None = None
        self._task: Any = None
        self._table: Table | None = None
        self._run: Run | None = None
        self._key = ""
        self._told: set[str] = set()
        self._headed = False
        self._failed = False

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            # A terminal whose bar was left half drawn, or half put away, would draw no other one.
            stack.callback(self._leave)
            with held():
                self._unlisten = self._desk.session.listen(self._hear)
                display = self._desk.display
                if display.progress and self._desk.terminal:
                    self._bar = _bar(self._desk)
                    self._bar.start()
                elif display.progress and self._desk.notebook:
                    self._line = Line()
                self._thread.start()
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with held():
            self._leave()

    def _leave(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._unlisten()
        self._look(final=True)
        if self._bar is not None:
            self._bar.stop()

    @property
    def key(self) -> str:
        """Of the run that was heard of first; empty when none has begun."""
        with self._guard:
            return self._order[0] if self._order else ""

    @property
    def rows(self) -> int:
        """Points shown or left out."""
        return self._table.written if self._table is not None else 0

    def _hear(self, progress: Progress) -> None:
        # In the engine's thread: as little as possible.
        with self._guard:
            if progress.key not in self._news:
                self._order.append(progress.key)
            self._news[progress.key] = progress

    def _work(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._look()

    def _look(self, *, final: bool = False) -> None:
        if self._failed:
            return
        try:
            self._draw(final=final)
        except Exception as error:  # noqa: BLE001 - a display must not end a run; said once
            self._failed = True
            _log.warning("the display failed: %s: %s", type(error).__name__, error, exc_info=error)

    def _draw(self, *, final: bool = False) -> None:
        with self._guard:
            news = [self._news[key] for key in self._order]
        if not news:
            return
        if self._bar is not None:
            self._advance(self._bar, news, final=final)
        if self._line is not None:
            self._line.tell(_told(news))
        if self._desk.display.table:
            for part in news[1:]:
                self._part(part)
            self._points(news[0], final=final)

    def _advance(self, bar: LiveBar, news: list[Progress], *, final: bool) -> None:
        top, now = news[0], news[-1]
        parts = f" ({top.point} of {top.total} parts)" if now is not top else ""
        if self._task is None:
            self._task = bar.add_task("", total=None, remaining="", doing="")
        remaining = "" if now.remaining is None else f"{_clock(now.remaining)} left"
        bar.above = "" if final else self._picture(top)
        bar.update(
            self._task,
            description=f"{now.title}{parts}",
            total=now.total,
            completed=now.point,
            remaining=remaining,
            doing=now.doing,
        )
        bar.refresh()

    def _picture(self, progress: Progress) -> str:
        """The curve of a run so far."""
        if not self._desk.display.plot or progress.state < RunState.RUNNING or progress.total == 1:
            return ""
        if self._run is None:
            self._run = self._open(progress.key)
        if self._run is None:
            return ""
        if self._curve is None:
            from firstlight.shell._live import LiveCurve

            self._curve = LiveCurve()
        screen = self._desk.console.size
        return self._curve.text(self._run, self._desk.selected, screen.width, screen.height)

    def _part(self, progress: Progress) -> None:
        """Parts of a sequence are a line each, once they are over."""
        if progress.key in self._told or progress.state < RunState.STOPPED:
            return
        self._told.add(progress.key)
        self._desk.say(f"  {progress.title}: {progress.point} point{'' if progress.point == 1 else 's'}")

    def _points(self, progress: Progress, *, final: bool) -> None:
        if self._table is None:
            if progress.state < RunState.RUNNING or (progress.total == 1 and not final):
                return
            self._run = self._run or self._open(progress.key)
            if self._run is None:
                return
            self._table = Table(self._run, self._desk.width)
        table = self._table
        if not table.counters and not (self._run is not None and self._run.info.axes):
            return
        if self._run is not None and self._run.info.npoints == 1:
            return
        lines = table.lines(LAST if table.there() - table.written > FAST else FAST)
        if lines and not self._headed:
            self._desk.say(table.heading, style="bold")
            self._headed = True
        if lines:
            self._desk.say("\n".join(lines))

    def _open(self, key: str) -> Run | None:
        with contextlib.suppress(FirstlightError):
            run: Run = self._desk.session.open(key)
            return run
        return None


def _bar(desk: Desk) -> LiveBar:
    # Rich is loaded by the first scan that is shown, not by the shell's start.
    from firstlight.shell._live import LiveBar

    return LiveBar(desk.console)


def _told(news: list[Progress]) -> str:
    """How far a run is, in a line."""
    top, now = news[0], news[-1]
    parts = f" ({top.point} of {top.total} parts)" if now is not top else ""
    total = f" of {now.total}" if now.total else ""
    remaining = "" if now.remaining is None or now.state >= RunState.STOPPED else f", {_clock(now.remaining)} left"
    doing = f", {now.doing}" if now.doing else ""
    return f"{now.title}{parts}: point {now.point}{total}{remaining}{doing}"


def _clock(seconds: float) -> str:
    """``0:07``, ``12:30``, ``2:05:00``."""
    whole = int(seconds + 0.5)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
