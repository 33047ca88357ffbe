"""The saver: follows the run index and saves every run that says where to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from firstlight.buffer import Buffer, IndexEntry, RunReader
from firstlight.model import Conflict, FirstlightError, NotFound, RunState
from firstlight.storage._frames import remove_journals
from firstlight.storage._links import LinkKeeper
from firstlight.storage._options import SaverOptions
from firstlight.storage._report import SavingReport, write_report
from firstlight.storage._runsaver import READER, Interrupted, RunSaver
from firstlight.storage._space import free_space, full
from firstlight.wire import Role, Service, address, method, register, served

_PATIENCE = 0.25
_RUNS = 64
_ORPHANS = 3.0
"""Seconds between looks for runs of other sessions that nobody saves any more."""


@register
class RunStatus(BaseModel):
    """One run that the saver deals with."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    state: str
    """``saving`` or ``failed``."""
    file: str
    frames: int = 0
    """Frames saved so far."""
    free: int = 0
    """Bytes free where it is saved."""
    message: str = ""
    hint: str = ""


@register
class SaverStatus(BaseModel):
    """What the saver does."""

    model_config = ConfigDict(frozen=True)

    runs: tuple[RunStatus, ...]
    closed: int
    """Runs saved since it started."""


def saver_address(session: str, root: Path) -> Path:
    """Where the saver of a session serves; that of a whole buffer when the session is empty."""
    return address(f"saver-{session}" if session else "saver", root)


class Saver(Service):
    """Saves the runs of one session, or of a whole buffer; also what a dead saver left.

    Sessions that share a buffer have a saver each. The runs of one whose saver is gone are saved by another one.

    Events: ``saving``, ``closed``, ``failed`` (with a :class:`SavingReport`'s fields and the run's ``key``), ``low``
    (free space), ``links`` (a file of links that can not be written).

    :param log: where it says what it does.
    :param session: whose runs it saves; all runs when empty.
    """

    def __init__(
        self, buffer: Buffer, options: SaverOptions, log: logging.Logger | None = None, *, session: str = ""
    ) -> None:
        self._session = session
        self._others: dict[str, RunReader] = {}
        self._looked = float("-inf")
        self._buffer = buffer
        self._options = options
        self._log = log or logging.getLogger(__name__)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._active: dict[str, RunSaver] = {}
        self._failed: dict[str, tuple[RunReader, FirstlightError, float]] = {}
        self._closed = 0
        self._links = LinkKeeper(options.links, self._links_failed)
        self._pool = ThreadPoolExecutor(_RUNS, thread_name_prefix="run")

    def follow(self, ended: Callable[[], bool]) -> None:
        """Save until told to end; then leave off where it is, for the next saver."""
        self._buffer.recover()
        position = 0
        try:
            while not ended():
                for entry in self._buffer.wait_runs(position, _PATIENCE):
                    position = entry.position + 1
                    self._take(entry)
                self._try_again()
                self._look_after_others()
        finally:
            self._stopping.set()
            self._pool.shutdown(wait=True)
            self._links.close()

    @method(Role.VIEW)
    def status(self) -> SaverStatus:
        """What is being saved, and what could not be."""
        with self._lock:
            active, failed = dict(self._active), dict(self._failed)
            closed = self._closed
        runs = [
            RunStatus(
                key=key,
                title=saver.run.info.title,
                state="saving",
                file=saver.saving.file,
                frames=saver.frames,
                free=free_space(Path(saver.saving.file)),
            )
            for key, saver in active.items()
        ]
        for key, (run, error, _) in failed.items():
            file = run.info.saving.file if run.info.saving else ""
            runs.append(
                RunStatus(
                    key=key, title=run.info.title, state="failed", file=file, message=error.message, hint=error.hint
                )
            )
        return SaverStatus(runs=tuple(runs), closed=closed)

    @method(Role.OPERATE)
    def retry(self, key: str = "") -> list[str]:
        """Try again to save a run that failed, or all of them; returns their keys.

        :raises NotFound: when no run of that key failed.
        """
        with self._lock:
            if key and key not in self._failed:
                raise NotFound(f"The saver has no failed run {key}.")
            keys = [key] if key else list(self._failed)
            for one in keys:
                run, error, _ = self._failed[one]
                self._failed[one] = (run, error, 0.0)
        return keys

    @method(Role.VIEW)
    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until all files of links are up to date."""
        return self._links.settle(timeout)

    # -- inside

    def _take(self, entry: IndexEntry) -> None:
        if not entry.saved:
            return
        try:
            run = self._buffer.run(entry.key)
            if run.state is RunState.CLOSED:
                # Its saver may have died before it removed them.
                if run.info.saving is not None:
                    remove_journals(Path(run.info.saving.file).parent)
                return
        except NotFound:
            return
        if not self._session or run.info.session in ("", self._session):
            self._start(run)
        else:
            self._others[run.key] = run

    def _look_after_others(self) -> None:
        """Take over the runs of sessions whose saver is gone."""
        now = time.monotonic()
        if not self._others or now - self._looked < _ORPHANS:
            return
        self._looked = now
        for key, run in list(self._others.items()):
            try:
                closed = run.state is RunState.CLOSED
            except NotFound:
                closed = True
            if closed:
                del self._others[key]
            elif not run.attended(READER) and not served(saver_address(run.info.session, self._buffer.root)):
                self._log.info("taking over %s: the saver of session %s is gone", key, run.info.session)
                del self._others[key]
                self._start(run)

    def _start(self, run: RunReader) -> None:
        if READER not in run.readers:
            self._fail(
                run,
                Conflict(
                    f"The run {run.key} can not be saved: it does not keep its data for the saver.",
                    hint=f"Create it with the retaining reader {READER!r}.",
                ),
                final=True,
            )
            return
        saver = RunSaver(
            self._buffer,
            run,
            self._options,
            started=lambda: self._started(run),
            stopping=self._stopping,
        )
        with self._lock:
            self._active[run.key] = saver
        work = self._pool.submit(saver.save)
        work.add_done_callback(lambda done: self._ended(run, done))

    def _started(self, run: RunReader) -> None:
        saving = run.info.saving
        assert saving is not None
        self._links.request(Path(saving.dataset_file))
        self.emit("saving", {"key": run.key, "file": saving.file})
        free = free_space(Path(saving.file))
        if free < self._options.low_free:
            self._log.warning("only %d MB are free for %s", free // 2**20, saving.file)
            self.emit("low", {"key": run.key, "file": saving.file, "free": free})

    def _ended(self, run: RunReader, done: Future[None]) -> None:
        saving = run.info.saving
        assert saving is not None
        error = done.exception()
        with self._lock:
            self._active.pop(run.key, None)
            if error is None:
                self._failed.pop(run.key, None)
                self._closed += 1
        if error is None:
            self._log.info("saved %s in %s", run.key, saving.file)
            self.emit("closed", {"key": run.key, "file": saving.file})
        elif isinstance(error, Interrupted):
            self._log.info("left %s for the next saver", run.key)
        elif isinstance(error, Conflict) and run.attended(READER):
            # Another session's saver took it over, or has it still.
            self._log.info("%s is saved by another saver", run.key)
            self._others[run.key] = run
        elif isinstance(error, FirstlightError):
            self._fail(run, error)
        elif isinstance(error, OSError):
            self._fail(run, full(Path(saving.file), error))
        else:
            self._log.error("saving %s failed", run.key, exc_info=error)
            self._fail(
                run, FirstlightError(f"Saving {saving.file} failed: {error!r}.", hint="The data stay in the buffer.")
            )

    def _fail(self, run: RunReader, error: FirstlightError, *, final: bool = False) -> None:
        file = run.info.saving.file if run.info.saving else ""
        with self._lock:
            due = float("inf") if final else time.monotonic() + self._options.retry
            self._failed[run.key] = (run, error, due)
        self._log.error("%s: %s", run.key, error)
        report: SavingReport = write_report(run.path, "failed", file, error)
        self.emit("failed", {"key": run.key, **report.model_dump()})

    def _try_again(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [run for run, _, moment in self._failed.values() if moment <= now and run.key not in self._active]
        for run in due:
            self._start(run)

    def _links_failed(self, error: FirstlightError) -> None:
        self._log.error("%s", error)
        self.emit("links", {"message": error.message, "hint": error.hint})
