"""The last lines of a session for whoever looks on: commands, who gave them, warnings, and errors with what to do."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from firstlight.model import FirstlightError, RunAborted
from firstlight.scanning import Engine, Job, Outcome
from firstlight.session._facts import ConsoleLine

KEPT = 200


class Console(logging.Handler):
    """Keeps the last lines, and tells each one as it comes.

    :param tell: called with one line, in any thread; it must be quick.
    """

    def __init__(self, engine: Engine, tell: Callable[[ConsoleLine], None]) -> None:
        super().__init__(logging.WARNING)
        self._engine = engine
        self._tell = tell
        self._lines: deque[ConsoleLine] = deque(maxlen=KEPT)
        self._guard = threading.Lock()
        engine.launched.append(self._launched)
        logging.getLogger("firstlight").addHandler(self)

    @property
    def lines(self) -> list[ConsoleLine]:
        """The last ones, oldest first."""
        with self._guard:
            return list(self._lines)

    def add(self, level: str, name: str, text: str, hint: str = "") -> None:
        """One line."""
        line = ConsoleLine(time.time(), level, name, text, hint)
        with self._guard:
            self._lines.append(line)
        self._tell(line)

    def emit(self, record: logging.LogRecord) -> None:
        """A warning or an error of any room."""
        try:
            level = "error" if record.levelno >= logging.ERROR else "warning"
            self.add(level, record.name.removeprefix("firstlight."), record.getMessage())
        except Exception:  # noqa: BLE001 - as logging asks of its handlers
            self.handleError(record)

    def close(self) -> None:
        """Keep no more; idempotent."""
        logging.getLogger("firstlight").removeHandler(self)
        if self._launched in self._engine.launched:
            self._engine.launched.remove(self._launched)
        super().close()

    def _launched(self, job: Job[Any]) -> None:
        who = job.client.label or job.client.user
        self.add("command", who, job.doing)
        job.on_end(self._ended)

    def _ended(self, job: Job[Any]) -> None:
        if job.future.cancelled():
            return
        error: BaseException | None = job.future.exception()
        if error is None:
            outcome = job.future.result()
            error = outcome.error if isinstance(outcome, Outcome) else None
        if error is None:
            return
        text, hint = (error.message, error.hint) if isinstance(error, FirstlightError) else (f"{error}", "")
        self.add("warning" if isinstance(error, RunAborted) else "error", job.doing, text, hint)
