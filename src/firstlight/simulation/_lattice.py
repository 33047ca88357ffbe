"""A crystal's cell and its reciprocal lattice, without the factor 2π: |q| = 1/d."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput


@dataclass(frozen=True, slots=True)
class Lattice:
    """Edges (Å) and angles (degrees) of a cell."""

    a: float
    b: float
    c: float
    alpha: float = 90.0
    beta: float = 90.0
    gamma: float = 90.0

    def __post_init__(self) -> None:
        if not (min(self.a, self.b, self.c) > 0 and all(0 < x < 180 for x in (self.alpha, self.beta, self.gamma))):
            raise InvalidInput(f"A cell needs edges above zero and angles between 0° and 180°, not {astuple(self)}.")
        if not np.linalg.det(self._metric()) > 0:
            raise InvalidInput(f"No cell has the angles {self.alpha:g}°, {self.beta:g}°, {self.gamma:g}°.")

    @property
    def volume(self) -> float:
        """Å³."""
        return math.sqrt(float(np.linalg.det(self._metric())))

    def b_matrix(self) -> NDArray[np.float64]:
        """B of W. R. Busing, H. A. Levy, Acta Cryst. 22 (1967) 457-464, eq. 3: from hkl to Cartesian, 1/Å.

        x is along a*, y in the plane of a* and b*.
        """
        inverse = np.linalg.inv(self._metric())
        a, b, c = np.sqrt(np.diag(inverse)).tolist()
        cos_beta, cos_gamma = float(inverse[0, 2] / (a * c)), float(inverse[0, 1] / (a * b))
        sin_beta, sin_gamma = math.sqrt(1.0 - cos_beta**2), math.sqrt(1.0 - cos_gamma**2)
        cos_alpha = math.cos(math.radians(self.alpha))
        return np.array(
            [
                [a, b * cos_gamma, c * cos_beta],
                [0.0, b * sin_gamma, -c * sin_beta * cos_alpha],
                [0.0, 0.0, 1.0 / self.c],
            ]
        )

    def spacing(self, hkl: ArrayLike) -> NDArray[np.float64]:
        """d of reflections (..., 3), Å."""
        h = np.asarray(hkl, dtype=np.float64)
        squares = np.einsum("...i,ij,...j->...", h, np.linalg.inv(self._metric()), h)
        return np.asarray(1.0 / np.sqrt(squares))

    def indices(self, smallest: float) -> NDArray[np.int64]:
        """All hkl but 000 with a spacing of at least ``smallest`` (Å), (n, 3)."""
        if not smallest > 0:
            raise InvalidInput(f"The smallest spacing must be above zero, not {smallest!r}.")
        h, k, l = (math.floor(edge / smallest) for edge in (self.a, self.b, self.c))
        found = np.stack(
            np.meshgrid(np.arange(-h, h + 1), np.arange(-k, k + 1), np.arange(-l, l + 1), indexing="ij"), axis=-1
        ).reshape(-1, 3)
        found = found[np.any(found != 0, axis=1)]
        return np.asarray(found[self.spacing(found) >= smallest])

    def _metric(self) -> NDArray[np.float64]:
        ca, cb, cg = (math.cos(math.radians(x)) for x in (self.alpha, self.beta, self.gamma))
        a, b, c = self.a, self.b, self.c
        ab, ac, bc = a * b * cg, a * c * cb, b * c * ca
        return np.array([[a * a, ab, ac], [ab, b * b, bc], [ac, bc, c * c]])
