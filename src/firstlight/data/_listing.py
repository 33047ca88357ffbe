"""What there is to read: runs of the buffer, of datasets, and datasets below a folder; without any database."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.data._file import patiently
from firstlight.model import DataError, EndReason, NotFound, RunState

if TYPE_CHECKING:
    from firstlight.buffer import Buffer

_SCAN = re.compile(r"scan(\d{4,})")
_ENTRY = re.compile(r"(\d+)\.1")
_ASIDE = frozenset({"PROCESSED_DATA", "NOBACKUP", "SCRIPTS", "GALLERY", "NOTES", "__icat__", "gallery"})
DEPTH = 8
"""Folders below the given one in which datasets are looked for: the data policy has seven levels."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run in a list."""

    number: int | None
    """Number in its dataset; None when it is not saved."""
    name: str
    """Name of the command; empty when the file does not say."""
    title: str
    """The command as typed."""
    start: float | None
    """UTC seconds; None when unknown."""
    stop: float | None
    """UTC seconds; None while it goes on, or when unknown."""
    state: RunState
    """How far it is; of a run in a file, RUNNING or CLOSED."""
    reason: EndReason | None
    """How it ended; None while it goes on, or when unknown."""
    npoints: int | None
    """Points that were asked for; None when open-ended or unknown."""
    key: str
    """Key in the buffer, now or then; empty when unknown."""
    path: Path | None
    """Its file; None when it is not saved."""
    live: bool
    """Whether it is in the buffer."""
    problem: str = ""
    """Why its file can not be read; empty when it can."""
    acquired: int | None = None
    """Points that its file holds, complete in all channels; None of a run in the buffer, or when unknown."""


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """One dataset in a list. Names that the path does not tell are empty."""

    proposal: str
    beamline: str
    session: str
    """YYYYMMDD."""
    sample: str
    dataset: str
    folder: Path
    """Its folder."""
    numbers: tuple[int, ...]
    """Numbers of its runs."""
    modified: float
    """UTC seconds of the last change that its folders show."""

    @property
    def file(self) -> Path:
        """File with all its runs."""
        return self.folder / f"{self.folder.name}.h5"


def buffered(buffer: Buffer) -> list[RunEntry]:
    """The runs of a buffer, oldest first."""
    found = []
    for entry in buffer.runs():
        try:
            run = buffer.run(entry.key)
            info, end = run.info, run.end
        except NotFound:
            continue  # removed meanwhile
        saving = info.saving
        found.append(
            RunEntry(
                number=saving.number if saving is not None else None,
                name=info.name,
                title=info.title,
                start=info.start_epoch,
                stop=end.epoch if end is not None else None,
                state=run.state,
                reason=end.reason if end is not None else None,
                npoints=info.npoints,
                key=entry.key,
                path=Path(saving.file) if saving is not None else None,
                live=True,
            )
        )
    return found


def stored(path: Path) -> list[RunEntry]:
    """The runs of a dataset's folder or of a file, by number; one whose file can not be read says why.

    :raises NotFound: when it holds no runs.
    :raises DataError: when it is a file, but none of HDF5.
    """
    if path.is_file():
        return [_stored(path, entry) for entry in entries(path)]
    numbers = scan_numbers(path)
    if not numbers:
        raise NotFound(f"{path} holds no runs.")
    whole = path / f"{path.name}.h5"
    own = [path / f"scan{n:04d}" / f"scan{n:04d}.h5" for n in numbers]
    return [_stored(o if o.is_file() else whole, f"{n}.1") for n, o in zip(numbers, own, strict=True)]


def datasets(folder: Path | str) -> list[DatasetEntry]:
    """The datasets in and below a folder, in the order of their paths.

    :raises NotFound: when there is no such folder.
    """
    top = Path(folder).expanduser()
    if not top.is_dir():
        raise NotFound(f"There is no folder {top}.")
    return [describe(found) for found in walk(top.absolute())]


def find_folder(name: str, root: Path | str | None) -> Path | None:
    """The folder of a proposal, of a sample or of a dataset below a root; the newest session when there are several.

    :param name: ``proposal``, ``proposal/sample`` or ``proposal/sample/dataset``.
    :param root: by default ``$FIRSTLIGHT_DATA``; None is returned when neither is set.
    """
    named = root or os.environ.get("FIRSTLIGHT_DATA")
    proposal, *words = name.strip("/").split("/")
    if not named or not proposal or len(words) > 2:
        return None
    known = datasets(named) if Path(named).is_dir() else []
    found = [e for e in known if e.proposal == proposal and [e.sample, e.dataset][: len(words)] == words]
    if not found:
        return None
    newest = max(found, key=lambda e: (e.session, e.modified))
    # RAW_DATA / sample / dataset
    return (newest.folder.parents[1], newest.folder.parent, newest.folder)[len(words)]


def scan_numbers(folder: Path) -> list[int]:
    """Numbers of the runs of a dataset: those with a file of their own, and those inside the dataset's file."""
    numbers = set()
    for path in _children(folder):
        match = _SCAN.fullmatch(path.name)
        if match and (path / f"{path.name}.h5").is_file():
            numbers.add(int(match[1]))
    file = folder / f"{folder.name}.h5"
    if file.is_file():
        numbers |= _inside(file)
    return sorted(numbers)


def entries(path: Path) -> list[str]:
    """Names of the entries of a file, in the order of their numbers.

    :raises NotFound: when there is no such file, or it has none.
    :raises DataError: when it is no HDF5 file, or is broken.
    """
    from firstlight.storage import list_entries

    def look() -> list[str]:
        found = list_entries(path)
        if not found:
            raise NotFound(f"{path} holds no scan.", hint="Files of scans have entries named 1.1, 2.1 and so on.")
        return found

    return patiently(path, look)


def _inside(file: Path) -> set[int]:
    """Numbers that the dataset's file alone knows: runs inside it, and links to what an earlier merge set aside."""
    import h5py

    from firstlight.storage import open_hdf5

    found = set()
    try:
        with open_hdf5(file) as h5:
            for name in h5:
                match = _ENTRY.fullmatch(name)
                link = h5.get(name, getlink=True) if match else None
                if match and (not isinstance(link, h5py.ExternalLink) or (file.parent / link.filename).is_file()):
                    found.add(int(match[1]))
    except OSError:
        return set()  # being replaced, or broken: the folders beside it count
    return found


def _stored(path: Path, entry: str) -> RunEntry:
    from firstlight.storage import open_scan

    match = _ENTRY.fullmatch(entry)
    number = int(match[1]) if match else None
    try:
        with open_scan(path, entry) as scan:
            info, end, state, key = scan.info, scan.end, scan.state, scan.key
            counts = [channel.count for name, channel in scan.channels.items() if name not in info.online]
    except (DataError, NotFound) as error:
        return RunEntry(
            number, "", "", None, None, RunState.RUNNING, None, None, "", path, live=False, problem=error.message
        )
    return RunEntry(
        number=number,
        name=info.name,
        title=info.title,
        start=info.start_epoch,
        stop=end.epoch if end is not None else None,
        state=state,
        reason=end.reason if end is not None else None,
        npoints=info.npoints,
        key=key,
        path=path,
        live=False,
        acquired=min(counts, default=None),
    )


def walk(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The folders of datasets in and below a folder, in the order of their paths."""
    children = _children(folder)
    if any(_SCAN.fullmatch(c.name) for c in children) or _is_dataset(folder):
        yield folder
        return
    if depth:
        for child in children:
            if child.name not in _ASIDE and not child.name.startswith("."):
                yield from walk(child, depth - 1)


def _is_dataset(folder: Path) -> bool:
    """Whether it is named as the policy names datasets and holds the file of that name."""
    return folder.name.startswith(f"{folder.parent.name}_") and (folder / f"{folder.name}.h5").is_file()


def describe(folder: Path) -> DatasetEntry:
    """A dataset by its folder."""
    sample, dataset, proposal, beamline, session = place(folder)
    file = folder / f"{folder.name}.h5"
    times = [p.stat().st_mtime for p in (folder, *_children(folder)) if p.exists()]
    if file.exists():
        times.append(file.stat().st_mtime)
    return DatasetEntry(
        proposal=proposal,
        beamline=beamline,
        session=session,
        sample=sample,
        dataset=dataset,
        folder=folder,
        numbers=tuple(scan_numbers(folder)),
        modified=max(times, default=0.0),
    )


def place(folder: Path) -> tuple[str, str, str, str, str]:
    """Sample, dataset, proposal, beamline and session, as far as a dataset's path tells; no file is opened."""
    sample = folder.parent.name
    policy = folder.parents[1].name == "RAW_DATA" if len(folder.parents) > 5 else False
    words = [p.name for p in (folder.parents[4], folder.parents[3], folder.parents[2])] if policy else ["", "", ""]
    return sample, folder.name.removeprefix(f"{sample}_"), words[0], words[1], words[2]


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir())
    except OSError:
        return []
