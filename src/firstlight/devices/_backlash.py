"""Backlash: an axis with play comes to every position from the same side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Backlash:
    """The play of one axis, dial units, and how much of it is not taken up now.

    :param size: the last ``|size|`` of a motion are travelled in the direction of its sign; 0 for none.
    """

    def __init__(self, size: float = 0.0) -> None:
        self.size = size
        self._loose = 0.0

    def legs(self, start: float, target: float, side: int | None = None) -> tuple[float, ...]:
        """Positions to go to, one after the other; the last one is the target.

        :param side: 1 or -1 to come from below or above whatever the sign of the size, 0 to go straight; None as set.
        """
        size = self.size if side is None else side * abs(self.size)
        if size == 0.0:
            return (target,)
        left = self._after(size, start, target)
        return (target - size, target) if left > 1e-9 * max(abs(size), abs(target)) else (target,)

    def moved(self, start: float, stop: float) -> None:
        """Take note of a motion."""
        self._loose = self._after(self.size, start, stop)

    def unknown(self) -> None:
        """The play may be anywhere: the next motion takes it up."""
        self._loose = abs(self.size)

    def overshoots(self, start: float, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where it goes before each of the targets, visited in turn; NaN where it goes there straight."""
        targets = np.asarray(targets, dtype=np.float64)
        against = np.diff(targets, prepend=start) * self.size < 0.0
        if len(targets):
            against[0] = len(self.legs(start, float(targets[0]))) > 1
        return np.where(against, targets - self.size, np.nan)

    def _after(self, size: float, start: float, stop: float) -> float:
        """Play that is not taken up after a straight motion, for an approach in the direction of ``size``."""
        along = (stop - start) if size > 0 else (start - stop)
        loose = self._loose if size * self.size > 0 else abs(self.size) - self._loose
        return min(max(loose - along, 0.0), abs(size))
