"""The control API: what clients ask of a session over the wire, each with the role that it needs."""

from __future__ import annotations

import asyncio
import inspect
import os
import pwd
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from firstlight.devices import Regions
from firstlight.model import Conflict, FirstlightError, InvalidInput, NotFound, Scan
from firstlight.scanning import Chain, Client, DryRun, Estimate, Job, Lock, Outcome, Progress, ScanSequence, acting_as
from firstlight.session._console import Console
from firstlight.session._facts import (
    AxisFacts,
    ConsoleLine,
    DatasetFacts,
    DeviceFacts,
    GroupFacts,
    GroupsFacts,
    JobEnd,
    JobFacts,
    SessionFacts,
    SessionStatus,
    StripFacts,
)
from firstlight.session._failed import Failed
from firstlight.session._handles import AssemblyHandle
from firstlight.session._light import look_at_light
from firstlight.session._positions import Positions
from firstlight.session._setups import put_back
from firstlight.session._tracing import Tracing
from firstlight.wire import Caller, Role, Service, caller, method

if TYPE_CHECKING:
    from firstlight.session._session import Session

Number = float | str
_SORTS = ("axes", "counters", "derived", "cameras", "shutters", "triggers")
_KEPT_JOBS = 1000


class Control(Service):
    """Serves one session.

    Events: ``axes`` (what changed, by name), ``progress`` of runs, ``devices`` (they are others now), ``groups`` and
    ``current``, ``log`` (a line), ``trace`` (a line of what :meth:`trace` asked for).

    :param shutdown: ends the process that hosts it; None when that is a shell, which its user ends.
    :param log: path of the log file, for people.
    """

    def __init__(self, session: Session, shutdown: Callable[[], None] | None = None, log: str = "") -> None:
        self._session = session
        self.shutdown_hook = shutdown
        self.log = log
        self._since = time.time()
        self._lock = threading.Lock()
        self._clients: dict[int, Client] = {}
        self._jobs: dict[int, tuple[Job[Any], int]] = {}
        self._setups: dict[int, tuple[int, dict[str, dict[str, Any]], Callable[[], None]]] = {}
        self.positions = Positions(
            session.engine, lambda changed: self.emit("axes", dict(changed)), lambda: bool(self._clients)
        )
        session.engine.listeners.append(self._progress)
        self.console = Console(session.engine, lambda line: self.emit("log", line))
        self.tracing = Tracing(lambda line: self.emit("trace", line))

    def close(self) -> None:
        """Tell no more; idempotent."""
        self.positions.close()
        self.console.close()
        self.tracing.close()
        if self._progress in self._session.engine.listeners:
            self._session.engine.listeners.remove(self._progress)

    def left(self, who: Caller) -> None:
        """A client is gone: its locks are free, and its setups are set back. What it started goes on to its end."""
        client = self._client(who)
        with self._lock:
            self._clients.pop(who.number, None)
            tokens = [token for token, (number, _, _) in self._setups.items() if number == who.number]
        self.tracing.leave(who.number)
        with suppress(Conflict):
            self._session.engine.leave(client)
        for token in reversed(tokens):
            with suppress(FirstlightError):
                self._end_setup(token)

    # -- looking

    @method(Role.VIEW)
    def introduce(self, label: str) -> Client:
        """Say what the client is: ``shell``, ``page``. Who it is to the session."""
        who = caller()
        assert who is not None
        client = self._client(who, label)
        with self._lock:
            self._clients[who.number] = client
        return client

    @method(Role.VIEW)
    def describe(self) -> SessionFacts:
        """What there is."""
        session = self._session
        return SessionFacts(
            name=session.name,
            data=str(session.data),
            buffer=str(session.buffer.root),
            config=str(session.config.path.absolute()) if session.config is not None else "",
            aliases=dict(session.aliases),
            setups={name: {d: dict(p) for d, p in setup.values.items()} for name, setup in session.setups.items()},
            scripts=tuple(str(path) for path in session._script_files()),
            devices=tuple(self._device(name, device) for name, device in session.devices.items()),
        )

    @method(Role.VIEW)
    def axes(self) -> dict[str, AxisFacts]:
        """Every axis now."""
        return self.positions.all()

    @method(Role.VIEW)
    def axis(self, name: str) -> AxisFacts:
        """One axis now."""
        return self.positions.now(name)

    @method(Role.VIEW)
    def groups(self) -> GroupsFacts:
        """The measurement groups."""
        groups = self._session.groups
        facts = {
            name: GroupFacts(group.members, _channels(group), tuple(sorted(group.off)))
            for name, group in groups.items()
        }
        return GroupsFacts(facts, groups.active_name)

    @method(Role.VIEW)
    def current(self, begin: bool = False) -> DatasetFacts:
        """Where data go.

        :param begin: begin a dataset when there is none.
        """
        now = self._session.current
        if begin:
            now.dataset  # noqa: B018 - begins one
        experiment = now.experiment
        return DatasetFacts(
            str(experiment.root),
            experiment.proposal,
            experiment.beamline,
            experiment.session,
            now.sample,
            now.state["dataset"],
            now.description,
        )

    @method(Role.VIEW)
    def status(self) -> SessionStatus:
        """What it does now, and for whom."""
        session = self._session
        with self._lock:
            clients = tuple(self._clients.values())
        devices = session.devices
        return SessionStatus(
            name=session.name,
            pid=os.getpid(),
            user=_user(os.getuid()),
            since=self._since,
            devices=len(devices),
            failed=tuple(name for name, device in devices.items() if isinstance(device, Failed)),
            jobs=tuple(JobFacts(j.number, j.sort, j.doing, j.client, j.paused) for j in session.engine.jobs),
            clients=clients,
            current=self.current(),
            hosted=self.shutdown_hook is not None,
            log=self.log,
            locks=session.locks,
        )

    @method(Role.VIEW)
    def recent(self) -> list[str]:
        """Keys of the last runs, oldest first."""
        return [run.key for run in self._session.runs]

    @method(Role.VIEW)
    def last(self) -> str:
        """Key of the last run; empty when there is none."""
        last = self._session.engine.last
        return last.key if last is not None else ""

    @method(Role.VIEW)
    def locks(self) -> list[Lock]:
        """Who has locked what."""
        return list(self._session.locks)

    @method(Role.VIEW)
    def get(self, device: str, name: str) -> Any:
        """A public attribute of a device; ``{"method": text}`` for one that can be called."""
        value = getattr(self._session[device], _public(name))
        return {"method": inspect.getdoc(value) or ""} if callable(value) else value

    @method(Role.VIEW)
    def members(self, device: str) -> list[str]:
        """Names of the public attributes of a device."""
        return [name for name in dir(self._session[device]) if not name.startswith("_")]

    @method(Role.VIEW)
    def show(self, device: str) -> str:
        """A device in words."""
        return repr(self._session[device])

    @method(Role.VIEW)
    def estimate(self, what: Scan | ScanSequence) -> Estimate:
        """What a scan would take."""
        return self._session.estimate(what)

    @method(Role.VIEW)
    def dry_run(self, what: Scan | ScanSequence) -> DryRun:
        """The points that a scan would visit."""
        return _told(self._session.dry_run(what))

    @method(Role.VIEW)
    def recent_log(self) -> list[ConsoleLine]:
        """The last commands, warnings and errors, oldest first."""
        return self.console.lines

    @method()
    def trace(self, pattern: str) -> list[str]:
        """Tell the client, by events, all that matching devices and rooms do; the names of what matches."""
        return self.tracing.follow(_number(), pattern, self._session.devices)

    @method()
    def untrace(self, pattern: str = "*") -> list[str]:
        """Tell it no longer; the names of what was told."""
        return self.tracing.leave(_number(), pattern)

    @method(Role.VIEW)
    def strip(self) -> StripFacts:
        """Beam and shutters now."""
        return look_at_light(self._session.engine.devices)

    # -- running

    @method()
    def launch(self, what: Scan | ScanSequence, queue: bool = False) -> int:
        """Start a scan; the number of its job."""
        serial = self.positions.serial
        with self._acting():
            return self._keep(self._session.engine.launch(what, queue=queue), serial)

    @method()
    def launch_move(
        self,
        targets: dict[str, Number],
        relative: bool = False,
        velocity: float | None = None,
        queue: bool = False,
    ) -> int:
        """Start to move axes; the number of the job."""
        serial = self.positions.serial
        with self._acting():
            engine = self._session.engine
            names = {self._session.aliases.get(name, name): target for name, target in targets.items()}
            return self._keep(engine.launch_move(names, relative=relative, velocity=velocity, queue=queue), serial)

    @method()
    def launch_jog(self, axis: str, velocity: Number, queue: bool = False) -> int:
        """Let an axis run; the number of the job."""
        serial = self.positions.serial
        with self._acting():
            return self._keep(self._session.engine.jog(axis, velocity, queue=queue), serial)

    @method(Role.VIEW)
    async def result(self, job: int) -> JobEnd:
        """Wait until a job has ended, and the run of a scan is in its file.

        :raises FirstlightError: why it ended early.
        """
        found, serial = self._job(job)
        ended = asyncio.wrap_future(found.future)
        # Whoever waits no longer must not take the job along; and its error is nobody's then.
        ended.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        outcome = await asyncio.shield(ended)
        if isinstance(outcome, Outcome):
            unsaved = await asyncio.to_thread(self._session.unsaved, outcome)
            error = outcome.error or unsaved
            if error is not None:
                raise error
        axes = await asyncio.to_thread(self.positions.since, serial)
        return JobEnd(outcome.key if isinstance(outcome, Outcome) else "", axes)

    @method(Role.VIEW)
    def done(self, job: int) -> bool:
        """Whether a job has ended."""
        return self._job(job)[0].done

    # Not in the threads of plain methods: those may all be waiting for what is to be stopped.
    @method()
    async def abort_job(self, job: int) -> bool:
        """Stop one job, cleanly; again to make haste."""
        return self._job(job)[0].abort()

    @method()
    async def abort_mine(self) -> bool:
        """Stop what this client started, cleanly."""
        who = caller()
        assert who is not None
        return self._session.engine.abort(self._client(who))

    @method()
    async def abort(self) -> bool:
        """Stop everything that runs, cleanly."""
        return self._session.abort()

    @method()
    async def pause(self, why: str = "") -> None:
        """Let the scan that runs wait at its next safe point."""
        with self._acting():
            self._session.pause(why)

    @method()
    async def resume(self, anyway: bool = False) -> None:
        """Let the scan that waits go on."""
        with self._acting():
            self._session.resume(anyway=anyway)

    @method()
    async def stop_scan(self, why: str = "") -> None:
        """End the scan that runs at its next safe point, as if it were complete."""
        with self._acting():
            self._session.stop_scan(why)

    @method()
    async def skip(self, why: str = "") -> None:
        """End one scan of the sequence that runs in this way, and go on with the next."""
        with self._acting():
            self._session.skip(why)

    @method()
    async def stop(self, axes: list[str]) -> None:
        """Stop axes and what moves them; everything that moves when none is named."""
        await asyncio.to_thread(self._session.stop, *axes)

    # -- changing

    @method()
    def call(self, device: str, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call a public method of a device, and return what that gave when it has ended."""
        with self._acting():
            function = getattr(self._session[device], _public(name))
            if not callable(function):
                raise InvalidInput(f"{device}.{name} is nothing to call.", hint="Look at it instead.")
            try:
                value = function(*arguments, **keywords)
            except TypeError as error:
                raise InvalidInput(f"{device}.{name}: {error}.") from error
        self.positions.look(device)
        return value

    @method()
    def set(self, device: str, name: str, value: Any) -> None:
        """Set a public setting of a device."""
        with self._acting():
            try:
                setattr(self._session[device], _public(name), value)
            except (AttributeError, TypeError) as error:
                if isinstance(error, FirstlightError):
                    raise
                raise InvalidInput(f"{device}.{name} cannot be set.", hint=str(error)) from error
        self.positions.look(device)

    @method(Role.VIEW)
    def regions(self, device: str) -> dict[str, Any]:
        """Regions of a camera or a spectrum detector, by name: their settings."""
        return {name: region.model_dump(mode="json") for name, region in self._regions(device).items()}

    @method()
    def set_regions(self, device: str, regions: dict[str, Any]) -> dict[str, Any]:
        """Set regions, or take out those that are None; all that the detector has then. All of them fit, or none is
        changed."""
        known = self._regions(device)
        changed = {**known, **regions}
        for name, region in regions.items():
            if region is None:
                known[name]  # tells which there are
        wanted = {name: region for name, region in changed.items() if region is not None}
        with self._acting():
            self._session.engine.change([device], lambda: known.replace(wanted))
        return self.regions(device)

    @method()
    def lock(self, devices: list[str]) -> None:
        """Keep devices for this client."""
        with self._acting():
            self._session.take_lock(*devices)

    @method()
    def unlock(self, devices: list[str]) -> list[str]:
        """Let go of locks of this client."""
        with self._acting():
            return self._session.unlock(*devices)

    @method()
    def add_group(self, name: str, members: list[str]) -> None:
        """Make a measurement group, or give one other members."""
        self._session.groups.add(name, *members)
        self.emit("groups")

    @method()
    def remove_group(self, name: str) -> None:
        """Forget a measurement group."""
        self._session.groups.remove(name)
        self.emit("groups")

    @method()
    def switch_group(self, name: str, off: list[str]) -> None:
        """Choose which channels of a group are off."""
        groups = self._session.groups
        groups.switch(groups[name], frozenset(off))
        self.emit("groups")

    @method()
    def activate_group(self, name: str) -> None:
        """Choose the group that measures when a scan names nothing."""
        self._session.groups.active = name
        self.emit("groups")

    @method()
    def begin_setup(self, before: dict[str, dict[str, Any]]) -> int:
        """A client sets parameters for a while: they are set back when it is gone before it does so itself."""
        who = caller()
        assert who is not None
        own = {device: values for device, values in before.items() if device != "session" or "group" in values}
        kept = {d: {"group": v["group"]} if d == "session" else dict(v) for d, v in own.items()}
        ended = self._session.keep_setup(kept)
        with self._lock:
            token = max(self._setups, default=0) + 1
            self._setups[token] = (who.number, kept, ended)
        return token

    @method()
    def end_setup(self, token: int) -> None:
        """The client has set back what it had set."""
        with self._lock:
            _, _, ended = self._setups.pop(token, (0, {}, lambda: None))
        ended()

    @method()
    def go(self, to: str, name: str = "", description: str = "") -> DatasetFacts:
        """Change where data go: ``newproposal``, ``newsample``, ``newdataset``, ``enddataset`` or ``endproposal``."""
        session = self._session
        ways: dict[str, Callable[[], None]] = {
            "newproposal": lambda: session.newproposal(name),
            "newsample": lambda: session.newsample(name, description),
            "newdataset": lambda: session.newdataset(name),
            "enddataset": session.enddataset,
            "endproposal": session.endproposal,
        }
        if to not in ways:
            raise InvalidInput(f"{to!r} is no way to change where data go.", hint=f"Choose one of: {', '.join(ways)}.")
        with self._acting():
            ways[to]()
        facts = self.current()
        self.emit("current", facts)
        return facts

    @method()
    def retry(self, device: str) -> None:
        """Try again to make a device that failed."""
        self._session.retry(device)

    @method()
    def reload(self) -> str:
        """Read the configuration again."""
        with self._acting():
            return self._session.reload()

    @method(Role.TERMINAL)
    async def shutdown(self) -> None:
        """End the session and its process, in good order."""
        if self.shutdown_hook is None:
            raise Conflict(
                f"Session {self._session.name} lives in a program of its own (process {os.getpid()}).",
                hint="End that program: a shell, a notebook, a script.",
            )
        # A moment later: who asked is answered before the connections end.
        asyncio.get_running_loop().call_later(0.1, self.shutdown_hook)

    # -- inside

    def devices_changed(self) -> None:
        """The session has other devices, groups or setups now."""
        self.emit("devices")
        self.emit("groups")

    def _progress(self, progress: Progress) -> None:
        self.emit("progress", progress)

    def _client(self, who: Caller, label: str = "") -> Client:
        with self._lock:
            known = self._clients.get(who.number)
        return known or Client(_user(who.peer.uid), who.peer.pid, label, who.number)

    @contextmanager
    def _acting(self) -> Iterator[None]:
        who = caller()
        assert who is not None
        with acting_as(self._client(who)):
            yield

    def _keep(self, job: Job[Any], serial: int) -> int:
        with self._lock:
            self._jobs[job.number] = (job, serial)
            while len(self._jobs) > _KEPT_JOBS:
                oldest = next((number for number, (known, _) in self._jobs.items() if known.done), None)
                if oldest is None:
                    break
                del self._jobs[oldest]
        return job.number

    def _job(self, number: int) -> tuple[Job[Any], int]:
        with self._lock:
            found = self._jobs.get(number)
        if found is None:
            raise NotFound(f"There is no job {number}.", hint="It may have ended long ago.")
        return found

    def _regions(self, device: str) -> Regions[Any]:
        found = getattr(self._session[device], "rois", None)
        if not isinstance(found, Regions):
            raise InvalidInput(f"{device} has no regions.", hint="Name a camera or a spectrum detector.")
        return found

    def _end_setup(self, token: int) -> None:
        with self._lock:
            _, before, ended = self._setups.pop(token)
        try:
            put_back(self._session, before)
        finally:
            ended()

    def _device(self, name: str, device: Any) -> DeviceFacts:
        kind = self._session.kinds.get(name, "")
        if isinstance(device, Failed):
            return DeviceFacts(name, "failed", kind, device.error.message, device.error.hint)
        devices = self._session.engine.devices
        sort = next((sort for sort in _SORTS if name in getattr(devices, sort)), "")
        parts = tuple(device.axes) if isinstance(device, AssemblyHandle) else ()
        return DeviceFacts(name, sort, kind, parts=parts)


def _number() -> int:
    who = caller()
    assert who is not None
    return who.number


def _public(name: str) -> str:
    if name.startswith("_") or name in ("device", "driver"):
        raise InvalidInput(f"{name!r} is not for clients.", hint="Name something public.")
    return name


def _channels(group: Any) -> tuple[str, ...]:
    # A member may have failed, or be gone: the group is shown all the same.
    try:
        return tuple(group.channels)
    except FirstlightError:
        return tuple(group.members)


def _told(dry: DryRun) -> DryRun:
    """Without what only the engine can use: the calls of the chain."""
    chain = Chain(dry.chain.root, (), (), (), (), ()) if dry.chain is not None else None
    return DryRun(dry.title, dry.points, dict(dry.positions), chain, tuple(_told(part) for part in dry.parts))


@cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
