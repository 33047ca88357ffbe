"""The engine: asyncio inside its own thread, plain blocking calls outside."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeAlias, TypeVar

from firstlight.model import Clock, Conflict, FirstlightError, RealClock, Saving, Scan
from firstlight.scanning import _path
from firstlight.scanning._chain import build
from firstlight.scanning._conduct import Conductor, Interrupt, Outcome, Settings, Watch, supervise
from firstlight.scanning._devices import Devices
from firstlight.scanning._estimate import DryRun, Estimate, estimate, free
from firstlight.scanning._gate import Gate, Motion, Rule
from firstlight.scanning._info import as_error
from firstlight.scanning._plan import position_of, problems, resolve, travel_time
from firstlight.scanning._presets import Preset
from firstlight.scanning._progress import Listener, Progress
from firstlight.scanning._sequence import ScanSequence, conduct_sequence, lay_out
from firstlight.scanning._store import Store
from firstlight.scanning._waits import DaemonThreads, Waits

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

Runnable: TypeAlias = Scan | ScanSequence
"""What an engine runs."""


class Engine:
    """Runs scans, one at a time.

    :param store: the buffer.
    :param devices: what scans name; assign :attr:`devices` to change it between runs.
    :param saving: where a scan is to be saved (takes the next number); None for engines that save nothing.
    :param readers: retaining readers of every saved run.
    :param metadata: tree stored with every run: sample, proposal, ...
    :param watches: asked during every run whether it may go on.
    :param rules: asked by the gate for every motion.
    :param disk: folder at or above the one where scans are saved, for estimates.
    :param prepare_paths: import the path library in the background now, so that the first step scan is not late.
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
    ) -> None:
        self.clock: Clock = clock if clock is not None else RealClock()
        self.store = store
        self.gate = Gate(devices or Devices(), rules)
        """All motions pass here; ``gate.rules`` may be changed between runs."""
        self.watches: list[Watch] = list(watches)
        self.presets: list[Preset] = []
        """Hooks of every run; may be changed between runs."""
        self.listeners: list[Listener] = []
        """Called with :class:`Progress` in the engine's thread."""
        self.last: Outcome | None = None
        """How the last run went."""
        self._saving = saving
        self._readers = tuple(readers)
        self._metadata = metadata
        self._disk = disk
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonThreads())
        self._guard = threading.RLock()  # a signal handler may come in while it is held
        self._interrupt: Interrupt | None = None
        self._task: Future[Any] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="firstlight-engine", daemon=True)
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
    def busy(self) -> bool:
        """Whether something runs now."""
        task = self._task
        return task is not None and not task.done()

    def run(self, what: Runnable) -> Outcome:
        """Run to the end and say how it went.

        Ctrl-C stops cleanly: axes decelerate, the shutter closes, the run is sealed and its end recorded; pressing it
        again only makes haste. The run stays readable however it ends (:attr:`last`).

        :raises RunAborted: stopped by the user.
        :raises FirstlightError: what made it fail; nothing moved when it is about the description or the limits.
        """
        outcome = self._uninterrupted(lambda: self.submit(what))
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def submit(self, what: Runnable) -> Future[Outcome]:
        """Start to run, and return at once; the future's result is the :class:`Outcome` of any end.

        :raises Conflict: when something runs already.
        """
        return self._launch(lambda interrupt: self._perform(what, interrupt))

    def move(self, targets: Mapping[str, float], *, origin: str = "prompt") -> None:
        """Move axes to user positions, all at once, and return when they are at rest; Ctrl-C stops them.

        :raises LimitError: before anything moves.
        :raises RunAborted: stopped by the user.
        """
        motions = [Motion(name, float(target), None, origin) for name, target in targets.items()]
        self._uninterrupted(lambda: self._launch(lambda interrupt: self._travel(motions, interrupt)))

    def abort(self) -> bool:
        """Stop what runs, cleanly; call it again to make haste. Any thread; returns at once.

        :return: whether something was running.
        """
        with self._guard:
            interrupt = self._interrupt
            if interrupt is None or not self.busy:
                return False
            self._loop.call_soon_threadsafe(interrupt.press)
            return True

    def check(self, what: Runnable) -> None:
        """Refuse what may not run: unknown devices, positions outside limits (run-up and run-down too), speeds.

        :raises FirstlightError: the first reason; nothing moved.
        """
        for problem in self._in_loop(lambda: self._examine(what))[1]:
            raise problem

    def estimate(self, what: Runnable) -> Estimate:
        """What it would take: time, data, memory and disk; and why it may not run, if so. Nothing moves."""
        return self._in_loop(lambda: self._estimate(what))

    def dry_run(self, what: Runnable) -> DryRun:
        """Visit the same points without moving: positions and chain.

        :raises FirstlightError: when it may not run.
        """
        return self._in_loop(lambda: self._dry_run(what))

    def close(self) -> None:
        """Stop what runs and end the thread; idempotent."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
        task = self._task
        while task is not None and not task.done():
            self.abort()
            try:
                task.exception(timeout=30.0)
            except TimeoutError:
                _log.warning("what runs does not end; leaving it")
                break
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10.0)
        if not self._thread.is_alive():
            _finish_loop(self._loop)

    def _settings(self) -> Settings:
        return Settings(
            clock=self.clock,
            store=self.store,
            devices=self.devices,
            gate=self.gate,
            readers=self._readers,
            watches=list(self.watches),
            presets=list(self.presets),
            metadata=self._metadata,
            tell=self._tell,
        )

    async def _perform(self, what: Runnable, interrupt: Interrupt) -> Outcome:
        settings = self._settings()
        if isinstance(what, ScanSequence):
            outcome = await conduct_sequence(settings, what, interrupt, self._saving_of)
        else:
            plan = resolve(what, settings.devices)
            for problem in problems(plan, settings.devices, self.gate):
                raise problem
            outcome = await Conductor(settings, plan, interrupt).conduct(self._saving_of(what))
        self.last = outcome
        return outcome

    async def _travel(self, motions: Sequence[Motion], interrupt: Interrupt) -> None:
        settings = self._settings()
        waits = Waits(self.clock, self.devices)
        extra = 0.0
        for motion in motions:
            axis = self.gate.check(motion)
            extra = max(extra, travel_time(motion.target - position_of(axis), axis.velocity, axis.acceleration))

        async def one(motion: Motion) -> None:
            unit = self.devices.axis(motion.axis).unit
            doing = f"to move to {motion.target:.6g} {unit}"
            await waits.answer(motion.axis, doing, lambda: self.gate.move(motion), extra)

        cause = await supervise(waits.together(*map(one, motions)), waits, settings, interrupt, None)
        if cause is not None:
            await self.gate.stop()
            raise as_error(cause)

    def _saving_of(self, what: Runnable) -> Saving | None:
        return self._saving(what) if self._saving is not None and what.save else None

    def _examine(self, what: Runnable) -> tuple[Any, list[FirstlightError]]:
        if isinstance(what, ScanSequence):
            return lay_out(what, self.devices, self.gate)
        plan = resolve(what, self.devices)
        return plan, problems(plan, self.devices, self.gate)

    def _estimate(self, what: Runnable) -> Estimate:
        laid, found = self._examine(what)
        memory = getattr(self.store, "root", None)
        if not isinstance(what, ScanSequence):
            return estimate(laid, self.devices, found, memory, self._disk)
        return Estimate(
            title=what.title,
            points=sum(scan.npoints for scan in what.scans),
            duration=sum(part.seconds for part in laid),
            nbytes=sum(part.nbytes for part in laid),
            memory_free=free(memory),
            disk_free=free(self._disk) if what.save else None,
            problems=tuple(str(problem) for problem in found),
        )

    def _dry_run(self, what: Runnable) -> DryRun:
        laid, found = self._examine(what)
        for problem in found:
            raise problem

        def dry(plan: Any) -> DryRun:
            return DryRun(plan.scan.title, plan.points, plan.positions, build(plan, self.devices))

        if not isinstance(what, ScanSequence):
            return dry(laid)
        parts = tuple(
            dry(part.plan) if part.plan is not None else DryRun(f"move {part.step.axis} to {part.target:g}", None)
            for part in laid
        )
        return DryRun(what.title, None, {}, None, parts)

    def _tell(self, progress: Progress) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - a display must not end a run
                _log.exception("a listener failed")

    def _launch(self, body: Callable[[Interrupt], Coroutine[Any, Any, _T]]) -> Future[_T]:
        self._not_inside("run")
        with self._guard:
            if self._closed:
                raise Conflict("The engine is closed.")
            if self.busy:
                raise Conflict("Something runs already.", hint="Wait for its end, or abort it.")
            interrupt = self._interrupt = Interrupt()
            task = asyncio.run_coroutine_threadsafe(body(interrupt), self._loop)
            self._task = task
            return task

    def _uninterrupted(self, launch: Callable[[], Future[_T]]) -> _T:
        """The result of what is launched, however often Ctrl-C is pressed: each time aborts, none leaves early."""
        with self._sigint_aborts() as presses:
            task = launch()
            if presses:
                self.abort()
            while True:
                try:
                    return task.result()
                except KeyboardInterrupt:
                    # Not by our handler: raised by whoever replaced it meanwhile.
                    self.abort()

    @contextmanager
    def _sigint_aborts(self) -> Iterator[list[int]]:
        presses: list[int] = []
        if threading.current_thread() is not threading.main_thread():
            yield presses
            return

        def press(number: int, frame: FrameType | None) -> None:
            presses.append(number)
            self.abort()

        before = signal.signal(signal.SIGINT, press)
        try:
            yield presses
        finally:
            signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)

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


def _finish_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let what was left behind end, then close the loop."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
