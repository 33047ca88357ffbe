"""Motion as data: segments of constant acceleration, and the questions asked of them.

A motion is an array of shape ``(n, 5)``, float64, one row a segment: start time (s, monotonic clock), duration (s),
position (unit), velocity (unit/s) and acceleration (unit/s²) at its start. Rows are sorted by start time. A segment
holds until the next one starts; after its duration the axis rests at the end of the segment. A stop is therefore just
one more row that starts before the earlier one ended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Segments = NDArray[np.float64]

START, DURATION, POSITION, VELOCITY, ACCELERATION = range(5)


def rest(position: float, moment: float) -> Segments:
    """An axis at rest at ``position`` since ``moment``."""
    return np.array([[moment, 0.0, position, 0.0, 0.0]])


def trapezoid(start: float, stop: float, velocity: float, acceleration: float, moment: float) -> Segments:
    """Move from rest at ``start`` to rest at ``stop``, starting at ``moment``.

    :param velocity: cruise speed (unit/s), positive; not reached when the distance is short.
    :param acceleration: unit/s², positive.
    """
    distance = abs(stop - start)
    if distance == 0.0:
        return rest(start, moment)
    sign = 1.0 if stop > start else -1.0
    ramp = min(velocity / acceleration, (distance / acceleration) ** 0.5)
    if ramp == 0.0:
        return rest(stop, moment)  # nearer than numbers can tell
    peak = ramp * acceleration
    run_up = 0.5 * acceleration * ramp**2
    cruise = max(0.0, distance - 2 * run_up) / peak
    a = sign * acceleration
    v = sign * peak
    rows = [[moment, ramp, start, 0.0, a]]
    if cruise > 0:
        rows.append([moment + ramp, cruise, start + sign * run_up, v, 0.0])
    rows.append([moment + ramp + cruise, ramp, stop - sign * run_up, v, -a])
    return np.array(rows)


def halt(segments: Segments, moment: float, deceleration: float) -> Segments:
    """The row that brings a moving axis to rest as fast as ``deceleration`` allows, from ``moment`` on."""
    position, velocity = state(segments, moment)
    if velocity == 0.0:
        return rest(position, moment)
    return np.array([[moment, abs(velocity) / deceleration, position, velocity, -np.sign(velocity) * deceleration]])


def state(segments: Segments, moment: float) -> tuple[float, float]:
    """Position and velocity at one moment."""
    position, velocity = states(segments, np.array([moment]))
    return float(position[0]), float(velocity[0])


def states(segments: Segments, moments: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and velocities at many moments, any shape; before the first segment the axis rests at its start."""
    t = np.asarray(moments, dtype=np.float64)
    row = np.clip(np.searchsorted(segments[:, START], t, side="right") - 1, 0, None)
    s = segments[row]
    since = t - s[..., START]
    inside = np.clip(since, 0.0, s[..., DURATION])
    position = s[..., POSITION] + (s[..., VELOCITY] + 0.5 * s[..., ACCELERATION] * inside) * inside
    moving = (since >= 0.0) & (since < s[..., DURATION])
    velocity = np.where(moving, s[..., VELOCITY] + s[..., ACCELERATION] * inside, 0.0)
    return position, velocity


def positions(segments: Segments, moments: ArrayLike) -> NDArray[np.float64]:
    """Positions at many moments, any shape."""
    return states(segments, moments)[0]


def end(segments: Segments) -> float:
    """Moment at which the axis comes to rest."""
    return float(segments[-1, START] + segments[-1, DURATION])


def crossings(segments: Segments, targets: ArrayLike) -> NDArray[np.float64]:
    """First moment at which the axis, moving, reaches each target position; NaN where it never does.

    Solved segment by segment from position(t) = p + v·dt + a·dt²/2.
    """
    wanted = np.asarray(targets, dtype=np.float64)
    found = np.full(wanted.shape, np.nan)
    ends = np.append(segments[1:, START], np.inf)
    for row, until in zip(segments, ends, strict=True):
        start, duration, p, v, a = row.tolist()
        span = min(duration, until - start)
        if span <= 0.0:
            continue
        # A segment that turns back passes its positions twice: before and after the turning point.
        turn = -v / a if a else -1.0
        # Segments join within the roundoff of their positions and moments; what falls into a joint belongs to both.
        fastest = max(abs(v), abs(v + a * span))
        slack = 8 * np.spacing(np.maximum(np.abs(wanted), abs(p))) + 4 * np.spacing(start + span) * fastest
        pieces = ((0.0, turn), (turn, span)) if 0.0 < turn < span else ((0.0, span),)
        for first, last in pieces:
            moment = start + _passage(wanted - p, v, a, first, last, slack)
            found = np.where(np.isnan(found), moment, found)
    return found


def _passage(
    distance: NDArray[np.float64], v: float, a: float, first: float, last: float, slack: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The dt in [first, last] with v·dt + a·dt²/2 = distance ± slack, NaN where there is none; no turn in between."""
    begin, end = ((v + 0.5 * a * dt) * dt for dt in (first, last))
    low, high = min(begin, end), max(begin, end)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The two roots without the cancellation of -v ± √(v² + 2·a·distance).
        width = np.sqrt(np.maximum(v * v + 2 * a * distance, 0.0))
        q = -(v + np.copysign(width, v))
        near, far = -2 * distance / q, q / a if a else np.full(distance.shape, np.nan)
    near = np.where(q == 0.0, 0.0, near)
    # v + a·dt keeps its sign within a piece, so only one root can lie in it; roundoff may put it a hair outside.
    middle = 0.5 * (first + last)
    root = np.where(np.abs(far - middle) < np.abs(near - middle), far, near)
    # Decided by position: near a turn the roundoff of a position is a long time.
    inside = (distance >= low - slack) & (distance <= high + slack)
    return np.where(inside, np.clip(root, first, last), np.nan)
