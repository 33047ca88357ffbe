"""The engine in real time with a real buffer and a camera in a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.buffer import Buffer, RunReader, RunWriter
from firstlight.detectors import Camera
from firstlight.devices import Axis, SoftCounter
from firstlight.devices.sim import Diode, SharedBoard, SimAxis, SimShutter
from firstlight.model import (
    ChannelSpec,
    DeviceTimeout,
    EndReason,
    ProcessError,
    RealClock,
    RunInfo,
    RunState,
    Scan,
    StorageFull,
)
from firstlight.process import Supervisor
from firstlight.scanning import Devices, Engine, Progress, ascan, flyscan, loopscan, tomo


@dataclass
class Rig:
    """A small beamline in real time."""

    buffer: Buffer
    engine: Engine
    cam: Camera
    rot: Axis
    shutter: SimShutter

    @property
    def last(self) -> RunReader:
        assert self.engine.last is not None
        return self.buffer.run(self.engine.last.key)

    def run(self, scan: Scan) -> RunReader:
        self.engine.run(scan)
        return self.last


def values(run: RunReader, channel: str) -> NDArray[Any]:
    """All values of a channel."""
    found = run.channel(channel)
    return np.asarray(found.read(0, found.count))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    temporary = tmp_path_factory.mktemp("rig")
    buffer = Buffer(root, spill=temporary / "spill")
    states: RunWriter = buffer.create_run(RunInfo(name="devices", title="devices", start_epoch=0.0))
    board = SharedBoard(states, root)
    rot = Axis(SimAxis("rot", velocity=100.0, acceleration=400.0, board=board))
    shutter = SimShutter("fast", board=board)
    diode = Diode("diode", shutter="fast", board=board)
    source = {
        "name": "cam", "kind": "sim.camera", "shape": [16, 24], "pixel_size": 0.01, "rotation": "rot",
        "shutter": "fast", "maximum_rate": 200.0,
    }  # fmt: skip
    with Supervisor("rig", temporary / "logs") as supervisor:
        cam = Camera.spawn(supervisor, "cam", source, root, patience=1.0, timeout=30.0)
        devices = Devices.of([rot, shutter, diode, cam], default=["diode"], timeout=30.0)
        with Engine(buffer, devices, RealClock(), readers=()) as engine:
            yield Rig(buffer, engine, cam, rot, shutter)
    states.close()
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("trigger", ["time", "position"])
def test_frames_of_a_real_camera_carry_the_positions_at_which_they_were_exposed(rig: Rig, trigger: str) -> None:
    run = rig.run(flyscan("rot", 0, 18, 40, 0.01, "cam", "diode", trigger=trigger))  # type: ignore[arg-type]
    speed = (18 / 40) / 0.011
    starts = values(run, "rot:start")
    exposures = values(run, "cam:stop") - values(run, "cam:start")
    np.testing.assert_allclose(exposures, 0.01, atol=1e-6)
    np.testing.assert_allclose(values(run, "rot:stop") - starts, speed * exposures, rtol=1e-3)
    np.testing.assert_allclose(starts, np.arange(40) * 0.45, atol=1e-4)
    assert {channel.count for channel in run.channels.values()} == {40}
    assert all(channel.sealed for channel in run.channels.values())
    assert run.state is RunState.CLOSED


def test_a_step_scan_waits_for_each_frame(rig: Rig) -> None:
    run = rig.run(ascan("rot", 0, 3, 3, 0.01, "cam", "diode"))
    np.testing.assert_allclose(values(run, "rot"), [0, 1, 2, 3])
    begun = values(run, "epoch") - run.info.clock_offset
    stop = values(run, "cam:stop")
    assert np.all(values(run, "cam:start") >= begun - 1e-6)
    assert np.all(stop[:-1] < begun[1:])


def test_darks_of_a_real_camera_are_darker_than_flats(rig: Rig) -> None:
    outcome = rig.engine.run(tomo("rot", 0, 18, 20, 0.01, "cam", darks=5, flats=5))
    dark, flat, turn, _ = (rig.buffer.run(part.key) for part in outcome.parts)
    means = [values(run, "cam").mean() for run in (dark, flat)]
    assert means[0] < 0.2 * means[1]
    assert turn.channel("cam").count == 20
    assert all(rig.buffer.run(part.key).info.parent == outcome.key for part in outcome.parts)
    assert abs(rig.rot.position) < 100
    assert not rig.shutter.is_open


def test_a_killed_camera_ends_the_run_at_once_and_works_in_the_next(rig: Rig) -> None:
    assert rig.cam.child is not None
    before = rig.cam.child.pid
    killed: list[int | None] = []

    def kill(event: Progress) -> None:
        if not killed and event.point > 5:
            killed.append(before)
            assert before is not None
            os.kill(before, signal.SIGKILL)

    rig.engine.listeners.append(kill)
    with pytest.raises(ProcessError, match="cam: the receiver process died"):
        rig.engine.run(flyscan("rot", 0, 90, 400, 0.01, "cam", "diode"))
    rig.engine.listeners.remove(kill)
    assert rig.last.end is not None
    assert rig.last.end.reason is EndReason.FAILED
    frames = rig.last.channel("cam").count
    assert 5 < frames < 400
    assert rig.last.channel("cam").sealed
    assert np.all(np.isfinite(values(rig.last, "rot")))
    assert not rig.rot.moving
    assert not rig.shutter.is_open
    assert rig.run(loopscan(3, 0.01, "cam")).channel("cam").count == 3
    assert rig.cam.child.pid != before


def test_a_camera_that_stops_answering_ends_the_run_after_its_time(rig: Rig) -> None:
    assert rig.cam.child is not None
    stopped: list[int] = []

    def freeze(event: Progress) -> None:
        if not stopped and event.point > 5:
            assert rig.cam.child is not None
            assert rig.cam.child.pid is not None
            stopped.append(rig.cam.child.pid)
            os.kill(stopped[0], signal.SIGSTOP)

    patient = rig.engine.devices
    rig.engine.devices = replace(patient, timeouts={"cam": 6.0})
    rig.engine.listeners.append(freeze)
    try:
        with pytest.raises(DeviceTimeout, match=r"cam: gave [0-9]+ of 200 points and then nothing"):
            rig.engine.run(flyscan("rot", 0, 45, 200, 0.01, "cam", "diode"))
    finally:
        rig.engine.listeners.remove(freeze)
        if stopped:
            os.kill(stopped[0], signal.SIGCONT)
        rig.engine.devices = patient
    assert not rig.shutter.is_open
    assert not rig.rot.moving
    assert rig.last.state is RunState.CLOSED


def test_a_full_memory_ends_the_run_with_what_fitted(tmp_path: Path, buffer_root: Path) -> None:
    buffer = Buffer(buffer_root, budget=1 << 20, spill=tmp_path / "spill", spill_limit=1 << 18)
    big = SoftCounter("big", lambda: (np.zeros(4096),), channels=[ChannelSpec("big", "<f8", (4096,))])
    with Engine(buffer, Devices.of([big], default=["big"]), readers=()) as engine:
        with pytest.raises(StorageFull):
            engine.run(loopscan(100000, 0))
        assert engine.last is not None
        run = buffer.run(engine.last.key)
        assert run.end is not None
        assert run.end.reason is EndReason.FAILED
        assert run.channel("big").count > 0
        assert run.channel("big").sealed


SESSION = """
import sys
from pathlib import Path
from firstlight.buffer import Buffer
from firstlight.devices import SoftCounter
from firstlight.scanning import Devices, Engine, loopscan
buffer = Buffer(Path(sys.argv[1]), spill=Path(sys.argv[2]))
engine = Engine(buffer, Devices.of([SoftCounter("n", lambda: 1.0)], default=["n"]), readers=())
engine.listeners.append(lambda e: print(e.key, e.point, flush=True))
engine.run(loopscan(10_000_000, 0.001))
"""


def test_the_points_of_a_killed_session_are_readable_up_to_the_last_acknowledged(
    buffer_root: Path, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(buffer_root), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdout is not None
        key = session.stdout.readline().split()[0]
        buffer = Buffer(buffer_root, spill=tmp_path)
        run = buffer.run(key)
        wait_for(lambda: "n" in run.channels and run.channel("n").count > 100)
        session.kill()
    seen = run.channel("n").count
    buffer.recover()
    run = buffer.run(key)
    assert run.end is not None
    assert run.end.reason is EndReason.LOST
    assert run.channel("n").sealed
    assert run.channel("n").count >= seen
    assert np.all(values(run, "n") == 1.0)
    # Channels are written one after the other: a row more or less.
    counts = [channel.count for channel in run.channels.values()]
    assert max(counts) - min(counts) < 1000


def test_a_point_is_visible_to_others_while_a_slow_one_is_made(buffer_root: Path, tmp_path: Path) -> None:
    buffer = Buffer(buffer_root, spill=tmp_path)
    seen: list[int] = []

    def look(event: Progress) -> None:
        run = buffer.run(event.key)
        if "look" in run.channels:
            seen.append(run.channel("look").count)

    counter = SoftCounter("look", lambda: float(len(seen)))
    with Engine(buffer, Devices.of([counter], default=["look"]), readers=()) as engine:
        engine.listeners.append(look)
        engine.run(loopscan(4, 0.15))
    assert set(seen) >= {0, 1, 2, 3, 4}


def test_an_engine_closes_where_another_loop_runs(buffer_root: Path) -> None:
    """As in a notebook, whose cells run inside a loop."""

    async def cell() -> None:
        counter = SoftCounter("one", lambda: 1.0)
        engine = Engine(Buffer(buffer_root), Devices.of([counter], default=["one"]), readers=())
        await asyncio.to_thread(engine.run, loopscan(1, 0.01))
        engine.close()

    asyncio.run(cell())
