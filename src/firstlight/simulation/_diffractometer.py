"""A diffractometer with a crystal and a point detector.

Circles are turned in their order from the floor: R = R_1 R_2 ... for those of the sample, likewise for the detector. At
all angles zero the detector looks into the beam. The intensity at the detector is that of the reflection nearest to

    Q = R_detector k_in - k_in,   |k_in| = 1/λ,

in the frame of the crystal: a gaussian of the mosaicity across its scattering vector q = R_sample U B h, and one of
the resolution along it. Turned through with an open detector it takes the photons of C. G. Darwin's formula (see
``_single``). Orientation matrices are those of W. R. Busing, H. A. Levy, Acta Cryst. 22 (1967) 457-464, without the
factor 2π.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import ELECTRON_RADIUS, wavelength
from firstlight.simulation._rotation import rotation, rotations
from firstlight.simulation._structure import Scatterer

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Goniometer:
    """Circles and the beam, in one right-handed frame.

    :param beam: direction of the beam.
    :param sample: names and directions of the circles that turn the sample, the floor's first; right-handed.
    :param detector: the same for the detector.
    :param bisecting: names of the circles (ω, χ, φ, 2θ) of an Eulerian cradle, for :meth:`Diffractometer.angles`.
    """

    beam: Vector
    sample: tuple[tuple[str, Vector], ...]
    detector: tuple[tuple[str, Vector], ...]
    bisecting: tuple[str, str, str, str]

    @property
    def circles(self) -> tuple[str, ...]:
        """All names."""
        return tuple(name for name, _ in (*self.sample, *self.detector))


GONIOMETERS = {
    # Busing & Levy 1967: x transverse, y along the beam, z vertical.
    "fourcv": Goniometer(
        (0.0, 1.0, 0.0),
        (("omega", (-1.0, 0.0, 0.0)), ("chi", (0.0, 1.0, 0.0)), ("phi", (-1.0, 0.0, 0.0))),
        (("tth", (-1.0, 0.0, 0.0)),),
        ("omega", "chi", "phi", "tth"),
    ),
    # H. You, J. Appl. Cryst. 32 (1999) 614-623: x vertical, y along the beam, z transverse.
    "psic": Goniometer(
        (0.0, 1.0, 0.0),
        (
            ("mu", (1.0, 0.0, 0.0)),
            ("eta", (0.0, 0.0, -1.0)),
            ("chi", (0.0, 1.0, 0.0)),
            ("phi", (0.0, 0.0, -1.0)),
        ),
        (("nu", (1.0, 0.0, 0.0)), ("delta", (0.0, 0.0, -1.0))),
        ("eta", "chi", "phi", "delta"),
    ),
}
"""By the names that ad_hoc_diffractometer gives them: a vertical four-circle and the "4S+2D" six-circle one."""


class Diffractometer:
    """A crystal on circles, and how much of the beam it sends to the detector.

    :param structure: what the crystal is made of.
    :param goniometer: a name of :data:`GONIOMETERS`.
    :param orientation: degrees: U is the product of turns about x, y, z, the last one first.
    :param mosaicity: full width at half maximum of rocking curves, degrees.
    :param resolution: full width at half maximum along q, relative.
    :param size: of the crystal along the beam, mm.
    :param background: photons detected per incident photon, whatever the angles.
    :param offsets: degrees that each circle's dial reads too little: true angle = dial + offset.
    """

    def __init__(
        self,
        structure: Scatterer,
        goniometer: str = "fourcv",
        *,
        orientation: Vector = (0.0, 0.0, 0.0),
        mosaicity: float = 0.05,
        resolution: float = 1e-3,
        size: float = 1e-3,
        background: float = 1e-9,
        offsets: Mapping[str, float] | None = None,
    ) -> None:
        if goniometer not in GONIOMETERS:
            raise InvalidInput(f"There is no goniometer {goniometer!r}.", hint=f"Known: {', '.join(GONIOMETERS)}.")
        if not (mosaicity > 0 and resolution > 0 and size > 0 and background >= 0):
            raise InvalidInput("A crystal's mosaicity, resolution and size are above zero, a background not below.")
        self.structure = structure
        self.goniometer = GONIOMETERS[goniometer]
        self.inputs: Mapping[str, str] = dict.fromkeys(self.goniometer.circles, "deg")
        self.offsets = dict(offsets or {})
        for name in self.offsets:
            if name not in self.inputs:
                known = ", ".join(self.inputs)
                raise InvalidInput(f"The goniometer {goniometer} has no circle {name!r}.", hint=f"Known: {known}.")
        first, second, third = orientation
        self.u = rotation((1, 0, 0), first) @ rotation((0, 1, 0), second) @ rotation((0, 0, 1), third)
        """The orientation matrix U."""
        self.ub = self.u @ structure.lattice.b_matrix()
        """U B, 1/Å."""
        self._name = goniometer
        self._mosaicity, self._resolution = mosaicity, resolution
        self._size, self._background = size, background
        self._intensities: dict[tuple[int, int, int, float], float] = {}

    def hkl(self, energy: ArrayLike, at: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Where in reciprocal space the detector looks, (n, 3).

        :param energy: keV, (n,).
        :param at: dial positions of circles, degrees, (n,); those that are missing stand at 0.
        """
        q, _ = self._looks_at(np.atleast_1d(np.asarray(energy, dtype=np.float64)), at)
        return q @ np.linalg.inv(self.ub).T

    def response(self, energy: NDArray[np.float64], at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Photons at the detector per photon on the crystal, (n,); arguments as for :meth:`hkl`."""
        q, cosine = self._looks_at(energy, at)
        nearest = np.rint(q @ np.linalg.inv(self.ub).T).astype(np.int64)
        g = nearest @ self.ub.T
        length = np.linalg.norm(g, axis=1)
        seen = length > 0.0
        direction = g / np.where(seen, length, 1.0)[:, None]
        off = q - g
        along = np.sum(off * direction, axis=1)
        across = np.sqrt(np.maximum(np.sum(off * off, axis=1) - along**2, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            tilt = np.degrees(across / length) / self._mosaicity
            radial = along / length / self._resolution
        shape = np.where(seen, np.exp2(-4.0 * np.where(seen, tilt**2 + radial**2, 0.0)), 0.0)
        strength = np.zeros(len(shape))
        for k in np.flatnonzero(shape > 1e-12):
            h, j, l = nearest[k].tolist()
            strength[k] = self._strength((h, j, l), float(energy[k]), float(cosine[k]))
        return self._background + shape * strength

    def angles(self, hkl: Sequence[float], energy: float) -> dict[str, float]:
        """Dial positions of the circles, degrees, that bring hkl into reflection in the bisecting mode (ω = 2θ/2).

        :raises InvalidInput: when the wavelength is too long for it.
        """
        omega, chi, phi, tth = self.goniometer.bisecting
        directions = {name: np.array(axis) for name, axis in (*self.goniometer.sample, *self.goniometer.detector)}
        q = self.ub @ np.asarray(hkl, dtype=np.float64)
        sine = 0.5 * wavelength(energy) * float(np.linalg.norm(q))
        if not 0 < sine <= 1:
            raise InvalidInput(f"The reflection {tuple(hkl)} cannot be reached at {energy:g} keV.")
        t, b = directions[tth], directions[chi]
        qt, qb, qv = (float(q @ axis) for axis in (t, b, np.cross(t, b)))
        theta = math.degrees(math.asin(sine))
        found = dict.fromkeys(self.inputs, 0.0)
        found |= {
            omega: theta,
            tth: 2.0 * theta,
            phi: math.degrees(math.atan2(qb, qv)),
            chi: math.degrees(math.atan2(-qt, math.hypot(qb, qv))),
        }
        return {name: angle - self.offsets.get(name, 0.0) for name, angle in found.items()}

    def truth(self) -> dict[str, Any]:
        """Cell, orientation matrix, widths and the circles' offsets."""
        return {
            "technique": "diffractometer",
            "goniometer": self._name,
            "material": self.structure.name,
            "lattice": {
                **asdict(self.structure.lattice),
                **{f"{k}@units": "angstrom" for k in ("a", "b", "c")},
                **{f"{k}@units": "deg" for k in ("alpha", "beta", "gamma")},
            },
            "u": self.u.tolist(),
            "ub": self.ub.tolist(),
            "ub@units": "1/angstrom",
            "mosaicity": self._mosaicity,
            "mosaicity@units": "deg",
            "resolution": self._resolution,
            "offsets": {**self.offsets, **{f"{name}@units": "deg" for name in self.offsets}},
        }

    def _looks_at(
        self, energy: NDArray[np.float64], at: Mapping[str, ArrayLike]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Q in the frame of the crystal, (n, 3), and the cosine of the angle between both rays."""
        beam = np.array(self.goniometer.beam)
        sample, detector = (
            self._turn(self.goniometer.sample, at, energy),
            self._turn(self.goniometer.detector, at, energy),
        )
        out = detector @ beam
        q = (out - beam) / wavelength(1.0) * energy[:, None]
        return np.einsum("nji,nj->ni", sample, q), out @ beam

    def _turn(
        self, circles: tuple[tuple[str, Vector], ...], at: Mapping[str, ArrayLike], energy: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        turn = np.broadcast_to(np.eye(3), (len(energy), 3, 3))
        for name, axis in circles:
            angle = np.broadcast_to(np.asarray(at.get(name, 0.0), dtype=np.float64), energy.shape)
            turn = turn @ rotations(axis, angle + self.offsets.get(name, 0.0))
        return np.asarray(turn)

    def _strength(self, hkl: tuple[int, int, int], energy: float, cosine: float) -> float:
        key = (*hkl, round(energy, 6))
        if key not in self._intensities:
            self._intensities[key] = float(self.structure.intensities(np.array([hkl]), key[3])[0])
        length, volume = wavelength(energy), self.structure.lattice.volume
        # The scattering plane is vertical in the usual setting, so a horizontal polarisation is kept whole.
        sine = math.sqrt(max(1.0 - cosine**2, 1e-12))
        area = ELECTRON_RADIUS**2 * length**3 * self._intensities[key] / volume**2 * self._size * 1e7 / sine
        return area * _FWHM / (math.radians(self._mosaicity) * math.sqrt(2.0 * math.pi))
