"""Merging datasets, and files of links."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from firstlight.buffer import Buffer
from firstlight.model import Conflict, DataError, InvalidInput, NotFound
from firstlight.storage import (
    DatasetFolder,
    RunSaver,
    compact,
    list_entries,
    open_scan,
    rebuild_masters,
    write_dataset_links,
    write_masters,
)
from firstlight.storage import _compact as room
from firstlight.storage._links import LinkKeeper
from tests.storage.conftest import QUICK, Producer

Make = Callable[..., Producer]
Save = Callable[[int], Producer]


@pytest.fixture
def save(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> Save:
    def one(count: int) -> Producer:
        run = producer(dataset.saving(frames_per_file=4, compression="bitshuffle-lz4" if count % 2 else "none"))
        run.start(slots=20)
        run.produce(count)
        run.stop()
        RunSaver(buffer, buffer.run(run.key), QUICK).save()
        write_dataset_links(dataset.file)
        write_masters(dataset.file)
        return run

    return one


def test_a_merged_dataset_holds_all_its_runs(dataset: DatasetFolder, save: Save) -> None:
    runs = [save(count) for count in (5, 0, 10)]
    result = compact(dataset.file)

    assert result.entries == ("1.1", "2.1", "3.1")
    assert [p.name for p in result.removed] == ["scan0001.h5", "scan0002.h5", "scan0003.h5"]
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.file, number) as scan:
            run.check(scan)
        assert not dataset.scan_file(number).exists()
    with h5py.File(dataset.file, "r") as file:
        assert isinstance(file.get("1.1", getlink=True), h5py.HardLink)
        assert file["1.1/plotselect/diode"].shape == (5,)
    assert not [p for p in dataset.folder.iterdir() if p.name.startswith(".")]


def test_frames_keep_their_files_and_empty_folders_go(dataset: DatasetFolder, save: Save) -> None:
    for count in (3, 0, 0):
        save(count)
    compact(dataset.file)
    assert sorted(p.name for p in dataset.folder.iterdir()) == ["scan0001", "scan0003", "tooth_one.h5"]
    assert [p.name for p in dataset.scan_folder(1).iterdir()] == ["cam_0000.h5"]
    assert dataset.reserve() == 4


def test_numbers_of_merged_runs_are_not_given_again_even_without_folders(dataset: DatasetFolder, save: Save) -> None:
    save(0)
    save(0)
    compact(dataset.file)
    dataset.scan_folder(2).rmdir()
    assert dataset.numbers() == [1, 2]
    assert dataset.reserve() == 3


def test_runs_that_come_after_a_merge_join_it(dataset: DatasetFolder, save: Save) -> None:
    runs = [save(4), save(3)]
    compact(dataset.file)
    runs.append(save(2))
    assert list_entries(dataset.file) == ["1.1", "2.1", "3.1"]
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.file, number) as scan:
            run.check(scan)

    assert compact(dataset.file).entries == ("1.1", "2.1", "3.1")
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.experiment.master, f"tooth_one_{number}.1") as scan:
            run.check(scan)
    assert not list(dataset.folder.glob("*merged*"))


def test_merging_again_changes_nothing(dataset: DatasetFolder, save: Save) -> None:
    save(4)
    compact(dataset.file)
    before = dataset.file.stat()
    assert compact(dataset.file).removed == ()
    assert write_dataset_links(dataset.file) == ["1.1"]
    after = dataset.file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_runs_files_can_be_kept(dataset: DatasetFolder, save: Save) -> None:
    run = save(4)
    assert compact(dataset.file, remove=False).removed == ()
    for path in (dataset.file, dataset.scan_file(1)):
        with open_scan(path) as scan:
            run.check(scan)
    assert compact(dataset.file).removed == (dataset.scan_file(1),)


def test_a_run_that_is_being_written_is_not_merged(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    from firstlight.storage._runfile import RunFile

    run = producer()
    saved = run.run.info.saving
    assert saved is not None
    file = RunFile(saved, run.run.info, run.key)
    file.flush()
    with pytest.raises(Conflict, match="being written"):
        compact(dataset.file)
    file.give_up()
    with pytest.raises(Conflict, match="not complete"):
        compact(dataset.file)
    assert not dataset.file.exists()


def test_a_copy_that_differs_changes_nothing(
    dataset: DatasetFolder, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save(4)
    before = dataset.file.read_bytes()

    def spoil(source: h5py.Group, target: h5py.Group, old: Path, new: Path) -> None:
        target["instrument/diode/data"][1] = 77.0

    monkeypatch.setattr(room, "_relocate", spoil)
    with pytest.raises(DataError, match="differs at instrument"):
        compact(dataset.file)
    assert dataset.file.read_bytes() == before
    with open_scan(dataset.file) as scan:
        run.check(scan)


def test_a_merge_that_was_killed_before_removing_is_finished_by_the_next(
    dataset: DatasetFolder, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [save(4), save(5)]

    def die(*_: object) -> list[Path]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(room, "_remove", die)
        with pytest.raises(KeyboardInterrupt):
            compact(dataset.file)
    assert len(compact(dataset.file).removed) == 2
    for number, run in enumerate(runs, 1):
        with open_scan(dataset.file, number) as scan:
            run.check(scan)


def test_there_must_be_something_to_merge(dataset: DatasetFolder) -> None:
    dataset.folder.mkdir(parents=True)
    with pytest.raises(NotFound, match="no runs to merge"):
        compact(dataset.file)


def test_lost_masters_are_rebuilt_from_the_folders(dataset: DatasetFolder, save: Save) -> None:
    runs = [save(2), save(3)]
    masters = [dataset.file, dataset.experiment.collection_master("tooth"), dataset.experiment.master]
    before = [list_entries(m) for m in masters]
    for master in masters:
        master.unlink()

    assert rebuild_masters(dataset.experiment.raw) == masters
    assert [list_entries(m) for m in masters] == before == [["1.1", "2.1"], *[["tooth_one_1.1", "tooth_one_2.1"]] * 2]
    for number, run in enumerate(runs, 1):
        for master, entry in zip(masters, (f"{number}.1", *[f"tooth_one_{number}.1"] * 2), strict=True):
            with open_scan(master, entry) as scan:
                run.check(scan)


def test_a_broken_dataset_file_is_replaced_from_the_folders(dataset: DatasetFolder, save: Save) -> None:
    save(2)
    dataset.file.write_bytes(b"broken")
    assert write_dataset_links(dataset.file) == ["1.1"]
    assert list_entries(dataset.file) == ["1.1"]


def test_links_to_removed_runs_go(dataset: DatasetFolder, save: Save) -> None:
    save(2)
    save(2)
    dataset.scan_file(1).unlink()
    assert write_dataset_links(dataset.file) == ["2.1"]


def test_the_whole_session_can_be_moved(dataset: DatasetFolder, save: Save, tmp_path: Path) -> None:
    run = save(6)
    moved = tmp_path / "elsewhere"
    dataset.experiment.folder.rename(moved)
    with open_scan(moved / "RAW_DATA" / dataset.experiment.master.name, "tooth_one_1.1") as scan:
        run.check(scan)


def test_only_the_raw_data_of_a_session_have_masters(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="RAW_DATA"):
        rebuild_masters(tmp_path)
    lonely = tmp_path / "set.h5"
    assert write_dataset_links(lonely) == []
    assert write_masters(lonely) == []


def test_savers_that_write_the_same_links_at_once_lose_none(dataset: DatasetFolder, save: Save) -> None:
    save(1)
    others = [dataset.experiment.dataset("tooth", f"d{k}") for k in range(6)]
    for other in others:
        other.scan_folder(1).mkdir(parents=True)
        with h5py.File(other.scan_file(1), "w") as file:
            file.create_group("1.1").attrs["NX_class"] = "NXentry"

    def write(one: DatasetFolder) -> None:
        write_dataset_links(one.file)
        write_masters(one.file)

    threads = [threading.Thread(target=write, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list_entries(dataset.experiment.master)) == 7


def test_a_folder_that_can_not_be_written_is_reported_by_the_keeper(tmp_path: Path) -> None:
    errors: list[Exception] = []
    (tmp_path / "file").write_text("not a folder")
    keeper = LinkKeeper(0.01, errors.append)
    keeper.request(tmp_path / "file" / "set.h5")
    assert keeper.settle()
    keeper.close()
    assert "can not be written" in str(errors[0])
