"""Other people's readers on our files, closed and while they are written."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, Quantity, convert
from firstlight.storage import DatasetFolder, RunSaver, compact, open_scan, write_dataset_links
from tests.storage.conftest import QUICK, Producer, frame, saving, wait_closed

Make = Callable[..., Producer]


@pytest.fixture
def growing(
    buffer: Buffer,
    dataset: DatasetFolder,
    producer: Make,
    request: pytest.FixtureRequest,
    wait_for: Callable[..., None],
) -> Iterator[tuple[Producer, Path]]:
    """A run of 40 items so far, in its dataset's file, which the saver holds open."""
    with saving(buffer) as saver:
        run = producer(dataset.saving(frames_per_file=16, compression=getattr(request, "param", "bitshuffle-lz4")))
        run.start()
        run.produce(40)

        def there() -> bool:
            if not dataset.file.exists():
                return False
            with open_scan(dataset.file) as scan:
                return len(scan.channels) == 7 and all(c.count == 40 for c in scan.channels.values())

        wait_for(there, timeout=30)
        assert saver.settle()
        yield run, dataset.file
        run.stop()
        wait_closed(buffer, run.key)


def python(code: str, *arguments: object, **environment: str) -> str:
    """What another process prints, which shares nothing with this one."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CHECK = """
import sys, hdf5plugin, numpy as np
def check(entry, n):
    assert len(entry["measurement/diode"]) == n, len(entry["measurement/diode"])
    assert np.array_equal(entry["measurement/diode"][()], np.arange(n) ** 0.5)
    assert np.array_equal(entry["instrument/positioners/rot"][()], np.arange(n) * 0.5)
    cam = entry["instrument/cam/data"]
    assert cam.shape == (n, 24, 40), cam.shape
    rows = np.arange(24)[:, None] * 31 + np.arange(40)
    for k in (0, 15, 16, n - 1):
        assert np.array_equal(cam[k], (k * 977 + rows) % 60000), k
"""


@pytest.mark.parametrize("growing", ["none", "bitshuffle-lz4"], indirect=True)
def test_h5py_reads_a_growing_file_without_locking(growing: tuple[Producer, Path]) -> None:
    python(CHECK + "import h5py\nwith h5py.File(sys.argv[1], locking=False) as f: check(f['1.1'], 40)", growing[1])


def test_a_growing_file_is_locked_against_other_writers(growing: tuple[Producer, Path], dataset: DatasetFolder) -> None:
    code = "import h5py, sys\ntry: h5py.File(sys.argv[1], 'r+')\nexcept BlockingIOError as error: print(error)"
    assert "unable to lock file" in python(code, dataset.scan_file(1))


def test_silx_reads_a_growing_file(growing: tuple[Producer, Path]) -> None:
    pytest.importorskip("silx")
    code = CHECK + (
        "from silx.io import h5py_utils\n"
        "with h5py_utils.File(sys.argv[1]) as f: check(f['1.1'], 40)\n"
        "print(h5py_utils.top_level_names(sys.argv[1]))\n"
    )
    # silx lists the scans that have an end time: those that are complete.
    assert python(code, growing[1]).strip() == "[]"


def test_silx_view_reads_a_growing_file_where_locking_is_off(growing: tuple[Producer, Path]) -> None:
    pytest.importorskip("silx")
    code = CHECK + "import silx.io\nwith silx.io.open(sys.argv[1]) as f: check(f['1.1'], 40)"
    python(code, growing[1], HDF5_USE_FILE_LOCKING="FALSE")


def test_silx_finds_the_default_plot(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    nxdata = pytest.importorskip("silx.io.nxdata")
    run = producer()
    run.start(slots=10)
    run.produce(5)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    with h5py.File(dataset.scan_file(1), "r") as file:
        plot = nxdata.get_default(file)
        assert plot is not None
        assert plot.is_valid
        assert (plot.signal_dataset_name, plot.axes_dataset_names) == ("diode", ["rot"])


FOLLOW = """
from blissdata.h5api import dynamic_hdf5
with dynamic_hdf5.File(sys.argv[1], retry_timeout=60, retry_period=0.02) as f:
    check(f["1.1"], 40)
    assert {"cam", "diode", "rot"} <= set(f["1.1"]["instrument"])
    print("half", flush=True)
    values = list(f["1.1"]["measurement"]["diode"])
    assert np.array_equal(values, np.arange(100) ** 0.5), len(values)
    print(*[int(f["1.1"]["instrument/cam/data"][k][0, 0]) for k in range(100)])
"""


def test_blissdata_follows_a_growing_file_to_its_end(
    growing: tuple[Producer, Path], dataset: DatasetFolder, buffer: Buffer
) -> None:
    """With locks switched off, and from the run's own file, because of two habits of blissdata.

    It tests the files under a virtual dataset with HDF5's locks, though it reads without, and since HDF5 1.12 the
    library refuses to mix the two. And what it has reached through an external link it does not see growing.
    """
    pytest.importorskip("blissdata")
    run = growing[0]
    reader = subprocess.Popen(
        [sys.executable, "-c", CHECK + FOLLOW, str(dataset.scan_file(1))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"},
    )
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline().strip() == "half", reader.communicate(timeout=20)[1]
        for _ in range(6):
            run.produce(10)
        run.stop()
        wait_closed(buffer, run.key)
        out, error = reader.communicate(timeout=80)
    finally:
        reader.kill()
        reader.communicate()
    assert out.split() == [str(int(frame(k)[0, 0])) for k in range(100)], error


def test_blissdata_finds_our_frames_as_those_of_lima(growing: tuple[Producer, Path], buffer: Buffer) -> None:
    """By the names of their files, from the dataset file, with its locks on; also while they are written."""
    pytest.importorskip("blissdata")
    run, file = growing
    code = CHECK + (
        "from blissdata.h5api import dynamic_hdf5\n"
        "options = dict(lima_names=['cam'], prioritize_non_native_h5items=True)\n"
        "with dynamic_hdf5.File(sys.argv[1], retry_timeout=20, retry_period=0.02, **options) as f:\n"
        "    check(f['1.1'], int(sys.argv[2]))\n"
    )
    python(code, file, 40)
    run.produce(30)
    run.stop()
    wait_closed(buffer, run.key)
    python(code, file, 70)


def test_blissdata_reads_a_merged_dataset(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> None:
    pytest.importorskip("blissdata")
    run = producer()
    run.start(slots=40)
    run.produce(30)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    write_dataset_links(dataset.file)
    compact(dataset.file)
    code = CHECK + (
        "from blissdata.h5api import dynamic_hdf5, static_hdf5\n"
        "for kind in (dynamic_hdf5, static_hdf5):\n"
        "    with kind.File(sys.argv[1]) as f: check(f['1.1'], 30)\n"
    )
    python(code, dataset.file, HDF5_USE_FILE_LOCKING="FALSE")


@contextmanager
def tomography(buffer: Buffer, dataset: DatasetFolder, producer: Make) -> Iterator[Path]:
    """A sequence, darks, flats and projections, as ``tomo`` acquires them."""
    technique: dict[str, Any] = {
        "scan_category": "tomo:fullturn",
        "scan": {
            "energy": 25.0,
            "energy@units": "keV",
            "tomo_n": 12,
            "sample_detector_distance": 50.0,
            "sample_detector_distance@units": "mm",
            "source_sample_distance": 145.0,
            "source_sample_distance@units": "m",
            "field_of_view": "Full",
        },
        "optic": {"sample_pixel_size": [0.65, 0.65], "sample_pixel_size@units": "um"},
        "detector": {"cam": {"pixel_size": [6.5, 6.5], "pixel_size@units": "um"}},
        "tomoconfig": {
            "rotation": ["rot"],
            "detector": ["cam"],
            "translation_z": ["sz"],
            "translation_y": ["sy"],
            "sample_x": ["sx"],
            "rotation_is_clockwise": False,
        },
    }
    still = {
        "sz": Quantity(value=1.5, unit="mm"),
        "sy": Quantity(value=0.0, unit="mm"),
        "sx": Quantity(value=0.2, unit="mm"),
    }
    sequence = producer(name="tomo", title="tomo rot 0 360 12", axes=(), plots=(), metadata={"technique": technique})
    sequence.run.running()
    sequence.stop()
    RunSaver(buffer, buffer.run(sequence.key), QUICK).save()
    for title, key, count in (("darks", 2, 3), ("flats", 1, 4), ("projections", 0, 12)):
        moving = key == 0
        run = producer(
            name=f"tomo:{title}",
            title=title,
            parent=sequence.key,
            npoints=count,
            axes=("rot",) if moving else (),
            positioners={**still, "rot": Quantity(value=0.0, unit="deg")},
            metadata={"technique": {"image_key": key}},
        )
        cam = run.run.create_ring(
            ChannelSpec("cam", "<u2", (24, 40), kind=ChannelKind.RING, role=ChannelRole.FRAME), count
        )
        ring = run.run.create_log(ChannelSpec("current", unit="mA", role=ChannelRole.COUNTER))
        if moving:
            rot = run.run.create_log(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS))
            rot.append(np.arange(count) * 30.0)
        run.run.running()
        ring.append(np.full(count, 199.0))
        cam.append(np.stack([frame(100 * key + k) for k in range(count)]))
        run.stop()
        RunSaver(buffer, buffer.run(run.key), QUICK).save()
    write_dataset_links(dataset.file)
    yield dataset.file


def in_metres(dataset: h5py.Dataset) -> float:
    return convert(f"{np.ravel(dataset[()])[0]} {dataset.attrs['units']}", "m")


@pytest.mark.parametrize("merged", [False, True])
def test_nxtomomill_makes_an_nxtomo_of_our_dataset(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, tmp_path: Path, merged: bool
) -> None:
    pytest.importorskip("nxtomomill")
    out = tmp_path / "out.nx"
    with tomography(buffer, dataset, producer) as file:
        if merged:
            compact(file)
        code = (
            "import sys, logging\n"
            "from nxtomomill.converter import from_h5_to_nx\n"
            "from nxtomomill.models.h52nx import H52nxModel\n"
            "c = H52nxModel(); c.input_file, c.output_file = sys.argv[1:]\n"
            "c.single_file = True; c.request_input = False; c.no_input = True\n"
            "print(from_h5_to_nx(configuration=c))\n"
        )
        log = python(code, file, out)
        assert "entry0000" in log
    with h5py.File(out, "r") as result:
        entry = result["entry0000"]
        detector = entry["instrument/detector"]
        assert detector["image_key"][()].tolist() == [2] * 3 + [1] * 4 + [0] * 12
        np.testing.assert_array_equal(detector["data"][0], frame(200))
        np.testing.assert_array_equal(detector["data"][3], frame(100))
        np.testing.assert_array_equal(detector["data"][18], frame(11))
        np.testing.assert_allclose(entry["sample/rotation_angle"][7:], np.arange(12) * 30.0)
        assert entry["instrument/beam/incident_energy"][()] == pytest.approx(25.0)
        assert detector["count_time"][0] == pytest.approx(0.01)
        assert in_metres(detector["x_pixel_size"]) == pytest.approx(6.5e-6)
        # NeXus counts z along the beam and y upwards.
        assert in_metres(entry["sample/y_translation"]) == pytest.approx(1.5e-3)
        assert in_metres(entry["sample/z_translation"]) == pytest.approx(0.2e-3)


def test_nxvalidate_finds_no_error_in_our_scans(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an application definition little is checked: that it opens, and that base classes are used rightly."""
    pytest.importorskip("nexusformat")
    run = producer()
    run.start(slots=10)
    run.produce(5)
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    code = (
        "import sys\n"
        "from nexusformat.nexus import nxload\n"
        "tree = nxload(sys.argv[1])\n"
        "print(tree['1.1'].nxclass, tree['1.1/plotselect'].nxsignal.nxname, tree['1.1/instrument/rot'].nxclass)\n"
    )
    assert python(code, dataset.scan_file(1)).split() == ["NXentry", "diode", "NXpositioner"]
    logging.getLogger().handlers.clear()
