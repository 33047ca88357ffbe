"""The session: devices, engine, saver and current dataset, composed; what a lower room can decide is decided there."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
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
from firstlight.scanning import (
    COMMANDS,
    Engine,
    Job,
    Listener,
    MeasurementGroups,
    Outcome,
    Progress,
    ScanSequence,
    SessionLock,
    guard_process,
    nearest,
    tomo,
)
from firstlight.session._build import build_devices
from firstlight.session._command import Command
from firstlight.session._current import Current, check_compression
from firstlight.session._handles import handle
from firstlight.session._view import View
from firstlight.session._watch import SaverWatch
from firstlight.storage import DataPolicy, DatasetFolder, Logbook, Roots, compact

_log = logging.getLogger(__name__)

SAVER = "saver"
KEPT = 10
"""Runs that stay in memory; older ones are read from their files."""
RECENT = 200
"""Runs that a session remembers."""
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
        self.commands: Mapping[str, Command] = {
            known: Command(self, function) for known, function in {**COMMANDS, "tomo": tomo}.items()
        }
        """The scan commands by name."""
        clock = clock or RealClock()
        self._merges = merge
        self._recent: deque[str] = deque(maxlen=RECENT)
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
            made, sorted_devices = build_devices(devices, self.supervisor, self.buffer, board, clock)
            guard = self.supervisor.spawn(guard_process(lock.path, sorted_devices))
            self._watch = SaverWatch(self.saver, self.buffer.root / "runs")
            self.engine = stack.enter_context(
                Engine(
                    self.buffer, sorted_devices, clock, saving=self._saving, readers=(SAVER,),
                    metadata=self.current.metadata, watches=[self._watch], disk=self.data, prepare_paths=True,
                )
            )  # fmt: skip
            self.engine.listeners += [self._watch.follow, self._remember]
            self._made: dict[str, Any] = {name: handle(self.engine, device) for name, device in made.items()}
            self.groups = MeasurementGroups(lambda: self.engine.devices, self._regroup)
            """The measurement groups; what the active one names measures when a scan names nothing."""
            self._define_groups(groups or {}, default)
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
        return self.commands["tomo"]

    @property
    def runs(self) -> list[Run]:
        """The last runs, oldest first, as far as the buffer or their files still have them."""
        found = []
        for key in tuple(self._recent):
            with contextlib.suppress(NotFound):
                found.append(self.open(key))
        return found

    def move(
        self,
        targets: Mapping[Any, float] | None = None,
        /,
        *,
        relative: bool = False,
        wait: bool = True,
        queue: bool = False,
        **more: float,
    ) -> Job[None] | None:
        """Move axes to user positions, all at once, through the gate: ``session.move(rot=90)``.

        :param targets: axes, or their names, to positions; the same may be given by name.
        :param relative: positions are distances from where the axes are.
        :param wait: return when they are at rest; otherwise at once, with the job.
        :param queue: wait for axes that something else uses, in place of being refused.
        :raises LimitError: before anything moves.
        :raises Busy: somebody else uses an axis; says who.
        """
        goals = {str(getattr(axis, "name", axis)): target for axis, target in (targets or {}).items()} | more
        if wait:
            self.engine.move(goals, relative=relative, queue=queue)
            return None
        return self.engine.launch_move(goals, relative=relative, queue=queue)

    def stop(self, *axes: Any) -> None:
        """Stop axes, and what moves them; everything that moves when none is named."""
        self.engine.stop([str(getattr(axis, "name", axis)) for axis in axes])

    def abort(self) -> bool:
        """Stop everything that runs, cleanly; whether anything did."""
        return self.engine.abort()

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call with :class:`~firstlight.scanning.Progress` of every run, whoever started it.

        :param callback: called in the engine's thread; it must be quick.
        :returns: call it to listen no more.
        """
        self.engine.listeners.append(callback)
        return lambda: self.engine.listeners.remove(callback) if callback in self.engine.listeners else None

    # -- devices

    @property
    def devices(self) -> Mapping[str, Any]:
        """All devices by name."""
        return View("device", lambda: self._made)

    @property
    def axes(self) -> Mapping[str, Any]:
        """The axes by name."""
        return self._sort("axis", lambda: self.engine.devices.axes)

    @property
    def counters(self) -> Mapping[str, Any]:
        """The counters by name, those that are computed from others too."""
        return self._sort("counter", lambda: {**self.engine.devices.counters, **self.engine.devices.derived})

    @property
    def cameras(self) -> Mapping[str, Any]:
        """The cameras by name."""
        return self._sort("camera", lambda: self.engine.devices.cameras)

    @property
    def shutters(self) -> Mapping[str, Any]:
        """The shutters by name."""
        return self._sort("shutter", lambda: self.engine.devices.shutters)

    def _sort(self, what: str, look: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        return View(what, lambda: {name: self._made[name] for name in look()})

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

    def endproposal(self) -> None:
        """End the proposal: back to the beamline's own of this month."""
        self._change(self.current.endproposal)

    @property
    def elog(self) -> Logbook:
        """The electronic log of the current dataset: a list, with ``add``."""
        return Logbook(self.dataset)

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
        if name in self.commands:
            return self.commands[name]
        try:
            return self[name]
        except NotFound as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, name: str) -> Any:
        """A device by its name.

        :raises NotFound: when there is none.
        """
        if name not in self._made:
            raise NotFound(f"{self.name} has no device {name}.", hint=nearest(name, [*self._made, *self.commands]))
        return self._made[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.commands, *self.devices})

    def __repr__(self) -> str:
        return f"<Session {self.name}: {len(self.devices)} devices, {self.current!r}>"

    # -- inside

    def _saving(self, what: Scan | ScanSequence) -> Saving | None:
        return self.current.saving(compression=self.compression)

    def _remember(self, progress: Progress) -> None:
        if progress.key not in self._recent:
            self._recent.append(progress.key)

    def _define_groups(self, groups: Mapping[str, Sequence[str]], default: Sequence[str]) -> None:
        """The groups of the configuration, and one named ``default`` for the default when that is no group itself."""
        named = {name: tuple(members) for name, members in groups.items()}
        active = default[0] if len(default) == 1 and default[0] in named else ""
        if default and not active:
            named, active = {"default": tuple(default)} | named, "default"
        self.groups.define(named, active)
        self._regroup()

    def _regroup(self) -> None:
        active = (self.groups.active_name,) if self.groups.active_name else ()
        self.engine.devices = replace(
            self.engine.devices, groups=self.groups.members, off=self.groups.off, default=active
        )

    def _change(self, change: Any) -> None:
        if self.engine.scanning:
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
