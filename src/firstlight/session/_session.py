"""The session: devices, engine, saver and current dataset, composed; what a lower room can decide is decided there."""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.buffer import Buffer
from firstlight.data import Run
from firstlight.data import open as open_run
from firstlight.devices import Axis
from firstlight.model import Clock, Conflict, FirstlightError, InvalidInput, NotFound, RealClock, Saving, Scan
from firstlight.process import Supervisor
from firstlight.scanning import (
    AnyDevice,
    Devices,
    DryRun,
    Engine,
    Estimate,
    Job,
    Listener,
    Lock,
    MeasurementGroups,
    Outcome,
    Progress,
    ScanSequence,
    SessionLock,
    Suspender,
    acting,
)
from firstlight.session._board import devices_run
from firstlight.session._control import Control
from firstlight.session._current import Current, check_compression, largest_number
from firstlight.session._face import Face
from firstlight.session._handles import Handles
from firstlight.session._inventory import Entry, Inventory, cameras_of
from firstlight.session._keeper import Keeper
from firstlight.session._late import LateCamera
from firstlight.session._processes import SAVER, Processes
from firstlight.session._register import Register
from firstlight.session._running import session_address
from firstlight.session._setups import Setups, Values
from firstlight.session._watch import SaverWatch
from firstlight.storage import DataPolicy, DatasetFolder, Logbook, Roots, SettingsStore, compact
from firstlight.wire import Server

if TYPE_CHECKING:
    from firstlight.configuration import Beamline, IcatSettings
    from firstlight.session._load import Parts

_log = logging.getLogger(__name__)

KEPT = 10
"""Runs that stay in memory; older ones are read from their files."""
RECENT = 200
"""Runs that a session remembers."""


class Session(Face):
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
    :param roots: where proposals of each sort live; all below ``data`` when None.
    :param state: folder of what outlives the session: settings, catalogue; the user's own when None.
    :param settings: another folder for the settings alone.
    :param aliases: other names of devices.
    :param setups: named sets of parameters.
    :param scripts: files of Python for the users.
    :param icat: of the records for ICAT; None writes none.
    :raises Conflict: when a session of this name runs.
    :raises InvalidInput: for wrong settings of a device; one that only fails to connect is a :class:`Failed`.
    """

    def __init__(
        self,
        name: str,
        devices: Iterable[Mapping[str, Any] | Entry],
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
        roots: Roots | None = None,
        state: Path | None = None,
        settings: Path | None = None,
        aliases: Mapping[str, str] | None = None,
        setups: Mapping[str, Values] | None = None,
        scripts: Sequence[Path] = (),
        icat: IcatSettings | None = None,
        strict: bool = True,
    ) -> None:
        super().__init__()
        self.name = name
        self.data = data.absolute()
        self.compression = check_compression(compression)
        self.config: Beamline | None = None
        """The configuration that it was loaded from, if it was."""
        self.environ: Mapping[str, str] | None = None
        """Variables that its configuration takes; those of the process when None."""
        self._sub = ""
        self._control: Control | None = None
        self._aliases = dict(aliases or {})
        self._setups: Mapping[str, Values] = dict(setups or {})
        self._files = tuple(scripts)
        self._merges = merge
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._taking = threading.RLock()
        self._adopted: weakref.WeakSet[Any] = weakref.WeakSet()
        clock = clock or RealClock()
        roots = roots or Roots.under(self.data)
        own = self.data if _within(roots, self.data) else None
        self.current = Current(
            DataPolicy(beamline or name, roots), self._ended, own, lambda dataset: largest_number(self.buffer, dataset)
        )
        with ExitStack() as stack:
            if own is not None:
                own.mkdir(parents=True, exist_ok=True)
            self.buffer = Buffer(buffer, keep=KEPT)
            lock = SessionLock(_lock_path(self.buffer.root, name))
            stack.callback(lock.goodbye)
            self._keeper = Keeper(stack.enter_context(SettingsStore(beamline or name, settings or state)), name)
            self.buffer.recover()
            board = stack.enter_context(devices_run(self.buffer, name, clock))
            self.logs = logs or self.buffer.root / "logs" / name
            self.supervisor = stack.enter_context(Supervisor(name, self.logs))
            self._processes = Processes(self.supervisor, name, self.buffer.root, lock.path)
            self.saver = self._processes.saver
            self._inventory = Inventory(self.supervisor, self.buffer, board, clock, self._joined, strict=strict)
            self._watch = SaverWatch(self.saver, self.buffer.root / "runs")
            self._register = Register(self.buffer, self.supervisor, state, icat)
            stack.callback(self._register.close)
            self.engine = stack.enter_context(
                Engine(
                    self.buffer, Devices(), clock, saving=self._saving, readers=(SAVER,), session=name,
                    metadata=self.current.metadata, watches=[self._watch], disk=self.data, prepare_paths=True,
                    ready=self._ready, shared=lock.path.parent / f"{beamline or name}.devices",
                )
            )  # fmt: skip
            self.engine.listeners += [self._watch.follow, self._remember, self._register.follow]
            self._handles = Handles(self.engine)
            self.groups = MeasurementGroups(lambda: self.engine.devices, self._keep_groups)
            self._inventory.build(entry if isinstance(entry, Entry) else Entry(entry) for entry in devices)
            self._take_devices()
            with self._keeper.reading():
                self._define_groups(groups or {}, default)
                self._keeper.restore_groups(self.groups)
            self._keeper.restore_current(self.current)
            self._keeper.undo_setups(self)
            control = self._control = Control(self)
            stack.callback(control.close)
            self._server = stack.enter_context(Server(control, session_address(name, self.buffer.root)))
            self._stack = stack.pop_all()

    # -- running

    def run(self, what: Scan | ScanSequence, *, queue: bool = False) -> Run:
        """Run a scan or a sequence, and return it once its file is closed.

        :param queue: wait for devices that something else uses, in place of being refused.
        :raises Busy: somebody else uses what it needs; says who.
        :raises FirstlightError: what ended it early; :attr:`last` is then the run with what was acquired.
        """
        return self._concluded(self.engine.complete(what, queue=queue))

    def saved(self, job: Job[Outcome]) -> Run:
        """The run of a job that was launched, once its file is closed; Ctrl-C stops it."""
        return self._concluded(self.engine.finish(job))

    def _concluded(self, outcome: Outcome) -> Run:
        unsaved = self.unsaved(outcome)
        if outcome.error is not None:
            # What ended the run matters more than a file that is late.
            raise outcome.error
        if unsaved is not None:
            raise unsaved
        return self.open(outcome)

    def estimate(self, what: Scan | ScanSequence) -> Estimate:
        """What a scan would take, and why it may not run, if so; nothing moves."""
        return self.engine.estimate(what)

    def dry_run(self, what: Scan | ScanSequence) -> DryRun:
        """The points that a scan would visit; nothing moves."""
        return self.engine.dry_run(what)

    def open(self, run: Outcome | str) -> Run:
        """A run of this session, or the run of that key in the buffer."""
        return open_run(run if isinstance(run, str) else run.key, buffer=self.buffer)

    @property
    def last(self) -> Run | None:
        """The last run, however it ended."""
        return self.open(self.engine.last) if self.engine.last is not None else None

    @property
    def runs(self) -> list[Run]:
        """The last runs, oldest first, as far as the buffer still has them."""
        found = []
        for key in tuple(self._recent):
            with contextlib.suppress(NotFound):
                found.append(self.open(key))
        return found

    def _move(self, targets: Mapping[str, float | str], *, relative: bool, wait: bool, queue: bool) -> Job[None] | None:
        if wait:
            self.engine.move(targets, relative=relative, queue=queue)
            return None
        return self.engine.launch_move(targets, relative=relative, queue=queue)

    def stop(self, *axes: Any) -> None:
        """Stop axes, and what moves them; everything that moves when none is named."""
        self.engine.stop([self._name(axis) for axis in axes])

    def abort(self, *, mine: bool = False) -> bool:
        """Stop everything that runs, cleanly; whether anything did.

        :param mine: only what this client has started.
        """
        return self.engine.abort(acting() if mine else None)

    def pause(self, why: str = "") -> None:
        """Let the scan that runs wait at its next safe point."""
        self.engine.scan.pause(why)

    def resume(self, *, anyway: bool = False) -> None:
        """Let the scan that waits go on."""
        self.engine.scan.resume(anyway=anyway)

    def stop_scan(self, why: str = "") -> None:
        """End the scan that runs at its next safe point, as if it were complete."""
        self.engine.scan.stop(why)

    def skip(self, why: str = "") -> None:
        """End one scan of the sequence that runs in this way, and go on with the next."""
        self.engine.scan.skip(why)

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call with :class:`~firstlight.scanning.Progress` of every run, whoever started it.

        :param callback: called in the engine's thread; it must be quick.
        :returns: call it to listen no more.
        """
        self.engine.listeners.append(callback)
        return lambda: self.engine.listeners.remove(callback) if callback in self.engine.listeners else None

    # -- locks

    def take_lock(self, *devices: Any) -> None:
        """Keep devices for this client until :meth:`unlock`, or until its process ends."""
        self.engine.lock([self._name(device) for device in devices])

    def unlock(self, *devices: Any) -> list[str]:
        """Let go of locks of this client; which they were."""
        return self.engine.unlock([self._name(device) for device in devices])

    @property
    def locks(self) -> tuple[Lock, ...]:
        """Who has locked what."""
        return self.engine.locks

    # -- devices

    @property
    def aliases(self) -> Mapping[str, str]:
        """Other names of devices: alias to name."""
        return self._aliases

    def add(self, device: AnyDevice) -> Any:
        """Take a device made in Python into the session until that ends: ``session.add(SoftCounter("t", read))``.

        :param device: an axis, counter, shutter or trigger; a driver of an axis goes into an ``Axis`` first.
        :return: the device as the session offers it.
        :raises InvalidInput: when it is none of these, or its name is taken.
        :raises Conflict: while something runs.
        """
        if jobs := self.engine.jobs:
            raise Conflict(f"{jobs[0].doing} runs; no device can be added now.", hint="Wait for its end.")
        if getattr(device, "name", "") in self.groups or getattr(device, "name", "") in self._aliases:
            raise InvalidInput(f"{device.name} is the name of a group or an alias.", hint="Give it another name.")
        self._inventory.add(device)
        self._take_devices()
        return self[device.name]

    def retry(self, name: str) -> Any:
        """Try again to make a device that failed; it, when that succeeds.

        :raises FirstlightError: why it failed again.
        """
        self._inventory.retry(name)
        self._take_devices()
        return self[name]

    def reload(self) -> str:
        """Read the configuration again, and change only what changed in it; everything else stays as it is.

        :return: what was done, in words.
        :raises ConfigurationError: what is wrong in it; nothing was changed.
        :raises Conflict: while something runs, or when the session has no configuration.
        """
        from firstlight.session._load import reload

        if self.config is None:
            raise Conflict(f"{self.name} has no configuration to read again.", hint="Load it from a file.")
        return reload(self, self.config, self._sub)

    def configured(self, beamline: Beamline, sub: str, environ: Mapping[str, str] | None) -> None:
        """For whoever loads it: the configuration that it was made from.

        :param sub: the sub-session of it; empty for all.
        """
        self.config, self._sub, self.environ = beamline, sub, environ
        self.engine.suspenders = suspenders_of(beamline)

    def replace_devices(self, beamline: Beamline, parts: Parts, gone: Sequence[str], build: Sequence[Entry]) -> None:
        """For :meth:`reload`: another state of the configuration."""
        self._inventory.drop([*gone, *(entry.name for entry in build)])
        self._inventory.build(build)
        self._inventory.order([entry.name for entry in parts.entries])
        self._aliases, self._setups, self._files = dict(parts.aliases), parts.setups, parts.scripts
        self._take_devices()
        self._define_groups(parts.groups, parts.default)
        self.compression, self._merges = beamline.storage.compression, beamline.storage.merge
        own = self.data if _within(beamline.roots, self.data) else None
        self.current.move_to(DataPolicy(beamline.name, beamline.roots), own)
        self.config = beamline
        self.engine.suspenders = suspenders_of(beamline)

    @property
    def setups(self) -> Setups:
        """The named sets of parameters."""
        return Setups(self, lambda: self._setups, self._keeper.begin_setup)

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

    # -- serving clients

    @property
    def kinds(self) -> Mapping[str, str]:
        """Kind of each device by its name; empty for one that was added."""
        return self._inventory.kinds

    def keep_setup(self, before: Values) -> Callable[[], None]:
        """Remember what to set back should this process die while a client has a setup; call the result at its end."""
        return self._keeper.begin_setup(before)

    def host(self, shutdown: Callable[[], None], log: Path) -> Path:
        """For the process that the session lives in by itself: how clients end it, and where its log is.

        :return: where it serves.
        """
        assert self._control is not None
        self._control.shutdown_hook, self._control.log = shutdown, str(log)
        return self._server.path

    # -- life

    def close(self) -> None:
        """Stop what runs, end all processes, give everything back; idempotent."""
        self._stack.close()

    # -- inside

    def _devices(self) -> Mapping[str, Any]:
        return self._handles.of(self._inventory.all)

    def _sorted(self, sort: str) -> Sequence[str]:
        devices = self.engine.devices
        more = tuple(devices.derived) if sort == "counters" else ()
        return (*getattr(devices, sort), *more)

    def _script_files(self) -> Sequence[Path]:
        return self._files

    def _script_folders(self) -> Sequence[Path]:
        return (self.current.experiment.scripts,)

    def _ready(self, what: Scan | ScanSequence | None) -> None:
        """Wait for the processes that a command needs: the guard always, the saver and cameras for a scan."""
        self._processes.wait(saving=what is not None)
        if what is not None:
            scans = what.scans if isinstance(what, ScanSequence) else (what,)
            self._inventory.wait({name for scan in scans for name in cameras_of(scan, self.engine.devices)})

    def _joined(self) -> None:
        """A device joined or failed after the session was there."""
        with contextlib.suppress(Conflict):
            self._take_devices()

    def _take_devices(self) -> None:
        """Give the engine, the guard and the settings the devices as they are now."""
        with self._taking:
            devices = self._inventory.sorted()
            fresh = [axis for axis in devices.axes.values() if axis not in self._adopted]
            self._keeper.adopt(fresh)
            for axis in fresh:
                axis.changed.append(self._axis_changed)
            self._adopted.update(fresh)
            cameras = [c.camera for c in devices.cameras.values() if isinstance(c, LateCamera) and c.ready]
            others = [d for d in (*devices.counters.values(), *cameras) if d not in self._adopted]
            self._keeper.adopt_others(others)
            self._adopted.update(others)
            self.engine.devices = replace(devices, aliases=self._aliases)
            self._regroup()
            self._processes.guard(devices)
        if self._control is not None:
            self._control.devices_changed()

    def _axis_changed(self, axis: Axis) -> None:
        if self._control is not None:
            self._control.positions.look(axis.name)

    def _remember(self, progress: Progress) -> None:
        if progress.key not in self._recent:
            self._recent.append(progress.key)

    def _define_groups(self, groups: Mapping[str, Sequence[str]], default: Sequence[str]) -> None:
        """The groups of the configuration, and one named ``default`` for the default when that is no group itself."""
        named = {name: tuple(members) for name, members in groups.items()}
        active = default[0] if len(default) == 1 and default[0] in named else ""
        if default and not active:
            named, active = {"default": tuple(default)} | named, "default"
        clash = set(named) & set(self._inventory.all)
        if clash:
            raise InvalidInput(f"{min(clash)} is the name of a device and of a group.", hint="Rename one of them.")
        self.groups.define(named, active)

    def _regroup(self) -> None:
        active = (self.groups.active_name,) if self.groups.active_name else ()
        with self._taking:
            self.engine.devices = replace(
                self.engine.devices, groups=self.groups.members, off=self.groups.off, default=active
            )

    def _keep_groups(self) -> None:
        self._regroup()
        self._keeper.keep_groups(self.groups)

    def _saving(self, what: Scan | ScanSequence) -> Saving | None:
        saving = self.current.saving(compression=self.compression)
        self._keeper.keep_current(self.current)
        return saving

    def _change(self, change: Callable[[], None]) -> None:
        if self.engine.scanning:
            raise Conflict("A scan runs; where data go cannot change now.", hint="Wait for its end, or abort it.")
        change()
        self._keeper.keep_current(self.current)

    def _ended(self, dataset: DatasetFolder) -> None:
        self._merge(dataset)
        self._register.ended(dataset)

    def _merge(self, dataset: DatasetFolder) -> None:
        if not self._merges:
            return
        try:
            compact(dataset.file)
        except NotFound:
            return  # none of its runs was saved
        except FirstlightError as error:
            # The dataset ends all the same: its runs are complete in files of their own.
            _log.warning("%s was not merged: %s Run 'firstlight compact' later.", dataset.file, error)

    def unsaved(self, outcome: Outcome) -> FirstlightError | None:
        """Wait until a run and its parts are in their files, as long as there is somebody to write them."""
        for part in (*outcome.parts, outcome):
            with contextlib.suppress(NotFound), self.open(part) as run:
                if (unsaved := self._watch.unsaved(run)) is not None:
                    return unsaved
        return None


def suspenders_of(beamline: Beamline) -> dict[str, Suspender]:
    """The conditions of a configuration, by name."""
    return {name: Suspender(name, s.when, s.resume, s.wait) for name, s in beamline.suspenders.items()}


def _within(roots: Roots, folder: Path) -> bool:
    """Whether some of the roots are below a folder, so that it is the session's to make."""
    return any(Path(root).is_relative_to(folder) for root in (roots.visitor, roots.inhouse, roots.tmp))


def _lock_path(root: Path, name: str) -> Path:
    folder = root / "sessions"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{name}.lock"
