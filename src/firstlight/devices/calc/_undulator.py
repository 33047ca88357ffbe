"""The gap at which an undulator gives a photon energy on one of its harmonics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput

ELECTRON = 0.51099895e-3
"""Rest energy of the electron, GeV."""
HC = 12.398419843320026
"""Planck's constant times the speed of light, keV·Å (exact in the SI since 2019)."""
K_OF_FIELD = 0.0933729
"""Deflection parameter of a field of 1 T and a period of 1 mm: e / (2 π m c)."""


class GapFormula:
    """Gap from the energy E of harmonic n on axis, K of the field, and the field of the gap.

    E = n · 2 γ² hc / (λu (1 + K²/2)); K = 0.0934 B[T] λu[mm]; B = a · exp(b g/λu + c (g/λu)²) (K. Halbach, J. Physique
    Coll. 44 C1 (1983) 211).

    :param period: λu, mm.
    :param electrons: energy of the stored electrons, GeV.
    :param field: a (T), b and c.
    """

    def __init__(self, period: float, electrons: float, field: tuple[float, float, float] = (3.33, -5.47, 1.8)) -> None:
        if not (period > 0 and electrons > 0 and field[0] > 0 and field[1] < 0 and field[2] >= 0):
            raise InvalidInput(
                "An undulator needs a period and an electron energy above zero, and a field that falls with the gap.",
                hint="The field is (a, b, c) of a · exp(b g/λu + c (g/λu)²): a > 0, b < 0, c ≥ 0.",
            )
        self._period = period
        self._top = 2.0 * (electrons / ELECTRON) ** 2 * HC / (period * 1e7)
        self._field = field

    def gap(self, energy: NDArray[np.float64], harmonic: int) -> NDArray[np.float64]:
        """Gaps (mm) for energies (keV); NaN where the harmonic does not reach."""
        a, b, c = self._field
        with np.errstate(invalid="ignore", divide="ignore"):
            deflection = np.sqrt(2.0 * (harmonic * self._top / energy - 1.0))
            need = np.log(a / (deflection / (K_OF_FIELD * self._period)))
            # c x² + b x + need = 0: the branch on which the field falls with the gap.
            root = b * b - 4.0 * c * need
            x = 2.0 * need / (-b + np.sqrt(root))
        return np.where((x >= 0.0) & np.isfinite(x), x * self._period, np.nan)


class GapTable:
    """Gap from measured pairs, a straight line between two of them.

    :param points: pairs of an energy (keV) and the gap (mm) that gives it.
    :param harmonic: the one that they were measured on; others give multiples of these energies.
    """

    def __init__(self, points: Sequence[tuple[float, float]], harmonic: int = 1) -> None:
        table = np.array(sorted(points), dtype=np.float64)
        if len(table) < 2 or table.shape[1:] != (2,) or not np.all(np.isfinite(table)):
            raise InvalidInput("A table of gaps needs two pairs (energy, gap) at least.")
        if np.any(np.diff(table[:, 0]) <= 0):
            raise InvalidInput("A table of gaps gives an energy twice.", hint="Remove one of the two.")
        self._table = table
        self._harmonic = harmonic

    def gap(self, energy: NDArray[np.float64], harmonic: int) -> NDArray[np.float64]:
        """Gaps (mm) for energies (keV); NaN outside of the table."""
        scaled = np.asarray(energy, dtype=np.float64) * (self._harmonic / harmonic)
        return np.interp(scaled, self._table[:, 0], self._table[:, 1], left=math.nan, right=math.nan)
