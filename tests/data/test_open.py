"""Runs are found by key, path, dataset or proposal; what is not found gives one clear error."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import firstlight
from firstlight.data import NoChannel, Run, datasets, runs
from firstlight.model import (
    ChannelSpec,
    Conflict,
    DataError,
    EndReason,
    FirstlightError,
    InvalidInput,
    NotFound,
    RunEnd,
    RunInfo,
    RunState,
)
from firstlight.storage import (
    RunSaver,
    SaverOptions,
    compact,
    open_scan,
)
from tests.data.data_room import START, Room

h5py = pytest.importorskip("h5py")


def which(run: Run) -> float:
    return float(run["diode"][0])


def test_a_run_is_opened_by_its_key(room: Room) -> None:
    key = room.record(None, 4)
    run = firstlight.open(key, buffer=room.buffer)
    assert (which(run), run.key, run.live, run.number, run.path) == (4, key, True, None, None)
    assert which(firstlight.open(key, buffer=room.buffer.root)) == 4


def test_the_users_own_buffer_is_the_default(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    key = room.record(None, 4)
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(room.buffer.root))
    assert which(firstlight.open(key)) == 4
    assert [r.key for r in runs()] == [key]


def test_looking_for_a_run_makes_no_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "buffer"
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(root))
    with pytest.raises(NotFound):
        firstlight.open("20251113T020000-ascan-00000000")
    assert runs() == []
    assert not root.exists()


def test_what_is_open_already_is_taken_as_it_is(room: Room) -> None:
    dataset = room.dataset()
    key = room.record(dataset, 4)
    run = firstlight.open(key, buffer=room.buffer)
    assert firstlight.open(run) is run
    assert which(firstlight.open(room.buffer.run(key))) == 4
    assert which(firstlight.open(open_scan(dataset.file, 1))) == 4
    with pytest.raises(InvalidInput):
        firstlight.open(3)  # type: ignore[arg-type]


def test_a_scan_is_chosen_by_its_number_or_from_the_end(room: Room) -> None:
    dataset = room.dataset()
    for value in (1, 2, 3):
        room.record(dataset, value)
    for target in (dataset.file, str(dataset.file), dataset.folder, dataset.folder.parent, room.data):
        for scan, value in ((-1, 3), (-2, 2), (-3, 1)):
            assert which(firstlight.open(target, scan=scan, buffer=room.none)) == value
    for target in (dataset.file, dataset.folder, dataset.folder.parent):
        assert which(firstlight.open(target, scan=2, buffer=room.none)) == 2
        assert which(firstlight.open(target, scan="2.1", buffer=room.none)) == 2
    for target in (dataset.scan_file(2), dataset.scan_folder(2)):
        assert which(firstlight.open(target, buffer=room.none)) == 2


def test_a_compacted_dataset_is_opened_in_the_same_way(room: Room) -> None:
    dataset = room.dataset()
    for value in (1, 2, 3):
        room.record(dataset, value)
    compact(dataset.file)
    room.record(dataset, 4)
    for target in (dataset.file, dataset.folder):
        assert which(firstlight.open(target, scan=2, buffer=room.none)) == 2
        assert which(firstlight.open(target, buffer=room.none)) == 4
    assert [r.number for r in runs(dataset.folder)] == [1, 2, 3, 4]
    found = firstlight.open(dataset.folder, scan=2, buffer=room.none).path
    assert found is not None
    assert found.parent == dataset.folder


def test_a_run_that_left_the_buffer_is_found_in_its_compacted_dataset(room: Room) -> None:
    dataset = room.dataset()
    key = room.record(dataset, 1)
    run = firstlight.open(key, buffer=room.buffer)
    compact(dataset.file)
    room.buffer.remove(key)
    assert which(run) == 1
    assert run["diode"][:].tolist() == [1, 1, 1]
    assert run.tree["measurement/diode"][1] == 1
    assert run.path == dataset.file


def test_data_are_opened_by_proposal_sample_and_dataset(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.record(room.dataset("tooth", "0001"), 1)
    room.record(room.dataset("bone", "fast"), 2)
    later = room.dataset("bone", "slow")
    room.record(later, 3)
    room.record(room.dataset(proposal="ma1"), 4)
    os.utime(later.folder, (START + 9e9, START + 9e9))
    for target, value in (
        ("hc1234", 3),
        ("hc1234/tooth", 1),
        ("hc1234/bone", 3),
        ("hc1234/bone/fast", 2),
        ("ma1", 4),
    ):
        assert which(firstlight.open(target, root=room.data, buffer=room.none)) == value
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(room.data))
    assert which(firstlight.open("hc1234/bone/fast", scan=1, buffer=room.none)) == 2
    with pytest.raises(
        InvalidInput, match=r"holds 3 datasets, which one has scan 1\?.*bone/fast, bone/slow, tooth/0001"
    ):
        firstlight.open("hc1234", scan=1, buffer=room.none)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("", InvalidInput, "Nothing was named"),
        ("20251113T020000-ascan-deadbeef", NotFound, "no run in the buffer"),
        ("none/scan0001.h5", NotFound, "There is no none/scan0001.h5"),
        ("{data}/visitor/hc1234/id00/20251113/RAW_DATA/toth", NotFound, "Did you mean tooth"),
        ("{folder}/tooth_0001.hdf5", NotFound, "Did you mean tooth_0001.h5"),
        ("{folder}/notes.txt", DataError, "is no HDF5 file"),
        ("{folder}/foreign.h5", InvalidInput, "is no file of scans: it has exchange"),
        ("{folder}/empty.h5", NotFound, "holds no scan"),
        ("{folder}/hollow", NotFound, "holds no dataset"),
    ],
)
def test_what_can_not_be_opened_gives_one_clear_error(
    room: Room, target: str, error: type[FirstlightError], message: str
) -> None:
    dataset = room.dataset()
    room.record(dataset)
    (dataset.folder / "notes.txt").write_text("not HDF5")
    (dataset.folder / "hollow").mkdir()
    with h5py.File(dataset.folder / "foreign.h5", "w") as file:
        file.create_group("exchange")
    with h5py.File(dataset.folder / "empty.h5", "w") as file:
        file.attrs["creator"] = "nobody"
    with pytest.raises(error, match=message) as caught:
        firstlight.open(target.format(data=room.data, folder=dataset.folder), buffer=room.buffer)
    assert "\n" not in str(caught.value)


def test_a_scan_that_is_not_there_names_those_that_are(room: Room) -> None:
    dataset = room.dataset()
    for value in (1, 2):
        room.record(dataset, value)
    for target in (dataset.file, dataset.folder):
        with pytest.raises(NotFound, match=r"has no scan 7.*1\.1 to 2\.1"):
            firstlight.open(target, scan=7, buffer=room.none)
        with pytest.raises(NotFound, match="holds 2 scans only"):
            firstlight.open(target, scan=-3, buffer=room.none)
        with pytest.raises(NotFound, match="has no entry"):
            firstlight.open(target, scan="2.2", buffer=room.none)


def test_a_master_file_asks_for_an_entry(room: Room) -> None:
    from firstlight.storage import write_masters

    dataset = room.dataset()
    room.record(dataset, 5)
    master = write_masters(dataset.file)[0]
    with pytest.raises(InvalidInput, match=r"scan='tooth_0001_1\.1'"):
        firstlight.open(master, buffer=room.none)
    assert which(firstlight.open(master, scan="tooth_0001_1.1", buffer=room.none)) == 5


def test_a_broken_file_says_so(room: Room) -> None:
    dataset = room.dataset()
    room.record(dataset)
    content = dataset.scan_file(1).read_bytes()
    dataset.scan_file(1).write_bytes(content[: len(content) // 2])
    with pytest.raises(FirstlightError, match=r"scan0001\.h5"):
        firstlight.open(dataset.scan_file(1), buffer=room.none)
    (entry,) = runs(dataset.folder)
    assert entry.problem


def test_a_file_in_the_layout_of_bliss_is_a_run_too(tmp_path: Path) -> None:
    path = tmp_path / "sample_0001.h5"
    with h5py.File(path, "w") as file:
        for number in (1, 2):
            entry = file.create_group(f"{number}.1")
            entry.attrs["NX_class"] = "NXentry"
            entry["title"] = f"ascan sx 0 1 4 0.{number}"
            entry["start_time"] = "2025-11-13T03:13:20+01:00"
            entry["end_time"] = "2025-11-13T03:13:30+01:00"
            entry["instrument/sx/value"] = np.linspace(0, 1, 5)
            entry["instrument/sx"].attrs["NX_class"] = "NXpositioner"
            entry["measurement/diode"] = np.arange(5.0) * number
            entry["measurement/sx"] = h5py.SoftLink(f"/{number}.1/instrument/sx/value")
    run = firstlight.open(path, scan=2, buffer=tmp_path)
    assert (run.title, run.name, run.key, run.live) == ("ascan sx 0 1 4 0.2", "ascan", "", False)
    assert (run.number, run.tree["measurement/sx"].name) == (2, "/2.1/measurement/sx")
    assert set(run) == {"diode", "sx"}
    assert run["diode"][:].tolist() == [0, 2, 4, 6, 8]
    assert run.tree["measurement/diode"][2] == 4
    assert run.cen("diode", "sx") == pytest.approx(0.5)
    assert [r.title for r in runs(path)] == ["ascan sx 0 1 4 0.1", "ascan sx 0 1 4 0.2"]


def test_a_file_that_is_being_written_is_read_through_the_buffer(room: Room, wait_for: object) -> None:
    dataset = room.dataset()
    info = RunInfo(name="ct", title="ct 1", start_epoch=START, saving=dataset.saving())
    writer = room.buffer.create_run(info, readers=("saver",))
    diode = writer.create_log(ChannelSpec("diode"))
    writer.prepared()
    writer.running()
    diode.append_one(1.0)
    saver = RunSaver(room.buffer, room.buffer.run(writer.key), SaverOptions(flush=0.02))
    thread = threading.Thread(target=saver.save)
    thread.start()
    assert callable(wait_for)
    wait_for(dataset.scan_file(1).exists)
    live = firstlight.open(dataset.folder, buffer=room.buffer)
    alone = firstlight.open(dataset.scan_file(1), buffer=room.none)
    assert (live.live, alone.live) == (True, False)
    diode.append_one(2.0)
    assert live["diode"][:].tolist() == [1, 2]
    assert alone.channel("diode", timeout=10).wait(2, timeout=10)
    assert alone["diode"][:].tolist() == [1, 2]
    writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=START + 1))
    thread.join()
    writer.close()
    assert live.wait(RunState.CLOSED, timeout=10)
    assert alone.wait(RunState.CLOSED, timeout=10)
    assert alone.reload().end == live.end


def test_the_runs_of_a_sequence_are_its_parts(room: Room) -> None:
    dataset = room.dataset()
    info = RunInfo(name="tomo", title="tomo", start_epoch=START, saving=dataset.saving())
    writer = room.buffer.create_run(info, readers=("saver",))
    log = writer.create_log(ChannelSpec("scan_numbers", "<i8"))
    writer.prepared()
    writer.running()
    keys = []
    for value in (10, 20):
        log.append_one(dataset.numbers()[-1] + 1)
        keys.append(room.record(dataset, value, parent=writer.key))
    sequence = firstlight.open(writer.key, buffer=room.buffer)
    assert [p.key for p in sequence.parts()] == keys
    writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=START + 30))
    RunSaver(room.buffer, room.buffer.run(writer.key), SaverOptions()).save()
    writer.close()
    room.buffer.remove(keys[0])
    assert [(which(p), p.live) for p in sequence.parts()] == [(10, False), (20, True)]
    stored = firstlight.open(dataset.folder, scan=1, buffer=room.none)
    assert [which(p) for p in stored.parts()] == [10, 20]
    compact(dataset.file)
    stored = firstlight.open(dataset.folder, scan=1, buffer=room.none)
    assert [which(p) for p in stored.parts()] == [10, 20]
    assert stored.parts()[0].parts() == []


def test_another_process_reopens_a_pickled_run(room: Room) -> None:
    dataset = room.dataset()
    live = firstlight.open(room.record(None, 1), buffer=room.buffer)
    saved = firstlight.open(room.record(dataset, 2), buffer=room.buffer)
    stored = firstlight.open(dataset.file, buffer=room.none)
    for run, value in ((live, 1), (saved, 2), (stored, 2)):
        assert which(pickle.loads(pickle.dumps(run))) == value
    assert pickle.loads(pickle.dumps(saved["diode"]))[1] == 2
    room.buffer.remove(saved.key)
    assert which(pickle.loads(pickle.dumps(saved))) == 2


def test_the_runs_of_a_buffer_are_listed(room: Room) -> None:
    dataset = room.dataset()
    saved, unsaved = room.record(dataset, 1), room.record(None, 2)
    first, second = runs(buffer=room.buffer)
    assert (first.key, first.number, first.path, first.live) == (saved, 1, dataset.scan_file(1), True)
    assert (second.key, second.number, second.path) == (unsaved, None, None)
    assert (first.name, first.title, first.npoints) == ("loopscan", "loopscan 3 1", 3)
    assert (first.start, first.stop, first.reason) == (START + 1, START + 2, EndReason.SUCCESS)
    assert first.state is RunState.CLOSED


def test_the_runs_of_datasets_are_listed(room: Room) -> None:
    one, two = room.dataset("tooth", "0001"), room.dataset("tooth", "0002")
    for dataset, value in ((one, 1), (one, 2), (two, 3)):
        room.record(dataset, value)
    listed = runs(one.folder)
    assert [(r.number, r.title, r.state, r.live) for r in listed] == [
        (1, "loopscan 3 1", RunState.CLOSED, False),
        (2, "loopscan 3 2", RunState.CLOSED, False),
    ]
    assert runs(one.file) == listed
    assert len(runs(room.data)) == 3
    assert len(runs("hc1234/tooth", root=room.data)) == 3
    assert len(runs(one.scan_file(2))) == 1
    with pytest.raises(NotFound):
        runs("hc1235", root=room.data)
    (room.data / "hollow").mkdir()
    with pytest.raises(NotFound, match="holds no dataset"):
        runs(room.data / "hollow")


def test_datasets_are_listed_from_their_folders_alone(room: Room) -> None:
    one, two, three = room.dataset("tooth", "0001"), room.dataset("tooth", "a_b"), room.dataset(proposal="id00test")
    for dataset in (one, one, two, three):
        room.record(dataset)
    found = datasets(room.data)
    assert {(d.proposal, d.beamline, d.session, d.sample, d.dataset, d.numbers) for d in found} == {
        ("hc1234", "id00", "20251113", "tooth", "0001", (1, 2)),
        ("hc1234", "id00", "20251113", "tooth", "a_b", (1,)),
        ("id00test", "id00", "20251113", "tooth", "0001", (1,)),
    }
    assert {d.folder for d in found} == {one.folder, two.folder, three.folder}
    assert {d.file for d in found} == {one.file, two.file, three.file}
    assert [d.folder for d in datasets(one.folder)] == [one.folder]
    assert datasets(one.scan_folder(1)) == []
    with pytest.raises(NotFound):
        datasets(room.data / "none")


def test_what_is_processed_is_no_dataset(room: Room) -> None:
    dataset = room.dataset()
    room.record(dataset)
    processed = dataset.processed / "scan0001"
    processed.mkdir(parents=True)
    assert len(datasets(room.data)) == 1


def test_the_tree_names_what_is_near(room: Room) -> None:
    run = firstlight.open(room.record(room.dataset(), 1), buffer=room.buffer)
    for tree in (run.tree, firstlight.open(room.dataset().file, buffer=room.none).tree):
        assert "measurement/diode" in tree
        assert "measurement/diod" not in tree
        assert tree.get("nothing") is None
        with pytest.raises(NoChannel, match="Did you mean diode"):
            tree["measurement/diod"]
        with pytest.raises(KeyError):
            tree["/1.1/nothing"]
        assert tree["/1.1/measurement"]["diode"].name == "/1.1/measurement/diode"
        assert tree["instrument"]["diode"]["data"][1] == 1
        assert tree["instrument"] == tree["instrument"]
        assert tree["title"].shape == ()
        assert "title" in list(tree)
        assert tree.visititems(lambda path, item: path if path.endswith("diode") else None) is not None
        with pytest.raises(InvalidInput, match="no text"):
            tree["measurement/diode"].asstr()[0]


def test_reading_needs_no_more_than_it_uses() -> None:
    code = (
        "import sys, firstlight; firstlight.open; import firstlight.data;"
        "print([m for m in ('h5py', 'scipy', 'numba', 'xarray', 'dask', 'pint', 'hdf5plugin') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_live_run_that_is_removed_unsaved_says_so(room: Room) -> None:
    key = room.record(None, 1)
    run = firstlight.open(key, buffer=room.buffer)
    room.buffer.remove(key)
    with pytest.raises((NotFound, DataError, Conflict)):
        firstlight.open(key, buffer=room.buffer)
    with pytest.raises(DataError):
        run.channel("diode")[:]
