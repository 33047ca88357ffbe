"""Regions of frames: what is counted in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """What a region of one frame counts; pixels that are NaN are left out.

    :param total: exact for integers of up to 32 bits.
    :param std: of the pixels, not of their mean.
    """

    pixels: int
    total: int | float
    mean: float
    std: float
    least: float
    most: float


def region_statistics(frame: NDArray[Any], spans: NDArray[np.int64]) -> RegionStatistics:
    """Sum, mean, standard deviation, least and largest pixel of a region.

    :param frame: (rows, columns), any integer or float type.
    :param spans: (spans, 3): row, first column, column after the last.
    """
    from firstlight.kernels import _loops

    count, total, least, most, squares = _loops.region(frame, spans, _zero(frame.dtype))
    if not count:
        return RegionStatistics(0, math.nan, math.nan, math.nan, math.nan, math.nan)
    return RegionStatistics(count, total, total / count, math.sqrt(squares / count), least, most)


@dataclass(frozen=True, slots=True)
class RegionsStatistics:
    """What many regions of one frame count, an item each; see :class:`RegionStatistics`.

    :param total: 64-bit integers, or floats; 0 where there is no pixel, in which the others are NaN.
    """

    pixels: NDArray[np.int64]
    total: NDArray[Any]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]


def regions_statistics(frame: NDArray[Any], spans: NDArray[np.int64], ends: NDArray[np.int64]) -> RegionsStatistics:
    """The statistics of many regions of one frame, each as :func:`region_statistics` gives it.

    :param frame: (rows, columns), any integer or float type.
    :param spans: (spans, 3): row, first column, column after the last; those of each region together.
    :param ends: (regions,): index of the span after the last one of each region.
    """
    from firstlight.kernels import _loops

    zero = _zero(frame.dtype)
    kind = np.asarray(zero).dtype
    counts, squares = np.empty(len(ends), np.int64), np.empty(len(ends))
    totals, least, most = (np.empty(len(ends), kind) for _ in range(3))
    _loops.regions(frame, spans, ends, zero, counts, totals, least, most, squares)
    empty = counts == 0
    pixels = np.where(empty, 1, counts)

    def known(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(empty, math.nan, values)

    # Floats have a number for nothing at all, integers do not.
    total = known(totals) if kind.kind == "f" else totals
    std = known(np.sqrt(squares / pixels))
    return RegionsStatistics(counts, total, known(totals / pixels), std, known(least), known(most))


def region_profile(frame: NDArray[Any], spans: NDArray[np.int64], *, horizontal: bool) -> NDArray[Any]:
    """Sums of a region over its rows (horizontal: one number a column) or over its columns.

    :param spans: as for :func:`region_statistics`.
    """
    from firstlight.kernels import _loops

    low, high = (spans[:, 1].min(), spans[:, 2].max()) if horizontal else (spans[:, 0].min(), spans[:, 0].max() + 1)
    out = np.empty(high - low, np.asarray(_zero(frame.dtype)).dtype)
    _loops.profile(frame, spans, horizontal, int(low), out)
    return out


def _zero(dtype: np.dtype[Any]) -> Any:
    # Sums of 64-bit unsigned numbers fit no integer type.
    return np.int64(0) if dtype.kind in "iub" and dtype != np.uint64 else np.float64(0.0)
