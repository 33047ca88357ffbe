from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firstlight.devices import Surroundings, build, build_source
from firstlight.devices.sim import MemoryBoard, SimCamera
from firstlight.model import FakeClock, NotFound, TriggerMode, TriggerPlan
from firstlight.model.motion import rest

BEAMLINE: dict[str, Any] = {
    "name": "beam",
    "kind": "sim.beamline",
    "ring": "ring",
    "elements": [
        {"name": "mono", "kind": "monochromator", "distance": 130.0, "pitch": "pitch"},
        {"name": "s2", "kind": "slits", "distance": 138.0, "left": "s2l", "top": "s2t"},
        {"name": "fast", "kind": "shutter", "distance": 140.0, "shutter": "fshut"},
    ],
}
CAMERA: dict[str, Any] = {
    "name": "cam", "beamline": "beam", "at": 145.0, "shape": [64, 80], "pixel_size": 0.04, "sample": "none",
    "efficiency": 1e-4,
}  # fmt: skip
PLAIN = {"speckle": 0.0, "stripes": 0.0}
EVEN = {
    "nonuniformity": 0.0,
    "scratches": 0,
    "point_spread": 0.0,
    "offset": 0.0,
    "offset_spread": 0.0,
    "dark_current": 0.0,
}


@pytest.fixture
def around() -> Surroundings:
    surroundings = Surroundings(FakeClock(), MemoryBoard())
    build({"name": "ring", "kind": "sim.ring", "lifetime": 1e9}, surroundings)
    build(BEAMLINE, surroundings)
    board = surroundings.board
    board.post_shutter("fshut", 0.0, True)
    for name, position in (("pitch", 0.0), ("s2l", -9.0), ("s2t", 9.0)):
        board.post_motion(name, rest(position, 0.0), "mm" if name != "pitch" else "mrad")
    return surroundings


def camera(around: Surroundings, **settings: Any) -> SimCamera:
    made = build_source("sim.camera", CAMERA | {"beam": PLAIN, "detector": EVEN} | settings, around)
    assert isinstance(made, SimCamera)
    return made


def picture(cam: SimCamera, start: float, stop: float) -> np.ndarray[Any, Any]:
    poses, light = cam.seen(start, stop)
    return cam.imager.expected(poses, stop - start, light)


def test_the_quanta_of_a_frame_are_the_photons_that_fall_on_the_detector(around: Surroundings) -> None:
    cam = camera(around, shape=[400, 400])
    frame = picture(cam, 1.0, 1.1)
    from firstlight.devices.sim import Beam

    flux = Beam("beam", around.board).at([1.0], 145.0).flux[0]
    assert frame.sum() == pytest.approx(1e-4 * flux * 0.1, rel=1e-3)


def test_blades_cast_a_shadow_where_they_stand(around: Surroundings) -> None:
    cam = camera(around)
    around.board.post_motion("s2l", rest(-0.4, 5.0), "mm")
    around.board.post_motion("s2t", rest(0.6, 5.0), "mm")
    frame = picture(cam, 6.0, 6.1)
    magnification = 145.0 / 138.0
    x, y = (np.arange(80) - 39.5) * 0.04, (31.5 - np.arange(64)) * 0.04
    lit_columns, lit_rows = frame.sum(axis=0) > 0, frame.sum(axis=1) > 0
    assert lit_columns.tolist() == (x >= -0.4 * magnification).tolist()
    assert lit_rows.tolist() == (y <= 0.6 * magnification).tolist()


def test_a_tilt_of_the_second_crystal_moves_the_beam_on_the_detector(around: Surroundings) -> None:
    cam = camera(around)
    y = (31.5 - np.arange(64)) * 0.04

    def row(frame: np.ndarray[Any, Any]) -> float:
        return float(
            np.polyfit(y, np.log(frame.sum(axis=1)), 2)[1] / (-2 * np.polyfit(y, np.log(frame.sum(axis=1)), 2)[0])
        )

    before = row(picture(cam, 1.0, 1.1))
    around.board.post_motion("pitch", rest(0.01, 5.0), "mrad")
    assert row(picture(cam, 6.0, 6.1)) - before == pytest.approx(2 * 0.01 * 15.0, abs=0.01)


def test_a_closed_shutter_and_an_empty_ring_give_darks(around: Surroundings) -> None:
    cam = camera(around)
    around.board.post_shutter("fshut", 5.0, False)
    assert picture(cam, 6.0, 6.1).sum() == 0.0
    half, whole = picture(cam, 4.9, 5.1), picture(cam, 1.0, 1.2)
    assert half.sum() == pytest.approx(0.5 * whole.sum(), rel=1e-3)
    around.board.post_shutter("fshut", 7.0, True)
    around.board.post_values("ring", "current", np.array([[8.0, 0.0, 1e9, np.inf, 8.0]]))
    assert picture(cam, 7.5, 7.6).sum() > 0.0
    assert picture(cam, 8.5, 8.6).sum() == 0.0


def test_frames_of_the_same_moments_are_the_same(around: Surroundings) -> None:
    frames = []
    for _ in range(2):
        cam = camera(around)
        cam.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.01))
        frame = np.empty(cam.info.shape, dtype=cam.info.dtype)
        cam.render(0, 1.0, 1.01, frame)
        frames.append(frame)
    assert frames[0].any()
    assert np.array_equal(frames[0], frames[1])


def test_a_camera_of_a_beamline_that_does_not_exist_says_so(around: Surroundings) -> None:
    cam = camera(around, beamline="beem")
    with pytest.raises(NotFound, match="beem"):
        cam.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.01))
