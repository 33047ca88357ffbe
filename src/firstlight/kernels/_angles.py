"""How much each projection counts: the arc it stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

_SAME = 0.05  # of the mean gap: directions closer than this count as one, measured several times
_WEDGE = 4.0  # times wider than nearly all gaps
_WIDE = 5.0  # degrees


def angle_weights(angles: ArrayLike, valid: ArrayLike | None = None) -> NDArray[np.float64]:
    """Arc (rad) that each projection stands for: half of the gap to each neighbour, directions taken modulo 180°.

    Evenly spaced angles over 180° give π / count each, whichever end is included; a full turn gives half of that, and
    a direction measured several times is shared. A missing wedge (a gap of more than 5 degrees that is four times wider
    than nearly all others) is left empty: its neighbours get the arc that other projections get.

    :param angles: angles in degrees, any order and any range.
    :param valid: False for projections that are missing; they weigh 0 and their arc goes to their neighbours.
    :raises InvalidInput: when no projection is left, or an angle is not finite.
    """
    degrees = np.asarray(angles, dtype=np.float64)
    if degrees.ndim != 1 or not np.isfinite(degrees).all():
        raise InvalidInput("Angles must be a list of finite numbers in degrees.")
    use = np.ones(degrees.size, bool) if valid is None else np.asarray(valid, dtype=bool)
    if use.shape != degrees.shape:
        raise InvalidInput(f"{use.size} validity flags do not fit {degrees.size} angles.")
    if not use.any():
        raise InvalidInput("No projection is valid.")
    directions = np.mod(degrees[use], 180.0)
    order = np.argsort(directions, kind="stable")
    ranked = directions[order]
    same = _SAME * 180.0 / ranked.size
    group = np.concatenate([[0], np.cumsum(np.diff(ranked) > same)])
    if ranked[0] + 180.0 - ranked[-1] <= same:
        group[group == group[-1]] = 0
    members = np.bincount(group)
    middles = np.bincount(group, ranked - 180.0 * ((group == 0) & (ranked > 90.0)) * (members.size > 1)) / members
    gaps = np.diff(middles, append=middles[0] + 180.0)
    usual = float(np.percentile(gaps, 95, method="lower"))
    arcs = np.where(gaps > max(_WEDGE * usual, _WIDE), float(np.median(gaps)), gaps)
    shares = 0.5 * (arcs + np.roll(arcs, 1)) / members
    weights = np.zeros(degrees.size)
    weights[np.flatnonzero(use)[order]] = np.deg2rad(shares[group])
    return weights
