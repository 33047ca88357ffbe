from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import Geometry

tilt = st.floats(-40.0, 40.0)
geometries = st.builds(
    Geometry,
    shape=st.just((30, 20)),
    pixel=st.just((0.1, 0.2)),
    distance=st.floats(20.0, 200.0),
    centre=st.tuples(st.floats(-50.0, 80.0), st.floats(-50.0, 80.0)),
    tilt=st.tuples(tilt, tilt, tilt),
)


def turned(axis: int, degrees: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The right-handed rotation about a coordinate axis, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


@given(geometry=geometries)
def test_the_rotation_is_that_of_pyfai(geometry: Geometry) -> None:
    """rot1 left-handed about 1, then rot2 left-handed about 2, then rot3 right-handed about 3."""
    rot1, rot2, rot3 = geometry.tilt
    expected = turned(2, rot3) @ turned(1, -rot2) @ turned(0, -rot1)
    np.testing.assert_allclose(geometry.rotation, expected, atol=1e-12)


@given(geometry=geometries)
def test_rays_through_pixels_come_back_to_them(geometry: Geometry) -> None:
    rays = geometry.positions.reshape(3, -1).T
    rows, columns = np.divmod(np.arange(600), 20)
    np.testing.assert_allclose(geometry.pixels_of(7.0 * rays), np.column_stack([rows, columns]), atol=1e-8)


@given(geometry=geometries)
def test_the_direct_beam_hits_where_nothing_is_scattered(geometry: Geometry) -> None:
    row, column = geometry.beam
    centre = (geometry.centre[0] - row, geometry.centre[1] - column)
    at_beam = Geometry((1, 1), geometry.pixel, geometry.distance, centre, geometry.tilt)
    assert float(at_beam.two_theta[0, 0]) == pytest.approx(0.0, abs=1e-7)


def test_an_untilted_detector_is_the_schoolbook_one() -> None:
    flat = Geometry((11, 11), (0.1, 0.1), 50.0, (5.0, 5.0))
    assert flat.beam == pytest.approx((5.0, 5.0))
    radius = np.hypot(*np.mgrid[-5:6, -5:6]) * 0.1
    np.testing.assert_allclose(flat.two_theta, np.arctan(radius / 50.0), atol=1e-12)
    np.testing.assert_allclose(flat.solid_angle, 0.01 / 2500.0 * np.cos(flat.two_theta) ** 3, rtol=1e-12)
    assert flat.azimuth[10, 5] == pytest.approx(np.pi / 2)
    assert flat.truth()["poni"]["poni1"] == pytest.approx(5.5e-4)


def test_a_large_detector_collects_all_that_goes_forward() -> None:
    wide = Geometry((801, 801), (1.0, 1.0), 20.0, (400.0, 400.0), (10.0, -5.0, 0.0))
    # A plane seen from beside it covers half of all directions, but for its corners.
    assert float(wide.solid_angle.sum()) == pytest.approx(2.0 * np.pi, rel=0.05)


def test_polarised_light_is_not_scattered_along_its_field() -> None:
    aside = Geometry((1, 2001), (1.0, 1.0), 10.0, (0.0, 0.0))
    far = aside.polarisation(1.0)[0, -1]
    assert far == pytest.approx(np.cos(aside.two_theta[0, -1]) ** 2, rel=1e-9)
    down = Geometry((2001, 1), (1.0, 1.0), 10.0, (0.0, 0.0))
    assert down.polarisation(1.0)[-1, 0] == pytest.approx(1.0)


def test_an_impossible_geometry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="distance"):
        Geometry((2, 2), (0.1, 0.1), 0.0, (0.0, 0.0))
    with pytest.raises(InvalidInput, match="less than 90"):
        Geometry((2, 2), (0.1, 0.1), 1.0, (0.0, 0.0), (95.0, 0.0, 0.0))
