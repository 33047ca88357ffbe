"""When the exposures of a plan start, as far as that is known: by software, in time, or along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firstlight.model import DeviceError, TriggerMode, TriggerPlan
from firstlight.model.motion import Segments, crossings

Motion = Callable[[str, float], Segments]
"""Motion of the named axis (dial) from a moment on."""

_AT_ONCE = 256
"""Positions looked for in one go: a plan may have a million."""


@dataclass(slots=True)
class Schedule:
    """The starts of one plan's exposures; shared by simulated triggers, counters and cameras.

    :param device: whose schedule, for errors.
    :param motion: the axes, for plans triggered by position.
    """

    device: str
    plan: TriggerPlan
    motion: Motion | None = None
    _moment: float = math.inf
    _stop: float = math.inf
    _known: list[float] = field(default_factory=list)
    _since: float = math.inf
    """Moment from which the motion was searched for the last known start."""

    def __post_init__(self) -> None:
        plan = self.plan
        if plan.mode is TriggerMode.TIME and plan.points != 1 and plan.period <= 0:
            raise DeviceError(self.device, "a plan in time needs a period above zero.")
        if plan.mode is TriggerMode.TIME and plan.period < plan.exposure and plan.points != 1:
            raise DeviceError(
                self.device, f"exposures of {plan.exposure:g} s do not fit into a period of {plan.period:g} s."
            )
        if plan.mode is TriggerMode.POSITION:
            if self.motion is None:
                raise DeviceError(self.device, "knows no axes and cannot be triggered by position.")
            if not plan.points:
                raise DeviceError(self.device, "a plan along an axis needs a number of points.")
            if plan.step == 0.0 and plan.points > 1:
                raise DeviceError(self.device, "a plan along an axis needs a step.")

    def arm(self, moment: float) -> None:
        """Time: exposure 0 starts at ``moment``. Position: positions passed from ``moment`` on count."""
        self._moment = self._since = moment
        self._stop = math.inf
        self._known.clear()

    def end(self, moment: float) -> None:
        """No exposure starts after ``moment``."""
        self._stop = min(self._stop, moment)

    @property
    def armed(self) -> bool:
        """Whether it was armed."""
        return self._moment < math.inf

    def starts(self, first: int, until: float) -> NDArray[np.float64]:
        """Starts of exposures ``first``, ``first + 1``, ... that begin no later than ``until``.

        Moments up to the present are final; later ones hold as long as the axis does what is known of it now.
        """
        until = min(until, self._stop)
        if not self.armed:
            return np.empty(0)
        if self.plan.mode is TriggerMode.TIME:
            return self._in_time(first, until)
        return self._along_axis(first, until)

    def start_of(self, index: int) -> float | None:
        """Start of one exposure as far as it is known now: final when it has passed, None when it is not known."""
        plan = self.plan
        if not self.armed or (plan.points and index >= plan.points):
            return None
        if plan.mode is TriggerMode.TIME:
            start = self._moment + index * plan.period
        elif index < len(self._known):
            start = self._known[index]
        else:
            found = self._found(math.inf, index + 1)
            if len(self._known) + len(found) <= index:
                return None
            start = found[index - len(self._known)][0]
        return start if start <= self._stop else None

    def _in_time(self, first: int, until: float) -> NDArray[np.float64]:
        period = self.plan.period
        if until < self._moment:
            return np.empty(0)
        last = math.floor((until - self._moment) / period) + 1 if period else 1
        count = last + 1 if not self.plan.points else min(self.plan.points, last + 1)
        starts = self._moment + np.arange(first, max(first, count), dtype=np.float64) * period
        # Compared, not computed: the roundoff of the division must not lose or invent an exposure.
        return starts[starts <= until]

    def _along_axis(self, first: int, until: float) -> NDArray[np.float64]:
        found = [moment for moment, _ in self._found(until)]
        starts = np.array([*self._known[first:], *found[max(0, first - len(self._known)) :]])
        return starts[starts <= until]

    def keep(self, until: float) -> None:
        """Fix the starts up to ``until`` (a moment that has passed), so that they need not be found again."""
        if self.plan.mode is not TriggerMode.POSITION or not self.armed:
            return
        until = min(until, self._stop)
        added = _AT_ONCE
        while added == _AT_ONCE:
            found = self._found(until, min(self.plan.points, len(self._known) + _AT_ONCE))
            over = [(moment, since) for moment, since in found if moment <= until]
            added = len(over)
            if over:
                self._known.extend(moment for moment, _ in over)
                self._since = over[-1][1]

    def _found(self, until: float, points: int = 0) -> list[tuple[float, float]]:
        """Moments of the positions that are not kept yet, and from where each was searched.

        Each position is awaited only once the one before it was passed.

        :param points: exposures to look at; all of the plan when 0.
        """
        assert self.motion is not None
        plan, known = self.plan, len(self._known)
        points = points or plan.points
        found: list[tuple[float, float]] = []
        # Not from the last known start: a motion that is cut elsewhere gives crossings with other last bits.
        since = self._since
        last = self._known[-1] if known else self._moment
        while known + len(found) < points and until > last:
            targets = plan.first + np.arange(known + len(found), points) * plan.step
            moments = crossings(self.motion(plan.axis, since), targets)
            ordered = np.fmax.accumulate(np.append(last, moments))[1:] == moments
            count = len(moments) if ordered.all() else int(np.argmin(ordered))
            found.extend((moment, since) for moment in moments[:count].tolist())
            if count:
                last = found[-1][0]
            if count == len(moments) or np.isnan(moments[count]) or since == last:
                break
            since = last
        return found
