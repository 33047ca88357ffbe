"""Orientation of a crystal from reflections that were found: the matrix UB, and its refinement.

UB takes h, k, l to Å⁻¹ (with 2π) in the frame of the sample, all of whose angles are zero (Busing and Levy 1967).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from firstlight.crystallography._geometry import Geometry
from firstlight.crystallography._lattice import Lattice
from firstlight.crystallography._rotation import Floats
from firstlight.crystallography._solve import angles_to_q
from firstlight.model import InvalidInput

_FLAT = 1e-3  # sine of the angle below which two directions fix no orientation

SYSTEMS: Mapping[str, tuple[int, ...]] = {
    "triclinic": (0, 1, 2, 3, 4, 5),
    "monoclinic": (0, 1, 2, -1, 4, -1),
    "orthorhombic": (0, 1, 2, -1, -1, -1),
    "tetragonal": (0, 0, 2, -1, -1, -1),
    "rhombohedral": (0, 0, 0, 3, 3, 3),
    "hexagonal": (0, 0, 2, -1, -1, -2),
    "cubic": (0, 0, 0, -1, -1, -1),
}
"""Which of a, b, c, alpha, beta, gamma are free in each crystal system: the index of the parameter whose value each
takes, -1 for 90 degrees and -2 for 120. Monoclinic with b unique; trigonal crystals on hexagonal axes are hexagonal."""


@dataclass(frozen=True)
class Reflection:
    """A reflection that was found."""

    hkl: tuple[float, float, float]
    angles: tuple[float, ...]
    """Degrees, in the order of the geometry's axes."""
    wavelength: float
    """Å."""
    name: str = ""
    """For people; may be empty."""


@dataclass(frozen=True)
class Refined:
    """What a refinement found."""

    ub: Floats
    """Å⁻¹, shape (3, 3)."""
    lattice: Lattice
    residuals: Floats
    """Distance of each reflection from where UB puts it, in h, k, l, shape (n, 3)."""
    errors: Floats
    """Angle between each measured scattering vector and the one of UB, degrees, shape (n,)."""

    @property
    def worst(self) -> int:
        """Index of the reflection that fits worst."""
        return int(np.argmax(np.linalg.norm(self.residuals, axis=1)))


def measured(geometry: Geometry, reflections: Sequence[Reflection]) -> tuple[Floats, Floats]:
    """Indices and measured scattering vectors (Å⁻¹, frame of the sample) of reflections, both of shape (n, 3)."""
    hkl = np.array([reflection.hkl for reflection in reflections], np.float64).reshape(-1, 3)
    angles = np.array([reflection.angles for reflection in reflections], np.float64)
    waves = np.array([reflection.wavelength for reflection in reflections], np.float64)
    return hkl, angles_to_q(geometry, angles.reshape(-1, len(geometry.axes)), waves)


def _triad(first: Floats, second: Floats, what: str) -> Floats:
    a = first / np.linalg.norm(first)
    c = np.cross(a, second / np.linalg.norm(second))
    if not np.linalg.norm(c) > _FLAT:
        raise InvalidInput(
            f"The {what} of the two reflections point along one line, which fixes no orientation.",
            hint="Choose a second reflection at an angle to the first.",
        )
    c /= np.linalg.norm(c)
    return np.column_stack([a, np.cross(c, a), c])


def ub_from_two(lattice: Lattice, hkl: ArrayLike, directions: ArrayLike) -> Floats:
    """UB (Å⁻¹, shape (3, 3)) from a lattice and two directions (Busing and Levy 1967, equations 23 to 27).

    The first direction is met exactly, the second fixes the turn about it. So this also serves one reflection and one
    known direction of the crystal: give the h, k, l of that direction, and where it points when all angles are zero.

    :param hkl: of both, shape (2, 3).
    :param directions: of both in the frame of the sample, any length, shape (2, 3).
    :raises InvalidInput: when both lie along one line.
    """
    indices, seen = np.asarray(hkl, np.float64), np.asarray(directions, np.float64)
    if not (np.linalg.norm(indices, axis=1) > 0).all() or not (np.linalg.norm(seen, axis=1) > 0).all():
        raise InvalidInput("A reflection (0 0 0), or one at a scattering angle of zero, has no direction.")
    first, second = indices @ lattice.B.T
    crystal = _triad(first, second, "indices")
    return np.asarray(_triad(seen[0], seen[1], "positions") @ crystal.T @ lattice.B)


def ub_from_three(hkl: ArrayLike, q: ArrayLike) -> Floats:
    """UB (Å⁻¹, shape (3, 3)) from three or more reflections without a lattice, the best in the sense of least squares.

    :param hkl: shape (n, 3).
    :param q: measured scattering vectors in the frame of the sample, Å⁻¹, shape (n, 3).
    :raises InvalidInput: when the reflections lie in one plane, or give a left-handed crystal.
    """
    indices, seen = np.asarray(hkl, np.float64), np.asarray(q, np.float64)
    if len(indices) < 3 or np.linalg.matrix_rank(indices, tol=1e-6 * np.abs(indices).max()) < 3:
        raise InvalidInput(
            "These reflections lie in one plane, so that no lattice follows from them.",
            hint="Find a reflection outside that plane, or give the lattice.",
        )
    solution, *_ = np.linalg.lstsq(indices, seen, rcond=None)
    ub = solution.T
    if np.linalg.det(ub) <= 0:
        raise InvalidInput(
            "These reflections give a left-handed crystal.",
            hint="Check the signs of their indices: one of them is probably indexed as its opposite.",
        )
    return np.asarray(ub)


def refine(hkl: ArrayLike, q: ArrayLike, lattice: Lattice | None = None, system: str = "triclinic") -> Refined:
    """The orientation, and unless a lattice is given also the lattice, that fit reflections best.

    The squares of the distances between measured and computed scattering vectors are least. With a lattice, this is
    Wahba's problem, solved by singular values (F. L. Markley, J. Astronaut. Sci. 36, 245 (1988)).

    :param hkl: shape (n, 3).
    :param q: measured scattering vectors in the frame of the sample, Å⁻¹, shape (n, 3).
    :param lattice: the lattice when it shall stay.
    :param system: crystal system that a refined lattice keeps, one of :data:`SYSTEMS`.
    :raises InvalidInput: when there are too few reflections, or no such system.
    """
    indices, seen = np.asarray(hkl, np.float64).reshape(-1, 3), np.asarray(q, np.float64).reshape(-1, 3)
    if system not in SYSTEMS:
        raise InvalidInput(f"{system!r} is no crystal system.", hint=f"Known: {', '.join(SYSTEMS)}.")
    if lattice is not None:
        if np.linalg.matrix_rank(indices @ lattice.B.T, tol=1e-6) < 2:
            raise InvalidInput(
                "All reflections lie along one line, which fixes no orientation.", hint="Find one at an angle to them."
            )
        ub = _turned(indices @ lattice.B.T, seen) @ lattice.B
    else:
        ub = ub_from_three(indices, seen)
        lattice = Lattice.of_matrix(ub)
        if system != "triclinic":
            ub, lattice = _within(system, indices, seen, lattice)
    return _report(ub, lattice, indices, seen)


def _turned(crystal: Floats, seen: Floats) -> Floats:
    left, _, right = np.linalg.svd(seen.T @ crystal)
    return np.asarray(left @ np.diag([1.0, 1.0, float(np.linalg.det(left) * np.linalg.det(right))]) @ right)


def _within(system: str, hkl: Floats, seen: Floats, start: Lattice) -> tuple[Floats, Lattice]:
    # The best turn follows from the lattice, so only the lattice is searched.
    from scipy.optimize import least_squares

    rule = SYSTEMS[system]
    free = sorted({index for index in rule if index >= 0})

    def lattice(values: Floats) -> Lattice:
        by_index = dict(zip(free, (float(value) for value in values), strict=True)) | {-1: 90.0, -2: 120.0}
        return Lattice(*(by_index[index] for index in rule))

    def misfit(values: Floats) -> Floats:
        crystal = hkl @ lattice(values).B.T
        return np.asarray((crystal @ _turned(crystal, seen).T - seen).ravel())

    guess = [np.mean([start.parameters[k] for k in range(6) if rule[k] == index]) for index in free]
    found = lattice(least_squares(misfit, guess, x_scale=guess, xtol=1e-14, ftol=1e-14, gtol=1e-14).x)
    return _turned(hkl @ found.B.T, seen) @ found.B, found


def _report(ub: Floats, lattice: Lattice, hkl: Floats, seen: Floats) -> Refined:
    computed = hkl @ ub.T
    cosine = np.sum(computed * seen, axis=1) / (np.linalg.norm(computed, axis=1) * np.linalg.norm(seen, axis=1))
    across = np.linalg.norm(np.cross(computed, seen), axis=1)
    errors = np.degrees(np.arctan2(across, cosine * np.linalg.norm(computed, axis=1) * np.linalg.norm(seen, axis=1)))
    return Refined(ub, lattice, seen @ np.linalg.inv(ub).T - hkl, errors)


def orientation_of(ub: Floats) -> tuple[Floats, Lattice]:
    """U (a rotation, shape (3, 3)) and the lattice that a matrix UB holds."""
    lattice = Lattice.of_matrix(ub)
    u = ub @ np.linalg.inv(lattice.B)
    if not math.isclose(float(np.linalg.det(u)), 1.0, abs_tol=1e-6):
        raise InvalidInput("This matrix UB describes a left-handed crystal.")
    return np.asarray(u), lattice
