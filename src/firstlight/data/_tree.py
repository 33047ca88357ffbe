"""A run as the tree of its file, with h5py's interface, also while there is no file.

The tree of a live run is the file that the saver would write, made in memory by the same code but without items;
the items come from the channels. So names and attributes are the same, whatever the run is read from.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from firstlight.data._source import NoChannel, nearest
from firstlight.model import ChannelKind, InvalidInput, Ragged

if TYPE_CHECKING:
    from firstlight.data._channel import Channel
    from firstlight.data._run import Run


class Skeleton(Protocol):
    """Where the names and the small values of a tree come from."""

    def tree(self) -> AbstractContextManager[Any]:
        """The entry as a h5py group, inside ``with``."""

    def paths(self) -> dict[str, str]:
        """Path of each channel's dataset in the entry."""


class _Node:
    """What groups and datasets have in common."""

    def __init__(self, run: Run, skeleton: Skeleton, path: str) -> None:
        self._run = run
        self._skeleton = skeleton
        self.path = path
        """Path in the entry; empty for the entry itself."""

    @property
    def name(self) -> str:
        """Path from the root of the file."""
        number = self._run.number
        return "/".join(("", f"{number if number is not None else 1}.1", *filter(None, self.path.split("/"))))

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes."""
        with self._item() as item:
            return dict(item.attrs)

    @contextmanager
    def _item(self) -> Iterator[Any]:
        with self._skeleton.tree() as entry:
            yield entry[self.path] if self.path else entry


class Dataset(_Node):
    """An array or a value of the tree. Indexing gives what h5py gives; measured ones may grow."""

    def __init__(
        self, run: Run, skeleton: Skeleton, path: str, channel: Channel | None, *, offsets: bool = False
    ) -> None:
        super().__init__(run, skeleton, path)
        self.channel = channel
        """The channel whose items these are; None for everything that was not measured."""
        self._offsets = offsets

    @property
    def shape(self) -> tuple[int, ...]:
        """As in NumPy."""
        if self.channel is None:
            with self._item() as item:
                return tuple(item.shape)
        if not self.channel.ragged:
            return self.channel.shape
        return (len(self.channel) + 1,) if self._offsets else (len(self._ragged().values),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """As in NumPy."""
        if self.channel is not None:
            return np.dtype(np.int64) if self._offsets else self.channel.dtype
        with self._item() as item:
            found: np.dtype[Any] = item.dtype
            return found

    @property
    def ndim(self) -> int:
        """As in NumPy."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """As in NumPy."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, key: Any) -> Any:
        if self.channel is None:
            with self._item() as item:
                return item[key]
        if self.channel.ragged:
            whole = self._ragged()
            return (whole.offsets if self._offsets else whole.values)[key]
        return self.channel[key]

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self[...])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A dataset has no array of its own: reading it makes a copy.")
        return np.asarray(self[()], dtype=dtype)

    def asstr(self) -> _Text:
        """The same with text instead of bytes."""
        return _Text(self)

    def __repr__(self) -> str:
        return f"<Dataset {self.name}: {self.shape} {self.dtype}>"

    def _ragged(self) -> Ragged:
        assert self.channel is not None
        found: Ragged = self.channel[:]
        return found


class _Text:
    """What :meth:`Dataset.asstr` gives."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __getitem__(self, key: Any) -> Any:
        found = self._dataset[key]
        if isinstance(found, bytes):
            return found.decode("utf-8", "replace")
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "OS":
            raise InvalidInput(f"{self._dataset.name} holds no text.")
        return np.array([v.decode("utf-8", "replace") for v in found.ravel()], dtype=object).reshape(found.shape)


Item: TypeAlias = "Group | Dataset"


class Group(_Node, Mapping[str, "Group | Dataset"]):
    """A group of the tree: a mapping of names, which also understands paths."""

    def __getitem__(self, path: str) -> Any:
        words = [*filter(None, path.split("/"))]
        # A path from the root begins with the entry's own name.
        full = "/".join(words[1:] if path[:1] == "/" else [*filter(None, self.path.split("/")), *words])
        with self._skeleton.tree() as entry:
            import h5py

            found = entry.get(full) if full else entry
            if found is None:
                raise self._absent(entry, full)
            if not isinstance(found, h5py.Dataset):
                return Group(self._run, self._skeleton, full)
            for name, place in self._skeleton.paths().items():
                if entry.get(place) == found:
                    return Dataset(self._run, self._skeleton, full, self._run[name])
                if entry.get(f"{place}_offsets") == found and self._run[name].spec.kind is ChannelKind.RAGGED:
                    return Dataset(self._run, self._skeleton, full, self._run[name], offsets=True)
        return Dataset(self._run, self._skeleton, full, None)

    def __iter__(self) -> Iterator[str]:
        with self._item() as item:
            return iter(list(item))

    def __len__(self) -> int:
        with self._item() as item:
            return len(item)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, path: object) -> bool:
        try:
            return isinstance(path, str) and self[path] is not None
        except NoChannel:
            return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and (self._run, self.path) == (other._run, other.path)

    def __hash__(self) -> int:
        return hash((id(self._run), self.path))

    def visititems(self, function: Callable[[str, Item], Any]) -> Any:
        """Call ``function(path, item)`` for everything below, depth first, until it returns something."""
        for name in self:
            if name not in self:
                continue  # a link that leads nowhere yet
            item = self[name]
            found = function(name, item)
            if found is None and isinstance(item, Group):
                found = item.visititems(lambda path, inner, name=name: function(f"{name}/{path}", inner))  # type: ignore[misc]
            if found is not None:
                return found
        return None

    def __repr__(self) -> str:
        return f"<Group {self.name}: {len(self)} members>"

    def _absent(self, entry: Any, full: str) -> NoChannel:
        parent, _, name = full.rpartition("/")
        while parent and parent not in entry:
            parent, _, name = parent.rpartition("/")
        there = entry[parent] if parent else entry
        return NoChannel(
            f"{self._run.where} has no {full!r}.", hint=nearest(name, list(there), f"item in {parent or 'the entry'}")
        )


class Blueprint:
    """The file of a run that has none (yet), in memory and without items."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.RLock()
        self._made_for: object = None
        self._file: Any = None
        self._paths: dict[str, str] = {}

    @contextmanager
    def tree(self) -> Iterator[Any]:
        with self._lock:
            self._make()
            yield self._file[next(iter(self._file))]

    def paths(self) -> dict[str, str]:
        with self._lock:
            self._make()
            return self._paths

    def _make(self) -> None:
        specs = self._run.specs()
        end = self._run.end
        now = (tuple(specs), end)
        if now == self._made_for:
            return
        import h5py

        from firstlight.storage import blueprint

        content, self._paths = blueprint(self._run.info, self._run.key, tuple(specs.values()), end)
        self._file = h5py.File(content, "r")
        self._made_for = now
