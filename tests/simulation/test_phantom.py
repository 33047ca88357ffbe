from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import PRESETS, Ellipsoid, Phantom, shepp_logan, tooth

number = st.floats(-1.0, 1.0)
radius = st.floats(0.2, 1.5)
angle = st.floats(-180.0, 180.0)
ellipsoids = st.builds(
    Ellipsoid,
    centre=st.tuples(number, number, number),
    radii=st.tuples(radius, radius, radius),
    attenuation=st.floats(0.1, 2.0),
    angles=st.tuples(angle, angle, angle),
)


def along_the_beam(phantom: Phantom, theta: float, u: float, v: float) -> float:
    """The line integral by counting samples of the attenuation along a ray."""
    w = (np.arange(40_000) + 0.5) / 40_000 * 8.0 - 4.0
    cos, sin = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    inside = phantom.attenuation_at(u * cos - w * sin, u * sin + w * cos, np.full_like(w, v))
    return float(inside.mean() * 8.0)


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(ellipsoids, min_size=1, max_size=3), theta=st.floats(-720.0, 720.0), u=number, v=number)
def test_projections_equal_numerical_integration(bodies: list[Ellipsoid], theta: float, u: float, v: float) -> None:
    phantom = Phantom(bodies)
    exact = float(phantom.project(theta, u, v))
    # Each surface that a ray crosses is found to a sample, 2e-4 wide.
    assert exact == pytest.approx(along_the_beam(phantom, theta, u, v), abs=2e-3)


small = st.floats(-20.0, 20.0)


@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(ellipsoids, min_size=1, max_size=2), theta=angle, roll=small, pitch=small, u=number, v=number)
def test_projections_along_a_tilted_axis_equal_numerical_integration(
    bodies: list[Ellipsoid], theta: float, roll: float, pitch: float, u: float, v: float
) -> None:
    phantom = Phantom(bodies)
    w = (np.arange(40_000) + 0.5) / 40_000 * 10.0 - 5.0
    # From the laboratory back to the stage: roll off, pitch off, then the turn.
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    u1, v1 = c * u + s * v, -s * u + c * v
    c, s = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    v2, w2 = c * v1 + s * w, -s * v1 + c * w
    c, s = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    inside = phantom.attenuation_at(u1 * c - w2 * s, u1 * s + w2 * c, v2)
    exact = float(phantom.project(theta, u, v, roll=roll, pitch=pitch))
    assert exact == pytest.approx(float(inside.mean() * 10.0), abs=2.5e-3)


@given(roll=small, pitch=small)
def test_a_bead_on_a_tilted_axis_moves_as_the_axis_leans(roll: float, pitch: float) -> None:
    bead = Phantom([Ellipsoid((0.0, 0.0, 1.0), (0.01, 0.01, 0.01), 1.0)])
    rho, pi = math.radians(roll), math.radians(pitch)
    u, v = -math.sin(rho) * math.cos(pi), math.cos(rho) * math.cos(pi)
    for theta in (0.0, 77.0, 200.0):
        assert float(bead.project(theta, u, v, roll=roll, pitch=pitch)) == pytest.approx(0.02, rel=1e-6)


@given(u=number, v=number, theta=angle)
def test_the_chord_of_a_sphere_is_the_schoolbook_one(u: float, v: float, theta: float) -> None:
    sphere = Phantom([Ellipsoid((0.0, 0.0, 0.0), (0.8, 0.8, 0.8), 1.5)])
    expected = 1.5 * 2.0 * math.sqrt(max(0.0, 0.64 - u * u - v * v))
    # Near the rim the root magnifies roundoff.
    assert float(sphere.project(theta, u, v)) == pytest.approx(expected, abs=1e-6)


@given(theta=angle, x=number, y=number, z=number)
def test_a_bead_casts_its_shadow_at_x_cos_plus_y_sin(theta: float, x: float, y: float, z: float) -> None:
    bead = Phantom([Ellipsoid((x, y, z), (0.01, 0.01, 0.01), 1.0)])
    u = x * math.cos(math.radians(theta)) + y * math.sin(math.radians(theta))
    assert float(bead.project(theta, u, z)) == pytest.approx(0.02, rel=1e-6)


def test_whole_and_quarter_turns_are_exact() -> None:
    phantom = tooth()
    np.testing.assert_array_equal(phantom.shadows(30.0), phantom.shadows(390.0))
    np.testing.assert_array_equal(phantom.shadows(-270.0), phantom.shadows(90.0))
    u = np.linspace(-1.0, 1.0, 101)
    np.testing.assert_allclose(phantom.project(0.0, u, 0.1), phantom.project(180.0, -u, 0.1), atol=1e-12)


def test_a_scaled_phantom_projects_to_the_same_values() -> None:
    u = np.linspace(-1.0, 1.0, 101)
    for preset in (tooth(), shepp_logan()):
        np.testing.assert_allclose(preset.scaled(2.5).project(37.0, 2.5 * u, 0.25), preset.project(37.0, u, 0.1))


def test_voxel_k_has_its_centre_at_k() -> None:
    bead = Phantom([Ellipsoid((0.3, -0.2, 0.1), (0.04, 0.04, 0.04), 2.0)])
    volume = bead.voxels((11, 21, 31), 0.1)
    assert volume[5 + 1, 10 - 2, 15 + 3] == 2.0
    assert np.count_nonzero(volume) == 1
    volume = bead.voxels((11, 21, 31), 0.1, centre=(4.0, 10.0, 14.0))
    assert volume[5, 8, 17] == 2.0


def test_supersampled_voxels_keep_the_volume() -> None:
    ball = Phantom([Ellipsoid((0.03, 0.01, -0.02), (0.5, 0.4, 0.6), 1.0, (10.0, 20.0, 30.0))])
    volume = ball.voxels((32, 32, 32), 0.05, supersampling=4)
    assert float(volume.sum()) * 0.05**3 == pytest.approx(4 / 3 * np.pi * 0.5 * 0.4 * 0.6, rel=1e-3)
    assert np.all((volume >= 0.0) & (volume <= 1.0))


def test_no_sample_has_negative_attenuation_or_leaves_its_unit_radius() -> None:
    for name, preset in PRESETS.items():
        phantom = preset()
        grid = np.linspace(-1.6, 1.6, 97)
        values = phantom.attenuation_at(grid[None, None, :], grid[None, :, None], grid[:, None, None])
        assert values.min() > -1e-9, name
        x, y = np.meshgrid(grid, grid)
        assert values[:, np.hypot(x, y) > 1.0].max() == 0.0, name


def test_the_tooth_has_about_twenty_bodies_and_lets_some_light_through() -> None:
    phantom = tooth()
    assert 18 <= len(phantom.ellipsoids) <= 30
    u, v = np.meshgrid(np.linspace(-1.0, 1.0, 201), np.linspace(-1.0, 1.0, 201))
    least = np.exp(-max(phantom.project(theta, u, v).max() for theta in (0.0, 40.0, 90.0, 130.0)))
    assert 0.1 < least < 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        {"radii": (1.0, 0.0, 1.0)},
        {"radii": (1.0, -1.0, 1.0)},
        {"centre": (0.0, math.nan, 0.0)},
        {"attenuation": math.inf},
    ],
)
def test_an_impossible_body_is_refused(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"centre": (0.0, 0.0, 0.0), "radii": (1.0, 1.0, 1.0), "attenuation": 1.0}
    with pytest.raises(InvalidInput):
        Ellipsoid(**(good | wrong))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        tooth().scaled(0.0)


def test_an_empty_phantom_is_thin_air() -> None:
    nothing = Phantom([])
    assert float(nothing.project(10.0, 0.1, 0.2)) == 0.0
    assert nothing.voxels((2, 2, 2), 0.1).max() == 0.0
