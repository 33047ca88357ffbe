"""How long motions take, and how axes that set off together arrive together."""

from __future__ import annotations

import math
from collections.abc import Sequence


def travel_time(distance: float, velocity: float, acceleration: float) -> float:
    """Seconds of a trapezoidal motion from rest to rest."""
    distance = abs(distance)
    if distance == 0.0 or math.isinf(velocity):
        return 0.0
    if math.isinf(acceleration):
        return distance / velocity
    ramp = velocity / acceleration
    if distance <= velocity * ramp:
        return 2.0 * math.sqrt(distance / acceleration)
    return distance / velocity + ramp


def slowed(distances: Sequence[float], seconds: float, acceleration: float) -> float:
    """Cruise speed at which trapezoidal motions over these distances, one after the other, take ``seconds`` in all.

    For one of them solved from distance / v + v / a = T, the slower of the two solutions; the fastest possible when T
    is too short.
    """
    first, *more = (d for d in distances if d > 0.0)
    if math.isinf(acceleration):
        return (first + sum(more)) / seconds
    if not more:
        root = math.sqrt(max(0.0, 1.0 - 4.0 * first / (acceleration * seconds**2)))
        # Without the cancellation of T - sqrt(T² - 4 d / a).
        return 2.0 * first / (seconds * (1.0 + root))
    low, high = 0.0, math.sqrt(max(first, *more) * acceleration)
    for _ in range(60):
        middle = 0.5 * (low + high)
        if sum(travel_time(d, middle, acceleration) for d in (first, *more)) > seconds:
            low = middle
        else:
            high = middle
    return high
