"""A run from the buffer into its file, with a saver in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    EndReason,
    NotFound,
    Pause,
    RunEnd,
    RunState,
    StorageFull,
)
from firstlight.storage import (
    DatasetFolder,
    RunSaver,
    SaverOptions,
    list_entries,
    open_scan,
    read_report,
    recover,
    reference_spec,
    references,
)
from tests.storage.conftest import QUICK, Producer, closed, describe, frame, saving, wait_closed

Make = Callable[..., Producer]


def test_a_run_is_in_its_file_when_it_is_closed(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(50)
        run.stop()
        wait_closed(buffer, run.key)

    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)
        assert (scan.entry, scan.state, scan.info.title) == ("1.1", RunState.CLOSED, "ascan rot 0 90 180 0.01")
        assert scan.end is not None
        assert scan.end.reason is EndReason.SUCCESS
    assert not list(dataset.scan_folder(1).glob("*.journal"))
    assert read_report(buffer.run(run.key).path).state == "closed"  # type: ignore[union-attr]


@pytest.mark.parametrize("compression", ["none", "bitshuffle-lz4"])
def test_a_run_that_ended_before_the_saver_came_is_saved(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, compression: str
) -> None:
    run = producer(dataset.saving(frames_per_file=7, compression=compression))
    run.start(slots=40)
    run.produce(30)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()

    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)
    assert closed(buffer, run.key)
    assert len(list(dataset.scan_folder(1).glob("cam_*.h5"))) == 5


def test_the_file_shows_what_was_acquired_while_it_is_written(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(20)
        file = dataset.scan_file(1)
        wait_for(file.exists)
        with open_scan(file) as scan:
            states = [scan.state]

            def there(count: int) -> bool:
                scan.refresh()
                return len(scan.channels) == 7 and all(c.count == count for c in scan.channels.values())

            wait_for(lambda: there(20))
            run.check(scan)
            run.produce(15)
            wait_for(lambda: there(35))
            run.check(scan)
            run.stop()
            wait_closed(buffer, run.key)
            scan.refresh()
            states.append(scan.state)
            run.check(scan)
    assert states == [RunState.RUNNING, RunState.CLOSED]


def test_every_announced_channel_has_its_dataset_once_the_status_says_running(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer):
        run = producer()
        run.start()

        def status() -> str:
            if not dataset.scan_file(1).exists():
                return ""
            with h5py.File(dataset.scan_file(1), "r", locking=False) as file:
                text: str = file["1.1/writer/status"][()].decode()
                if text == "RUNNING":
                    assert {"rot", "diode", "cam", "cam_peaks", "mca_spectrum"} <= set(file["1.1/measurement"])
                    assert file["1.1/measurement/cam"].shape == (0, 24, 40)
                return text

        wait_for(lambda: status() == "RUNNING")
        run.stop()
        wait_closed(buffer, run.key)


def test_the_dataset_file_links_to_the_run_from_its_start(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer) as saver:
        run = producer()
        run.start()
        run.produce(3)
        wait_for(dataset.file.exists)
        assert saver.settle()
        assert list_entries(dataset.file) == ["1.1"]
        assert list_entries(dataset.experiment.master) == ["tooth_one_1.1"]
        assert list_entries(dataset.experiment.collection_master("tooth")) == ["tooth_one_1.1"]
        run.stop()
        wait_closed(buffer, run.key)
    for file, entry in ((dataset.file, "1.1"), (dataset.experiment.master, "tooth_one_1.1")):
        with open_scan(file, entry) as scan:
            run.check(scan)


def test_runs_follow_each_other_in_one_dataset(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    with saving(buffer):
        runs = []
        for count in (0, 1, 5):
            run = producer()
            run.start()
            run.produce(count)
            run.stop(EndReason.FAILED if not count else EndReason.SUCCESS, "It broke." if not count else "")
            runs.append(run)
        for run in runs:
            wait_closed(buffer, run.key)
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.scan_file(number)) as scan:
            run.check(scan)


def test_runs_are_saved_side_by_side(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    with saving(buffer):
        runs = [producer() for _ in range(4)]
        for run in runs:
            run.start()
        for _ in range(5):
            for run in runs:
                run.produce(4)
        for run in reversed(runs):
            run.stop()
        for run in runs:
            wait_closed(buffer, run.key)
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.scan_file(number)) as scan:
            run.check(scan)


def test_how_a_run_ended_is_in_its_file(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    cases = [
        (EndReason.SUCCESS, "", "SUCCESS"),
        (EndReason.ABORTED, "Ctrl-C", "USER_ABORT"),
        (EndReason.FAILED, "rot: it stalled.", "FAILURE"),
        (EndReason.LOST, "The owner died.", "DELETION"),
    ]
    with saving(buffer):
        for reason, message, _ in cases:
            run = producer()
            run.start()
            run.stop(reason, message)
            wait_closed(buffer, run.key)
    for number, (reason, message, word) in enumerate(cases, 1):
        with open_scan(dataset.scan_file(number)) as scan, scan.tree() as entry:
            assert scan.end is not None
            assert (scan.end.reason, scan.end.message) == (reason, message)
            assert entry["end_reason"][()].decode() == word
            assert entry["writer/status"][()].decode() == "SUCCEEDED"
            assert ("end_message" in entry) == bool(message)


def test_the_pauses_of_a_run_are_in_its_file(buffer: Buffer, dataset: DatasetFolder) -> None:
    pauses = (Pause(point=3, start=10.0, stop=12.5, reason="tea"), Pause(point=7, start=20.0, stop=21.0, reason="beam"))
    with saving(buffer):
        with buffer.create_run(describe(dataset.saving()), readers=("saver",)) as run:
            run.running()
            run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=30.0, pauses=pauses))
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan, scan.tree() as entry:
        assert scan.end is not None
        assert scan.end.pauses == pauses
        told = entry["instrument/pauses"]
        assert told["point"][()].tolist() == [3, 7]
        assert told["stop"][()].tolist() == [12.5, 21.0]
        assert [text.decode() for text in told["reason"][()]] == ["tea", "beam"]
        assert told["start"].attrs["units"] == "s"


def test_a_run_without_a_saving_is_none_of_the_savers_business(buffer: Buffer) -> None:
    with saving(buffer) as saver:
        with buffer.create_run(describe(None)) as run:
            run.running()
        assert saver.status().runs == ()
    assert buffer.run(run.key).state is RunState.CLOSED


def test_a_run_that_keeps_nothing_for_the_saver_is_refused_with_a_sentence(
    buffer: Buffer, producer: Make, wait_for: Callable[..., None]
) -> None:
    run = producer(readers=())
    with saving(buffer) as saver:
        wait_for(lambda: any("does not keep its data for the saver" in r.message for r in saver.status().runs))
    assert read_report(buffer.run(run.key).path).state == "failed"  # type: ignore[union-attr]


def test_online_channels_are_awaited_after_the_end(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    run = producer(online=("sum", "late"), online_deadline=30.0)
    run.start()
    early = run.run.create_log(ChannelSpec("sum"))
    with saving(buffer):
        run.produce(4)
        member = buffer.join(run.key)
        end = run.run
        run.stop()
        late = member.create_log(ChannelSpec("late"))
        late.append(np.arange(4.0))
        late.seal()
        wait_closed(buffer, run.key)
        member.close()
    assert end.state is RunState.CLOSED
    assert early.count == 0
    with open_scan(dataset.scan_file(1)) as scan:
        np.testing.assert_array_equal(scan.channels["late"].read(0, 4), np.arange(4.0))
        assert scan.channels["sum"].count == 0
        assert "left before" in scan.channels["sum"].seal_reason


def test_an_online_channel_past_its_deadline_is_closed_as_it_is(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    run = producer(online=("slow", "never"), online_deadline=0.2)
    run.start()
    member = buffer.join(run.key)
    slow = member.create_log(ChannelSpec("slow"))
    slow.append(np.arange(3.0))
    with saving(buffer):
        run.produce(2)
        run.stop()
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan:
        assert scan.channels["slow"].count == 3
        assert "had not ended it in time" in scan.channels["slow"].seal_reason
    member.close()


def test_channels_that_appear_late_get_their_place(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(10)
        log = run.run.create_log(ChannelSpec("late:part", "<i4"))
        log.append(np.arange(5, dtype=np.int32))
        run.stop()
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan:
        np.testing.assert_array_equal(scan.channels["late:part"].read(0, 5), np.arange(5))


def test_when_the_owner_dies_the_saver_ends_the_run_and_closes_the_file(
    buffer: Buffer, dataset: DatasetFolder, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    import subprocess
    import sys

    info = describe(dataset.saving())
    code = (
        "import sys, os, numpy as np; from pathlib import Path\n"
        "from firstlight.buffer import Buffer; from firstlight.model import *\n"
        "b = Buffer(Path(sys.argv[1]), spill=Path(sys.argv[2]))\n"
        "run = b.create_run(RunInfo.model_validate_json(sys.argv[3]), readers=['saver'])\n"
        "log = run.create_log(ChannelSpec('diode')); run.prepared(); run.running()\n"
        "log.append(np.arange(1000.0)); print(run.key, flush=True); os.kill(os.getpid(), 9)"
    )
    with saving(buffer):
        died = subprocess.run(
            [sys.executable, "-c", code, str(buffer.root), str(tmp_path / "spill"), info.model_dump_json()],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        wait_closed(buffer, died.stdout.strip())
    with open_scan(dataset.scan_file(1)) as scan:
        assert scan.end is not None
        assert scan.end.reason is EndReason.LOST
        np.testing.assert_array_equal(scan.channels["diode"].read(0, 1000), np.arange(1000.0))
        assert "died" in scan.channels["diode"].seal_reason


def test_frames_that_the_ring_could_not_keep_read_as_missing(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    from firstlight.buffer import BackPressure

    run = producer()
    spec = ChannelSpec("cam", "<u2", (4, 4), kind=ChannelKind.RING)
    ring = run.run.create_ring(spec, 4, on_full=BackPressure.DROP)
    run.run.running()
    for k in range(10):
        ring.append(np.full((1, 4, 4), k, dtype=np.uint16))
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    with open_scan(dataset.scan_file(1)) as scan:
        frames: Any = scan.channels["cam"].read(0, 10)
    lost = buffer.run(run.key).channel("cam").missing(0, 10)
    assert 0 < len(lost) < 10
    for k in range(10):
        assert (frames[k] == (65535 if k in lost else k)).all()


def test_reference_channels_are_linked_never_copied(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    foreign = dataset.folder / "foreign"
    foreign.mkdir(parents=True)
    for number in range(2):
        with h5py.File(foreign / f"eiger_{number}.h5", "w") as file:
            file["entry/data"] = np.stack([frame(10 * number + k) for k in range(5)])
    run = producer()
    log = run.run.create_log(reference_spec("eiger", "<u2", (24, 40)))
    run.run.running()
    items = references([(foreign / f"eiger_{n}.h5", "/entry/data", k) for n, k in ((0, 0), (0, 1), (0, 2), (1, 3))])
    with saving(buffer):
        log.append(items)
        wait_for(lambda: dataset.scan_file(1).exists() and _frames(dataset.scan_file(1)) == 4)
        run.stop()
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan, scan.tree() as entry:
        np.testing.assert_array_equal(scan.channels["eiger"].read(0, 4), items)
        data = entry["measurement/eiger"]
        assert data.is_virtual
        assert [s.file_name for s in data.virtual_sources()] == ["../foreign/eiger_0.h5", "../foreign/eiger_1.h5"]
        for index, number in enumerate((0, 1, 2, 13)):
            np.testing.assert_array_equal(data[index], frame(number))


def _frames(file: Path) -> int:
    with h5py.File(file, "r", locking=False) as h5:
        found = h5.get("1.1/measurement/eiger")
        return len(found) if found is not None else 0


def test_too_little_free_space_refuses_the_run_and_keeps_its_data(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    run = producer()
    run.start(slots=12)
    run.produce(10)
    with saving(buffer, SaverOptions(minimum_free=2**60, retry=0.05)) as saver:
        wait_for(lambda: any("are free for" in r.message for r in saver.status().runs))
        run.stop()
    assert not dataset.scan_file(1).exists()
    assert recover(buffer, QUICK)[0].outcome == "saved"
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def test_a_read_only_folder_fails_the_run_until_it_can_be_written(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    """Root may write anywhere, so the folder's place is taken by a file; the reason differs, the path does not."""
    run = producer()
    folder = dataset.scan_folder(1)
    if os.getuid() == 0:
        folder.rmdir()
        folder.write_text("in the way")
    else:
        folder.chmod(0o500)
    events: list[tuple[str, object]] = []
    with saving(buffer) as saver:
        saver.attach(lambda topic, payload: events.append((topic, payload)))
        run.start()
        run.produce(12)
        wait_for(lambda: any(topic == "failed" for topic, _ in events))
        report = read_report(buffer.run(run.key).path)
        assert report is not None
        assert report.state == "failed"
        assert report.message.endswith(".")
        assert report.hint
        if folder.is_file():
            folder.unlink()
        else:
            folder.chmod(0o700)
        saver.retry(run.key) if any(r.state == "failed" for r in saver.status().runs) else None
        run.produce(6)
        run.stop()
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def test_only_a_failed_run_can_be_tried_again(buffer: Buffer) -> None:
    with saving(buffer) as saver, pytest.raises(NotFound, match="no failed run nope"):
        saver.retry("nope")


def test_a_saver_that_is_told_to_end_leaves_the_run_to_the_next(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    run = producer()
    run.start()
    for _ in range(3):
        with saving(buffer) as saver:
            run.produce(7)
            wait_for(lambda s=saver: s.status().runs and s.status().runs[0].frames >= 7)
    assert not closed(buffer, run.key)
    run.stop()
    with saving(buffer):
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def test_acknowledge_times_are_in_the_file(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    before = time.monotonic()
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(20)
        run.stop()
        wait_closed(buffer, run.key)
    after = time.monotonic()
    with open_scan(dataset.scan_file(1)) as scan:
        for channel in scan.channels.values():
            times = channel.times(0, 20)
            assert (times >= before - 0.01).all()
            assert (times <= after).all()
            assert (np.diff(times) >= 0).all()


def test_saving_twice_finds_nothing_to_do(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    run = producer()
    run.start(slots=12)
    run.produce(10)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    before = dataset.scan_file(1).stat()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    after = dataset.scan_file(1).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert recover(buffer, QUICK) == []


def test_lost_frame_files_are_told_not_passed_over(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    from firstlight.model import DataError

    run = producer()
    run.start()
    with saving(buffer) as saver:
        run.produce(30)
        run.run.state  # noqa: B018
        deadline = time.monotonic() + 20
        while not (saver.status().runs and saver.status().runs[0].frames == 30):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    run.stop()
    for path in dataset.scan_folder(1).glob("cam_*"):
        path.unlink()
    with pytest.raises(DataError, match="were saved, but their files are gone"):
        RunSaver(buffer, buffer.run(run.key), QUICK).save()


def test_a_full_disk_gives_a_clear_error_and_recover_saves_what_is_left(
    buffer: Buffer, producer: Make, tmp_path: Path, small_disk: Path, wait_for: Callable[..., None]
) -> None:
    from firstlight.storage import DataPolicy, Roots

    dataset = DataPolicy("fl01", Roots.under(small_disk)).experiment("hc1", "20260102").dataset("tooth", "one")
    filler = small_disk / "filler"
    run = producer(dataset.saving(frames_per_file=16))
    with saving(buffer, QUICK.model_copy(update={"retry": 1e6})) as saver:
        run.start()
        run.produce(5)
        wait_for(lambda: dataset.scan_file(1).exists())
        with pytest.raises(OSError, match="No space left"):
            _fill(filler)
        for _ in range(40):
            run.produce(10)
            if any(r.state == "failed" for r in saver.status().runs):
                break
        wait_for(lambda: any(r.state == "failed" for r in saver.status().runs))
        failed = saver.status().runs[0]
        assert "the disk is full" in failed.message
        run.produce(10)
        run.stop(EndReason.FAILED, failed.message)
        assert not closed(buffer, run.key)
        filler.unlink()
        saver.retry()
        wait_closed(buffer, run.key)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65536)


def test_errors_of_space_are_storage_full(small_disk: Path) -> None:
    from firstlight.storage import require_space

    with pytest.raises(StorageFull, match="are free for"):
        require_space(small_disk / "not" / "yet" / "there.h5", 10**12)
