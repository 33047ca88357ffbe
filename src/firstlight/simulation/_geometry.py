"""A flat area detector behind a sample, in the conventions of pyFAI.

The laboratory's axis 1 points along the rows index, axis 2 along the columns index and axis 3 along the beam; the
sample is at the origin. The point of normal incidence (PONI) lies at ``distance`` and is given in metres from the
outer corner of pixel (0, 0), so that the centre of pixel (i, j) is at ((i + ½) p₁, (j + ½) p₂). The detector is turned
about the sample by rot1 about axis 1 (left-handed), then rot2 about axis 2 (left-handed), then rot3 about axis 3
(right-handed). Formulas: J. Kieffer et al., J. Appl. Cryst. 53 (2020) 1006-1018, and pyFAI's documentation,
"Geometry in pyFAI".

Pixel positions in our own names are indices whose integers are the centres of the pixels: index = metres / p - ½.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput


@dataclass(frozen=True)
class Geometry:
    """Where the detector stands.

    :param shape: (height, width), pixels.
    :param pixel: edges of a pixel (along rows, along columns), mm.
    :param distance: from the sample to the detector's plane, mm.
    :param centre: (row, column) of the point of normal incidence; the direct beam falls there when there is no tilt.
    :param tilt: rot1, rot2, rot3, degrees.
    """

    shape: tuple[int, int]
    pixel: tuple[float, float]
    distance: float
    centre: tuple[float, float]
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.pixel) <= 0 or not self.distance > 0:
            raise InvalidInput("A detector needs pixels, a pixel size and a distance above zero.")
        if max(abs(self.tilt[0]), abs(self.tilt[1])) >= 90:
            raise InvalidInput("A detector is tilted by less than 90° (rot1, rot2).")

    def at(self, distance: float) -> Geometry:
        """The same at another distance, mm."""
        return replace(self, distance=distance)

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """From the detector's own directions (rows, columns, normal) to the laboratory's."""
        (c1, c2, c3), (s1, s2, s3) = np.cos(np.radians(self.tilt)), np.sin(np.radians(self.tilt))
        return np.array(
            [
                [c2 * c3, c3 * s1 * s2 - c1 * s3, -(c1 * c3 * s2 + s1 * s3)],
                [c2 * s3, c1 * c3 + s1 * s2 * s3, -(-c3 * s1 + c1 * s2 * s3)],
                [s2, -c2 * s1, c1 * c2],
            ]
        )

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Of the pixels' centres in the laboratory, (3, height, width), mm."""
        p1 = (np.arange(self.shape[0]) - self.centre[0]) * self.pixel[0]
        p2 = (np.arange(self.shape[1]) - self.centre[1]) * self.pixel[1]
        r = self.rotation
        return np.stack([r[k, 0] * p1[:, None] + r[k, 1] * p2[None, :] + r[k, 2] * self.distance for k in range(3)])

    @cached_property
    def two_theta(self) -> NDArray[np.float64]:
        """Scattering angle 2θ of the pixels' centres, rad."""
        t1, t2, t3 = self.positions
        return np.asarray(np.arctan2(np.hypot(t1, t2), t3))

    @cached_property
    def azimuth(self) -> NDArray[np.float64]:
        """χ, from axis 2 towards axis 1, rad."""
        t1, t2, _ = self.positions
        return np.asarray(np.arctan2(t1, t2))

    @cached_property
    def solid_angle(self) -> NDArray[np.float64]:
        """Of the pixels, sr: their area times the cosine of incidence over the distance squared."""
        squares = np.sum(self.positions**2, axis=0)
        return np.asarray(self.pixel[0] * self.pixel[1] * self.distance / squares**1.5)

    def polarisation(self, factor: float) -> NDArray[np.float64]:
        """What scattering keeps of the intensity: ½ (1 + cos² 2θ - f cos 2χ sin² 2θ).

        :param factor: 1 for polarisation along the columns index, 0 for none, -1 for along the rows.
        """
        cosine = np.cos(self.two_theta) ** 2
        return 0.5 * (1.0 + cosine - factor * np.cos(2.0 * self.azimuth) * (1.0 - cosine))

    def pixels_of(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where rays from the sample hit the detector's plane.

        :param directions: (n, 3) in the laboratory, of any length.
        :return: (n, 2): row and column, fractional; NaN where a ray does not go there.
        """
        own = directions @ self.rotation
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(own[:, 2] > 0.0, self.distance / own[:, 2], np.nan)
        return np.asarray(own[:, :2] * scale[:, None] / np.array(self.pixel) + np.array(self.centre))

    @property
    def beam(self) -> tuple[float, float]:
        """(row, column) where the direct beam hits."""
        ((row, column),) = self.pixels_of(np.array([[0.0, 0.0, 1.0]])).tolist()
        return row, column

    def truth(self) -> dict[str, Any]:
        """As pyFAI's PONI file has it (metres, radians), and where the direct beam hits (pixels)."""
        rot1, rot2, rot3 = (math.radians(t) for t in self.tilt)
        return {
            "poni": {
                "dist": self.distance * 1e-3,
                "dist@units": "m",
                "poni1": (self.centre[0] + 0.5) * self.pixel[0] * 1e-3,
                "poni1@units": "m",
                "poni2": (self.centre[1] + 0.5) * self.pixel[1] * 1e-3,
                "poni2@units": "m",
                "rot1": rot1,
                "rot1@units": "rad",
                "rot2": rot2,
                "rot2@units": "rad",
                "rot3": rot3,
                "rot3@units": "rad",
                "pixel1": self.pixel[0] * 1e-3,
                "pixel1@units": "m",
                "pixel2": self.pixel[1] * 1e-3,
                "pixel2@units": "m",
            },
            "beam_row": self.beam[0],
            "beam_column": self.beam[1],
        }
