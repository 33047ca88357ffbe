from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Surroundings, build_source
from firstlight.devices.replay import ReplayCamera, open_recording
from firstlight.devices.sim import MemoryBoard, SimAxis, SimShutter
from firstlight.model import DeviceError, FakeClock, InvalidInput, NotFound, TriggerMode, TriggerPlan


class Scene:
    """A replay camera on simulated devices in fake time."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.clock, self.board = FakeClock(), MemoryBoard()
        common: Any = {"clock": self.clock, "board": self.board}
        self.rot = SimAxis("rot", velocity=20.0, acceleration=400.0, **common)
        self.sx = SimAxis("sx", unit="mm", instant=True, **common)
        self.shutter = SimShutter("fast", **common)
        config = {"name": "cam", "file": str(path), "rotation": "rot", "lateral": "sx", "shutter": "fast"}
        source = build_source("replay", config | settings, Surroundings(self.clock, self.board))
        assert isinstance(source, ReplayCamera)
        self.camera = source

    def shoot(self, count: int) -> list[NDArray[Any]]:
        self.camera.prepare(TriggerPlan(mode=TriggerMode.TIME, points=count, exposure=0.01, period=0.02))
        self.camera.start(self.clock.now())
        return self.collect(count)

    def collect(self, count: int) -> list[NDArray[Any]]:
        frames = []
        for index in range(count):
            frame = np.empty(self.camera.info.shape, self.camera.info.dtype)
            assert self.camera.acquire(index, frame, 10.0) is not None
            frames.append(frame)
        return frames

    def turn(self, start: float, stop: float, intervals: int, exposure: float = 0.01) -> list[NDArray[Any]]:
        """A continuous scan, each frame over one interval."""
        step = (stop - start) / intervals
        asyncio.run(self.rot.move(start - 5.0 * np.sign(step)))
        plan = TriggerPlan(
            mode=TriggerMode.POSITION, points=intervals, exposure=exposure, axis="rot", first=start, step=step
        )
        self.camera.prepare(plan)
        self.camera.start(self.clock.now())
        asyncio.run(self.rot.move(stop + 5.0 * np.sign(step), velocity=abs(step) / exposure * 0.9))
        return self.collect(intervals)


def numbers(frames: list[NDArray[Any]]) -> list[int]:
    return [int(frame[0, 0]) for frame in frames]


@pytest.fixture
def scene(data_exchange: Callable[..., Path]) -> Scene:
    return Scene(data_exchange())


def test_darks_with_the_shutter_closed_flats_with_the_sample_out_in_their_order(scene: Scene) -> None:
    assert numbers(scene.shoot(5)) == [10, 11, 12, 10, 11]
    asyncio.run(scene.shutter.open())
    asyncio.run(scene.sx.move(-5.0))
    assert numbers(scene.shoot(6)) == [500, 501, 502, 503, 500, 501]
    asyncio.run(scene.sx.move(0.0))
    assert numbers(scene.shoot(2)) == [1000, 1000]


def test_the_scan_of_the_recording_gives_its_frames_in_their_order(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    start, stop, intervals = scene.camera.recording.scan()
    assert numbers(scene.turn(start, stop, intervals)) == list(range(1000, 1019))


def test_a_scan_half_a_step_beside_it_does_as_well(scene: Scene) -> None:
    """Frames whose middles lie between two recorded angles must not be chosen by roundoff."""
    asyncio.run(scene.shutter.open())
    assert numbers(scene.turn(0.0, 190.0, 19)) == list(range(1000, 1019))


def test_another_number_of_points_gives_the_nearest_projections(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    assert numbers(scene.turn(0.0, 180.0, 36)) == [1000 + round(2.5 * (2 * k + 1) / 10 - 1e-9) for k in range(36)]


def test_backwards_and_whole_turns_away_it_serves_the_same_angles(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    assert numbers(scene.turn(185.0, -5.0, 19)) == list(range(1018, 999, -1))
    assert numbers(scene.turn(355.0, 545.0, 19)) == list(range(1000, 1019))


def test_an_angle_that_was_not_recorded_is_an_error_that_says_what_was(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    asyncio.run(scene.rot.move(270.0))
    with pytest.raises(DeviceError, match=r"cam: scan\.h5 holds no projection near 270 deg; it has 0 to 180 deg"):
        scene.shoot(1)


def test_a_recording_without_darks_says_so_when_they_are_asked_for(data_exchange: Callable[..., Path]) -> None:
    scene = Scene(data_exchange(leave_out="exchange/data_dark"))
    with pytest.raises(DeviceError, match="holds no darks"):
        scene.shoot(1)


def test_frames_keep_the_type_of_the_projections_and_are_not_wrapped(
    data_exchange: Callable[..., Path], tmp_path: Path
) -> None:
    import h5py

    path = data_exchange()
    with h5py.File(path, "a") as file:
        del file["exchange/data_dark"]
        file["exchange/data_dark"] = np.full((1, 6, 8), -3.4, "<f4")
        del file["exchange/data_white"]
        file["exchange/data_white"] = np.full((1, 6, 8), 70_000.6, "<f8")
    scene = Scene(path)
    assert scene.camera.info.dtype == "<u2"
    assert numbers(scene.shoot(1)) == [0]
    asyncio.run(scene.shutter.open())
    asyncio.run(scene.sx.move(5.0))
    assert numbers(scene.shoot(1)) == [65535]


def test_the_real_tooth_is_served_frame_by_frame(tooth_file: Path) -> None:
    scene = Scene(tooth_file)
    recording = open_recording(tooth_file)
    assert scene.camera.info.shape == (2, 640)
    assert recording.darks is not None
    assert recording.flats is not None
    for k, frame in enumerate(scene.shoot(10)):
        np.testing.assert_array_equal(frame, recording.darks[k])
    asyncio.run(scene.shutter.open())
    asyncio.run(scene.sx.move(5.0))
    for k, frame in enumerate(scene.shoot(10)):
        np.testing.assert_array_equal(frame, recording.flats[k])
    asyncio.run(scene.sx.move(0.0))
    for k, frame in enumerate(scene.turn(*recording.scan())):
        np.testing.assert_array_equal(frame, recording.projections[k])
    recording.close()
    scene.camera.close()


@pytest.mark.parametrize(
    ("config", "error", "why"),
    [
        ({}, InvalidInput, "replay: the setting 'file' is missing"),
        ({"file": "nowhere.h5", "rotation": "rot"}, NotFound, "no file nowhere.h5"),
        ({"file": "x", "rotation": "rot", "out": "0 mm"}, InvalidInput, "out"),
    ],
)
def test_a_wrong_configuration_is_one_clear_sentence(config: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        build_source("replay", config, Surroundings(FakeClock()))
