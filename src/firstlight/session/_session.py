"""The session: devices, engine, saver and current dataset, composed; what a lower room can decide is decided there."""

from __future__ import annotations

import contextlib
import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from firstlight.buffer import Buffer
from firstlight.data import Run
from firstlight.data import open as open_run
from firstlight.model import (
    Clock,
    Conflict,
    EndReason,
    FirstlightError,
    NotFound,
    RealClock,
    RunEnd,
    RunInfo,
    Saving,
    Scan,
)
from firstlight.process import ProcessSpec, Restart, Supervisor
from firstlight.scanning import COMMANDS, Engine, Outcome, ScanSequence, SessionLock, guard_process, tomo
from firstlight.session._build import build_devices
from firstlight.session._command import Command
from firstlight.session._current import Current, check_compression
from firstlight.session._watch import SaverWatch
from firstlight.storage import DataPolicy, DatasetFolder, Roots, compact

_log = logging.getLogger(__name__)

SAVER = "saver"
KEPT = 10
"""Runs that stay in memory; older ones are read from their files."""
READY = 30.0
"""Seconds within which a process must be ready."""


class Session:
    """An experiment at one beamline; use it in a ``with`` block, or call :meth:`close`.

    :param name: of the session; one of a name runs at a time.
    :param devices: configuration of each device, ``{"name", "kind", ...}``.
    :param data: folder under which everything is saved, by the data policy.
    :param beamline: its name; the session's by default.
    :param groups: names of counters and cameras that are measured together.
    :param default: what measures when a scan names nothing.
    :param buffer: root of the buffer; the machine's default when None.
    :param logs: folder for the logs of all processes.
    :param compression: of frames: ``none`` or ``bitshuffle-lz4``.
    :param merge: whether the runs of a dataset are merged into one file when it ends.
    :raises Conflict: when a session of this name runs.
    """

    def __init__(
        self,
        name: str,
        devices: Iterable[Mapping[str, Any]],
        *,
        data: Path,
        beamline: str = "",
        groups: Mapping[str, Sequence[str]] | None = None,
        default: Sequence[str] = (),
        buffer: Path | None = None,
        logs: Path | None = None,
        compression: str = "none",
        merge: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.data = data.absolute()
        self.compression = check_compression(compression)
        self._tomo = Command(self, tomo)
        self._commands = {known: Command(self, function) for known, function in COMMANDS.items()} | {"tomo": self._tomo}
        clock = clock or RealClock()
        self._merges = merge
        self.current = Current(DataPolicy(beamline or name, Roots.under(self.data)), self._merge)
        self.data.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self.buffer = Buffer(buffer, keep=KEPT)
            lock = SessionLock(_lock_path(self.buffer.root, name))
            stack.callback(lock.goodbye)
            self.buffer.recover()
            info = RunInfo(
                name="devices", title=f"devices of session {name}", start_epoch=clock.epoch(clock.now()),
                clock=clock.name, clock_offset=clock.epoch(0.0),
            )  # fmt: skip
            board = self.buffer.create_run(info)
            stack.callback(board.close)
            stack.callback(lambda: board.stop(RunEnd(reason=EndReason.SUCCESS, epoch=clock.epoch(clock.now()))))
            board.prepared()
            board.running()
            self.logs = logs or self.buffer.root / "logs" / name
            self.supervisor = stack.enter_context(Supervisor(name, self.logs))
            self.saver = self.supervisor.spawn(_saver(self.buffer.root))
            self.devices, sorted_devices = build_devices(
                devices, self.supervisor, self.buffer, board, clock, groups=groups, default=default
            )
            guard = self.supervisor.spawn(guard_process(lock.path, sorted_devices))
            self._watch = SaverWatch(self.saver, self.buffer.root / "runs")
            self.engine = stack.enter_context(
                Engine(
                    self.buffer, sorted_devices, clock, saving=self._saving, readers=(SAVER,),
                    metadata=self.current.metadata, watches=[self._watch], disk=self.data, prepare_paths=True,
                )
            )  # fmt: skip
            self.engine.listeners.append(self._watch.follow)
            for child in (self.saver, guard):
                child.wait_ready(READY)
            self._stack = stack.pop_all()

    # -- running

    def run(self, what: Scan | ScanSequence) -> Run:
        """Run a scan or a sequence, and return it once its file is closed.

        :raises FirstlightError: what ended it early; :attr:`last` is then the run with what was acquired.
        """
        try:
            outcome = self.engine.run(what)
        except FirstlightError:
            # What ended the run matters more than a file that is late.
            self._unsaved()
            raise
        unsaved = self._unsaved()
        if unsaved is not None:
            raise unsaved
        return self.open(outcome)

    def open(self, run: Outcome | str) -> Run:
        """A run of this session, or the run of that key in the buffer."""
        return open_run(run if isinstance(run, str) else run.key, buffer=self.buffer)

    @property
    def last(self) -> Run | None:
        """The last run, however it ended."""
        return self.open(self.engine.last) if self.engine.last is not None else None

    @property
    def tomo(self) -> Command:
        """Darks, flats and projections of a rotating sample."""
        return self._tomo

    def move(self, **targets: float) -> None:
        """Move axes to user positions, all at once, through the gate: ``session.move(rot=90)``."""
        self.engine.move(targets)

    # -- where data go

    def newproposal(self, name: str = "") -> None:
        """Go to a proposal; without a name, to the beamline's own of this month."""
        self._change(lambda: self.current.newproposal(name))

    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample."""
        self._change(lambda: self.current.newsample(name, description))

    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset; without a name it gets the next number."""
        self._change(lambda: self.current.newdataset(name))

    def enddataset(self) -> None:
        """End the dataset; the next run starts another."""
        self._change(self.current.enddataset)

    @property
    def dataset(self) -> DatasetFolder:
        """The current dataset."""
        return self.current.dataset

    # -- life

    def close(self) -> None:
        """Stop what runs, end all processes, give everything back; idempotent."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that are no attributes: the scan commands, then the devices.
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._commands:
            return self._commands[name]
        try:
            return self[name]
        except NotFound as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, name: str) -> Any:
        """A device by its name.

        :raises NotFound: when there is none.
        """
        try:
            return self.devices[name]
        except KeyError:
            close = difflib.get_close_matches(name, [*self.devices, *self._commands], n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(self.devices)}."
            raise NotFound(f"{self.name} has no device {name}.", hint=hint) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._commands, *self.devices})

    def __repr__(self) -> str:
        return f"<Session {self.name}: {len(self.devices)} devices, {self.current!r}>"

    # -- inside

    def _saving(self, what: Scan | ScanSequence) -> Saving | None:
        return self.current.saving(compression=self.compression)

    def _change(self, change: Any) -> None:
        if self.engine.busy:
            raise Conflict("A scan runs; where data go cannot change now.", hint="Wait for its end, or abort it.")
        change()

    def _merge(self, dataset: DatasetFolder) -> None:
        if not self._merges:
            return
        try:
            compact(dataset.file)
        except FirstlightError as error:
            # The dataset ends all the same: its runs are complete in files of their own.
            _log.warning("%s was not merged: %s Run 'firstlight compact' later.", dataset.file, error)

    def _unsaved(self) -> FirstlightError | None:
        """Wait until the last run and its parts are in their files, as long as there is somebody to write them."""
        last = self.engine.last
        for part in (*last.parts, last) if last is not None else ():
            with contextlib.suppress(NotFound), self.open(part) as run:
                if (unsaved := self._watch.unsaved(run)) is not None:
                    return unsaved
        return None


def _saver(root: Path) -> ProcessSpec:
    return ProcessSpec(
        name=SAVER,
        target="firstlight.storage._saver:main",
        arguments={"buffer": str(root)},
        restart=Restart.ON_FAILURE,
        max_restarts=5,
        stop_timeout=30.0,
    )


def _lock_path(root: Path, name: str) -> Path:
    folder = root / "sessions"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{name}.lock"
