"""Maps: a counter over two axes, as an image where the points lie on a mesh, else as points or binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Run
from firstlight.model import InvalidInput, NotFound
from firstlight.web._curve import Columns
from firstlight.web._payload import number, pack

POINTS = 20_000
"""Points that a browser draws by themselves; more are binned."""
LARGEST = 2048


@dataclass(frozen=True, slots=True)
class MapLook:
    """What a map shows.

    :param x: channel along the screen; the inner axis of the run when None.
    :param y: channel up the screen; the next outer one when None.
    :param norm: channel by which the values are divided.
    """

    z: str
    x: str | None = None
    y: str | None = None
    view: tuple[float, float, float, float] | None = None
    px: tuple[int, int] = (512, 512)
    reduce: str = "mean"
    norm: str | None = None

    def __post_init__(self) -> None:
        if not all(1 <= side <= LARGEST for side in self.px):
            raise InvalidInput("A map of that size cannot be sent.", hint=f"Ask for 1 to {LARGEST} on each side.")
        if self.view is not None and not (
            np.isfinite(self.view).all() and self.view[0] < self.view[2] and self.view[1] < self.view[3]
        ):
            raise InvalidInput("The part shown is empty.", hint="Give x0, y0, x1, y1 with x0 < x1 and y0 < y1.")


def draw(run: Run, identity: str, look: MapLook, columns: Columns, extra: dict[str, Any]) -> bytes:
    """The payload of a map so far."""
    x_name, y_name = _axes(run, look)
    read = [columns.of(run, name) for name in (x_name, y_name, look.z, *([look.norm] if look.norm else []))]
    count = min(len(column.channel) for column in read)
    x, y, z = (np.asarray(column.read(count), np.float64) for column in read[:3])
    if look.norm:
        monitor = np.asarray(read[3].read(count), np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(monitor != 0, z / monitor, np.nan)
    shape = run.info.shape
    header = {
        **extra,
        "run": identity,
        "count": count,
        "total": run.info.npoints,
        "z": {"name": look.z, "unit": "" if look.norm else run[look.z].unit},
    }
    # Of more axes, only the two innermost make the rows and columns of the mesh.
    ours = tuple(run.info.axes[-2:]) == (y_name, x_name)
    if len(shape) >= 2 and ours and shape[-1] > 1:
        image, along, up = mesh(x, y, z, (shape[-2], shape[-1]), _planned(run, y_name))
        arrays = {"image": image}
        header |= {"regular": True, "binned": False, "range": _range(image)}
        sides = (
            {"start": along[0], "stop": along[1], "n": shape[-1]},
            {"start": up[0], "stop": up[1], "n": shape[-2]},
        )
    elif count <= POINTS:
        arrays = {"x": x.astype(np.float32), "y": y.astype(np.float32), "z": z.astype(np.float32)}
        header |= {"regular": False, "points": count, "range": _range(z)}
        sides = tuple({"start": a[0], "stop": a[1], "n": 0} for a in (_ends(x), _ends(y)))  # type: ignore[assignment]
    else:
        box = look.view or (*_ends(x), *_ends(y))
        bounds = box if look.view is not None else (box[0], box[2], box[1], box[3])
        image = binned(x, y, z, bounds, look.px, look.reduce)
        arrays = {"image": image}
        header |= {"regular": True, "binned": True, "range": _range(image), "points": count}
        half = ((bounds[2] - bounds[0]) / look.px[0] / 2, (bounds[3] - bounds[1]) / look.px[1] / 2)
        sides = (
            {"start": bounds[0] + half[0], "stop": bounds[2] - half[0], "n": look.px[0]},
            {"start": bounds[1] + half[1], "stop": bounds[3] - half[1], "n": look.px[1]},
        )
    for side, name, values in zip(("x", "y"), (x_name, y_name), sides, strict=True):
        header[side] = {**{k: number(v) for k, v in values.items()}, "name": name, "unit": run[name].unit}
    return pack({"lost": 0, **header}, arrays)


def mesh(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    shape: tuple[int, int],
    planned: tuple[float, float] | None = None,
) -> tuple[NDArray[np.float32], tuple[float, float], tuple[float, float]]:
    """Points in the order of acquisition as an image whose first row and column are the first positions.

    Rows that were gone through backwards are turned round; which they are is seen from the positions, so that no
    description is needed. What is not measured yet is NaN. Of several planes the newest is shown.

    :param shape: rows, columns.
    :param planned: first and last position of the rows, where they are known before they were visited.
    :returns: the image, the positions of the middles of the first and last column, and of the first and last row.
    """
    rows, columns = shape
    plane = max(0, (len(z) - 1) // (rows * columns)) * rows * columns
    x, y, z = x[plane:], y[plane:], z[plane:]
    image = np.full((rows, columns), np.nan, np.float32)
    if not len(z):
        return image, (0.0, 1.0), planned or (0.0, 1.0)
    filled = np.full(rows * columns, np.nan)
    filled[: len(z)] = z
    places = np.full(rows * columns, np.nan)
    places[: len(x)] = x
    grid, at = filled.reshape(rows, columns), places.reshape(rows, columns)
    first, last = _row_ends(at[0], columns)
    for row in range(-(-len(z) // columns)):
        there = at[row][np.isfinite(at[row])]
        if not there.size:
            continue
        # By where the row begins: near the end of the first row it goes back.
        back = abs(there[0] - last) < abs(there[0] - first)
        image[row] = grid[row][::-1] if back else grid[row]
    done = -(-len(y) // columns)
    heights = [float(np.mean(y[row * columns : (row + 1) * columns])) for row in range(done)]
    if done > 1:
        up = (heights[0], heights[0] + (heights[-1] - heights[0]) / (done - 1) * (rows - 1))
    elif planned is not None:
        up = (heights[0], heights[0] + planned[1] - planned[0])
    else:
        up = (heights[0], heights[0] + (rows - 1))
    return image, (first, last), up


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


def _row_ends(row: NDArray[np.float64], columns: int) -> tuple[float, float]:
    """First and last position of a whole row, from as much of it as is there."""
    there = np.flatnonzero(np.isfinite(row))
    if there.size == 0:
        return 0.0, 1.0
    if there.size == 1:
        return float(row[there[0]]), float(row[there[0]]) + columns - 1
    step = (row[there[-1]] - row[there[0]]) / (there[-1] - there[0])
    return float(row[there[0]]), float(row[there[0]] + step * (columns - 1))


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
