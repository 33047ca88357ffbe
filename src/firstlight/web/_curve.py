"""Curves: numbers against numbers, as many as a screen can show, spikes included."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Channel, Run
from firstlight.model import ChannelRole, InvalidInput
from firstlight.web._payload import pack, real
from firstlight.web._reduce import minmax
from firstlight.web._runs import scalar

CURVES = 16
"""Curves of one plot."""
WIDEST = 8192
_KEPT = 64
_ROOM = 512 << 20
"""Bytes of values that are kept between two looks."""


@dataclass
class Column:
    """The values of a channel so far: read once, each item."""

    channel: Channel
    count: int = 0
    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, stop: int) -> NDArray[Any]:
        """The first ``stop`` items; the array may not be written to."""
        with self.lock:
            if stop > self.count:
                fresh = np.asarray(self.channel[self.count : stop])
                if self.count == 0:
                    self.values = np.empty(0, fresh.dtype)
                if stop > len(self.values):
                    grown = np.empty(max(stop, 2 * len(self.values), 1024), fresh.dtype)
                    grown[: self.count] = self.values[: self.count]
                    self.values = grown
                self.values[self.count : stop] = fresh
                self.count = stop
            return self.values[:stop]


class Columns:
    """Columns that were looked at lately; any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str], Column] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: Run, name: str) -> Column:
        """The column of a channel.

        :raises NotFound: when it is none of plain numbers.
        """
        channel = real(scalar(run, name))
        key = (id(run), name)
        with self._lock:
            column = self._kept.get(key)
            # An id may come again: the run that it was is asked for.
            if column is None or column.channel.run is not run:
                column = self._kept[key] = Column(channel)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT or (
                len(self._kept) > 1 and sum(c.values.nbytes for c in self._kept.values()) > _ROOM
            ):
                self._kept.popitem(last=False)
            return column


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plot shows.

    :param x: channel; None for the number of the point.
    :param view: positions between which it is looked at; None for all.
    :param px: width of the plot in pixels.
    :param norm: channel by which every curve is divided.
    :param derivative: the slope of each curve, per unit of x, in place of its values.
    """

    x: str | None
    y: tuple[str, ...]
    view: tuple[float, float] | None = None
    px: int = 1600
    norm: str | None = None
    derivative: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.y) <= CURVES:
            raise InvalidInput(f"{len(self.y)} curves cannot be shown.", hint=f"Choose 1 to {CURVES} channels.")
        if not 1 <= self.px <= WIDEST:
            raise InvalidInput(f"A plot of {self.px} pixels cannot be drawn.", hint=f"Ask for 1 to {WIDEST}.")
        if self.view is not None and not (np.isfinite(self.view).all() and self.view[0] < self.view[1]):
            raise InvalidInput("The range shown is empty.", hint="Give two numbers, the smaller one first.")


def names(wanted: Wanted) -> Sequence[str]:
    """Channels that it needs."""
    return [*([wanted.x] if wanted.x is not None else []), *wanted.y, *([wanted.norm] if wanted.norm else [])]


def points(run: Run, wanted: Wanted) -> int:
    """Points that all its channels have."""
    return min(len(scalar(run, name)) for name in names(wanted))


def curve(run: Run, identity: str, wanted: Wanted, columns: Columns, extra: dict[str, Any]) -> bytes:
    """The payload of a plot.

    :param extra: added to the header.
    """
    count = points(run, wanted)
    x = np.arange(count, dtype=np.float64) if wanted.x is None else _floats(columns.of(run, wanted.x).read(count))
    ys = [columns.of(run, name).read(count) for name in wanted.y]
    if wanted.norm:
        monitor = _floats(columns.of(run, wanted.norm).read(count))
        with np.errstate(divide="ignore", invalid="ignore"):
            ys = [np.where(monitor != 0, y / monitor, np.nan) for y in ys]
    if wanted.derivative:
        # Of all points, before any of them is left out.
        ys = [_slope(x, y) for y in ys]
    if wanted.view is not None:
        x, ys = _seen(x, ys, wanted.view)
    chosen = minmax(x, ys, wanted.px)
    if chosen is not None:
        x, ys = x[chosen], [y[chosen] for y in ys]
    specs = {name: run[name].spec for name in names(wanted)}
    along = specs[wanted.x] if wanted.x is not None else None
    header = {
        **extra,
        "run": identity,
        "count": count,
        "total": run.info.npoints,
        "reduced": chosen is not None,
        "sealed": all(run[name].sealed for name in names(wanted)),
        "view": list(wanted.view) if wanted.view else None,
        "x": {
            "name": wanted.x or "point",
            "unit": along.unit if along else "",
            "kind": "time" if along is not None and along.role is ChannelRole.TIME else "number",
        },
        "y": [
            {"name": name, "unit": "" if wanted.norm or wanted.derivative else specs[name].unit} for name in wanted.y
        ],
    }
    return pack({"lost": 0, **header}, {"x": x, **{f"y{k}": _small(y) for k, y in enumerate(ys)}})


def _slope(x: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
    if len(x) < 2:
        return np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.gradient(_floats(y), x)
    return np.where(np.isfinite(slope), slope, np.nan)


def _seen(x: NDArray[np.float64], ys: list[NDArray[Any]], view: tuple[float, float]) -> tuple[Any, list[Any]]:
    """Points in the view, and the neighbour on either side, so that lines lead out of it."""
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero((x >= view[0]) & (x <= view[1]))
    if not inside.size:
        # Nothing is in it, but a line may pass: the last point before and the first one after.
        crossing = np.flatnonzero(np.diff(np.signbit(x - view[0]).astype(np.int8)) != 0)[:2]
        chosen = np.unique(np.concatenate([crossing, crossing + 1]))
        return x[chosen], [y[chosen] for y in ys]
    window = slice(max(0, inside[0] - 1), inside[-1] + 2)
    return x[window], [y[window] for y in ys]


def _floats(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)


def _small(values: NDArray[Any]) -> NDArray[Any]:
    # Doubles where the digits count; the page draws them all the same.
    return values.astype(np.float64) if values.dtype.kind in "iub" and values.dtype.itemsize == 8 else values
