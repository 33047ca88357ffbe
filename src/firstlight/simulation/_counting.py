"""Compiled inner loops of photon-counting area detectors; single-threaded, without the GIL, cached on disk.

Import this module only where a frame is computed: it brings the compiler.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.simulation._kernels import _GAMMA, _RECIPROCALS, EXACT_BELOW, _jit, _mix, _unit, normals

Array = NDArray[Any]


@_jit
def count(expected: Array, response: Array, top: float, seed: np.uint64, frame: Array) -> int:
    """Poisson numbers of the expected photons, as ``_kernels.expose`` draws them for a detector without any noise.

    Below :data:`EXACT_BELOW` they are exact, by inversion of the distribution function, pixel by pixel: most pixels of
    a diffraction pattern expect next to nothing, and are done after one comparison.

    :param expected: photons in each pixel, (height, width) float32.
    :param response: relative sensitivity of the pixels.
    :param top: largest value that a pixel reads.
    :return: number of saturated pixels.
    """
    height, width = expected.shape
    saturated = 0
    z, u, tail, means = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for row in range(height):
        expected_row, response_row, target = expected[row], response[row], frame[row]
        largest = 0.0
        for column in range(width):
            means[column] = expected_row[column] * response_row[column]
            largest = max(largest, means[column])
        if largest >= EXACT_BELOW:
            normals(seed, row * width, z, u, tail)
        for column in range(width):
            mean = means[column]
            if mean >= EXACT_BELOW:
                # Cornish-Fisher with the skewness of a Poisson number: c = 1/6.
                n = z[column]
                value = math.floor(mean + math.sqrt(mean - 1.0 / 18.0) * n + (n * n - 1.0) / 6.0 + 0.5)
                value = max(value, 0.0)
            elif mean > 0.0:
                draw = _unit(_mix(_mix(seed + _GAMMA * np.uint64(row * width + column + 1)) + _GAMMA))
                value = 0.0
                # exp(-m) ≥ 1 - m, which settles nearly all dark pixels.
                if draw > 1.0 - mean:
                    probability = math.exp(-mean)
                    total = probability
                    k = 0
                    while draw > total and k < 127:
                        k += 1
                        probability *= mean * _RECIPROCALS[k]
                        total += probability
                    value = float(k)
            else:
                value = 0.0
            if value >= top:
                saturated += 1
                value = top
            target[column] = np.int64(value)
    return saturated
