"""NXtomo files that nxtomo, nxvalidate, nabu and nxtomomill accept, with the frames of the right runs."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import firstlight
from firstlight.buffer import Buffer
from firstlight.data import Run, export, export_nxtomo
from firstlight.model import (
    STATUS_MISSING,
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    Conflict,
    EndReason,
    InvalidInput,
    NotFound,
    Quantity,
    RunEnd,
    RunInfo,
)
from firstlight.storage import DataPolicy, Roots, RunSaver, SaverOptions, compact, write_dataset_links

h5py = pytest.importorskip("h5py")

CAM = ChannelSpec(
    "cam", dtype="<u2", shape=(5, 8), unit="count", source="cam", kind=ChannelKind.RING, role=ChannelRole.FRAME
)
ROT = ChannelSpec("rot", unit="deg", source="rot", role=ChannelRole.AXIS)
START = 1_763_000_000.0
SEQUENCE = {
    "technique": {"scan": {"motor": ["rotation", "rot", "rot", "translation_y", "sy", "sy"], "field_of_view": "Full"}}
}


@dataclass
class Part:
    """One run of the tomography that the tests make."""

    name: str
    key: int
    frames: NDArray[np.uint16]
    angles: NDArray[np.float64] | None = None
    sy: float = 0.0
    status: NDArray[np.uint8] | None = None


def parts() -> list[Part]:
    rng = np.random.default_rng(4)

    def frames(count: int) -> NDArray[np.uint16]:
        return rng.integers(0, 60000, size=(count, *CAM.shape)).astype(np.uint16)

    return [
        Part("tomo:dark", 2, frames(3)),
        Part("tomo:flat", 1, frames(2), sy=12.0),
        Part("tomo:projections", 0, frames(7), np.linspace(0, 180, 7), status=np.array([0, 0, 1, 0, 2, 0, 0], "u1")),
        Part("tomo:return", -1, frames(2), np.array([90.0, 0.0])),
        Part("tomo:flat", 1, frames(2), sy=12.0),
    ]


class Room:
    """A buffer and a dataset in which a tomography is made and saved."""

    def __init__(self, buffer: Buffer, data: Path) -> None:
        self.buffer = buffer
        self.dataset = DataPolicy("id00", Roots.under(data)).experiment("hc1234", "20251113").dataset("tooth", "0001")
        self.moment = START

    def record(
        self,
        info: dict[str, Any],
        channels: list[tuple[ChannelSpec, NDArray[Any]]],
        *,
        save: bool = True,
        end: EndReason | None = EndReason.SUCCESS,
    ) -> str:
        """Make one run, and save it; returns its key."""
        self.moment += 10
        description = RunInfo(
            start_epoch=self.moment,
            saving=self.dataset.saving(frames_per_file=3) if save else None,
            positioners={
                "rot": Quantity(value=0.0, unit="deg"),
                "sy": Quantity(value=info.pop("sy", 0.0), unit="mm"),
                "energy": Quantity(value=22.5, unit="keV"),
            },
            devices={"cam": {f"{a}_pixel_size{s}": v for a in "xy" for s, v in (("", 6.5e-7), ("@units", "m"))}},
            **info,
        )
        writer = self.buffer.create_run(description, readers=("saver",) if save else ())
        made: list[Any] = [
            writer.create_ring(spec, 16) if spec.kind is ChannelKind.RING else writer.create_log(spec)
            for spec, _ in channels
        ]
        writer.prepared()
        writer.running()
        saver = RunSaver(self.buffer, self.buffer.run(writer.key), SaverOptions(flush=0.02)) if save else None
        thread = threading.Thread(target=saver.save) if saver is not None else None
        if thread is not None:
            thread.start()
        for channel, (_, values) in zip(made, channels, strict=True):
            channel.append(values)
        if end is not None:
            writer.stop(RunEnd(reason=end, epoch=self.moment + 5))
        if thread is not None:
            thread.join()
        writer.close()
        return writer.key

    def tomo(self, *, save: bool = True) -> str:
        """Make the tomography; returns the key of its sequence."""
        made = parts()
        numbers = ChannelSpec("scan_numbers", "<i8")
        # The sequence takes its number first, as the engine does.
        sequence = RunInfo(
            name="tomo", title="tomo rot 0 180 7 0.1", start_epoch=START, metadata=SEQUENCE,
            saving=self.dataset.saving() if save else None,
        )  # fmt: skip
        writer = self.buffer.create_run(sequence, readers=("saver",) if save else ())
        log = writer.create_log(numbers)
        writer.prepared()
        writer.running()
        for number, part in enumerate(made, 2):
            log.append_one(number)
            channels: list[tuple[ChannelSpec, NDArray[Any]]] = [(CAM, part.frames)]
            if part.angles is not None:
                channels.append((ROT, part.angles))
            if part.status is not None:
                status = ChannelSpec("cam:status", "<u1", source="cam", role=ChannelRole.STATUS)
                channels.append((status, part.status))
            current = ChannelSpec("ring", unit="mA", source="ring", role=ChannelRole.COUNTER)
            channels.append((current, np.full(len(part.frames), 200.0 - number)))
            key = 3 if part.key < 0 else part.key
            self.record(
                {
                    "name": part.name,
                    "title": part.name,
                    "npoints": len(part.frames),
                    "axes": ("rot",) if part.angles is not None else (),
                    "count_time": 0.1,
                    "parent": writer.key,
                    "parameters": {"image_key": key},
                    "metadata": {"technique": {"image_key": part.key}},
                    "sy": part.sy,
                },
                channels,
                save=save,
            )
        writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=self.moment + 6))
        if save:
            RunSaver(self.buffer, self.buffer.run(writer.key), SaverOptions(flush=0.02)).save()
        writer.close()
        return writer.key


@pytest.fixture
def room(buffer_root: Path, tmp_path: Path) -> Room:
    return Room(Buffer(buffer_root, spill=tmp_path / "spill"), tmp_path / "data")


def sequence(room: Room) -> Run:
    key = room.tomo()
    return firstlight.open(key, buffer=room.buffer)


KEYS = [2, 2, 2, 1, 1, 0, 0, 3, 0, 0, 0, 0, -1, -1, 1, 1]
ANGLES = [0.0] * 5 + np.linspace(0, 180, 7).tolist() + [90.0, 0.0] + [0.0] * 2


def check(path: Path, *, linked: bool) -> None:
    """What must be in the file, read by h5py alone."""
    frames = np.concatenate([p.frames for p in parts()])
    with h5py.File(path, "r") as file:
        entry = file["entry0000"]
        data = entry["instrument/detector/data"]
        assert data.is_virtual == linked
        assert data.dtype == np.uint16
        np.testing.assert_array_equal(data[()], frames)
        np.testing.assert_array_equal(entry["data/data"][3:6], frames[3:6])
        assert entry["instrument/detector/image_key_control"][()].tolist() == KEYS
        assert entry["instrument/detector/image_key"][()].tolist() == [max(k, 0) for k in KEYS]
        np.testing.assert_allclose(entry["sample/rotation_angle"][()], ANGLES)
        assert entry["sample/rotation_angle"].attrs["units"] == "degree"
        sy = [0.0] * 3 + [0.012] * 2 + [0.0] * 9 + [0.012] * 2
        np.testing.assert_allclose(entry["sample/x_translation"][()], sy)
        assert "y_translation" not in entry["sample"]
        np.testing.assert_allclose(entry["instrument/detector/x_pixel_size"][()], 6.5e-7)
        np.testing.assert_allclose(entry["sample/y_pixel_size"][()], 6.5e-7)
        np.testing.assert_allclose(entry["instrument/detector/count_time"][()], np.full(16, 0.1))
        assert entry["instrument/beam/incident_energy"][()] == 22.5
        np.testing.assert_allclose(entry["control/data"][:4], [198, 198, 198, 197])
        assert entry["control/data"].attrs["units"] == "mA"
        assert entry["sample/name"].asstr()[()] == "tooth"
        assert entry["title"].asstr()[()] == "tomo rot 0 180 7 0.1"
        assert entry["definition"].asstr()[()] == "NXtomo"
        assert entry["start_time"].asstr()[()] < entry["end_time"].asstr()[()]


@pytest.mark.parametrize("frames", ["auto", "link", "copy"])
def test_a_sequence_becomes_one_stack(room: Room, tmp_path: Path, frames: Any) -> None:
    done = export_nxtomo(sequence(room), tmp_path / "tooth.nx", frames=frames)
    assert (done.path, done.points) == (tmp_path / "tooth.nx", 16)
    check(done.path, linked=frames != "copy")


def test_runs_from_files_become_the_same_stack(room: Room, tmp_path: Path) -> None:
    room.tomo()
    write_dataset_links(room.dataset.file)
    for path in (room.dataset.folder, room.dataset.file):
        whole = firstlight.open(path, scan=1, buffer=tmp_path)
        assert [p.number for p in whole.parts()] == [2, 3, 4, 5, 6]
        check(export("nxtomo", whole, tmp_path / "a", overwrite=True).path, linked=True)
    given = [firstlight.open(room.dataset.folder, scan=n, buffer=tmp_path) for n in (4, 2, 6, 3, 5)]
    done = export_nxtomo(given, tmp_path / "b.nx", x="sy")
    with h5py.File(done.path, "r") as file:
        assert file["entry0000/instrument/detector/image_key_control"][()].tolist() == KEYS
        assert file["entry0000/title"].asstr()[()] == "tomo:projections"
        np.testing.assert_allclose(file["entry0000/sample/x_translation"][3:5], 0.012)


def test_one_part_stands_for_the_whole_sequence(room: Room, tmp_path: Path) -> None:
    whole = sequence(room)
    for n, part in enumerate(whole.parts()):
        check(export_nxtomo(part, tmp_path / f"live{n}.nx").path, linked=True)
    stored = firstlight.open(room.dataset.folder, buffer=tmp_path)
    found = stored.sequence()
    assert found is not None
    assert (found.number, found.title) == (1, whole.title)
    check(export_nxtomo(stored, tmp_path / "stored.nx").path, linked=True)
    assert whole.sequence() is None


def test_links_survive_compaction_and_the_move_of_both(room: Room, tmp_path: Path) -> None:
    whole = sequence(room)
    base = room.dataset.experiment.folder
    target = base / "PROCESSED_DATA" / "tooth.nx"
    target.parent.mkdir(parents=True)
    export_nxtomo(whole, target)
    compact(room.dataset.file)
    check(target, linked=True)
    moved = base.rename(tmp_path / "elsewhere")
    check(moved / "PROCESSED_DATA" / "tooth.nx", linked=True)
    again = firstlight.open(moved / "RAW_DATA" / "tooth" / "tooth_0001", scan=1, buffer=tmp_path)
    check(export_nxtomo(again, tmp_path / "again.nx").path, linked=True)


def test_frames_whose_file_is_lost_read_as_missing_not_as_zeros(room: Room, tmp_path: Path) -> None:
    done = export_nxtomo(sequence(room), tmp_path / "tooth.nx")
    (room.dataset.scan_folder(2) / "cam_0000.h5").unlink()
    with h5py.File(done.path, "r") as file:
        assert (file["entry0000/instrument/detector/data"][:3] == 65535).all()


def test_runs_that_are_not_saved_are_copied(room: Room, tmp_path: Path) -> None:
    key = room.tomo(save=False)
    whole = firstlight.open(key, buffer=room.buffer)
    with pytest.raises(Conflict, match="not in files"):
        export_nxtomo(whole, tmp_path / "a.nx", frames="link")
    done = export_nxtomo(whole, tmp_path / "a.nx")
    with h5py.File(done.path, "r") as file:
        entry = file["entry0000"]
        assert not entry["instrument/detector/data"].is_virtual
        np.testing.assert_array_equal(
            entry["instrument/detector/data"][()], np.concatenate([p.frames for p in parts()])
        )
        assert entry["sample/name"].asstr()[()] == "unknown"


def test_what_the_caller_says_wins(room: Room, tmp_path: Path) -> None:
    done = export_nxtomo(
        sequence(room), tmp_path / "a.nx", energy="17 keV", distance="30 mm", pixel_size=1e-6, field_of_view="Half",
        y="sy", monitor="ring",
    )  # fmt: skip
    with h5py.File(done.path, "r") as file:
        entry = file["entry0000"]
        assert entry["instrument/beam/incident_energy"][()] == 17
        assert entry["instrument/detector/distance"][()] == 0.03
        assert entry["sample/x_pixel_size"][()] == 1e-6
        assert entry["instrument/detector/x_pixel_size"][()] == 6.5e-7
        assert entry["instrument/detector/field_of_view"].asstr()[()] == "Half"
        assert entry["sample/y_translation"][3] == 0.012


def test_an_aborted_scan_is_exported_as_far_as_it_went(room: Room, tmp_path: Path) -> None:
    room.record(
        {"name": "tomo:projections", "title": "projections", "axes": ("rot",), "parameters": {"image_key": 0}},
        [
            (CAM, parts()[2].frames[:4]),
            (ChannelSpec("rot", unit="rad", role=ChannelRole.AXIS), np.array([0.0, np.pi / 2])),
        ],
        end=EndReason.ABORTED,
    )
    done = export_nxtomo(firstlight.open(room.dataset.folder, buffer=tmp_path), tmp_path / "a.nx")
    assert done.points == 2
    with h5py.File(done.path, "r") as file:
        np.testing.assert_allclose(file["entry0000/sample/rotation_angle"][()], [0, 90])
        np.testing.assert_array_equal(file["entry0000/data/data"][()], parts()[2].frames[:2])


def test_frames_that_were_lost_are_invalid(room: Room) -> None:
    assert STATUS_MISSING == 1
    assert KEYS[7] == 3


def test_a_file_is_not_overwritten_unasked(room: Room, tmp_path: Path) -> None:
    whole = sequence(room)
    (tmp_path / "a.nx").write_text("mine")
    with pytest.raises(Conflict):
        export_nxtomo(whole, tmp_path / "a.nx")
    assert (tmp_path / "a.nx").read_text() == "mine"
    export_nxtomo(whole, tmp_path / "a.nx", overwrite=True)
    check(tmp_path / "a.nx", linked=True)
    assert not list(tmp_path.glob(".*part"))


def test_what_is_no_tomography_says_why(room: Room, tmp_path: Path) -> None:
    diode = ChannelSpec("diode", role=ChannelRole.COUNTER)
    room.record({"name": "loopscan", "title": "loopscan 3 1"}, [(diode, np.arange(3.0))])
    other = ChannelSpec("cam", dtype="<u2", shape=(2, 2), kind=ChannelKind.RING, role=ChannelRole.FRAME)
    room.record({"name": "flat", "title": "flat", "parameters": {"image_key": 1}}, [(other, np.ones((1, 2, 2), "<u2"))])
    room.record(
        {"name": "turn", "title": "turn", "axes": ("rot",), "parameters": {"image_key": 0}},
        [(CAM, parts()[0].frames), (ROT, np.arange(3.0))],
    )
    curve, flat, turn = (firstlight.open(room.dataset.folder, scan=n, buffer=tmp_path) for n in (1, 2, 3))
    with pytest.raises(InvalidInput, match="does not say what its frames are"):
        export_nxtomo(curve, tmp_path / "a.nx")
    with pytest.raises(NotFound, match="None of 1 runs has projections"):
        export_nxtomo(flat, tmp_path / "a.nx")
    with pytest.raises(InvalidInput, match=r"\(5, 8\) <u2.*\(2, 2\) <u2"):
        export_nxtomo([flat, turn], tmp_path / "a.nx")
    with pytest.raises(NotFound, match="has no frames of eiger"):
        export_nxtomo(turn, tmp_path / "a.nx", camera="eiger")
    with pytest.raises(NotFound, match="does not say where sz was"):
        export_nxtomo(turn, tmp_path / "a.nx", x="sz")
    with pytest.raises(NotFound, match="no 'ring' at each frame"):
        export_nxtomo(turn, tmp_path / "a.nx", monitor="ring")
    assert not list(tmp_path.glob("*.nx"))
    assert export_nxtomo(turn, tmp_path / "a.nx").points == 3


@pytest.fixture
def exported(room: Room, tmp_path: Path) -> Path:
    return export_nxtomo(sequence(room), tmp_path / "tooth.nx", distance=0.03, source_distance="145 m").path


@pytest.mark.parametrize("frames", ["link", "copy"])
def test_nxvalidate_finds_no_error(room: Room, tmp_path: Path, frames: Any) -> None:
    pytest.importorskip("nexusformat")
    path = export_nxtomo(sequence(room), tmp_path / "tooth.nx", distance=0.03, frames=frames).path
    script = Path(sys.executable).with_name("nxvalidate")
    done = subprocess.run([str(script), str(path)], capture_output=True, text=True, timeout=100)
    report = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert "Application Definition: NXtomo" in report
    assert "Total number of errors: 0" in report, report
    if frames == "copy":
        assert "Total number of warnings: 0" in report, report
    else:
        # nexusformat 2.1.0 takes the number of files behind a virtual dataset for its length.
        complaints = set(re.findall(r"Values for .*", report))
        assert complaints == {'Values for "nFrames" are not unique'}, report


@pytest.mark.filterwarnings("default")
def test_nxtomo_reads_it(exported: Path) -> None:
    application = pytest.importorskip("nxtomo.application.nxtomo")
    assert application.NXtomo.get_valid_entries(str(exported)) == ("/entry0000",)
    found = application.NXtomo().load(str(exported), "entry0000", detector_data_as="as_numpy_array")
    application.NXtomo.check_consistency(found, raises_error=True)
    assert [k.value for k in found.instrument.detector.image_key_control] == KEYS
    np.testing.assert_allclose(found.sample.rotation_angle.to("degree").magnitude, ANGLES)
    np.testing.assert_array_equal(found.instrument.detector.data, np.concatenate([p.frames for p in parts()]))
    assert found.instrument.beam.incident_energy.to("keV").magnitude == 22.5
    assert found.instrument.detector.distance.to("m").magnitude == pytest.approx(0.03)
    assert found.instrument.source.distance.to("m").magnitude == pytest.approx(-145.0)
    assert found.sample.name == "tooth"
    np.testing.assert_allclose(found.sample.x_translation.to("mm").magnitude[3:5], 12)
    np.testing.assert_allclose(found.control.data.to("mA").magnitude[0], 198)
    assert found.start_time < found.end_time


@pytest.mark.filterwarnings("default")
def test_nabu_reads_it(exported: Path) -> None:
    analyzer = pytest.importorskip("nabu.resources.dataset_analyzer")
    dataset = analyzer.analyze_dataset(str(exported))
    assert sorted(dataset.projections) == [5, 6, 8, 9, 10, 11]
    assert dataset.energy == pytest.approx(22.5)
    assert dataset.distance == pytest.approx(0.03)
    assert np.ravel(dataset.pixel_size)[0] == pytest.approx(0.65)
    np.testing.assert_allclose(np.rad2deg(dataset.rotation_angles), [0, 30, 90, 120, 150, 180])
    frames = np.concatenate([p.frames for p in parts()])
    np.testing.assert_array_equal(dataset.get_reader().load_data(), frames[[5, 6, 8, 9, 10, 11]])
    np.testing.assert_allclose(dataset.darks[0], frames[:3].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(dataset.flats[3], np.median(frames[3:5], axis=0), rtol=1e-6)


@pytest.mark.filterwarnings("default")
def test_nxtomomill_copies_it(exported: Path, tmp_path: Path) -> None:
    pytest.importorskip("nxtomomill")
    copy = tmp_path / "copy.nx"
    script = Path(sys.executable).with_name("nxtomomill")
    command = [str(script), "nx-copy", str(exported), str(copy), "--remove-vds"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert copy.exists(), done.stdout + done.stderr
    with h5py.File(copy, "r") as file:
        data = file["entry0000/instrument/detector/data"]
        np.testing.assert_array_equal(data[()], np.concatenate([p.frames for p in parts()]))


def test_many_calls_leave_no_file_open(room: Room, tmp_path: Path, wait_for: Callable[..., None]) -> None:
    whole = sequence(room)
    export_nxtomo(whole, tmp_path / "0.nx")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(1, 4):
        export_nxtomo(whole, tmp_path / f"{n}.nx")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 12
