"""The guard with real processes: it acts when its session was killed, and only then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.devices import Axis
from firstlight.devices.sim import BufferBoard, SimAxis, SimShutter
from firstlight.model import Conflict, OutOfBand, ProcessError
from firstlight.model.motion import positions
from firstlight.process import Child, ChildState, ProcessSpec, Supervisor
from firstlight.scanning import Devices, SessionLock, guard_process, guard_these, guarded

TARGETS = Path(__file__).with_name("guard_targets.py")
Spawn = Callable[[list[dict[str, Any]]], Child]


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.syspath_prepend(str(TARGETS.parent))
    with Supervisor("session", tmp_path / "logs") as made:
        yield made


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[SessionLock]:
    with SessionLock(tmp_path / "session.lock") as held:
        yield held


@pytest.fixture
def spawn(supervisor: Supervisor, lock: SessionLock) -> Spawn:
    def make(stops: list[dict[str, Any]]) -> Child:
        child = supervisor.spawn(
            ProcessSpec(
                name="guard",
                target="firstlight.scanning._guard:main",
                arguments={"lock": str(lock.path), "devices": stops},
                survive_parent=True,
            )
        )
        child.wait_ready(30)
        return child

    return make


def stop(name: str, function: str = "note", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "target": f"guard_targets:{function}", "arguments": arguments}


def die(lock: SessionLock) -> None:
    """Let go of the lock as the kernel does for a killed session."""
    os.close(lock._fd)
    lock._fd = -1


def test_every_declared_stop_is_called_when_the_session_dies(
    spawn: Spawn, lock: SessionLock, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    seen = tmp_path / "seen"
    guard = spawn([stop(name, path=str(seen), word=name) for name in ("fast", "rot", "sy")])
    assert guard.info["devices"] == ["fast", "rot", "sy"]
    assert not seen.exists()
    die(lock)
    wait_for(lambda: guard.state is ChildState.EXITED)
    assert sorted(seen.read_text().split()) == ["fast", "rot", "sy"]
    record = json.loads(lock.path.read_text())
    assert record["stopped"] == ["fast", "rot", "sy"]
    assert record["failed"] == {}
    assert "the session died" in guard.log.read_text()


def test_a_guard_takes_note_of_other_devices(
    spawn: Spawn, lock: SessionLock, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    seen = tmp_path / "seen"
    guard = spawn([stop("rot", path=str(seen), word="rot")])
    axis = Axis(SimAxis("sy", unit="mm"))
    axis.driver.out_of_band = OutOfBand("guard_targets:note", {"path": str(seen), "word": "sy"})
    guard_these(lock.path, Devices.of([axis]))
    die(lock)
    wait_for(lambda: guard.state is ChildState.EXITED)
    assert seen.read_text().split() == ["sy"]


def test_a_stop_that_fails_is_tried_again_and_keeps_no_other_from_it(
    spawn: Spawn, lock: SessionLock, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    seen = str(tmp_path / "seen")
    guard = spawn([stop("a", "never_works"), stop("b", "works_at_last", path=seen), stop("c", path=seen, word="c")])
    die(lock)
    wait_for(lambda: guard.state is ChildState.EXITED)
    assert Path(seen).read_text().splitlines() == ["c", "at last"]
    record = json.loads(lock.path.read_text())
    assert record["stopped"] == ["b", "c"]
    assert record["failed"] == {"a": "ConnectionError: the controller is off"}


def test_a_session_that_says_goodbye_needs_no_guard(
    spawn: Spawn, lock: SessionLock, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    seen = tmp_path / "seen"
    guard = spawn([stop("rot", path=str(seen), word="rot")])
    lock.goodbye()
    wait_for(lambda: guard.state is ChildState.EXITED)
    assert not seen.exists()
    assert "goodbye" in guard.log.read_text()


def test_a_guard_told_to_stop_stops_nothing(spawn: Spawn, lock: SessionLock, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    guard = spawn([stop("rot", path=str(seen), word="rot")])
    guard.stop()
    assert not seen.exists()
    die(lock)


def test_a_stop_that_cannot_be_loaded_fails_at_the_start(supervisor: Supervisor, lock: SessionLock) -> None:
    spec = ProcessSpec(
        name="guard",
        target="firstlight.scanning._guard:main",
        arguments={"lock": str(lock.path), "devices": [stop("rot", "not_there")]},
    )
    with pytest.raises(ProcessError, match="not_there"):
        supervisor.spawn(spec).wait_ready(30)


def test_a_session_has_its_lock_alone(lock: SessionLock) -> None:
    with pytest.raises(Conflict, match="is held by another session"):
        SessionLock(lock.path)
    lock.goodbye()
    lock.goodbye()
    SessionLock(lock.path).goodbye()


def test_a_new_session_takes_back_the_goodbye_of_the_last_one(lock: SessionLock) -> None:
    lock.goodbye()
    again = SessionLock(lock.path)
    assert lock.path.read_bytes() == b""
    again.goodbye()


def test_what_cannot_be_stopped_is_listed() -> None:
    way = OutOfBand("guard_targets:note", {"path": "x", "word": "y"})
    devices = Devices.of([Axis(SimAxis("rot", out_of_band=way)), Axis(SimAxis("sy")), SimShutter("fast")])
    stops, cannot = guarded(devices)
    assert [s["name"] for s in stops] == ["rot"]
    assert cannot == ["fast", "sy"]
    assert guard_process(Path("lock"), devices).survive_parent


@contextmanager
def running_session(
    buffer_root: Path, tmp_path: Path, way: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    session = subprocess.Popen(
        [sys.executable, str(TARGETS), str(buffer_root), str(tmp_path / "spill"), str(tmp_path / "lock"),
         str(tmp_path / "logs"), way],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with session:
        assert session.stdout is not None
        yield session, json.loads(session.stdout.readline())
        session.kill()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_session_leaves_no_moving_axis_and_no_open_shutter(
    buffer_root: Path, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    with running_session(buffer_root, tmp_path, "killed") as (session, facts):
        board = BufferBoard(Buffer(buffer_root, spill=tmp_path / "spill"), facts["devices"])
        os.kill(session.pid, signal.SIGKILL)
        wait_for(lambda: not alive(facts["guard"]), timeout=20)
    record = json.loads((tmp_path / "lock").read_text())
    assert sorted(record["stopped"]) == ["fast", "rot"]
    assert board.shutter("fast", record["moment"] + 1.0)[0, 1] == 0.0
    motion = board.motion("rot", record["moment"] - 0.01)
    # 10 deg/s with 20 deg/s² is at rest after half a second.
    before, after, later = positions(motion, record["moment"] + np.array([0.0, 1.0, 100.0]))
    assert 0 < after - before < 6.0
    assert later == after


def test_an_orderly_end_is_left_alone(buffer_root: Path, tmp_path: Path, wait_for: Callable[..., None]) -> None:
    log = tmp_path / "logs" / "guard.log"
    with running_session(buffer_root, tmp_path, "orderly") as (session, facts):
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write("end\n")
        session.stdin.flush()
        for line in session.stdout:
            if line == "said goodbye\n":
                break
        wait_for(lambda: "nothing to do" in log.read_text())
        board = BufferBoard(Buffer(buffer_root, spill=tmp_path / "spill"), facts["devices"])
        assert not (tmp_path / "lock").read_bytes().startswith(b"{")
        assert len(board.motion("rot", 1e12)) == 1
