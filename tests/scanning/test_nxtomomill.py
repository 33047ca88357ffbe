"""A tomographic scan, saved by the real saver, as nxtomomill reads the scans of BLISS."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer, RunReader
from firstlight.detectors import Camera
from firstlight.devices import Axis
from firstlight.devices.sim import RingCurrent, SharedBoard, SimAxis, SimShutter
from firstlight.model import RunInfo, RunState
from firstlight.process import ProcessSpec, Supervisor
from firstlight.scanning import Devices, Engine, tomo
from firstlight.storage import DataPolicy, Roots

METADATA = {
    "sample": {"name": "tooth"},
    "technique": {
        "scan": {"name": "tooth_a"},
        "optic": {"sample_pixel_size": 10.0, "sample_pixel_size@units": "um"},
    },
}


@pytest.fixture(scope="module")
def dataset_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dataset with one tomographic scan in it; the rotation axis has a name that nobody knows."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    folder = tmp_path_factory.mktemp("tomo")
    buffer = Buffer(root, spill=folder / "spill")
    dataset = DataPolicy("fl01", Roots.under(folder)).experiment("hc1234").dataset("tooth", "0001")
    states = buffer.create_run(RunInfo(name="devices", title="devices", start_epoch=0.0))
    board = SharedBoard(states, root)
    turn = Axis(SimAxis("turntable", velocity=500.0, acceleration=4000.0, board=board))
    out = Axis(SimAxis("sy", unit="mm", velocity=50.0, acceleration=500.0, board=board))
    shutter = SimShutter("fast", board=board)
    source = {
        "name": "cam", "kind": "sim.camera", "shape": [8, 12], "pixel_size": 0.01, "rotation": "turntable",
        "lateral": "sy", "shutter": "fast", "maximum_rate": 200.0,
    }  # fmt: skip
    with Supervisor("nxtomo", folder / "logs") as supervisor:
        supervisor.spawn(ProcessSpec("saver", "firstlight.storage._saver:main", {"buffer": str(root)})).wait_ready(30)
        cam = Camera.spawn(supervisor, "cam", source, root)
        devices = Devices.of([turn, out, shutter, cam, RingCurrent("ring")])
        with Engine(buffer, devices, saving=lambda what: dataset.saving()) as engine:
            outcome = engine.run(
                tomo(
                    "turntable", 0, 180, 40, 0.01, "cam", "ring", darks=3, flats=4, flat_axis="sy", flat_position=1.0,
                    returns=True, metadata=METADATA, energy="20000 eV", sample_detector_distance="5 cm",
                    source_sample_distance="145 m",
                )
            )  # fmt: skip
            for part in (*outcome.parts, outcome):
                assert is_closed(buffer.run(part.key))
            saving = buffer.run(outcome.key).info.saving
        assert saving is not None
        yield Path(saving.dataset_file)
    states.close()
    shutil.rmtree(root, ignore_errors=True)


def is_closed(run: RunReader) -> bool:
    return run.wait(lambda: run.state is RunState.CLOSED, 30)


@pytest.mark.filterwarnings("ignore")
def test_nxtomomill_finds_every_part(dataset_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("nxtomomill")
    logging.disable(logging.CRITICAL)
    try:
        from nxtomo.application.nxtomo import NXtomo
        from nxtomomill.converter import from_h5_to_nx
        from nxtomomill.io.config import TomoHDF5Config

        config = TomoHDF5Config()
        config.input_file = str(dataset_file)
        config.output_file = str(tmp_path / "tooth.nx")
        config.request_input = False
        ((file, entry),) = from_h5_to_nx(config)
        found = NXtomo().load(file, entry)
    finally:
        logging.disable(logging.NOTSET)
    keys = [key.value for key in found.instrument.detector.image_key_control]
    assert keys == [2] * 3 + [1] * 4 + [0] * 40 + [-1] * 3 + [1] * 4
    angles = found.sample.rotation_angle.to("deg").magnitude
    np.testing.assert_allclose(angles[7:47], np.arange(40) * 4.5 + angles[7], atol=1e-3)
    np.testing.assert_allclose(angles[47:50], [180, 90, 0], atol=1e-6)
    assert found.instrument.beam.incident_energy.to("keV").magnitude == pytest.approx(20.0)
    assert found.instrument.detector.distance.to("mm").magnitude == pytest.approx(50.0)
    assert found.instrument.source.distance.to("m").magnitude == pytest.approx(-145.0)
    with h5py.File(dataset_file, "r") as data:
        currents = np.concatenate([data[f"{n}.1/instrument/ring/data"][:] for n in range(2, 7)])
    np.testing.assert_allclose(found.control.data.to("mA").magnitude, currents, rtol=1e-5)
    assert found.instrument.detector.count_time.to("s").magnitude == pytest.approx([0.01] * 54)
    assert found.sample.x_pixel_size.to("um").magnitude == pytest.approx(10.0)
    assert found.sample.name == "tooth"
    assert found.title == "tooth_a"
