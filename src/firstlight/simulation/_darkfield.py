"""Dark-field X-ray microscopy: a magnified picture of one reflection, pixel by pixel with its own orientation.

Each pixel p of the field reflects most where the sample's tilts equal its own, and its rays leave at its own 2θ:

    I(p) = N e(p) exp(-½ ((φ - φ_p)/w)² - ½ ((χ - χ_p)/w)² - ½ ((2θ - 2θ_p)/w_θ)²),   2θ_p = 2θ₀ - 2 ε_p tan θ₀

with the widths w of the local mosaic (with the divergence of the beam) and w_θ of the objective's acceptance. So the
centre of mass of a pixel over a rocking scan is its orientation, which is what darfix maps (J. Garriga Ferrer et al.,
J. Synchrotron Rad. 30 (2023) 527-537; H. Simons et al., Nat. Commun. 6 (2015) 6098).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._beam import smooth, standard
from firstlight.simulation._part import Part
from firstlight.simulation._random import key, normals_of, uniforms_of

Map = NDArray[np.float32]

_TOGETHER = 1 << 15
"""Pixels that are computed together."""


@dataclass(frozen=True, slots=True)
class DarkFieldSettings:
    """How the field is; from this and the shape all maps follow. Angles in degrees.

    :param phi: tilt at which the mean of the field reflects.
    :param chi: the other tilt, about an axis across the first.
    :param two_theta: 2θ₀ of the reflection.
    :param grains: number of grains, cells about random points.
    :param misorientation: root mean square of the grains' mean tilts.
    :param bending: of the tilts from one side of a grain to the other, smooth.
    :param strain: root mean square, smooth over the field.
    :param width: full width at half maximum of a pixel's rocking curve.
    :param acceptance: full width at half maximum of the objective in 2θ.
    :param efficiency: detected photons in a pixel per photon on the sample, at the maximum.
    :param seed: of the maps.
    """

    phi: float = 0.0
    chi: float = 0.0
    two_theta: float = 20.0
    grains: int = 12
    misorientation: float = 0.15
    bending: float = 0.05
    strain: float = 1e-4
    width: float = 0.08
    acceptance: float = 0.08
    efficiency: float = 1e-7
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.grains >= 1 and self.width > 0 and self.acceptance > 0 and 0 < self.two_theta < 180):
            raise InvalidInput("A dark field needs a grain, and widths and a 2θ above zero.")
        if min(self.misorientation, self.bending, self.strain, self.efficiency) < 0:
            raise InvalidInput("Spreads and efficiency of a dark field are not below zero.")


class DarkField:
    """The field as the camera behind the objective sees it.

    :param shape: (height, width), pixels.
    """

    inputs: Mapping[str, str] = {"phi": "deg", "chi": "deg", "two_theta": "deg"}

    def __init__(self, shape: tuple[int, int], settings: DarkFieldSettings | None = None) -> None:
        self.shape = shape
        self.settings = settings or DarkFieldSettings()
        s = self.settings
        self.grain = self._cells()
        """Number of the grain of each pixel."""
        self.phi = self._tilt(31, s.phi)
        """φ of each pixel, degrees."""
        self.chi = self._tilt(33, s.chi)
        """χ of each pixel, degrees."""
        self.strain: Map = np.asarray(s.strain * self._field(35), dtype=np.float32)
        """ε of each pixel."""
        tangent = math.tan(math.radians(0.5 * s.two_theta))
        self.two_theta: Map = np.asarray(s.two_theta - 2.0 * np.degrees(self.strain * tangent), dtype=np.float32)
        """2θ of each pixel, degrees."""
        bright = 0.5 + uniforms_of(key(s.seed, 36), (s.grains,))
        self.efficiency: Map = np.asarray(s.efficiency * bright[self.grain], dtype=np.float32)
        """Detected photons in each pixel per photon on the sample, at its maximum."""

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Expected photons in each pixel."""
        s = self.settings
        rocking, objective = (-4.0 * math.log(2.0) / width**2 for width in (s.width, s.acceptance))
        maps = ((self.phi, rocking, "phi", s.phi), (self.chi, rocking, "chi", s.chi),
                (self.two_theta, objective, "two_theta", s.two_theta))  # fmt: skip
        image = np.zeros(self.shape, dtype=np.float32)
        # Some rows at a time stay in the cache of a processor.
        lines = max(1, _TOGETHER // max(1, self.shape[1]))
        square, term = (np.empty((min(lines, self.shape[0]), self.shape[1]), dtype=np.float32) for _ in range(2))
        for first in range(0, self.shape[0], lines):
            rows = slice(first, min(first + lines, self.shape[0]))
            exponent, one = (scratch[: rows.stop - first] for scratch in (square, term))
            for part in parts:
                exponent[...] = 0.0
                for where, factor, name, centre in maps:
                    np.subtract(where[rows], np.float32(part.middle(name, centre)), out=one)
                    one *= one
                    one *= np.float32(factor)
                    exponent += one
                np.exp(exponent, out=exponent)
                exponent *= np.float32(part.photons)
                image[rows] += exponent
            image[rows] *= self.efficiency[rows]
        return image

    def truth(self) -> dict[str, Any]:
        """The settings and the shape, from which ``DarkField(shape, DarkFieldSettings(**settings))`` gives the maps."""
        return {"technique": "dark-field microscopy", "shape": list(self.shape), "field": asdict(self.settings)}

    def _cells(self) -> NDArray[np.int32]:
        rows, columns = self.shape
        points = uniforms_of(key(self.settings.seed, 30), (self.settings.grains, 2)) * np.array(self.shape)
        nearest = np.full(self.shape, np.inf)
        which = np.zeros(self.shape, dtype=np.int32)
        for number, (row, column) in enumerate(points.tolist()):
            distance = ((np.arange(rows) - row) ** 2)[:, None] + ((np.arange(columns) - column) ** 2)[None, :]
            closer = distance < nearest
            nearest[closer], which[closer] = distance[closer], number
        return which

    def _tilt(self, number: int, centre: float) -> Map:
        s = self.settings
        means = normals_of(key(s.seed, number), (s.grains,))
        means -= np.average(means, weights=np.bincount(self.grain.ravel(), minlength=s.grains))
        bent = s.bending * self._field(number + 1)
        return np.asarray(centre + s.misorientation * means[self.grain] + bent, dtype=np.float32)

    def _field(self, number: int) -> NDArray[np.float64]:
        return standard(smooth(normals_of(key(self.settings.seed, number), self.shape), 0.1 * min(self.shape)))
