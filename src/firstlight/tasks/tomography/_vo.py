"""Rotation axis by Vo's method, with algotom's metric and a search of our own over the whole width.

N. T. Vo, M. Drakopoulos, R. C. Atwood, C. Reinhard, "Reliable method for calculating the center of rotation in
parallel-beam tomography", Optics Express 22, 19078 (2014). Half a turn and its mirror image make a full turn; around
the right axis its Fourier transform has next to nothing inside a double wedge. Over the whole width the smallest value
of that metric lies at the ends, where little of the mirror image is left; the axis is where the metric drops most
sharply, the minimum of the largest prominence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import each
from firstlight.model import InvalidInput
from firstlight.tasks.tomography._turn import HalfTurn, evenly, half_turn

Floats = NDArray[np.float32]

_COARSE_COLUMNS = 160
_ROWS = (360, 240, 180, 120, 90, 60)  # twice as many are a length that FFTs do fast
_LEAST_PROMINENCE = 0.2  # of the metric's range


def estimate(sinograms: Floats, angles: NDArray[np.float64], workers: int | None = None) -> float:
    """Detector pixel of the rotation axis: the median of those of all rows.

    :param sinograms: (rows, angles, columns), attenuation.
    :param angles: degrees.
    :raises InvalidInput: without half a turn of at least 20 projections, or when the metric has no clear minimum.
    """
    turn = half_turn(angles)
    if turn.indices.size < 20:
        raise InvalidInput(f"{turn.indices.size} projections in half a turn are too few for Vo's method.")
    found = [axis for sinogram in sinograms if (axis := _of_one(sinogram, turn, workers)) is not None]
    if not found:
        raise InvalidInput("Vo's metric has no clear minimum.")
    return float(np.median(found))


def _of_one(sinogram: Floats, turn: HalfTurn, workers: int | None) -> float | None:
    from scipy.ndimage import gaussian_filter
    from scipy.signal import find_peaks

    count = next((n for n in _ROWS if n <= turn.indices.size), turn.indices.size)
    even = evenly(sinogram, turn, count)
    width = even.shape[1]
    factor = max(1, width // _COARSE_COLUMNS)
    fewer = min(count, 120)
    coarse = even if fewer == count else evenly(sinogram, turn, fewer)
    coarse = _binned(np.asarray(gaussian_filter(coarse, (3, 1), mode="reflect")), factor)
    places = np.arange(coarse.shape[1], dtype=np.float64)
    metric = _metric(coarse, places, workers)
    extent = float(metric.max() - metric.min())
    if extent == 0.0:
        return None
    peaks, facts = find_peaks(-metric, prominence=_LEAST_PROMINENCE * extent)
    if not peaks.size:
        return None
    best: float = float(peaks[np.argmax(facts["prominences"])]) * factor + (factor - 1) / 2.0
    smooth = np.asarray(gaussian_filter(even, (2, 2), mode="reflect"))
    for step in (0.5, 0.1):
        reach = 1.5 * factor if step == 0.5 else 0.6
        near = np.clip(best + np.arange(-reach, reach + step / 2, step), 0.0, width - 1.0)
        best = float(near[np.argmin(_metric(smooth, near, workers))])
    return best


def _metric(sinogram: Floats, axes: NDArray[np.float64], workers: int | None) -> NDArray[np.float64]:
    from algotom.prep.calculation import calculate_center_metric, make_inverse_double_wedge_mask

    height, width = sinogram.shape
    mirrored, upside_down = np.fliplr(sinogram), np.flipud(sinogram)
    mask = make_inverse_double_wedge_mask(2 * height, width, 0.5 * width)

    def one(axis: float) -> float:
        return float(calculate_center_metric(axis, sinogram, mirrored, upside_down, mask))

    return np.asarray(each(one, axes.tolist(), workers))


def _binned(sinogram: Floats, factor: int) -> Floats:
    """Columns averaged in groups; what is left over at the end is dropped."""
    height, width = sinogram.shape
    kept = width // factor
    return np.asarray(sinogram[:, : kept * factor].reshape(height, kept, factor).mean(axis=2))
