"""Crystal lattices and their matrix B (W. R. Busing and H. A. Levy, Acta Cryst. 22, 457 (1967))."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from firstlight.crystallography._rotation import Floats
from firstlight.model import InvalidInput


@dataclass(frozen=True)
class Lattice:
    """A unit cell; what is left out follows: b and c from a, angles are right.

    :raises InvalidInput: when no cell has these edges and angles.
    """

    a: float
    """Å."""
    b: float = math.nan
    """Å; a when left out."""
    c: float = math.nan
    """Å; a when left out."""
    alpha: float = 90.0
    """Between b and c, degrees."""
    beta: float = 90.0
    """Between c and a, degrees."""
    gamma: float = 90.0
    """Between a and b, degrees."""

    def __post_init__(self) -> None:
        for name in ("b", "c"):
            if math.isnan(getattr(self, name)):
                object.__setattr__(self, name, self.a)
        edges, angles = (self.a, self.b, self.c), (self.alpha, self.beta, self.gamma)
        if not all(edge > 0 and math.isfinite(edge) for edge in edges):
            raise InvalidInput(
                f"A lattice has edges of {self.a:g}, {self.b:g} and {self.c:g} Å.", hint="Give positive lengths."
            )
        if not all(0 < angle < 180 for angle in angles) or self._squared() <= 1e-12:
            raise InvalidInput(
                f"No cell has the angles {self.alpha:g}, {self.beta:g} and {self.gamma:g} degrees.",
                hint="Each lies between 0 and 180, is less than the sum of the others, and all sum to less than 360.",
            )

    def _squared(self) -> float:
        """Square of the volume of a cell with edges of one; negative when no such cell closes."""
        ca, cb, cg = (math.cos(math.radians(angle)) for angle in (self.alpha, self.beta, self.gamma))
        turned = max(self.alpha + self.beta + self.gamma - 360, 0.0)
        return 1 - ca * ca - cb * cb - cg * cg + 2 * ca * cb * cg if not turned else -1.0

    @property
    def parameters(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c in Å, alpha, beta, gamma in degrees."""
        return self.a, self.b, self.c, self.alpha, self.beta, self.gamma

    @property
    def volume(self) -> float:
        """Of the cell, Å³."""
        return self.a * self.b * self.c * math.sqrt(self._squared())

    @property
    def direct(self) -> Floats:
        """The edges a, b and c as columns, Å, in the axes of :attr:`B`, shape (3, 3)."""
        return np.asarray(2 * math.pi * np.linalg.inv(self.B).T)

    @property
    def B(self) -> Floats:  # noqa: N802  (as the paper calls it)
        """Takes h, k, l to Å⁻¹ (with 2π), shape (3, 3): x along a*, y in the plane of a* and b*.

        Busing and Levy 1967, equation 3, times 2π.
        """
        ca, cb, cg = (math.cos(math.radians(angle)) for angle in (self.alpha, self.beta, self.gamma))
        sa, sb, sg = (math.sin(math.radians(angle)) for angle in (self.alpha, self.beta, self.gamma))
        unit_volume = math.sqrt(self._squared())
        a, b, c = sa / (self.a * unit_volume), sb / (self.b * unit_volume), sg / (self.c * unit_volume)
        cos_b, cos_g = (ca * cg - cb) / (sa * sg), (ca * cb - cg) / (sa * sb)
        sin_b, sin_g = math.sqrt(1 - cos_b * cos_b), math.sqrt(1 - cos_g * cos_g)
        return (
            2
            * math.pi
            * np.array([[a, b * cos_g, c * cos_b], [0.0, b * sin_g, -c * sin_b * ca], [0.0, 0.0, 1 / self.c]])
        )

    def spacing(self, hkl: ArrayLike) -> Floats:
        """Distances of lattice planes, Å, for reflections of shape (..., 3)."""
        q = np.asarray(hkl, np.float64) @ self.B.T
        return np.asarray(2 * math.pi / np.sqrt(np.sum(q * q, axis=-1)))

    @classmethod
    def of_matrix(cls, matrix: ArrayLike) -> Lattice:
        """The cell whose reciprocal edges are the columns of a matrix, Å⁻¹ (with 2π), turned in any way.

        :raises InvalidInput: when the columns lie in one plane.
        """
        columns = np.asarray(matrix, np.float64)
        if columns.shape != (3, 3) or not np.isfinite(columns).all() or np.linalg.cond(columns) > 1e9:
            raise InvalidInput("This matrix holds no three independent reciprocal edges.")
        a, b, c = 2 * math.pi * np.linalg.inv(columns)
        lengths = [float(np.linalg.norm(edge)) for edge in (a, b, c)]
        angles = [
            math.degrees(math.acos(float(np.clip(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)), -1, 1))))
            for u, v in ((b, c), (c, a), (a, b))
        ]
        return cls(*lengths, *angles)
