"""How an intensity depends on the position of an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

_FOUR_LN_2 = 2.772588722239781


@dataclass(frozen=True, slots=True)
class Peak:
    """A gaussian over a constant: background + (1 - background) exp(-4 ln 2 ((x - centre) / fwhm)²).

    :param fwhm: full width at half maximum, in the axis's unit.
    :param background: what remains far from the peak, 0 to 1.
    """

    centre: float = 0.0
    fwhm: float = 1.0
    background: float = 0.0

    def __post_init__(self) -> None:
        if not (self.fwhm > 0 and 0 <= self.background <= 1):
            raise InvalidInput("A peak needs a width above zero and a background from 0 to 1.")

    def at(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Relative intensity, 1 at the centre."""
        x = (np.asarray(positions, dtype=np.float64) - self.centre) / self.fwhm
        return np.asarray(self.background + (1.0 - self.background) * np.exp(-_FOUR_LN_2 * x * x))
