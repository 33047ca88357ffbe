"""Runs as xarray datasets, with frames read when they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelRole, ChannelSpec, MissingExtra

if TYPE_CHECKING:
    import xarray

    from firstlight.data._channel import Channel
    from firstlight.data._run import Run

CHUNK = 16 << 20
"""Bytes of one dask chunk: at least one item."""


def to_xarray(run: Run) -> xarray.Dataset:
    """See :meth:`Run.to_xarray`.

    A line has the dimension ``point``, a mesh one dimension per axis, outermost first, with its positions as index
    (lines scanned back and forth are put in order). Acquired channels are cut to the points that all of them have;
    online results that lag, and points of a mesh that were not measured, hold the missing value of their type. Items
    with a shape are dask arrays. Ragged channels do not fit; ``attrs["left_out"]`` names them.
    """
    try:
        import dask.array  # noqa: F401
        import xarray
    except ImportError as error:
        raise MissingExtra(error.name or "xarray", "lab") from error
    info = run.info
    specs = run.specs()
    npoints = run.npoints
    axes = [a for a in info.axes if a in specs and not specs[a].shape]
    grid = _Grid.of(run, axes, npoints)
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    left_out: list[str] = []
    for name, spec in specs.items():
        channel = run[name]
        if channel.ragged:
            left_out.append(name)
            continue
        values = grid.place(_values(channel, min(npoints, len(channel))), spec)
        attrs = {"units": spec.unit} if spec.unit else {}
        variable = ((*grid.dims, *_item_dims(spec)), values, attrs)
        if name in grid.dims:
            coordinates[name] = (name, grid.levels[name], attrs)
            variables[f"{name}_position"] = variable
        elif name in axes or spec.role in (ChannelRole.AXIS, ChannelRole.TIME):
            coordinates[name] = variable
        else:
            variables[name] = variable
    about: dict[str, Any] = {"title": info.title, "start_epoch": info.start_epoch, "where": run.where}
    if left_out:
        about["left_out"] = left_out
    return xarray.Dataset(variables, coordinates, about)


def lazy(channel: Channel, count: int | None = None) -> Any:
    """The first ``count`` items as a dask array that reads when it is computed.

    :raises MissingExtra: when dask is not installed.
    """
    try:
        import dask.array
    except ImportError as error:
        raise MissingExtra("dask", "lab") from error
    array: Any = dask.array  # it has no types
    frozen = _Frozen(channel, len(channel) if count is None else count)
    rows = max(1, CHUNK // max(1, channel.spec.item_nbytes))
    return array.from_array(
        frozen,
        chunks=(rows, *channel.spec.shape),
        name=False,
        asarray=False,
        lock=False,
        meta=np.empty((0,) * channel.ndim, dtype=channel.dtype),
    )


class _Frozen:
    """A channel with the length that it had: dask's arrays do not grow."""

    def __init__(self, channel: Channel, count: int) -> None:
        self._channel = channel
        self.shape = (count, *channel.spec.shape)
        self.dtype = channel.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        return self._channel[key]


def _values(channel: Channel, count: int) -> Any:
    return lazy(channel, count) if channel.spec.shape else channel[:count]


def _item_dims(spec: ChannelSpec) -> tuple[str, ...]:
    words = {1: ("bin",), 2: ("row", "column")}.get(len(spec.shape))
    return tuple(f"{spec.name}_{w}" for w in words or (f"dim{i}" for i in range(len(spec.shape))))


class _Grid:
    """Where each point belongs: in a row, or in the cells of a mesh."""

    def __init__(self, npoints: int) -> None:
        self.dims: tuple[str, ...] = ("point",)
        self.shape: tuple[int, ...] = (npoints,)
        self.levels: dict[str, NDArray[np.float64]] = {}
        self._cells: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, run: Run, axes: list[str], npoints: int) -> _Grid:
        grid = cls(npoints)
        shape = run.info.shape
        if len(shape) < 2 or len(axes) != len(shape) or npoints == 0:
            return grid
        positions = [np.asarray(run[a][:npoints], dtype=np.float64) for a in axes]
        cells = _cells(positions, shape)
        grid.dims, grid.shape, grid._cells = tuple(axes), shape, cells
        for dimension, (axis, values) in enumerate(zip(axes, positions, strict=True)):
            place = np.unravel_index(cells, shape)[dimension]
            with np.errstate(invalid="ignore"):
                sums = np.bincount(place, weights=values, minlength=shape[dimension])
                grid.levels[axis] = sums / np.bincount(place, minlength=shape[dimension])
        return grid

    def place(self, values: Any, spec: ChannelSpec) -> Any:
        """Items in acquisition order, as many as there are points or fewer, put where they belong."""
        total = int(np.prod(self.shape, dtype=np.int64))
        count = len(values)
        if self._cells is None and count == total:
            return values
        source = np.full(total, count, dtype=np.int64)  # index `count` is one missing item behind the others
        source[np.arange(count) if self._cells is None else self._cells[:count]] = np.arange(count)
        if isinstance(values, np.ndarray):
            missing = np.full((1, *spec.shape), spec.fill, dtype=values.dtype)
            return np.concatenate([values, missing])[source].reshape(self.shape + spec.shape)
        if count < total:
            import dask.array

            array: Any = dask.array
            missing = array.full((1, *spec.shape), spec.fill, dtype=values.dtype)
            values = array.concatenate([values, missing])
        return values[source].reshape(self.shape + spec.shape)


def _cells(positions: list[NDArray[np.float64]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The cell of each point of a mesh, from where the axes were.

    The first point is a corner, and along each axis the cells are evenly spaced. Where positions do not tell (an axis
    that did not move), the order of acquisition does.
    """
    order = np.arange(len(positions[0]))
    plain = np.stack(np.unravel_index(order, shape))
    for dimension, (values, size) in enumerate(zip(positions, shape, strict=True)):
        if dimension == 0 or size < 2:
            continue
        line = int(np.prod(shape[dimension:], dtype=np.int64))
        step = line // size
        first = values[:line:step]
        if len(first) < size or np.any(np.diff(first) == 0):
            continue
        middle = (first[1:] + first[:-1]) / 2
        found = np.searchsorted(middle, values) if middle[-1] >= middle[0] else np.searchsorted(-middle, -values)
        plain[dimension] = found
    cells = np.ravel_multi_index(tuple(plain), shape)
    return cells if len(np.unique(cells)) == len(cells) else order
