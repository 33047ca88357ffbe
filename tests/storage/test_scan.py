"""Reading runs from files: ours, closed or growing, and those of other programs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import (
    ChannelKind,
    ChannelRole,
    DataError,
    EndReason,
    IndexNeverThere,
    IndexNotYetThere,
    NotFound,
    RunState,
)
from firstlight.storage import DatasetFolder, RunSaver, ScanFile, list_entries, open_scan
from tests.storage.conftest import QUICK, Producer, saving, wait_closed

Make = Callable[..., Producer]


@pytest.fixture
def stored(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> Path:
    for count in (3, 8):
        run = producer()
        run.start(slots=10)
        run.produce(count)
        run.stop()
        RunSaver(buffer, buffer.run(run.key), QUICK).save()
    from firstlight.storage import write_dataset_links

    write_dataset_links(dataset.file)
    return dataset.file


def test_entries_are_chosen_by_name_number_or_from_the_end(stored: Path) -> None:
    assert list_entries(stored) == ["1.1", "2.1"]
    for entry, count in (("1.1", 3), (1, 3), (-2, 3), (2, 8), (-1, 8)):
        with open_scan(stored, entry) as scan:
            assert scan.channels["diode"].count == count


@pytest.mark.parametrize("length", [100, 700, 5000])
def test_a_file_that_was_cut_short_is_told_in_one_sentence(stored: Path, length: int) -> None:
    own = stored.parent / "scan0002" / "scan0002.h5"
    with own.open("r+b") as file:
        file.truncate(length)
    with pytest.raises(DataError, match=r"scan0002.h5 can not be read: it is cut short or broken\.") as caught:
        list_entries(own)
    assert "recover" in caught.value.hint
    with pytest.raises(DataError, match=r"scan0002.h5"):
        open_scan(own)


@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_a_file_that_is_flushed_just_now_is_opened_a_moment_later(
    stored: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    before = stored.stat().st_mtime - age
    whole = stored.read_bytes()
    stored.write_bytes(whole[:3000])

    def pause(seconds: float) -> None:
        stored.write_bytes(whole)

    monkeypatch.setattr("firstlight.storage._scan.time.sleep", pause)
    if age:
        os.utime(stored, (before, before))
        with pytest.raises(DataError, match="cut short or broken"):
            list_entries(stored)
    else:
        assert list_entries(stored) == ["1.1", "2.1"]


def test_a_folder_and_a_text_are_no_files_of_scans(stored: Path) -> None:
    with pytest.raises(NotFound, match="is a folder"):
        list_entries(stored.parent)
    text = stored.parent / "notes.h5"
    text.write_text("nothing of HDF5")
    with pytest.raises(DataError, match=r"notes.h5 is no HDF5 file\."):
        list_entries(text)


def test_descriptions_come_back_as_they_were(buffer: Buffer, stored: Path) -> None:
    reader = buffer.run(buffer.runs()[0].key)
    with open_scan(stored, 1) as scan:
        assert {n: c.spec for n, c in scan.channels.items()} == {n: c.spec for n, c in reader.channels.items()}
        assert scan.info == reader.info
        assert scan.end == reader.end
        assert scan.key == reader.key


def test_items_that_are_not_there_are_told_apart(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(4)
        wait_for(dataset.scan_file(1).exists)
        with open_scan(dataset.scan_file(1)) as scan:
            assert scan.wait(lambda: "diode" in scan.channels, 20)
            diode = scan.channels["diode"]
            with pytest.raises(IndexNotYetThere, match="is not there yet"):
                diode.read(0, 100)
            run.stop()
            wait_closed(buffer, run.key)
            with pytest.raises(IndexNeverThere, match="ended with 4 items"):
                diode.read(0, 100)
            with pytest.raises(IndexNeverThere):
                diode.read(-1, 2)
            assert diode.first == 0
            assert (len(diode), diode.sealed, diode.seal_reason) == (4, True, "")


def test_waiting_ends_when_the_file_has_grown(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        wait_for(dataset.scan_file(1).exists)
        with open_scan(dataset.scan_file(1)) as scan:

            def grown() -> bool:
                diode = scan.channel("diode")
                return diode is not None and diode.count >= 5

            later = threading.Timer(0.05, run.produce, (5,))
            later.start()
            assert scan.wait(grown, 20)
            assert asyncio.run(scan.wait_async(grown, 1))
            assert not scan.wait(lambda: False, 0.01)
            later.join()
        run.stop()
        wait_closed(buffer, run.key)


def test_slices_of_every_kind_are_read(stored: Path) -> None:
    with open_scan(stored) as scan:
        np.testing.assert_array_equal(scan.channels["rot"].read(2, 5), [1.0, 1.5, 2.0])
        lists = scan.channels["cam:peaks"].read(3, 6)
        assert [len(item) for item in lists] == [3, 0, 1]
        assert np.asarray(scan.channels["cam"].read(7, 8)).shape == (1, 24, 40)
        assert len(scan.channels["rot"].read(3, 3)) == 0


def test_what_is_missing_is_one_clear_sentence(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        open_scan(tmp_path / "nope.h5")
    with pytest.raises(NotFound, match=r"has no entry 7\.1.*It has 1\.1, 2\.1"):
        open_scan(stored, 7)
    with pytest.raises(NotFound, match="holds 2 scans only"):
        open_scan(stored, -3)
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with pytest.raises(DataError, match="is no HDF5 file"):
        open_scan(tmp_path / "text.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(NotFound, match="holds no scan"):
        open_scan(tmp_path / "empty.h5")
    with pytest.raises((NotFound, DataError)):
        open_scan(tmp_path)


def test_a_link_to_a_lost_file_is_told(stored: Path, dataset: DatasetFolder) -> None:
    dataset.scan_file(1).unlink()
    with pytest.raises(NotFound, match=r"leads to scan0001/scan0001\.h5, which does not exist"):
        open_scan(stored, 1)


def test_frames_whose_file_was_lost_read_as_missing(stored: Path, dataset: DatasetFolder) -> None:
    (dataset.scan_folder(2) / "cam_0000.h5").unlink()
    with open_scan(stored, 2) as scan:
        frames = scan.channels["cam"].read(0, 8)
        assert (np.asarray(frames) == 65535).all()


def test_several_threads_may_read_one_scan(stored: Path) -> None:
    with open_scan(stored) as scan:
        problems: list[Exception] = []

        def read() -> None:
            try:
                for _ in range(20):
                    assert len(scan.channels["cam"].read(0, 8)) == 8
                    scan.refresh()
            except AssertionError as error:
                problems.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []


def bliss_file(path: Path, *, finished: bool = True) -> None:
    """A scan as BLISS 2 writes it (Nexus Format page; blisswriter 2.0)."""
    with h5py.File(path, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        entry = file.create_group("5.1")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = "ascan samy 0 9 9 0.1"
        entry["start_time"] = "2026-01-02T10:00:00.000000+01:00"
        entry["writer/status"] = "SUCCEEDED" if finished else "RUNNING"
        if finished:
            entry["end_time"] = "2026-01-02T10:01:00.000000+01:00"
            entry["end_reason"] = "USER_ABORT"
        entry["scan_parameters/count_time"] = 0.1
        entry["instrument/samy/value"] = np.linspace(0, 9, 10)
        entry["instrument/samy/value"].attrs["units"] = "mm"
        entry["instrument/samy"].attrs["NX_class"] = "NXpositioner"
        entry["instrument/diode1/data"] = np.arange(10.0)
        entry["instrument/basler1/data"] = np.zeros((10, 4, 6), dtype=np.uint16)
        entry["instrument/mca/spectrum"] = np.zeros((10, 32), dtype=np.uint32)
        entry["instrument/positioners_start/samy"] = 0.0
        entry["instrument/positioners_start/samz"] = 3.0
        for name, path_ in (
            ("samy", "samy/value"),
            ("diode1", "diode1/data"),
            ("basler1", "basler1/data"),
            ("mca_spectrum", "mca/spectrum"),
        ):
            entry[f"measurement/{name}"] = h5py.SoftLink(f"/5.1/instrument/{path_}")
        entry["measurement/broken"] = h5py.SoftLink("/5.1/nowhere")


def test_a_bliss_scan_is_read_sensibly(tmp_path: Path) -> None:
    bliss_file(tmp_path / "b.h5")
    with open_scan(tmp_path / "b.h5") as scan:
        specs = {n: c.spec for n, c in scan.channels.items()}
        assert {n: s.role for n, s in specs.items()} == {
            "samy": ChannelRole.AXIS,
            "diode1": ChannelRole.COUNTER,
            "basler1": ChannelRole.FRAME,
            "mca_spectrum": ChannelRole.SPECTRUM,
        }
        assert (specs["samy"].unit, specs["basler1"].kind, specs["basler1"].shape) == ("mm", ChannelKind.RING, (4, 6))
        np.testing.assert_array_equal(scan.channels["diode1"].read(2, 5), [2.0, 3.0, 4.0])
        assert np.isnan(scan.channels["diode1"].times(0, 2)).all()
        assert (scan.state, scan.info.name, scan.info.count_time) == (RunState.CLOSED, "ascan", 0.1)
        assert scan.info.positioners["samz"].value == 3.0
        assert scan.end is not None
        assert scan.end.reason is EndReason.ABORTED


def test_a_bliss_scan_that_is_being_written_is_not_taken_as_complete(tmp_path: Path) -> None:
    bliss_file(tmp_path / "b.h5", finished=False)
    with open_scan(tmp_path / "b.h5", 5) as scan:
        assert scan.state is RunState.RUNNING
        with pytest.raises(IndexNotYetThere):
            scan.channels["diode1"].read(0, 11)


def test_a_scan_says_what_it_is(stored: Path) -> None:
    with ScanFile(stored, "2.1") as scan:
        assert "ascan rot" in repr(scan)
        assert scan.where == f"{stored}::2.1"
