"""Rotations in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput


def rotation(axis: Sequence[float], degrees: float) -> NDArray[np.float64]:
    """The right-handed rotation about an axis, (3, 3) (O. Rodrigues 1840).

    :raises InvalidInput: when the axis has no direction.
    """
    x, y, z = unit_vector(axis)
    angle = math.radians(degrees)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross)


def rotations(axis: Sequence[float], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for many angles, (n, 3, 3)."""
    x, y, z = unit_vector(axis)
    angle = np.radians(degrees)[:, None, None]
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def unit_vector(vector: Sequence[float]) -> NDArray[np.float64]:
    """The direction of a vector.

    :raises InvalidInput: when it has none.
    """
    v = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(v))
    if v.shape != (3,) or not np.isfinite(length) or length == 0.0:
        raise InvalidInput(f"A direction has three numbers that are not all zero, not {list(vector)}.")
    return v / length
