"""The catalogue: a local index of what was saved, in one SQLite file that can be made anew from the files at will.

Only an index: what it says is read from the files, a broken one is thrown away, and nothing else depends on it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.data._listing import place, scan_numbers, walk
from firstlight.data._query import Query
from firstlight.model import DataError, EndReason, FirstlightError, NotFound, RunEnd, RunInfo, RunState

if TYPE_CHECKING:
    from firstlight.buffer import RunReader

_log = logging.getLogger(__name__)

VERSION = 1
"""Of the tables; an index of another version is made anew."""

PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

_TABLES = """
CREATE TABLE roots (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE datasets (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL, folder TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL,
    proposal TEXT NOT NULL, beamline TEXT NOT NULL, session TEXT NOT NULL, sample TEXT NOT NULL, dataset TEXT NOT NULL
);
CREATE TABLE runs (
    dataset_id INTEGER NOT NULL REFERENCES datasets ON DELETE CASCADE, number INTEGER NOT NULL, stamp TEXT NOT NULL,
    path TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL,
    technique TEXT NOT NULL, axes TEXT NOT NULL, channels TEXT NOT NULL, start REAL, stop REAL, state INTEGER NOT NULL,
    reason TEXT NOT NULL, npoints INTEGER, problem TEXT NOT NULL, PRIMARY KEY (dataset_id, number)
) WITHOUT ROWID;
CREATE INDEX runs_start ON runs (start);
CREATE INDEX runs_path ON runs (path);
"""
_FOUND = (
    "proposal, beamline, session, sample, dataset, folder, number, path, key, name, title, description, technique, "
    "axes, channels, start, stop, state, reason, npoints, problem"
)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One run that a search found."""

    proposal: str
    beamline: str
    session: str
    """YYYYMMDD."""
    sample: str
    dataset: str
    folder: Path
    """Of the dataset."""
    number: int
    path: Path
    """File that holds it."""
    key: str
    """Key that it had in the buffer; empty when unknown."""
    name: str
    title: str
    """The command as typed."""
    description: str
    """Of the sample."""
    technique: str
    axes: tuple[str, ...]
    """Axes that moved."""
    channels: tuple[str, ...]
    start: float | None
    """UTC seconds; None when unknown."""
    stop: float | None
    state: RunState
    reason: EndReason | None
    """How it ended; None while it goes on, or when unknown."""
    npoints: int | None
    problem: str
    """Why its file can not be read; empty when it can."""


@dataclass(frozen=True, slots=True)
class Update:
    """What an update of the catalogue changed."""

    datasets: int
    """Datasets found."""
    read: int
    """Runs read from their files."""
    removed: int
    """Runs that are no longer there."""


class Catalogue:
    """An index of runs; any thread may use it, and several processes the same file.

    :param path: of the SQLite file; made when it is not there.
    :raises DataError: when it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = self._open()

    @classmethod
    def default(cls) -> Catalogue:
        """That of this user."""
        from firstlight.storage import state_folder

        return cls(state_folder() / "catalogue.sqlite")

    @property
    def roots(self) -> list[Path]:
        """Folders that were indexed."""
        with self._use() as connection:
            return [Path(row[0]) for row in connection.execute("SELECT path FROM roots ORDER BY path")]

    def update(
        self, root: Path | str, *, rebuild: bool = False, progress: Callable[[int, str], None] | None = None
    ) -> Update:
        """Look at the files below a folder and index what changed since the last time.

        :param rebuild: read every run anew.
        :param progress: called with the number of datasets done and the folder of the next one.
        :raises NotFound: when there is no such folder.
        """
        top = Path(root).expanduser().absolute()
        if not top.is_dir():
            raise NotFound(f"There is no folder {top}.")
        if rebuild:
            self._forget(top)
        read = datasets = 0
        folders = set()
        for folder in walk(top):
            if progress is not None:
                progress(datasets, str(folder))
            folders.add(str(folder))
            read += self._dataset(top, folder)
            datasets += 1
        with self._use() as connection:
            known = [Path(row[0]) for row in connection.execute("SELECT path FROM roots")]
            # A root inside another one is no root of its own.
            inside = [(str(k),) for k in known if k != top and k.is_relative_to(top)]
            connection.executemany("DELETE FROM roots WHERE path = ?", inside)
            if not any(top.is_relative_to(k) for k in known):
                connection.execute("INSERT INTO roots VALUES (?)", (str(top),))
            listed = connection.execute("SELECT id, folder FROM datasets").fetchall()
            gone = [i for i, f in listed if Path(f).is_relative_to(top) and f not in folders]
            removed = sum(self._remove(connection, i) for i in gone)
        return Update(datasets, read, removed)

    def note(self, path: Path, number: int, run: RunReader | None = None) -> None:
        """Index one run that was just saved, without looking at the others of its dataset.

        :param path: its own file, ``.../{dataset folder}/scanNNNN/scanNNNN.h5``.
        :param number: its number.
        :param run: the run in the buffer, which spares opening the file: who opens it at the same moment in the same
            process would have to do so with the same locking.
        """
        path = path.absolute()
        folder = path.parents[1]
        found = _read(path, number) if run is None else _described(path, number, run)
        with self._use() as connection:
            row = connection.execute("SELECT id FROM datasets WHERE folder = ?", (str(folder),)).fetchone()
            _store(connection, row[0] if row else self._insert(connection, folder), found)

    def search(
        self, text: str = "", *, root: Path | str | None = None, limit: int | None = None
    ) -> list[CatalogueEntry]:
        """The runs that fit, newest first.

        :param text: see :class:`Query`; empty for all.
        :param root: only below this folder.
        :param limit: at most so many.
        :raises InvalidInput: when the text is no query.
        """
        condition, values = Query(text).sql()
        if root is not None:
            top = str(Path(root).expanduser().absolute()).rstrip("/")
            condition = f"({condition}) AND (folder = ? OR substr(folder, 1, ?) = ?)"
            values = [*values, top, len(top) + 1, f"{top}/"]
        statement = (
            f"SELECT {_FOUND} FROM runs JOIN datasets ON datasets.id = runs.dataset_id WHERE {condition} "  # noqa: S608
            "ORDER BY start IS NULL, start DESC, folder, number DESC LIMIT ?"
        )
        with self._use() as connection:
            rows = connection.execute(statement, [*values, -1 if limit is None else limit]).fetchall()
        return [_entry(row) for row in rows]

    def find(self, key: str) -> CatalogueEntry | None:
        """The run that had this key in the buffer; None when none is known."""
        if not key:
            return None
        statement = f"SELECT {_FOUND} FROM runs JOIN datasets ON datasets.id = runs.dataset_id WHERE key = ? LIMIT 1"  # noqa: S608
        with self._use() as connection:
            row = connection.execute(statement, [key]).fetchone()
        return _entry(row) if row else None

    def close(self) -> None:
        """Give the file free; idempotent."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- inside

    def _dataset(self, root: Path, folder: Path) -> int:
        """Index one dataset; the number of runs that had to be read."""
        stamp = _stamp(folder, folder / f"{folder.name}.h5", *sorted(folder.glob("scan*")))
        with self._use() as connection:
            row = connection.execute("SELECT id, stamp FROM datasets WHERE folder = ?", (str(folder),)).fetchone()
            known = {
                number: (old, state)
                for number, old, state in connection.execute(
                    "SELECT number, stamp, state FROM runs WHERE dataset_id = ?", (row[0] if row else -1,)
                )
            }
        if row is not None and row[1] == stamp and all(state == RunState.CLOSED for _, state in known.values()):
            return 0
        numbers = scan_numbers(folder)
        fresh = []
        for number in numbers:
            path = _file_of(folder, number)
            old, state = known.get(number, ("", 0))
            if old != _stamp(path) or state != RunState.CLOSED:
                fresh.append(_read(path, number))
        with self._use() as connection:
            identity = row[0] if row else self._insert(connection, folder, root)
            for run in fresh:
                _store(connection, identity, run)
            gone = [(identity, number) for number in known if number not in numbers]
            connection.executemany("DELETE FROM runs WHERE dataset_id = ? AND number = ?", gone)
            connection.execute("UPDATE datasets SET stamp = ? WHERE id = ?", (stamp, identity))
        return len(fresh)

    def _insert(self, connection: sqlite3.Connection, folder: Path, root: Path | None = None) -> int:
        sample, dataset, proposal, beamline, session = place(folder)
        if root is None:
            # The session of the experiment: a facility's whole data root may hold years.
            root = folder.parents[2] if proposal else folder
            connection.execute("INSERT OR IGNORE INTO roots VALUES (?)", (str(root),))
        values = (str(root), str(folder), "", proposal, beamline, session, sample, dataset)
        cursor = connection.execute(
            "INSERT INTO datasets (root, folder, stamp, proposal, beamline, session, sample, dataset) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (folder) DO UPDATE SET stamp = '' RETURNING id",
            values,
        )
        return int(cursor.fetchone()[0])

    def _remove(self, connection: sqlite3.Connection, identity: int) -> int:
        count = connection.execute("SELECT count(*) FROM runs WHERE dataset_id = ?", (identity,)).fetchone()[0]
        connection.execute("DELETE FROM datasets WHERE id = ?", (identity,))
        return int(count)

    def _forget(self, top: Path) -> None:
        with self._use() as connection:
            listed = connection.execute("SELECT id, folder FROM datasets").fetchall()
            for identity, folder in listed:
                if Path(folder).is_relative_to(top):
                    self._remove(connection, identity)

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction; an index that turns out broken is made anew, empty."""
        with self._lock:
            if self._connection is None:
                raise DataError(f"The catalogue {self.path} is closed.")
            try:
                with self._connection:
                    yield self._connection
            except sqlite3.OperationalError as error:
                raise DataError(
                    f"The catalogue {self.path} cannot be used now: {error}.",
                    hint="Another process may hold it, or its disk may be full; try again.",
                ) from error
            except sqlite3.DatabaseError as error:
                self._connection.close()
                self.path.unlink(missing_ok=True)
                self._connection = self._open()
                raise DataError(
                    f"The catalogue {self.path} was broken ({error}) and was begun anew.",
                    hint="Index your data again: firstlight ls --rebuild FOLDER.",
                ) from error

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._connect()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _log.warning("The catalogue %s is broken (%s) and is begun anew.", self.path, error)
                self.path.unlink(missing_ok=True)
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"The catalogue {self.path} cannot be opened: {error}.",
                hint="Check the folder, or name another one in FIRSTLIGHT_STATE.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=PATIENCE, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            # Home folders are often network file systems, where the shared memory of a write-ahead log does not work.
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    for (table,) in connection.execute(
                        "SELECT name FROM sqlite_master WHERE type = 'table'"
                    ).fetchall():
                        connection.execute(f'DROP TABLE "{table}"')
                    for statement in _TABLES.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection


def _file_of(folder: Path, number: int) -> Path:
    own = folder / f"scan{number:04d}" / f"scan{number:04d}.h5"
    return own if own.is_file() else folder / f"{folder.name}.h5"


def _stamp(*paths: Path) -> str:
    """Changes when one of the files or folders does."""
    parts = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{path.name}:{status.st_mtime_ns}:{status.st_size}")
    return "|".join(parts)


def _read(path: Path, number: int) -> dict[str, Any]:
    """What the file says of one run."""
    from firstlight.storage import open_scan

    try:
        with open_scan(path, f"{number}.1") as scan:
            return _facts(path, number, scan.info, scan.end, scan.state, scan.key, list(scan.channels))
    except (FirstlightError, OSError) as error:
        problem = error.message if isinstance(error, FirstlightError) else str(error)
        return _EMPTY | {"number": number, "stamp": _stamp(path), "path": str(path), "problem": problem}


def _described(path: Path, number: int, run: RunReader) -> dict[str, Any]:
    """The same of a run in the buffer."""
    return _facts(path, number, run.info, run.end, run.state, run.key, list(run.channels))


_EMPTY: dict[str, Any] = {
    "number": 0, "stamp": "", "path": "", "key": "", "name": "", "title": "", "description": "", "technique": "",
    "axes": "[]", "channels": "[]", "start": None, "stop": None, "state": int(RunState.RUNNING), "reason": "",
    "npoints": None, "problem": "",
}  # fmt: skip


def _facts(
    path: Path, number: int, info: RunInfo, end: RunEnd | None, state: RunState, key: str, channels: list[str]
) -> dict[str, Any]:
    return _EMPTY | {
        "number": number,
        "stamp": _stamp(path),
        "path": str(path),
        "key": key,
        "name": info.name,
        "title": info.title,
        "description": _words(info.metadata.get("sample"), "description"),
        "technique": _technique(info.metadata),
        "axes": json.dumps(info.axes),
        "channels": json.dumps(channels),
        "start": info.start_epoch,
        "stop": end.epoch if end is not None else None,
        "state": int(state),
        "reason": str(end.reason) if end is not None else "",
        "npoints": info.npoints,
    }


def _words(tree: object, key: str) -> str:
    value = tree.get(key, "") if isinstance(tree, dict) else ""
    return value if isinstance(value, str) else json.dumps(value)


def _technique(metadata: dict[str, Any]) -> str:
    technique = metadata.get("technique")
    if isinstance(technique, str):
        return technique
    return _words(technique, "scan_category") or _words(technique, "name")


def _store(connection: sqlite3.Connection, dataset: int, run: dict[str, Any]) -> None:
    columns = ("dataset_id", *run)
    marks = ", ".join("?" for _ in columns)
    connection.execute(
        f"INSERT OR REPLACE INTO runs ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
        (dataset, *run.values()),
    )


def _entry(row: Sequence[Any]) -> CatalogueEntry:
    values = dict(zip([name.strip() for name in _FOUND.split(",")], row, strict=True))
    return CatalogueEntry(
        **values
        | {
            "folder": Path(values["folder"]),
            "path": Path(values["path"]),
            "axes": tuple(json.loads(values["axes"])),
            "channels": tuple(json.loads(values["channels"])),
            "state": RunState(values["state"]),
            "reason": EndReason(values["reason"]) if values["reason"] else None,
        }
    )
