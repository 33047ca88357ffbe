from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import MemoryBoard, SimAxis, SimCamera, SimShutter
from firstlight.model import STATUS_GOOD, STATUS_SATURATED, FakeClock, FrameStamp, TriggerMode, TriggerPlan
from firstlight.model.motion import positions
from firstlight.simulation import Pose

CONFIG: dict[str, Any] = {
    "name": "cam", "shape": [32, 48], "pixel_size": "50 um", "rotation": "rot", "lateral": "sx", "shutter": "fast",
    "flux": 1e6, "ring": {"lifetime": 1e12}, "seed": 4,
}  # fmt: skip


class Scene:
    """A camera, a shutter and two axes in fake time."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.board = FakeClock(), MemoryBoard()
        common: Any = {"clock": self.clock, "board": self.board}
        self.rot = SimAxis("rot", velocity=20.0, acceleration=100.0, **common)
        self.sx = SimAxis("sx", unit="mm", instant=True, **common)
        self.shutter = SimShutter("fast", **common)
        source = build_source("sim.camera", CONFIG | settings, Surroundings(self.clock, self.board))
        assert isinstance(source, SimCamera)
        self.camera = source

    def shoot(self, exposure: float = 0.01) -> tuple[NDArray[Any], FrameStamp]:
        self.camera.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=exposure))
        self.camera.start(self.clock.now())
        self.camera.trigger()
        frame = np.empty(self.camera.info.shape, self.camera.info.dtype)
        stamp = self.camera.acquire(0, frame, 10.0 + exposure)
        assert stamp is not None
        return frame, stamp

    def expected(self, *poses: Pose, exposure: float = 0.01) -> NDArray[np.float32]:
        return self.camera.imager.expected(poses, exposure)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def agree(frame: NDArray[Any], expected: NDArray[np.float32]) -> bool:
    """Whether a frame differs from what is expected by its noise alone."""
    z = (frame.astype(float) - expected) / np.sqrt(np.maximum(expected, 1.0))
    return bool(abs(z.mean()) < 0.1 and 0.8 < z.std() < 1.2)


def test_a_closed_shutter_gives_darks_and_an_open_one_the_sample(scene: Scene) -> None:
    dark, _ = scene.shoot()
    assert dark.mean() == pytest.approx(100.0, abs=1.0)
    asyncio.run(scene.shutter.open())
    frame, _ = scene.shoot()
    assert agree(frame, scene.expected(Pose(0.0, seconds=0.01)))


def test_the_sample_out_of_the_beam_gives_a_flat(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    asyncio.run(scene.sx.move(10.0))
    frame, _ = scene.shoot()
    flat = scene.expected(Pose(0.0, lateral=10.0, seconds=0.01))
    assert agree(frame, flat)
    assert not agree(frame, scene.expected(Pose(0.0, seconds=0.01)))


def test_frames_show_the_axis_where_it_was_in_the_middle_of_the_exposure(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    plan = TriggerPlan(mode=TriggerMode.TIME, points=20, exposure=0.02, period=0.05)
    scene.camera.prepare(plan)
    start = scene.clock.now() + 0.2
    scene.camera.start(start)
    began = scene.clock.now()
    asyncio.run(scene.rot.move(40.0))
    frame = np.empty(scene.camera.info.shape, scene.camera.info.dtype)
    rows = scene.board.motion("rot", began)
    for index in range(20):
        stamp = scene.camera.acquire(index, frame, 1.0)
        assert stamp is not None
        angle = float(positions(rows, [0.5 * (stamp.start + stamp.stop)])[0])
        assert agree(frame, scene.expected(Pose(angle, seconds=0.02), exposure=0.02)), (index, angle)
    assert angle > 10.0


def test_more_parts_blur_the_motion_during_the_exposure() -> None:
    scene = Scene(parts=8)
    asyncio.run(scene.shutter.open())
    began = scene.clock.now()
    asyncio.run(scene.rot.move(40.0))
    poses = scene.camera.poses(began + 1.0, began + 1.4)
    assert len(poses) == 8
    assert sum(pose.seconds for pose in poses) == pytest.approx(0.4)
    assert np.diff([pose.angle for pose in poses]) == pytest.approx([20.0 * 0.05] * 7)
    now = scene.clock.now()
    assert len(scene.camera.poses(now, now + 0.4)) == 1, "an axis at rest needs one part"


def test_a_shutter_that_opens_during_the_exposure_gives_that_much_light(scene: Scene) -> None:
    asyncio.run(scene.sx.move(10.0))
    now = scene.clock.now()
    scene.board.post_shutter("fast", now + 0.25, True)
    scene.clock.advance(1.0)
    poses = scene.camera.poses(now, now + 1.0)
    assert sum(pose.seconds for pose in poses) == pytest.approx(0.75)
    assert scene.camera.poses(now - 1.0, now) == []


def test_light_follows_the_ring() -> None:
    scene = Scene(ring={"lifetime": "100 s", "interval": "1e9 s"})
    asyncio.run(scene.shutter.open())
    now = scene.clock.now()
    seconds = [sum(p.seconds for p in scene.camera.poses(t, t + 0.01)) for t in (now, now + 100.0)]
    assert seconds[1] / seconds[0] == pytest.approx(np.exp(-1.0))


def test_a_long_exposure_saturates_and_says_so(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    assert scene.shoot(0.01)[1].status == STATUS_GOOD
    frame, stamp = scene.shoot(1.0)
    assert stamp.status == STATUS_SATURATED
    assert frame.max() == 65535


def test_the_same_seed_and_story_give_the_same_frames_and_another_seed_others() -> None:
    def story(seed: int) -> list[bytes]:
        scene = Scene(seed=seed)
        asyncio.run(scene.shutter.open())
        asyncio.run(scene.rot.move(33.0))
        return [scene.shoot()[0].tobytes() for _ in range(3)]

    first = story(1)
    assert story(1) == first
    assert len(set(first)) == 3, "each run has its own noise"
    assert story(2) != first


def test_zero_exposure_is_a_dark_frame(scene: Scene) -> None:
    asyncio.run(scene.shutter.open())
    frame, stamp = scene.shoot(0.0)
    assert stamp.start == stamp.stop
    assert frame.mean() == pytest.approx(100.0, abs=1.0)


def test_a_camera_whose_axis_is_not_there_says_which_are() -> None:
    scene = Scene(rotation="nope")
    with pytest.raises(LookupError, match=r"'nope'.*Known: rot, sx"):
        scene.shoot()


def test_a_tilt_of_the_rotation_is_a_misalignment_that_its_axes_can_take_away() -> None:
    scene = Scene(axis_roll="30 mrad", axis_pitch=1.5, roll="rx", pitch="ry")
    for name in ("rx", "ry"):
        setattr(scene, name, SimAxis(name, instant=True, clock=scene.clock, board=scene.board))
    asyncio.run(scene.shutter.open())
    roll = float(np.degrees(0.03))
    frame, _ = scene.shoot()
    assert agree(frame, scene.expected(Pose(0.0, seconds=0.01, roll=roll, pitch=1.5)))
    asyncio.run(vars(scene)["rx"].move(-roll))
    asyncio.run(vars(scene)["ry"].move(-1.5))
    (pose,) = scene.camera.poses(scene.clock.now(), scene.clock.now() + 0.01)
    assert (pose.roll, pose.pitch) == pytest.approx((0.0, 0.0))
    truth = scene.camera.truth()
    assert (truth["roll"], truth["pitch"]) == pytest.approx((roll, 1.5))
    assert truth["rotation_column"] == pytest.approx(23.5 + 12.3)
