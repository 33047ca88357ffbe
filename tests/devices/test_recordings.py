from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.devices.replay import Recording, Stack, open_recording
from firstlight.model import (
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    EndReason,
    InvalidInput,
    MissingExtra,
    NotFound,
    RunEnd,
    RunInfo,
)
from firstlight.storage import DataPolicy, DatasetFolder, Roots, RunSaver, SaverOptions, write_dataset_links


def content(recording: Recording) -> tuple[list[int], list[int], list[int]]:
    """The numbers of darks, flats and projections."""

    def numbers(stack: Stack | None) -> list[int]:
        return [] if stack is None else [int(stack[k][0, 0]) for k in range(len(stack))]

    return numbers(recording.darks), numbers(recording.flats), numbers(recording.projections)


class TestDataExchange:
    def test_frames_angles_and_kinds_are_read(self, data_exchange: Callable[..., Path]) -> None:
        recording = open_recording(data_exchange())
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        np.testing.assert_allclose(recording.angles, np.linspace(0.0, 180.0, 19))
        assert recording.projections.shape == (6, 8)
        assert recording.pixel_size is None
        recording.close()

    def test_angles_in_radians_are_converted(self, data_exchange: Callable[..., Path]) -> None:
        recording = open_recording(data_exchange(radians=True))
        np.testing.assert_allclose(recording.angles, np.linspace(0.0, 180.0, 19))
        recording.close()

    def test_darks_and_flats_may_be_absent(self, data_exchange: Callable[..., Path]) -> None:
        recording = open_recording(data_exchange(leave_out="exchange/data_dark"))
        assert recording.darks is None
        assert recording.flats is not None
        recording.close()

    def test_without_angles_it_says_so(self, data_exchange: Callable[..., Path]) -> None:
        with pytest.raises(InvalidInput, match="no exchange/theta"):
            open_recording(data_exchange(leave_out="exchange/theta"))

    def test_angles_that_do_not_fit_the_frames_are_refused(self, data_exchange: Callable[..., Path]) -> None:
        path = data_exchange()
        with h5py.File(path, "a") as file:
            del file["exchange/theta"]
            file["exchange/theta"] = np.arange(5.0)
        with pytest.raises(InvalidInput, match="19 projections, but 5 angles"):
            open_recording(path)

    def test_the_real_tooth_is_read(self, tooth_file: Path) -> None:
        recording = open_recording(tooth_file)
        assert recording.darks is not None
        assert recording.flats is not None
        assert (len(recording.projections), len(recording.darks), len(recording.flats)) == (181, 10, 10)
        assert recording.projections.shape == (2, 640)
        start, stop, intervals = recording.scan()
        assert intervals == 181
        middles = start + (np.arange(181) + 0.5) * (stop - start) / 181
        np.testing.assert_allclose(middles, recording.angles, atol=1e-6)
        recording.close()


class TestNXtomo:
    def write(self, path: Path, made: Any) -> Path:
        import pint
        from nxtomo.application.nxtomo import NXtomo
        from nxtomo.nxobject.nxdetector import ImageKey

        units = pint.application_registry
        frames = np.concatenate([made.darks, made.flats, made.projections, made.flats[:1], made.projections[:2]])
        keys = [ImageKey.DARK_FIELD] * 3 + [ImageKey.FLAT_FIELD] * 4 + [ImageKey.PROJECTION] * 19
        keys += [ImageKey.INVALID, ImageKey.ALIGNMENT, ImageKey.ALIGNMENT]
        nxtomo = NXtomo()
        nxtomo.instrument.detector.data = frames
        nxtomo.instrument.detector.image_key_control = keys
        nxtomo.instrument.detector.x_pixel_size = nxtomo.instrument.detector.y_pixel_size = 2.5 * units.micrometer
        angles = np.concatenate([np.zeros(7), made.angles, [0.0, 180.0, 0.0]])
        nxtomo.sample.rotation_angle = angles * units.degree
        nxtomo.save(str(path), data_path="entry0000")
        return path

    def test_what_nxtomo_writes_is_read(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        made = tomography()
        recording = open_recording(self.write(tmp_path / "scan.nx", made))
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        np.testing.assert_allclose(recording.angles, made.angles)
        assert recording.pixel_size == pytest.approx((2.5e-6, 2.5e-6))
        recording.close()

    def test_lengths_that_differ_are_refused(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        path = self.write(tmp_path / "scan.nx", tomography())
        with h5py.File(path, "a") as file:
            del file["entry0000/instrument/detector/image_key"]
            file["entry0000/instrument/detector/image_key"] = np.zeros(4, int)
        with pytest.raises(InvalidInput, match="29 frames, 4 image keys and 29 angles"):
            open_recording(path)


def bliss_scan(file: h5py.File, entry: str, title: str, frames: Any, rot: Any = None, key: int | None = None) -> None:
    group = file.create_group(entry)
    group["title"] = title
    group["end_time"] = "2026-01-01T00:00:00+00:00"
    group["instrument/cam/data"] = frames
    group["instrument/cam"].attrs["NX_class"] = "NXdetector"
    group["measurement/cam"] = h5py.SoftLink(f"/{entry}/instrument/cam/data")
    if rot is not None:
        value = group.create_dataset("instrument/rot/value", data=rot)
        value.attrs["units"] = "deg"
        group["instrument/rot"].attrs["NX_class"] = "NXpositioner"
        group["measurement/rot"] = h5py.SoftLink(f"/{entry}/instrument/rot/value")
    if key is not None:
        group["technique/image_key"] = key


class TestBliss:
    def test_scans_are_told_apart_by_their_titles(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        made = tomography()
        path = tmp_path / "dataset.h5"
        with h5py.File(path, "w") as file:
            file.create_group("1.1")["title"] = "tomo:fullturn"
            bliss_scan(file, "2.1", "dark images", made.darks)
            bliss_scan(file, "3.1", "reference images 1", made.flats[:2])
            bliss_scan(file, "4.1", "projections 0 - 10", made.projections[:10], made.angles[:10])
            bliss_scan(file, "10.1", "projections 10 - 19", made.projections[10:], made.angles[10:])
            bliss_scan(file, "11.1", "reference images 2", made.flats[2:])
            bliss_scan(file, "12.1", "static images", made.projections[:2], made.angles[:2])
        recording = open_recording(path)
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        np.testing.assert_allclose(recording.angles, made.angles)
        recording.close()

    def test_an_image_key_says_more_than_a_title(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        made = tomography()
        path = tmp_path / "dataset.h5"
        with h5py.File(path, "w") as file:
            bliss_scan(file, "1.1", "loopscan 3 0.1", made.darks, key=2)
            bliss_scan(file, "2.1", "loopscan 4 0.1", made.flats, key=1)
            bliss_scan(file, "3.1", "fscan rot 0 10 19 0.1", made.projections, made.angles, key=0)
        recording = open_recording(path)
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        recording.close()

    def test_of_several_tomographies_the_last_one_is_taken(
        self, tmp_path: Path, tomography: Callable[..., Any]
    ) -> None:
        made = tomography()
        path = tmp_path / "dataset.h5"
        with h5py.File(path, "w") as file:
            bliss_scan(file, "1.1", "dark images", made.darks[:1])
            bliss_scan(file, "2.1", "projections", made.projections[::-1], made.angles)
            bliss_scan(file, "3.1", "dark images", made.darks[1:])
            bliss_scan(file, "4.1", "projections", made.projections, made.angles)
        recording = open_recording(path)
        assert content(recording) == ([11, 12], [], list(range(1000, 1019)))
        recording.close()

    def test_projections_without_angles_are_refused(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        path = tmp_path / "dataset.h5"
        with h5py.File(path, "w") as file:
            bliss_scan(file, "1.1", "projections", tomography().projections)
        with pytest.raises(InvalidInput, match="does not say how the sample was turned"):
            open_recording(path)


def save_run(
    buffer: Buffer, dataset: DatasetFolder, number: int, name: str, title: str, key: int, frames: Any, rot: Any = None
) -> None:
    """One run through our own buffer and saver."""
    info = RunInfo(
        name=name, title=title, start_epoch=time.time(), npoints=len(frames), axes=("rot",) if rot is not None else (),
        saving=dataset.saving(number), metadata={"technique": {"image_key": key}},
    )  # fmt: skip
    with buffer.create_run(info, readers=["saver"]) as run:
        camera = run.create_ring(
            ChannelSpec("cam", "<u2", frames.shape[1:], kind=ChannelKind.RING, role=ChannelRole.FRAME), 32
        )
        camera.append(frames)
        if rot is not None:
            run.create_log(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS)).append(np.asarray(rot))
        run.prepared()
        run.running()
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
        options = SaverOptions(flush=0.02, collect=0.005, links=0.01, retry=0.1, minimum_free=0, low_free=0)
        RunSaver(buffer, buffer.run(run.key), options).save()


class TestOwnFiles:
    def test_what_our_own_storage_wrote_is_read(
        self, buffer_root: Path, tmp_path: Path, tomography: Callable[..., Any]
    ) -> None:
        made = tomography()
        buffer = Buffer(buffer_root, budget=128 << 20, spill=tmp_path / "spill")
        policy = DataPolicy("fl01", Roots.under(tmp_path / "data"))
        dataset = policy.experiment("hc1234", "20260102").dataset("tooth", "one")
        save_run(buffer, dataset, 1, "tomo:dark", "dark images", 2, made.darks)
        save_run(buffer, dataset, 2, "tomo:flat", "reference images 1", 1, made.flats)
        save_run(buffer, dataset, 3, "tomo:projections", "projections rot 0 180 19", 0, made.projections, made.angles)
        write_dataset_links(dataset.file)
        recording = open_recording(dataset.file)
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        np.testing.assert_allclose(recording.angles, made.angles)
        recording.close()


class TestImages:
    @staticmethod
    def write(folder: Path, made: Any, suffix: str, header: Callable[[float], dict[str, str]] | None = None) -> None:
        fabio = pytest.importorskip("fabio")
        folder.mkdir()
        classes = {".edf": fabio.edfimage.EdfImage, ".tif": fabio.tifimage.TifImage, ".cbf": fabio.cbfimage.CbfImage}
        for name, frames in (("dark", made.darks), ("refHST", made.flats), ("tooth_", made.projections)):
            for k, frame in enumerate(frames):
                data = frame.astype("<i4") if suffix == ".cbf" else frame
                head = header(float(made.angles[k])) if header is not None and name == "tooth_" else {}
                # Numbers without leading zeros: their order is not that of the text.
                classes[suffix](data=data, header=head).write(str(folder / f"{name}{k}{suffix}"))

    @pytest.mark.parametrize("suffix", [".edf", ".tif", ".cbf"])
    def test_folders_of_images_are_read_in_the_order_of_their_numbers(
        self, tmp_path: Path, tomography: Callable[..., Any], suffix: str
    ) -> None:
        made = tomography()
        self.write(tmp_path / "scan", made, suffix)
        recording = open_recording(tmp_path / "scan", (0.0, 180.0))
        assert content(recording) == (list(range(10, 13)), list(range(500, 504)), list(range(1000, 1019)))
        np.testing.assert_allclose(recording.angles, made.angles)

    def test_angles_are_taken_from_edf_headers(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        made = tomography()
        head = lambda angle: {"motor_mne": "sx sz srot", "motor_pos": f"0.1 2.0 {angle!r}"}  # noqa: E731
        self.write(tmp_path / "scan", made, ".edf", head)
        np.testing.assert_allclose(open_recording(tmp_path / "scan").angles, made.angles)

    def test_images_of_several_frames_count_as_several(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        fabio = pytest.importorskip("fabio")
        made = tomography()
        image = fabio.edfimage.EdfImage(data=made.projections[0])
        for frame in made.projections[1:]:
            image.append_frame(data=frame)
        image.write(str(tmp_path / "all.edf"))
        recording = open_recording(tmp_path / "all.edf", (0.0, 180.0))
        assert content(recording)[2] == list(range(1000, 1019))

    def test_a_pattern_chooses_among_the_files_of_a_folder(
        self, tmp_path: Path, tomography: Callable[..., Any]
    ) -> None:
        self.write(tmp_path / "scan", tomography(), ".tif")
        recording = open_recording(tmp_path / "scan" / "tooth_?.tif", (0.0, 90.0))
        assert content(recording) == ([], [], list(range(1000, 1010)))

    def test_without_angles_it_says_what_to_give(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        self.write(tmp_path / "scan", tomography(), ".tif")
        with pytest.raises(InvalidInput, match=r"at which angles.*Give the angles"):
            open_recording(tmp_path / "scan")

    def test_without_fabio_the_error_names_the_extra(
        self, tmp_path: Path, tomography: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.write(tmp_path / "scan", tomography(), ".tif")
        monkeypatch.setitem(sys.modules, "fabio", None)
        with pytest.raises(MissingExtra, match=r"firstlight\[images\]"):
            open_recording(tmp_path / "scan")


class TestForeignFiles:
    """Whatever is given, the answer is one clear sentence."""

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"There is no file .*nothing\.h5"):
            open_recording(tmp_path / "nothing.h5")

    def test_a_file_that_is_no_hdf5(self, tmp_path: Path) -> None:
        path = tmp_path / "letter.h5"
        path.write_text("Dear colleague")
        with pytest.raises(InvalidInput, match=r"letter\.h5 is no HDF5 file"):
            open_recording(path)

    def test_an_hdf5_file_of_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "other.h5"
        with h5py.File(path, "w") as file:
            file["entry/instrument/cam"] = np.zeros((3, 4))
            file["numbers"] = [1, 2]
            file["gone"] = h5py.ExternalLink("nowhere.h5", "/")
        with pytest.raises(InvalidInput, match=r"holds no tomography that Firstlight knows.*Data Exchange"):
            open_recording(path)

    def test_a_damaged_file(self, data_exchange: Callable[..., Path]) -> None:
        path = data_exchange()
        path.write_bytes(path.read_bytes()[:700])
        with pytest.raises(InvalidInput, match="no HDF5 file, or it is damaged"):
            open_recording(path)

    def test_a_file_without_projections(self, data_exchange: Callable[..., Path]) -> None:
        path = data_exchange()
        with h5py.File(path, "a") as file:
            del file["exchange/data"], file["exchange/theta"]
            file["exchange/data"] = np.zeros((0, 4, 5))
            file["exchange/theta"] = np.zeros(0)
        with pytest.raises(InvalidInput, match="holds no projections"):
            open_recording(path)

    def test_flats_of_another_shape(self, data_exchange: Callable[..., Path]) -> None:
        path = data_exchange()
        with h5py.File(path, "a") as file:
            del file["exchange/data_white"]
            file["exchange/data_white"] = np.zeros((2, 3, 3))
        with pytest.raises(InvalidInput, match=r"flats of scan\.h5 are"):
            open_recording(path)

    def test_a_folder_without_images(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="no images"):
            open_recording(tmp_path)
        with pytest.raises(NotFound, match="no folder"):
            open_recording(tmp_path / "nowhere" / "*.edf")

    def test_a_folder_of_darks_only(self, tmp_path: Path, tomography: Callable[..., Any]) -> None:
        made = tomography()
        made.projections, made.flats = made.projections[:0], made.flats[:0]
        TestImages.write(tmp_path / "scan", made, ".tif")
        with pytest.raises(InvalidInput, match="no projections"):
            open_recording(tmp_path / "scan")

    def test_an_image_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "a.edf").write_text("not an image")
        with pytest.raises(InvalidInput, match=r"a\.edf is no image"):
            open_recording(tmp_path, (0.0, 1.0))

    def test_uneven_angles_make_no_continuous_scan(self, data_exchange: Callable[..., Path]) -> None:
        path = data_exchange()
        with h5py.File(path, "a") as file:
            file["exchange/theta"][3] = 39.0
        recording = open_recording(path)
        with pytest.raises(InvalidInput, match="not evenly spaced"):
            recording.scan()
        recording.close()
