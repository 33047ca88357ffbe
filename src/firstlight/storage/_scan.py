"""Runs in files, with the same faces as runs in the buffer; also while they are written, and BLISS's own files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    DataError,
    FirstlightError,
    IndexNeverThere,
    IndexNotYetThere,
    NotFound,
    Ragged,
    RunEnd,
    RunInfo,
    RunState,
)
from firstlight.storage._column import as_declared
from firstlight.storage._entries import sort_entries
from firstlight.storage._entry import OWN
from firstlight.storage._foreign import foreign_channels, foreign_end, foreign_info, is_finished
from firstlight.storage._hdf5 import Locking, any_locking, open_hdf5
from firstlight.storage._tree import as_text

T = TypeVar("T")

_PATIENCE = 3.0
"""Seconds to try again when a file that is being written can not be read."""
_POLL = 0.1
_SETTLED = 1.0
"""Seconds since its last change after which a file that can not be opened is not just being flushed."""

_BROKEN = (OSError, KeyError, RuntimeError, ValueError)
"""What h5py raises when a file changes under it."""


def list_entries(path: Path) -> list[str]:
    """Names of the entries of a file, in the order of their numbers.

    A file that is being written can not be opened at every moment: it is tried again for a while.

    :raises NotFound: when the file does not exist.
    :raises DataError: when it is no HDF5 file, is cut short or broken, or may not be read.
    """
    path = Path(path)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with any_locking(lambda locking: _open(path, locking)) as file:
                return [name for name in sort_entries(file) if _is_entry(file, name)]
        except FirstlightError:
            raise
        except _BROKEN as error:
            problem = error
        if time.monotonic() > deadline or _settled(path):
            break
        time.sleep(0.02)
    # HDF5's own words are for those who wrote it.
    reason = "it is cut short or broken"
    if isinstance(problem, OSError) and problem.errno:
        reason = os.strerror(problem.errno)
    raise DataError(
        f"{path} can not be read: {reason}.",
        hint="If its session or saver died, 'firstlight recover' may write it anew.",
    ) from problem


def open_scan(path: Path | str, entry: str | int = -1) -> ScanFile:
    """Open one run.

    :param path: a run's file, a dataset file or a master, or any file in BLISS's layout.
    :param entry: its name (``3.1``) or number (3); -1 for the last, -2 for the one before.
    :raises NotFound: when there is no such file or entry.
    :raises DataError: when it is no HDF5 file.
    """
    path = Path(path)
    if isinstance(entry, str):
        return ScanFile(path, entry)
    names = list_entries(path)
    if not names:
        raise NotFound(f"{path} holds no scan.")
    if entry < 0:
        if -entry > len(names):
            raise NotFound(f"{path} holds {len(names)} scans only.")
        return ScanFile(path, names[entry])
    return ScanFile(path, f"{entry}.1")


class ScanFile:
    """One run in a file. A count is that of the last :meth:`refresh`.

    The file is open only while something is read from it: whoever uses this object may open it in any way, also to
    write. It is opened without lock.

    :param path: of the file.
    :param entry: name of the entry.
    """

    def __init__(self, path: Path, entry: str) -> None:
        import hdf5plugin  # noqa: F401 - compressed frames can be read once it is imported

        self.path = path
        self.entry = entry
        self._lock = threading.RLock()
        self._file: h5py.File | None = None
        self._users = 0
        self._locking: Locking = False
        self._merged: Path | None = None
        self._channels: dict[str, FileChannel] = {}
        self._finished = False
        self._times: NDArray[np.float64] | None = None
        self._seals: dict[str, str] = {}
        self._attempt(self._load)

    @property
    def where(self) -> str:
        """The file and its entry."""
        return f"{self.path}::{self.entry}"

    @property
    def info(self) -> RunInfo:
        """The description written when the run was created; of a foreign file, what can be told from its entry."""
        return self._info

    @property
    def state(self) -> RunState:
        """CLOSED once the file is complete, RUNNING before."""
        return RunState.CLOSED if self._finished else RunState.RUNNING

    @property
    def end(self) -> RunEnd | None:
        """How it ended; None while it goes on."""
        return self._end

    @property
    def key(self) -> str:
        """Key that the run had in the buffer; empty for a foreign file."""
        return self._key

    @property
    def channels(self) -> dict[str, FileChannel]:
        """The channels by name, in the order in which they appeared."""
        return dict(self._channels)

    def names(self) -> Sequence[str]:
        """Names of the channels, in the order in which they appeared."""
        return list(self._channels)

    def channel(self, name: str) -> FileChannel | None:
        """One channel; None when the file has none of that name (yet)."""
        return self._channels.get(name)

    def refresh(self) -> None:
        """Look at what was added since; nothing to do once the file is complete."""
        if not self._finished:
            self._attempt(self._load)

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Look at the file again and again until the condition holds (true) or the time (s) is over (false)."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_POLL, left))
            self.refresh()
        return True

    async def wait_async(self, condition: Callable[[], bool], timeout: float) -> bool:
        """:meth:`wait` without blocking the event loop."""
        return await asyncio.to_thread(self.wait, condition, timeout)

    @contextlib.contextmanager
    def tree(self) -> Iterator[h5py.Group]:
        """The entry as h5py sees it, inside ``with``."""
        with self._opened():
            yield self._within(self._group)

    def close(self) -> None:
        """Close the file, should something still be reading from it; idempotent."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def __enter__(self) -> ScanFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ScanFile {self.where}: {self._info.title}, {len(self._channels)} channels>"

    # -- for the channels

    def read(self, path: str, start: int, stop: int) -> NDArray[Any]:
        """Rows of one dataset."""
        return self._attempt(lambda: self._rows(path, start, stop))

    def times(self, index: int, start: int, stop: int) -> NDArray[np.float64]:
        """When items of a channel were acknowledged, as the saver noted it; NaN where it did not."""
        if self._times is None:
            self._times = self._attempt(self._all_times)
        rows = self._times[self._times[:, 0] == index]
        found = np.full(stop - start, np.nan)
        row = np.searchsorted(rows[:, 1], np.arange(start, stop), side="right")
        known = row < len(rows)
        found[known] = rows[row[known], 2]
        return found

    @property
    def finished(self) -> bool:
        """Whether nothing will be added."""
        return self._finished

    def seal_reason(self, name: str) -> str:
        """Why a channel ended, empty for the ordinary end."""
        return self._seals.get(name, "")

    # -- inside

    def _rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        rows: NDArray[Any] = self._group()[path][start:stop]
        if len(rows) != stop - start:
            raise ValueError(f"{path} has no rows {start} to {stop - 1}")
        return rows

    def _all_times(self) -> NDArray[np.float64]:
        own = self._group().get(OWN)
        if own is None or "times" not in own:
            return np.empty((0, 3))
        times: NDArray[np.float64] = own["times"][()]
        return times

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        """Inside ``with`` the file, once opened, stays open; only this thread reads."""
        with self._lock:
            self._users += 1
            try:
                yield
            finally:
                self._users -= 1
                if not self._users:
                    self.close()

    def _within(self, action: Callable[[], T]) -> T:
        """Do it with the file opened in the way that this process allows."""
        if self._file is not None:  # inside another reading
            return action()

        def attempt(locking: Locking) -> T:
            if locking is not self._locking:
                self.close()
                self._locking = locking
            return action()

        return any_locking(attempt)

    def _group(self) -> h5py.Group:
        if self._file is None:
            self._file = self._open()
        group = self._file[self.entry]
        if not isinstance(group, h5py.Group):
            raise KeyError(self.entry)
        return group

    def _open(self) -> h5py.File:
        try:
            return _open(self.path, self._locking)
        except NotFound:
            # Merged into its dataset's file meanwhile.
            if self._merged is None or not self._merged.exists():
                raise
            self.path = self._merged
            return _open(self.path, self._locking)

    def _load(self) -> None:
        group = self._group()
        # The end first: what is read after it was seen is complete.
        finished = is_finished(group)
        own = group.get(OWN)
        if own is not None and "info" in own:
            self._load_own(group, own)
        else:
            self._load_foreign(group)
        self._times = None
        self._finished = finished

    def _load_own(self, group: h5py.Group, own: h5py.Group) -> None:
        self._info = RunInfo.model_validate_json(as_text(own["info"][()]))
        self._key = as_text(own["key"][()])
        self._merged = _merged(self.path, self._info)
        self._end = RunEnd.model_validate_json(as_text(own["end"][()])) if "end" in own else None
        self._seals = json.loads(as_text(own["seals"][()])) if "seals" in own else {}
        for index, line in enumerate(own["channels"][()]):
            description = json.loads(as_text(line))
            spec = ChannelSpec.from_json(description["spec"])
            channel = self._channels.get(spec.name) or FileChannel(self, index, spec, description["path"])
            channel.count = _length(group, channel.counted) - channel.extra
            self._channels[spec.name] = channel

    def _load_foreign(self, group: h5py.Group) -> None:
        self._key = ""
        self._info = foreign_info(group, self.path)
        self._end = foreign_end(group)
        for index, (spec, path, count) in enumerate(foreign_channels(group)):
            channel = self._channels.get(spec.name) or FileChannel(self, index, spec, path)
            channel.count = count
            self._channels[spec.name] = channel

    def _attempt(self, action: Callable[[], T]) -> T:
        """Do it; while the file is being written, open it anew and try again."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            with self._opened():
                try:
                    return self._within(action)
                except FirstlightError:
                    raise
                except _BROKEN as error:
                    # What the failed calls have opened in other files, behind links, ends with their frames only.
                    traceback.clear_frames(error.__traceback__)
                    self.close()
                    problem = error
            self._check_entry(problem)
            if self._finished or time.monotonic() > deadline:
                raise DataError(f"{self.where} can not be read: {' '.join(str(problem).split())}.") from problem
            time.sleep(0.02)

    def _check_entry(self, problem: Exception) -> None:
        """Raise NotFound when it is the entry itself that is missing."""
        if not isinstance(problem, KeyError):
            return
        with contextlib.suppress(OSError), open_hdf5(self.path) as file:
            link = file.get(self.entry, getlink=True)
            if link is None:
                raise NotFound(f"{self.path} has no entry {self.entry}.", hint=_nearby(file)) from problem
            if isinstance(link, h5py.ExternalLink) and not (self.path.parent / link.filename).exists():
                raise NotFound(f"{self.where} leads to {link.filename}, which does not exist.") from problem


class FileChannel:
    """One channel of a run in a file."""

    def __init__(self, scan: ScanFile, index: int, spec: ChannelSpec, path: str) -> None:
        self.spec = spec
        """What the items are."""
        self.path = path
        """Of its dataset, in the entry."""
        self.count = 0
        """Items in the file, at the last refresh of the run."""
        self._scan = scan
        self._index = index
        ragged = spec.kind is ChannelKind.RAGGED
        self.extra = 1 if ragged else 0
        """Rows of the counted dataset that are no items."""
        self.counted = path + {ChannelKind.RAGGED: "_offsets", ChannelKind.REFERENCE: "_references"}.get(spec.kind, "")
        """Dataset that tells how many items there are."""

    @property
    def name(self) -> str:
        """Name of the channel."""
        return self.spec.name

    @property
    def first(self) -> int:
        """Oldest item in the file."""
        return 0

    @property
    def sealed(self) -> bool:
        """Whether no item will follow."""
        return self._scan.finished

    @property
    def seal_reason(self) -> str:
        """Why the channel ended, empty for the ordinary end."""
        return self._scan.seal_reason(self.name)

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> NDArray[Any] | Ragged:
        """The items ``start`` to ``stop - 1``.

        :raises IndexNotYetThere: when they are not in the file yet.
        :raises IndexNeverThere: when they never will be.
        """
        self._check(start, stop)
        if self.spec.kind is ChannelKind.RAGGED:
            bounds = self._scan.read(self.counted, start, stop + 1).astype(np.int64)
            values = self._scan.read(self.path, int(bounds[0]), int(bounds[-1]))
            return Ragged(as_declared(values, self.spec), bounds - bounds[0])
        return as_declared(self._scan.read(self.counted, start, stop), self.spec)

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Monotonic time (s) at which the newest item saved together with each one was acknowledged; NaN if unknown."""
        self._check(start, stop)
        return self._scan.times(self._index, start, stop)

    def _check(self, start: int, stop: int) -> None:
        if start < 0 or stop < start:
            raise IndexNeverThere(f"{self.name}[{start}:{stop}] is not a range of items.")
        if stop > self.count:
            self._scan.refresh()
        if stop > self.count:
            if self.sealed:
                raise IndexNeverThere(
                    f"{self.name} ended with {self.count} items; item {stop - 1} will never be there."
                )
            raise IndexNotYetThere(f"{self.name} has {self.count} items in its file; item {stop - 1} is not there yet.")


def _open(path: Path, locking: Locking) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=locking)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise NotFound(f"{path} is a folder, not a file.") from error
    except OSError as error:
        if path.exists() and not h5py.is_hdf5(path):
            raise DataError(f"{path} is no HDF5 file.") from error
        raise


def _settled(path: Path) -> bool:
    """Whether nobody has written to a file just now."""
    try:
        return abs(time.time() - path.stat().st_mtime) > _SETTLED
    except OSError:
        return True


def _merged(path: Path, info: RunInfo) -> Path | None:
    """Where the file of a dataset is from one of its runs' files, also when their folder was moved."""
    if info.saving is None or path.name != Path(info.saving.file).name:
        return None
    relative = os.path.relpath(info.saving.dataset_file, Path(info.saving.file).parent)
    return Path(os.path.normpath(path.parent / relative))


def _length(group: h5py.Group, path: str) -> int:
    # A channel in the table has its dataset: where it can not be found, the file is being written at this instant.
    return int(group[path].shape[0])


def _is_entry(file: h5py.File, name: str) -> bool:
    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return True  # not opened: a file has thousands
    item = file.get(name)
    return isinstance(item, h5py.Group) and as_text(item.attrs.get("NX_class", "NXentry")) == "NXentry"


def _nearby(file: h5py.File) -> str:
    names = sort_entries(file)
    if not names:
        return "It is empty."
    return f"It has {', '.join(names)}." if len(names) <= 6 else f"It has {names[0]} to {names[-1]}."
