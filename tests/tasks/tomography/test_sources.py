"""Projections from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.model import InvalidInput, NotFound
from firstlight.tasks.tomography import Projections, open_projections

h5py = pytest.importorskip("h5py")

FRAMES = np.arange(7 * 3 * 4, dtype=np.uint16).reshape(7, 3, 4)
KEYS = np.array([2, 1, 0, 0, 0, 1, 3])
ANGLES = np.array([0.0, 0.0, 0.0, 60.0, 120.0, 120.0, 0.0])


def write_nxtomo(file: Any, name: str = "entry", **extra: Any) -> Any:
    entry = file.create_group(name)
    entry["definition"] = "NXtomo"
    entry["title"] = "a scan"
    entry["instrument/detector/data"] = FRAMES
    entry["instrument/detector/image_key"] = KEYS
    entry["sample/rotation_angle"] = ANGLES
    entry["sample/rotation_angle"].attrs["units"] = "degree"
    entry["sample/name"] = "stone"
    for path, (value, unit) in extra.items():
        entry[path.replace("__", "/")] = value
        entry[path.replace("__", "/")].attrs["units"] = unit
    return entry


def test_an_nxtomo_entry_gives_projections_flats_and_darks(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        write_nxtomo(
            file,
            instrument__detector__x_pixel_size=(6.5, "um"),
            instrument__detector__y_pixel_size=(7.5e-6, "m"),
            instrument__detector__distance=(-300.0, "mm"),
            instrument__beam__incident_energy=(19000.0, "eV"),
            control__data=(np.full(7, 200.0), "mA"),
        )
    with open_projections(tmp_path / "a.nx") as found:
        assert np.array_equal(found.frames[0:3, 0:3], FRAMES[2:5])
        assert found.flats is not None
        assert np.array_equal(found.flats[0:2, 0:3], FRAMES[[1, 5]])
        assert found.angles.tolist() == [0.0, 60.0, 120.0]
        assert found.pixel_size == pytest.approx((7.5e-6, 6.5e-6))
        assert found.distance == pytest.approx(0.3)
        assert found.energy == pytest.approx(19.0)
        assert found.monitor is not None
        assert (found.title, found.sample, found.entry) == ("a scan", "stone", "/entry")
        assert found.file == str(tmp_path / "a.nx")


def test_angles_in_radians_are_turned_into_degrees(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        entry = write_nxtomo(file)
        entry["sample/rotation_angle"][...] = np.deg2rad(ANGLES)
        entry["sample/rotation_angle"].attrs["units"] = "rad"
    with open_projections(tmp_path / "a.nx") as found:
        assert np.allclose(found.angles, [0, 60, 120])


def test_frames_taken_again_for_alignment_are_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        entry = write_nxtomo(file)
        entry["instrument/detector/image_key_control"] = np.array([2, 1, 0, 0, -1, 1, 3])
    with open_projections(tmp_path / "a.nx") as found:
        assert found.angles.tolist() == [0.0, 60.0]


def test_a_file_of_the_nxtomo_package_is_read(tmp_path: Path) -> None:
    application = pytest.importorskip("nxtomo.application.nxtomo")
    made = application.NXtomo()
    made.instrument.detector.data = FRAMES
    made.instrument.detector.image_key_control = KEYS
    unit = pytest.importorskip("pint").get_application_registry()
    made.instrument.detector.x_pixel_size = made.instrument.detector.y_pixel_size = 5 * unit.micrometer
    made.instrument.detector.distance = 0.25 * unit.meter
    made.sample.rotation_angle = ANGLES * unit.degree
    made.sample.name = "stone"
    made.energy = 22.0 * unit.keV
    made.save(str(tmp_path / "b.nx"), data_path="entry0000")
    with open_projections(f"{tmp_path / 'b.nx'}::/entry0000") as found:
        assert np.array_equal(found.frames[0:3, 0:3], FRAMES[2:5])
        assert found.pixel_size == pytest.approx((5e-6, 5e-6))
        assert found.distance == pytest.approx(0.25)
        assert found.energy == pytest.approx(22.0)
        assert found.sample == "stone"


def test_of_several_entries_one_has_to_be_chosen(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "c.nx", "w") as file:
        write_nxtomo(file, "first")
        write_nxtomo(file, "second")
    with pytest.raises(InvalidInput, match="several"), open_projections(tmp_path / "c.nx"):
        pass
    with open_projections(tmp_path / "c.nx", "second") as found:
        assert found.entry == "/second"
    with h5py.File(tmp_path / "c.nx", "a") as file:
        file.attrs["default"] = "first"
    with open_projections(tmp_path / "c.nx") as found:
        assert found.entry == "/first"


def test_data_exchange_is_read_with_and_without_angles(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["exchange/data"] = FRAMES[:4]
        file["exchange/data_white"] = FRAMES[4:6]
        file["exchange/data_dark"] = FRAMES[6:]
        file["measurement/instrument/detection_system/objective/resolution"] = 1.5
    with open_projections(tmp_path / "d.h5") as found:
        assert found.angles.tolist() == [0, 45, 90, 135]
        assert found.pixel_size == pytest.approx((1.5e-6, 1.5e-6))
        assert found.flats is not None
        assert found.flats.shape == (2, 3, 4)
        assert found.monitor is None
    with h5py.File(tmp_path / "d.h5", "a") as file:
        file["exchange/theta"] = [0.0, 10.0, 20.0, 30.0]
    with open_projections(tmp_path / "d.h5") as found:
        assert found.angles.tolist() == [0, 10, 20, 30]


def test_the_real_tooth_is_read(tooth_file: Path) -> None:
    with open_projections(tooth_file) as found:
        assert found.frames.shape == (181, 2, 640)
        assert found.sample == "Tooth"
        assert found.angles[-1] == pytest.approx(179.0055, abs=1e-3)


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        (lambda path: None, NotFound, "no file"),
        (lambda path: path.write_text("hello"), InvalidInput, "no HDF5 file"),
        (lambda path: h5py.File(path, "w").close(), InvalidInput, "holds no tomography"),
    ],
    ids=["missing", "foreign", "empty"],
)
def test_other_files_are_refused_in_one_sentence(
    tmp_path: Path, write: Callable[[Path], object], error: type[Exception], words: str
) -> None:
    path = tmp_path / "x.h5"
    write(path)
    with pytest.raises(error, match=words), open_projections(path):
        pass


def test_a_wrong_entry_and_an_entry_without_frames_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "e.nx", "w") as file:
        write_nxtomo(file)
        file.create_group("bare")["definition"] = "NXtomo"
    with pytest.raises(NotFound, match="has no /other"), open_projections(f"{tmp_path / 'e.nx'}::/other"):
        pass
    with pytest.raises(InvalidInput, match="no frames or no angles"), open_projections(tmp_path / "e.nx", "bare"):
        pass


def test_simulated_projections_fit_together(scan: Callable[..., Projections]) -> None:
    assert scan().frames.shape == (180, 6, 96)
