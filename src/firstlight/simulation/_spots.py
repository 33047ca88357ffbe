"""Compiled drawing of spots; single-threaded, without the GIL, cached on disk.

Import this module only where a frame is computed: it brings the compiler.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.simulation._kernels import _jit

Array = NDArray[Any]

_REACH = 5.0
"""How far a spot is drawn, in its σ."""


@_jit
def add_spots(rows: Array, columns: Array, photons: Array, sigma: float, image: Array) -> None:
    """Add gaussian spots, integrated over each pixel, so that a spot within the image keeps its photons.

    :param rows: of the centres, pixels; likewise the columns.
    :param photons: in each spot.
    :param sigma: pixels.
    :param image: (height, width) float32, changed in place.
    """
    height, width = image.shape
    reach = _REACH * sigma + 0.5
    scale = 1.0 / (sigma * math.sqrt(2.0))
    most = int(2.0 * reach) + 3
    share = np.empty(most)
    for k in range(len(photons)):
        first_row, last_row = math.ceil(rows[k] - reach), math.floor(rows[k] + reach)
        first_column, last_column = math.ceil(columns[k] - reach), math.floor(columns[k] + reach)
        if last_row < 0 or first_row >= height or last_column < 0 or first_column >= width:
            continue
        for column in range(first_column, last_column + 1):
            low = (column - 0.5 - columns[k]) * scale
            high = (column + 0.5 - columns[k]) * scale
            share[column - first_column] = 0.5 * (math.erf(high) - math.erf(low))
        for row in range(max(0, first_row), min(height - 1, last_row) + 1):
            low = (row - 0.5 - rows[k]) * scale
            high = (row + 0.5 - rows[k]) * scale
            here = photons[k] * 0.5 * (math.erf(high) - math.erf(low))
            for column in range(max(0, first_column), min(width - 1, last_column) + 1):
                image[row, column] += np.float32(here * share[column - first_column])
