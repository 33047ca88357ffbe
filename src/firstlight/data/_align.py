"""Where a curve has its centre: com, cen, peak, trough and fwhm.

The names and their meaning are SPEC's. What is added: points may come in any order and unevenly spaced, the base line
is estimated and taken off, noise is estimated and not mistaken for a peak, and an edge is told from a peak.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.data._source import nearest
from firstlight.model import ChannelKind, ChannelRole, InvalidInput, NotFound

if TYPE_CHECKING:
    from firstlight.data._run import Run

Points = NDArray[np.float64]

FEWEST = 5
"""Points below which a curve has no shape to speak of."""


class NoPeak(NotFound):
    """The curve has no feature of the kind that was asked for."""


class Position(float):
    """A number that knows its unit and where it comes from; in arithmetic it is a plain float."""

    unit: str
    """Unit of the axis."""
    axis: str
    """Name of the axis."""
    counter: str
    """Name of the counter."""

    def __new__(cls, value: float, unit: str = "", axis: str = "", counter: str = "") -> Position:
        self = super().__new__(cls, value)
        self.unit = unit
        self.axis = axis
        self.counter = counter
        return self

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        number = f"{float(self):.6g}"
        return f"{number} {self.unit}" if self.unit else number

    def __getnewargs__(self) -> tuple[float, str, str, str]:  # type: ignore[override]
        return float(self), self.unit, self.axis, self.counter


class Kind(StrEnum):
    """What a curve shows."""

    PEAK = "peak"
    DIP = "dip"
    EDGE = "edge"


@dataclass(frozen=True, slots=True)
class Feature:
    """The one feature of a curve."""

    kind: Kind
    center: float
    """Middle between the two half-height points; for an edge, the half-height point."""
    width: float
    """Distance between the two half-height points; NaN for an edge."""
    base: float
    """Level beside the feature."""
    height: float
    """Of the feature above (for a dip, below) the base; for an edge, of the step; always positive."""
    noise: float
    """Standard deviation of the noise of one point, as estimated from the curve itself."""


def feature(x: ArrayLike, y: ArrayLike) -> Feature:
    """The peak, dip or edge that a curve shows.

    The base is the lower of the two end levels (for a dip: the higher). The top is the highest point, or where noise
    counts and enough points are near it, the vertex of a parabola through those. Half-height points are interpolated
    on both flanks; where noise makes a flank cross half height several times, their mean counts.

    :param x: positions, in any order, NaN where unknown.
    :param y: heights, as many.
    :raises NoPeak: when there are fewer than 5 points, when the curve is flat or mere noise, or when an end of the
        scan cuts the peak above half height.
    """
    positions, heights = _tidy(x, y)
    noise = _require_signal(heights)
    left, right = _ends(heights, noise)
    top, bottom = _top(positions, heights, noise), -_top(positions, -heights, noise)
    step = abs(right - left)
    if step >= 0.8 * (top - bottom):
        above = heights - (left + right) / 2
        center = _flank(positions, above, int(np.argmax(above)), -1 if right > left else 1, noise)
        if center is None:
            raise NoPeak("The curve has no point at half height.")
        return Feature(Kind.EDGE, center, math.nan, min(left, right), step, noise)
    if top - (left + right) / 2 >= (left + right) / 2 - bottom:
        return _bump(positions, heights, Kind.PEAK, min(left, right), top, noise)
    return _bump(positions, -heights, Kind.DIP, -max(left, right), -bottom, noise)


def center_of_mass(x: ArrayLike, y: ArrayLike, baseline: Literal["level", "none"] = "level") -> float:
    """Centre of mass ∫x·y dx / ∫y dx by the trapezoidal rule, so that uneven spacing does no harm.

    :param baseline: ``level`` first takes off the lower of the two end levels; ``none`` takes the curve as it is.
    :raises NoPeak: when there are fewer than 5 points, when the curve is flat or mere noise, or has no mass.
    """
    positions, heights = _tidy(x, y)
    if baseline == "level":
        noise = _require_signal(heights)
        heights = heights - min(_ends(heights, noise))
    mass = float(np.trapezoid(heights, positions))
    if mass <= 1e-9 * float(np.trapezoid(np.abs(heights), positions)):
        raise NoPeak("The curve has no mass above its base line.", hint="Use cen or trough for a dip.")
    return float(np.trapezoid(positions * heights, positions)) / mass


def cen(run: Run, counter: str | None = None, axis: str | None = None) -> Position:
    """See :meth:`Run.cen`."""
    return _find(run, counter, axis, lambda x, y: feature(x, y).center)


def fwhm(run: Run, counter: str | None = None, axis: str | None = None) -> Position:
    """See :meth:`Run.fwhm`."""

    def width(x: Points, y: Points) -> float:
        found = feature(x, y)
        if found.kind is Kind.EDGE:
            raise NoPeak("The curve is an edge and has no width at half height.", hint="cen gives its position.")
        return found.width

    return _find(run, counter, axis, width)


def com(run: Run, counter: str | None = None, axis: str | None = None) -> Position:
    """See :meth:`Run.com`."""
    return _find(run, counter, axis, center_of_mass)


def peak(run: Run, counter: str | None = None, axis: str | None = None) -> Position:
    """See :meth:`Run.peak`."""
    return _find(run, counter, axis, lambda x, y: _extreme(x, y, 1))


def trough(run: Run, counter: str | None = None, axis: str | None = None) -> Position:
    """See :meth:`Run.trough`."""
    return _find(run, counter, axis, lambda x, y: _extreme(x, y, -1))


# -- the curve of a run


def curve(run: Run, counter: str | None = None, axis: str | None = None) -> tuple[str, str, Points, Points]:
    """Names and values of the axis and the counter of a line scan: ``(axis, counter, x, y)``.

    :raises InvalidInput: when the run has several curves to choose from, is a mesh, or a channel has no plain numbers.
    """
    if len(run.info.shape) > 1:
        raise InvalidInput(f"{run.title} is a mesh: a centre is found on a line.", hint="Scan one axis.")
    plots = run.info.plots
    axis = axis or (plots[0].x if plots else _default_axis(run))
    counter = counter or (plots[0].y[0] if plots and plots[0].y else _default_counter(run))
    x, y = run[axis], run[counter]
    for channel in (x, y):
        if channel.ragged or channel.spec.shape or channel.dtype.kind not in "iufb":
            raise InvalidInput(
                f"{channel.name} has no plain numbers.", hint=nearest(counter, _scalars(run), "scalar channel")
            )
    count = min(len(x), len(y))
    return axis, counter, np.asarray(x[:count], dtype=np.float64), np.asarray(y[:count], dtype=np.float64)


def _default_axis(run: Run) -> str:
    axes = run.info.axes
    if axes:
        return axes[0]
    return "elapsed_time"


def _default_counter(run: Run) -> str:
    counters = [name for name in _scalars(run) if run[name].role is ChannelRole.COUNTER]
    if len(counters) == 1:
        return counters[0]
    if not counters:
        raise NotFound(f"{run.title} has no counter.", hint=nearest("", run, "channel"))
    raise InvalidInput(f"{run.title} has {len(counters)} counters.", hint=f"Name one: {', '.join(counters)}.")


def _scalars(run: Run) -> list[str]:
    return [name for name, spec in run.specs().items() if not spec.shape and spec.kind is not ChannelKind.RAGGED]


def _find(run: Run, counter: str | None, axis: str | None, ask: Callable[[Points, Points], float]) -> Position:
    axis, counter, x, y = curve(run, counter, axis)
    try:
        value = ask(x, y)
    except NoPeak as error:
        raise NoPeak(f"{counter} along {axis}: {error.message}", hint=error.hint) from error
    return Position(value, run[axis].unit, axis, counter)


# -- mathematics


def _tidy(x: ArrayLike, y: ArrayLike) -> tuple[Points, Points]:
    """Finite points sorted by position, those at one position averaged."""
    positions, heights = _finite(x, y)
    found, place = np.unique(positions, return_inverse=True)
    count = np.bincount(place, minlength=len(found))
    if len(found) < FEWEST:
        raise NoPeak(f"{len(found)} points are too few.", hint=f"Scan at least {FEWEST}.")
    return found, np.bincount(place, weights=heights, minlength=len(found)) / count


def _finite(x: ArrayLike, y: ArrayLike) -> tuple[Points, Points]:
    positions, heights = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if positions.shape != heights.shape or positions.ndim != 1:
        raise InvalidInput(f"Positions {positions.shape} and heights {heights.shape} do not fit.")
    good = np.isfinite(positions) & np.isfinite(heights)
    return positions[good], heights[good]


def _extreme(x: Points, y: Points, sign: int) -> float:
    positions, heights = _finite(x, y)
    if len(positions) < 2:
        raise NoPeak(f"{len(positions)} points are too few.", hint="Scan at least 2.")
    if np.ptp(heights) == 0:
        raise NoPeak("The curve is flat.")
    return float(positions[np.argmax(sign * heights)])


def _require_signal(y: Points) -> float:
    """The noise of one point; raises when the curve is nothing else.

    A curve shows something when one of these holds, each of which white noise rarely does:

    * its range is two deviations beyond that of noise, 2·√(2 ln n) deviations;
    * the ratio of von Neumann (squared successive differences over squared deviations, 2 ± √(4(n-2)/(n²-1)) for noise,
      Ann. Math. Stat. 12, 367, 1941) is three deviations below that of noise: it is smooth;
    * but for wiggles of a twentieth of its range, it goes up and down no more than once;
    * half of its points lie within a small part of its range, 1 / (3.5 + 110/n^1.5), which one in a hundred noise
      curves does (simulated): there is a background.

    Small counts must also lie several Poisson deviations apart, unless they make one group as a switch does.
    """
    n = len(y)
    extent = float(np.ptp(y))
    if extent <= 1e-12 * float(np.max(np.abs(y))):
        raise NoPeak("The curve is flat.")
    # Second differences do not see a slope, and their median does not see a peak narrower than half the scan.
    noise = 1.4826 * float(np.median(np.abs(np.diff(y, 2)))) / math.sqrt(6)
    middle = (float(y.max()) + float(y.min())) / 2
    rare = 3 + math.sqrt(2 * math.log(n))
    counts = bool(np.all((y == np.round(y)) & (y >= 0)))
    few_counts = counts and extent < rare * math.sqrt(max(1.0, float(np.median(y))))
    if few_counts or noise == 0.0:
        single = _lone(y > middle, y > y.min()) or _lone(y < middle, y < y.max())
        if min(_groups(y > middle), _groups(y < middle)) > 1 or (few_counts and single):
            raise NoPeak("The curve is only noise.", hint="Count longer, or scan wider.")
        return noise
    ratio = float(np.sum(np.diff(y) ** 2) / np.sum((y - y.mean()) ** 2))
    wide = extent > (2 * math.sqrt(2 * math.log(n)) + 2) * noise
    smooth = ratio < 2 - 3 * math.sqrt(4 * (n - 2) / (n**2 - 1))
    half = n // 2 + 1
    ordered = np.sort(y)
    spread = float(min(ordered[half - 1] - ordered[0], ordered[-1] - ordered[-half]))
    background = spread * (3.5 + 110 / n**1.5) < extent
    if not (wide or smooth or background or _turns(y, extent / 20) <= 1):
        raise NoPeak("The curve is only noise.", hint="Count longer, or scan wider.")
    return noise


def _groups(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(np.diff(np.concatenate([[False], mask])) & mask))


def _lone(high: NDArray[np.bool_], some: NDArray[np.bool_]) -> bool:
    """Whether one high point stands alone, not amid points that lead up to it."""
    return bool(np.count_nonzero(high) == 1 and (_groups(some) > 1 or np.count_nonzero(some) < 3))


def _turns(y: Points, wiggle: float) -> int:
    """How often the curve changes direction, ignoring reversals smaller than ``wiggle``."""
    turns, direction, extreme = 0, 0, float(y[0])
    for value in y[1:].tolist():
        if direction * (value - extreme) >= 0 and direction:
            extreme = value
        elif abs(value - extreme) > wiggle:
            turns += direction != 0
            direction = 1 if value > extreme else -1
            extreme = value
    return turns


def _negligible(y: Points, noise: float) -> bool:
    return noise < 0.01 * float(np.ptp(y))


def _ends(y: Points, noise: float) -> tuple[float, float]:
    """Levels at both ends: means of the outer tenths, or the outermost points when there is no noise to average."""
    k = 1 if _negligible(y, noise) else max(1, len(y) // 10)
    return float(np.mean(y[:k])), float(np.mean(y[-k:]))


def _top(x: Points, y: Points, noise: float) -> float:
    """Height of the top, with little of the bias that the highest of many noisy points has."""
    highest = int(np.argmax(y))
    if _negligible(y, noise):
        return float(y[highest])
    near = y > y[highest] - np.ptp(y) / 3
    first, last = highest, highest
    while first > 0 and near[first - 1]:
        first -= 1
    while last < len(y) - 1 and near[last + 1]:
        last += 1
    if last - first < 4:
        return float(y[highest])
    u, v = x[first : last + 1], y[first : last + 1]
    u = (u - u.mean()) / np.ptp(u)
    c, b, a = np.linalg.lstsq(np.stack([np.ones_like(u), u, u * u], axis=1), v, rcond=None)[0].tolist()
    vertex = c - b * b / (4 * a) if a < 0 else c
    return float(np.clip(vertex, v.mean(), y[highest]))


def _bump(x: Points, y: Points, kind: Kind, base: float, top: float, noise: float) -> Feature:
    above = y - (top + base) / 2
    highest = int(np.argmax(y))
    left, right = (_flank(x, above, highest, direction, noise) for direction in (-1, 1))
    if left is None or right is None:
        end = x[0] if left is None else x[-1]
        raise NoPeak(f"The {kind.value} is cut by the end of the scan at {end:g}.", hint="Scan wider.")
    return Feature(kind, (left + right) / 2, right - left, base if kind is Kind.PEAK else -base, top - base, noise)


def _flank(x: Points, above: Points, start: int, direction: int, noise: float) -> float | None:
    """Where the curve goes through zero on one side of a point above it; None when it never does.

    Crossings between which it stays within three noises of zero belong to one passage, and their mean counts.
    """
    found: list[float] = []
    extreme = 0.0
    i = start
    while 0 <= i + direction < len(x):
        here, there = above[i], above[i + direction]
        if (here > 0) != (there > 0):
            if found and extreme > 3 * noise:
                break
            found.append(float(x[i] + (x[i + direction] - x[i]) * here / (here - there)))
            extreme = 0.0
        i += direction
        extreme = max(extreme, abs(float(there))) if found else 0.0
    if len(found) % 2 == 0 and found:
        # It came back up for good before it could stay down: the last crossing belongs to another feature.
        found.pop()
    return float(np.mean(found)) if found else None
