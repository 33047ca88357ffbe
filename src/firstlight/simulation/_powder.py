"""Powder diffraction on an area detector, in absolute numbers of photons.

A powder of thickness t and packing p in a beam of N photons scatters into the cone of one family of planes

    N p t r_e² λ³ m |F|² P / (4 V² sin θ) · exp(-μ p t)

photons, V being the volume of the cell (B. E. Warren, "X-ray Diffraction", 1969, chapter 4). They are spread evenly
over the azimuth, but for texture, and over 2θ by a gaussian whose width is that of instrument, crystallite size
(P. Scherrer 1918) and strain together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import ELECTRON_RADIUS, absorption_of, wavelength
from firstlight.simulation._geometry import Geometry
from firstlight.simulation._part import Part
from firstlight.simulation._structure import Structure

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_LINES = 3
"""Lines across a pixel on which a pattern is integrated."""

_KEPT = 8
"""Pictures that are remembered, one an energy, distance and position of the sample."""


@dataclass(frozen=True, slots=True)
class Family:
    """Reflections of one spacing.

    :param hkl: one of them.
    :param spacing: d, Å.
    :param multiplicity: how many there are.
    :param intensity: sum of the squares of their structure factors, electrons².
    """

    hkl: tuple[int, int, int]
    spacing: float
    multiplicity: int
    intensity: float


@dataclass(frozen=True, slots=True)
class PowderSettings:
    """How the powder is.

    :param thickness: of the sample, or diameter of the capillary, mm.
    :param capillary: whether the thickness is that of a cylinder along the rows, in its position across the beam.
    :param packing: share of the volume that is filled.
    :param width: full width at half maximum of the instrument in 2θ, degrees.
    :param size: of the crystallites, nm; infinite for no broadening.
    :param strain: relative spread of d (full width at half maximum).
    :param texture: t of the azimuthal factor 1 + t cos 2(χ - χ₀); its mean is 1.
    :param direction: χ₀, degrees.
    :param background: photons scattered diffusely per sr and incident photon at small angles.
    :param polarisation: 1 for polarisation along the columns.
    :param beamstop: radius of its shadow about the direct beam, mm on the detector.
    """

    thickness: float = 0.5
    capillary: bool = False
    packing: float = 0.6
    width: float = 0.03
    size: float = math.inf
    strain: float = 0.0
    texture: float = 0.0
    direction: float = 90.0
    background: float = 2e-3
    polarisation: float = 0.98
    beamstop: float = 1.5

    def __post_init__(self) -> None:
        if not (self.thickness > 0 and 0 < self.packing <= 1 and self.width > 0 and self.size > 0):
            raise InvalidInput("A powder needs a thickness, a packing up to 1, a width and a size above zero.")
        if not (self.strain >= 0 and abs(self.texture) <= 1 and self.background >= 0 and abs(self.polarisation) <= 1):
            raise InvalidInput(
                "A powder's strain and background are not below zero, texture and polarisation within 1."
            )


class Powder:
    """A powder before a detector.

    :param structure: what it is made of.
    """

    inputs: Mapping[str, str] = {"distance": "mm", "lateral": "mm"}

    def __init__(self, structure: Structure, geometry: Geometry, settings: PowderSettings | None = None) -> None:
        self.structure = structure
        self.geometry = geometry
        self.settings = settings or PowderSettings()
        self.shape = geometry.shape
        self._composition = structure.mass_fractions()
        self._families: dict[tuple[float, float], tuple[Family, ...]] = {}
        self._pictures: dict[tuple[float, float], NDArray[np.float32]] = {}

    def families(self, energy: float, largest: float) -> tuple[Family, ...]:
        """What diffracts at an energy (keV) up to the angle 2θ = ``largest`` (rad), by falling spacing."""
        key = (energy, largest)
        if key not in self._families:
            lattice = self.structure.lattice
            hkl = lattice.indices(wavelength(energy) / (2.0 * math.sin(0.5 * min(largest, math.pi))))
            spacing, intensity = lattice.spacing(hkl), self.structure.intensities(hkl, energy)
            # Of opposite and permuted indices the one with the largest first ones stands for all.
            order = np.lexsort((-hkl[:, 2], -hkl[:, 1], -hkl[:, 0], -np.round(spacing, 7)))
            starts = np.flatnonzero(np.diff(np.round(spacing[order], 7), prepend=math.inf))
            stops = [*starts[1:].tolist(), len(order)][: len(starts)]
            found = []
            for a, b in zip(starts.tolist(), stops, strict=True):
                members = order[a:b]
                total = float(intensity[members].sum())
                if total > 1e-6 * float(intensity.max()):
                    h, k, l = hkl[members[0]].tolist()
                    found.append(Family((h, k, l), float(spacing[members[0]]), len(members), total))
            self._families[key] = tuple(found)
        return self._families[key]

    def cone(self, family: Family, energy: float, thickness: float | None = None) -> float:
        """Photons scattered into the whole cone of a family per photon on the sample, before polarisation."""
        s = self.settings
        t = s.thickness if thickness is None else thickness
        length = wavelength(energy)
        sine = length / (2.0 * family.spacing)
        strength = ELECTRON_RADIUS**2 * length**3 * family.intensity / (4.0 * self.structure.lattice.volume**2 * sine)
        return strength * s.packing * t * 1e7 * self._kept(energy, t)

    def full_width(self, energy: float, two_theta: float) -> float:
        """Full width at half maximum of a ring at 2θ (rad), rad."""
        s = self.settings
        size = 0.94 * wavelength(energy) / (s.size * 10.0 * math.cos(0.5 * two_theta))
        return math.hypot(math.radians(s.width), size, 2.0 * s.strain * math.tan(0.5 * two_theta))

    def per_photon(self, energy: float, distance: float, lateral: float = 0.0) -> NDArray[np.float32]:
        """Expected photons in each pixel per photon on the sample; float32.

        Over a pixel, 2θ is taken to rise evenly along its longer way, which is integrated exactly, and along the
        other, on which the mean of some lines is taken: a ring thinner than a pixel keeps its photons.
        """
        thickness = self.thickness(lateral)
        key = (round(energy, 6), round(distance, 4))
        if key not in self._pictures:
            if len(self._pictures) >= _KEPT:
                del self._pictures[next(iter(self._pictures))]
            self._pictures[key] = self._picture(*key)
        picture = self._pictures[key]
        if thickness == self.settings.thickness:
            return picture
        full = self.settings.thickness * self._kept(energy, self.settings.thickness)
        return np.asarray(picture * np.float32(thickness * self._kept(energy, thickness) / full))

    def thickness(self, lateral: float = 0.0) -> float:
        """What the beam passes at a position across it (mm), mm."""
        full = self.settings.thickness
        if not self.settings.capillary:
            return full
        return full * math.sqrt(max(0.0, 1.0 - (2.0 * lateral / full) ** 2))

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Expected photons in each pixel."""
        total: NDArray[np.float32] | None = None
        for part in parts:
            distance = part.middle("distance", self.geometry.distance)
            picture = self.per_photon(part.energy, distance, part.middle("lateral")) * np.float32(part.photons)
            total = picture if total is None else total + picture
        return np.zeros(self.shape, np.float32) if total is None else np.asarray(total)

    def truth(self) -> dict[str, Any]:
        """Lattice, geometry and settings."""
        lattice = self.structure.lattice
        return {
            "technique": "powder diffraction",
            "material": self.structure.name,
            "lattice": {
                **asdict(lattice),
                **{f"{k}@units": "angstrom" for k in ("a", "b", "c")},
                **{f"{k}@units": "deg" for k in ("alpha", "beta", "gamma")},
            },
            **self.geometry.truth(),
            "powder": {k: v for k, v in asdict(self.settings).items() if v != math.inf},
        }

    def _kept(self, energy: float, thickness: float) -> float:
        mu = float(absorption_of(self._composition, energy)) * self.structure.density * self.settings.packing * 0.1
        return math.exp(-mu * thickness)

    def _picture(self, energy: float, distance: float) -> NDArray[np.float32]:
        s = self.settings
        geometry = self.geometry.at(distance)
        angles = geometry.two_theta
        # Width of a pixel in 2θ; at the direct beam, where it has none, nothing is scattered.
        down, across = np.gradient(angles) if min(self.shape) > 1 else (np.zeros_like(angles), np.zeros_like(angles))
        down, across = np.abs(down), np.abs(across)
        box = np.maximum(np.maximum(down, across), 1e-9)
        shift = np.minimum(down, across) / _LINES
        grid, cumulative = self._cumulative(energy, float(angles.max()) + 2.0 * float(box.max()), float(np.median(box)))
        mean = np.zeros(self.shape)
        for line in range(_LINES):
            at = angles + (line - 0.5 * (_LINES - 1)) * shift
            mean += np.interp(at + 0.5 * box, grid, cumulative) - np.interp(at - 0.5 * box, grid, cumulative)
        mean /= _LINES
        mean /= box * 2.0 * math.pi * np.maximum(np.sin(angles), 1e-9)
        mean *= 1.0 + s.texture * np.cos(2.0 * (geometry.azimuth - math.radians(s.direction)))
        mean += s.background * self._kept(energy, s.thickness) / (1.0 + (angles / math.radians(12.0)) ** 2) ** 2
        mean *= geometry.polarisation(s.polarisation) * geometry.solid_angle
        if s.beamstop:
            row, column = geometry.beam
            beside = np.hypot(
                (np.arange(self.shape[0]) - row)[:, None] * geometry.pixel[0],
                (np.arange(self.shape[1]) - column)[None, :] * geometry.pixel[1],
            )
            mean[beside < s.beamstop] = 0.0
        return np.asarray(mean, dtype=np.float32)

    def _cumulative(self, energy: float, largest: float, box: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Photons scattered to below an angle, all cones together, on a grid of 2θ (rad)."""
        step = min(math.radians(self.settings.width) / 12.0, box / 4.0)
        grid = np.arange(0.0, largest + step, step)
        density = np.zeros(len(grid))
        for family in self.families(round(energy, 6), min(largest + 0.05, math.pi)):
            centre = 2.0 * math.asin(min(1.0, wavelength(energy) / (2.0 * family.spacing)))
            sigma = self.full_width(energy, centre) / _FWHM
            first, last = np.searchsorted(grid, [centre - 6.0 * sigma, centre + 6.0 * sigma]).tolist()
            here = np.exp(-0.5 * ((grid[first:last] - centre) / sigma) ** 2)
            density[first:last] += self.cone(family, energy) * here / (sigma * math.sqrt(2.0 * math.pi))
        # Trapezoids of a smooth function that is sampled this densely are exact to many digits.
        cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * step)])
        return grid, cumulative
