"""A run in a file as a source."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from firstlight.data._source import Items, Stored
from firstlight.model import (
    Block,
    ChannelKind,
    ChannelSpec,
    DataError,
    IndexNotYetThere,
    NotFound,
    RunEnd,
    RunInfo,
    RunState,
    Saving,
)

if TYPE_CHECKING:
    from firstlight.storage import FileChannel, ScanFile


T = TypeVar("T")

PATIENCE = 3.0
"""Seconds to look again at a file that is being written."""

_open: WeakValueDictionary[tuple[str, str], ScanFile] = WeakValueDictionary()
_lock = threading.RLock()


class StoredChannel:
    """One channel of a run in a file."""

    def __init__(self, scan: ScanFile, channel: FileChannel) -> None:
        self._scan = scan
        self._count = 0
        self.of = channel
        """The storage's own reader, which may be another one after the file was looked at again."""
        self.spec: ChannelSpec = channel.spec

    @property
    def count(self) -> int:
        # A look at the wrong moment shows less than there is; items do not go away.
        self._count = max(self._count, self.of.count)
        return self._count

    @property
    def first(self) -> int:
        return self.of.first

    @property
    def sealed(self) -> bool:
        return self.of.sealed

    @property
    def seal_reason(self) -> str:
        return self.of.seal_reason

    def read(self, start: int, stop: int) -> Items:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.of.read(start, stop)
            except IndexNotYetThere:
                if stop > self._count or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def block(self, start: int, stop: int) -> Block:
        values = self.read(start, stop)
        moment = float(self.of.times(stop - 1, stop)[0]) if stop > start else np.nan
        return Block(self.spec.name, start, values, moment)

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.of.times(start, stop)

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        return np.empty(0, dtype=np.int64)  # files tell it by the channel's status, see Channel.missing

    def stored(self) -> Sequence[Stored]:
        if self.spec.kind is ChannelKind.RAGGED:
            return ()
        with self._scan.tree() as entry:
            dataset = entry[self.of.path]
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
        made.of = found
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


def open_file(path: Path, entry: str) -> StoredRun:
    """One run of a file.

    :raises NotFound: when there is no such file or entry.
    :raises DataError: when it is no HDF5 file, or is broken.
    """
    from firstlight.storage import open_scan

    path, entry = patiently(path, lambda: _target(path, entry))
    key = (os.path.realpath(path), entry)
    with _lock:
        known = _open.get(key)
        if known is None or known.finished:
            # HDF5 gives all handles of one file in a process the same view, which gets old as long as one of them
            # is open. So a file that grows has one handle, which is closed and opened again for all.
            known = _open[key] = patiently(path, lambda: open_scan(path, entry))
        return StoredRun(known)


def patiently(path: Path, look: Callable[[], T]) -> T:
    """Look at a file; again when another process writes it at this moment, as it may then seem empty or broken.

    :raises NotFound, DataError: when it is so.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        # Asked first: if nobody wrote before the look, what was seen is what there is.
        writing = being_written(path)
        try:
            return look()
        except (NotFound, DataError):
            if not writing or time.monotonic() > deadline:
                raise
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            if not writing or time.monotonic() > deadline:
                raise DataError(f"{path} can not be read: {' '.join(str(error).split())}.") from error
        time.sleep(0.02)


def being_written(path: Path) -> bool:
    """Whether a writer holds its lock on the file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(fd)
    return False


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


def _target(path: Path, entry: str) -> tuple[Path, str]:
    """The file and the entry to which a file of links leads; what was given when it holds the entry itself."""
    import h5py

    from firstlight.storage import open_hdf5

    for _ in range(4):
        if not path.is_file() or not h5py.is_hdf5(path):
            return path, entry  # the one who opens it says what is wrong
        with open_hdf5(path) as file:
            link = file.get(entry, getlink=True)
        if not isinstance(link, h5py.ExternalLink):
            return path, entry
        target = path.parent / link.filename
        if not target.is_file():
            return path, entry
        path, entry = target, link.path.strip("/")
    return path, entry


def _pieces(dataset: Any, folder: Path) -> Iterator[Stored]:
    """What a virtual dataset over whole items consists of, in the order of its items."""
    found = []
    for source in dataset.virtual_sources():
        low, count = _rows(source.vspace, dataset.shape[0])
        file = Path(dataset.file.filename) if source.file_name == "." else folder / source.file_name
        first = _rows(source.src_space, 0)[0]
        found.append((low, Stored(file.absolute(), source.dset_name, first, count)))
    at = 0
    for low, piece in sorted(found, key=lambda f: f[0]):
        if low != at:
            return  # a hole: items that no file holds
        at += piece.count
        yield piece


def _rows(space: Any, length: int) -> tuple[int, int]:
    """First of the selected rows, and their number.

    :param length: of all, for a selection of everything, and of the file that still grows, which has no end.
    """
    import h5py

    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return 0, length
    if space.is_regular_hyperslab():
        start, _, count, _ = space.get_regular_hyperslab()
        if count[0] == h5py.h5s.UNLIMITED:
            return int(start[0]), length - int(start[0])
    low, high = space.get_select_bounds()
    return int(low[0]), int(high[0] - low[0] + 1)
