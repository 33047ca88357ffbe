"""Finding a run: in the buffer by its key, in files by path, or by proposal, sample and dataset."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from firstlight.data._file import StoredRun, open_file, open_saved
from firstlight.data._listing import RunEntry, buffered, datasets, entries, find_folder, scan_numbers, stored
from firstlight.data._resolver import Resolver
from firstlight.data._run import Run
from firstlight.data._source import nearest
from firstlight.model import InvalidInput, NotFound, RunState

if TYPE_CHECKING:
    from firstlight.buffer import Buffer, RunReader
    from firstlight.storage import ScanFile

Target: TypeAlias = "str | Path | Run | RunReader | ScanFile"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run was found, so that what belongs to it can be found too."""

    buffer: Buffer | None

    @property
    def root(self) -> str | None:
        """Root of the buffer; None when there is none."""
        return str(self.buffer.root) if self.buffer is not None else None

    def parts(self, run: Run) -> list[Run]:
        """The runs of a sequence."""
        live = {}
        if self.buffer is not None and run.key:
            for entry in self.buffer.runs():
                if entry.parent == run.key:
                    live[entry.key] = self._live(entry.key)
        # Runs may have left the buffer, so the file is asked as well.
        numbers = [int(n) for n in run["scan_numbers"][:]] if "scan_numbers" in run and run.number is not None else []
        known = {r.number: r for r in live.values() if r is not None}
        saved = [known.get(n) or self._saved(run, n) for n in numbers]
        rest = [r for r in live.values() if r is not None and r.number not in numbers]
        return [r for r in saved if r is not None] + rest

    def sequence(self, run: Run) -> Run | None:
        """The run of the sequence that a run is part of."""
        key = run.info.parent
        if not key:
            return None
        found = self._live(key)
        if found is not None or run.number is None or run.path is None:
            return found
        folder = _dataset_folder(run.path)
        # A sequence takes its number before its parts do.
        for number in reversed([n for n in scan_numbers(folder) if n < run.number]):
            candidate = self._saved(run, number)
            if candidate is not None and candidate.key == key:
                return candidate
        return None

    def _live(self, key: str) -> Run | None:
        if self.buffer is None:
            return None
        try:
            return _from_buffer(self.buffer, key)
        except NotFound:
            return None

    def _saved(self, run: Run, number: int) -> Run | None:
        path = run.path
        if path is None:
            return None
        try:
            return _in_dataset(_dataset_folder(path), number, self)
        except NotFound:
            return None


def open(  # noqa: A001 - the package is used as firstlight.open
    target: Target,
    *,
    scan: int | str = -1,
    buffer: Buffer | Path | str | None = None,
    root: Path | str | None = None,
) -> Run:
    """Open a run to read it, whether it is being acquired, being saved, or long finished.

    :param target: the key of a run in the buffer; a path of a scan's file, a dataset's file or folder, or a folder
        above; a proposal, ``proposal/sample`` or ``proposal/sample/dataset`` below ``root``; or a run that another room
        has opened.
    :param scan: number of the scan in its dataset (or its entry, ``"3.1"``); -1 for the last one, -2 for the one
        before.
    :param buffer: the buffer or its root; by default the user's own, if there is one.
    :param root: folder with the data of all proposals; by default ``$FIRSTLIGHT_DATA``.
    :raises NotFound: when nothing is found; the hint names what is near.
    :raises InvalidInput: when several things are meant.
    :raises DataError: when a file is no HDF5 file, or is broken.
    """
    if isinstance(target, Run):
        return target
    room = _buffer(buffer)
    if not isinstance(target, str | Path):
        return _adopt(target, room)
    text = str(target)
    if not text.strip():
        raise InvalidInput("Nothing was named to open.", hint="Give the key of a run, or a path.")
    path = Path(text).expanduser()
    if path.is_file():
        return _in_file(path, scan, Origin(room))
    if path.is_dir():
        return _in_folder(path, scan, Origin(room))
    if room is not None and "/" not in text and any(entry.key == text for entry in room.runs()):
        return _from_buffer(room, text)
    folder = find_folder(text, root) if not path.is_absolute() else None
    if folder is not None:
        return _in_folder(folder, scan, Origin(room))
    raise _nothing(text, path, room, root)


def runs(
    target: Path | str | None = None,
    *,
    buffer: Buffer | Path | str | None = None,
    root: Path | str | None = None,
) -> list[RunEntry]:
    """What there is to open, oldest first.

    :param target: a dataset's folder or file, a folder above, or a proposal, ``proposal/sample`` or
        ``proposal/sample/dataset`` below ``root``; None lists the buffer.
    :param buffer: the buffer or its root; by default the user's own, if there is one.
    :param root: folder with the data of all proposals; by default ``$FIRSTLIGHT_DATA``.
    :raises NotFound: when the target does not exist or holds no runs.
    """
    room = _buffer(buffer)
    if target is None:
        return buffered(room) if room is not None else []
    text = str(target)
    path = Path(text).expanduser()
    if path.is_file():
        # The file of a dataset follows its folder, which may know more.
        return stored(path.parent if path.stem == path.parent.name and scan_numbers(path.parent) else path)
    folder = path if path.is_dir() else find_folder(text, root)
    if folder is None:
        raise _nothing(text, path, None, root)
    if scan_numbers(folder):
        return stored(folder)
    found = datasets(folder)
    if not found:
        raise NotFound(f"{folder} holds no dataset.", hint=nearest("", _names(folder), "file in it"))
    return [run for dataset in found if dataset.numbers for run in stored(dataset.folder)]


def reopen(key: str, root: str | None, stored: tuple[str, str] | None) -> Run:
    """The same run in another process."""
    room = _buffer(root)
    if room is not None and key and any(entry.key == key for entry in room.runs()):
        return _from_buffer(room, key)
    if stored is None:
        raise NotFound(f"The run {key} is in no buffer and no file that this process can see.")
    return _in_file(Path(stored[0]), stored[1], Origin(room))


def _adopt(target: Any, room: Buffer | None) -> Run:
    from firstlight.buffer import RunReader

    if isinstance(target, RunReader):
        return _of_reader(target, room)
    from firstlight.storage import ScanFile

    if isinstance(target, ScanFile):
        return _of_file(StoredRun(target), Origin(room))
    raise InvalidInput(f"{target!r} can not be opened.", hint="Give the key of a run, or a path.")


def _buffer(buffer: Buffer | Path | str | None) -> Buffer | None:
    """The buffer, None when there is none: looking must not make one."""
    if buffer is None or isinstance(buffer, str | Path):
        from firstlight.buffer import Buffer, default_root

        if buffer is None:
            with warnings.catch_warnings():
                # That the buffer is slow matters to those who fill it.
                warnings.simplefilter("ignore")
                buffer = default_root()
        return Buffer(Path(buffer)) if (Path(buffer) / "index").exists() else None
    return buffer


def _from_buffer(room: Buffer, key: str) -> Run:
    return _of_reader(room.run(key), room)


def _of_reader(reader: RunReader, room: Buffer | None) -> Run:
    from firstlight.data._live import LiveRun

    saving = reader.info.saving
    return Run(Resolver(LiveRun(reader), None if saving is None else lambda: open_saved(saving)), Origin(room))


def _of_file(file: StoredRun, origin: Origin) -> Run:
    if file.state < RunState.CLOSED and origin.buffer is not None and file.key:
        # It is being written: the buffer knows more, and sooner.
        try:
            reader = origin.buffer.run(file.key)
        except NotFound:
            pass
        else:
            from firstlight.data._live import LiveRun

            return Run(Resolver(LiveRun(reader), lambda: file), origin)
    return Run(Resolver(None, lambda: file), origin)


def _in_file(path: Path, scan: int | str, origin: Origin) -> Run:
    if isinstance(scan, str):
        return _of_file(open_file(path, scan), origin)
    names = entries(path)
    numbers = [n for n in names if n.partition(".")[0].isdigit()]
    if not numbers:
        linked = [n for n in names if re.fullmatch(r".+_\d+\.\d+", n)]
        if not linked:
            raise InvalidInput(
                f"{path} is no file of scans: it has {', '.join(names[:6])}.",
                hint="Entries of scans are named 1.1, 2.1 and so on; scan='NAME' opens another one all the same.",
            )
        raise InvalidInput(
            f"{path} links to {len(linked)} runs of several datasets.",
            hint=f"Name one with scan=, for instance scan={linked[-1]!r}.",
        )
    wanted = _choose(scan, numbers, str(path))
    return _of_file(open_file(path, wanted), origin)


def _choose(scan: int, names: Sequence[str], where: str) -> str:
    if scan < 0:
        if -scan > len(names):
            raise NotFound(f"{where} holds {len(names)} scans only.", hint=f"scan={-len(names)} is the first.")
        return names[scan]
    name = f"{scan}.1"
    if name not in names:
        raise NotFound(f"{where} has no scan {scan}.", hint=f"It has {names[0]} to {names[-1]}.")
    return name


def _in_folder(folder: Path, scan: int | str, origin: Origin) -> Run:
    own = folder / f"{folder.name}.h5"
    if folder.name.startswith("scan") and own.is_file():
        return _in_file(own, scan, origin)
    if scan_numbers(folder):
        return _in_dataset(folder, scan, origin)
    found = datasets(folder)
    if not found:
        raise NotFound(f"{folder} holds no dataset.", hint=nearest("", _names(folder), "file in it"))
    if len(found) == 1 or (isinstance(scan, int) and scan < 0):
        newest = max(found, key=lambda d: d.modified)
        return _in_dataset(newest.folder, scan, origin)
    names = [f"{d.sample}/{d.dataset}" for d in found]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    raise InvalidInput(f"{folder} holds {len(found)} datasets, which one has scan {scan}?", hint=f"There is {shown}.")


def _in_dataset(folder: Path, scan: int | str, origin: Origin) -> Run:
    """A run of a dataset's folder: the run's own file is the truth, the dataset's file follows it."""
    numbers = scan_numbers(folder)
    file = folder / f"{folder.name}.h5"
    entry = scan if isinstance(scan, str) else _choose(scan, [f"{n}.1" for n in numbers], str(folder))
    number = entry.partition(".")[0]
    own = folder / f"scan{int(number):04d}" / f"scan{int(number):04d}.h5" if number.isdigit() else file
    return _of_file(open_file(own if own.exists() else file, entry), origin)


def _dataset_folder(path: Path) -> Path:
    """The folder of the dataset to which a file belongs."""
    return path.parent.parent if path.parent.name.startswith("scan") else path.parent


def _nothing(text: str, path: Path, room: Buffer | None, root: Path | str | None) -> NotFound:
    near = [entry.key for entry in room.runs()][-50:] if room is not None else []
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if "/" in text or path.suffix:
        files = _names(folder)
        missing = path.relative_to(folder).parts[0] if path != folder else path.name
        return NotFound(f"There is no {path}.", hint=nearest(missing, files, f"file in {folder}"))
    known = near + _names(Path(root) if root else _data_root())
    return NotFound(
        f"{text!r} is no run in the buffer, no file and no proposal.", hint=nearest(text, known, "run in the buffer")
    )


def _data_root() -> Path | None:
    named = os.environ.get("FIRSTLIGHT_DATA")
    return Path(named) if named else None


def _names(folder: Path | None) -> list[str]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
