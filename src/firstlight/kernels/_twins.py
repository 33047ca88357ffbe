"""NumPy twins of the compiled loops: the same names, arguments and results, to read and to compare with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]


def pack(first: Floats, second: Floats, start_first: int, start_second: int, edge: bool, out: Floats) -> None:
    """Twin of ``_loops.pack``."""
    width = first.shape[1]
    gap = out.shape[1] // 2 - width
    right = gap - gap // 2

    def padded(rows: Floats, start: int) -> Floats:
        longer = np.pad(rows, ((0, 0), (0, gap)))
        if edge:
            longer[:, width : width + right] = rows[:, -1:]
            longer[:, width + right :] = rows[:, :1]
        return np.roll(longer, start, axis=1)

    out[:, 0::2] = padded(first, start_first)
    out[:, 1::2] = padded(second, start_second)


def scale_rows(rows: Complex, response: Floats) -> None:
    """Twin of ``_loops.scale_rows``."""
    rows *= response


def place(rows: Complex, table: Complex, shift: Complex, out: Complex) -> None:
    """Twin of ``_loops.place``."""
    np.multiply(rows, table * shift, out=out)


def place_apart(rows: Complex, table: Complex, same: Complex, cross: Complex, out: Complex) -> None:
    """Twin of ``_loops.place_apart``."""
    mirrored = np.conj(np.roll(rows[:, ::-1], 1, axis=1))
    out[:] = (rows * same + mirrored * cross) * table


def split(image: Complex, squares: Floats, limit: float, outside: float, first: Floats, second: Floats) -> None:
    """Twin of ``_loops.split``."""
    inside = squares[:, None] + squares[None, :] <= limit
    first[:] = np.where(inside, image.real, outside)
    second[:] = np.where(inside, image.imag, outside)


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
    """Twin of ``_loops.ratios``."""
    rows = slice(first_row, last_row)
    frames, dark, flats, out = frames[:, rows], dark[rows], flats[:, rows], out[rows]
    upper = np.minimum(lower + 1, flats.shape[0] - 1)
    w = blend[:, None, None]
    beam = ((1 - w) * flats[lower] + w * flats[upper] - dark) * scale[:, None, None]
    seen = frames.astype(np.float32) - dark
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = np.clip(np.where(seen > 0, beam / seen, largest), 1 / largest, largest)
        limited = (seen <= 0) | (beam > largest * seen) | (seen > largest * beam)
    unusable = ~((beam > 0) & (beam < np.inf) & np.isfinite(seen))
    value[unusable | ~valid[:, None, None]] = 1.0
    out[:] = value.transpose(1, 0, 2)
    return int(np.count_nonzero((limited | unusable) & valid[:, None, None]))


def reduce_stack(
    stack: NDArray[Any], threshold: float, noise: float, mean: bool, first_row: int, last_row: int, out: Floats
) -> int:
    """Twin of ``_loops.reduce_stack``."""
    stack, out = stack[:, first_row:last_row], out[first_row:last_row]
    if not np.isfinite(stack).any():
        out[:] = np.nan
        return 0
    values = np.where(np.isfinite(stack), stack, np.nan).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels without any finite value
        middle = np.nanmedian(values, axis=0)
        if not mean:
            out[:] = middle
            return 0
        away = np.abs(values - middle)
        spread = np.maximum(np.maximum(1.4826 * np.nanmedian(away, axis=0), noise * np.sqrt(np.abs(middle))), 1.0)
        kept = np.where(away <= threshold * spread, values, np.nan)
        out[:] = np.nanmean(kept, axis=0)
    return int(np.isfinite(values).sum() - np.isfinite(kept).sum())


def region(frame: NDArray[Any], spans: NDArray[np.int64], zero: Any) -> tuple[int, Any, Any, Any, float]:
    """Twin of ``_loops.region``."""
    values = np.concatenate([frame[row, a:b] for row, a, b in spans] or [frame[:0, 0]]).astype(np.asarray(zero).dtype)
    values = values[values == values]
    if not values.size:
        return 0, zero, zero, zero, 0.0
    # Added up in order, as a loop does.
    total = np.add.accumulate(values)[-1]
    return values.size, total, values.min(), values.max(), float(((values - total / values.size) ** 2).sum())


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
    """Twin of ``_loops.regions``."""
    for k, part in enumerate(np.split(spans, ends[:-1])):
        counts[k], totals[k], least[k], most[k], squares[k] = region(frame, part, zero)


def profile(frame: NDArray[Any], spans: NDArray[np.int64], horizontal: bool, first: int, out: NDArray[Any]) -> None:
    """Twin of ``_loops.profile``."""
    out[:] = 0
    for row, a, b in spans:
        values = np.nan_to_num(frame[row, a:b], nan=0.0, posinf=np.inf, neginf=-np.inf)
        if horizontal:
            out[a - first : b - first] += values.astype(out.dtype)
        else:
            for value in values:
                out[row - first] += value
