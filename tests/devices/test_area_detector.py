from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import MemoryBoard, SimAreaDetector, SimAxis, SimShutter
from firstlight.model import STATUS_GOOD, FakeClock, FrameStamp, InvalidInput, NotFound, TriggerMode, TriggerPlan

CONFIG: dict[str, Any] = {
    "name": "eiger", "shape": [64, 72], "pixel_size": "1 mm", "distance": "15 cm", "shutter": "fast",
    "flux": 1e9, "ring": {"lifetime": 1e12}, "seed": 4, "energy": "20 keV", "sample": {"material": "CeO2"},
}  # fmt: skip


class Hutch:
    """A detector, a shutter and some axes in fake time."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.board = FakeClock(), MemoryBoard()
        self.shutter = SimShutter("fast", clock=self.clock, board=self.board)
        source = build_source("sim.area_detector", CONFIG | settings, Surroundings(self.clock, self.board))
        assert isinstance(source, SimAreaDetector)
        self.detector = source

    def axis(self, name: str, position: float = 0.0, **settings: Any) -> SimAxis:
        return SimAxis(name, position=position, clock=self.clock, board=self.board, **settings)

    def shoot(self, exposure: float = 0.1) -> tuple[NDArray[Any], FrameStamp]:
        self.detector.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=exposure))
        self.detector.start(self.clock.now())
        self.detector.trigger()
        frame = np.empty(self.detector.info.shape, self.detector.info.dtype)
        stamp = self.detector.acquire(0, frame, 10.0 + exposure)
        assert stamp is not None
        return frame, stamp


def agree(frame: NDArray[Any], expected: NDArray[np.float32]) -> bool:
    """Whether the counts differ from what is expected by their noise alone."""
    seen = expected > 0.0
    z = (frame[seen].astype(float) - expected[seen]) / np.sqrt(expected[seen])
    return bool(abs(z.mean()) < 0.1 and 0.85 < z.std() < 1.15)


def test_rings_are_seen_while_the_shutter_is_open() -> None:
    hutch = Hutch()
    dark, _ = hutch.shoot()
    assert not dark.any()
    asyncio.run(hutch.shutter.open())
    frame, stamp = hutch.shoot()
    assert stamp.status == STATUS_GOOD
    assert agree(frame, hutch.detector.expected(stamp.start, stamp.stop))
    assert frame.max() > 20


def test_a_frame_shows_energy_and_distance_at_its_moment() -> None:
    hutch = Hutch(inputs={"energy": "mono", "distance": "detz"})
    mono, detz = (
        hutch.axis("mono", 20.0, unit="keV", instant=True),
        hutch.axis("detz", 150.0, unit="mm", velocity=100.0),
    )
    asyncio.run(hutch.shutter.open())
    first, stamp = hutch.shoot()
    at_20 = hutch.detector.expected(stamp.start, stamp.stop)
    assert agree(first, at_20)
    asyncio.run(mono.move(25.0))
    second, stamp = hutch.shoot()
    assert agree(second, hutch.detector.expected(stamp.start, stamp.stop))
    assert not agree(second, at_20)
    asyncio.run(detz.move(200.0))
    third, _ = hutch.shoot()
    assert not agree(third, hutch.detector.expected(stamp.start, stamp.stop))


def test_truth_tells_lattice_geometry_and_beam() -> None:
    truth = Hutch(tilt=["10 mrad", 0.0, 0.0], centre=[30.0, 40.0]).detector.truth()
    assert truth["material"] == "CeO2"
    assert truth["lattice"]["a"] == pytest.approx(5.411526)
    assert truth["poni"]["rot1"] == pytest.approx(0.01)
    assert truth["poni"]["poni2"] == pytest.approx(0.0405)
    assert truth["beam"]["energy"] == 20.0


def test_gaps_are_missing_pixels() -> None:
    hutch = Hutch(modules=[2, 1], gap=[6, 0])
    frame, _ = hutch.shoot()
    assert (frame[29:35] == np.iinfo("<u4").max).all()
    assert not frame[:29].any()


def test_what_nobody_publishes_is_named_when_it_is_prepared() -> None:
    hutch = Hutch(inputs={"energy": "mono"})
    with pytest.raises(NotFound, match="'mono'"):
        hutch.shoot()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"inputs": {"omega": "rot"}}, r"no input 'omega'.*Known: distance, lateral, energy"),
        ({"sample": {"technique": "powder", "material": "NaCl"}}, r"'NaCl'.*Known: CeO2"),
        ({"sample": {"technique": "powder", "thickness": -1}}, "thickness = -1"),
        ({"modules": [99, 1], "gap": [3, 0]}, "do not fit"),
        ({"distance": "3 s"}, "distance"),
    ],
)
def test_a_wrong_detector_is_one_clear_sentence(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        Hutch(**settings)
    assert "\n" not in str(caught.value)
