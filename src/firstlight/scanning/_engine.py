"""The engine: asyncio inside its own thread, plain blocking calls outside."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from firstlight.devices import Axis
from firstlight.model import Clock, Conflict, RealClock, RunAborted, Saving, Scan
from firstlight.scanning import _path
from firstlight.scanning._ahead import examine, foresee, rehearse
from firstlight.scanning._claims import SCANS, Busy, Claims, Client, Lock, Use, acting, together
from firstlight.scanning._conduct import Conductor, Outcome, Settings, Watch, supervise
from firstlight.scanning._devices import Devices
from firstlight.scanning._estimate import DryRun, Estimate
from firstlight.scanning._gate import Gate, Rule
from firstlight.scanning._info import as_error
from firstlight.scanning._interrupts import held, uninterrupted
from firstlight.scanning._jobs import Job, Sort
from firstlight.scanning._movements import Movements
from firstlight.scanning._plan import problems, resolve
from firstlight.scanning._presets import Preset
from firstlight.scanning._progress import Listener, Progress
from firstlight.scanning._sequence import ScanSequence, conduct_sequence
from firstlight.scanning._shared import SharedClaims
from firstlight.scanning._store import Store
from firstlight.scanning._suspend import Suspender, watch
from firstlight.scanning._uses import used_by
from firstlight.scanning._waits import DaemonThreads, Waits

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

LOOK = 0.1
"""Seconds between two looks whether another session has given a device back."""

Runnable: TypeAlias = Scan | ScanSequence
"""What an engine runs."""


class Engine(Movements):
    """Runs scans, one at a time, and beside them motions and operations of devices that nothing else uses.

    Who wants a device that another command uses, or that another client has locked, is refused and told by whom, or
    waits for it.

    :param store: the buffer.
    :param devices: what scans name; assign :attr:`devices` to change it between runs.
    :param saving: where a scan is to be saved (takes the next number); None for engines that save nothing.
    :param readers: retaining readers of every saved run.
    :param metadata: tree stored with every run: sample, proposal, ...
    :param watches: asked during every run whether it may go on.
    :param rules: asked by the gate for every motion.
    :param disk: folder at or above the one where scans are saved, for estimates.
    :param prepare_paths: import the path library in the background now, so that the first step scan is not late.
    :param session: named in every run, for its saver.
    :param shared: folder by which sessions of one beamline know what the others use; None for an engine alone.
    :param ready: called in the caller's thread before anything is looked at or moves; waits until what is named can be
        used.
    """

    def __init__(
        self,
        store: Store,
        devices: Devices | None = None,
        clock: Clock | None = None,
        *,
        saving: Callable[[Runnable], Saving | None] | None = None,
        readers: Sequence[str] = ("saver",),
        metadata: Callable[[], Mapping[str, Any]] = dict,
        watches: Sequence[Watch] = (),
        rules: Sequence[Rule] = (),
        disk: Path | None = None,
        prepare_paths: bool = False,
        session: str = "",
        shared: Path | None = None,
        ready: Callable[[Runnable | None], None] = lambda what: None,
    ) -> None:
        self.clock: Clock = clock if clock is not None else RealClock()
        self.store = store
        self.gate = Gate(devices or Devices(), rules)
        """All motions pass here; ``gate.rules`` may be changed between runs."""
        self.watches: list[Watch] = list(watches)
        self.presets: list[Preset] = []
        """Hooks of every run; may be changed between runs."""
        self.suspenders: Mapping[str, Suspender] = {}
        """Conditions during which scans wait, by name; may be changed between runs."""
        self.listeners: list[Listener] = []
        """Called with :class:`Progress` in the engine's thread."""
        self.launched: list[Callable[[Job[Any]], None]] = []
        """Called with every job when it was given, by whoever gave it."""
        self.last: Outcome | None = None
        """How the last run went."""
        self._saving = saving
        self._readers = tuple(readers)
        self._metadata = metadata
        self._disk = disk
        self._ready = ready
        self._session = session
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonThreads())
        self._guard = threading.RLock()  # a signal handler may come in while it is held
        self._jobs: list[Job[Any]] = []
        self._claims = Claims(SharedClaims(shared, session) if shared is not None else None)
        self._closed = False
        self._thread = threading.Thread(target=_keep_loop, args=(self._loop,), name="firstlight-engine", daemon=True)
        self._thread.start()
        if prepare_paths:
            threading.Thread(target=_path.warm, name="firstlight-paths", daemon=True).start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine {'busy' if self.busy else 'idle'}, {len(self.devices.axes)} axes>"

    @property
    def devices(self) -> Devices:
        """What scans name."""
        return self.gate.devices

    @devices.setter
    def devices(self, devices: Devices) -> None:
        self.gate.devices = devices

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where devices are talked to; for coroutines of their drivers."""
        return self._loop

    @property
    def jobs(self) -> tuple[Job[Any], ...]:
        """What runs now, oldest first."""
        with self._guard:
            self._jobs = [job for job in self._jobs if not job.done]
            return tuple(self._jobs)

    @property
    def busy(self) -> bool:
        """Whether anything runs now."""
        return bool(self.jobs)

    @property
    def scanning(self) -> bool:
        """Whether a scan runs now."""
        return any(job.sort == "scan" for job in self.jobs)

    @property
    def scan(self) -> Job[Outcome]:
        """The scan that runs now: it can be paused, resumed, stopped, aborted.

        :raises Conflict: when none runs.
        """
        for job in self.jobs:
            if job.sort == "scan":
                return job
        raise Conflict("No scan runs.", hint="Start one first.")

    def run(self, what: Runnable, *, queue: bool = False, devices: Devices | None = None) -> Outcome:
        """Run to the end and say how it went.

        Ctrl-C stops cleanly: axes decelerate, the shutter closes, the run is sealed and its end recorded; pressing it
        again only makes haste. The run stays readable however it ends (:attr:`last`).

        :param queue: wait for devices that something else uses, in place of being refused.
        :param devices: those that it may use; :attr:`devices` when None.
        :raises Busy: somebody else uses what it needs.
        :raises RunAborted: stopped by the user.
        :raises FirstlightError: what made it fail; nothing moved when it is about the description or the limits.
        """
        outcome = self.complete(what, queue=queue, devices=devices)
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def complete(self, what: Runnable, *, queue: bool = False, devices: Devices | None = None) -> Outcome:
        """The same, and how it went whatever ended it; raises only what kept it from starting."""
        self._ready(what)
        return self._uninterrupted(lambda: self.launch(what, queue=queue, devices=devices))

    def submit(self, what: Runnable) -> Future[Outcome]:
        """Start to run, and return at once; the future's result is the :class:`Outcome` of any end.

        :raises Busy: when a scan runs already.
        """
        return self.launch(what).future

    def launch(self, what: Runnable, *, queue: bool = False, devices: Devices | None = None) -> Job[Outcome]:
        """The same, as a :class:`Job` that can be stopped by itself.

        :raises Busy: when a scan runs already, unless ``queue``.
        """
        self._not_inside("run")
        self._ready(what)
        return self._launch("scan", what.title, lambda job: self._perform(what, job, queue, devices), queue=queue)

    def operate(self, names: Sequence[str], doing: str, body: Callable[[], Any], *, queue: bool = False) -> Any:
        """Let devices do something of their own (search a limit, open), and return what that gave; Ctrl-C stops axes.

        :param names: the devices that it uses.
        :param doing: as a user types it.
        :param body: called in the engine's thread; may return a coroutine.
        :raises Busy: somebody else uses one of them.
        """
        return self._uninterrupted(lambda: self.launch_operation(names, doing, body, queue=queue))

    def launch_operation(
        self, names: Sequence[str], doing: str, body: Callable[[], Any], *, queue: bool = False
    ) -> Job[Any]:
        """Start an operation, and return at once."""
        self._not_inside("run")
        self._ready(None)
        return self._launch("operation", doing, lambda job: self._operation(names, body, job, queue))

    def change(self, names: Sequence[str], function: Callable[[], _T]) -> _T:
        """Change settings of devices that nobody uses, in the engine's thread.

        :raises Busy: somebody else uses or has locked one of them.
        """
        client = acting()

        def checked() -> _T:
            self._claims.check(together(self.devices, names), client)
            return function()

        return self._in_loop(checked)

    def finish(self, job: Job[_T]) -> _T:
        """Wait for a job; Ctrl-C stops it."""
        return self._uninterrupted(lambda: job)

    def abort(self, client: Client | None = None) -> bool:
        """Stop what runs, cleanly; call it again to make haste. Any thread; returns at once.

        :param client: stop what this client started only; everything when None.
        :return: whether something was running.
        """
        chosen = [job for job in self.jobs if client in (None, job.client)]
        aborted = [job.abort() for job in chosen]
        return any(aborted)

    def stop(self, axes: Iterable[str] = ()) -> None:
        """Abort what moves these axes (everything when none is named), then stop the axes themselves.

        :raises DeviceError: an axis that does not stop; the others did.
        """
        chosen = together(self.devices, [self.devices.axis(name).name for name in axes])
        if not chosen:
            self.abort()
        jobs = self._in_loop(lambda: [use for use in self._claims.uses if use.axes & chosen])
        for job in self.jobs:
            if any(use.job is job for use in jobs):
                job.abort()
        names = sorted(chosen) or sorted(self.devices.axes)

        async def halt() -> dict[str, BaseException]:
            moving = [name for name in names if name in self.devices.axes and _moves(self.devices.axis(name))]
            return await self.gate.part().stop(moving)

        if threading.current_thread() is self._thread:
            raise Conflict("A hook of a run cannot wait for axes to stop.", hint="Raise EndScan to end the run.")
        for name, error in asyncio.run_coroutine_threadsafe(halt(), self._loop).result().items():
            raise Waits(self.clock, self.devices).named(error, name, "to stop") from error

    # -- locks

    def lock(self, names: Sequence[str], client: Client | None = None) -> None:
        """Keep devices for one client until it lets go of them.

        :raises Busy: somebody else uses or has locked one of them.
        """
        owner = client or acting()
        self._in_loop(lambda: self._claims.lock(names, owner))

    def unlock(self, names: Sequence[str], client: Client | None = None) -> list[str]:
        """Let go of locks of one client; which they were."""
        owner = client or acting()
        return self._in_loop(lambda: self._claims.unlock(names, owner))

    def leave(self, client: Client) -> list[str]:
        """A client is gone: its locks are free; which they were. What it started goes on to its end."""
        return self._in_loop(lambda: self._claims.leave(client))

    @property
    def locks(self) -> tuple[Lock, ...]:
        """All locks."""
        return self._in_loop(lambda: self._claims.locks)

    # -- looking ahead

    def check(self, what: Runnable) -> None:
        """Refuse what may not run: unknown devices, positions outside limits (run-up and run-down too), speeds.

        :raises FirstlightError: the first reason; nothing moved.
        """
        self._ready(what)
        for problem in self._in_loop(lambda: examine(what, self.devices, self.gate))[1]:
            raise problem

    def estimate(self, what: Runnable, devices: Devices | None = None) -> Estimate:
        """What it would take: time, data, memory and disk; and why it may not run, if so. Nothing moves."""
        self._ready(what)
        memory = getattr(self.store, "root", None)
        return self._in_loop(lambda: foresee(what, devices or self.devices, self.gate, memory, self._disk))

    def dry_run(self, what: Runnable, devices: Devices | None = None) -> DryRun:
        """Visit the same points without moving: positions and chain.

        :raises FirstlightError: when it may not run.
        """
        self._ready(what)
        return self._in_loop(lambda: rehearse(what, devices or self.devices, self.gate))

    def close(self) -> None:
        """Stop what runs and end the thread; idempotent."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        while left := self.jobs:
            self.abort()
            try:
                left[0].future.exception(timeout=30.0)
            except TimeoutError:
                _log.warning("%s does not end; leaving it", left[0].doing)
                break
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10.0)
        self._claims.close()

    def _settings(self, devices: Devices | None = None) -> Settings:
        chosen = devices or self.devices
        return Settings(
            clock=self.clock,
            store=self.store,
            devices=chosen,
            gate=self.gate.part(chosen),
            readers=self._readers,
            watches=list(self.watches),
            presets=list(self.presets),
            metadata=self._metadata,
            tell=self._tell,
            session=self._session,
        )

    async def _perform(self, what: Runnable, job: Job[Outcome], queue: bool, devices: Devices | None) -> Outcome:
        settings = self._settings(devices)
        names, axes = used_by(what, settings.devices)
        with await self._claim(job, {*names, SCANS}, axes, queue):
            suspending = await watch(self.clock, self.suspenders, settings.devices, job.steering)
            try:
                outcome = await self._conduct(what, job, settings)
            finally:
                if suspending is not None:
                    suspending.cancel()
        self.last = outcome
        return outcome

    async def _conduct(self, what: Runnable, job: Job[Outcome], settings: Settings) -> Outcome:
        if isinstance(what, ScanSequence):
            return await conduct_sequence(settings, what, job.interrupt, job.steering, self._saving_of)
        plan = resolve(what, settings.devices)
        for problem in problems(plan, settings.devices, settings.gate):
            raise problem
        return await Conductor(settings, plan, job.interrupt, job.steering).conduct(self._saving_of(what))

    async def _operation(self, names: Sequence[str], body: Callable[[], Any], job: Job[Any], queue: bool) -> Any:
        settings = self._settings()
        axes = [name for name in names if name in self.devices.axes]
        waits = Waits(self.clock, self.devices)
        with await self._claim(job, names, axes, queue):

            async def act() -> Any:
                result = body()
                return await result if inspect.isawaitable(result) else result

            acting_now = asyncio.ensure_future(act())
            for name in axes:
                self._announce(name, True)
            try:
                cause = await supervise(acting_now, waits, settings, job.interrupt, None)
                if cause is not None:
                    await settings.gate.stop(axes)
                    if isinstance(cause, RunAborted):
                        raise RunAborted(f"{job.doing} was stopped by the user.")
                    raise as_error(waits.named(cause, ", ".join(names), f"in {job.doing}"))
            finally:
                for name in axes:
                    self._announce(name, False)
            return acting_now.result()

    async def _claim(
        self, job: Job[Any], names: Iterable[str], axes: Iterable[str], queue: bool
    ) -> AbstractContextManager[None]:
        """Take what a job uses; the context gives it back."""
        use = Use(job.client, job.doing, together(self.devices, names), together(self.devices, axes), job)
        while True:
            try:
                self._claims.take(use)
            except Busy as error:
                if not queue:
                    raise
                changed = self._claims.changed()
                pressed = asyncio.ensure_future(job.interrupt.pressed())
                # Another session tells nobody that it has given something back.
                again = LOOK if self._claims.shared else None
                await asyncio.wait({changed, pressed}, timeout=again, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                pressed.cancel()
                if job.interrupt.times:
                    raise RunAborted(f"{job.doing} was stopped by the user while it waited. {error.message}") from None
            else:
                return self._claims.held(use)

    def _announce(self, name: str, moving: bool) -> None:
        for listener in self.gate.listeners:
            listener(name, moving)

    def _saving_of(self, what: Runnable) -> Saving | None:
        return self._saving(what) if self._saving is not None and what.save else None

    def _tell(self, progress: Progress) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - a display must not end a run
                _log.exception("a listener failed")

    def _launch(
        self, sort: Sort, doing: str, body: Callable[[Job[_T]], Coroutine[Any, Any, _T]], *, queue: bool = False
    ) -> Job[_T]:
        # What began is known to have begun, so that it can be stopped.
        with held(), self._guard:
            if self._closed:
                raise Conflict("The engine is closed.")
            other = next((job for job in self.jobs if job.sort == "scan"), None) if sort == "scan" else None
            if other is not None and not queue:
                raise Busy(
                    f"Something runs already: {other.doing}, started by {other.client}.",
                    hint="Wait for its end, or abort it.",
                    owner=str(other.client),
                )
            job: Job[_T] = Job(sort, doing, self._loop)
            job.future = asyncio.run_coroutine_threadsafe(body(job), self._loop)
            self._jobs.append(job)
        for told in tuple(self.launched):
            told(job)
        return job

    def _uninterrupted(self, launch: Callable[[], Job[_T]]) -> _T:
        """The result of what is launched, however often Ctrl-C is pressed: each time aborts, none leaves early."""

        def result(job: Job[_T]) -> _T:
            return job.future.result()

        return uninterrupted(launch, result, Job[_T].abort, _failed)

    def _in_loop(self, function: Callable[[], _T]) -> _T:
        """Call a function in the engine's thread, where devices are talked to."""
        if threading.current_thread() is self._thread:
            return function()
        if self._closed:
            raise Conflict("The engine is closed.")

        async def call() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _not_inside(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            raise Conflict(f"A hook of a run cannot {what} something else.", hint="Do it after the run.")


def _failed(result: object) -> bool:
    return isinstance(result, Outcome) and result.error is not None


def _moves(axis: Axis) -> bool:
    try:
        return axis.moving
    except Exception:  # noqa: BLE001 - an axis that does not say whether it moves is told to stop
        return True


def _keep_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped; then let what was left behind end, and close it.

    All of it here: the thread that closes the engine may run a loop of its own, as that of a notebook does.
    """
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
