from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation import AreaImager, Detector, Part, key, module_mask

SHAPE = (60, 80)
COUNTING: dict[str, Any] = {
    "offset": 0.0, "offset_spread": 0.0, "dark_current": 0.0, "read_noise": 0.0, "point_spread": 0.0,
    "nonuniformity": 0.0, "scratches": 0,
}  # fmt: skip


class Ramp:
    """Every pixel expects its own number of photons."""

    inputs: Mapping[str, str] = {}
    shape = SHAPE

    def __init__(self, low: float, high: float) -> None:
        self.photons = np.geomspace(low, high, SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(np.float32)

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        return np.asarray(self.photons * np.float32(sum(part.photons for part in parts)))

    def truth(self) -> dict[str, Any]:
        return {}


def shoot(imager: AreaImager, index: int = 0, photons: float = 1.0) -> NDArray[Any]:
    frame = np.empty(SHAPE, imager.detector.dtype)
    imager.render([Part(photons, 20.0)], 0.1, 1, index, frame)
    return frame


@pytest.mark.parametrize("settings", [{}, {"read_noise": 0.01, "gain": 1.0}])
@pytest.mark.parametrize("span", [(0.01, 3.0), (3.0, 300.0)])
def test_counts_are_poisson_numbers_of_what_is_expected(settings: dict[str, Any], span: tuple[float, float]) -> None:
    """With and without the shortcut for detectors that have no noise of their own."""
    imager = AreaImager(Ramp(*span), Detector(SHAPE, "<u4", **(COUNTING | settings)), seed=5)
    frames = np.array([shoot(imager, index) for index in range(400)], dtype=np.float64)
    mean = imager.expected([Part(1.0, 20.0)], 0.1).astype(np.float64)
    z = (frames.mean(axis=0) - mean) / np.sqrt(mean / 400.0)
    assert abs(z.mean()) < 0.05
    assert z.std() == pytest.approx(1.0, abs=0.05)
    assert float((frames.var(axis=0) / mean).mean()) == pytest.approx(1.0, abs=0.02)


def test_a_frame_is_a_function_of_seed_run_and_index() -> None:
    imager = AreaImager(Ramp(0.1, 100.0), Detector(SHAPE, "<u4", **COUNTING), seed=5)
    np.testing.assert_array_equal(shoot(imager, 3), shoot(imager, 3))
    assert (shoot(imager, 3) != shoot(imager, 4)).any()


def test_pixels_that_saturate_are_counted() -> None:
    imager = AreaImager(Ramp(1.0, 1000.0), Detector(SHAPE, "<u1", **COUNTING), seed=5)
    frame = np.empty(SHAPE, "<u1")
    assert imager.render([Part(1.0, 20.0)], 0.1, 1, 0, frame) == int((frame == 255).sum()) > 100


@pytest.mark.parametrize("well", [120.0, 1e9])
@pytest.mark.parametrize("span", [(1e-3, 2.0), (0.5, 500.0)])
def test_the_shortcut_for_counting_detectors_gives_the_frames_of_all_others(
    well: float, span: tuple[float, float]
) -> None:
    from firstlight.simulation import _kernels

    imager = AreaImager(Ramp(*span), Detector(SHAPE, "<u4", **COUNTING, well=well), seed=5)
    frame, other = np.empty(SHAPE, "<u4"), np.empty(SHAPE, "<u4")
    saturated = imager.render([Part(1.0, 20.0)], 0.1, 1, 0, frame)
    light = imager.scene.light([Part(1.0, 20.0)])
    ones, none = np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    seed = np.uint64(key(5, 1, 0))
    _kernels.expose(light, 1.0, ones, none, 0.1, none, 1.0, 0.0, well, 2.0**32 - 1, seed, other)
    np.testing.assert_array_equal(frame, other)
    assert saturated == int((frame == well).sum())
    assert (saturated > 0) == (span[1] > well)


def test_gaps_and_dead_pixels_read_as_missing_and_never_as_saturated() -> None:
    mask = module_mask(SHAPE, (2, 2), (5, 4), 0.01, seed=3)
    assert mask[28:32].all()
    assert mask[:, 38:42].all()
    assert 0.1 < mask.mean() < 0.25
    imager = AreaImager(Ramp(1.0, 50.0), Detector(SHAPE, "<u2", **COUNTING), mask, seed=5)
    frame = np.empty(SHAPE, "<u2")
    assert imager.render([Part(1.0, 20.0)], 0.1, 1, 0, frame) == 0
    assert (frame[mask] == 65535).all()
    assert frame[~mask].max() < 200
    assert np.isnan(imager.expected([Part(1.0, 20.0)], 0.1)[mask]).all()


def test_a_point_spread_keeps_the_photons() -> None:
    scene = Ramp(1.0, 1.0)
    scene.photons[:] = 0.0
    scene.photons[30, 40] = 1000.0
    imager = AreaImager(scene, Detector(SHAPE, "<u4", **(COUNTING | {"point_spread": 1.0})), seed=5)
    spread = imager.expected([Part(1.0, 20.0)], 0.1)
    assert float(spread.sum()) == pytest.approx(1000.0, rel=1e-4)
    assert float(spread[30, 40]) == pytest.approx(1000.0 / (2.0 * np.pi), rel=0.02)


def test_modules_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="do not fit"):
        module_mask((10, 10), (3, 1), (5, 0))
    with pytest.raises(InvalidInput, match="does not fit a detector"):
        AreaImager(Ramp(1.0, 2.0), Detector((4, 4)))
