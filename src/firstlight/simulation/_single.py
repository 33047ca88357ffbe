"""A single crystal on a rotation axis before an area detector.

A reflection h has the scattering vector q = R(ω) U B h in the laboratory of :class:`~firstlight.simulation.Geometry`
(1 along the rows, 2 along the columns, 3 along the beam), |q| = 1/d. It diffracts where it crosses the Ewald sphere,
|s₀ + q| = |s₀| = 1/λ, which it does at two angles ω₀ or never. Of N photons on a crystal of size L it takes

    N L r_e² λ³ |F|² / V² · P / (sin 2θ ζ) · ∫ pdf dω / (ω₂ - ω₁)

while the axis turns evenly from ω₁ to ω₂ (C. G. Darwin 1914; kinematical: no extinction, no absorption). The pdf is a
gaussian of ζ (ω - ω₀) whose width is the mosaicity; ζ = |m · (s × s₀)| / |s × s₀| for an axis m (W. Kabsch, Acta Cryst.
D66 (2010) 133-144). While the axis stands still, the integral becomes the pdf itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import ELECTRON_RADIUS, wavelength
from firstlight.simulation._geometry import Geometry
from firstlight.simulation._part import Part
from firstlight.simulation._rotation import rotation, unit_vector
from firstlight.simulation._special import normal_cdf
from firstlight.simulation._structure import Scatterer

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_LEAST_ZETA = 0.05
"""Reflections nearer to the rotation axis are left out: they stay in the sphere for long, and programs mask them."""
_WIDE = 5.0
"""Beyond so many σ a reflection is dark."""
_KEPT = 4
"""Lists of reflections that are remembered, one an energy and distance."""

REFLECTION = np.dtype(
    [("hkl", "<i4", 3), ("omega", "<f8"), ("row", "<f8"), ("column", "<f8"), ("zeta", "<f8"), ("strength", "<f8"),
     ("two_theta", "<f8")]
)  # fmt: skip
"""What is known of a reflection: where it diffracts (ω and 2θ in degrees, row and column in pixels), ζ, and the photons
per photon on the crystal and radian of rotation, integrated over its whole rocking curve."""


@dataclass(frozen=True, slots=True)
class SingleCrystalSettings:
    """How the crystal is.

    :param orientation: degrees: U is the product of turns about the laboratory's axes 1, 2, 3, the last one first.
    :param axis: direction of the rotation axis in the laboratory.
    :param mosaicity: full width at half maximum, degrees; it stands for divergence and bandwidth, too.
    :param size: of the crystal along the beam, mm.
    :param spot: full width at half maximum of a spot, mm on the detector.
    :param resolution: smallest spacing that diffracts, Å.
    :param background: photons scattered diffusely per sr and incident photon at small angles.
    :param polarisation: 1 for polarisation along the columns.
    """

    orientation: tuple[float, float, float] = (12.0, 34.0, 56.0)
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    mosaicity: float = 0.1
    size: float = 0.1
    spot: float = 0.3
    resolution: float = 1.6
    background: float = 1e-4
    polarisation: float = 0.98

    def __post_init__(self) -> None:
        unit_vector(self.axis)
        if not (self.mosaicity > 0 and self.size > 0 and self.spot > 0 and self.resolution > 0):
            raise InvalidInput("A crystal's mosaicity, size, spot and resolution are above zero.")


class SingleCrystal:
    """A crystal before a detector.

    :param structure: what it is made of.
    """

    inputs: Mapping[str, str] = {"omega": "deg", "distance": "mm"}

    def __init__(self, structure: Scatterer, geometry: Geometry, settings: SingleCrystalSettings | None = None) -> None:
        self.structure = structure
        self.geometry = geometry
        self.settings = settings or SingleCrystalSettings()
        self.shape = geometry.shape
        first, second, third = self.settings.orientation
        self.u = rotation((1, 0, 0), first) @ rotation((0, 1, 0), second) @ rotation((0, 0, 1), third)
        """The orientation matrix U."""
        self.ub = self.u @ structure.lattice.b_matrix()
        """U B, from hkl to the laboratory at ω = 0, 1/Å."""
        self._lists: dict[tuple[float, float], NDArray[Any]] = {}
        self._backgrounds: dict[float, NDArray[np.float32]] = {}

    def reflections(self, energy: float, distance: float | None = None) -> NDArray[Any]:
        """All reflections in one turn that hit the detector, of type :data:`REFLECTION`, by rising ω in [0, 360)."""
        key = (round(energy, 6), round(self.geometry.distance if distance is None else distance, 4))
        if key not in self._lists:
            if len(self._lists) >= _KEPT:
                del self._lists[next(iter(self._lists))]
            self._lists[key] = self._predict(*key)
        return self._lists[key]

    def fractions(self, found: NDArray[Any], first: float, last: float) -> NDArray[np.float64]:
        """Share of each reflection's rocking curve per radian while ω goes from ``first`` to ``last`` (degrees)."""
        sigma = math.radians(self.settings.mosaicity) / _FWHM
        # The turn of the nearest crossing.
        middle = 0.5 * (first + last)
        offset = np.mod(found["omega"] - middle + 180.0, 360.0) - 180.0
        low = np.radians(first - middle - offset) * found["zeta"] / sigma
        high = np.radians(last - middle - offset) * found["zeta"] / sigma
        if abs(last - first) < 1e-9:
            density = np.exp(-0.5 * low * low) / math.sqrt(2.0 * math.pi)
            return np.asarray(density * found["zeta"] / sigma)
        low, high = np.minimum(low, high), np.maximum(low, high)
        shares = np.zeros(len(found))
        lit = np.flatnonzero((low < _WIDE) & (high > -_WIDE))
        shares[lit] = (normal_cdf(high[lit]) - normal_cdf(low[lit])) / math.radians(abs(last - first))
        return shares

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Expected photons in each pixel."""
        from firstlight.simulation._spots import add_spots

        image = np.zeros(self.shape, dtype=np.float32)
        for part in parts:
            distance = part.middle("distance", self.geometry.distance)
            image += self._background(distance) * np.float32(part.photons)
            found = self.reflections(part.energy, distance)
            fractions = self.fractions(found, part.first.get("omega", 0.0), part.last.get("omega", 0.0))
            photons = fractions * found["strength"] * part.photons
            lit = photons > 1e-3
            sigma = self.settings.spot / _FWHM / self.geometry.pixel[0]
            add_spots(found["row"][lit], found["column"][lit], photons[lit], sigma, image)
        return image

    def truth(self) -> dict[str, Any]:
        """Cell, orientation, geometry and settings."""
        return {
            "technique": "single crystal diffraction",
            "material": self.structure.name,
            "lattice": {
                **asdict(self.structure.lattice),
                **{f"{k}@units": "angstrom" for k in ("a", "b", "c")},
                **{f"{k}@units": "deg" for k in ("alpha", "beta", "gamma")},
            },
            "u": self.u.tolist(),
            "ub": self.ub.tolist(),
            "ub@units": "1/angstrom",
            **self.geometry.truth(),
            "crystal": asdict(self.settings),
        }

    def _predict(self, energy: float, distance: float) -> NDArray[Any]:
        s = self.settings
        length = wavelength(energy)
        geometry = self.geometry.at(distance)
        corners = geometry.positions[:, [0, 0, -1, -1], [0, -1, 0, -1]]
        widest = float(np.arccos(np.clip(corners[2] / np.linalg.norm(corners, axis=0), -1, 1)).max())
        hkl = self.structure.lattice.indices(max(s.resolution, length / (2.0 * math.sin(0.5 * widest))))
        q = hkl @ self.ub.T
        axis, beam = unit_vector(s.axis), np.array([0.0, 0.0, 1.0])
        along = (q @ axis)[:, None] * axis
        # s₀ · q = -q²/2 becomes b cos ω + c sin ω = d.
        b, c = (q - along) @ beam, np.cross(axis, q) @ beam
        d = -0.5 * length * np.sum(q * q, axis=1) - along @ beam
        size = np.hypot(b, c)
        crosses = np.abs(d) < size
        hkl, q, along, b, c, d, size = (x[crosses] for x in (hkl, q, along, b, c, d, size))
        centre, half = np.arctan2(c, b), np.arccos(d / size)
        found = np.concatenate([self._at(hkl, q, centre + sign * half, geometry, energy) for sign in (1.0, -1.0)])
        return found[np.argsort(found["omega"])]

    def _at(
        self, hkl: NDArray[Any], q: NDArray[Any], omega: NDArray[Any], geometry: Geometry, energy: float
    ) -> NDArray[Any]:
        s = self.settings
        length = wavelength(energy)
        axis = unit_vector(s.axis)
        cosine, sine = np.cos(omega)[:, None], np.sin(omega)[:, None]
        along = (q @ axis)[:, None] * axis
        turned = along + (q - along) * cosine + np.cross(axis, q) * sine
        ray = turned * length + np.array([0.0, 0.0, 1.0])
        pixels = geometry.pixels_of(ray)
        across = np.cross(ray, np.array([0.0, 0.0, 1.0]))
        sin_2theta = np.linalg.norm(across, axis=1)
        zeta = np.abs(across @ axis) / np.maximum(sin_2theta, 1e-12)
        rows, columns = geometry.shape
        with np.errstate(invalid="ignore"):
            hits = (pixels[:, 0] > -5.5) & (pixels[:, 0] < rows + 4.5) & (pixels[:, 1] > -5.5)
            hits &= (pixels[:, 1] < columns + 4.5) & (zeta > _LEAST_ZETA)
        found = np.zeros(int(hits.sum()), dtype=REFLECTION)
        found["hkl"] = hkl[hits]
        found["omega"] = np.mod(np.degrees(omega[hits]), 360.0)
        found["row"], found["column"] = pixels[hits].T
        found["zeta"] = zeta[hits]
        found["two_theta"] = np.degrees(np.arctan2(sin_2theta[hits], ray[hits, 2]))
        cos_2chi = np.cos(2.0 * np.arctan2(ray[hits, 0], ray[hits, 1]))
        cos_squared = ray[hits, 2] ** 2
        polarisation = 0.5 * (1.0 + cos_squared - s.polarisation * cos_2chi * (1.0 - cos_squared))
        volume = self.structure.lattice.volume
        scale = ELECTRON_RADIUS**2 * length**3 / volume**2 * s.size * 1e7
        intensity = self.structure.intensities(hkl[hits], energy)
        found["strength"] = scale * intensity * polarisation / (sin_2theta[hits] * zeta[hits])
        return found

    def _background(self, distance: float) -> NDArray[np.float32]:
        key = round(distance, 4)
        if key not in self._backgrounds:
            if len(self._backgrounds) >= _KEPT:
                del self._backgrounds[next(iter(self._backgrounds))]
            geometry = self.geometry.at(key)
            level = self.settings.background / (1.0 + (geometry.two_theta / math.radians(12.0)) ** 2) ** 2
            self._backgrounds[key] = np.asarray(
                level * geometry.solid_angle * geometry.polarisation(self.settings.polarisation), dtype=np.float32
            )
        return self._backgrounds[key]
