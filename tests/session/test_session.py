"""A session on the simulated beamline, with its real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import firstlight
from firstlight.buffer import Buffer
from firstlight.model import Conflict, EndReason, FirstlightError, InvalidInput, LimitError, NotFound, ProcessError
from firstlight.session import Layout, Session, reconstruct, simulated
from firstlight.storage import recover


def test_a_scan_returns_a_run_that_is_in_its_file(session: Session) -> None:
    run = session.loopscan(5, 0, "diode")
    assert run.end is not None
    assert run.end.reason is EndReason.SUCCESS
    assert run.path is not None
    with h5py.File(run.path, "r", locking=False) as file:
        assert file["1.1/measurement/diode"].shape == (5,)
    again = firstlight.open(session.dataset.file, scan=1)
    np.testing.assert_array_equal(again["diode"][:], run["diode"][:])


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_the_file_of_a_run_is_free_as_soon_as_the_run_is_returned(session: Session, mode: str) -> None:
    run = session.loopscan(3, 0.001, "cam", "diode")
    assert run.path is not None
    with h5py.File(run.path, mode) as file:
        np.testing.assert_array_equal(file["1.1/measurement/diode"][:], run["diode"][:])
        np.testing.assert_array_equal(file["1.1/measurement/cam"][1], run["cam"][1])
        assert run.tree["measurement/diode"].shape == (3,)


def test_silx_opens_a_run_and_its_dataset_as_soon_as_the_run_is_returned(
    session: Session, wait_for: Callable[..., None]
) -> None:
    silx = pytest.importorskip("silx.io")
    run = session.loopscan(3, 0.001, "diode")
    with silx.open(str(run.path)) as file:
        assert file["1.1/measurement/diode"].shape == (3,)
    wait_for(session.dataset.file.exists)
    with silx.open(str(session.dataset.file)) as file:
        np.testing.assert_array_equal(file["1.1/measurement/diode"][:], run["diode"][:])


def test_an_early_run_of_a_long_series_is_read_from_its_file(session: Session) -> None:
    first = session.loopscan(3, 0.001, "cam", "diode")
    frames, values = first["cam"][:], first["diode"][:]
    for _ in range(12):
        session.loopscan(1, 0, "diode")
    assert first.key not in [entry.key for entry in session.buffer.runs()]
    np.testing.assert_array_equal(first["cam"][:], frames)
    np.testing.assert_array_equal(first["diode"][:], values)
    assert session.loopscan(1, 0, "diode").number == 14


def test_files_lie_where_the_data_policy_says(session: Session) -> None:
    run = session.ct(0, "diode", save=True)
    saving = run.info.saving
    assert saving is not None
    raw = session.data / "visitor" / "hc1234" / "fl01" / saving.session / "RAW_DATA"
    folder = raw / "tooth" / f"tooth_{saving.dataset}"
    assert Path(saving.file) == folder / "scan0001" / "scan0001.h5"
    assert Path(saving.dataset_file) == folder / f"tooth_{saving.dataset}.h5"


def test_an_alignment_scan_leads_to_the_peak(session: Session) -> None:
    session.move(sx=-0.2)
    run = session.dscan("sx", -0.4, 0.8, 24, 0.001, "diode")
    session.move(sx=float(run.cen("diode")))
    assert session["sx"].position == pytest.approx(0.0, abs=0.02)


def test_frames_are_taken_at_recorded_positions(session: Session) -> None:
    run = session.flyscan("rot", 0, 30, 15, 0.02, "cam", "diode")
    assert run["cam"].shape == (15, 8, 64)
    start, stop = run["rot:start"][:], run["rot:stop"][:]
    np.testing.assert_allclose(np.diff(start), 2.0, atol=0.01)
    np.testing.assert_allclose(run["rot"][:], (start + stop) / 2, atol=0.01)


def test_a_tomography_is_reconstructed_where_its_axis_is(session: Session) -> None:
    run = session.tomo("rot", 0, 180, 96, 0.02, "cam", "ring", darks=3, flats=3, flat_axis="sx", flat_position=1.5)
    result = reconstruct(session, run, options={"rings": "none"})
    assert result["shape"] == [8, 64, 64]
    assert result["axis"]["position"] == pytest.approx(31.5 + 2.5, abs=0.5)
    for made in (result["nxtomo"], result["volume"], result["picture"]):
        assert Path(made).is_file()
    assert not session["fshut"].is_open


def test_the_killed_saver_is_restarted_and_nothing_is_lost(session: Session, wait_for: Callable[..., None]) -> None:
    session.loopscan(3, 0, "diode")
    pid = session.saver.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    run = session.loopscan(200, 0.001, "diode")
    assert session.saver.pid != pid
    with h5py.File(str(run.path), "r", locking=False) as file:
        np.testing.assert_array_equal(file["2.1/measurement/diode"][:], run["diode"][:])


def test_a_killed_camera_ends_the_run_with_a_clear_error_and_works_in_the_next(
    session: Session, wait_for: Callable[..., None]
) -> None:
    camera = next(child for child in session.supervisor.children if child.name == "cam")
    running = session.engine.submit(session.flyscan.scan("rot", 0, 60, 2000, 0.01, "cam"))
    wait_for(lambda: session.buffer.runs()[-1].name == "flyscan" and _frames(session) > 10)
    assert camera.pid is not None
    os.kill(camera.pid, signal.SIGKILL)
    outcome = running.result(30)
    assert isinstance(outcome.error, ProcessError)
    assert "cam" in str(outcome.error)
    assert outcome.end.reason is EndReason.FAILED
    kept = session.last
    assert kept is not None
    assert len(kept["cam"]) > 10
    assert len(session.loopscan(2, 0.001, "cam")["cam"]) == 2


def test_one_session_of_a_name_runs_at_a_time(session: Session, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="another session"):
        simulated(tmp_path / "other", layout=Layout(shape=(8, 64)), buffer=session.buffer.root)


def test_a_scan_beyond_the_limits_is_refused_before_anything_moves(session: Session) -> None:
    before = session["rot"].position
    with pytest.raises(LimitError, match="rot"):
        session.ascan("rot", 0, 1000, 10, 0.01, "diode")
    assert session["rot"].position == before


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("rot", 0, 1), {}, "ascan: missing a required argument: 'intervals'"),
        (("rot", 0, 1, 2, 0.1), {"speed": 3}, "ascan: got an unexpected keyword argument 'speed'"),
    ],
)
def test_arguments_that_do_not_fit_are_answered_with_those_that_do(
    session: Session, arguments: tuple[object, ...], keywords: dict[str, object], message: str
) -> None:
    for ask in (session.ascan, session.ascan.estimate, session.ascan.dry_run):
        with pytest.raises(InvalidInput, match=message) as caught:
            ask(*arguments, **keywords)
        assert "ascan(axis, start, stop, intervals, count_time, *counters, " in caught.value.hint


def test_a_misspelt_device_is_answered_with_the_nearest_name(session: Session) -> None:
    with pytest.raises(NotFound, match="Did you mean rot"):
        session["rott"]
    with pytest.raises(AttributeError, match="Did you mean diode"):
        session.diod  # noqa: B018 - the look-up is what is tested


def test_devices_and_commands_are_attributes(session: Session) -> None:
    assert session.rot is session["rot"]
    assert {"rot", "cam", "ascan", "tomo"} <= set(dir(session))
    assert session.ascan.__doc__ is not None
    assert "tooth" in repr(session)


def test_an_ended_dataset_is_one_file_with_everything(session: Session) -> None:
    first = session.loopscan(4, 0, "diode")["diode"][:]
    session.loopscan(2, 0, "diode")
    file = session.dataset.file
    session.enddataset()
    with h5py.File(file, "r", locking=False) as merged:
        assert {"1.1", "2.1"} <= set(merged)
        assert merged.get("1.1", getlink=True).__class__ is h5py.HardLink
        np.testing.assert_array_equal(merged["1.1/measurement/diode"][:], first)
    session.newdataset(session.dataset.name)
    assert session.dataset.file != file


def test_where_data_go_cannot_change_during_a_scan(session: Session) -> None:
    running = session.engine.submit(session.loopscan.scan(10000, 0.001, "diode"))
    with pytest.raises(Conflict, match="A scan runs"):
        session.newsample("bone")
    session.engine.abort()
    assert running.result(20).end.reason is EndReason.ABORTED


def test_bad_configuration_is_refused_and_leaves_nothing_behind(tmp_path: Path, buffer_root: Path) -> None:
    for devices, words in (
        ([{"kind": "sim.axis"}], "no name"),
        ([{"name": "a", "kind": "sim.axs"}], "sim.axs"),
        ([{"name": "a", "kind": "sim.axis"}, {"name": "a", "kind": "sim.ring"}], "Two devices"),
    ):
        with pytest.raises(InvalidInput, match=words):
            Session("x", devices, data=tmp_path, buffer=buffer_root)
    with Session("x", [], data=tmp_path, buffer=buffer_root) as works:
        assert works.devices == {}


def _frames(session: Session) -> int:
    try:
        return session.buffer.run(session.buffer.runs()[-1].key).channel("cam").count
    except NotFound:
        return 0


def test_a_folder_without_room_ends_the_run_at_once_and_the_data_stay(
    tmp_path: Path, buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "data"
    with Session("x", [{"name": "ring", "kind": "sim.ring"}], data=blocked, buffer=buffer_root) as session:
        folder = session.dataset.folder
        folder.parent.mkdir(parents=True)
        folder.write_text("a file where the dataset's folder should be")
        with pytest.raises(FirstlightError, match="can not be created"):
            session.loopscan(3, 0, "ring")
        folder.unlink()
        assert len(session.loopscan(3, 0, "ring")["ring"]) == 3


def test_a_full_disk_ends_the_run_and_recovering_saves_it(tmp_path: Path, buffer_root: Path) -> None:
    disk = _small_disk(tmp_path / "disk")
    try:
        with Session("x", [{"name": "ring", "kind": "sim.ring"}], data=disk, buffer=buffer_root) as session:
            with pytest.raises(FirstlightError, match="saver cannot save this run"):
                session.loopscan(500, 0.01, "ring")
            failed = session.last
            assert failed is not None
            assert failed.end is not None
            assert failed.end.reason is EndReason.FAILED
            kept, saving = failed["ring"][:], failed.info.saving
            assert saving is not None
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        recover(Buffer(buffer_root))
        with firstlight.open(saving.file) as run:
            np.testing.assert_array_equal(run["ring"][:], kept)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _small_disk(folder: Path) -> Path:
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("optional: a small disk can be mounted by root only")
    return folder


def test_a_grid_of_regions_is_one_array_channel_of_a_scan(session: Session) -> None:
    camera = session.devices["cam"]
    camera.rois["map"] = {"x": 0, "y": 0, "columns": 8, "rows": 4, "cell": [8, 2]}
    camera.rois["spots"] = {"regions": {"left": [0, 0, 4, 4], "right": [60, 4, 4, 4]}, "statistics": ["mean"]}
    try:
        run = session.ascan("sx", 0, 0.1, 2, 0.01, "cam", "diode")
        mesh = session.amesh("sx", 0, 0.1, 1, "rot", 0, 1, 1, 0.01, "cam:map_sum")
    finally:
        camera.rois.clear()
    frames = run["cam"][:]
    cells = frames.reshape(3, 4, 2, 8, 8).sum(axis=(2, 4), dtype=np.int64)
    np.testing.assert_array_equal(run["cam:map_sum"][:], cells)
    np.testing.assert_allclose(run["cam:spots_mean"][:, 1], frames[:, 4:8, 60:64].mean(axis=(1, 2)))
    assert mesh["cam:map_sum"].shape == (4, 4, 8)
    assert "cam" not in mesh
    assert run.path is not None
    with h5py.File(run.path, "r", locking=False) as file:
        entry = file["1.1"] if "1.1" in file else next(iter(file.values()))
        assert entry["instrument/cam_map/selection/kind"].asstr()[()] == "grid"
        assert entry["instrument/cam_map/selection/cell"][()].tolist() == [8, 2]
        assert entry["instrument/cam_spots/selection/names"].asstr()[()].tolist() == ["left", "right"]
        assert entry["instrument/cam_spots/selection/regions/right/x"][()] == 60
        np.testing.assert_array_equal(entry["measurement/cam_map_sum"][()], cells)


def test_regions_of_a_camera_are_counted_and_only_what_is_asked_for_is_saved(session: Session) -> None:
    camera = session.devices["cam"]
    camera.rois["spot"] = {"x": 4, "y": 2, "width": 10, "height": 5, "statistics": ["sum", "max"]}
    try:
        whole = session.loopscan(3, 0.01, "cam")
        reduced = session.loopscan(3, 0.01, "cam:spot_sum", "diode")
    finally:
        camera.rois.clear()
    frames = whole["cam"][:]
    np.testing.assert_array_equal(whole["cam:spot_sum"][:], frames[:, 2:7, 4:14].sum(axis=(1, 2), dtype=np.int64))
    np.testing.assert_array_equal(whole["cam:spot_max"][:], frames[:, 2:7, 4:14].max(axis=(1, 2)))
    assert whole.path is not None
    assert reduced.path is not None
    with h5py.File(whole.path, "r", locking=False) as file:
        assert file["1.1/instrument/cam_spot/selection/width"][()] == 10
        np.testing.assert_array_equal(file["1.1/measurement/cam_spot_sum"][:], whole["cam:spot_sum"][:])
    with h5py.File(reduced.path, "r", locking=False) as file:
        measured = next(entry for name, entry in file.items() if name.endswith(".1"))["measurement"]
        assert measured["cam_spot_sum"].shape == (3,)
        assert "cam" not in measured
        assert "cam_spot_max" not in measured
