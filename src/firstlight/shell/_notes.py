"""What is typed and printed goes to the dataset's electronic log, by a thread: a slow disk delays no command."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.shell._face import SessionFace

_log = logging.getLogger(__name__)

WAITING = 500
"""Notes that wait for a dataset to begin; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Note:
    """One entry to be written.

    :param kind: as the log knows them: ``comment``, ``command``, ``plot``, ``error``.
    :param wanted: somebody asked for it, so it begins a dataset where there is none; others wait for the first run.
    """

    kind: str
    text: str
    picture: Path | None = None
    wanted: bool = False


class Notes:
    """Writes notes in order, in a thread of its own.

    :param session: whose present dataset has the log.
    """

    def __init__(self, session: SessionFace) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._queue: deque[Note] = deque()
        self._waiting: deque[Note] = deque(maxlen=WAITING)
        self._busy = False
        self._closed = False
        self._failed = False
        self._thread = threading.Thread(target=self._work, name="firstlight-notes", daemon=True)
        self._thread.start()

    def add(self, note: Note) -> None:
        """Write it soon."""
        with self._changed:
            self._queue.append(note)
            self._changed.notify_all()

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until all is written; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout)

    def close(self) -> None:
        """Write what is left, and end."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=2.0)

    def now(self, note: Note) -> Any:
        """Write it and those before it, and return its entry.

        :raises FirstlightError: when it cannot be written.
        """
        self.flush()
        for earlier in self._taken():
            self._put(earlier)
        return self._put(note)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                note = self._queue.popleft()
                self._busy = True
            self._attempt(lambda note=note: self._write(note))  # type: ignore[misc]
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _attempt(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the log must not end the shell; said once
            if not self._failed:
                _log.warning("the electronic log is not written: %s", error)
            self._failed = True
        else:
            self._failed = False

    def _write(self, note: Note) -> None:
        if not note.wanted and not self._session.dataset.folder.is_dir():
            self._waiting.append(note)
            return
        for earlier in self._taken():
            self._put(earlier)
        self._put(note)

    def _taken(self) -> list[Note]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def _put(self, note: Note) -> Any:
        return self._session.elog.add(note.text, kind=note.kind, picture=note.picture)
