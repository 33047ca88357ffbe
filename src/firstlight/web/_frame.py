"""Frames: what a view can show of one, as true values or as grey levels; the same for a live run and an old file."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Channel, Run
from firstlight.model import STATUS_MISSING, ChannelKind, DataError, InvalidInput, NotFound
from firstlight.web._payload import number, pack, real
from firstlight.web._reduce import Reduce, Scale, bin_frame, jpeg, quantiles, to_bytes

LARGEST = 4096
"""Pixels of a view on a side."""
STACK = 64 << 20
"""Bytes of spectra that are read for one picture."""
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Look:
    """How a frame is looked at.

    :param view: x0, y0, x1, y1: edges in pixels of the whole frame; None for all of it.
    :param px: width and height of what shows it.
    :param type: ``native`` values, ``u8`` grey levels, or ``jpeg``.
    :param low: value of level 0; the 1 % quantile when None.
    :param high: value of level 255; the 99.9 % quantile when None.
    :param slice: which plane of items of three dimensions.
    :param axis: the dimension that ``slice`` counts.
    :param stack: spectra: one row for each item.
    """

    view: tuple[float, float, float, float] | None = None
    px: tuple[int, int] = (1024, 1024)
    type: str = "native"
    reduce: Reduce = "max"
    scale: Scale = "linear"
    low: float | None = None
    high: float | None = None
    slice: int | None = None
    axis: int = 0
    stack: bool = False

    def __post_init__(self) -> None:
        if not all(1 <= side <= LARGEST for side in self.px):
            raise InvalidInput(f"A view of {self.px[0]} × {self.px[1]} pixels cannot be sent.",
                               hint=f"Ask for 1 to {LARGEST} on each side.")  # fmt: skip
        if self.view is not None and not (
            all(math.isfinite(edge) for edge in self.view)
            and self.view[0] < self.view[2]
            and self.view[1] < self.view[3]
        ):
            raise InvalidInput("The part shown is empty.", hint="Give x0, y0, x1, y1 with x0 < x1 and y0 < y1.")


class Frames:
    """Reads frames, and keeps the last ones: several viewers look at the same one, and zooming asks again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str, int], tuple[Channel, NDArray[Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, run: Run, name: str, index: int) -> tuple[int, NDArray[Any]]:
        """One item, and its true index.

        :param index: -1 for the newest.
        :raises NotFound: the channel has no frames or spectra.
        :raises DataError: the item is not there.
        """
        channel = real(run.channel(name))
        if channel.spec.kind is ChannelKind.RAGGED or not channel.spec.shape:
            raise NotFound(f"{name} has no frames.", hint="Show it as a curve.")
        if index < 0:
            newest = channel.latest()
            if newest is None:
                raise DataError(f"{name} has no frame yet.", hint="Wait for the first one.")
            return newest.index, np.asarray(newest.value)
        key = (id(run), name, index)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0].run is run:
                self._kept.move_to_end(key)
                return index, kept[1]
        frame = np.asarray(channel[index])
        with self._lock:
            self._kept[key] = (channel, frame)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return index, frame


def frame(run: Run, identity: str, name: str, index: int, look: Look, frames: Frames) -> tuple[bytes, bool]:
    """The payload of a view, and whether it will never be another: nothing that belongs to it is still to come."""
    channel = real(run.channel(name))
    if look.stack:
        whole, first = _stack(channel, look)
        true = len(channel) - 1
    else:
        true, whole = frames.read(run, name, index)
        first = 0
    plane = _plane(whole, name, look)
    height, width = (len(channel), plane.shape[1]) if look.stack else plane.shape
    x0, y0, x1, y1 = _edges(look, width, height)
    y0 = max(y0, first)
    factor = max(1, math.ceil((x1 - x0) / look.px[0]), math.ceil((y1 - y0) / look.px[1]))
    part = plane[y0 - first : y1 - first, x0:x1]
    status = status_of(run, name, true)
    top = _top(plane.dtype)
    # The largest number stands for missing frames, for masked pixels of counting detectors (32 bits), and for pixels of
    # cameras that are saturated: those must not vanish beside their neighbours.
    hidden = top if status == STATUS_MISSING or plane.dtype.itemsize > 2 else None
    seen = bin_frame(part, factor, look.reduce, hidden)
    levels = quantiles(plane, top)
    header = {
        "run": identity,
        "channel": name,
        "index": true,
        "count": len(channel),
        "view": [x0, y0, x1, y1],
        "bin": [factor, factor],
        "reduced": factor > 1,
        "reduce": look.reduce,
        "full": [height, width],
        "dtype": plane.dtype.str[1:],
        "unit": channel.spec.unit,
        "quantiles": {key: number(value) for key, value in levels.items()},
        "top": number(top) if top is not None else None,
        "missing": status == STATUS_MISSING,
        "status": status or 0,
        "time": _time(channel, true),
        "planes": list(whole.shape) if not look.stack and whole.ndim == 3 else None,
    }
    arrays = {"image": seen}
    if look.type != "native":
        low = look.low if look.low is not None else levels.get("0.01", 0.0)
        high = look.high if look.high is not None else levels.get("0.999", 1.0)
        grey = to_bytes(seen, low, high, look.scale)
        header |= {"low": low, "high": high, "scale": look.scale}
        arrays = {"image": grey} if look.type == "u8" else {"jpeg": np.frombuffer(jpeg(grey), np.uint8)}
        header["size"] = list(grey.shape)
    lasting = not look.stack and index >= 0 and status is not None
    return pack(header, arrays), lasting


def _top(dtype: np.dtype[Any]) -> int | None:
    """The largest number of an integer type that frames come in."""
    return int(np.iinfo(dtype).max) if dtype.kind == "u" else -1 if dtype.kind == "i" else None


def _plane(whole: NDArray[Any], name: str, look: Look) -> NDArray[Any]:
    if whole.ndim == 1:
        return whole[np.newaxis]
    if whole.ndim == 2:
        return whole
    if whole.ndim == 3:
        if not 0 <= look.axis <= 2:
            raise InvalidInput(f"{name} has no dimension {look.axis}.", hint="Choose axis 0, 1 or 2.")
        size = whole.shape[look.axis]
        at = size // 2 if look.slice is None else look.slice
        if not 0 <= at < size:
            raise InvalidInput(f"{name} has no slice {at}.", hint=f"It has 0 to {size - 1} along axis {look.axis}.")
        plane: NDArray[Any] = np.take(whole, at, look.axis)
        return plane
    raise NotFound(f"Items of {name} have {whole.ndim} dimensions.", hint="Items of one to three can be shown.")


def _stack(channel: Channel, look: Look) -> tuple[NDArray[Any], int]:
    """The spectra that the view shows, and the index of the first."""
    spec = channel.spec
    if spec.kind is ChannelKind.RAGGED or len(spec.shape) != 1:
        raise NotFound(f"{channel.name} has no spectra.", hint="Show it as an image or a curve.")
    count = len(channel)
    if count == 0:
        raise DataError(f"{channel.name} has no spectrum yet.", hint="Wait for the first one.")
    top = 0 if look.view is None else min(count - 1, max(0, math.floor(look.view[1])))
    bottom = count if look.view is None else min(count, max(top + 1, math.ceil(look.view[3])))
    most = max(1, STACK // max(1, spec.item_nbytes))
    # Too many to read: the newest ones of the view.
    top = max(top, bottom - most)
    return np.asarray(channel[top:bottom]), top


def _edges(look: Look, width: int, height: int) -> tuple[int, int, int, int]:
    if look.view is None:
        return 0, 0, width, height
    x0 = min(width - 1, max(0, math.floor(look.view[0])))
    y0 = min(height - 1, max(0, math.floor(look.view[1])))
    return x0, y0, min(width, max(x0 + 1, math.ceil(look.view[2]))), min(height, max(y0 + 1, math.ceil(look.view[3])))


def status_of(run: Run, name: str, index: int) -> int | None:
    """Of a frame, as its camera tells: 0 when it tells of none, None as long as it has not told of this one."""
    found = f"{name}:status"
    try:
        return int(run[found][index]) if found in run else 0
    except (DataError, IndexError):
        return None


def _time(channel: Channel, index: int) -> float | None:
    try:
        return number(channel.times(index, index + 1)[0])
    except (DataError, IndexError):
        return None
