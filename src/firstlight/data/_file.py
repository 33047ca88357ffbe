"""A run in a file as a source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data._source import Items, Stored
from firstlight.model import Block, ChannelKind, ChannelSpec, NotFound, RunEnd, RunInfo, RunState, Saving

if TYPE_CHECKING:
    from firstlight.storage import FileChannel, ScanFile


class StoredChannel:
    """One channel of a run in a file."""

    def __init__(self, scan: ScanFile, channel: FileChannel) -> None:
        self._scan = scan
        self._channel = channel
        self.spec: ChannelSpec = channel.spec

    @property
    def count(self) -> int:
        return self._channel.count

    @property
    def first(self) -> int:
        return self._channel.first

    @property
    def sealed(self) -> bool:
        return self._channel.sealed

    @property
    def seal_reason(self) -> str:
        return self._channel.seal_reason

    def read(self, start: int, stop: int) -> Items:
        return self._channel.read(start, stop)

    def block(self, start: int, stop: int) -> Block:
        values = self._channel.read(start, stop)
        time = float(self._channel.times(stop - 1, stop)[0]) if stop > start else np.nan
        return Block(self.spec.name, start, values, time)

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        return self._channel.times(start, stop)

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        return np.empty(0, dtype=np.int64)  # files tell it by the channel's status, see Channel.missing

    def stored(self) -> Sequence[Stored]:
        if self.spec.kind is ChannelKind.RAGGED:
            return ()
        with self._scan.tree() as entry:
            dataset = entry[self._channel.path]
            # The entry may be an external link: this is the file that it leads to.
            file = Path(dataset.file.filename).absolute()
            if not dataset.is_virtual:
                return (Stored(file, dataset.name, 0, self.count),)
            return tuple(_pieces(dataset, file.parent))


class StoredRun:
    """One run in a file."""

    def __init__(self, scan: ScanFile) -> None:
        self._scan = scan
        self._channels: dict[str, StoredChannel] = {}
        self.where = scan.where

    @property
    def path(self) -> Path:
        """The file."""
        return self._scan.path

    @property
    def entry(self) -> str:
        """Name of the entry in the file."""
        return self._scan.entry

    @property
    def key(self) -> str:
        """Key that the run had in the buffer; empty for a file of another program."""
        return self._scan.key

    @property
    def info(self) -> RunInfo:
        return self._scan.info

    @property
    def state(self) -> RunState:
        return self._scan.state

    @property
    def end(self) -> RunEnd | None:
        return self._scan.end

    def names(self) -> Sequence[str]:
        return self._scan.names()

    def channel(self, name: str) -> StoredChannel | None:
        found = self._scan.channel(name)
        if found is None:
            return None
        made = self._channels.get(name)
        if made is None:
            made = self._channels[name] = StoredChannel(self._scan, found)
        return made

    def refresh(self) -> None:
        self._scan.refresh()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        return self._scan.wait(condition, timeout)

    def wait_async(self, condition: Callable[[], bool], timeout: float) -> Awaitable[bool]:
        return self._scan.wait_async(condition, timeout)

    @contextmanager
    def tree(self) -> Iterator[Any]:
        """The entry as h5py sees it, and the path of each channel's dataset in it."""
        with self._scan.tree() as entry:
            yield entry

    def paths(self) -> dict[str, str]:
        """Path of each channel's dataset in the entry."""
        return {name: channel.path for name, channel in self._scan.channels.items()}

    def close(self) -> None:
        self._scan.close()


def open_file(path: Path, entry: str | int = -1) -> StoredRun:
    """One run of a file.

    :raises NotFound: when there is no such file or entry.
    :raises DataError: when it is no HDF5 file.
    """
    from firstlight.storage import open_scan

    return StoredRun(open_scan(path, entry))


def open_saved(saving: Saving) -> StoredRun:
    """The run that was saved there: in its own file, or in that of its dataset once that was compacted.

    :raises NotFound: when it is in neither.
    """
    own, dataset = Path(saving.file), Path(saving.dataset_file)
    entry = f"{saving.number}.1"
    try:
        return open_file(own, entry)
    except NotFound:
        if not dataset.exists():
            raise
        return open_file(dataset, entry)


def _pieces(dataset: Any, folder: Path) -> Iterator[Stored]:
    """What a virtual dataset over whole items consists of, in the order of its items."""
    found = []
    for source in dataset.virtual_sources():
        low, high = source.vspace.get_select_bounds()
        file = Path(dataset.file.filename) if source.file_name == "." else folder / source.file_name
        first = 0 if source.src_space.get_select_type() == 3 else int(source.src_space.get_select_bounds()[0][0])
        count = int(high[0] - low[0] + 1)
        found.append((int(low[0]), Stored(file.absolute(), source.dset_name, first, count)))
    at = 0
    for low, piece in sorted(found, key=lambda f: f[0]):
        if low != at:
            return  # a hole: items that no file holds
        at += piece.count
        yield piece
