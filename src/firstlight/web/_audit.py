"""What was done through the pages: who, what, when, and how it ended; one line of JSON each."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from firstlight.web._users import User

_log = logging.getLogger(__name__)
LIMIT = 16 << 20
"""Bytes after which a file is put aside as ``audit.jsonl.1``; the one before goes."""


class Audit:
    """Appends to ``audit.jsonl``; an act is never refused because it could not be noted, but the log says so."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.jsonl"
        self._lock = threading.Lock()

    def note(self, user: User | None, address: str, what: str, detail: Mapping[str, object], outcome: str) -> None:
        """One act.

        :param what: ``move``, ``stop``, ``login``.
        :param outcome: ``done``, or why not.
        """
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z",
            "user": user.name if user is not None else "",
            "id": user.id if user is not None else "",
            "role": user.rank.word if user is not None else "",
            "address": address,
            "what": what,
            "detail": dict(detail),
            "outcome": outcome,
        }
        try:
            with self._lock:
                if self.path.exists() and self.path.stat().st_size > LIMIT:
                    self.path.replace(self.path.with_name(f"{self.path.name}.1"))
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    os.write(handle, (json.dumps(line, default=str) + "\n").encode())
                finally:
                    os.close(handle)
        except OSError as error:
            _log.error("The act could not be noted in %s (%s): %s", self.path, error.strerror, line)
