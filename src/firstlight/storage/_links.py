"""Files of links: a dataset's, and the masters above it.

They hold nothing that the folders do not say, are replaced as a whole by renaming, and can be rebuilt at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from firstlight import __version__
from firstlight.model import FirstlightError, InvalidInput
from firstlight.storage._entries import ENTRY, sort_entries
from firstlight.storage._space import full

_SCAN = re.compile(r"scan(\d{4,})")

Target = tuple[str, str]
"""File, relative to the folder of the links, and path in it."""


def write_dataset_links(file: Path) -> list[str]:
    """Make a dataset file link to every run in its folder.

    Runs that an earlier compaction put into the file itself stay: the file is kept beside under another name, and
    linked to.

    :param file: the dataset file; need not exist.
    :return: names of its entries.
    :raises StorageError, StorageFull: when the folder can not be written.
    """
    with locked(file.parent):
        present = dict(links_of(file))
        links = {n: t for n, t in present.items() if t is None or (file.parent / t[0]).exists()}
        for number, scan in scan_files(file.parent):
            links.setdefault(f"{number}.1", (f"{scan.parent.name}/{scan.name}", f"/{number}.1"))
        if links != present or not file.exists():
            inside = [name for name, target in links.items() if target is None]
            if inside:
                beside = _set_aside(file)
                links.update({name: (beside.name, f"/{name}") for name in inside})
            _write(file, {name: target for name, target in links.items() if target is not None})
    return sort_entries(links)


def write_masters(dataset_file: Path) -> list[Path]:
    """Bring the collection's and the session's master up to date with one dataset.

    :param dataset_file: ``RAW_DATA/{sample}/{sample}_{dataset}/{sample}_{dataset}.h5``.
    :return: the two files.
    """
    folder = dataset_file.parent
    entries = {name for name in links_of(dataset_file) if ENTRY.fullmatch(name)}
    made = []
    for master in master_files(dataset_file):
        relative = os.path.relpath(folder, master.parent)
        with locked(master.parent):
            links = {name: target for name, target in links_of(master).items() if target is not None}
            mine = {f"{folder.name}_{e}": (f"{relative}/{dataset_file.name}", f"/{e}") for e in sort_entries(entries)}
            if not mine.items() <= links.items():
                _write(master, {**links, **mine})
        made.append(master)
    return made


def rebuild_masters(raw: Path) -> list[Path]:
    """Write all masters of a session anew from its folders, and the files of datasets that have none.

    :param raw: its ``RAW_DATA`` folder.
    :return: the files that were written.
    :raises InvalidInput: when it is no such folder.
    """
    if raw.name != "RAW_DATA" or not raw.is_dir():
        raise InvalidInput(f"{raw} is not the RAW_DATA folder of a session.")
    written: list[Path] = []
    masters: dict[Path, dict[str, Target]] = {}
    for collection in sorted(p for p in raw.iterdir() if p.is_dir() and not p.name.startswith("__")):
        for folder in sorted(
            p for p in collection.iterdir() if p.is_dir() and p.name.startswith(f"{collection.name}_")
        ):
            file = folder / f"{folder.name}.h5"
            entries = write_dataset_links(file)
            written.append(file)
            for master in master_files(file):
                relative = os.path.relpath(folder, master.parent)
                links = masters.setdefault(master, {})
                links.update({f"{folder.name}_{e}": (f"{relative}/{file.name}", f"/{e}") for e in entries})
    for master, links in masters.items():
        with locked(master.parent):
            _write(master, links)
        written.append(master)
    return written


def master_files(dataset_file: Path) -> list[Path]:
    """The collection's and the session's master above a dataset; none outside the data policy's tree."""
    parents = dataset_file.parents
    if len(parents) < 6 or parents[2].name != "RAW_DATA":
        return []
    collection, raw = parents[1], parents[2]
    beamline, proposal = parents[4].name, parents[5].name
    return [collection / f"{proposal}_{collection.name}.h5", raw / f"{proposal}_{beamline}.h5"]


class LinkKeeper:
    """Brings files of links up to date in the background, many requests at a time.

    :param period: seconds between two rewritings; longer when one takes long.
    :param report: called with the error when a file can not be written.
    """

    def __init__(self, period: float, report: Callable[[FirstlightError], None]) -> None:
        self._period = period
        self._report = report
        self._wanted: set[Path] = set()
        self._changed = threading.Condition()
        self._ending = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="links", daemon=True)
        self._thread.start()

    def request(self, dataset_file: Path) -> None:
        """Have a dataset file, and the masters above it, brought up to date soon."""
        with self._changed:
            self._wanted.add(dataset_file)
            self._changed.notify_all()

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is left to do."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted and not self._busy, timeout)

    def close(self) -> None:
        """Do what was requested, then end."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._ending)
                files, self._wanted = self._wanted, set()
                if not files:
                    return
                self._busy = True
            began = time.monotonic()
            for file in sorted(files):
                try:
                    write_dataset_links(file)
                    write_masters(file)
                except FirstlightError as error:
                    self._report(error)
                except OSError as error:
                    self._report(full(file, error))
            took = time.monotonic() - began
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                # A dataset of many thousand runs must not keep this thread busy all the time.
                self._changed.wait_for(lambda: self._ending, max(self._period, 10 * took))


def scan_files(folder: Path) -> Iterator[tuple[int, Path]]:
    try:
        found = sorted(p for p in folder.iterdir() if _SCAN.fullmatch(p.name))
    except FileNotFoundError:
        return
    for scan in found:
        file = scan / f"{scan.name}.h5"
        if file.exists():
            yield int(scan.name.removeprefix("scan")), file


def links_of(file: Path) -> Mapping[str, Target | None]:
    """What a file of links has: where each link leads, None for what is inside the file."""
    import h5py

    from firstlight.storage._hdf5 import open_hdf5

    if not file.exists():
        return {}
    found: dict[str, Target | None] = {}
    try:
        with open_hdf5(file) as h5:
            for name in h5:
                link = h5.get(name, getlink=True)
                found[name] = (link.filename, link.path) if isinstance(link, h5py.ExternalLink) else None
    except OSError:
        # Whatever it was, it can not be read by anybody; the folders say what belongs here.
        return {}
    return found


def _set_aside(file: Path) -> Path:
    number = 1
    while True:
        beside = file.with_name(f"{file.stem}_merged{number:02d}.h5")
        try:
            os.link(file, beside)
        except FileExistsError:
            if beside.samefile(file):
                return beside  # set aside before, by somebody who died then
            number += 1
        except OSError as error:
            raise full(beside, error) from error
        else:
            return beside


def _write(file: Path, links: Mapping[str, Target]) -> None:
    import h5py

    draft = file.with_name(f".{file.stem}.{os.getpid()}.new.h5")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with h5py.File(draft, "x", locking=False) as h5:
            h5.attrs.update(
                {"NX_class": "NXroot", "creator": "Firstlight", "creator_version": __version__, "file_name": str(file)}
            )
            names = sort_entries(links)
            for name in names:
                h5[name] = h5py.ExternalLink(*links[name])
            if names:
                h5.attrs["default"] = names[-1]
        draft.replace(file)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise full(file, error if isinstance(error, OSError) else OSError(str(error))) from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other savers from changing the links of a folder meanwhile; where it can not be locked, go on without."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise full(folder, error) from error
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
