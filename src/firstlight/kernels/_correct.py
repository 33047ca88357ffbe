"""From counts to attenuation: dark and flat correction, and the logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.kernels._threads import cores, each, slabs
from firstlight.model import InvalidInput

Floats = NDArray[np.float32]

LEAST_TRANSMISSION = 1e-5
"""Less than a 16-bit detector can tell from nothing; the attenuation is limited to its logarithm, 11.5."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """One frame made of many.

    :param frame: (rows, columns) float32.
    :param rejected: values that were left out as outliers, of all frames.
    """

    frame: Floats
    rejected: int


def reduce_stack(
    stack: NDArray[Any],
    method: Literal["mean", "median"] = "mean",
    *,
    threshold: float = 6.0,
    workers: int | None = None,
) -> Reduced:
    """One frame from a stack of frames of the same scene: the median, or the mean of what lies near the median.

    :param stack: (frames, rows, columns), counts; values that are not finite are ignored.
    :param threshold: a value further from the median than this many standard deviations is an outlier (a zinger, or a
        flash of the beam) and left out of the mean. The standard deviation is the largest of 1 count, that of the
        pixel's own values (1.4826 × median absolute deviation), and that of a typical pixel as shot noise, because few
        values tell little of their spread.
    :raises InvalidInput: when the stack is no (frames, rows, columns) array, is empty, or the method is unknown.
    """
    from firstlight.kernels import _loops

    if stack.ndim != 3 or stack.size == 0:
        raise InvalidInput(f"A stack of frames has shape (frames, rows, columns), not {stack.shape}.")
    if method not in ("mean", "median"):
        raise InvalidInput(f"There is no reduction {method!r}.", hint="Choose mean or median.")
    frames = np.ascontiguousarray(stack)
    out = np.empty(stack.shape[1:], np.float32)
    threads = workers or cores()
    noise = _noise(frames)
    rejected = each(
        lambda rows: _loops.reduce_stack(frames, threshold, noise, method == "mean", rows.start, rows.stop, out),
        slabs(stack.shape[1], 4 * threads),
        threads,
    )
    return Reduced(out, sum(rejected))


def _noise(stack: NDArray[Any]) -> float:
    """Typical standard deviation of a pixel over the root of its level, from some thousand pixels."""
    pixels = stack.shape[1] * stack.shape[2]
    some = stack.reshape(len(stack), pixels)[:, :: max(1, pixels // 4096)].astype(np.float64)
    some = some[:, np.isfinite(some).all(axis=0)]
    if not some.size:
        return 0.0
    level = np.median(some, axis=0)
    spread = 1.4826 * np.median(np.abs(some - level), axis=0)
    return float(np.median(spread / np.sqrt(np.maximum(np.abs(level), 1.0))))


@dataclass(frozen=True, slots=True)
class Corrected:
    """Sinograms, and how many pixels could not be taken as they were.

    :param sinograms: (rows, frames, columns) float32: attenuation, or transmission.
    :param repaired: pixels of valid frames that were limited, or replaced by no attenuation.
    """

    sinograms: Floats
    repaired: int


def attenuation(
    frames: NDArray[Any],
    dark: ArrayLike,
    flats: ArrayLike,
    *,
    moments: ArrayLike | None = None,
    flat_moments: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    valid: ArrayLike | None = None,
    logarithm: bool = True,
    least: float = LEAST_TRANSMISSION,
    workers: int | None = None,
) -> Corrected:
    """-ln((frame - dark) / (scale × (flat - dark))) of each pixel, as sinograms.

    The result holds no NaN and no infinity: a pixel without beam in the flat, a value that is not finite and a missing
    frame count as not attenuated, and the transmission is limited to ``least`` .. 1 / ``least``.

    :param frames: (frames, rows, columns) counts, any integer or float type.
    :param dark: (rows, columns), reduced.
    :param flats: (rows, columns) or (groups, rows, columns), each group reduced, in the order of their moments.
    :param moments: when each frame was taken (any unit; for instance its number); needed with several flats.
    :param flat_moments: when each group of flats was taken, same unit; the flat is interpolated linearly between
        groups and constant before the first and after the last.
    :param scale: intensity of the beam at each frame relative to the flats; 1 when absent.
    :param valid: False where a frame is missing.
    :param logarithm: False returns the transmission itself.
    :raises InvalidInput: when shapes do not fit together.
    """
    from firstlight.kernels import _loops

    if frames.ndim != 3:
        raise InvalidInput(f"Frames have shape (frames, rows, columns), not {frames.shape}.")
    count, rows, columns = frames.shape
    level = np.ascontiguousarray(dark, dtype=np.float32)
    groups = np.ascontiguousarray(flats, dtype=np.float32)
    if groups.ndim == 2:
        groups = groups[None]
    if level.shape != (rows, columns) or groups.shape[1:] != (rows, columns) or not len(groups):
        raise InvalidInput(f"Frames of {rows} x {columns} do not fit dark {level.shape} and flats {groups.shape}.")
    lower, blend = _between(count, len(groups), moments, flat_moments)
    good = _per_frame(np.ones(count) if valid is None else valid, count, "validity flags").astype(bool)
    factor = _per_frame(np.ones(count) if scale is None else scale, count, "beam intensities").astype(np.float32)
    out = np.empty((rows, count, columns), np.float32)

    raw = np.ascontiguousarray(frames)

    def correct(part: slice) -> int:
        repaired = _loops.ratios(
            raw, good, level, groups, lower, blend, factor, 1.0 / least, part.start, part.stop, out
        )
        here = out[part]
        if logarithm:
            np.log(here, out=here)
        else:
            np.divide(np.float32(1.0), here, out=here)
        return int(repaired)

    threads = workers or cores()
    repaired = each(correct, slabs(rows, 4 * threads), threads)
    return Corrected(out, sum(repaired))


def _per_frame(values: ArrayLike, count: int, what: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (count,):
        raise InvalidInput(f"{array.size} {what} do not fit {count} frames.")
    return array


def _between(
    count: int, groups: int, moments: ArrayLike | None, flat_moments: ArrayLike | None
) -> tuple[NDArray[np.int64], Floats]:
    """Group of flats before each frame, and the weight of the one after."""
    if groups == 1:
        return np.zeros(count, np.int64), np.zeros(count, np.float32)
    if moments is None or flat_moments is None:
        raise InvalidInput(f"{groups} groups of flats need the moments of the frames and of the flats.")
    when = _per_frame(moments, count, "moments").astype(np.float64)
    known = np.asarray(flat_moments, dtype=np.float64)
    if known.shape != (groups,) or np.any(np.diff(known) <= 0):
        raise InvalidInput(f"The moments of {groups} groups of flats must be {groups} rising numbers.")
    position = np.interp(when, known, np.arange(groups))
    lower = np.minimum(position.astype(np.int64), groups - 2)
    return lower, (position - lower).astype(np.float32)
