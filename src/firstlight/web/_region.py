"""Numbers of a part of a frame: regions and profiles, always from all its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Run
from firstlight.devices import area_region
from firstlight.kernels import region_statistics
from firstlight.model import STATUS_MISSING, InvalidInput, NotFound
from firstlight.web._frame import Frames, status_of
from firstlight.web._payload import number, pack

LONGEST = 20_000
WIDEST = 500


def statistics(
    run: Run, name: str, index: int, region: Mapping[str, float], frames: Frames
) -> dict[str, float | int | None]:
    """What a region of one frame holds; saturated and missing pixels are counted, and missing ones left out.

    :param region: settings of a rectangle or of an arc, as cameras take them.
    """
    true, frame = _image(run, name, index, frames)
    spans = area_region(name, "the region", dict(region), frame.shape).spans((frame.shape[0], frame.shape[1]))
    missing = saturated = 0
    if frame.dtype.kind == "f":
        # The sums leave out what is not a number.
        missing = sum(int(np.isnan(frame[row, a:b]).sum()) for row, a, b in spans)
        # Compiled sums know no halves.
        frame = frame.astype(np.float32) if frame.dtype.itemsize < 4 else frame
    elif frame.dtype.kind in "iu":
        fill = run[name].spec.fill
        count = sum(int((frame[row, a:b] == fill).sum()) for row, a, b in spans)
        if frame.dtype.itemsize > 2 or status_of(run, name, true) == STATUS_MISSING:
            missing = count
            frame = np.where(frame == fill, np.nan, frame.astype(np.float64)) if count else frame
        elif frame.dtype.kind == "u":
            saturated = count
    found = region_statistics(frame, spans)
    return {
        "index": true,
        "count": found.pixels,
        "sum": number(found.total),
        "mean": number(found.mean),
        "std": number(found.std),
        "min": number(found.least),
        "max": number(found.most),
        "saturated": saturated,
        "missing": missing,
    }


def profile(
    run: Run,
    identity: str,
    name: str,
    index: int,
    ends: tuple[float, float, float, float],
    width: int,
    frames: Frames,
) -> bytes:
    """Values along a line, one a pixel of its length; each the mean over its width.

    :param ends: x0, y0, x1, y1; pixel k's middle is at k. What lies outside the frame is NaN.
    :param width: pixels.
    """
    if not all(map(math.isfinite, ends)) or not 1 <= width <= WIDEST:
        raise InvalidInput("That is no line.", hint=f"Give two points, and a width of 1 to {WIDEST} pixels.")
    length = math.hypot(ends[2] - ends[0], ends[3] - ends[1])
    if length > LONGEST:
        raise InvalidInput("The line is too long.", hint=f"At most {LONGEST} pixels.")
    true, frame = _image(run, name, index, frames)
    steps = max(2, round(length) + 1)
    t = np.linspace(0.0, 1.0, steps)
    x, y = ends[0] + (ends[2] - ends[0]) * t, ends[1] + (ends[3] - ends[1]) * t
    along = (0.0, 0.0) if length == 0 else ((ends[1] - ends[3]) / length, (ends[2] - ends[0]) / length)
    offsets = np.arange(width) - (width - 1) / 2
    columns = np.rint(x[:, None] + along[0] * offsets).astype(np.int64)
    rows = np.rint(y[:, None] + along[1] * offsets).astype(np.int64)
    inside = (columns >= 0) & (columns < frame.shape[1]) & (rows >= 0) & (rows < frame.shape[0])
    values = np.where(inside, frame[np.where(inside, rows, 0), np.where(inside, columns, 0)].astype(np.float64), np.nan)
    if frame.dtype.kind in "iu" and frame.dtype.itemsize > 1:
        values[values == run[name].spec.fill] = np.nan
    counts = np.isfinite(values).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, np.nansum(values, axis=1) / counts, np.nan)
    header = {"run": identity, "channel": name, "index": true, "ends": list(ends), "unit": run[name].unit}
    return pack(header, {"distance": t * length, "value": means})


def _image(run: Run, name: str, index: int, frames: Frames) -> tuple[int, NDArray[Any]]:
    true, frame = frames.read(run, name, index)
    if frame.ndim != 2:
        raise NotFound(f"{name} has no images.", hint="Regions and profiles are of images.")
    return true, frame
