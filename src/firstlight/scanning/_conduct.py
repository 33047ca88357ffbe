"""One run from its creation to its end, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from firstlight.model import (
    Clock,
    EndReason,
    FirstlightError,
    ProcessError,
    RunAborted,
    RunEnd,
    RunState,
    Saving,
)
from firstlight.scanning._acquisition import Acquisition
from firstlight.scanning._chain import build
from firstlight.scanning._continuous import Continuous
from firstlight.scanning._derive import Derivations
from firstlight.scanning._devices import Devices
from firstlight.scanning._estimate import duration
from firstlight.scanning._gate import Gate, Motion
from firstlight.scanning._info import as_error, run_end, run_info
from firstlight.scanning._joint import behind
from firstlight.scanning._plan import Plan
from firstlight.scanning._presets import EndScan, Preset, RunView
from firstlight.scanning._progress import Listener, Reporter
from firstlight.scanning._record import Recorder, axis_columns
from firstlight.scanning._software import acquire
from firstlight.scanning._steering import Steering
from firstlight.scanning._store import Owner, Store
from firstlight.scanning._travel import travel_all
from firstlight.scanning._waits import Waits, retrieve

_log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds that a cancelled acquisition gets to end by itself before cleaning up goes on without it."""
HURRY = 2.0
"""The longest that one device may take to stop when Ctrl-C was pressed again."""
WATCH = 0.25
"""Seconds between two looks at the watches."""


class Watch(Protocol):
    """Somebody without whom a run must not go on, for instance the saver."""

    def check(self) -> str | None:
        """One sentence that says what is wrong; None while all is well. Must be quick."""


@dataclass(frozen=True)
class Outcome:
    """How one run went.

    :param points: complete points.
    :param error: what ended it; None for a success.
    :param parts: the runs of a sequence, in order.
    """

    key: str
    name: str
    title: str
    end: RunEnd
    points: int
    error: FirstlightError | None = None
    parts: tuple[Outcome, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it reached its end."""
        return self.end.reason is EndReason.SUCCESS


class Interrupt:
    """The user's wish to stop; shared by all that one command runs."""

    def __init__(self) -> None:
        self.times = 0
        self._event = asyncio.Event()

    def press(self) -> None:
        """Ask once more; in the engine's loop."""
        self.times += 1
        self._event.set()

    async def pressed(self, times: int = 1) -> None:
        """Return when it was asked for ``times`` times."""
        while self.times < times:
            self._event.clear()
            await self._event.wait()


@dataclass
class Settings:
    """What an engine gives to each run."""

    clock: Clock
    store: Store
    devices: Devices
    gate: Gate
    readers: Sequence[str] = ()
    watches: list[Watch] = field(default_factory=list)
    presets: list[Preset] = field(default_factory=list)
    metadata: Callable[[], Mapping[str, Any]] = dict
    tell: Listener = lambda progress: None
    session: str = ""


class Conductor:
    """Runs one plan.

    The points are made by one task; the supervisor beside it waits for its end, for the user, for a device that is
    late and for a watch that complains. Whatever comes first ends the run, once, and then everything is stopped: axes,
    shutter and devices at once, each with a time limit, so that nothing that hangs can keep the rest from being
    stopped; then what was acquired is drained, axes that have to go back go, and the channels are sealed.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        interrupt: Interrupt,
        steering: Steering | None = None,
        *,
        parent: str | None = None,
    ) -> None:
        self._s = settings
        self._plan = plan
        self._interrupt = interrupt
        self._steering = steering or Steering()
        self._parent = parent
        self._clock = settings.clock
        self._waits = Waits(settings.clock, settings.devices)
        self._trouble: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._prepared: list[str] = []
        self._acquisition: Acquisition | None = None
        self._continuous: Continuous | None = None
        self._recorder: Recorder | None = None
        self._view: RunView | None = None

    async def conduct(self, saving: Saving | None) -> Outcome:
        """Create the run, acquire, clean up, record the end.

        :raises FirstlightError: only when no run could be created.
        """
        refused = complaint(self._s.watches)
        if refused is not None:
            raise refused
        plan, clock = self._plan, self._clock
        info = run_info(clock, self._s.devices, plan, saving, self._parent, self._s.metadata(), self._s.session)
        owner = self._s.store.create_run(info, readers=self._s.readers if saving else ())
        reporter = Reporter(
            clock,
            self._s.tell,
            owner.key,
            plan.scan.name,
            plan.scan.title,
            plan.points,
            duration(plan, self._s.devices),
        )
        with self._steering.telling(reporter.pausing):
            body = self._make(owner, reporter)
            cause = await supervise(body, self._waits, self._s, self._interrupt, self._trouble)
        reporter.enter(RunState.RUNNING, "stopping")
        cause = await self._clean_up(cause)
        end, error = run_end(cause, clock, self._s.devices, self._steering.take())
        await self._after(end)
        end, error = finish(owner, end, error)
        reporter.enter(RunState.STOPPED)
        return Outcome(owner.key, plan.scan.name, plan.scan.title, end, self._points(), error)

    async def _make(self, owner: Owner, reporter: Reporter) -> None:
        s, plan = self._s, self._plan
        chain = build(plan, s.devices, owner.key)
        self._view = RunView(owner.key, plan.scan, chain)
        units = {name: s.devices.axis(name).unit for name in (*plan.axes, *plan.reals)}
        columns = axis_columns(units, swept=plan.sweep is not None)
        columns += axis_columns({n: s.devices.axis(n).unit for n in plan.selection.followed}, swept=False)
        columns += [spec for counter in plan.counters for spec in counter.channels]
        reader = s.store.run(owner.key)
        derivations = Derivations(owner, reader, plan.derived, columns) if plan.derived else None
        recorder = self._recorder = Recorder(self._clock, owner, columns, self._fail, derivations)
        a = self._acquisition = Acquisition(
            clock=self._clock,
            devices=s.devices,
            gate=s.gate,
            waits=self._waits,
            plan=plan,
            chain=chain,
            recorder=recorder,
            reporter=reporter,
            reader=reader,
            presets=tuple(s.presets),
            steering=self._steering,
        )
        await a.hook("scan_prepare", self._view)
        self._prepared = [call.device for call in chain.prepare]
        await a.all(chain.prepare)
        await a.hook("chain_prepare", chain)
        owner.prepared()
        reporter.enter(RunState.PREPARED, "preparing")
        if plan.scan.shutter != "as-is":
            await self._shutters(opened=plan.scan.shutter == "open")
        await a.hook("scan_start", self._view)
        await a.hook("chain_start", chain)
        owner.running()
        reporter.enter(RunState.RUNNING)
        if a.software:
            await acquire(a)
        else:
            self._continuous = Continuous(a)
            await self._continuous.acquire()

    async def _shutters(self, *, opened: bool) -> None:
        for shutter in self._s.devices.shutters.values():
            if shutter.is_open is not opened:
                doing = "to open" if opened else "to close"
                await self._waits.answer(shutter.name, doing, shutter.open if opened else shutter.close)

    async def _clean_up(self, cause: BaseException | None) -> BaseException | None:
        """Stop everything; what goes wrong here ends a run that was fine until now, and is logged otherwise."""
        s, a, waits = self._s, self._acquisition, self._waits
        waits.point = None
        stops: list[tuple[str, Coroutine[Any, Any, Any]]] = []
        unplanned = cause is not None
        if unplanned and self._continuous is not None:
            self._continuous.interrupted()
        if a is not None:
            stops += [(call.device, self._one(a, call)) for call in a.chain.stop if call.device in self._prepared]
        if unplanned:
            stops.append(("axes", self._stop_axes()))
        if unplanned or self._plan.scan.shutter != "as-is":
            stops += [(x.name, waits.answer(x.name, "to close", x.close)) for x in s.devices.shutters.values()]
        cause = await self._attempt(stops, cause)
        if waits.left:
            await bounded(asyncio.wait(set(waits.left)), self._clock, self._limit(), self._interrupt)
        if a is not None:
            if self._continuous is not None and unplanned:
                cause = await self._attempt([("the last points", self._continuous.drain())], cause)
            cause = await self._attempt([("a preset", a.hook("chain_stop", a.chain))], cause)
        if self._recorder is not None:
            try:
                self._recorder.close()
            except Exception as error:  # noqa: BLE001 - it becomes the end of the run
                cause = _first(cause, error)
        return await self._restore(cause)

    async def _restore(self, cause: BaseException | None) -> BaseException | None:
        """Bring axes back that have to be; a second Ctrl-C leaves them where they are."""
        s = self._s
        back = {n: self._plan.origin[n] for n in self._plan.back}
        if not back or self._acquisition is None or self._interrupt.times > 1:
            return cause
        failed = getattr(cause, "device", None)
        moves = [Motion(n, p, None, "cleanup") for n, p in back.items() if failed not in (n, *behind(s.devices, [n]))]
        if not moves:
            return cause
        body = travel_all(s.gate, self._waits, moves)
        # Without the watches: axes go back also when the saver is gone.
        late = await supervise(
            body, self._waits, replace(s, watches=[]), self._interrupt, None, times=self._interrupt.times + 1
        )
        if late is not None:
            cause = await self._attempt([("axes", self._stop_axes())], _first(cause, late))
        return cause

    async def _stop_axes(self) -> None:
        failed = await self._s.gate.stop(self._plan.axes)
        for name, error in failed.items():
            raise self._waits.named(error, name, "to stop") from error

    async def _attempt(
        self, actions: Sequence[tuple[str, Coroutine[Any, Any, Any]]], cause: BaseException | None
    ) -> BaseException | None:
        """Do all at once, each within its time limit; the first thing that fails is the cause, if there was none."""
        if not actions:
            return cause
        results = await asyncio.gather(
            *(bounded(action, self._clock, self._limit(name), self._interrupt) for name, action in actions)
        )
        for (name, _), error in zip(actions, results, strict=True):
            if error is not None and not isinstance(error, EndScan):
                if isinstance(error, TimeoutError) and not isinstance(error, FirstlightError):
                    error = ProcessError(f"{name} could not be stopped within {self._limit(name):g} s.")
                if cause is not None:
                    _log.warning("while ending the run: %s", error)
                cause = _first(cause, error)
        return cause

    async def _one(self, a: Acquisition, call: Any) -> None:
        await a.all([call])

    def _limit(self, name: str = "") -> float:
        """Seconds that one action of stopping may take."""
        devices = self._s.devices
        ramps = [a.velocity / a.acceleration for a in map(devices.axis, self._plan.axes) if a.acceleration < math.inf]
        allowed = devices.allowed(name) + max([self._plan.scan.count_time, *ramps])
        return min(allowed, HURRY) if self._interrupt.times > 1 else allowed

    async def _after(self, end: RunEnd) -> None:
        if self._acquisition is not None and self._view is not None:
            error = await bounded(
                self._acquisition.hook("scan_stop", self._view, end), self._clock, self._limit(), self._interrupt
            )
            if error is not None:
                _log.warning("a preset failed at the end of the run: %s", error)

    def _points(self) -> int:
        if self._continuous is not None:
            return self._continuous.done()
        return self._recorder.rows if self._recorder is not None else 0

    def _fail(self, error: BaseException) -> None:
        if not self._trouble.done():
            self._trouble.set_result(error)


def finish(owner: Owner, end: RunEnd, error: FirstlightError | None) -> tuple[RunEnd, FirstlightError | None]:
    """Record the end of a run and give it up; when even that fails, the run has failed."""
    try:
        owner.stop(end)
    except Exception as failure:  # noqa: BLE001 - it becomes the end of the run
        _log.warning("the end of %s could not be recorded: %s", owner.key, failure)
        if error is None:
            error = as_error(failure)
            end = end.model_copy(update={"reason": EndReason.FAILED, "message": str(error)})
    try:
        owner.close()
    except Exception as failure:  # noqa: BLE001 - the lock is dropped with the process at the latest
        _log.warning("%s could not be given up: %s", owner.key, failure)
    return end, error


async def supervise(
    body: Coroutine[Any, Any, Any] | asyncio.Future[Any],
    waits: Waits,
    settings: Settings,
    interrupt: Interrupt,
    trouble: asyncio.Future[BaseException] | None,
    *,
    times: int = 1,
) -> BaseException | None:
    """Let a body run until it ends or must be ended; never raises.

    :param trouble: errors that come from beside the body.
    :param times: Ctrl-C ends the body when it was pressed so often.
    :return: why it ended, None for a success.
    """
    clock, devices = settings.clock, settings.devices
    longest = min([devices.timeout, *devices.timeouts.values()])
    task = asyncio.ensure_future(body)
    pressed = asyncio.ensure_future(interrupt.pressed(times))
    cause: BaseException | None = None
    others: set[asyncio.Future[Any]] = {pressed} | ({trouble} if trouble is not None else set())
    while cause is None and not task.done():
        look = waits.next_look(longest)
        if settings.watches:
            look = min(look, clock.now() + WATCH)
        tick = asyncio.ensure_future(clock.sleep_until(look))
        await asyncio.wait({task, tick, *others}, return_when=asyncio.FIRST_COMPLETED)
        tick.cancel()
        if task.done():
            break
        if pressed.done():
            cause = RunAborted("The run was stopped by the user.")
        elif trouble is not None and trouble.done():
            cause = trouble.result()
        else:
            cause = waits.late() or complaint(settings.watches)
    pressed.cancel()
    if not task.done():
        # Its cancellation stops what it moves; what hangs is left behind.
        task.cancel()
        await _end_of(task, clock, interrupt)
    if not task.done():
        waits.abandon(task)
        return cause
    if task.cancelled():
        return cause or RunAborted("The run was cancelled.")
    # Asked in any case: an exception that nobody asks for is complained about.
    error = task.exception()
    return cause or error


async def _end_of(task: asyncio.Future[Any], clock: Clock, interrupt: Interrupt) -> None:
    limit = asyncio.ensure_future(clock.sleep_until(clock.now() + GRACE))
    hurry = asyncio.ensure_future(interrupt.pressed(interrupt.times + 1))
    await asyncio.wait({task, limit, hurry}, return_when=asyncio.FIRST_COMPLETED)
    limit.cancel()
    hurry.cancel()


async def bounded(
    action: Coroutine[Any, Any, Any], clock: Clock, limit: float, interrupt: Interrupt
) -> BaseException | None:
    """Carry out one action of cleaning up; its error, or TimeoutError when it takes longer than ``limit`` seconds."""
    task = asyncio.ensure_future(action)
    timer = asyncio.ensure_future(clock.sleep_until(clock.now() + limit))
    await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
    timer.cancel()
    if not task.done():
        task.cancel()
        task.add_done_callback(retrieve)
        return TimeoutError()
    return None if task.cancelled() else task.exception()


def complaint(watches: Sequence[Watch]) -> FirstlightError | None:
    """The error of the first watch that complains."""
    for watch in watches:
        message = watch.check()
        if message:
            return ProcessError(message)
    return None


def _first(cause: BaseException | None, error: BaseException) -> BaseException:
    return error if cause is None else cause
