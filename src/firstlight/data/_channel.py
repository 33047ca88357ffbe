"""One channel of a run: an array that may still grow."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from firstlight.data._follow import Follower, Latest, Watcher
from firstlight.data._resolver import Resolver
from firstlight.data._select import PORTION, as_indices, read_list, read_slice, split
from firstlight.data._source import Items, Stored
from firstlight.model import (
    Block,
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    InvalidInput,
    Ragged,
)

if TYPE_CHECKING:
    from firstlight.data._run import Run


class Channel:
    """Everything measured under one name, read like an array, live or from a file.

    Indexing follows NumPy: an integer gives one item, a slice or list several, more indices apply to each item.
    Slices are cut to what is there now; a single index beyond that raises the error that says why it is not there.
    What is returned is a copy and never changes.

    Channels are made by :class:`Run`.
    """

    __slots__ = ("_resolver", "name", "run")

    def __init__(self, run: Run, name: str, resolver: Resolver) -> None:
        self.run = run
        """The run it belongs to."""
        self.name = name
        """Its name in the run."""
        self._resolver = resolver

    @property
    def spec(self) -> ChannelSpec:
        """What the items are."""
        return self._resolver.spec(self.name)

    @property
    def unit(self) -> str:
        """Unit of the values, empty for plain numbers."""
        return self.spec.unit

    @property
    def role(self) -> ChannelRole:
        """What the channel means to plots and files."""
        return self.spec.role

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one value."""
        return np.dtype(self.spec.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Items there now, then the shape of one item; only the number of items for a ragged channel."""
        return (len(self), *self.spec.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions, the items included."""
        return 1 + len(self.spec.shape)

    @property
    def size(self) -> int:
        """Number of values there now (of items, for a ragged channel)."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def ragged(self) -> bool:
        """Whether items are 1-D arrays of varying length."""
        return self.spec.kind is ChannelKind.RAGGED

    @property
    def sealed(self) -> bool:
        """Whether no item will be added."""
        return self._resolver.sealed(self.name)

    @property
    def seal_reason(self) -> str:
        """Why the channel ended; empty for the ordinary end."""
        return self._resolver.seal_reason(self.name)

    @property
    def last(self) -> Any:
        """The newest item.

        :raises IndexNotYetThere: when there is none yet.
        :raises IndexNeverThere: when the channel ended empty.
        """
        return self[-1]

    def __len__(self) -> int:
        return self._resolver.count(self.name)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        spec = self.spec
        items, rest = split(key, self.ndim)
        if spec.kind is ChannelKind.RAGGED:
            return self._ragged(items)
        item = (spec.shape, np.dtype(spec.dtype))
        if isinstance(items, slice):
            return read_slice(self._array, range(*items.indices(len(self))), rest, item)
        if np.ndim(items) == 0 and not isinstance(items, bool | np.bool_):
            found = self._one(items)
            return found[rest] if rest else found
        return read_list(self._array, self._checked(as_indices(items, len(self))), rest, item)

    def __iter__(self) -> Iterator[Any]:
        """The items that are there now, one after the other; :meth:`follow` also gives those to come."""
        spec = self.spec
        portion = max(1, PORTION // max(1, spec.item_nbytes))
        for start in range(0, len(self), portion):
            yield from self._resolver.read(self.name, start, min(start + portion, len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A channel has no array of its own: reading it makes a copy.")
        if self.ragged:
            raise InvalidInput(f"{self.name} is ragged and does not fit one array.", hint="Use channel[:].values.")
        values: NDArray[Any] = self[:]
        return values if dtype is None else values.astype(dtype, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, (self.run, self.name)

    def __repr__(self) -> str:
        spec = self.spec
        shape = "ragged" if self.ragged else "×".join(str(n) for n in spec.shape) or "scalar"
        unit = f" {spec.unit}" if spec.unit else ""
        return f"<Channel {self.name}: {len(self)} items{'' if self.sealed else ' so far'}, {shape} {self.dtype}{unit}>"

    def __info__(self) -> str:
        """A summary for people: what it is, how much is there, the newest value."""
        spec = self.spec
        lines = [repr(self)[1:-1], f"  role {spec.role.value}" + (f", from {spec.source}" if spec.source else "")]
        if self.seal_reason:
            lines.append(f"  ended because {self.seal_reason}")
        if not spec.shape and not self.ragged and len(self):
            lines.append(f"  newest value {self.last} {spec.unit}".rstrip())
        return "\n".join(lines)

    def wait(self, count: int, timeout: float | None = None) -> bool:
        """Block until the channel has ``count`` items.

        :param timeout: seconds; None waits for ever.
        :return: whether they are there; false when the time is over or the channel ended before.
        """
        self._resolver.wait(lambda: self._resolver.count(self.name) >= count or self.sealed, timeout)
        return len(self) >= count

    async def wait_async(self, count: int, timeout: float | None = None) -> bool:
        """:meth:`wait` for coroutines."""
        await self._resolver.wait_async(lambda: self._resolver.count(self.name) >= count or self.sealed, timeout)
        return len(self) >= count

    def follow(self, start: int = 0, *, timeout: float | None = None, limit: int | None = None) -> Follower:
        """Blocks of items from ``start`` on as they come, without a gap, until the channel is sealed.

        ``for block in channel.follow()`` or ``async for block in channel.follow()``.

        :param start: first item wanted; negative counts from what is there now.
        :param timeout: longest time (s) to wait for a next item; then the iteration raises
            :class:`~firstlight.model.IndexNotYetThere`. None waits for ever.
        :param limit: most items in one block; by default 64 MiB of them.
        """
        position = start if start >= 0 else max(0, len(self) + start)
        spec = self.spec
        most = limit if limit is not None else max(1, PORTION // max(1, spec.item_nbytes))
        if most < 1:
            raise InvalidInput(f"A block of at most {most} items can not hold any.")
        return Follower(self._resolver, self.name, position, timeout, most)

    def latest(self, seen: int = 0) -> Latest | None:
        """The newest item, for displays that may lose some; None when nothing came since ``seen``.

        :param seen: number of items that the caller knows of: the ``seen`` of the previous answer.
        """
        while True:
            count = len(self)
            if count <= seen:
                return None
            try:
                block = self._resolver.block(self.name, count - 1, count)
            except IndexNoLongerThere:
                # A fast ring recycled it during the copy; then there is a newer one.
                if len(self) > count:
                    continue
                raise
            return Latest(index=count - 1, value=block.values[0], time=block.time, lost=count - 1 - seen)

    def watch(self, *, interval: float = 0.0, timeout: float | None = None) -> Watcher:
        """The newest item whenever there is a newer one, until the channel is sealed; counts what it left out.

        ``for newest in channel.watch()`` or ``async for newest in channel.watch()``.

        :param interval: shortest time (s) between two answers.
        :param timeout: longest time (s) to wait for a next item, then the iteration raises
            :class:`~firstlight.model.IndexNotYetThere`. None waits for ever.
        """
        return Watcher(self, interval, timeout)

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """When each item was acknowledged (s, monotonic clock of the run); NaN where that is not recorded."""
        self._resolver.check(self.name, stop)
        return self._resolver.times(self.name, start, stop)

    def missing(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Indices of the items that their producer could not keep; they read as :attr:`ChannelSpec.fill`."""
        return self._resolver.missing_items(self.name, start, len(self) if stop is None else stop)

    def to_dask(self) -> Any:
        """The items that are there now as a dask array, which reads when it is computed.

        :raises MissingExtra: when dask is not installed.
        """
        from firstlight.data._xarray import lazy

        if self.ragged:
            raise InvalidInput(f"{self.name} is ragged and does not fit one array.", hint="Use channel[:].values.")
        return lazy(self)

    def stored(self, count: int | None = None) -> tuple[Stored, ...]:
        """Where the first ``count`` items (by default all) lie as rows of HDF5 datasets, in order; empty when one of
        them is not in a file."""
        return self._resolver.stored(self.name, len(self) if count is None else count)

    def blocks(self) -> Iterator[Block]:
        """What is there now, in blocks of at most 64 MiB."""
        stop = len(self)
        follower = self.follow()
        while follower.position < stop:
            yield next(follower)

    def _array(self, start: int, stop: int) -> NDArray[Any]:
        block = self._resolver.read(self.name, start, stop)
        assert not isinstance(block, Ragged)
        return block

    def _one(self, key: Any) -> Any:
        try:
            index = operator.index(key)
        except TypeError as error:
            raise InvalidInput(
                f"{key!r} is not an index of {self.name}.", hint="Use an integer, a slice, a list or a mask."
            ) from error
        if index < 0:
            index = self._from_end(index, len(self))
        return self._resolver.read(self.name, index, index + 1)[0]

    def _from_end(self, index: int, count: int) -> int:
        if index + count >= 0:
            return index + count
        if self.sealed:
            raise IndexNeverThere(f"{self.name}[{index}] will never be there: the channel ended with {count} items.")
        raise IndexNotYetThere(
            f"{self.name}[{index}] is not there yet: the channel has {count} items and is still growing.",
            hint=f"Wait for it with .wait({-index}).",
        )

    def _checked(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        if wanted.size:
            if int(wanted.min()) < 0:
                self._from_end(int(wanted.min()) - len(self), len(self))
            self._resolver.check(self.name, int(wanted.max()) + 1)
        return wanted

    def _ragged(self, items: Any) -> Items | NDArray[Any]:
        if isinstance(items, slice):
            wanted = range(*items.indices(len(self)))
            if wanted.step == 1:
                return self._resolver.read(self.name, wanted.start, max(wanted.start, wanted.stop))
            indices = np.array(wanted, dtype=np.int64)
        elif np.ndim(items) == 0 and not isinstance(items, bool | np.bool_):
            found: NDArray[Any] = self._one(items)
            return found
        else:
            indices = self._checked(as_indices(items, len(self)))
        chosen = [self._resolver.read(self.name, i, i + 1)[0] for i in indices.ravel().tolist()]
        offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum([len(c) for c in chosen], out=offsets[1:])
        values = np.concatenate(chosen) if chosen else np.empty(0, dtype=self.dtype)
        return Ragged(values, offsets)
