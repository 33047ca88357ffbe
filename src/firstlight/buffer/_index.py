"""The run index: an append-only file at the root, one JSON object a line, in the order in which runs were made.

Appending happens under a lock. A line is an entry once its line end is there; what a killed writer left without one is
cut off by the next, and no reader has ever looked at it.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from firstlight.buffer._locks import Lock, insist
from firstlight.buffer._mapping import full
from firstlight.model import RunInfo


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One run in the index.

    :param position: its place; the next one to ask for is ``position + 1``.
    :param key: key of the run.
    :param name: name of its command.
    :param title: the command as typed.
    :param epoch: UTC seconds at its creation.
    :param parent: key of the run to which it belongs, if any.
    :param saved: whether its description says where to save it.
    """

    position: int
    key: str
    name: str
    title: str
    epoch: float
    parent: str | None
    saved: bool


class Index:
    """The index of one root; remembers what it has read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[IndexEntry] = []
        self._offset = 0
        self._lock = threading.Lock()

    def lock(self) -> Lock:
        """Keep other processes from making or cleaning up runs; for an instant."""
        return insist(self.path)

    def append(self, key: str, info: RunInfo) -> None:
        """Add a run; the caller holds :meth:`lock`."""
        line = json.dumps(
            {
                "key": key,
                "name": info.name,
                "title": info.title,
                "epoch": info.start_epoch,
                "parent": info.parent,
                "saved": info.saving is not None,
            }
        )
        try:
            with self.path.open("r+b") as file:
                end = _complete(file.fileno())
                file.truncate(end)
                os.pwrite(file.fileno(), line.encode() + b"\n", end)
        except OSError as error:
            raise full(error, self.path, len(line)) from error

    def entries(self, since: int = 0) -> list[IndexEntry]:
        """Entries from a position on."""
        with self._lock:
            if self.path.stat().st_size > self._offset:
                with self.path.open("rb") as file:
                    file.seek(self._offset)
                    text = file.read()
                text = text[: text.rfind(b"\n") + 1]
                for line in text.splitlines():
                    self._entries.append(IndexEntry(len(self._entries), **json.loads(line)))
                self._offset += len(text)
            return self._entries[since:]


def _complete(fd: int) -> int:
    """Length of the file up to its last line end."""
    end = os.fstat(fd).st_size
    while end:
        start = max(0, end - 4096)
        chunk = os.pread(fd, end - start, start)
        at = chunk.rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
