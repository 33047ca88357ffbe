"""The conformance suite of frame sources over all that Firstlight brings."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import MemoryBoard, SimAxis
from firstlight.model import Clock, FrameSource, RealClock
from firstlight.testing import FrameSourceConformance


def simulated(clock: Clock) -> FrameSource:
    config = {"name": "cam", "shape": [6, 8], "dead_time": "1 ms", "maximum_rate": "100 Hz", "sample": "none"}
    return build_source("sim.camera", config, Surroundings(clock, MemoryBoard()))


class TestSimulatedCamera(FrameSourceConformance):
    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        return simulated(clock)


class TestSimulatedCameraInRealTime(FrameSourceConformance):
    @pytest.fixture
    def clock(self) -> Clock:
        return RealClock()

    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        return simulated(clock)


class TestAreaDetector(FrameSourceConformance):
    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        config = {"name": "eiger", "shape": [8, 9], "centre": [3.0, 4.0], "sample": {"material": "LaB6"}}
        return build_source("sim.area_detector", config, Surroundings(clock, MemoryBoard()))


class TestTurningCrystal(FrameSourceConformance):
    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        config = {"name": "eiger", "shape": [8, 9], "sample": {"technique": "crystal", "material": "Si"}}
        return build_source("sim.area_detector", config, Surroundings(clock, MemoryBoard()))


class TestDarkField(FrameSourceConformance):
    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        config = {"name": "cam", "shape": [8, 9], "sample": {"technique": "darkfield", "grains": 2}}
        return build_source("sim.area_detector", config, Surroundings(clock, MemoryBoard()))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["implements"] = "exchange"
        file["exchange/data"] = np.ones((5, 6, 8), "<u2")
        file["exchange/data_dark"] = np.ones((2, 6, 8), "<u2")
        file["exchange/data_white"] = np.ones((2, 6, 8), "<u2")
        file.create_dataset("exchange/theta", data=np.linspace(0, 180, 5)).attrs["units"] = "degrees"
    return tmp_path / "scan.h5"


class TestReplay(FrameSourceConformance):
    @pytest.fixture
    def new_source(self, clock: Clock, recorded: Path) -> FrameSource:
        board = MemoryBoard()
        SimAxis("rot", clock=clock, board=board)
        return build_source(
            "replay", {"name": "cam", "file": str(recorded), "rotation": "rot"}, Surroundings(clock, board)
        )


class _Late:
    """A camera whose stamps are wrong."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def acquire(self, index: int, frame: object, timeout: float) -> object:
        stamp = self._source.acquire(index, frame, timeout)  # type: ignore[arg-type]
        return None if stamp is None else type(stamp)(stamp.start + 0.01, stamp.stop + 0.01, stamp.status)


def test_wrong_stamps_are_found() -> None:
    from firstlight.model import FakeClock

    clock = FakeClock()
    suite = FrameSourceConformance()
    source = _Late(simulated(clock))
    with pytest.raises(AssertionError):
        suite.test_in_time_each_frame_is_stamped_with_its_own_exposure(source, clock)  # type: ignore[arg-type]
    suite.test_in_time_each_frame_is_stamped_with_its_own_exposure(simulated(clock), clock)
