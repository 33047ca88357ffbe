"""Scan commands at the desk: run with a display, and what is plotted afterwards."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from firstlight.model import FirstlightError, InvalidInput, NotFound, RunAborted
from firstlight.shell._command import Usable, Wrong, described, fits, usage
from firstlight.shell._desk import Desk
from firstlight.shell._display import Watching
from firstlight.shell._examples import EXAMPLES
from firstlight.shell._face import Word
from firstlight.shell._inline import show
from firstlight.shell._plot import curves, drawn, of_data, require
from firstlight.shell._table import cell
from firstlight.shell._words import name_of, nearest, quantity

if TYPE_CHECKING:
    from firstlight.data import Run

_FEWEST = 3
"""Points below which a plot shows nothing."""


class ScanCommand(Usable):
    """A scan command of the session, with what is seen of it at the prompt.

    ``ascan(rot, 0, 10, 10, 0.1)`` runs; :meth:`scan` only describes, :meth:`estimate` says what it would take,
    :meth:`dry_run` which points it would visit.
    """

    topic = "scans"
    verbatim = False

    def __init__(self, desk: Desk, name: str, command: Callable[..., Any]) -> None:
        functools.update_wrapper(self, command)
        self.__name__: str = name
        self.__signature__ = inspect.signature(command)
        self._desk = desk
        self._command: Any = command

    def __call__(self, *arguments: Any, **keywords: Any) -> Run:
        given, words = self._fitting(arguments, keywords)
        desk = self._desk
        watching = Watching(desk)
        try:
            with watching:
                run: Run = self._command(*given, **words)
        except (RunAborted, KeyboardInterrupt) as error:
            raise _stopped(desk, self.__name__, watching.key, error) from error
        after(desk, run)
        return run

    def scan(self, *arguments: Any, **keywords: Any) -> Any:
        """The description alone."""
        given, words = self._fitting(arguments, keywords)
        return self._command.scan(*given, **words)

    def estimate(self, *arguments: Any, **keywords: Any) -> Any:
        """Time, data and room that it would take; nothing moves."""
        given, words = self._fitting(arguments, keywords)
        return self._command.estimate(*given, **words)

    def dry_run(self, *arguments: Any, **keywords: Any) -> Any:
        """The points that it would visit; nothing moves."""
        given, words = self._fitting(arguments, keywords)
        return self._command.dry_run(*given, **words)

    def __repr__(self) -> str:
        return f"<command {usage(self.__name__, self.__signature__)}>"

    def __info__(self) -> str:
        """What it does and how it is written."""
        return described(self, EXAMPLES.get(self.__name__, ""))

    def _fitting(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        fits(self.__name__, self.__signature__, arguments, keywords)
        # Names travel where devices cannot: to a session in another process.
        return [_named(value) for value in arguments], {key: _named(value) for key, value in keywords.items()}


def plotselect(desk: Desk, *counters: Word) -> None:
    """Choose the counters that are plotted, and on which cen and the others look.

    ::

        plotselect diode
        plotselect

    :param counters: counters, or names of channels; without any, what is chosen and what there is.
    """
    known = _channels(desk)
    if not counters:
        desk.say(f"chosen: {', '.join(desk.selected) or 'the first counter of each scan'}")
        desk.say(f"there are: {', '.join(known)}" if known else "There is no counter.")
        return
    names = []
    for word in counters:
        name = name_of(word, "counter")
        inside = [channel for channel in known if channel == name or channel.partition(":")[0] == name]
        if not inside and known:
            raise NotFound(f"There is no counter {name}.", hint=nearest(name, known, "counters"))
        names += inside or [name]
    desk.selected = tuple(dict.fromkeys(names))
    desk.say(f"plots show {', '.join(desk.selected)}")


def replot(desk: Desk) -> None:
    """Draw the last scan again.

    ::

        replot
    """
    run = desk.run()
    for curve in require(curves(run, desk.selected), run):
        desk.say(drawn(curve, desk.width))


def plot(desk: Desk, data: ArrayLike, x: ArrayLike | None = None, title: str = "") -> None:
    """Draw numbers: a list, an array, a channel of a run.

    ::

        plot(session.last["diode"])

    :param data: heights; or a picture of two dimensions.
    :param x: positions; 0, 1, 2 ... by default.
    :param title: above the plot.
    """
    desk.say(drawn(of_data(data, x, title), desk.width))


def display(desk: Desk, table: bool | None = None, plot: bool | None = None, progress: bool | None = None) -> None:
    """What is shown while scans run; without arguments, how it is set.

    ::

        display plot=False

    :param table: a line for each point.
    :param plot: a plot while it runs, where the terminal is high enough, and at the end.
    :param progress: a bar with the time that remains.
    """
    for name, value in (("table", table), ("plot", plot), ("progress", progress)):
        if value is not None and not isinstance(value, bool):
            raise InvalidInput(
                f"{name} is True or False, not {value!r}.", hint="Write for instance: display plot=False."
            )
        if value is not None:
            setattr(desk.display, name, value)
    desk.say(repr(desk.display))


def last(desk: Desk, number: int = 1) -> Run:
    """A run of this session: the last one, or an earlier one.

    ::

        last
        last 2

    :param number: 1 is the last, 2 the one before.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise Wrong(f"{number!r} counts no run.", hint="Write last for the last run, last 2 for the one before.")
    run = desk.session.last if number == 1 else None
    if run is not None:
        return run
    runs = list(desk.session.runs)
    if not runs:
        raise NotFound("There is no run yet.", hint="Scan first, for instance: loopscan 10 0.1.")
    if number > len(runs):
        raise NotFound(f"Only {len(runs)} runs are remembered.", hint="Older ones are in their files: firstlight.open.")
    return runs[-number]


def after(desk: Desk, run: Run) -> None:
    """What is said of a run that is over."""
    desk.shown = run
    if run.info.npoints == 1 and not run.info.axes:
        _count(desk, run)
    elif desk.display.plot and (desk.terminal or desk.notebook) and run.npoints >= _FEWEST:
        for curve in curves(run, desk.selected):
            try:
                if desk.notebook:
                    show(curve)
                else:
                    desk.say(drawn(curve, desk.width))
            except FirstlightError as error:
                desk.say(str(error))
    end = run.end
    took = f" in {end.epoch - run.info.start_epoch:.1f} s" if end is not None else ""
    saved = f" → {run.path}" if run.info.saving is not None else ", not saved"
    number = f"scan {run.number}: " if run.number is not None else ""
    count = len(run.parts()) if run.name == "tomo" else run.npoints
    noun = ("part" if run.name == "tomo" else "point") + ("" if count == 1 else "s")
    desk.say(f"{number}{count} {noun}{took}{saved}", style="dim")


def _count(desk: Desk, run: Run) -> None:
    """One count: a line for each counter, and its rate where it counts."""
    scalar = [name for name, spec in run.specs().items() if not spec.shape and spec.role.value == "counter"]
    width = max(map(len, scalar), default=0)
    time = run.info.count_time or 0.0
    for name in scalar:
        if not len(run[name]):
            continue
        value, unit = run[name][-1], run[name].unit
        rate = f"  ({cell(float(value) / time)}/s)" if time > 0 and unit in ("count", "counts", "photon") else ""
        desk.say(f"{name:>{width}} = {cell(value)} {unit}{rate}".rstrip())


def _stopped(desk: Desk, name: str, key: str, error: BaseException) -> RunAborted:
    """What is said of a scan that the user stopped.

    :param key: of its run; empty when there is none.
    """
    if not key:
        return error if isinstance(error, RunAborted) else RunAborted(f"{name} was stopped before it began.")
    run = desk.session.open(key)
    kept = f"which are kept as scan {run.number}" if run.info.saving is not None else "which are not saved"
    asked = f" of {run.info.npoints}" if run.info.npoints else ""
    return RunAborted(f"{run.title} was stopped after {run.npoints}{asked} points, {kept}.")


def _channels(desk: Desk) -> list[str]:
    """Names that can be plotted: channels of all counters, and those of the last run."""
    found: dict[str, None] = {}
    for counter in desk.session.counters.values():
        found |= dict.fromkeys(spec.name for spec in counter.channels if spec.shape == ())
    run = desk.session.last
    if run is not None:
        found |= dict.fromkeys(n for n, s in run.specs().items() if not s.shape and s.role.value == "counter")
    return list(found)


def _named(value: Any) -> Any:
    name = value.__name__ if isinstance(value, Usable) else getattr(value, "name", None)
    if isinstance(name, str) and name:
        return name
    if isinstance(value, list | tuple):
        return type(value)(_named(item) for item in value)
    return quantity(value)
