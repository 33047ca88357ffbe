"""Half turns and opposite projections, found among angles in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HalfTurn:
    """Projections of half a turn, in the order of their angles.

    :param indices: which projections.
    :param angles: their angles from the first, degrees, rising from 0.
    """

    indices: NDArray[np.int64]
    angles: NDArray[np.float64]


def half_turn(angles: NDArray[np.float64]) -> HalfTurn:
    """The first half turn of a scan.

    :raises InvalidInput: when the angles leave a gap of more than a tenth of it.
    """
    # Angles more than a turn apart are the same direction, seen from the same side.
    turned = np.mod(angles - angles[0], 360.0)
    turned[turned > 360.0 - 1e-6] = 0.0
    order = np.argsort(turned, kind="stable")
    for start in (0.0, *_starts(turned[order])):
        from_start = np.mod(turned - start, 360.0)
        order = np.argsort(from_start, kind="stable")
        kept = order[from_start[order] <= 180.0 + 1e-6]
        edges = np.concatenate([[0.0], from_start[kept], [180.0]])
        if np.diff(edges).max() <= 18.0:
            return HalfTurn(kept.astype(np.int64), from_start[kept])
    raise InvalidInput("The projections do not cover half a turn.", hint="Scan at least 180 degrees.")


def _starts(ranked: NDArray[np.float64]) -> list[float]:
    """Angles behind a wide gap, where a half turn may begin (a scan from 0 to -180 has all of them there)."""
    gaps = np.diff(ranked, append=ranked[0] + 360.0)
    return [float(a) for a in np.roll(ranked, -1)[gaps > 18.0]]


def evenly(sinogram: Floats, turn: HalfTurn, count: int) -> Floats:
    """A sinogram of half a turn, interpolated linearly to evenly spaced angles.

    :param count: rows of the result, from the first to the last angle of the half turn.
    """
    rows = sinogram[turn.indices]
    wanted = np.linspace(turn.angles[0], turn.angles[-1], count)
    if rows.shape[0] == count and np.allclose(turn.angles, wanted, atol=1e-3 * (wanted[1] - wanted[0])):
        return rows
    lower = np.clip(np.searchsorted(turn.angles, wanted, side="right") - 1, 0, turn.angles.size - 2)
    span = turn.angles[lower + 1] - turn.angles[lower]
    blend = np.divide(wanted - turn.angles[lower], span, out=np.zeros_like(span), where=span > 0)
    weight = np.clip(blend, 0.0, 1.0).astype(np.float32)[:, None]
    return np.asarray((1 - weight) * rows[lower] + weight * rows[lower + 1])


def opposite(angles: NDArray[np.float64], wanted: float) -> list[tuple[int, float]] | None:
    """Weights of the projections that make up the one at an angle: one, or two neighbours.

    Linear between neighbours, and beyond the last one by at most one and a half steps: a half turn of n projections
    usually ends one step before 180°.

    :param wanted: degrees; None when no projection is near.
    """
    distance = np.mod(angles - wanted + 180.0, 360.0) - 180.0
    order = np.argsort(np.abs(distance), kind="stable")
    nearest = int(order[0])
    if abs(distance[nearest]) < 1e-3:
        return [(nearest, 1.0)]
    ranked = np.sort(np.unique(np.round(np.mod(angles, 360.0), 6)))
    step = float(np.median(np.diff(ranked))) if ranked.size > 1 else 0.0
    if abs(distance[nearest]) > 1.5 * step:
        return None
    apart = np.abs(distance - distance[nearest]) > 0.3 * step
    others = [int(i) for i in order[1:] if apart[i] and abs(distance[i]) <= 2.75 * step]
    across = [i for i in others if distance[i] * distance[nearest] < 0]
    if not others:
        return None
    partner = (across or others)[0]
    weight = distance[nearest] / (distance[nearest] - distance[partner])
    return [(nearest, float(1.0 - weight)), (partner, float(weight))]
