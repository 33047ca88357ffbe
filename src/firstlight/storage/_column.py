"""Datasets that grow: HDF5's low-level calls, 23 µs an append where ``resize`` and assignment take 94."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec, missing_value

_SMALLEST = 512
_LARGEST = 2**20


def chunk_items(item_nbytes: int, *, rate: float, expected: int | None) -> int:
    """Items in one chunk.

    A chunk that is not full is written again at every flush, and takes its whole size in the file: it should hold
    about what comes in a second, no more than the run will bring, at least 512 bytes and at most 1 MiB.

    :param rate: items per second, as far as known.
    :param expected: items of the whole run, None when open.
    """
    item = max(1, item_nbytes)
    smallest = max(1, _SMALLEST // item)
    largest = max(1, _LARGEST // item)
    wanted = 2 ** math.ceil(math.log2(rate)) if rate > 1 else 1
    if expected:
        wanted = min(wanted, expected)
        smallest = min(smallest, expected)
    return int(min(max(wanted, smallest), largest))


class Column:
    """One dataset that grows along its first dimension.

    :param group: where it is created.
    :param item: shape of one row.
    :param chunk: rows in one chunk.
    """

    def __init__(self, group: h5py.Group, name: str, dtype: np.dtype[Any], item: tuple[int, ...], chunk: int) -> None:
        self.count = 0
        self._item = item
        self._zeros = (0,) * len(item)
        self._dtype = storable(dtype)
        self._type = h5py.h5t.py_create(self._dtype, logical=True)
        self._memory = h5py.h5t.py_create(self._dtype)
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((chunk, *(max(1, n) for n in item)))
        fill = missing_value(self._dtype)
        if fill:
            plan.set_fill_value(np.array(fill, dtype=self._dtype))
        space = h5py.h5s.create_simple((0, *item), (h5py.h5s.UNLIMITED, *item))
        access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
        # Appends touch the newest chunk only, so that one is kept and no more.
        access.set_chunk_cache(7, 2 * chunk * max(1, self._dtype.itemsize * math.prod(item)), 1.0)
        self.id = h5py.h5d.create(group.id, name.encode(), self._type, space, plan, dapl=access)

    @property
    def dataset(self) -> h5py.Dataset:
        """The dataset, for attributes."""
        return h5py.Dataset(self.id)

    def append(self, values: NDArray[Any]) -> None:
        """Add rows.

        :param values: array ``(n, *item)``.
        """
        rows = len(values)
        if not rows:
            return
        values = np.ascontiguousarray(as_storable(values, self._dtype))
        first, self.count = self.count, self.count + rows
        self.id.set_extent((self.count, *self._item))
        there = self.id.get_space()
        there.select_hyperslab((first, *self._zeros), (rows, *self._item))
        here = h5py.h5s.create_simple((rows, *self._item))
        self.id.write(here, there, values, self._memory)


def storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in the file: text of fixed width becomes UTF-8 bytes, times become integers, the rest stays."""
    if dtype.kind == "U":
        return np.dtype(f"S{max(1, dtype.itemsize)}")  # four bytes a character, as UTF-8 needs at most
    if dtype.kind in "mM":
        return np.dtype("<i8")
    return dtype


def as_storable(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values in the type of the file."""
    if values.dtype.kind == "U":
        return np.char.encode(values, "utf-8").astype(dtype)
    if values.dtype.kind in "mM":
        return values.view("<i8")
    return values.astype(dtype, copy=False)


def as_declared(values: NDArray[Any], spec: ChannelSpec) -> NDArray[Any]:
    """Values as the channel declares them, from those of the file; the inverse of :func:`as_storable`."""
    dtype = np.dtype(spec.dtype)
    if values.dtype == dtype:
        return values
    if dtype.kind == "U" and values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(dtype)
    if dtype.kind in "mM" and values.dtype.kind == "i":
        return values.view(dtype)
    return values.astype(dtype)
