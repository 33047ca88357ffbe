"""A three-dimensional sample made of ellipsoids, whose projections are known exactly.

Coordinates. The sample turns about the vertical axis z, which points along the detector's rows index (downwards). At
0° its x axis points along the detector's columns index and its y axis along the beam. At the angle θ a point (x, y, z)
casts its shadow at

    u = x cos θ + y sin θ,    v = z,

u and v being measured from the rotation axis and from the middle row. So a slice image with x along its columns index
and y along its rows index, reconstructed with this u, is the sample as it stands at 0°.

The rotation axis may be tilted about its point at u = v = 0. With w along the beam, the *pitch* π takes (v, w) to
(v cos π - w sin π, v sin π + w cos π), its lower end going downstream; then the *roll* ρ takes (u, v) to
(u cos ρ - v sin ρ, u sin ρ + v cos ρ), its lower end going towards the first column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A body of constant attenuation that adds to what is already there.

    :param centre: (x, y, z), mm.
    :param radii: the three semi-axes, mm.
    :param attenuation: 1/mm, added inside; negative to make something thinner.
    :param angles: (φ, θ, ψ), degrees: the body is turned by R = Rz(φ) Ry(θ) Rz(ψ) from axes along x, y, z.
    """

    centre: Vector
    radii: Vector
    attenuation: float
    angles: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        numbers = [*self.centre, *self.radii, self.attenuation, *self.angles]
        if len(numbers) != 10 or not all(math.isfinite(n) for n in numbers):
            raise InvalidInput(f"An ellipsoid needs three finite numbers each for centre, radii and angles: {self}.")
        if min(self.radii) <= 0:
            raise InvalidInput(f"The radii of an ellipsoid must be above zero, not {self.radii}.")

    def matrix(self) -> NDArray[np.float64]:
        """M of the surface (r - c)ᵀ M (r - c) = 1, shape (3, 3), 1/mm²."""
        phi, theta, psi = np.radians(self.angles)
        turn = _about_z(phi) @ _about_y(theta) @ _about_z(psi)
        return np.asarray((turn / np.square(self.radii)) @ turn.T)


class Phantom:
    """Ellipsoids on a rotation stage.

    :param ellipsoids: where they overlap their attenuations add.
    """

    def __init__(self, ellipsoids: Sequence[Ellipsoid]) -> None:
        self.ellipsoids = tuple(ellipsoids)
        n = len(self.ellipsoids)
        self._centres = np.array([e.centre for e in self.ellipsoids]).reshape(n, 3)
        self._matrices = np.array([e.matrix() for e in self.ellipsoids]).reshape(n, 3, 3)
        self._attenuations = np.array([e.attenuation for e in self.ellipsoids]).reshape(n)

    def scaled(self, factor: float) -> Phantom:
        """The same phantom ``factor`` times as large and as much thinner, so that its projections keep their values."""
        if not factor > 0:
            raise InvalidInput(f"A phantom is scaled by a number above zero, not {factor!r}.")
        return Phantom(
            [
                Ellipsoid(_times(e.centre, factor), _times(e.radii, factor), e.attenuation / factor, e.angles)
                for e in self.ellipsoids
            ]
        )

    def extent(self) -> tuple[float, float, float, float]:
        """(radius about the rotation axis, lowest v, highest v, largest line integral possible); mm, mm, mm, 1."""
        radius, low, high, depth = 0.0, 0.0, 0.0, 0.0
        for e in self.ellipsoids:
            reach = max(e.radii)
            radius = max(radius, math.hypot(e.centre[0], e.centre[1]) + reach)
            low, high = min(low, e.centre[2] - reach), max(high, e.centre[2] + reach)
            depth += max(0.0, e.attenuation) * 2 * reach
        return radius, low, high, depth

    def reach(self) -> float:
        """Distance of the farthest surface from the rotation axis's point at v = 0, at most; mm."""
        return max((math.hypot(*e.centre) + max(e.radii) for e in self.ellipsoids), default=0.0)

    def shadows(self, angle: float, roll: float = 0.0, pitch: float = 0.0) -> NDArray[np.float64]:
        """The ellipses that the ellipsoids cast at one angle (degrees).

        :param roll: tilt of the rotation axis in the plane of the detector, degrees.
        :param pitch: its tilt along the beam, degrees.
        :return: rows (cu, cv, p, q, r, d), shape (n, 6): the line integral at (u, v) is
            d √(1 - p u'² - 2 q u' v' - r v'²) with u' = u - cu, v' = v - cv, where that is real.

        With M the matrix of the surface, and e_u, e_v, e_w the unit vectors of columns, rows and beam, the ray
        c + u' e_u + v' e_v + w e_w meets the surface where w solves a quadratic equation; the chord is
        2/√A √(1 - ...) with A = e_wᵀ M e_w.
        """
        basis = _basis(angle, roll, pitch)
        m = np.einsum("ia,nab,jb->nij", basis, self._matrices, basis)
        along = m[:, 2, 2]
        p = m[:, 0, 0] - m[:, 0, 2] ** 2 / along
        q = m[:, 0, 1] - m[:, 0, 2] * m[:, 1, 2] / along
        r = m[:, 1, 1] - m[:, 1, 2] ** 2 / along
        centres = self._centres @ basis[:2].T
        return np.column_stack([centres, p, q, r, 2.0 * self._attenuations / np.sqrt(along)])

    def project(
        self, angle: float, u: ArrayLike, v: ArrayLike, *, roll: float = 0.0, pitch: float = 0.0
    ) -> NDArray[np.float64]:
        """Exact line integrals of the attenuation along the beam (no unit).

        :param angle: degrees.
        :param u: horizontal positions from the rotation axis, mm; broadcast with ``v``.
        :param v: vertical positions, mm.
        :param roll: tilt of the rotation axis in the plane of the detector, degrees.
        :param pitch: its tilt along the beam, degrees.
        """
        u, v = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64))
        total = np.zeros(u.shape)
        for cu, cv, p, q, r, depth in self.shadows(angle, roll, pitch):
            du, dv = u - cu, v - cv
            total += depth * np.sqrt(np.maximum(0.0, 1.0 - p * du * du - 2.0 * q * du * dv - r * dv * dv))
        return total

    def attenuation_at(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
        """Attenuation at points of the sample, 1/mm."""
        x, y, z = np.broadcast_arrays(*(np.asarray(c, dtype=np.float64) for c in (x, y, z)))
        total = np.zeros(x.shape)
        for centre, m, mu in zip(self._centres, self._matrices, self._attenuations, strict=True):
            dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
            form = m[0, 0] * dx * dx + m[1, 1] * dy * dy + m[2, 2] * dz * dz
            form += 2.0 * (m[0, 1] * dx * dy + m[0, 2] * dx * dz + m[1, 2] * dy * dz)
            total += mu * (form <= 1.0)
        return total

    def voxels(
        self,
        shape: tuple[int, int, int],
        size: float,
        *,
        centre: Vector | None = None,
        supersampling: int = 1,
    ) -> NDArray[np.float32]:
        """The truth on a grid, to compare a reconstruction with.

        :param shape: (slices, rows, columns) = (z, y, x); the centre of voxel k is at k.
        :param size: edge of a voxel, mm.
        :param centre: indices (z, y, x) of the point of the rotation axis at v = 0; None for the middle of the grid,
            (n - 1) / 2.
        :param supersampling: points along each edge of a voxel that are averaged.
        :return: attenuation, 1/mm.
        """
        middle = tuple((n - 1) / 2 for n in shape) if centre is None else centre
        fine = (np.arange(supersampling) + 0.5) / supersampling - 0.5
        z, y, x = (((np.arange(n)[:, None] + fine).ravel() - c) * size for n, c in zip(shape, middle, strict=True))
        volume = np.empty(shape, dtype=np.float32)
        for k in range(shape[0]):
            block = z[k * supersampling : (k + 1) * supersampling]
            values = self.attenuation_at(x[None, None, :], y[None, :, None], block[:, None, None])
            values = values.reshape(supersampling, shape[1], supersampling, shape[2], supersampling)
            volume[k] = values.mean(axis=(0, 2, 4))
        return volume


def shepp_logan() -> Phantom:
    """The head phantom in three dimensions, of unit radius along y, with contrasts that show in a picture.

    Outlines in the plane are those of L. A. Shepp and B. F. Logan, IEEE Trans. Nucl. Sci. 21 (1974) 21-43, the third
    dimension is that of the phantom3d function by M. C. Schabel, and the contrasts are those of P. A. Toft,
    "The Radon transform", thesis, DTU 1996. Attenuations are these contrasts, per unit of length.
    """
    rows: list[tuple[float, Vector, Vector, Vector]] = [
        (1.0, (0.6900, 0.9200, 0.8100), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        (-0.8, (0.6624, 0.8740, 0.7800), (0.0, -0.0184, 0.0), (0.0, 0.0, 0.0)),
        (-0.2, (0.1100, 0.3100, 0.2200), (0.22, 0.0, 0.0), (-18.0, 0.0, 0.0)),
        (-0.2, (0.1600, 0.4100, 0.2800), (-0.22, 0.0, 0.0), (18.0, 0.0, 0.0)),
        (0.1, (0.2100, 0.2500, 0.4100), (0.0, 0.35, -0.15), (0.0, 0.0, 0.0)),
        (0.1, (0.0460, 0.0460, 0.0500), (0.0, 0.1, 0.25), (0.0, 0.0, 0.0)),
        (0.1, (0.0460, 0.0460, 0.0500), (0.0, -0.1, 0.25), (0.0, 0.0, 0.0)),
        (0.1, (0.0460, 0.0230, 0.0500), (-0.08, -0.605, 0.0), (0.0, 0.0, 0.0)),
        (0.1, (0.0230, 0.0230, 0.0200), (0.0, -0.606, 0.0), (0.0, 0.0, 0.0)),
        (0.1, (0.0230, 0.0460, 0.0200), (0.06, -0.605, 0.0), (0.0, 0.0, 0.0)),
    ]
    return Phantom([Ellipsoid(centre, radii, mu, angles) for mu, radii, centre, angles in rows])


def tooth() -> Phantom:
    """Something like a tooth, of unit radius: enamel, dentine, pulp with canals, a filling, cracks and bubbles.

    Our own composition. Ratios of the attenuations are about those of enamel, dentine and soft tissue at 30 keV; a
    ray through the middle is weakened to about a fifth.
    """
    enamel, dentine, pulp, filling = 1.15, 0.75, 0.12, 2.6
    bodies: list[Ellipsoid] = [
        Ellipsoid((0.0, 0.0, 0.10), (0.92, 0.80, 1.45), enamel, (20.0, 0.0, 0.0)),
        Ellipsoid((0.0, 0.0, 0.22), (0.78, 0.67, 1.30), dentine - enamel, (20.0, 0.0, 0.0)),
        # Pulp chamber and two canals that go down from it.
        Ellipsoid((0.02, 0.0, -0.05), (0.34, 0.24, 0.42), pulp - dentine, (20.0, 0.0, 0.0)),
        Ellipsoid((0.24, 0.08, 0.80), (0.065, 0.060, 0.46), pulp - dentine, (20.0, -9.0, 0.0)),
        Ellipsoid((-0.22, -0.08, 0.80), (0.060, 0.055, 0.46), pulp - dentine, (20.0, 9.0, 0.0)),
        # A filling at the top, with a gap under it.
        Ellipsoid((0.22, 0.18, -0.82), (0.20, 0.16, 0.13), filling - dentine, (40.0, 15.0, 0.0)),
        Ellipsoid((0.20, 0.16, -0.635), (0.15, 0.12, 0.018), -dentine, (40.0, 15.0, 0.0)),
        # Two cracks, thin and flat.
        Ellipsoid((-0.40, 0.26, 0.25), (0.20, 0.006, 0.55), -dentine, (-35.0, 4.0, 0.0)),
        Ellipsoid((0.42, -0.30, 0.10), (0.17, 0.008, 0.50), -dentine, (-25.0, -6.0, 0.0)),
        # Soft and dense spots.
        Ellipsoid((-0.48, -0.20, -0.35), (0.12, 0.15, 0.17), -0.35, (10.0, 20.0, 0.0)),
        Ellipsoid((0.10, 0.45, 0.25), (0.10, 0.07, 0.20), 0.25, (0.0, 12.0, 0.0)),
        Ellipsoid((0.02, 0.02, 0.10), (0.05, 0.045, 0.06), 0.45),
        Ellipsoid((0.05, -0.05, -0.22), (0.04, 0.05, 0.05), 0.45),
    ]
    # Bubbles and grains in the dentine, on a helix, of falling size: they show what is resolved.
    for k in range(8):
        turn = math.radians(47.0 * k)
        at = (0.52 * math.cos(turn), 0.44 * math.sin(turn), 0.50 + 0.07 * k)
        radius = 0.050 * 0.80**k
        bodies.append(Ellipsoid(at, (radius, radius, radius), -0.7 if k % 2 else 0.6))
    return Phantom(bodies)


PRESETS = {"shepp-logan": shepp_logan, "tooth": tooth}
"""Phantoms of about unit radius, by name."""


def _basis(angle: float, roll: float, pitch: float) -> NDArray[np.float64]:
    """Directions of columns, rows and beam in the sample's coordinates, as rows."""
    cos, sin = _cos_sin(angle)
    basis = np.array([[cos, sin, 0.0], [0.0, 0.0, 1.0], [-sin, cos, 0.0]])
    if pitch:
        c, s = _cos_sin(pitch)
        basis = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]) @ basis
    if roll:
        c, s = _cos_sin(roll)
        basis = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ basis
    return basis


def _about_z(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _about_y(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _cos_sin(degrees: float) -> tuple[float, float]:
    # Whole turns are taken off first, and quarter turns are exact.
    turned = math.fmod(degrees, 360.0)
    if turned % 90.0 == 0.0:
        return [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][int(turned // 90) % 4]
    angle = math.radians(turned)
    return math.cos(angle), math.sin(angle)


def _times(vector: Vector, factor: float) -> Vector:
    return (vector[0] * factor, vector[1] * factor, vector[2] * factor)
