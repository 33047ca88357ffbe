"""Compiled loops. Importing this module imports numba, so the rest of the room does it inside functions.

Every function here has a twin of the same name and arguments in ``_twins``, written in NumPy; tests compare them. All
release the GIL, so that threads run them side by side, and are cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]


def _compiled(function: F) -> F:
    """Compile at first call of each type, keep the result on disk, release the GIL; IEEE rules for NaN are kept."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz", "arcp"}}
    try:
        return cast("F", numba.njit(cache=True, **options)(function))
    except RuntimeError:
        # Neither beside this file nor in the user's cache folder can anything be written: compile in every process.
        return cast("F", numba.njit(**options)(function))


@_compiled
def pack(first: Floats, second: Floats, start_first: int, start_second: int, edge: bool, out: Floats) -> None:
    """Rows of two sinograms as one complex row, each placed (circularly) at its start in a longer, padded row.

    :param first: (rows, width) real part.
    :param second: (rows, width) imaginary part.
    :param edge: pad with the first and last pixel, each to half of the gap, instead of zeros.
    :param out: (rows, 2 * length) real and imaginary part in turn, overwritten.
    """
    rows, width = first.shape
    length = out.shape[1] // 2
    right = length - width - (length - width) // 2
    zero = np.float32(0.0)
    for r in range(rows):
        for part in range(2):
            source = first if part == 0 else second
            start = start_first if part == 0 else start_second
            head = min(width, length - start)
            for k in range(head):
                out[r, 2 * (start + k) + part] = source[r, k]
            for k in range(head, width):
                out[r, 2 * (start + k - length) + part] = source[r, k]
            for k in range(width, length):
                j = start + k
                if j >= length:
                    j -= length
                value = zero
                if edge:
                    value = source[r, width - 1] if k < width + right else source[r, 0]
                out[r, 2 * j + part] = value


@_compiled
def scale_rows(rows: Complex, response: Floats) -> None:
    """Multiply each row by a real response, in place."""
    for r in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[r, k] *= response[k]


@_compiled
def place(rows: Complex, table: Complex, shift: Complex, out: Complex) -> None:
    """``out = rows * table * shift``: weights, the half pixel of the image grid, and the rotation axis.

    :param rows: (rows, samples) spectra.
    :param table: (rows, samples), fixed by the geometry.
    :param shift: (samples,) phase ramp of the rotation axis.
    :param out: (rows, samples), overwritten.
    """
    for r in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            out[r, k] = rows[r, k] * (table[r, k] * shift[k])


@_compiled
def place_apart(rows: Complex, table: Complex, same: Complex, cross: Complex, out: Complex) -> None:
    """As :func:`place`, for two packed slices with different axes.

    The spectra of the real and imaginary part are (Z(m) ± conj Z(-m)) / 2, so one slice shifted by A and the other by
    B is Z(m) (A + B) / 2 + conj Z(-m) (A - B) / 2.

    :param same: (samples,) half the sum of both phase ramps.
    :param cross: (samples,) half their difference.
    """
    count = rows.shape[1]
    for r in range(rows.shape[0]):
        for k in range(count):
            mirrored = np.conj(rows[r, count - k if k else 0])
            out[r, k] = (rows[r, k] * same[k] + mirrored * cross[k]) * table[r, k]


@_compiled
def split(image: Complex, squares: Floats, limit: float, outside: float, first: Floats, second: Floats) -> None:
    """Real part to ``first``, imaginary part to ``second``, and ``outside`` beyond the disc.

    :param squares: squared distance of each row (or column) from the middle, pixels².
    :param limit: squared radius of the disc, pixels².
    """
    size = image.shape[0]
    for i in range(size):
        for j in range(size):
            if squares[i] + squares[j] <= limit:
                first[i, j] = image[i, j].real
                second[i, j] = image[i, j].imag
            else:
                first[i, j] = outside
                second[i, j] = outside


@_compiled
def ratios(
    frames: NDArray[Any],
    valid: NDArray[np.bool_],
    dark: Floats,
    flats: Floats,
    lower: NDArray[np.int64],
    blend: Floats,
    scale: Floats,
    largest: float,
    first_row: int,
    last_row: int,
    out: Floats,
) -> int:
    """Inverse transmission (flat - dark) / (frame - dark), in sinogram order; the logarithm of it is the attenuation.

    Never NaN, infinite or below or equal to 0: pixels that saw no flat field, frames that are missing and values that
    are not finite give 1 (no attenuation); counts at or below the dark give ``largest``.

    :param frames: (frames, rows, columns), any integer or float type.
    :param valid: (frames,) False where the frame is missing.
    :param dark: (rows, columns).
    :param flats: (groups, rows, columns), reduced flats in the order of their moments.
    :param lower: (frames,) group before each frame; the one after it is ``lower + 1`` if there is one.
    :param blend: (frames,) weight of the group after, 0 to 1.
    :param scale: (frames,) factor on the flat, 1 without beam monitor.
    :param largest: upper limit of the ratio.
    :param first_row: rows ``first_row`` to ``last_row`` (exclusive) are computed.
    :param out: (rows, frames, columns), overwritten there.
    :return: pixels of valid frames that were repaired or limited.
    """
    count, _, columns = frames.shape
    last = flats.shape[0] - 1
    repaired = 0
    for f in range(count):
        low = lower[f]
        high = min(low + 1, last)
        w = blend[f]
        for r in range(first_row, last_row):
            if not valid[f]:
                for c in range(columns):
                    out[r, f, c] = np.float32(1.0)
                continue
            for c in range(columns):
                level = dark[r, c]
                beam = ((np.float32(1.0) - w) * flats[low, r, c] + w * flats[high, r, c] - level) * scale[f]
                seen = np.float32(frames[f, r, c]) - level
                value = np.float32(1.0)
                if not (beam > 0.0 and beam < np.inf and seen < np.inf and seen > -np.inf):
                    repaired += 1
                elif seen <= 0.0 or beam > largest * seen:
                    value = np.float32(largest)
                    repaired += 1
                elif seen > largest * beam:
                    value = np.float32(1.0) / np.float32(largest)
                    repaired += 1
                else:
                    value = beam / seen
                out[r, f, c] = value
    return repaired


@_compiled
def reduce_stack(
    stack: NDArray[Any], threshold: float, noise: float, mean: bool, first_row: int, last_row: int, out: Floats
) -> int:
    """Median of a stack of frames per pixel, or mean of what lies near the median.

    A value is left out of the mean when it differs from the median by more than ``threshold`` times the largest of
    1, ``noise`` × √|median| and 1.4826 × the median absolute deviation.

    :param stack: (frames, rows, columns); values that are not finite are ignored.
    :param first_row: rows ``first_row`` to ``last_row`` (exclusive) are computed.
    :param out: (rows, columns), overwritten there; NaN where no value was finite.
    :return: finite values that were left out.
    """
    count, _, columns = stack.shape
    values = np.empty(count, np.float64)
    distances = np.empty(count, np.float64)
    rejected = 0
    for r in range(first_row, last_row):
        for c in range(columns):
            n = 0
            for f in range(count):
                value = np.float64(stack[f, r, c])
                if np.isfinite(value):
                    values[n] = value
                    n += 1
            if n == 0:
                out[r, c] = np.nan
                continue
            part = values[:n]
            part.sort()
            middle = 0.5 * (part[(n - 1) // 2] + part[n // 2])
            if not mean:
                out[r, c] = middle
                continue
            away = distances[:n]
            for k in range(n):
                away[k] = abs(part[k] - middle)
            away.sort()
            spread = max(1.4826 * 0.5 * (away[(n - 1) // 2] + away[n // 2]), noise * np.sqrt(abs(middle)), 1.0)
            total = 0.0
            kept = 0
            for k in range(n):
                if abs(part[k] - middle) <= threshold * spread:
                    total += part[k]
                    kept += 1
            rejected += n - kept
            out[r, c] = total / kept
    return rejected


@_compiled
def region(frame: NDArray[Any], spans: NDArray[np.int64], zero: Any) -> tuple[int, Any, Any, Any, float]:
    """Number of pixels, sum, least, largest and sum of squares about the mean of a region of a frame, NaN left out.

    :param frame: (rows, columns).
    :param spans: (spans, 3): row, first column, column after the last.
    :param zero: 64-bit integer or float; the sum is of that type, exact for integers.
    """
    count, total = 0, zero
    least, most = zero, zero
    for span in range(len(spans)):
        row = spans[span, 0]
        for column in range(spans[span, 1], spans[span, 2]):
            value = zero + frame[row, column]
            if value == value:
                if count == 0 or value < least:
                    least = value
                if count == 0 or value > most:
                    most = value
                total += value
                count += 1
    mean = total / max(count, 1)
    squares = 0.0
    for span in range(len(spans)):
        row = spans[span, 0]
        for column in range(spans[span, 1], spans[span, 2]):
            value = zero + frame[row, column]
            if value == value:
                squares += (value - mean) ** 2
    return count, total, least, most, squares


@_compiled
def regions(
    frame: NDArray[Any],
    spans: NDArray[np.int64],
    ends: NDArray[np.int64],
    zero: Any,
    counts: NDArray[np.int64],
    totals: NDArray[Any],
    least: NDArray[Any],
    most: NDArray[Any],
    squares: NDArray[np.float64],
) -> None:
    """What ``region`` gives, of many regions of one frame.

    :param spans: (spans, 3), as for ``region``, those of each region together.
    :param ends: (regions,) index after the last span of each.
    :param counts: (regions,), overwritten, as are the others; ``totals``, ``least`` and ``most`` are of the type of
        ``zero``.
    """
    first = 0
    for k in range(len(ends)):
        found = region(frame, spans[first : ends[k]], zero)
        counts[k], totals[k], least[k], most[k], squares[k] = found
        first = ends[k]


@_compiled
def profile(frame: NDArray[Any], spans: NDArray[np.int64], horizontal: bool, first: int, out: NDArray[Any]) -> None:
    """Sums of a region over its rows (a horizontal profile) or its columns, NaN left out.

    :param spans: as for ``region``.
    :param first: column, or row, of the first item of the profile.
    :param out: overwritten; 64-bit integers or floats.
    """
    out[:] = 0
    for span in range(len(spans)):
        row = spans[span, 0]
        for column in range(spans[span, 1], spans[span, 2]):
            value = frame[row, column]
            if value == value:
                if horizontal:
                    out[column - first] += value
                else:
                    out[row - first] += value
