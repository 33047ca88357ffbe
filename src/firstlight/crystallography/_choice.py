"""Choosing among settings: cut points, limits, and the same branch along a path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.crystallography._rotation import Floats

_BEHIND = 1e3  # degrees that a detector on the negative side counts as further


def usable(settings: Floats) -> NDArray[np.bool_]:
    """Which settings are some: those of shape (..., axes) without NaN."""
    return np.asarray(np.isfinite(settings).all(axis=-1), np.bool_)


def cut(settings: Floats, cuts: Floats) -> Floats:
    """Angles brought into the turn that starts at each axis's cut point, degrees."""
    # A rounding error below the cut must not send an axis once around.
    low = np.asarray(cuts - 1e-9)
    return np.asarray(settings - 360 * np.floor((settings - low) / 360))


def within(settings: Floats, low: Floats, high: Floats) -> Floats:
    """Settings with NaN for all angles of those that leave the limits, shape (..., axes)."""
    with np.errstate(invalid="ignore"):
        inside = np.asarray(((settings >= low - 1e-9) & (settings <= high + 1e-9)).all(axis=-1))
    return np.where(inside[..., np.newaxis], settings, np.nan)


def nearest(settings: Floats, near: Floats, detector: int) -> int:
    """Index of the branch of shape (branches, axes) that is closest to a setting; -1 when there is none.

    A detector on the positive side goes before any distance, unless it is on the negative side already.

    :param detector: index of the axis that opens the scattering angle.
    """
    valid = usable(settings)
    if not valid.any():
        return -1
    cost = np.abs(settings - near).max(axis=-1) + 1e-3 * np.abs(settings - near).sum(axis=-1)
    if near[detector] >= 0:
        cost = cost + _BEHIND * (settings[:, detector] < -1e-9)
    return int(np.nanargmin(np.where(valid, cost, np.nan)))


def follow(settings: Floats, near: Floats, detector: int) -> NDArray[np.intp]:
    """The branch at each point of a path so that the largest step of any axis is least, then the travel.

    The first point counts as in :func:`nearest`; what follows is found by dynamic programming, so that a branch that is
    close at first but ends on the way is not taken when another goes through.

    :param settings: shape (points, branches, axes), NaN where there is none; each point has at least one.
    :return: index of the branch at each point, shape (points,).
    """
    valid = usable(settings)
    filled = np.where(valid[..., np.newaxis], settings, 0.0)
    start = np.abs(filled[0] - near).max(axis=-1)
    if near[detector] >= 0:
        start = start + _BEHIND * (filled[0][:, detector] < -1e-9)
    # Squares make one jump dearer than the same way in small steps.
    apart = np.abs(filled[1:, np.newaxis] - filled[:-1, :, np.newaxis])
    steps = np.minimum(apart, np.abs(360 - apart)).max(axis=-1) ** 2
    cost = np.where(valid[0], 1e-6 * start, np.inf)
    back = np.empty((len(settings) - 1, settings.shape[1]), np.intp)
    for point, step in enumerate(steps):
        total = cost[:, np.newaxis] + step
        back[point] = np.argmin(total, axis=0)
        cost = np.where(valid[point + 1], total[back[point], np.arange(total.shape[1])], np.inf)
    chosen = np.empty(len(settings), np.intp)
    chosen[-1] = int(np.argmin(cost))
    for point in range(len(back) - 1, -1, -1):
        chosen[point] = back[point, chosen[point + 1]]
    return chosen


def unwound(path: Floats, low: Floats, high: Floats) -> Floats:
    """A path of shape (points, axes) without the jumps of whole turns at cut points, for axes whose limits allow it."""
    smooth = np.unwrap(path, period=360, axis=0)
    allowed = ((smooth >= low - 1e-9) & (smooth <= high + 1e-9)).all(axis=0)
    return np.where(allowed, smooth, path)
