"""Compiled inner loops of a simulated frame; single-threaded, without the GIL, cached on disk.

Import this module only where a frame is computed: it brings the compiler.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from firstlight.simulation._random import GAMMA, MIX_1, MIX_2

Array = NDArray[Any]

EXACT_BELOW = 16.0
"""Mean below which Poisson numbers are exact."""

_GAMMA = np.uint64(GAMMA)
_MIX_1 = np.uint64(MIX_1)
_MIX_2 = np.uint64(MIX_2)
_U11, _U27, _U30, _U31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)

_LN_2 = math.log(2.0)
_RECIPROCALS = np.concatenate([np.zeros(1), 1.0 / np.arange(1.0, 128.0)])

_jit = numba.njit(nogil=True, cache=True, error_model="numpy")


@_jit
def add_ellipsoids(shadows: Array, u_first: float, v_first: float, pixel: float, path: Array) -> None:
    """Add the line integrals of ellipsoids through pixel centres.

    :param shadows: rows of ``Phantom.shadows``, (n, 6).
    :param u_first: horizontal position of column 0 from the rotation axis, mm.
    :param v_first: vertical position of row 0, mm.
    :param pixel: mm.
    :param path: (height, width) float32, changed in place.
    """
    height, width = path.shape
    for e in range(shadows.shape[0]):
        cu, cv, p, q, r, depth = shadows[e]
        # Rows that the ellipse p u² + 2 q u v + r v² ≤ 1 covers.
        reach = math.sqrt(p / (p * r - q * q))
        row_first = max(0, math.ceil((cv - reach - v_first) / pixel))
        row_last = min(height - 1, math.floor((cv + reach - v_first) / pixel))
        for row in range(row_first, row_last + 1):
            v = v_first + row * pixel - cv
            centre = -q * v / p
            square = centre * centre - (r * v * v - 1.0) / p
            if square <= 0.0:
                continue
            half = math.sqrt(square)
            first = max(0, math.ceil((cu + centre - half - u_first) / pixel))
            last = min(width - 1, math.floor((cu + centre + half - u_first) / pixel))
            # 1 - (p u² + 2 q u v + r v²) = p (half² - (u - centre)²)
            scale = depth * math.sqrt(p)
            start = u_first - cu - centre
            line = path[row]
            for column in range(first, last + 1):
                du = start + column * pixel
                line[column] += np.float32(scale * math.sqrt(max(0.0, square - du * du)))


@_jit
def add_transmission(path: Array, weight: float, beam: Array) -> None:
    """``beam += weight · exp(-path)``, all (height, width) float32."""
    w = np.float32(weight)
    for row in range(path.shape[0]):
        for column in range(path.shape[1]):
            p = path[row, column]
            beam[row, column] += w * math.exp(-p) if p != 0.0 else w


@_jit
def _scale(source: Array, tap: float, target: Array) -> None:
    for i in range(len(target)):
        target[i] = tap * source[i]


@_jit
def _add_pair(one: Array, other: Array, tap: float, target: Array) -> None:
    for i in range(len(target)):
        target[i] += tap * (one[i] + other[i])


@_jit
def blur(image: Array, taps: Array, work: Array) -> None:
    """Convolve with a separable symmetric kernel, in place; the edge pixels are repeated outwards.

    :param taps: float32, of the centre and one side: (radius + 1,).
    :param work: scratch of the image's shape.
    """
    height, width = image.shape
    radius = len(taps) - 1
    for row in range(height):
        _scale(image[row], taps[0], work[row])
        for k in range(1, radius + 1):
            _add_pair(image[max(0, row - k)], image[min(height - 1, row + k)], taps[k], work[row])
    line = np.empty(width + 2 * radius, dtype=np.float32)
    for row in range(height):
        source = work[row]
        for i in range(len(line)):
            line[i] = source[min(max(i - radius, 0), width - 1)]
        _scale(line[radius : radius + width], taps[0], image[row])
        for k in range(1, radius + 1):
            _add_pair(line[radius - k : radius - k + width], line[radius + k : radius + k + width], taps[k], image[row])


@_jit
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _U30)) * _MIX_1
    z = (z ^ (z >> _U27)) * _MIX_2
    return z ^ (z >> _U31)


@_jit
def _unit(bits: np.uint64) -> float:
    """A float in (0, 1) from the upper 53 bits."""
    return (float(bits >> _U11) + 0.5) * 2.0**-53


@_jit
def normals(seed: np.uint64, first: int, values: Array, u: Array, tail: Array) -> None:
    """Normal numbers of pixels ``first``, ``first + 1``, ... of a frame: a function of seed and pixel alone.

    The inverse of the normal distribution function, to 1e-7: M. J. Wichura, "Algorithm AS 241: The percentage points
    of the normal distribution", Applied Statistics 37 (1988) 477-484, routine PPND7. Its third branch, beyond 6.6 σ,
    is left out (one number in 4e10 is off by less than 0.01). Both other branches are computed for every number and
    one is chosen, so that the compiler can use vectors; hence also the logarithm, taken apart into exponent and
    mantissa: ln m = 2 artanh((m - 1) / (m + 1)), m in [√½, √2].

    :param u: scratch of the same length, float64.
    :param tail: scratch of the same length, float64.
    """
    n = len(values)
    for i in range(n):
        u[i] = _unit(_mix(seed + _GAMMA * np.uint64(first + i + 1)))
    for i in range(n):
        tail[i] = min(u[i], 1.0 - u[i])
    bits = tail.view(np.int64)
    for i in range(n):
        # Counted from the exponent of √½, whose bits are 0x3FE6A09E667F3BCD.
        exponent = (bits[i] - 0x3FE6A09E667F3BCD) >> 52
        values[i] = exponent
        bits[i] -= exponent << 52
    for i in range(n):
        m = tail[i]
        s = (m - 1.0) / (m + 1.0)
        t = s * s
        log = 2.0 * s * (1.0 + t * (1 / 3 + t * (1 / 5 + t * (1 / 7 + t * (1 / 9 + t * (1 / 11))))))
        r = math.sqrt(-(log + values[i] * _LN_2)) - 1.6
        outer = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
            (0.12021132975 * r + 0.73700164250) * r + 1.0
        )
        q = u[i] - 0.5
        r = 0.180625 - q * q
        inner = (
            q
            * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)
            / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
        )
        values[i] = inner if abs(q) <= 0.425 else (outer if q > 0.0 else -outer)


@_jit
def poissons(means: Array, u: Array, counts: Array, probability: Array, total: Array) -> None:
    """Poisson numbers of means up to :data:`EXACT_BELOW` by inversion of the distribution function (as
    ``_random.poisson``), all in step, so that the compiler can use vectors; probabilities below 1e-12 are cut off.

    :param u: uniform numbers in (0, 1).
    :param probability: scratch of the same length, float64.
    :param total: scratch of the same length, float64.
    """
    n = len(means)
    largest = 0.0
    for i in range(n):
        largest = max(largest, means[i])
        probability[i] = math.exp(-means[i])
        total[i] = probability[i]
        counts[i] = 0.0
    last = min(len(_RECIPROCALS), int(largest + 8.0 * math.sqrt(largest)) + 10)
    for k in range(1, last):
        reciprocal = _RECIPROCALS[k]
        for i in range(n):
            counts[i] += 1.0 if u[i] > total[i] else 0.0
            probability[i] *= means[i] * reciprocal
            total[i] += probability[i]


@_jit
def expose(
    light: Array,
    photons: float,
    response: Array,
    dark: Array,
    exposure: float,
    offset: Array,
    gain: float,
    read_noise: float,
    well: float,
    top: float,
    seed: np.uint64,
    frame: Array,
) -> int:
    """What a pixel reads: offset + gain · Poisson(light + dark) + read noise, rounded and clipped.

    From :data:`EXACT_BELOW` quanta on the sum is drawn at once as a variable with the mean and the variance of that
    sum and, to first order, its skewness (Cornish-Fisher: E. A. Cornish, R. A. Fisher, Rev. Inst. Int. Stat. 5 (1938)
    307-320): x = μ + s z + c (z² - 1), with σ² = g²λ + r², c = g³λ / 6σ² and s² = σ² - 2c².

    :param light: relative intensity on the pixels, (height, width) float32.
    :param photons: quanta in a pixel of relative intensity 1 in this exposure.
    :param response: relative sensitivity of the pixels.
    :param dark: quanta/s without light.
    :param offset: what a pixel reads without any quantum.
    :param gain: counts per quantum.
    :param well: quanta that a pixel holds.
    :param top: largest value that the converter gives.
    :param seed: of this frame.
    :return: number of saturated pixels.
    """
    height, width = light.shape
    saturated = 0
    read_variance = read_noise * read_noise
    full = gain * well
    z, u, tail = np.empty(width), np.empty(width), np.empty(width)
    means, signal = np.empty(width), np.empty(width)
    small, counts, total = np.empty(width), np.empty(width), np.empty(width)
    for row in range(height):
        normals(seed, row * width, z, u, tail)
        light_row, response_row, dark_row, offset_row = light[row], response[row], dark[row], offset[row]
        least = np.inf
        for column in range(width):
            mean = photons * light_row[column] * response_row[column] + exposure * dark_row[column]
            means[column] = mean
            least = min(least, mean)
        for column in range(width):
            mean = max(means[column], EXACT_BELOW)
            variance = gain * gain * mean + read_variance
            c = gain * gain * gain * mean / (6.0 * variance)
            n = z[column]
            signal[column] = gain * mean + math.sqrt(variance - 2.0 * c * c) * n + c * (n * n - 1.0)
        if least < EXACT_BELOW:
            for column in range(width):
                small[column] = min(means[column], EXACT_BELOW)
                u[column] = _unit(_mix(_mix(seed + _GAMMA * np.uint64(row * width + column + 1)) + _GAMMA))
            poissons(small, u, counts, tail, total)
            for column in range(width):
                if means[column] < EXACT_BELOW:
                    signal[column] = gain * counts[column] + read_noise * z[column]
        target = frame[row]
        for column in range(width):
            value = math.floor(min(signal[column], full) + offset_row[column] + 0.5)
            saturated += (value >= top) | (signal[column] >= full)
            target[column] = np.int64(max(0.0, min(value, top)))
    return saturated
