"""The motion of a calculated axis, from the motions of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from firstlight.model.motion import DURATION, START, Segments, states

PIECES = 32
"""Parts into which a segment of a curved relation is cut."""

Function = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]
"""From positions of the real axes to those of one calculated axis."""


def converted(motions: Mapping[str, Segments], function: Function, since: float, *, straight: bool) -> Segments:
    """Segments of a function of several motions.

    Each stretch between two moments at which any of them changes is a parabola through its ends and its middle: exact
    where the function is linear, and within a thousandth of the curvature of one piece otherwise.

    :param straight: the function is linear, and stretches need not be cut.
    """
    edges = [rows[:, START] for rows in motions.values()]
    edges += [rows[:, START] + rows[:, DURATION] for rows in motions.values()]
    knots = np.unique(np.append(np.concatenate(edges), since))
    knots = knots[knots >= since]
    starts, ends = knots[:-1], knots[1:]
    moving = np.zeros(len(starts), dtype=bool)
    for rows in motions.values():
        moving |= states(rows, (starts + ends) / 2)[1] != 0.0
    pieces = np.where(moving, 1 if straight else PIECES, 1)
    first = np.repeat(starts, pieces)
    step = np.repeat((ends - starts) / pieces, pieces)
    part = np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = first + part * step
    moments = np.append(begin, knots[-1])

    def values(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return function({name: states(rows, at)[0] for name, rows in motions.items()})

    there, middle = values(moments), values(begin + step / 2)
    p, q = there[:-1], there[1:]
    acceleration = 4.0 * (p - 2.0 * middle + q) / step**2
    velocity = (q - p) / step - 0.5 * acceleration * step
    still = np.repeat(~moving, pieces)
    velocity[still] = acceleration[still] = 0.0
    rows = np.column_stack([begin, np.where(still, 0.0, step), p, velocity, acceleration])
    return np.vstack([rows, [knots[-1], 0.0, there[-1], 0.0, 0.0]])
