"""A buffer in memory, a camera in fake time, and an engine over simulated devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.devices.sim import Diode, MemoryBoard, RingCurrent, SimAxis, SimShutter, SimTrigger
from firstlight.model import (
    CameraInfo,
    ChannelSpec,
    FakeClock,
    FirstlightError,
    NotFound,
    ProcessError,
    RunEnd,
    RunInfo,
    RunState,
    StorageFull,
    TriggerMode,
    TriggerPlan,
)
from firstlight.model.motion import crossings
from firstlight.scanning import Devices, Engine, Progress


class MemoryLog:
    """A channel in memory, with the behaviour of the buffer's."""

    def __init__(self, spec: ChannelSpec, store: MemoryStore) -> None:
        self.spec = spec
        self.sealed = False
        self.seal_reason = ""
        self._store = store
        self._blocks: list[NDArray[Any]] = []
        self.count = 0

    def append(self, values: NDArray[Any]) -> int:
        assert not self.sealed, f"{self.spec.name} is sealed"
        assert values.shape[1:] == self.spec.shape
        assert values.dtype == np.dtype(self.spec.dtype)
        if self._store.room is not None:
            if self._store.room < values.nbytes:
                raise StorageFull("The buffer is full.")
            self._store.room -= values.nbytes
        self._blocks.append(np.array(values))
        self.count += len(values)
        return self.count

    def read(self, start: int, stop: int) -> NDArray[Any]:
        everything = np.concatenate(self._blocks) if self._blocks else np.empty((0, *self.spec.shape), self.spec.dtype)
        return everything[start:stop]

    @property
    def values(self) -> NDArray[Any]:
        return self.read(0, self.count)

    def seal(self, reason: str = "") -> None:
        if not self.sealed:
            self.sealed, self.seal_reason = True, reason


class MemoryRagged(MemoryLog):
    """A ragged channel in memory."""

    def append(self, values: NDArray[Any], lengths: Any = ()) -> int:
        assert not self.sealed, f"{self.spec.name} is sealed"
        assert values.dtype == np.dtype(self.spec.dtype)
        self._blocks += np.split(values, np.cumsum(lengths)[:-1])
        self.count += len(lengths)
        return self.count

    @property
    def items(self) -> list[NDArray[Any]]:
        return self._blocks


class MemoryRun:
    """A run in memory; its states only ever grow."""

    def __init__(self, key: str, info: RunInfo, store: MemoryStore) -> None:
        self.key, self.info = key, info
        self.state = RunState.CREATED
        self.end: RunEnd | None = None
        self.channels: dict[str, MemoryLog] = {}
        self.closed = False
        self._store = store
        self._own: list[MemoryLog] = []

    def create_log(self, spec: ChannelSpec) -> MemoryLog:
        log = self.join(spec)
        self._own.append(log)
        return log

    def create_ragged(self, spec: ChannelSpec) -> MemoryRagged:
        log = MemoryRagged(spec, self._store)
        self._own.append(log)
        self.channels[spec.name] = log
        return log

    def join(self, spec: ChannelSpec) -> MemoryLog:
        """A channel of another process."""
        assert spec.name not in self.channels, f"{spec.name} is claimed already"
        assert self.state < RunState.STOPPED
        self.channels[spec.name] = log = MemoryLog(spec, self._store)
        return log

    def channel(self, name: str) -> MemoryLog:
        try:
            return self.channels[name]
        except KeyError:
            raise NotFound(f"no channel {name}") from None

    def _enter(self, state: RunState) -> None:
        assert state > self.state, f"{state!r} after {self.state!r}"
        self.state = state

    def prepared(self) -> None:
        self._enter(RunState.PREPARED)

    def running(self) -> None:
        self._enter(RunState.RUNNING)

    def stop(self, end: RunEnd) -> None:
        self._enter(RunState.STOPPED)
        for log in self._own:
            log.seal()
        self.end = end

    def close(self) -> None:
        self.closed = True

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.channel(name).values


class MemoryStore:
    """A buffer in memory.

    :ivar room: bytes left; None without end.
    """

    def __init__(self) -> None:
        self.runs: list[MemoryRun] = []
        self.room: int | None = None

    def create_run(self, info: RunInfo, *, readers: Sequence[str] = ()) -> MemoryRun:
        run = MemoryRun(f"run{len(self.runs):05d}", info, self)
        self.runs.append(run)
        return run

    def run(self, key: str) -> MemoryRun:
        return next(run for run in self.runs if run.key == key)

    @property
    def last(self) -> MemoryRun:
        return self.runs[-1]


class FakeCamera:
    """A camera in fake time that publishes into a :class:`MemoryStore`; frames are their own numbers."""

    def __init__(self, name: str, clock: FakeClock, store: MemoryStore, board: MemoryBoard | None = None) -> None:
        self.name = name
        self.info = CameraInfo((2, 3), "<u2", frozenset(TriggerMode), dead_time=0.001, maximum_rate=200.0)
        self.clock, self.store, self.board = clock, store, board
        self.dies_after: int | None = None
        self.comeback = self.slow = 0.0
        self.error: FirstlightError | None = None
        self._logs: tuple[MemoryLog, MemoryLog, MemoryLog] | None = None
        self._plan: TriggerPlan | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0

    async def prepare(self, run_key: str, plan: TriggerPlan, slots: int = 0) -> None:
        if self.slow:
            await self.clock.sleep_until(self.clock.now() + self.slow)
        run = self.store.run(run_key)
        self._plan, self._next = plan, 0
        self._logs = (
            run.join(ChannelSpec(self.name, "<u2", (2, 3))),
            run.join(ChannelSpec(f"{self.name}:start")),
            run.join(ChannelSpec(f"{self.name}:stop")),
        )

    async def start(self, moment: float) -> None:
        assert self._plan is not None
        self._task = asyncio.ensure_future(self._acquire(self._plan, moment))

    async def trigger(self) -> None:
        assert self._plan is not None
        self._task = asyncio.ensure_future(self._expose(self.clock.now(), self._plan.exposure))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None
        for log in self._logs or ():
            log.seal()

    async def _acquire(self, plan: TriggerPlan, moment: float) -> None:
        for index in range(plan.points):
            if plan.mode is TriggerMode.TIME:
                start = moment + index * plan.period
            else:
                assert self.board is not None
                while not np.isfinite(start := self._passing(plan, index, moment)):
                    await self.clock.sleep_until(self.clock.now() + 0.01)
            await self._expose(start, plan.exposure)

    def _passing(self, plan: TriggerPlan, index: int, moment: float) -> float:
        assert self.board is not None
        return float(crossings(self.board.motion(plan.axis, moment), [plan.first + index * plan.step])[0])

    async def _expose(self, start: float, exposure: float) -> None:
        assert self._logs is not None
        await self.clock.sleep_until(start + exposure)
        if self.dies_after is not None and self._next >= self.dies_after:
            self.error = ProcessError(f"{self.name}: the receiver process died.", hint="What it acknowledged is kept.")
            return
        frames, starts, stops = self._logs
        starts.append(np.array([start]))
        stops.append(np.array([start + exposure]))
        frames.append(np.full((1, 2, 3), self._next, "<u2"))
        self._next += 1


class Beamline:
    """An engine in fake time over simulated devices."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.board = MemoryBoard()
        self.events: list[Progress] = []
        common: dict[str, Any] = {"clock": self.clock, "board": self.board}
        self.rot = Axis(SimAxis("rot", velocity=20.0, acceleration=40.0, limits=(-180.0, 540.0), **common))
        self.sy = Axis(SimAxis("sy", unit="mm", velocity=5.0, acceleration=10.0, limits=(-20.0, 20.0), **common))
        self.soft = Axis(SimAxis("soft", unit="mm", instant=True, **common), limits=(-1e6, 1e6))
        self.diode = Diode("diode", shutter="fast", **common)
        self.ring = RingCurrent("ring", **common)
        self.shutter = SimShutter("fast", **common)
        self.card = SimTrigger("card", **common)
        self.cam = FakeCamera("cam", self.clock, self.store, self.board)
        self.all: list[Any] = [self.rot, self.sy, self.soft, self.diode, self.ring, self.shutter, self.cam]
        self.engine = Engine(self.store, self.devices(), self.clock, **options)
        self.engine.listeners.append(self.events.append)

    def devices(self, *more: Any, **options: Any) -> Devices:
        options.setdefault("default", ["diode"])
        return Devices.of([*self.all, *more], groups={"beam": ["diode", "ring"], "all": ["beam", "cam"]}, **options)

    def add(self, *more: Any, **options: Any) -> None:
        """Further devices, from now on."""
        self.all += more
        self.engine.devices = self.devices(**options)

    def press_when(self, condition: Callable[[Progress], bool]) -> None:
        """Press Ctrl-C, once, when a report of the progress says so."""
        pressed: list[bool] = []

        def look(event: Progress) -> None:
            if not pressed and condition(event):
                pressed.append(self.engine.abort())

        self.engine.listeners.append(look)

    @property
    def run(self) -> MemoryRun:
        return self.store.last

    def at_rest_and_closed(self) -> bool:
        return not any(axis.moving for axis in (self.rot, self.sy, self.soft)) and not self.shutter.is_open


@pytest.fixture
def new_beamline() -> Iterator[Callable[..., Beamline]]:
    made: list[Beamline] = []

    def make(**options: Any) -> Beamline:
        made.append(Beamline(**options))
        return made[-1]

    yield make
    for beamline in made:
        beamline.engine.close()


@pytest.fixture
def beamline(new_beamline: Callable[..., Beamline]) -> Beamline:
    return new_beamline()


def sealed_and_whole(run: MemoryRun) -> None:
    """What must hold for every run, however it ended."""
    assert run.state is RunState.STOPPED
    assert run.closed
    assert run.end is not None
    assert all(log.sealed for log in run.channels.values())
    if run.end.reason.value != "SUCCESS":
        assert run.end.message
    times = run["elapsed_time"] if "elapsed_time" in run.channels else np.empty(0)
    assert np.all(np.diff(times) >= 0)
    lengths = {log.count for log in run.channels.values()}
    if run.info.parameters.get("trigger", "software") == "software":
        own = {name: log.count for name, log in run.channels.items() if not name.startswith("cam")}
        assert len(set(own.values())) <= 1, own
    else:
        assert max(lengths, default=0) <= (run.info.npoints or 0)
