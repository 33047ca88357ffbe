"""The storage ring as its beamlines see it: current, injections, lost beam, and an orbit that drifts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._random import key, uniform
from firstlight.simulation._ring import Ring

_PERIODS = (3600.0, 1020.0, 290.0)
"""Of the orbit's slow waves, s; the first two are those of cooling water and air."""


@dataclass(frozen=True, slots=True)
class History:
    """A ring whose law changed at known moments, for instance when the beam was lost and refilled.

    :param since: moments from which each law holds, rising; the first one holds before, too.
    :param rings: the laws.
    """

    since: Sequence[float]
    rings: Sequence[Ring]

    def __post_init__(self) -> None:
        if not self.rings or len(self.since) != len(self.rings):
            raise InvalidInput("A history has at least one ring, and a moment for each.")

    def current_at(self, moments: ArrayLike) -> NDArray[np.float64]:
        """Current at any moments (s), mA."""
        moments = np.asarray(moments, dtype=np.float64)
        which = self._which(moments)
        current = np.empty(moments.shape)
        for k in np.unique(which):
            current[which == k] = self.rings[k].current_at(moments[which == k])
        return current

    def charge(self, start: float, stop: float) -> float:
        """Time integral of the current, mA s, exact."""
        edges = [start, *(s for s in self.since[1:] if start < s < stop), stop]
        return sum(self.rings[int(self._which(np.float64(a)))].charge(a, b) for a, b in pairwise(edges))

    def mean(self, start: float, stop: float) -> float:
        """Mean current of an exposure, exact; the current itself when it takes no time."""
        if stop <= start:
            return float(self.current_at(start))
        return self.charge(start, stop) / (stop - start)

    def since_injection(self, moments: ArrayLike) -> NDArray[np.float64]:
        """Seconds since the last injection, at any moments."""
        moments = np.asarray(moments, dtype=np.float64)
        which = self._which(moments)
        phases, intervals = np.array([(r.phase, r.interval) for r in self.rings]).T
        return np.asarray(np.mod(moments - phases[which], intervals[which]))

    def _which(self, moments: NDArray[np.float64] | np.float64) -> NDArray[np.intp]:
        return np.maximum(np.searchsorted(np.asarray(self.since), moments, side="right") - 1, 0)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the ring does to the light beside its current.

    :param dip: share of the light that an injection takes away at first; it recovers exponentially.
    :param recovery: time constant of that, s.
    :param drift: root mean square of the source's slow movement (x, y), mm.
    :param tilt: the same of its direction, mrad.
    :param seed: of the phases.
    """

    dip: float = 0.0
    recovery: float = 0.02
    drift: tuple[float, float] = (0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    def disturbance(self, since_injection: ArrayLike) -> NDArray[np.float64]:
        """Factor on the light, 1 when all is quiet."""
        return np.asarray(1.0 - self.dip * np.exp(-np.asarray(since_injection, dtype=np.float64) / self.recovery))

    def orbit(self, moments: ArrayLike) -> NDArray[np.float64]:
        """x, x', y, y' of the source (mm, mrad) at moments (n,): (4, n); three slow waves of seeded phase each."""
        moments = np.asarray(moments, dtype=np.float64)
        sizes = (self.drift[0], self.tilt[0], self.drift[1], self.tilt[1])
        orbit = np.zeros((4, *moments.shape))
        for row, size in enumerate(sizes):
            for k, period in enumerate(_PERIODS if size else ()):
                phase = 2.0 * math.pi * uniform(key(self.seed, row), k)
                orbit[row] += size * math.sqrt(2.0 / len(_PERIODS)) * np.sin(2.0 * math.pi * moments / period + phase)
        return orbit
