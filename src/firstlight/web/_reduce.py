"""What the screen can show of curves and frames: every spike of a curve, and true values of frames, binned."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Reduce = Literal["max", "mean"]
Scale = Literal["linear", "log", "gamma"]
SAMPLE = 1 << 16
"""Pixels from which quantiles are estimated."""
LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
GAMMA = 0.5


def minmax(x: NDArray[np.float64], ys: list[NDArray[Any]], points: int) -> NDArray[np.int64] | None:
    """Indices to draw so that no spike is lost: of each of ``points`` bins of neighbours the least and largest value of
    each curve, the first and the last point; None when there are few enough anyway.

    :param x: positions, as many as each of ``ys``; not used to bin, as points are drawn in their order.
    :param points: bins.
    """
    if len(x) <= 2 * points or points < 1:
        return None
    from tsdownsample import MinMaxDownsampler

    down: Any = MinMaxDownsampler()  # type: ignore[no-untyped-call,unused-ignore]
    found = [np.array([0, len(x) - 1], np.int64)]
    for y in ys:
        values = np.ascontiguousarray(y, np.float64 if y.dtype.kind == "f" and y.dtype.itemsize != 4 else y.dtype)
        found.append(down.downsample(values, n_out=2 * points).astype(np.int64))
        holes = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(0, bool)
        if holes.any():
            # A gap must stay one: its first point is kept.
            edges = np.flatnonzero(holes[1:] & ~holes[:-1]) + 1
            found.append(edges[:points])
    return np.unique(np.concatenate(found))


def bin_frame(frame: NDArray[Any], factor: int, how: Reduce, fill: float | None = None) -> NDArray[Any]:
    """Bins of ``factor`` × ``factor`` pixels; those at the right and lower edge hold what is left.

    :param frame: (rows, columns).
    :param how: ``max`` keeps single bright pixels and the type; ``mean`` gives float32 (float64 for float64).
    :param fill: value of missing pixels (NaN for floats), which do not count; a bin without any other is missing.
    """
    if factor <= 1:
        return frame
    absent = _absent(frame, fill)
    if how == "max":
        return _max(frame, factor, absent, fill)
    wide = np.float64 if frame.dtype == np.float64 else np.float32
    weights = np.ones(frame.shape, np.float32) if absent is None else (~absent).astype(np.float32)
    values = frame.astype(wide) if absent is None else np.where(absent, 0, frame).astype(wide)
    total = _fold(_fold(values, factor, 0, np.add), factor, 1, np.add)
    count = _fold(_fold(weights, factor, 0, np.add), factor, 1, np.add)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[Any] = (total / count).astype(wide)
    return means


def _max(frame: NDArray[Any], factor: int, absent: NDArray[np.bool_] | None, fill: float | None) -> NDArray[Any]:
    low: Any = -np.inf if frame.dtype.kind == "f" else np.iinfo(frame.dtype).min if frame.dtype.kind in "iu" else False
    values = frame if absent is None else np.where(absent, frame.dtype.type(low), frame)
    out = _fold(_fold(values, factor, 0, np.maximum), factor, 1, np.maximum)
    if absent is not None:
        gone = _fold(_fold(absent, factor, 0, np.logical_and), factor, 1, np.logical_and)
        out = np.where(gone, frame.dtype.type(np.nan if fill is None else fill), out)
    return out


def _fold(a: NDArray[Any], factor: int, axis: int, way: Callable[..., Any]) -> NDArray[Any]:
    """Neighbours together along one axis, by strided slices: far faster than a reshape to four dimensions."""
    size = a.shape[axis]
    # Every slice has at least as many items as there are whole bins; the last bin may lack some.
    out = np.array(_every(a, 0, factor, axis))
    for k in range(1, min(factor, size)):
        part = _every(a, k, factor, axis)
        n = part.shape[axis]
        target = out[:n] if axis == 0 else out[:, :n]
        way(target, part, out=target)
    return out


def _every(a: NDArray[Any], first: int, step: int, axis: int) -> NDArray[Any]:
    return a[first::step] if axis == 0 else a[:, first::step]


def _absent(frame: NDArray[Any], fill: float | None) -> NDArray[np.bool_] | None:
    if frame.dtype.kind == "f":
        holes = np.isnan(frame)
    elif fill is not None and frame.dtype.kind in "iu" and frame.dtype.itemsize > 1:
        holes = frame == frame.dtype.type(fill)
    else:
        return None
    return holes if holes.any() else None


def quantiles(frame: NDArray[Any], fill: float | None = None) -> dict[str, float]:
    """Levels of the whole frame, from evenly spread pixels; the least and the largest are exact."""
    flat = frame.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLE)]
    sample = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if fill is not None and sample.dtype.kind in "iu" and sample.dtype.itemsize > 1:
        sample = sample[sample != sample.dtype.type(fill)]
    if not sample.size:
        return {}
    found = np.quantile(sample.astype(np.float64), LEVELS)
    if flat.size > SAMPLE:
        absent = _absent(frame, fill)
        whole = frame if absent is None else frame[~absent]
        whole = whole[np.isfinite(whole)] if whole.dtype.kind == "f" else whole
        if whole.size:
            found[0], found[-1] = float(whole.min()), float(whole.max())
    return {f"{level:g}": float(value) for level, value in zip(LEVELS, found, strict=True)}


def to_bytes(frame: NDArray[Any], low: float, high: float, scale: Scale) -> NDArray[np.uint8]:
    """Grey levels 0 to 255 between two values; what is not finite is 0."""
    if frame.dtype == np.uint16 or frame.dtype == np.uint8:
        # All values there can be, once: a table is ten times faster than a logarithm a pixel.
        table = _levels(np.arange(1 << (8 * frame.dtype.itemsize), dtype=np.float64), low, high, scale)
        grey: NDArray[np.uint8] = table[frame]
        return grey
    return _levels(frame.astype(np.float64), low, high, scale)


def _levels(values: NDArray[np.float64], low: float, high: float, scale: Scale) -> NDArray[np.uint8]:
    width = high - low if high > low else 1.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.clip((values - low) / width, 0.0, 1.0)
        if scale == "log":
            # As the pages do: symmetric in no way, but without a hole at zero.
            share = np.log1p(share * 999.0) / np.log(1000.0)
        elif scale == "gamma":
            share = share**GAMMA
        return np.nan_to_num(share * 255.0 + 0.5, nan=0.0).astype(np.uint8)


def jpeg(grey: NDArray[np.uint8], quality: int = 80) -> bytes:
    """A grey JPEG, for slow lines."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(grey).save(out, "JPEG", quality=quality)
    return out.getvalue()
