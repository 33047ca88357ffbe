"""Weights of projections: the arc that each stands for."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.kernels import angle_weights
from firstlight.model import InvalidInput


def test_even_angles_over_half_a_turn_share_pi_equally() -> None:
    weights = angle_weights(np.arange(180) * 1.0)
    assert np.allclose(weights, np.pi / 180)


def test_both_ends_of_half_a_turn_are_one_direction_measured_twice() -> None:
    weights = angle_weights(np.linspace(0, 180, 181))
    assert weights.sum() == pytest.approx(np.pi)
    assert weights[0] + weights[-1] == pytest.approx(np.pi / 180)
    assert np.allclose(weights[1:-1], np.pi / 180)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_whole_turns_share_pi_equally_among_all_their_projections(turns: int) -> None:
    jitter = np.random.default_rng(2).uniform(-0.001, 0.001, turns * 360)
    weights = angle_weights(np.arange(turns * 360) + jitter)
    assert weights.sum() == pytest.approx(np.pi)
    assert np.allclose(weights, np.pi / weights.size, rtol=0.01)


def test_a_single_projection_stands_for_all_directions() -> None:
    assert angle_weights([77.0]) == pytest.approx([np.pi])
    assert angle_weights([0.0, 180.0, 360.0]) == pytest.approx([np.pi / 3] * 3)


def test_angles_around_the_seam_are_one_direction() -> None:
    weights = angle_weights([-1e-9, 1e-9, 60.0, 120.0, 180.0 - 1e-9])
    assert np.allclose(weights, np.deg2rad([20, 20, 60, 60, 20]))


def test_golden_ratio_angles_are_weighted_by_their_gaps_and_sum_to_pi() -> None:
    angles = np.mod(np.arange(377) * 180 * (np.sqrt(5) - 1) / 2, 360)
    weights = angle_weights(angles)
    assert weights.sum() == pytest.approx(np.pi)
    assert weights.min() > 0


def test_the_order_of_the_angles_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    angles = rng.uniform(-90, 270, 50)
    order = rng.permutation(50)
    assert np.allclose(angle_weights(angles)[order], angle_weights(angles[order]))


def test_a_missing_projection_leaves_its_arc_to_its_neighbours() -> None:
    valid = np.ones(180, bool)
    valid[40] = False
    weights = angle_weights(np.arange(180.0), valid)
    assert weights[40] == 0
    assert weights.sum() == pytest.approx(np.pi)
    assert weights[39] == weights[41] == pytest.approx(1.5 * np.pi / 180)


def test_a_missing_wedge_is_left_empty() -> None:
    weights = angle_weights(np.arange(0.0, 120.0))
    assert np.allclose(weights, np.pi / 180)


def test_the_gaps_of_random_angles_are_no_wedges() -> None:
    assert angle_weights(np.random.default_rng(6).uniform(0, 360, 1000)).sum() == pytest.approx(np.pi)


def test_no_valid_projection_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No projection"):
        angle_weights([0.0, 1.0], [False, False])


def test_angles_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="finite"):
        angle_weights([0.0, np.nan])
    with pytest.raises(InvalidInput, match="do not fit"):
        angle_weights([0.0, 1.0], [True])
