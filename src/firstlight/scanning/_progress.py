"""How far a run is, told at most some times a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from firstlight.model import Clock, RunState


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run at one moment.

    :param point: points done.
    :param total: points in all; None when open-ended.
    :param remaining: seconds still needed, from the points done so far; None when unknown.
    :param doing: words for a progress bar: ``moving``, ``counting``, ``stopping``.
    :param paused: why it waits; empty while it goes on.
    """

    key: str
    name: str
    title: str
    state: RunState
    point: int
    total: int | None
    remaining: float | None
    doing: str = ""
    paused: str = ""


Listener: TypeAlias = Callable[[Progress], None]
"""Called in the engine's thread: it must be quick, and an error in it is logged, not raised."""


class Reporter:
    """Makes :class:`Progress` values for one run.

    :param tell: passes one on.
    :param interval: seconds between two reports of the same state.
    """

    def __init__(
        self,
        clock: Clock,
        tell: Listener,
        key: str,
        name: str,
        title: str,
        total: int | None,
        expected: float,
        interval: float = 0.1,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._key, self._name, self._title, self._total = key, name, title, total
        self._expected = expected
        self._interval = interval
        self._began = clock.now()
        self._next = 0.0
        self._doing = self._paused = ""
        self.state = RunState.CREATED
        self.point = 0

    def at(self, point: int, doing: str = "counting") -> None:
        """Points done so far; cheap enough to be called for each. Something else to do is always told."""
        self.point = point
        now = self._clock.now()
        if now >= self._next or doing != self._doing:
            self._report(now, doing)

    def enter(self, state: RunState, doing: str = "") -> None:
        """A new state is always told."""
        self.state = state
        if state is RunState.RUNNING:
            self._began = self._clock.now()
        self._report(self._clock.now(), doing)

    def rest(self, why: str) -> None:
        """It waits from now on; always told."""
        self._paused = why
        self._report(self._clock.now(), f"paused: {why}")

    def awake(self, rested: float) -> None:
        """It goes on; always told.

        :param rested: seconds that it waited, which say nothing about the time that remains.
        """
        self._paused = ""
        self._began += rested
        self._report(self._clock.now(), "going on")

    def pausing(self) -> None:
        """It will wait at the next safe point; always told."""
        if not self._paused and self.state is RunState.RUNNING:
            self._report(self._clock.now(), "pausing")

    def _report(self, now: float, doing: str) -> None:
        self._next = now + self._interval
        self._doing = doing
        remaining: float | None = None
        if self._total is not None and self.state <= RunState.RUNNING:
            spent = now - self._began
            left = self._total - self.point
            measured = spent / self.point * left if self.point else None
            remaining = measured if measured is not None else max(0.0, self._expected - spent)
        self._tell(
            Progress(
                self._key, self._name, self._title, self.state, self.point, self._total, remaining, doing, self._paused
            )
        )
