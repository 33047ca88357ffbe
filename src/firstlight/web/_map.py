"""Maps: a counter over two axes, as an image where the points lie on a mesh, else as points or binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Run
from firstlight.model import InvalidInput, NotFound
from firstlight.web._curve import Column, Columns
from firstlight.web._mesh import Grid, cells, grid
from firstlight.web._payload import number, pack

POINTS = 100_000
"""Points that a browser draws by themselves; more are binned."""
LARGEST = 2048
"""Cells of a map on a side."""
CELLS = (512, 512)
"""Into which scattered points are binned unless told otherwise."""


@dataclass(frozen=True, slots=True)
class MapLook:
    """What a map shows.

    :param x: channel along the screen; the inner axis of the run when None.
    :param y: channel up the screen; the next outer one when None.
    :param view: x0, y0, x1, y1: positions between which it is looked at; all when None.
    :param px: cells along x and y, at most; of a mesh all up to 2048 when None, of scattered points 512.
    :param norm: channel by which the values are divided.
    :param at: of a mesh of more than two axes the step of each other one, outermost first; where the newest point is
        when None.
    """

    z: str
    x: str | None = None
    y: str | None = None
    view: tuple[float, float, float, float] | None = None
    px: tuple[int, int] | None = None
    reduce: str = "mean"
    norm: str | None = None
    at: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.px is not None and not all(1 <= side <= LARGEST for side in self.px):
            raise InvalidInput("A map of that size cannot be sent.", hint=f"Ask for 1 to {LARGEST} on each side.")
        if self.view is not None and not (
            np.isfinite(self.view).all() and self.view[0] < self.view[2] and self.view[1] < self.view[3]
        ):
            raise InvalidInput("The part shown is empty.", hint="Give x0, y0, x1, y1 with x0 < x1 and y0 < y1.")


def draw(run: Run, identity: str, look: MapLook, columns: Columns, extra: dict[str, Any]) -> bytes:
    """The payload of a map so far."""
    x_name, y_name = _axes(run, look)
    dimensions = _dimensions(run)
    y_at, x_at = dimensions.get(y_name), dimensions.get(x_name)
    z = _values(run, look, columns)
    header: dict[str, Any] = {
        "lost": 0,
        **extra,
        "run": identity,
        "total": run.info.npoints,
        "z": {"name": look.z, "unit": "" if look.norm else run[look.z].unit},
    }
    if y_at is not None and x_at is not None and y_at != x_at and run.info.shape[x_at] > 1:
        named = {d: columns.of(run, name) for name, d in dimensions.items()}
        count = min(len(z), *(len(column.channel) for column in named.values()))
        places = {d: _doubles(column, count) for d, column in named.items()}
        shape = run.info.shape
        planned = {d: _planned(run, name) for name, d in dimensions.items()}
        every = range(len(shape))
        found = grid([places.get(d) for d in every], z[:count], shape, [planned.get(d) for d in every])
        facts, arrays = _meshed(run, found, (y_at, x_at), look)
    else:
        if look.at:
            raise InvalidInput(f"{x_name} and {y_name} are no mesh.", hint="Choose axes of the scan, or no plane.")
        x, y = (columns.of(run, name) for name in (x_name, y_name))
        count = min(len(z), len(x.channel), len(y.channel))
        facts, arrays = _scattered(_doubles(x, count), _doubles(y, count), z[:count], look)
    header |= {"count": count, "planes": [], **facts}
    for side, name in (("x", x_name), ("y", y_name)):
        header[side] = {**_plain(header[side]), "name": name, "unit": run[name].unit}
    return pack(header, arrays)


_Drawn = tuple[dict[str, Any], dict[str, NDArray[np.float32]]]


def _meshed(run: Run, found: Grid, axes: tuple[int, int], look: MapLook) -> _Drawn:
    """A plane of a mesh: what of it is looked at, binned where it has more cells than can be shown."""
    y_at, x_at = axes
    image, chosen = found.plane(y_at, x_at, look.at)
    sides, bins = [], []
    most = look.px or (LARGEST, LARGEST)
    for d, low, high in ((x_at, 0, 2), (y_at, 1, 3)):
        steps = found.steps(d)
        first, last = _seen(steps, look.view[low], look.view[high]) if look.view is not None else (0, len(steps))
        factor = max(1, -(-(last - first) // most[low]))
        n = -(-(last - first) // factor)
        step = (found.ends[d][1] - found.ends[d][0]) / max(1, len(steps) - 1)
        begin = float(steps[first]) + step * (factor - 1) / 2
        sides.append({"start": begin, "stop": begin + step * factor * (n - 1), "n": n})
        bins.append((first, last, factor))
    (x0, x1, fx), (y0, y1, fy) = bins
    image32 = cells(image[y0:y1, x0:x1], fy, fx, look.reduce)
    names = {d: name for name, d in _dimensions(run).items()}
    others = [d for d in range(found.values.ndim) if d not in axes]
    planes = [
        {
            "name": names.get(d, ""),
            "unit": run[names[d]].unit if d in names else "",
            "n": found.values.shape[d],
            "index": k,
            "position": number(found.steps(d)[k]) if d in names else None,
        }
        for d, k in zip(others, chosen, strict=True)
    ]
    facts = {
        "regular": True,
        "binned": fx > 1 or fy > 1,
        "range": _range(image32),
        "x": sides[0],
        "y": sides[1],
        "bin": [fx, fy],
        "planes": planes,
    }
    return facts, {"image": image32}


def _scattered(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], look: MapLook) -> _Drawn:
    """Points as they are, or their cells when there are many."""
    if len(z) <= POINTS:
        sides = [{"start": a[0], "stop": a[1], "n": 0} for a in (_ends(x), _ends(y))]
        facts = {
            "regular": False,
            "binned": False,
            "points": len(z),
            "range": _range(z),
            "x": sides[0],
            "y": sides[1],
        }
        return facts, {"x": x.astype(np.float32), "y": y.astype(np.float32), "z": z.astype(np.float32)}
    (x0, x1), (y0, y1) = _ends(x), _ends(y)
    bounds = look.view or (x0, y0, x1, y1)
    px = look.px or CELLS
    image = binned(x, y, z, bounds, px, look.reduce)
    half = ((bounds[2] - bounds[0]) / px[0] / 2, (bounds[3] - bounds[1]) / px[1] / 2)
    facts = {
        "regular": True,
        "binned": True,
        "range": _range(image),
        "points": len(z),
        "x": {"start": bounds[0] + half[0], "stop": bounds[2] - half[0], "n": px[0]},
        "y": {"start": bounds[1] + half[1], "stop": bounds[3] - half[1], "n": px[1]},
    }
    return facts, {"image": image}


def _values(run: Run, look: MapLook, columns: Columns) -> NDArray[np.float64]:
    read = [columns.of(run, name) for name in (look.z, *([look.norm] if look.norm else []))]
    count = min(len(column.channel) for column in read)
    z = _doubles(read[0], count)
    if not look.norm:
        return z
    monitor = _doubles(read[1], count)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(monitor != 0, z / monitor, np.nan)


def _dimensions(run: Run) -> dict[str, int]:
    """Of each axis of a mesh its dimension; of axes that move together only the last one has it."""
    axes, shape = run.info.axes, run.info.shape
    if len(shape) < 2:
        return {}
    return {name: len(shape) - 1 - k for k, name in enumerate(reversed(axes[-len(shape) :]))}


def _seen(steps: NDArray[np.float64], low: float, high: float) -> tuple[int, int]:
    """First step that is looked at, and the one after the last; at least one."""
    half = abs(steps[-1] - steps[0]) / max(1, len(steps) - 1) / 2
    inside = np.flatnonzero((steps >= low - half) & (steps <= high + half))
    if not inside.size:
        nearest = int(np.abs(steps - (low + high) / 2).argmin())
        return nearest, nearest + 1
    return int(inside[0]), int(inside[-1]) + 1


def _doubles(column: Column, count: int) -> NDArray[np.float64]:
    return np.asarray(column.read(count), np.float64)


def _plain(side: dict[str, Any]) -> dict[str, Any]:
    return {key: number(value) for key, value in side.items()}


def binned(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    bounds: tuple[float, float, float, float],
    px: tuple[int, int],
    reduce: str,
) -> NDArray[np.float32]:
    """Scattered points in cells: their mean, largest or sum; NaN where there is none.

    :param bounds: x0, y0, x1, y1.
    :param px: cells along x and along y.
    """
    width, height = px
    with np.errstate(invalid="ignore"):
        column = np.floor((x - bounds[0]) / (bounds[2] - bounds[0]) * width)
        row = np.floor((y - bounds[1]) / (bounds[3] - bounds[1]) * height)
        # The last cells hold their upper edges.
        column = np.where(x == bounds[2], width - 1, column)
        row = np.where(y == bounds[3], height - 1, row)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & np.isfinite(z)
    cell = (row[inside] * width + column[inside]).astype(np.int64)
    values = z[inside]
    counts = np.bincount(cell, minlength=width * height)
    if reduce == "max":
        out = np.full(width * height, -np.inf)
        np.maximum.at(out, cell, values)
    else:
        out = np.bincount(cell, values, minlength=width * height)
        if reduce == "mean":
            with np.errstate(invalid="ignore", divide="ignore"):
                out = out / counts
    return np.where(counts > 0, out, np.nan).astype(np.float32).reshape(height, width)


def _axes(run: Run, look: MapLook) -> tuple[str, str]:
    axes = run.info.axes
    x = look.x or (axes[-1] if axes else None)
    y = look.y or next((axis for axis in reversed(axes) if axis != x), None)
    if x is None or y is None:
        raise NotFound("The run moves fewer than two axes.", hint="Show it as a curve, or name x and y.")
    return x, y


def _planned(run: Run, axis: str) -> tuple[float, float] | None:
    """Start and stop of an axis as the run's own path says."""

    def search(value: Any) -> tuple[float, float] | None:
        if isinstance(value, dict):
            if value.get("axis") == axis and isinstance(value.get("start"), int | float):
                stop = value.get("stop")
                return (float(value["start"]), float(stop)) if isinstance(stop, int | float) else None
            value = list(value.values())
        if isinstance(value, list | tuple):
            return next((found for part in value if (found := search(part)) is not None), None)
        return None

    return search(run.info.parameters)


def _range(values: NDArray[Any]) -> list[float] | None:
    there = values[np.isfinite(values)]
    return [float(there.min()), float(there.max())] if there.size else None


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    if not there.size:
        return 0.0, 1.0
    low, high = float(there.min()), float(there.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)
