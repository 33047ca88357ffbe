"""Rotation axis from opposite projections: one is the mirror image of the other.

A projection p(k) at θ and p'(k) at θ + 180° obey p'(k) = p(2c - k), so the mirrored p'(n - 1 - k) is p shifted by
2c - (n - 1). The shift is found by normalised cross-correlation over the part where both overlap (the sums over the
overlap through FFTs, after D. Padfield, IEEE Trans. Image Processing 21, 2706, 2012), for all shifts at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.tasks.tomography._turn import opposite

Floats = NDArray[np.float32]

_PAIRS = 8  # pairs at most; their median is taken
_LEAST_OVERLAP = 0.1  # of the width


def estimate(sinograms: Floats, angles: NDArray[np.float64], workers: int | None = None) -> float:
    """Detector pixel of the rotation axis.

    :param sinograms: (rows, angles, columns), attenuation; all rows count together.
    :param angles: degrees.
    :raises InvalidInput: when no two projections are opposite to each other, or they have nothing in common.
    """
    pairs = _pairs(angles)
    if not pairs:
        raise InvalidInput("No two projections are half a turn apart.")
    found = []
    for first, parts in pairs:
        indices, weights = zip(*parts, strict=True)
        second = np.tensordot(np.asarray(weights), sinograms[:, list(indices)], axes=(0, 1))
        match = mirror(sinograms[:, first], second)
        if match is not None:
            found.append(match[0])
    if not found:
        raise InvalidInput("Opposite projections have no structure in common.")
    return float(sinograms.shape[2] - 1 + np.median(found)) / 2.0


def _pairs(angles: NDArray[np.float64]) -> list[tuple[int, list[tuple[int, float]]]]:
    """Projections and what stands opposite to them, some, spread over the scan; exact opposites first."""
    candidates = []
    for index, angle in enumerate(angles):
        parts = opposite(angles, float(angle) + 180.0)
        if parts is not None:
            candidates.append((index, parts))
    exact = [c for c in candidates if len(c[1]) == 1]
    chosen = exact or candidates
    step = max(1, len(chosen) // _PAIRS)
    return chosen[::step][:_PAIRS]


def mirror(first: NDArray[np.floating], second: NDArray[np.floating]) -> tuple[float, float] | None:
    """Columns by which the mirrored second projection is to be shifted to lie on the first, and how alike they are.

    :param first: (rows, columns), attenuation.
    :param second: half a turn further.
    :returns: 2c - (n - 1) for an axis in column c of n, and the correlation (1 at best); None without structure.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    rows, width = first.shape
    a = first.astype(np.float64) - first.mean()
    b = second[:, ::-1].astype(np.float64) - second.mean()
    length = int(next_fast_len(2 * width, real=True))

    def correlate(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        product = (rfft(x, length) * np.conj(rfft(y, length))).reshape(-1, length // 2 + 1).sum(axis=0)
        return np.asarray(irfft(product, length))

    ones = np.ones((rows, width))
    overlap = np.maximum(np.round(correlate(ones, ones)), 1.0)
    sum_a, sum_b = correlate(a, ones), correlate(ones, b)
    product = correlate(a, b) - sum_a * sum_b / overlap
    # Never below zero but for the roundoff of the transforms.
    energy = (a**2).sum() * (b**2).sum()
    square_a = np.maximum(correlate(a**2, ones) - sum_a**2 / overlap, 0.0)
    square_b = np.maximum(correlate(ones, b**2) - sum_b**2 / overlap, 0.0)
    local = square_a * square_b
    usable = (overlap >= _LEAST_OVERLAP * rows * width) & (local > 1e-9 * energy)
    if energy <= 0.0 or not usable.any():
        return None
    alike = np.where(usable, product / np.sqrt(np.where(usable, local, 1.0)), -1.0)
    # A short overlap is alike by chance, so what it leaves out counts against it.
    weighed = np.where(usable & (product > 0), product / np.sqrt(energy) * alike, -1.0)
    best = _climb(alike, int(np.argmax(weighed)))
    shift = best if best <= length // 2 else best - length
    return shift + _vertex(alike[best - 1], alike[best], alike[(best + 1) % length]), float(alike[best])


def _climb(values: NDArray[np.float64], start: int) -> int:
    """Index of the local maximum uphill from ``start``, around the end if need be."""
    at = start
    while True:
        around = [(at - 1) % values.size, at, (at + 1) % values.size]
        best = around[int(np.argmax(values[around]))]
        if best == at:
            return at
        at = best


def _vertex(before: float, middle: float, after: float) -> float:
    """Position of the vertex of the parabola through three neighbours, from the middle one."""
    bend = before - 2 * middle + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
