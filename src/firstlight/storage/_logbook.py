"""The electronic log of a dataset: what people and programs noted while it was taken, a line each, beside the data."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

from firstlight.model import InvalidInput, NotFound
from firstlight.storage._policy import DatasetFolder
from firstlight.storage._space import StorageError

KINDS = ("comment", "command", "info", "error", "plot")
"""What an entry may be."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One note.

    :param epoch: UTC seconds.
    :param kind: one of ``KINDS``.
    :param author: who wrote it.
    :param picture: name of a file in the dataset's gallery; empty for none.
    """

    epoch: float
    kind: str
    text: str
    author: str = ""
    picture: str = ""

    def __str__(self) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(self.epoch))
        picture = f" [{self.picture}]" if self.picture else ""
        return f"{moment} {self.kind}: {self.text}{picture}"


class Logbook(Sequence[LogEntry]):
    """The log of one dataset; a list of its entries, oldest first. Several processes may add to it.

    The file is made with the first entry: one JSON object a line.
    """

    def __init__(self, dataset: DatasetFolder) -> None:
        self.path = dataset.folder / f"{dataset.stem}_elog.jsonl"
        self._gallery = dataset.gallery

    def add(self, text: str, *, kind: str = "comment", author: str = "", picture: Path | None = None) -> LogEntry:
        """Add an entry.

        :param kind: ``comment``, ``command``, ``info``, ``error`` or ``plot``.
        :param picture: an image file, which is copied into the dataset's gallery.
        :raises StorageError: when it cannot be written.
        """
        if kind not in KINDS:
            raise InvalidInput(f"{kind!r} is no kind of entry of the log.", hint=f"Choose one of: {', '.join(KINDS)}.")
        if picture is not None and not picture.is_file():
            raise NotFound(f"There is no picture {picture}.", hint="Give the path of an image file.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            name = self._keep(picture) if picture is not None else ""
            entry = LogEntry(time.time(), kind, text, author, name)
            # One write in append mode: entries of two processes never mix.
            line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(
                f"The log {self.path} cannot be written: {error.strerror}.", hint="Check the disk and its permissions."
            ) from error
        return entry

    @overload
    def __getitem__(self, index: int) -> LogEntry: ...
    @overload
    def __getitem__(self, index: slice) -> list[LogEntry]: ...
    def __getitem__(self, index: int | slice) -> LogEntry | list[LogEntry]:
        return self._entries()[index]

    def __len__(self) -> int:
        return len(self._entries())

    def __repr__(self) -> str:
        return "\n".join(map(str, self._entries())) or f"Nothing in {self.path.name} yet."

    def _entries(self) -> list[LogEntry]:
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entries.append(LogEntry(**json.loads(line)))
            except (ValueError, TypeError):
                # A line cut by a full disk must not hide the others.
                entries.append(LogEntry(0.0, "error", f"unreadable entry: {line[:60]}"))
        return entries

    def _keep(self, picture: Path) -> str:
        self._gallery.mkdir(parents=True, exist_ok=True)
        number = 1
        target = self._gallery / picture.name
        while target.exists():
            number += 1
            target = self._gallery / f"{picture.stem}_{number}{picture.suffix}"
        shutil.copyfile(picture, target)
        return target.name
