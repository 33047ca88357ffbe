"""Settings that outlive the session, apart from its configuration: one small database a beamline.

Each change is one transaction in SQLite's write-ahead log: a process that is killed between two of them loses neither.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from firstlight.model import InvalidInput
from firstlight.storage._policy import check_name
from firstlight.storage._space import StorageError
from firstlight.storage._state import state_folder

_BUSY = 5000
"""Milliseconds to wait for another process that writes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS settings (
    section TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (section, key)
) WITHOUT ROWID
"""


class SettingsStore:
    """The settings of one beamline; usable from any thread, and from several processes.

    :param beamline: names the file.
    :param folder: where it lies; :func:`state_folder` when None.
    :raises StorageError: when it cannot be opened.
    """

    def __init__(self, beamline: str, folder: Path | None = None) -> None:
        self.path = (folder or state_folder()) / f"{check_name('beamline', beamline).lower()}.settings.sqlite"
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                self._base.execute(f"PRAGMA busy_timeout = {_BUSY}")
                self._base.execute("PRAGMA journal_mode = WAL")
                # In write-ahead mode this survives the death of any process; only a power cut may cost the last change.
                self._base.execute("PRAGMA synchronous = NORMAL")
                self._base.execute(_TABLE)
            except sqlite3.Error:
                self._base.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise self._failed("opened", error) from error

    def section(self, name: str) -> Section:
        """Settings that belong together, for instance those of one axis."""
        return Section(self, name)

    def sections(self) -> list[str]:
        """Names of all sections that hold something, sorted."""
        return [str(row[0]) for row in self.query("SELECT DISTINCT section FROM settings ORDER BY section")]

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SettingsStore {self.path}>"

    def query(self, words: str, *values: str) -> list[tuple[Any, ...]]:
        """For sections: one statement, which is one transaction."""
        try:
            with self._lock:
                return self._base.execute(words, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed("read or written", error) from error

    def replace(self, section: str, values: dict[str, str]) -> None:
        """For sections: several values at once, in one transaction."""
        rows = [(section, key, value) for key, value in values.items()]
        try:
            with self._lock:
                self._base.execute("BEGIN IMMEDIATE")
                try:
                    self._base.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", rows)
                except BaseException:
                    self._base.execute("ROLLBACK")
                    raise
                self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed("written", error) from error

    def _failed(self, what: str, error: Exception) -> StorageError:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        return StorageError(
            f"The settings {self.path} cannot be {what}: {reason}.",
            hint="They need a folder on a local disk that you may write; FIRSTLIGHT_STATE names yours.",
        )


class Section(MutableMapping[str, Any]):
    """A part of the settings, as a mapping of JSON values; each assignment is kept at once."""

    def __init__(self, store: SettingsStore, name: str) -> None:
        self.name = name
        self._store = store

    def __getitem__(self, key: str) -> Any:
        rows = self._store.query("SELECT value FROM settings WHERE section = ? AND key = ?", self.name, key)
        if not rows:
            raise KeyError(key)
        return json.loads(rows[0][0])

    def __setitem__(self, key: str, value: Any) -> None:
        self.store({key: value})

    def store(self, values: dict[str, Any]) -> None:
        """Set several, all or none.

        :raises InvalidInput: for a value that is no JSON value; nothing was changed.
        """
        try:
            packed = {key: json.dumps(value) for key, value in values.items()}
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"A setting of {self.name} is no JSON value: {error}.") from error
        self._store.replace(self.name, packed)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._store.query("DELETE FROM settings WHERE section = ? AND key = ?", self.name, key)

    def __iter__(self) -> Iterator[str]:
        rows = self._store.query("SELECT key FROM settings WHERE section = ? ORDER BY key", self.name)
        return iter([str(row[0]) for row in rows])

    def __len__(self) -> int:
        rows = self._store.query("SELECT count(*) FROM settings WHERE section = ?", self.name)
        return int(rows[0][0])

    def __repr__(self) -> str:
        return f"<Section {self.name}: {dict(self)}>"
