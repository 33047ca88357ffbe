"""What switches do to the motion of a simulated motor."""

from __future__ import annotations

import math

import numpy as np

from firstlight.model.motion import START, Segments, crossings, halt, state

FOREVER = 1e7
"""Seconds that a motion without a target lasts at most: four months."""


def cut(rows: Segments, switches: tuple[float, float], deceleration: float) -> tuple[Segments, int]:
    """A motion in one direction, ended by the limit switch that it runs onto.

    :param switches: positions of the negative and the positive limit switch.
    :return: the motion, which rests a stopping distance beyond the switch, and which one it was: 1, -1, or 0 for none.
    """
    start, stop = state(rows, -math.inf)[0], state(rows, math.inf)[0]
    way = 1 if stop > start else -1
    switch = switches[1] if way > 0 else switches[0]
    if stop * way <= switch * way or stop == start:
        return rows, 0
    if start * way >= switch * way:
        return rows[:1] * np.array([1.0, 0.0, 1.0, 0.0, 0.0]), way  # on the switch already: does not leave
    moment = float(crossings(rows, [switch])[0])
    return np.concatenate([rows[rows[:, START] < moment], halt(rows, moment, deceleration)]), way


def endless(start: float, velocity: float, acceleration: float, moment: float) -> Segments:
    """A ramp to a signed speed, kept for ever."""
    ramp = abs(velocity) / acceleration
    signed = math.copysign(acceleration, velocity)
    return np.array(
        [
            [moment, ramp, start, 0.0, signed],
            [moment + ramp, FOREVER, start + 0.5 * velocity * ramp, velocity, 0.0],
        ]
    )
