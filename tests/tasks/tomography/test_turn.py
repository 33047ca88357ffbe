"""Half turns and opposite projections."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.tasks.tomography._turn import evenly, half_turn, opposite

GOLDEN = np.mod(np.arange(200) * 360 * (np.sqrt(5) - 1) / 2, 360)


@pytest.mark.parametrize(
    "angles",
    [
        np.arange(180.0),
        np.linspace(0, 180, 181),
        np.linspace(180, 0, 91),
        np.arange(360.0) + 33,
        np.linspace(0, -180, 100),
        np.linspace(100, 460, 300),
        GOLDEN,
    ],
    ids=["half", "both ends", "backwards", "full", "negative", "over zero", "golden"],
)
def test_half_a_turn_is_found_and_sorted(angles: NDArray[np.float64]) -> None:
    turn = half_turn(angles)
    assert np.all(np.diff(turn.angles) >= 0)
    assert turn.angles[0] < 10
    assert 170 < turn.angles[-1] <= 180.0001
    step = np.mod(angles[turn.indices] - turn.angles - (angles[turn.indices[0]] - turn.angles[0]), 360)
    assert np.allclose(np.minimum(step, 360 - step), 0, atol=1e-5)


def test_less_than_half_a_turn_is_refused() -> None:
    with pytest.raises(InvalidInput, match="half a turn"):
        half_turn(np.arange(140.0))


def test_uneven_angles_are_interpolated_to_even_ones() -> None:
    angles = np.sort(np.random.default_rng(1).uniform(0, 180, 200))
    angles[[0, -1]] = 0, 180
    sinogram = np.stack([angles, 2 * angles], axis=1).astype(np.float32)
    even = evenly(sinogram, half_turn(angles), 91)
    assert np.allclose(even[:, 0], np.linspace(0, 180, 91), atol=1e-3)
    assert np.allclose(even[:, 1], 2 * even[:, 0], atol=1e-3)


@pytest.mark.parametrize(
    ("angles", "wanted", "expected"),
    [
        (np.linspace(0, 180, 181), 180.0, {180: 1.0}),
        (np.arange(180.0), 180.0, {179: 2.0, 178: -1.0}),
        (np.arange(0.0, 360.0, 2.0) + 0.5, 180.0, {89: 0.25, 90: 0.75}),
        (np.arange(0.0, 360.0), 185.0 + 360.0, {185: 1.0}),
    ],
    ids=["exact", "one step short", "between", "around"],
)
def test_what_stands_opposite_is_one_projection_or_two(
    angles: NDArray[np.float64], wanted: float, expected: dict[int, float]
) -> None:
    parts = opposite(angles, wanted)
    assert parts is not None
    assert dict(parts) == pytest.approx(expected, abs=1e-6)


def test_nothing_stands_opposite_where_no_projection_is_near() -> None:
    assert opposite(np.arange(170.0), 180.0) is None
    assert opposite(np.array([5.0]), 185.0) is None
