"""The rotation axis, found in the whole width."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.tasks.tomography import (
    AXIS_METHODS,
    Axis,
    AxisEstimate,
    find_axis,
    open_projections,
    reduce_references,
    sinograms,
)
from firstlight.tasks.tomography._axis import agree
from tests.tasks.tomography.conftest import Sample

HALF = np.arange(180.0)


def noisy(lines: NDArray[np.float64], counts: float = 5000.0) -> NDArray[np.float32]:
    """One row as a sinogram, with photon noise."""
    rng = np.random.default_rng(3)
    return np.asarray(-np.log(np.maximum(rng.poisson(counts * np.exp(-lines[:, 0])), 1) / counts), dtype=np.float32)


@pytest.mark.parametrize("axis", [40.25, 94.8])
@pytest.mark.parametrize("method", AXIS_METHODS)
def test_each_estimator_finds_the_axis_anywhere_on_the_detector(sample: Sample, method: str, axis: float) -> None:
    sinogram = noisy(sample.lines(HALF, 1, 136, axis))
    found = find_axis(sinogram, HALF, methods=(method,))
    assert found.position == pytest.approx(axis, abs=0.5)
    assert found.spread == 0
    assert not found.warning


def test_all_together_agree_within_half_a_pixel(sample: Sample) -> None:
    found = find_axis(noisy(sample.lines(HALF, 1, 200, 60.6)), HALF)
    assert found.position == pytest.approx(60.6, abs=0.2)
    assert found.spread < 1.0
    assert [e.method for e in found.estimates] == ["registration", "vo", "sharpness"]
    assert not found.warning


@pytest.mark.parametrize(
    "angles",
    [
        np.linspace(0, 180, 181),
        np.linspace(0, 360, 361),
        np.linspace(180, 0, 200),
        np.mod(np.arange(300) * 360 * (np.sqrt(5) - 1) / 2, 360),
    ],
    ids=["both ends", "full turn", "backwards", "golden"],
)
def test_the_axis_is_found_whatever_the_angles_are(blob: Sample, angles: NDArray[np.float64]) -> None:
    found = find_axis(noisy(blob.lines(angles, 1, 110, 52.3)), angles)
    assert found.position == pytest.approx(52.3, abs=0.5)


def test_several_rows_are_looked_at_together(sample: Sample) -> None:
    lines = sample.lines(HALF, 3, 128, 70.4).transpose(1, 0, 2)
    assert find_axis(lines, HALF, methods=("registration",)).position == pytest.approx(70.4, abs=0.1)


def test_a_sample_wider_than_the_detector_makes_estimates_disagree_but_not_go_wrong_together(sample: Sample) -> None:
    lines = sample.lines(HALF, 1, 160, 75.3)[..., 50:110]
    found = find_axis(lines.transpose(1, 0, 2), HALF)
    assert found.position == pytest.approx(25.3, abs=1.0)


def test_the_real_tooth_turns_about_295_to_296(tooth_file: Path) -> None:
    with open_projections(tooth_file) as projections:
        lines, _ = sinograms(projections, reduce_references(projections), 0, 2)
    found = find_axis(lines, projections.angles)
    assert 295.0 <= found.position <= 296.1
    assert found.spread < 1.5
    assert all(295.0 - 0.75 <= e.axis <= 296.1 + 0.75 for e in found.estimates)


def test_less_than_half_a_turn_leaves_no_estimate(sample: Sample) -> None:
    angles = np.arange(100.0)
    with pytest.raises(InvalidInput, match="half a turn"):
        find_axis(noisy(sample.lines(angles, 1, 96, 47.5)), angles)


def test_nothing_in_the_beam_leaves_no_estimate() -> None:
    with pytest.raises(InvalidInput, match="No rotation axis was found"):
        find_axis(np.zeros((180, 96)), HALF)


def test_progress_tells_each_method(sample: Sample) -> None:
    seen: list[tuple[str, int, int]] = []
    find_axis(
        noisy(sample.lines(HALF, 1, 96, 47.5)),
        HALF,
        methods=("registration", "sharpness"),
        progress=lambda *news: seen.append(news),
    )
    assert seen == [("registration", 0, 2), ("sharpness", 1, 2), ("axis", 2, 2)]


def test_wrong_names_and_shapes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no axis method guess"):
        find_axis(np.zeros((180, 96)), HALF, methods=("guess",))
    with pytest.raises(InvalidInput, match="do not fit"):
        find_axis(np.zeros((181, 96)), HALF)


def estimates(*axes: float) -> list[AxisEstimate]:
    return [AxisEstimate(f"m{k}", axis, "no luck" if math.isnan(axis) else "") for k, axis in enumerate(axes)]


def test_the_median_of_three_ignores_one_that_went_wrong_but_says_so() -> None:
    found = agree(estimates(100.0, 100.4, 250.0))
    assert found.position == 100.4
    assert found.spread == 150.0
    assert "150.0 px apart" in found.warning


def test_a_single_estimate_of_several_is_reported_as_unconfirmed() -> None:
    found = agree(estimates(math.nan, 100.0, math.nan))
    assert found.position == 100.0
    assert "nothing confirms" in found.warning


def test_without_any_estimate_the_reasons_are_told() -> None:
    with pytest.raises(InvalidInput, match="m0: no luck"):
        agree(estimates(math.nan))


def test_an_axis_is_described_in_words_and_in_json() -> None:
    found = agree(estimates(100.0, math.nan, 100.5))
    assert found.text() == "100.25 px (m0 100.00, m1 failed, m2 100.50)"
    told: dict[str, Any] = found.to_json()
    assert told["position"] == 100.25
    assert told["estimates"][1] == {"method": "m1", "axis": None, "message": "no luck"}
    assert Axis.given(12.0).text() == "12.00 px (given 12.00)"
