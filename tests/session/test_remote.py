"""Clients of a session in a process of its own, and what holds when either is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from firstlight.model import (
    Conflict,
    DeviceError,
    EndReason,
    InvalidInput,
    LimitError,
    NotFound,
    RunAborted,
    RunState,
    WireError,
)
from firstlight.scanning import Busy, Progress
from firstlight.session import Failed, RemoteSession, connect, running, start, statuses, stop
from firstlight.wire import Role

CONFIGURATION = """
beamline: fl09
storage: {data: data}
devices:
  - {name: rot, kind: sim.axis, velocity: 500, acceleration: 50000, limits: [-200, 200]}
  - {name: sx, kind: sim.axis, unit: mm, velocity: 500, acceleration: 50000}
  - {name: slow, kind: sim.axis, velocity: 2, acceleration: 50}
  - {name: fshut, kind: sim.shutter}
  - {name: ring, kind: sim.ring}
  - {name: diode, kind: sim.diode}
  - {name: gone, kind: replay, file: nowhere.h5, rotation: rot}
groups:
  one: [ring]
  two: [ring, diode]
default: one
aliases: {omega: rot}
setups:
  fast: {rot: {velocity: 400}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A configuration, and the root of a buffer."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    file = tmp_path_factory.mktemp("beamline") / "fl09.yml"
    file.write_text(CONFIGURATION)
    yield file, root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def root(place: tuple[Path, Path]) -> Iterator[Path]:
    """The root of the buffer of a session that runs by itself."""
    file, root = place
    start(file, buffer=root)
    yield root
    if "fl09" in running(root):
        stop("fl09", root)


@pytest.fixture
def attach(root: Path) -> Iterator[Callable[..., RemoteSession]]:
    made: list[RemoteSession] = []

    def new(**options: object) -> RemoteSession:
        made.append(connect("fl09", buffer=root, **options))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for session in made:
        session.close()


@pytest.fixture
def session(attach: Callable[..., RemoteSession]) -> RemoteSession:
    made = attach(label="test")
    made.move(rot=0.0, sx=0.0)
    return made


@contextmanager
def client(root: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, attached as ``session``."""
    text = "from pathlib import Path\nimport firstlight\n"
    text += f"session = firstlight.connect('fl09', buffer=Path({str(root)!r}))\n"
    process = subprocess.Popen(
        [sys.executable, "-c", text + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_has_the_names_of_a_local_session(session: RemoteSession) -> None:
    assert list(session.axes) == ["rot", "sx", "slow", "omega"]
    assert list(session.counters) == ["ring", "diode"]
    assert list(session.shutters) == ["fshut"]
    assert {"ascan", "rot", "omega"} <= set(dir(session))
    assert session.omega is session["rot"] is session.rot
    with pytest.raises(NotFound, match=r"fl09 has no device rott\. Did you mean rot"):
        session["rott"]
    assert session.config is not None
    assert session.config.name == "fl09"
    assert session.name == "fl09"


def test_axes_move_and_are_set(session: RemoteSession) -> None:
    session.rot.move(3.0)
    session.move(sx=1.0, omega=1.0, relative=True)
    assert session.rot.position == pytest.approx(4.0)
    assert (session.rot.unit, session.sx.unit) == ("deg", "mm")
    assert session.rot.limits == (-200.0, 200.0)
    before = session.sx.velocity
    session.sx.velocity = 100.0
    assert session.sx.velocity == 100.0
    session.sx.velocity = before
    session.rot.set_position(10.0)
    assert (session.rot.position, session.rot.dial) == (pytest.approx(10.0), pytest.approx(4.0))
    session.rot.set_position(4.0)
    assert "rot at 4 deg" in repr(session.rot)


def test_a_second_client_sees_the_moved_motor(
    session: RemoteSession, attach: Callable[..., RemoteSession], wait_for: Callable[..., None]
) -> None:
    other = attach()
    assert other.rot.position == 0.0
    session.rot.move(7.0)
    wait_for(lambda: other.rot.position == pytest.approx(7.0) and not other.rot.moving)


def test_a_scan_runs_in_the_session_and_its_run_is_read_here(session: RemoteSession) -> None:
    run = session.ascan("omega", 0, 1, 2, 0, "ring", "diode")
    assert run.state is RunState.CLOSED
    np.testing.assert_allclose(run["rot"][:], [0.0, 0.5, 1.0])
    assert session.last is not None
    assert session.last.key == run.key
    assert session.runs[-1].key == run.key


def test_what_a_scan_would_take_is_asked(session: RemoteSession) -> None:
    estimate = session.ascan.estimate("rot", 0, 1000, 10, 0.1)
    assert not estimate.ok
    assert "limits" in estimate.problems[0]
    dry = session.ascan.dry_run("rot", 0, 1, 2, 0.1, "ring")
    np.testing.assert_allclose(dry.positions["rot"], [0.0, 0.5, 1.0])
    assert "ring" in str(dry)


def test_errors_arrive_as_what_they_were(session: RemoteSession) -> None:
    with pytest.raises(LimitError, match="rot: cannot go to 1000 deg") as caught:
        session.rot.move(1000.0)
    assert caught.value.device == "rot"
    with pytest.raises(NotFound, match=r"There is no counter, camera, axis, group or channel dioe|There is no .*dioe"):
        session.ct(0.1, "dioe")
    with pytest.raises(InvalidInput, match="velocity"):
        session.rot.velocity = -1.0
    with pytest.raises(AttributeError, match="rot has no attribute nothing"):
        session.rot.nothing  # noqa: B018 - the look-up is what is tested
    with pytest.raises(InvalidInput, match="is not a name for a sample"):
        session.newsample("a b")


def test_a_device_that_failed_is_failed_here_too(session: RemoteSession, wait_for: Callable[..., None]) -> None:
    wait_for(lambda: isinstance(session.devices["gone"], Failed), timeout=60)
    assert "nowhere.h5" in repr(session.devices["gone"])
    with pytest.raises(DeviceError, match="gone: is not available"):
        session.ct(0.1, "gone")
    with pytest.raises(Exception, match="nowhere"):
        session.retry("gone")


def test_progress_of_anybody_is_heard(
    session: RemoteSession, attach: Callable[..., RemoteSession], wait_for: Callable[..., None]
) -> None:
    heard: list[Progress] = []
    leave = attach().listen(heard.append)
    run = session.loopscan(3, 0, "ring")
    wait_for(lambda: heard and heard[-1].key == run.key and heard[-1].state is RunState.STOPPED)
    leave()


def test_any_operator_pauses_resumes_and_stops_a_scan(
    session: RemoteSession, attach: Callable[..., RemoteSession], wait_for: Callable[..., None]
) -> None:
    other = attach(label="shell")
    events: list[Progress] = []
    other.listen(events.append)
    with pytest.raises(Conflict, match="No scan runs"):
        other.pause()
    job = session.launch(session.loopscan.scan(100_000, 0.001, "ring"))
    wait_for(lambda: any(event.point for event in events))
    other.pause("tea")
    wait_for(lambda: events[-1].paused == "tea")
    assert session.status.jobs[0].paused == "tea"
    paused_at = events[-1].point
    session.resume()
    wait_for(lambda: events[-1].point > paused_at + 5)
    with pytest.raises(Conflict, match="does not wait"):
        session.resume()
    with attach(role=Role.VIEW) as observer, pytest.raises(WireError):
        observer.pause()
    other.stop_scan("seen enough")
    run = session.saved(job)
    assert run.end is not None
    assert run.end.reason is EndReason.SUCCESS
    assert run.end.message == "seen enough"
    assert [(pause.reason, pause.point) for pause in run.end.pauses] == [("tea", paused_at)]
    assert paused_at < run.npoints < 100_000


def test_shutters_and_counters_answer(session: RemoteSession) -> None:
    session.fshut.open()
    assert session.fshut.is_open
    session.fshut.close()
    assert not session.shutters["fshut"].is_open
    assert [spec.name for spec in session.ring.channels] == ["ring"]
    with pytest.raises(InvalidInput, match="is not for clients"):
        session.rot.device  # noqa: B018 - the look-up is what is tested


def test_groups_are_those_of_the_session(session: RemoteSession, attach: Callable[..., RemoteSession]) -> None:
    other = attach()
    session.groups.active = "two"
    session.groups["two"].disable("di*")
    try:
        assert "* two  ring  (off: diode)" in repr(other.groups)
        assert "diode" not in session.loopscan(1, 0)
        session.groups.add("mine", "diode")
        assert session.groups["mine"].enabled == ("diode",)
        session.groups.remove("mine")
        assert "mine" not in session.groups
        with pytest.raises(NotFound, match="two has no channel rong"):
            session.groups["two"].disable("rong")
    finally:
        session.groups["two"].enable()
        session.groups.active = "one"
    active = session.groups.active
    assert active is not None
    assert active.name == "one"


def test_where_data_go_is_the_same_for_all(session: RemoteSession, attach: Callable[..., RemoteSession]) -> None:
    other = attach()
    session.newproposal("hc9")
    session.newsample("tooth")
    session.newdataset("first")
    assert other.dataset == session.dataset
    assert repr(other.current) == "<proposal hc9, sample tooth, dataset first>"
    other.elog.add("seen by both")
    assert [entry.text for entry in session.elog] == ["seen by both"]
    session.endproposal()
    assert other.current.experiment.proposal.startswith("fl09")


def test_a_setup_is_set_back_at_the_end_of_its_block(session: RemoteSession) -> None:
    with session.setup("fast"):
        assert session.rot.velocity == 400.0
    assert session.rot.velocity == 500.0


def test_two_clients_that_move_the_same_motor_one_is_refused_and_told_by_whom(
    session: RemoteSession, root: Path
) -> None:
    with client(root, "job = session.slow.move(1000, wait=False)\nprint('moves', flush=True)\ninput()\n") as other:
        assert line(other) == "moves"
        with pytest.raises(Busy, match=rf"slow is moved by \w+ \(process {other.pid}\): mv slow 1000") as caught:
            session.slow.move(1.0)
        assert caught.value.device == "slow"
        session.move(rot=1.0)
        session.slow.stop()
        session.slow.move(float(session.slow.position))


def test_in_the_queue_the_second_client_waits(session: RemoteSession, attach: Callable[..., RemoteSession]) -> None:
    other = attach()
    here = session.slow.position
    first = session.slow.move(here + 100.0, wait=False)
    second = other.slow.move(here, wait=False, queue=True)
    assert first is not None
    assert second is not None
    first.abort()
    with pytest.raises(RunAborted):
        first.result(20)
    second.result(60)
    assert other.slow.position == pytest.approx(here, abs=0.01)


def test_a_killed_client_frees_its_locks_and_what_it_had_set_for_a_while(
    session: RemoteSession, root: Path, wait_for: Callable[..., None]
) -> None:
    code = "with session.lock('rot'), session.setup('fast'):\n    print('has it', flush=True)\n    input()\n"
    with client(root, code) as other:
        assert line(other) == "has it"
        with pytest.raises(Busy, match=rf"rot is locked by \w+ \(process {other.pid}\)"):
            session.rot.move(1.0)
        assert [lock.device for lock in session.locks] == ["rot"]
        assert session.rot.velocity == 400.0
        os.kill(other.pid, signal.SIGKILL)
        wait_for(lambda: not session.locks)
        wait_for(lambda: session.rot.velocity == 500.0)
    session.rot.move(1.0)


def test_the_scan_of_a_killed_client_goes_on_to_its_end(
    session: RemoteSession, root: Path, wait_for: Callable[..., None]
) -> None:
    code = "job = session.launch(session.loopscan.scan(300, 0.01, 'ring'))\nprint('runs', flush=True)\ninput()\n"
    with client(root, code) as other:
        assert line(other) == "runs"
        os.kill(other.pid, signal.SIGKILL)
        wait_for(lambda: not session.status.jobs, timeout=60)
    last = session.last
    assert last is not None
    last.wait_for(lambda: last.state is RunState.CLOSED, 30)
    assert last.end is not None
    assert last.end.reason is EndReason.SUCCESS
    assert len(last["ring"]) == 300


def test_ctrl_c_in_a_client_stops_what_it_started(
    session: RemoteSession, root: Path, wait_for: Callable[..., None]
) -> None:
    code = (
        "from firstlight.model import RunAborted\n"
        "print('runs', flush=True)\n"
        "try:\n    session.loopscan(100000, 0.01, 'ring')\n"
        "except RunAborted as error:\n    print('aborted', error, flush=True)\n"
        "session.rot.move(2)\nprint('goes on', flush=True)\n"
    )
    with client(root, code) as other:
        assert line(other) == "runs"
        wait_for(lambda: session.status.jobs)
        other.send_signal(signal.SIGINT)
        assert line(other).startswith("aborted The run was stopped by the user.")
        assert line(other) == "goes on"
    last = session.last
    assert last is not None
    assert last.end is not None
    assert last.end.reason is EndReason.ABORTED


def test_an_observer_looks_and_does_not_touch(attach: Callable[..., RemoteSession], session: RemoteSession) -> None:
    observer = attach(role=Role.VIEW)
    assert observer.rot.position == session.rot.position
    assert observer.ascan.estimate("rot", 0, 1, 1, 0.1, "ring").ok
    before = session.rot.position
    for attempt in (
        lambda: observer.rot.move(5.0),
        lambda: observer.ct(0.0, "ring"),
        lambda: observer.take_lock("rot"),
        lambda: setattr(observer.rot, "velocity", 1.0),
        observer.abort,
        observer.newproposal,
    ):
        with pytest.raises(WireError, match="needs the role OPERATE; this connection has VIEW"):
            attempt()
    with pytest.raises(WireError, match="needs the role TERMINAL"):
        session.shutdown()
    assert session.rot.position == before


def test_the_status_says_who_is_attached_and_what_runs(session: RemoteSession, root: Path) -> None:
    job = session.slow.move(session.slow.position + 500.0, wait=False)
    (status,) = statuses(root)
    assert (status.name, status.hosted, status.devices) == ("fl09", True, 7)
    assert any(known.label == "test" and known.pid == os.getpid() for known in status.clients)
    assert status.jobs[0].doing.startswith("mv slow")
    assert status.jobs[0].client.label == "test"
    session.abort()
    assert job is not None
    with pytest.raises(RunAborted):
        job.result(20)


def test_a_session_that_runs_is_not_started_twice(root: Path, place: tuple[Path, Path]) -> None:
    with pytest.raises(Conflict, match="A session fl09 runs already"):
        start(place[0], buffer=root)
    with pytest.raises(NotFound, match=r"No session fl08 runs here\. Did you mean fl09"):
        connect("fl08", buffer=root)


def test_a_killed_session_is_told_and_found_again_when_it_is_started(
    session: RemoteSession, root: Path, place: tuple[Path, Path], wait_for: Callable[..., None]
) -> None:
    session.rot.set_position(50.0)
    ended = threading.Event()
    refused: list[Exception] = []

    def long() -> None:
        try:
            session.slow.move(session.slow.position + 1000.0)
        except WireError as error:
            refused.append(error)
        ended.set()

    mover = threading.Thread(target=long)
    mover.start()
    wait_for(lambda: session.slow.moving)
    os.kill(session.status.pid, signal.SIGKILL)
    assert ended.wait(20)
    mover.join()
    assert "The session fl09 ended before it answered" in str(refused[0])
    with pytest.raises(WireError, match=r"The session fl09 is gone\. Start it again"):
        session.rot.position  # noqa: B018 - the look-up is what is tested
    record = root / "sessions" / "fl09.lock"
    wait_for(lambda: "slow" in record.read_text(), timeout=30)
    _start_again(place)
    # The position of the simulated motor is lost with its process; that the user had set its zero is not.
    assert session.rot.offset == pytest.approx(50.0)
    session.rot.set_position(session.rot.dial)
    assert session.loopscan(2, 0, "ring").end is not None


def _start_again(place: tuple[Path, Path]) -> None:
    import time

    deadline = time.monotonic() + 60
    while True:
        try:
            start(place[0], buffer=place[1])
        except Exception:
            # The guard of the one that died is still at work.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def test_it_is_ended_in_good_order(root: Path, session: RemoteSession, wait_for: Callable[..., None]) -> None:
    job = session.launch(session.loopscan.scan(100000, 0.01, "ring"))
    wait_for(lambda: session.runs and session.runs[-1].state is RunState.RUNNING)
    key = session.runs[-1].key
    assert not job.done
    assert stop("fl09", root) == "fl09"
    assert running(root) == []
    run = session.open(key)
    assert run.end is not None
    assert run.end.reason is EndReason.ABORTED
    with pytest.raises(NotFound, match="No session runs here"):
        stop(buffer=root)
