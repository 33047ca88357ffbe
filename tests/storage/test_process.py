"""The saver as a process of its own, with its service; and recovery without it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstlight.buffer import Buffer
from firstlight.model import EndReason, RunState
from firstlight.process import Child, ProcessSpec, Restart, Supervisor
from firstlight.storage import DatasetFolder, RunSaver, SaverOptions, open_scan, read_report, recover
from firstlight.wire import Client, Role
from tests.storage.conftest import QUICK, Producer, closed, describe, wait_closed

Make = Callable[..., Producer]


@pytest.fixture
def child(buffer: Buffer, tmp_path: Path) -> Iterator[Child]:
    with Supervisor("test", tmp_path / "logs") as supervisor:
        started = supervisor.spawn(
            ProcessSpec(
                name="saver",
                target="firstlight.storage._saver:main",
                arguments={
                    "buffer": str(buffer.root),
                    "options": QUICK.model_dump(),
                    "socket": str(tmp_path / "s"),
                },
                restart=Restart.ON_FAILURE,
                max_restarts=20,
            )
        )
        started.wait_ready(30)
        yield started


def test_the_process_saves_what_is_acquired_and_says_so(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, child: Child, wait_for: Callable[..., None]
) -> None:
    with Client(Path(child.info["socket"]), role=Role.VIEW) as client, client.events("closed") as events:
        run = producer()
        run.start()
        run.produce(20)
        wait_for(lambda: client.call("status").runs and client.call("status").runs[0].frames == 20)
        status = client.call("status").runs[0]
        assert (status.key, status.state, status.file) == (run.key, "saving", str(dataset.scan_file(1)))
        run.stop()
        wait_closed(buffer, run.key)
        assert client.call("settle", timeout=20)
        assert next(iter(events)) == {"key": run.key, "file": str(dataset.scan_file(1))}
        assert client.call("status").closed == 1
    with open_scan(dataset.file) as scan:
        run.check(scan)


def test_a_saver_that_is_killed_is_started_again_and_goes_on(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, child: Child, wait_for: Callable[..., None]
) -> None:
    run = producer(dataset.saving(frames_per_file=10, compression="bitshuffle-lz4"))
    run.start()
    for _ in range(3):
        run.produce(12)
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        run.produce(5)
        wait_for(lambda before=pid: child.pid not in (None, before), timeout=30)
    run.stop()
    wait_closed(buffer, run.key, 60)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def test_stopping_the_process_is_orderly_and_leaves_open_runs_to_the_next(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, child: Child
) -> None:
    run = producer()
    run.start(slots=40)
    run.produce(20)
    child.stop()
    assert child.exit_code == 0
    run.produce(10)
    run.stop()
    assert [r.outcome for r in recover(buffer, QUICK)] == ["saved"]
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def test_a_second_saver_of_the_same_buffer_is_refused(buffer: Buffer, tmp_path: Path, child: Child) -> None:
    code = (
        "import sys; from firstlight.process import ChildContext; from firstlight.storage._saver import main\n"
        "main(ChildContext('saver'), sys.argv[1], socket=sys.argv[2])"
    )
    second = subprocess.run(
        [sys.executable, "-c", code, str(buffer.root), child.info["socket"]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode != 0
    assert "Conflict" in second.stderr


def test_recover_saves_runs_whose_owner_and_saver_died(buffer: Buffer, dataset: DatasetFolder, tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[4])\n"
        "from tests.storage.conftest import Producer\n"
        "from firstlight.buffer import Buffer; from firstlight.model import RunInfo\n"
        "b = Buffer(Path(sys.argv[1]), spill=Path(sys.argv[2]))\n"
        "run = Producer(b.create_run(RunInfo.model_validate_json(sys.argv[3]), readers=['saver']))\n"
        "run.start(); run.produce(50); print(run.key, flush=True); os.kill(os.getpid(), 9)"
    )
    info = describe(dataset.saving(frames_per_file=20))
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(buffer.root),
            str(tmp_path / "spill"),
            info.model_dump_json(),
            str(Path(__file__).parents[2]),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    key = died.stdout.strip()
    assert key

    told: list[str] = []
    result = recover(buffer, QUICK, lambda one: told.append(one.outcome))
    assert [(r.key, r.outcome) for r in result] == [(key, "saved")]
    assert told == ["saved"]
    assert closed(buffer, key)
    expected = Producer(run=None, count=50)  # type: ignore[arg-type]
    for file, entry in (
        (dataset.scan_file(1), "1.1"),
        (dataset.file, "1.1"),
        (dataset.experiment.master, "tooth_one_1.1"),
    ):
        with open_scan(file, entry) as scan:
            expected.check(scan)
            assert scan.end is not None
            assert scan.end.reason is EndReason.LOST
    assert recover(buffer, QUICK) == []


def test_recover_leaves_living_runs_alone(buffer: Buffer, producer: Make) -> None:
    run = producer()
    run.start()
    run.produce(3)
    result = recover(buffer, QUICK)
    assert [(r.outcome, r.message) for r in result] == [("busy", "Its session is alive.")]
    assert buffer.run(run.key).state is RunState.RUNNING
    run.stop()
    reader = buffer.run(run.key).retain("saver")
    assert [r.outcome for r in recover(buffer, QUICK)] == ["busy"]
    reader.close()
    assert [r.outcome for r in recover(buffer, QUICK)] == ["saved"]


def test_recover_reports_what_it_can_not_save_and_saves_the_rest(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    runs = [producer(), producer()]
    for run in runs:
        run.start(slots=12)
        run.produce(8)
        run.stop()
    dataset.scan_folder(1).rmdir()
    dataset.scan_folder(1).write_text("in the way")
    outcomes = {r.key: r for r in recover(buffer, QUICK)}
    assert (outcomes[runs[0].key].outcome, outcomes[runs[1].key].outcome) == ("failed", "saved")
    assert "can not be written" in outcomes[runs[0].key].message
    assert read_report(buffer.run(runs[0].key).path).state == "failed"  # type: ignore[union-attr]
    dataset.scan_folder(1).unlink()
    assert [r.outcome for r in recover(buffer, QUICK)] == ["saved"]
    with open_scan(dataset.scan_file(1)) as scan:
        runs[0].check(scan)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="flush"):
        SaverOptions(flush=0)


def test_nothing_slow_is_imported_with_the_room() -> None:
    slow = "'h5py', 'hdf5plugin', 'numba', 'scipy'"
    code = f"import sys, firstlight.storage; print([m for m in ({slow}) if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_can_be_had() -> None:
    import firstlight.storage as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    with pytest.raises(AttributeError):
        _ = room.nope
    assert RunSaver in {room.RunSaver}
