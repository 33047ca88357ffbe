"""NumPy's indexing, turned into reads of consecutive items.

Only the first index selects items; the others apply to each item and are left to NumPy. Long selections are read in
portions, so that ``frames[:, 256]`` of a scan larger than memory needs room for its result only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput

PORTION = 64 << 20
"""Bytes read at once when only a part of each item is wanted."""

GAP = 64 << 10
"""Bytes that are rather read and thrown away than skipped by a read of their own."""

Read = Callable[[int, int], NDArray[Any]]


def split(key: Any, dimensions: int) -> tuple[Any, tuple[Any, ...]]:
    """The index of the items, and the indices that apply within each.

    :param dimensions: dimensions of the whole channel, one more than an item has.
    :raises InvalidInput: when there are more indices than dimensions.
    """
    if not isinstance(key, tuple):
        return (slice(None), ()) if key is Ellipsis else (key, ())
    parts = list(key)
    if not parts:
        return slice(None), ()
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if used > dimensions:
        raise InvalidInput(f"{used} indices were given, the channel has {dimensions} dimensions.")
    spots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if len(spots) > 1:
        raise InvalidInput("An index can contain one '...' only.")
    if spots:
        parts[spots[0] : spots[0] + 1] = [slice(None)] * (dimensions - used)
    if parts and parts[0] is None:
        raise InvalidInput("A new axis can not come before the items.", hint="Write channel[:][None].")
    return (parts[0] if parts else slice(None)), tuple(parts[1:])


def as_indices(key: Any, count: int) -> NDArray[np.int64]:
    """Indices meant by a list, an array of integers or a mask over ``count`` items; negative ones count from the end.

    :raises InvalidInput: when it is none of these.
    """
    wanted = np.asarray(key)
    if wanted.dtype == bool:
        if wanted.shape != (count,):
            raise InvalidInput(f"A mask of shape {wanted.shape} does not fit {count} items.")
        return np.flatnonzero(wanted)
    if wanted.size == 0:
        return np.zeros(wanted.shape, dtype=np.int64)
    if wanted.dtype.kind not in "iu":
        raise InvalidInput(f"{key!r} is not an index.", hint="Use an integer, a slice, a list of integers or a mask.")
    found = wanted.astype(np.int64)
    return np.where(found < 0, found + count, found)


def read_slice(read: Read, wanted: range, rest: tuple[Any, ...], item: tuple[tuple[int, ...], np.dtype[Any]]) -> Any:
    """Items of a slice, and within each of them what ``rest`` asks for.

    :param item: shape and dtype of one item.
    """
    shape, dtype = item
    if len(wanted) == 0:
        return np.empty((0, *shape), dtype=dtype)[(slice(None), *rest)]
    backwards = wanted.step < 0
    forwards = wanted[::-1] if backwards else wanted
    nbytes = max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    parts = []
    for portion in _portions(forwards, nbytes, whole=not rest):
        if portion.step == 1 or (portion.step - 1) * nbytes <= GAP:
            block = read(portion.start, portion[-1] + 1)[:: portion.step]
        else:
            block = np.concatenate([read(i, i + 1) for i in portion])
        parts.append(np.ascontiguousarray(block[(slice(None), *rest)]) if rest else block)
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    if backwards:
        values = values[::-1]
    return values if values.flags.c_contiguous else np.ascontiguousarray(values)


def read_list(
    read: Read, wanted: NDArray[np.int64], rest: tuple[Any, ...], item: tuple[tuple[int, ...], np.dtype[Any]]
) -> Any:
    """Items of a list of indices in its order, repetitions included; ``rest`` combines with it as in NumPy."""
    shape, dtype = item
    unique, place = np.unique(wanted, return_inverse=True)
    block = np.empty((len(unique), *shape), dtype=dtype)
    nbytes = max(1, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
    for start, stop in _groups(unique, max(1, GAP // nbytes)):
        span = unique[start:stop]
        block[start:stop] = read(int(span[0]), int(span[-1]) + 1)[span - span[0]]
    return block[(place.reshape(wanted.shape), *rest)]


def _portions(wanted: range, nbytes: int, *, whole: bool) -> Iterator[range]:
    step = len(wanted) if whole and wanted.step == 1 else max(1, PORTION // (nbytes * wanted.step))
    for start in range(0, len(wanted), step):
        yield wanted[start : start + step]


def _groups(unique: NDArray[np.int64], gap: int) -> Iterator[tuple[int, int]]:
    """Runs of sorted indices whose neighbours are at most ``gap`` items apart."""
    if len(unique) == 0:
        return
    cuts = np.flatnonzero(np.diff(unique) > gap) + 1
    edges = [0, *cuts.tolist(), len(unique)]
    yield from pairwise(edges)
