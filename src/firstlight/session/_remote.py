"""A session that lives in another process, with the names of a local one."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.buffer import Buffer, default_root
from firstlight.data import Run
from firstlight.data import open as open_run
from firstlight.model import NotFound, Scan
from firstlight.scanning import DryRun, Estimate, Listener, Lock, Progress, ScanSequence
from firstlight.session._face import Face
from firstlight.session._facts import AxisFacts, DatasetFacts, GroupsFacts, SessionFacts, SessionStatus, TraceLine
from firstlight.session._link import Link
from firstlight.session._proxies import Proxies, RemoteCurrent, RemoteGroups, RemoteJob, conclude
from firstlight.session._running import choose, session_address
from firstlight.session._setups import Setups, Values
from firstlight.storage import DatasetFolder, Logbook
from firstlight.wire import Role

if TYPE_CHECKING:
    from firstlight.configuration import Beamline


def connect(name: str = "", *, buffer: Path | None = None, role: Role = Role.OPERATE, label: str = "") -> RemoteSession:
    """Attach to a session that runs in another process of this machine.

    :param name: of the session; the only one that runs when empty.
    :param buffer: root of its buffer; the machine's default when None.
    :param role: what this client may do: ``Role.VIEW`` only looks.
    :param label: what this client is, for others: ``shell``.
    :raises NotFound: when there is no such session.
    """
    root = (buffer or default_root()).absolute()
    return RemoteSession(choose(name, root), root, role=role, label=label)


class RemoteSession(Face):
    """A session of another process; use it in a ``with`` block, or call :meth:`close`.

    Positions are pushed by the session, so looking at them costs nothing; everything else is asked. Runs are read from
    the buffer, which both share. What this client started goes on when it is gone; its locks are free then.
    """

    def __init__(self, name: str, root: Path, *, role: Role = Role.OPERATE, label: str = "") -> None:
        super().__init__()
        self.name = name
        self._listeners: list[Listener] = []
        self._readers: list[Callable[[TraceLine], None]] = []
        self._patterns: set[str] = set()
        self._lock = threading.RLock()
        self._facts: SessionFacts | None = None
        self._groups_facts: GroupsFacts | None = None
        self._link = Link(
            session_address(name, root),
            name,
            role,
            label,
            {
                "axes": self._moved,
                "progress": self._told,
                "devices": self._forget,
                "groups": self._forget_groups,
                "trace": self._traced,
            },
            self._attached,
        )
        self._link.ensure()
        self.buffer = Buffer(root)
        self._proxies = Proxies(self._link, self._now)
        self.groups = RemoteGroups(self._link, self._groups_now)
        self.current = RemoteCurrent(self._link)
        self.data = Path(self._known().data)

    @property
    def role(self) -> Role:
        """What this client may do."""
        return self._link.role

    @property
    def status(self) -> SessionStatus:
        """What the session does now, and who is attached."""
        status: SessionStatus = self._link.call("status")
        return status

    @property
    def config(self) -> Beamline | None:
        """The configuration of the session, as its files say now; None for a session that was made without."""
        path = self._known().config
        if not path:
            return None
        from firstlight.configuration import load

        return load(path)

    # -- devices

    @property
    def aliases(self) -> Mapping[str, str]:
        """Other names of devices: alias to name."""
        return self._known().aliases

    def retry(self, name: str) -> Any:
        """Try again to make a device that failed; it, when that succeeds."""
        self._link.call("retry", timeout=math.inf, device=self._name(name))
        self._forget()
        return self[name]

    def reload(self) -> str:
        """Read the configuration again, and change only what changed in it."""
        said: str = self._link.call("reload", timeout=math.inf)
        self._forget()
        return said

    def _devices(self) -> Mapping[str, Any]:
        return self._proxies.of(self._known().devices)

    def _sorted(self, sort: str) -> Sequence[str]:
        sorts = (sort, "derived") if sort == "counters" else (sort,)
        return [device.name for device in self._known().devices if device.sort in sorts]

    # -- running

    def run(self, what: Scan | ScanSequence, *, queue: bool = False) -> Run:
        """Run a scan or a sequence in the session, and return it once its file is closed; Ctrl-C stops it."""
        return self.open(conclude(lambda: self.launch(what, queue=queue)))

    def launch(self, what: Scan | ScanSequence, *, queue: bool = False) -> RemoteJob:
        """Start a scan, and return at once."""
        return RemoteJob(self._link, self._link.call("launch", timeout=math.inf, what=what, queue=queue))

    def saved(self, job: RemoteJob) -> Run:
        """The run of a job that was launched, once its file is closed; Ctrl-C stops it."""
        return self.open(conclude(lambda: job))

    def estimate(self, what: Scan | ScanSequence) -> Estimate:
        """What a scan would take, and why it may not run, if so; nothing moves."""
        estimate: Estimate = self._link.call("estimate", timeout=math.inf, what=what)
        return estimate

    def dry_run(self, what: Scan | ScanSequence) -> DryRun:
        """The points that a scan would visit; nothing moves."""
        dry: DryRun = self._link.call("dry_run", timeout=math.inf, what=what)
        return dry

    def open(self, run: Any) -> Run:
        """The run of that key in the session's buffer."""
        return open_run(run if isinstance(run, str) else run.key, buffer=self.buffer)

    @property
    def last(self) -> Run | None:
        """The last run, however it ended."""
        key = self._link.call("last")
        return self.open(key) if key else None

    @property
    def runs(self) -> list[Run]:
        """The last runs, oldest first, as far as the buffer still has them."""
        found = []
        for key in self._link.call("recent"):
            with contextlib.suppress(NotFound):
                found.append(self.open(key))
        return found

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call with :class:`~firstlight.scanning.Progress` of every run, whoever started it.

        :param callback: called in another thread; it must be quick, and cannot ask the session itself.
        :returns: call it to listen no more.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def trace(self, pattern: str) -> list[str]:
        """Follow what matching devices and rooms of the session do: see :meth:`read_along`.

        :param pattern: names; ``*`` stands for anything.
        :returns: the names of what matches; none when nothing does.
        """
        found: list[str] = self._link.call("trace", pattern=pattern)
        self._patterns.add(pattern)
        return found

    def untrace(self, pattern: str = "*") -> list[str]:
        """Follow no longer what matches; its names."""
        found: list[str] = self._link.call("untrace", pattern=pattern)
        self._patterns = {known for known in self._patterns if not fnmatchcase(known, pattern)}
        return found

    def read_along(self, callback: Callable[[TraceLine], None]) -> Callable[[], None]:
        """Call with each line of what :meth:`trace` follows.

        :param callback: called in another thread; it must be quick, and cannot ask the session itself.
        :returns: call it to read no more.
        """
        self._readers.append(callback)
        return lambda: self._readers.remove(callback) if callback in self._readers else None

    # -- moving

    def _move(self, targets: Mapping[str, float | str], *, relative: bool, wait: bool, queue: bool) -> RemoteJob | None:
        def start() -> RemoteJob:
            number = self._link.call("launch_move", math.inf, targets=dict(targets), relative=relative, queue=queue)
            return RemoteJob(self._link, number)

        if not wait:
            return start()
        conclude(start)
        return None

    def stop(self, *axes: Any) -> None:
        """Stop axes, and what moves them; everything that moves when none is named."""
        names = [self._name(axis) for axis in axes]
        self._link.call("stop", timeout=math.inf, axes=names)
        for name in names:
            self._link.look_again(name)

    def abort(self, *, mine: bool = False) -> bool:
        """Stop everything that runs, cleanly; whether anything did.

        :param mine: only what this client has started.
        """
        return bool(self._link.call("abort_mine" if mine else "abort"))

    def pause(self, why: str = "") -> None:
        """Let the scan that runs wait at its next safe point."""
        self._link.call("pause", why=why)

    def resume(self, *, anyway: bool = False) -> None:
        """Let the scan that waits go on."""
        self._link.call("resume", anyway=anyway)

    def stop_scan(self, why: str = "") -> None:
        """End the scan that runs at its next safe point, as if it were complete."""
        self._link.call("stop_scan", why=why)

    def skip(self, why: str = "") -> None:
        """End one scan of the sequence that runs in this way, and go on with the next."""
        self._link.call("skip", why=why)

    # -- locks

    def take_lock(self, *devices: Any) -> None:
        """Keep devices for this client until :meth:`unlock`, or until its process ends."""
        self._link.call("lock", devices=[self._name(device) for device in devices])

    def unlock(self, *devices: Any) -> list[str]:
        """Let go of locks of this client; which they were."""
        names: list[str] = self._link.call("unlock", devices=[self._name(device) for device in devices])
        return names

    @property
    def locks(self) -> tuple[Lock, ...]:
        """Who has locked what."""
        return tuple(self._link.call("locks"))

    # -- setups and scripts

    @property
    def setups(self) -> Setups:
        """The named sets of parameters."""
        return Setups(self, lambda: self._known().setups, self._begin_setup)

    def _begin_setup(self, before: Values) -> Callable[[], None]:
        token = self._link.call("begin_setup", before={device: dict(values) for device, values in before.items()})
        return lambda: self._link.call("end_setup", token=token)

    def _script_files(self) -> Sequence[Path]:
        return [Path(path) for path in self._known().scripts]

    def _script_folders(self) -> Sequence[Path]:
        facts: DatasetFacts = self._link.call("current")
        return (facts.experiment.scripts,)

    # -- where data go

    def newproposal(self, name: str = "") -> None:
        """Go to a proposal; without a name, to the beamline's own of this month."""
        self.current.newproposal(name)

    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample."""
        self.current.newsample(name, description)

    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset; without a name it gets the next number."""
        self.current.newdataset(name)

    def enddataset(self) -> None:
        """End the dataset; the next run starts another."""
        self.current.enddataset()

    def endproposal(self) -> None:
        """End the proposal: back to the beamline's own of this month."""
        self.current.endproposal()

    @property
    def dataset(self) -> DatasetFolder:
        """The current dataset."""
        return self.current.dataset

    @property
    def elog(self) -> Logbook:
        """The electronic log of the current dataset: a list, with ``add``."""
        return Logbook(self.dataset)

    # -- life

    def shutdown(self) -> None:
        """End the session itself, which lives by itself; for clients with the role of the terminal."""
        self._link.call("shutdown")

    def close(self) -> None:
        """Leave the session, which goes on; idempotent."""
        self._link.close()

    # -- inside: what is known here of the session; events make it old

    def _known(self) -> SessionFacts:
        with self._lock:
            if self._facts is None or self._link.lost:
                self._facts = self._link.call("describe")
            return self._facts

    def _groups_now(self) -> GroupsFacts:
        with self._lock:
            if self._groups_facts is None or self._link.lost:
                self._groups_facts = self._link.call("groups")
            return self._groups_facts

    def _attached(self) -> None:
        """Once more after each connection: ask for everything, which was maybe missed."""
        # Numbers of a session that was started again begin anew.
        self._link.axes = {}
        self._link.learn(self._link.call("axes"))
        self._facts = self._groups_facts = None
        for pattern in self._patterns:
            self._link.call("trace", pattern=pattern)

    def _now(self, name: str) -> AxisFacts:
        if self._link.lost:
            # Old positions must not pass for new ones: this connects again, or says that the session is gone.
            self._link.ensure()
        return self._link.axes.get(name) or self._link.look_again(name)

    def _moved(self, changed: dict[str, AxisFacts]) -> None:
        self._link.learn(changed)

    def _told(self, progress: Progress) -> None:
        for listener in tuple(self._listeners):
            listener(progress)

    def _traced(self, line: TraceLine) -> None:
        if self._link.number in line.clients:
            for reader in tuple(self._readers):
                reader(line)

    def _forget(self, _: object = None) -> None:
        self._facts = self._groups_facts = None

    def _forget_groups(self, _: object = None) -> None:
        self._groups_facts = None
