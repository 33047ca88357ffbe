"""Samples on a changer and on a stage that is not where it should be, as detectors see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firstlight.devices import Surroundings, build, build_source
from firstlight.devices.sim import MemoryBoard, SimAreaDetector, SimCamera, SimMca, SimPointDetector
from firstlight.model import FakeClock, InvalidInput, NotFound, TriggerMode, TriggerPlan
from firstlight.model.motion import rest, trapezoid
from firstlight.simulation import misalignment

SAMPLE: dict[str, Any] = {
    "name": "sample", "kind": "phantom", "distance": 40.0, "radius": 0.4, "rotation": "rot", "changer": "ch",
    "slot": 2, "error": 0.2, "roll_error": 5.0,
}  # fmt: skip
BEAMLINE: dict[str, Any] = {
    "name": "beam", "kind": "sim.beamline", "seed": 3,
    "elements": [SAMPLE, {"name": "foil", "kind": "edge", "distance": 40.1, "changer": "ch", "slot": 1}],
}  # fmt: skip
QUIET = {
    "offset": 0.0, "offset_spread": 0.0, "dark_current": 0.0, "read_noise": 0.0, "point_spread": 0.0,
    "nonuniformity": 0.0, "scratches": 0,
}  # fmt: skip
CAMERA: dict[str, Any] = {
    "name": "cam", "beamline": "beam", "at": "sample", "stage": "sample", "shape": [60, 120], "pixel_size": 0.01,
    "sample": [{"centre": (0, 0, 0), "radii": (0.1, 0.1, 5.0), "attenuation": 6.0}], "axis_offset": 0,
    "rotation": "rot", "detector": QUIET, "beam": {"speckle": 0, "stripes": 0},
}  # fmt: skip


class Hutch:
    """Axes at rest in fake time."""

    def __init__(self, **axes: float) -> None:
        self.board = MemoryBoard()
        self.around = Surroundings(FakeClock(), self.board)
        for name, position in {"rot": 0.0, "ch": 0.0, **axes}.items():
            self.board.post_motion(name, rest(position, 0.0), "" if name == "ch" else "deg")
        build(BEAMLINE, self.around)

    def camera(self, **settings: Any) -> SimCamera:
        made = build_source("sim.camera", CAMERA | settings, self.around)
        assert isinstance(made, SimCamera)
        return made


def picture(cam: SimCamera) -> np.ndarray[Any, Any]:
    poses, light = cam.seen(1.0, 1.1)
    return cam.imager.expected(poses, 0.1, light)


def darkest(picture: np.ndarray[Any, Any], flat: np.ndarray[Any, Any], row: int) -> float:
    """Column of the rod's shadow."""
    lost = -np.log(picture[row] / flat[row])
    return float((np.arange(len(lost)) * lost).sum() / lost.sum())


def test_a_camera_sees_what_is_wrong_with_the_stage_of_its_sample() -> None:
    hutch = Hutch(ch=2.0)
    x, roll = misalignment(3, "sample.x", 0.2), misalignment(3, "sample.roll", 5.0)
    cam = hutch.camera()
    frame, flat = picture(cam), picture(hutch.camera(sample="none"))
    middle = 59.5 + x / 0.01
    assert darkest(frame, flat, 29) == pytest.approx(middle, abs=0.2)
    # Over 58 rows the axis goes sideways by its lean; a roll takes its lower end to the first column.
    across = darkest(frame, flat, 58) - darkest(frame, flat, 0)
    assert across == pytest.approx(-58 * np.tan(np.radians(roll)), abs=0.1)
    truth = cam.truth()
    assert truth["rotation_column"] == pytest.approx(middle)
    assert truth["roll"] == pytest.approx(roll)


def test_a_camera_and_the_counters_behind_see_the_same_stage() -> None:
    hutch = Hutch(ch=2.0)
    beam: Any = build(BEAMLINE | {"name": "twin"}, hutch.around)
    assert beam.truth()["sample"]["x_offset"] == misalignment(3, "sample.x", 0.2)
    assert beam.truth()["sample"]["slot"] == 2.0


def test_a_sample_that_the_changer_holds_is_seen_in_its_slot_only() -> None:
    away, here = Hutch(ch=0.0), Hutch(ch=2.0)
    flat = picture(here.camera(sample="none"))
    np.testing.assert_allclose(picture(away.camera()), picture(away.camera(sample="none")))
    assert (picture(here.camera()) / flat).min() < 0.5


def test_a_camera_that_names_a_stage_that_is_none_is_refused() -> None:
    hutch = Hutch(ch=2.0)
    with pytest.raises(InvalidInput, match="a stage is one of a beamline"):
        hutch.camera(beamline="")
    plan = TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.01)
    with pytest.raises(NotFound, match="foil is no phantom"):
        hutch.camera(stage="foil").prepare(plan)


POINT: dict[str, Any] = {
    "name": "apd", "kind": "sim.point_detector", "noise": False, "dark": 0, "flux": 1e6, "ring": {"lifetime": 1e12},
    "changer": "ch", "inputs": {"energy": "en", "theta": "th", "two_theta": "tt"},
    "samples": {1: {"technique": "absorption"}, 2: {"technique": "reflectivity", "start": 10}},
}  # fmt: skip


def point(hutch: Hutch, **settings: Any) -> SimPointDetector:
    made = build(POINT | settings, hutch.around)
    assert isinstance(made, SimPointDetector)
    return made


def test_a_counter_sees_the_sample_that_is_in() -> None:
    axes = {"en": 8.9, "th": 0.4, "tt": 0.8}
    film: Any = {"samples": {}, "changer": "", "sample": POINT["samples"][2]}
    foil: Any = {"samples": {}, "changer": "", "sample": POINT["samples"][1], "inputs": {"energy": "en"}}
    one, two = Hutch(ch=1.0, **axes), Hutch(ch=2.0, **axes)
    assert point(one).expected(1.0, 2.0) == pytest.approx(point(one, **foil).expected(1.0, 2.0))
    assert point(two).expected(1.0, 2.0) == pytest.approx(point(two, **film).expected(1.0, 2.0))
    assert point(Hutch(ch=0.0, **axes)).expected(1.0, 2.0) == 0.0


def test_an_exposure_during_which_the_changer_moves_sees_the_sample_for_a_part_of_it() -> None:
    hutch = Hutch(en=8.9)
    # From slot 0 at 1 s to slot 2 at 3 s: the foil is in from 1.75 s to 2.25 s.
    hutch.board.post_motion("ch", trapezoid(0.0, 2.0, 1.0, 1e6, 1.0), "")
    for settings in (
        {"inputs": {"energy": "en"}, "samples": {1: {"technique": "absorption"}}},
        {"inputs": {"energy": "en"}, "samples": {}, "sample": {"technique": "absorption"}, "slot": 1},
    ):
        detector = point(hutch, parts=1000, **settings)
        still = point(hutch, changer="", samples={}, sample={"technique": "absorption"}, inputs={"energy": "en"})
        assert detector.expected(0.5, 3.5) == pytest.approx(0.5 / 3.0 * still.expected(0.5, 3.5), rel=0.02)


def test_a_spectrum_is_empty_while_another_sample_is_in() -> None:
    mca: Any = {"name": "mca", "kind": "sim.mca", "changer": "ch", "slot": 3, "ring": {"lifetime": 1e12}}
    for position, lit in ((3.0, True), (2.0, False)):
        made = build(mca, Hutch(ch=position).around)
        assert isinstance(made, SimMca)
        assert bool(made.arriving(1.0, 1.1).any()) is lit
        assert made.truth()["slot"] == 3.0


AREA: dict[str, Any] = {
    "name": "det", "shape": [64, 64], "pixel_size": 1.0, "distance": 100, "energy": 17, "changer": "ch",
    "ring": {"lifetime": 1e12}, "inputs": {"phi": "rot"},
    "samples": {
        4: {"technique": "powder", "material": "Si"},
        6: {"technique": "darkfield", "misorientation": 0, "bending": 0},
    },
}  # fmt: skip


def area(hutch: Hutch, **settings: Any) -> np.ndarray[Any, Any]:
    made = build_source("sim.area_detector", AREA | settings, hutch.around)
    assert isinstance(made, SimAreaDetector)
    made.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.5))
    frame = np.empty(made.info.shape, made.info.dtype)
    made.render(0, 1.0, 1.5, frame)
    return frame


def test_an_area_detector_sees_the_sample_that_is_in() -> None:
    alone = area(Hutch(ch=0.0), samples={}, changer="", sample=AREA["samples"][4], inputs={})
    np.testing.assert_array_equal(area(Hutch(ch=4.0)), alone)
    assert not area(Hutch(ch=5.0)).any()
    # The field reflects at its tilt, and the input of one sample is no matter to another.
    assert area(Hutch(ch=6.0, rot=0.0)).sum() > 100 * area(Hutch(ch=6.0, rot=1.0)).sum()
    np.testing.assert_array_equal(area(Hutch(ch=4.0, rot=1.0)), alone)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"changer": ""}, "several samples need a changer"),
        ({"slot": 4}, "with several samples there is no slot"),
        ({"sample": {"material": "Si"}}, "with several samples there is no sample"),
        ({"inputs": {"omega": "rot"}}, "no input 'omega'.*phi"),
    ],
)
def test_what_does_not_fit_a_changer_is_told(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        area(Hutch(), **settings)


def test_a_counter_without_a_sample_is_told() -> None:
    with pytest.raises(InvalidInput, match="what it looks at is missing"):
        point(Hutch(), samples={}, changer="")
