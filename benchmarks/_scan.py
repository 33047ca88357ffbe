"""What a point costs: the engine with the real buffer and the real saver process, on devices that cost nothing."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._harness import Row, against_reference, alternate, row
from firstlight.buffer import Buffer
from firstlight.devices import Axis, SoftCounter
from firstlight.devices.sim import SimAxis
from firstlight.model import RunState, Scan
from firstlight.process import ProcessSpec, Supervisor
from firstlight.scanning import Devices, Engine, ascan, loopscan
from firstlight.storage import DataPolicy, Roots

LOOP, STEP = 20_000, 5_000
"""Points of one turn."""
PEER_POINTS = 300

BLISS_LOOP, BLISS_STEP, BLISS_SINGLE = 960.0, 278.0, 0.062
"""BLISS 2.4.0 with its own writer: 937 to 984 points/s, 272 to 285 points/s, 62 ms; see ``docs/explanation``."""


def loop() -> list[Row]:
    """``scan.loop``: points/s of a saved loop scan, one counter, from the command until the file is closed."""
    with _line() as line:
        turn = _rate(line, loopscan(LOOP, 0.0), LOOP)
        mine, _ = alternate(turn)
        rows = [against_reference("scan.loop", "1/s", mine, "BLISS 2.4.0, saved", BLISS_LOOP)]
        return rows + _beside_bluesky("scan.loop", turn, moving=False)


def step() -> list[Row]:
    """``scan.step``: points/s of a saved ``ascan`` on an axis that moves in no time, one counter."""
    with _line() as line:
        turn = _rate(line, ascan("x", 0.0, 1.0, STEP - 1, 0.0), STEP)
        mine, _ = alternate(turn)
        rows = [against_reference("scan.step", "1/s", mine, "BLISS 2.4.0, saved", BLISS_STEP)]
        return rows + _beside_bluesky("scan.step", turn, moving=True)


def single() -> list[Row]:
    """``scan.single``: seconds of a saved scan of one point, from the command until it returns.

    ``scan.single.closed`` is the same until the file is closed and was opened again.
    """
    scan = loopscan(1, 0.0)
    with _line() as line:
        returned: list[float] = []
        closed: list[float] = []
        for turn in range(51):
            a, b = line.run(scan)
            if turn:
                returned.append(a)
                closed.append(b)
    return [
        against_reference("scan.single", "s", returned, "BLISS 2.4.0, saved", BLISS_SINGLE),
        against_reference("scan.single.closed", "s", closed, "BLISS 2.4.0, saved", BLISS_SINGLE),
    ]


def pause() -> list[Row]:
    """``scan.pause``: seconds from ``pause`` until a scan of one point every 10 ms waits, and says so."""
    waits: list[float] = []
    with _line() as line:
        resting = threading.Event()
        line.engine.listeners.append(lambda progress: resting.set() if progress.paused else None)
        job = line.engine.launch(loopscan(100_000, 0.01))
        for _ in range(51):
            time.sleep(0.0137)  # not in step with the points
            resting.clear()
            began = time.perf_counter()
            job.pause()
            if not resting.wait(10):
                raise TimeoutError("The scan does not wait.")
            waits.append(time.perf_counter() - began)
            job.resume()
        job.stop()
        job.result(60)
    return [row("scan.pause", "s", waits)]


@dataclass
class _Line:
    """An engine whose scans are saved."""

    buffer: Buffer
    engine: Engine

    def run(self, scan: Scan) -> tuple[float, float]:
        """Seconds until the command returns, and until the file is closed."""
        began = time.perf_counter()
        outcome = self.engine.run(scan)
        returned = time.perf_counter() - began
        run = self.buffer.run(outcome.key)
        if not run.wait(lambda: run.state is RunState.CLOSED, 60):
            raise TimeoutError(f"{outcome.key} was not saved within a minute.")
        closed = time.perf_counter() - began
        self.buffer.remove(outcome.key, force=True)
        return returned, closed


def _rate(line: _Line, scan: Scan, points: int) -> Callable[[], float]:
    return lambda: points / line.run(scan)[1]


@contextmanager
def _line() -> Iterator[_Line]:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="firstlight-bench-", dir=memory if memory.is_dir() else None))
    folder = Path(tempfile.mkdtemp(prefix="firstlight-bench-"))
    try:
        buffer = Buffer(root, spill=folder / "spill")
        counter = SoftCounter("c", lambda: 1.0)
        axis = Axis(SimAxis("x", unit="mm", instant=True, limits=(-1e3, 1e3)))
        dataset = DataPolicy("fl01", Roots.under(folder)).experiment("bench1").dataset("sample", "0001")
        with Supervisor("bench", folder / "logs") as supervisor:
            spec = ProcessSpec("saver", "firstlight.storage._saver:main", {"buffer": str(root)})
            supervisor.spawn(spec).wait_ready(30)
            devices = Devices.of([counter, axis], default=["c"])
            with Engine(buffer, devices, saving=lambda what: dataset.saving()) as engine:
                yield _Line(buffer, engine)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _beside_bluesky(name: str, ours: Callable[[], float], *, moving: bool) -> list[Row]:
    """The same against bluesky, where it is installed: as published, and without its formatting of the stack.

    Bluesky saves nothing here, and its devices are plain objects that cost nothing.
    """
    if find_spec("bluesky") is None:
        return []
    rows = []
    for kind, patched in (("published", False), ("patched", True)):
        with _bluesky(moving=moving, patched=patched) as theirs:
            mine, other = alternate(ours, theirs)
        rows.append(row(f"{name}.bluesky-{kind}", "1/s", mine, f"bluesky {_version()}, {kind}, not saved", other))
    return rows


def _version() -> str:
    from importlib.metadata import version

    return version("bluesky")


@contextmanager
def _bluesky(*, moving: bool, patched: bool) -> Iterator[Callable[[], float]]:
    import traceback

    from bluesky import RunEngine
    from bluesky.plans import count, scan

    engine = RunEngine({}, context_managers=[])
    counter, axis = _Readable("c"), _Movable("x")

    def turn() -> float:
        plan = scan([counter], axis, 0.0, 1.0, PEER_POINTS) if moving else count([counter], num=PEER_POINTS)
        began = time.perf_counter()
        engine(plan)
        return PEER_POINTS / (time.perf_counter() - began)

    format_stack = traceback.format_stack
    if patched:
        traceback.format_stack = lambda *a, **k: []
    try:
        yield turn
    finally:
        traceback.format_stack = format_stack


class _Done:
    """A bluesky status that is done."""

    done = success = True

    def add_callback(self, function: Callable[[Any], None]) -> None:
        function(self)

    def exception(self, timeout: float | None = None) -> None:
        return None


class _Readable:
    """A bluesky device that costs nothing."""

    parent = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.value = 1.0

    def trigger(self) -> _Done:
        return _Done()

    def read(self) -> dict[str, Any]:
        return {self.name: {"value": self.value, "timestamp": 0.0}}

    def describe(self) -> dict[str, Any]:
        return {self.name: {"source": "soft", "dtype": "number", "shape": []}}

    def read_configuration(self) -> dict[str, Any]:
        return {}

    def describe_configuration(self) -> dict[str, Any]:
        return {}


class _Movable(_Readable):
    """A bluesky axis that moves in no time."""

    @property
    def position(self) -> float:
        return self.value

    def set(self, value: float) -> _Done:
        self.value = value
        return _Done()
