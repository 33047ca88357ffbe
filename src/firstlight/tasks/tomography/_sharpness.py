"""Rotation axis from the slice itself: around a wrong axis it holds negative attenuation.

T. Donath, F. Beckmann, A. Schreyer, "Automated determination of the center of rotation in tomography data", J. Opt.
Soc. Am. A 23, 1048 (2006), metric Q_IN: the integral of the negative values. The total of a slice does not depend on
the axis, so what is too little in one place is too much in another; the metric is smallest for the right axis. The
whole width is searched in a small picture, then the neighbourhood of the best in larger and larger ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import Gridrec
from firstlight.model import InvalidInput
from firstlight.tasks.tomography._turn import half_turn

Floats = NDArray[np.float32]

_COARSE = 80  # columns of the smallest picture, at least
_FINE = 1280  # columns beyond which more resolution gains nothing
_ANGLES = 360  # of the finer pictures
_BATCH = 16


def estimate(sinograms: Floats, angles: NDArray[np.float64], workers: int | None = None) -> float:
    """Detector pixel of the rotation axis: the median of those of all rows.

    :param sinograms: (rows, angles, columns), attenuation.
    :param angles: degrees.
    :raises InvalidInput: without half a turn, or when the metric is smallest at the end of the detector.
    """
    # Over more than half a turn a wrong axis blurs, without making anything negative.
    turn = half_turn(angles)
    degrees = turn.angles if turn.angles[-1] < 180.0 - 1e-3 else turn.angles[:-1]
    indices = turn.indices[: degrees.size]
    found = [axis for one in sinograms if (axis := _of_one(one[indices], degrees, workers)) is not None]
    if not found:
        raise InvalidInput("No axis makes the slice sharpest.")
    return float(np.median(found))


def _of_one(sinogram: Floats, angles: NDArray[np.float64], workers: int | None) -> float | None:
    width = sinogram.shape[1]
    if not np.ptp(sinogram) > 0.0:
        return None
    factor = 1
    while width // (2 * factor) >= _COARSE:
        factor *= 2
    coarse = _binned(sinogram, factor)
    places = np.arange(0.0, coarse.shape[1] - 0.5, 0.5)
    fewer = max(1, len(angles) // (_ANGLES // 3))
    # The sample may reach over the whole detector on one side of the axis.
    metric = _negativity(coarse[::fewer], angles[::fewer], places, 2 * coarse.shape[1], workers)
    at = int(np.argmin(metric))
    if at in (0, places.size - 1):
        return None
    best = places[at] * factor + (factor - 1) / 2.0
    while factor > 1 and width // (factor // 2) <= _FINE:
        factor //= 2
        best = _refine(sinogram, angles, best, factor, workers)
    return _refine(sinogram, angles, best, factor, workers, step=0.25)


def _refine(
    sinogram: Floats,
    angles: NDArray[np.float64],
    best: float,
    factor: int,
    workers: int | None,
    step: float = 0.5,
) -> float:
    """The best axis near ``best`` in a picture binned by ``factor``, to a fraction of the step."""
    small = _binned(sinogram, factor)
    fewer = max(1, len(angles) // _ANGLES)
    middle = (best - (factor - 1) / 2.0) / factor
    near = middle + step * np.arange(-6.0, 7.0)
    metric = _negativity(small[::fewer], angles[::fewer], near, small.shape[1], workers)
    at = int(np.argmin(metric))
    if 0 < at < near.size - 1:
        before, here, after = metric[at - 1 : at + 2]
        place = near[at] + step * 0.5 * (before - after) / (before - 2 * here + after)
    else:
        place = near[at]
    return float(place * factor + (factor - 1) / 2.0)


def _negativity(
    sinogram: Floats, angles: NDArray[np.float64], axes: NDArray[np.float64], size: int, workers: int | None
) -> NDArray[np.float64]:
    # The smooth filter keeps noise from hiding the negative values that the axis makes.
    plan = Gridrec(angles, sinogram.shape[1], 0.0, size=size, filter="hann", padding="edge", workers=workers)
    found = []
    for begin in range(0, axes.size, _BATCH):
        images = plan(sinogram, axes=axes[begin : begin + _BATCH])
        found.append(-np.minimum(images, 0.0).sum(axis=(1, 2), dtype=np.float64))
    return np.concatenate(found)


def _binned(sinogram: Floats, factor: int) -> Floats:
    kept = sinogram.shape[1] // factor
    return np.ascontiguousarray(sinogram[:, : kept * factor].reshape(len(sinogram), kept, factor).mean(axis=2))
