"""Area detectors with a crystal or a dark field, and in the beam of a beamline."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Surroundings, build, build_source
from firstlight.devices.sim import MemoryBoard, SimAreaDetector, SimAxis, SimBeamline
from firstlight.model import FakeClock, FrameStamp, InvalidInput, TriggerMode, TriggerPlan
from firstlight.simulation import DarkField, SingleCrystal, Undulator

CRYSTAL: dict[str, Any] = {
    "name": "eiger", "shape": [120, 130], "pixel_size": "1 mm", "distance": "12 cm", "energy": "17 keV",
    "flux": 1e13, "ring": {"lifetime": 1e12}, "inputs": {"omega": "rot"},
    "sample": {"technique": "crystal", "size": "0.2 mm", "spot": "2 mm", "resolution": 3, "background": 0},
}  # fmt: skip


class Hutch:
    """A detector and a rotation in fake time."""

    def __init__(self, config: dict[str, Any], axis: str = "rot") -> None:
        self.clock, self.board = FakeClock(), MemoryBoard()
        self.rot = SimAxis(axis, velocity=10.0, acceleration=100.0, clock=self.clock, board=self.board)
        source = build_source("sim.area_detector", config, Surroundings(self.clock, self.board))
        assert isinstance(source, SimAreaDetector)
        self.detector = source

    def sweep(
        self, points: int, exposure: float, to: float, after: float = 0.3
    ) -> tuple[list[NDArray[Any]], list[FrameStamp]]:
        """Frames one after the other while the axis moves."""
        self.detector.prepare(
            TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=exposure, period=exposure + 0.01)
        )
        start = self.clock.now() + after

        async def story() -> None:
            await self.rot.move(to)

        self.detector.start(start)
        asyncio.run(story())
        frames, stamps = [], []
        for index in range(points):
            frame = np.empty(self.detector.info.shape, self.detector.info.dtype)
            stamp = self.detector.acquire(index, frame, 100.0)
            assert stamp is not None
            frames.append(frame)
            stamps.append(stamp)
        return frames, stamps


def agree(frame: NDArray[Any], expected: NDArray[np.float32], least: float = 5.0) -> bool:
    seen = expected > least
    z = (frame[seen].astype(float) - expected[seen]) / np.sqrt(expected[seen])
    return bool(seen.sum() > 20 and abs(z.mean()) < 0.25 and 0.75 < z.std() < 1.25)


def test_frames_of_a_turning_crystal_show_the_spots_of_their_own_angles() -> None:
    hutch = Hutch(CRYSTAL)
    frames, stamps = hutch.sweep(6, 0.1, 30.0)
    scene = hutch.detector.imager.scene
    assert isinstance(scene, SingleCrystal)
    found = scene.reflections(17.0)
    for frame, stamp in zip(frames, stamps, strict=True):
        expected = hutch.detector.expected(stamp.start, stamp.stop)
        assert agree(frame, expected)
        (part,) = hutch.detector.beam.parts(stamp.start, stamp.stop)
        assert part.last["omega"] - part.first["omega"] == pytest.approx(1.0, abs=1e-6)
        bright = np.unravel_index(int(np.argmax(frame)), frame.shape)
        near = np.hypot(found["row"] - bright[0], found["column"] - bright[1]) < 2.0
        width = 0.3 / found["zeta"][near]
        inside = (found["omega"][near] > part.first["omega"] - width) & (
            found["omega"][near] < part.last["omega"] + width
        )
        assert inside.any()


def test_a_dark_field_stack_gives_its_orientation_back() -> None:
    config = {
        "name": "camera", "shape": [24, 30], "flux": 1e12, "ring": {"lifetime": 1e12}, "inputs": {"phi": "rot"},
        "parts": 4, "seed": 2,
        "sample": {"technique": "darkfield", "grains": 3, "misorientation": "0.1 deg", "width": 0.2, "acceptance": 5.0},
    }  # fmt: skip
    hutch = Hutch(config)
    asyncio.run(hutch.rot.move(-1.0))
    frames, stamps = hutch.sweep(11, 0.01, 1.0, after=0.0)
    scene = hutch.detector.imager.scene
    assert isinstance(scene, DarkField)
    for frame, stamp in zip(frames, stamps, strict=True):
        expected = hutch.detector.expected(stamp.start, stamp.stop)
        if (expected > 5.0).sum() > 20:
            assert agree(frame, expected)
    assert sum(int(frame.max()) for frame in frames) > 0
    assert hutch.detector.truth()["field"]["grains"] == 3


def test_in_a_beamline_the_sample_sees_its_flux_and_energy() -> None:
    clock, board = FakeClock(), MemoryBoard()
    around = Surroundings(clock, board)
    bragg = SimAxis("bragg", position=9.0, instant=True, clock=clock, board=board)
    beamline = build(
        {
            "kind": "sim.beamline", "name": "id00", "undulator": {"fixed": Undulator().gap_for(12.4, 3)},
            "elements": [{"kind": "monochromator", "name": "dcm", "distance": 30, "bragg": "bragg"}],
        },
        around,
    )  # fmt: skip
    assert isinstance(beamline, SimBeamline)
    source = build_source(
        "sim.area_detector",
        {"shape": [40, 40], "pixel_size": "2 mm", "beamline": "id00", "at": 40.0, "sample": {"technique": "powder"}},
        around,
    )
    assert isinstance(source, SimAreaDetector)
    for angle in (9.15, 9.2):
        asyncio.run(bragg.move(angle))
        now = clock.now()
        (part,) = source.beam.parts(now, now + 0.1)
        state = beamline.at(40.0)
        assert part.energy == pytest.approx(float(state.energy[0]), rel=1e-6)
        assert part.photons == pytest.approx(0.1 * float(state.flux[0]), rel=1e-3)
        assert part.photons > 1e6
    assert source.truth()["beam"] == {"beamline": "id00", "place": 40.0}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"beamline": "id00"}, "its place in the beamline id00 is missing"),
        ({"inputs": {"phi": "rot"}}, r"no input 'phi'.*omega, distance, energy"),
        ({"beamline": "id00", "at": 40, "inputs": {"energy": "mono"}}, r"no input 'energy'.*Known: omega, distance"),
        ({"sample": {"technique": "crystal", "material": "salt"}}, "no 'salt'.*lysozyme"),
        ({"sample": {"technique": "cristal"}}, "sample"),
    ],
)
def test_a_wrong_sample_is_one_clear_sentence(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        Hutch(CRYSTAL | settings)
    assert "\n" not in str(caught.value)
