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

_BLOCK = 64
"""Pixels of a row that are looked at together."""


@_jit
def count(expected: Array, response: Array, top: float, seed: np.uint64, frame: Array) -> int:
    """Poisson numbers of the expected photons, as ``_kernels.expose`` draws them for a detector without any noise.

    Below :data:`EXACT_BELOW` they are exact, by inversion of the distribution function, pixel by pixel: most pixels of
    a diffraction pattern expect next to nothing, and are done after one comparison. Normal numbers are made for those
    blocks of a row alone that hold a bright pixel.

    :param expected: photons in each pixel, (height, width) float32.
    :param response: relative sensitivity of the pixels.
    :param top: largest value that a pixel reads.
    :return: number of saturated pixels.
    """
    height, width = expected.shape
    saturated = 0
    means, draws = np.empty(width), np.empty(width)
    z, u, tail = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for row in range(height):
        expected_row, response_row, target = expected[row], response[row], frame[row]
        for column in range(width):
            means[column] = expected_row[column] * response_row[column]
        # In a loop of its own, so that the compiler can use vectors.
        for column in range(width):
            draws[column] = _unit(_mix(_mix(seed + _GAMMA * np.uint64(row * width + column + 1)) + _GAMMA))
        for start in range(0, width, _BLOCK):
            stop = min(width, start + _BLOCK)
            largest, lit = 0.0, 0
            for column in range(start, stop):
                largest = max(largest, means[column])
                # exp(-m) ≥ 1 - m, which settles nearly all dark pixels.
                lit += draws[column] > 1.0 - means[column]
                target[column] = 0
            if lit == 0:
                continue
            if largest >= EXACT_BELOW:
                length = stop - start
                normals(seed, row * width + start, z[:length], u[:length], tail[:length])
            for column in range(start, stop):
                mean, draw = means[column], draws[column]
                if not draw > 1.0 - mean:
                    continue
                if mean >= EXACT_BELOW:
                    # Cornish-Fisher with the skewness of a Poisson number: c = 1/6.
                    n = z[column - start]
                    value = math.floor(mean + math.sqrt(mean - 1.0 / 18.0) * n + (n * n - 1.0) / 6.0 + 0.5)
                    value = max(value, 0.0)
                else:
                    probability = math.exp(-mean)
                    total = probability
                    k = 0
                    while draw > total and k < 127:
                        k += 1
                        probability *= mean * _RECIPROCALS[k]
                        total += probability
                    value = float(k)
                if value >= top:
                    saturated += 1
                    value = top
                target[column] = np.int64(value)
    return saturated
