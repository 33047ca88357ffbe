"""Our readers beside a user's own handles on the same files, in one process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.storage import (
    DatasetFolder,
    RunSaver,
    ScanFile,
    compact,
    list_entries,
    open_hdf5,
    open_scan,
    write_dataset_links,
)
from tests.storage.conftest import QUICK, Producer, frame

Make = Callable[..., Producer]

WAYS = [None, False, True, "best-effort"]


@pytest.fixture
def saved(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> Producer:
    run = producer(dataset.saving(frames_per_file=16, compression="none"))
    run.start(slots=20)
    run.produce(20)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    write_dataset_links(dataset.file)
    return run


@pytest.mark.parametrize("locking", WAYS)
def test_a_file_can_be_opened_whichever_way_it_is_open(tmp_path: Path, locking: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 3
    with h5py.File(tmp_path / "a.h5", "r", locking=locking), open_hdf5(tmp_path / "a.h5") as file:
        assert file["x"][()] == 3


def test_what_is_wrong_with_a_file_is_told_as_h5py_tells_it(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("nothing of HDF5")
    with pytest.raises(FileNotFoundError):
        open_hdf5(tmp_path / "b.h5")
    with pytest.raises(OSError, match="signature"):
        open_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_user_may_open_a_run_that_is_held_here(saved: Producer, dataset: DatasetFolder, mode: str) -> None:
    with open_scan(dataset.scan_file(1)) as scan:
        saved.check(scan)
        with h5py.File(dataset.scan_file(1), mode) as file:
            assert len(file["1.1/measurement/diode"]) == 20
        saved.check(scan)


@pytest.mark.parametrize("locking", WAYS)
@pytest.mark.parametrize("which", ["own", "dataset"])
def test_a_run_is_read_while_a_user_has_its_file_open(
    saved: Producer, dataset: DatasetFolder, which: str, locking: Any
) -> None:
    path = dataset.scan_file(1) if which == "own" else dataset.file
    with h5py.File(path, "r", locking=locking) as file:
        held = file["1.1/instrument/cam/data"]
        np.testing.assert_array_equal(held[3], frame(3))
        for one in (dataset.scan_file(1), dataset.file):
            assert list_entries(one) == ["1.1"]
            with open_scan(one) as scan:
                saved.check(scan)
        np.testing.assert_array_equal(held[19], frame(19))


@pytest.mark.parametrize("locking", WAYS)
def test_frames_are_read_while_a_user_has_their_own_file_open(
    saved: Producer, dataset: DatasetFolder, locking: Any
) -> None:
    (frames, *_) = sorted(dataset.scan_folder(1).glob("cam_*.h5"))
    with h5py.File(frames, "r", locking=locking), open_scan(dataset.scan_file(1)) as scan:
        saved.check(scan)


def test_the_entry_as_h5py_sees_it_is_there_inside_with_only(saved: Producer, dataset: DatasetFolder) -> None:
    scan = open_scan(dataset.scan_file(1))
    with scan.tree() as entry:
        assert len(scan.channels["diode"].read(0, 20)) == 20  # another reading inside does not end it
        with scan.tree() as again:
            assert again == entry
        assert len(entry["measurement/diode"]) == 20
    assert not entry


def test_a_look_that_failed_leaves_nothing_open(
    saved: Producer, dataset: DatasetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even until the garbage is collected: a saver in this process could not go on with the file."""
    scan = open_scan(dataset.file)
    scan._finished = False  # so that it looks again
    looks: list[str] = []

    def rows(self: ScanFile, path: str, start: int, stop: int) -> Any:
        held = self._group()[path]
        looks.append(path)
        if len(looks) < 3:
            raise KeyError(path)
        return held[start:stop]

    monkeypatch.setattr(ScanFile, "_rows", rows)
    gc.disable()
    try:
        assert len(scan.channels["cam"].read(0, 1)) == 1
        assert len(looks) == 3
        with h5py.File(dataset.scan_file(1), "r+") as file:
            assert file
    finally:
        gc.enable()


@pytest.mark.parametrize("locking", WAYS)
def test_a_dataset_is_merged_while_a_user_has_files_of_it_open(
    saved: Producer, dataset: DatasetFolder, locking: Any
) -> None:
    (frames, *_) = sorted(dataset.scan_folder(1).glob("cam_*.h5"))
    with h5py.File(dataset.scan_file(1), "r", locking=locking), h5py.File(frames, "r", locking=locking):
        assert compact(dataset.file).entries == ("1.1",)
    with open_scan(dataset.file) as scan:
        saved.check(scan)


def test_a_run_that_is_held_is_read_on_after_its_dataset_was_merged_and_moved(
    saved: Producer, dataset: DatasetFolder
) -> None:
    held = open_scan(dataset.scan_file(1))
    compact(dataset.file)
    saved.check(held)
    assert held.path == dataset.file

    moved = dataset.folder.with_name("elsewhere")
    dataset.folder.rename(moved)
    with ScanFile(moved / dataset.file.name, "1.1") as scan:
        saved.check(scan)
