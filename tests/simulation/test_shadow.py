from __future__ import annotations

import numpy as np
import pytest

from firstlight.simulation import PRESETS, BeamState, Ellipsoid, Phantom, Profile, Shadow

SPHERE = Phantom([Ellipsoid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.5)])


def beam(n: int = 1, sigma: float = 1e-3) -> BeamState:
    ones = np.ones(n)
    profile = Profile(0 * ones, 0 * ones, 0 * ones, sigma / 145.0 * ones, -np.inf * ones, np.inf * ones, 145.0)
    return BeamState(0 * ones, 12.0 * ones[:, None], 1e12 * ones[:, None], ones, profile, profile)


def test_a_narrow_beam_sees_the_line_integral_through_the_sample() -> None:
    for x in (0.0, 0.4, 0.9, 1.3):
        passed = Shadow(phantom=SPHERE).apply(beam(), {"lateral": np.array([x])}).flux[0] / 1e12
        assert passed == pytest.approx(np.exp(-0.5 * 2 * np.sqrt(max(0.0, 1 - x * x))), rel=1e-3)


def test_a_wide_beam_sees_the_mean_over_its_rays() -> None:
    shadow = Shadow(phantom=PRESETS["tooth"]().scaled(1.28), offset=(0.1, -0.2))
    passed = shadow.apply(beam(sigma=0.6), {"rotation": np.array([33.0])}).flux[0] / 1e12
    axis = np.linspace(-3, 3, 601) * 0.6
    weights = np.exp(-0.5 * (axis / 0.6) ** 2)
    through = np.exp(-shadow.phantom.project(33.0, axis[None, :] - 0.1, -axis[:, None] + 0.2))
    expected = float(weights @ through @ weights) / weights.sum() ** 2
    assert passed == pytest.approx(expected, rel=0.02)


def test_rows_are_counted_downwards_and_the_beam_upwards() -> None:
    low = Phantom([Ellipsoid((0.0, 0.0, 0.5), (0.2, 0.2, 0.2), 5.0)])
    wide = [
        Shadow(phantom=low).apply(beam(sigma=0.5).clipped(x=(-0.1, 0.1), y=window), {}).flux[0]
        / beam(sigma=0.5).clipped(x=(-0.1, 0.1), y=window).flux[0]
        for window in ((-0.6, -0.4), (0.4, 0.6))
    ]
    assert wide[0] < 0.3
    assert wide[1] == pytest.approx(1.0)


def test_moments_at_once_give_what_each_gives_alone() -> None:
    shadow = Shadow(phantom=PRESETS["tooth"]().scaled(1.28))
    at = {
        "rotation": np.array([0.0, 30.0, 77.0]),
        "lateral": np.array([0.0, 0.3, -0.8]),
        "height": np.array([0.0, 0.1, 0.5]),
    }
    together = shadow.apply(beam(3, 0.5), at).flux
    for k in range(3):
        alone = shadow.apply(beam(1, 0.5), {w: v[k : k + 1] for w, v in at.items()}).flux[0]
        assert together[k] == pytest.approx(alone, rel=1e-12)


def test_an_empty_sample_lets_everything_through() -> None:
    assert Shadow().apply(beam(), {}).flux[0] == 1e12


def test_a_window_beside_the_beam_leaves_nothing() -> None:
    shadow = Shadow(phantom=SPHERE)
    for window in ((-0.9, -0.8), (0.8, 0.9)):
        assert shadow.apply(beam().clipped(y=window), {}).flux[0] == pytest.approx(0.0, abs=1e-3)
