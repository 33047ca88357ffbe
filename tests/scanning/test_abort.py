"""Ctrl-C: once is a clean stop, twice is still one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.model import Conflict, EndReason, RunAborted, RunState
from firstlight.scanning import amesh, ascan, ct, dscan, flyscan, loopscan, timescan
from tests.scanning.conftest import Beamline, sealed_and_whole


@pytest.mark.parametrize(
    "scan",
    [
        loopscan(1000, 0.1),
        timescan(0.1),
        ascan("rot", 0, 100, 1000, 0.1, "all"),
        flyscan("rot", 0, 90, 1000, 0.1, "all"),
        flyscan("rot", 0, 90, 1000, 0.1, "all", trigger="position"),
        loopscan(1000, 0.1, "all", trigger="time"),
    ],
    ids=lambda scan: scan.title,
)
def test_an_abort_ends_the_run_cleanly(beamline: Beamline, scan: object) -> None:
    beamline.press_when(lambda e: e.point >= 5)
    with pytest.raises(RunAborted, match="stopped by the user"):
        beamline.engine.run(scan)  # type: ignore[arg-type]
    assert beamline.engine.last is not None
    assert beamline.engine.last.points >= 5
    assert beamline.run.end is not None
    assert beamline.run.end.reason is EndReason.ABORTED
    assert beamline.at_rest_and_closed()
    sealed_and_whole(beamline.run)


def test_an_abort_while_the_axis_moves_stops_it_with_its_deceleration(beamline: Beamline) -> None:
    beamline.press_when(lambda e: e.doing == "moving to the start")
    with pytest.raises(RunAborted):
        beamline.engine.run(flyscan("rot", 400, 410, 10, 0.1))
    assert not beamline.rot.moving
    assert 0 <= beamline.rot.position < 390
    assert {log.count for log in beamline.run.channels.values()} == {0}
    sealed_and_whole(beamline.run)


def test_points_acquired_before_an_abort_are_all_there(beamline: Beamline) -> None:
    beamline.press_when(lambda e: e.point >= 50)
    with pytest.raises(RunAborted):
        beamline.engine.run(flyscan("rot", 0, 90, 1000, 0.1, "cam", "diode"))
    run = beamline.run
    assert len(run["diode"]) >= len(run["cam"]) >= 50
    assert len(run["rot"]) == len(run["cam:start"])
    np.testing.assert_allclose(run["rot:start"], np.arange(len(run["rot"])) * 0.09, atol=1e-6)


def test_a_relative_scan_returns_after_an_abort(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30.0})
    beamline.press_when(lambda e: e.point >= 2)
    with pytest.raises(RunAborted):
        beamline.engine.run(dscan("rot", -5, 5, 10, 1))
    assert beamline.rot.position == 30.0


def test_a_second_press_skips_the_way_back_but_stops_everything(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30.0})
    beamline.press_when(lambda e: e.point >= 5)
    beamline.press_when(lambda e: e.doing == "stopping")
    with pytest.raises(RunAborted):
        beamline.engine.run(dscan("rot", -5, 5, 10, 1))
    assert beamline.rot.position != 30.0
    assert beamline.at_rest_and_closed()
    sealed_and_whole(beamline.run)


def test_the_position_at_the_end_is_recorded(beamline: Beamline) -> None:
    beamline.press_when(lambda e: e.point >= 500)
    with pytest.raises(RunAborted):
        beamline.engine.run(ascan("rot", 0, 100, 1000, 0))
    assert beamline.run.end is not None
    assert beamline.run.end.positioners["rot"].value == beamline.rot.position


def test_nothing_to_abort_says_so(beamline: Beamline) -> None:
    assert not beamline.engine.abort()
    beamline.engine.run(ct(0.1))
    assert not beamline.engine.abort()


def test_an_abort_from_any_thread(beamline: Beamline) -> None:
    future = beamline.engine.submit(timescan(0.0))
    threading.Thread(target=beamline.engine.abort).start()
    outcome = future.result(10)
    assert isinstance(outcome.error, RunAborted)
    assert not beamline.engine.busy


def test_only_one_thing_runs_at_a_time(beamline: Beamline) -> None:
    future = beamline.engine.submit(timescan(0.0))
    with pytest.raises(Conflict, match="Something runs already"):
        beamline.engine.run(ct(0.1))
    beamline.engine.abort()
    future.result(10)
    assert beamline.engine.run(ct(0.1)).ok


def test_closing_the_engine_ends_what_runs(beamline: Beamline) -> None:
    future = beamline.engine.submit(amesh("rot", 0, 1, 100, "sy", 0, 1, 100, 1))
    beamline.engine.close()
    assert future.result(0).end.reason in (EndReason.ABORTED, EndReason.SUCCESS)
    assert beamline.at_rest_and_closed()


SCRIPT = """
import sys, threading
from pathlib import Path
from typing import Any
from firstlight.buffer import Buffer
from firstlight.devices import Axis
from firstlight.devices.sim import Diode, MemoryBoard, SimAxis, SimShutter
from firstlight.model import RunAborted
from firstlight.scanning import Devices, Engine, ascan, ct, flyscan

board = MemoryBoard()
rot = Axis(SimAxis("rot", velocity=5.0, acceleration=50.0, board=board))
shutter = SimShutter("fast", board=board)
devices = Devices.of([rot, shutter, Diode("diode", shutter="fast", board=board)], default=["diode"])
buffer = Buffer(Path(sys.argv[1]), spill=Path(sys.argv[2]))
engine = Engine(buffer, devices, readers=())
engine.listeners.append(lambda e: e.doing == "counting" and e.point and print("point", e.point, flush=True))
engine.listeners.append(lambda e: e.doing == "stopping" and print("stopping", flush=True))
try:
    engine.run(flyscan("rot", 0, 1000, 20000, 0.01))
except RunAborted as error:
    print("aborted", error)
print("at rest", not rot.moving, "closed", not shutter.is_open)
run = buffer.run(engine.last.key)
print("sealed", all(c.sealed for c in run.channels.values()), "end", run.end.reason.value, "state", run.state.name)
print("points", run.channel("diode").count >= 1)
before = threading.main_thread()
try:
    import time
    time.sleep(0)
    engine.run(ct(0.01))
    print("works again")
finally:
    engine.close()
"""


@pytest.mark.parametrize("presses", [1, 2, 5])
def test_a_real_ctrl_c_ends_a_real_scan_cleanly_however_often_it_is_pressed(
    buffer_root: Path, tmp_path: Path, presses: int, wait_for: Callable[..., None]
) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(buffer_root), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert session.stdout is not None
    for line in session.stdout:
        if line.startswith("point"):
            break
    for _ in range(presses):
        os.kill(session.pid, signal.SIGINT)
    output, errors = session.communicate(timeout=60)
    assert session.returncode == 0, errors
    assert errors == ""
    said = [line for line in output.splitlines() if not line.startswith(("point ", "stopping"))]
    assert said == [
        "aborted The run was stopped by the user.",
        "at rest True closed True",
        "sealed True end USER_ABORT state CLOSED",
        "points True",
        "works again",
    ]


def test_an_interrupt_raised_otherwise_aborts_too(beamline: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    class Rude:
        """A future that is interrupted once, as by a signal handler of somebody else."""

        def __init__(self, future: object) -> None:
            self.future, self.raised = future, False

        def done(self) -> bool:
            return bool(self.future.done())  # type: ignore[attr-defined]

        def result(self) -> object:
            if not self.raised:
                self.raised = True
                raise KeyboardInterrupt
            return self.future.result(10)  # type: ignore[attr-defined]

    launch = beamline.engine._launch

    def rudely(*arguments: Any, **keywords: Any) -> Any:
        job: Any = launch(*arguments, **keywords)
        job.future = Rude(job.future)
        return job

    monkeypatch.setattr(beamline.engine, "_launch", rudely)
    with pytest.raises(RunAborted):
        beamline.engine.run(timescan(0.0))
    assert beamline.run.state is RunState.STOPPED
