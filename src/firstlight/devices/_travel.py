"""How long motions take, and how axes that set off together arrive together."""

from __future__ import annotations

import math


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


def slowed(distance: float, seconds: float, acceleration: float) -> float:
    """Cruise speed at which a trapezoidal motion takes ``seconds``.

    Solved from distance / v + v / a = T, the slower of the two solutions; the fastest possible when T is too short.
    """
    distance = abs(distance)
    if distance == 0.0 or seconds <= 0.0:
        raise ValueError("a motion has a length and takes time")
    if math.isinf(acceleration):
        return distance / seconds
    root = math.sqrt(max(0.0, 1.0 - 4.0 * distance / (acceleration * seconds**2)))
    # Without the cancellation of T - sqrt(T² - 4 d / a).
    return 2.0 * distance / (seconds * (1.0 + root))
