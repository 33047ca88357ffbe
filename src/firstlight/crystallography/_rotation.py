"""Rotations about axes, for many angles at once, and the three sub-problems of which every mode is made.

Angles here are in radians. Vectors have shape (..., 3), angles (...); shapes broadcast. The sub-problems come from B.
Paden (Kinematics and control of robot manipulators, thesis, Berkeley, 1986) and W. Kahan: what has no answer is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # of a cosine beyond 1 that is still rounding
_PARALLEL = 1e-9  # sine below which a vector counts as parallel to an axis


def dot(a: Floats, b: Floats) -> Floats:
    """Scalar products along the last axis."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def unit(vector: Floats) -> Floats:
    """Vectors of length one; a vector of length zero becomes NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vector / np.sqrt(dot(vector, vector))[..., np.newaxis])


def turn(axis: Floats, angle: Floats, vector: Floats) -> Floats:
    """Vectors turned about a unit axis, right-handed (Rodrigues' formula)."""
    c, s = np.cos(angle)[..., np.newaxis], np.sin(angle)[..., np.newaxis]
    along = dot(axis, vector)[..., np.newaxis] * axis
    return np.asarray(along + c * (vector - along) + s * np.cross(axis, vector))


def rotation(axis: Floats, angle: Floats) -> Floats:
    """Matrices, shape (..., 3, 3), that turn column vectors about a unit axis, right-handed."""
    return np.stack([turn(axis, angle, basis) for basis in np.eye(3)], axis=-1)


def apply(matrix: Floats, vector: Floats) -> Floats:
    """Matrices (..., 3, 3) times vectors (..., 3)."""
    return np.asarray(np.einsum("...ij,...j->...i", matrix, vector))


def about(axis: Floats, start: Floats, end: Floats, otherwise: Floats | float) -> Floats:
    """Angle that turns ``start`` into ``end`` about the axis, as seen along it.

    :param otherwise: the angle where any does, because a vector lies along the axis.
    """
    a = start - dot(axis, start)[..., np.newaxis] * axis
    b = end - dot(axis, end)[..., np.newaxis] * axis
    angle = np.arctan2(dot(axis, np.cross(a, b)), dot(a, b))
    any_does = (dot(a, a) < _PARALLEL**2) | (dot(b, b) < _PARALLEL**2)
    return np.where(any_does, otherwise, angle)


def to_height(axis: Floats, start: Floats, along: Floats, height: Floats, otherwise: Floats | float) -> list[Floats]:
    """The two angles for which ``along`` · R(axis, angle) ``start`` = ``height``."""
    fixed = dot(along, axis) * dot(axis, start)
    a, b = dot(along, start) - fixed, dot(along, np.cross(axis, start))
    length = np.hypot(a, b)
    none = length < _PARALLEL
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (height - fixed) / length
    cosine = np.where(np.abs(cosine) <= 1 + _ROUNDING, np.clip(cosine, -1, 1), np.nan)
    half, middle = np.arccos(cosine), np.arctan2(b, a)
    level = none & (np.abs(height - fixed) < _PARALLEL)
    return [np.where(level, otherwise, np.where(none, np.nan, middle + sign * half)) for sign in (1, -1)]


def by_two(
    first: Floats, second: Floats, start: Floats, end: Floats, otherwise: tuple[Floats | float, Floats | float]
) -> list[tuple[Floats, Floats]]:
    """Pairs of angles for which R(first) R(second) ``start`` = ``end``."""
    return [
        (about(first, turn(second, inner, start), end, otherwise[0]), inner)
        for inner in to_height(second, start, first, dot(first, end), otherwise[1])
    ]


def by_three(
    first: Floats, second: Floats, third: Floats, whole: Floats, otherwise: tuple[Floats | float, ...]
) -> list[tuple[Floats, Floats, Floats]]:
    """Triples of angles for which R(first) R(second) R(third) = ``whole``; where the outer axes come to lie along
    each other, the first keeps ``otherwise``."""
    end = apply(whole, third)
    # Any vector across the third axis shows how far that one turned; this one is never short.
    helper = np.where(np.abs(third[..., :1]) < 0.7, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    across = unit(np.cross(third, helper))
    triples = []
    for middle in to_height(second, third, first, dot(first, end), otherwise[1]):
        outer = about(first, turn(second, middle, third), end, otherwise[0])
        back = turn(second, -middle, turn(first, -outer, apply(whole, across)))
        triples.append((outer, middle, about(third, across, back, otherwise[2])))
    return triples
