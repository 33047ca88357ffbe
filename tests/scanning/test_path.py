from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.scanning import a2scan, amesh, anmesh, ascan, flyscan, lookupscan
from firstlight.scanning._path import points_of


def test_a_line_visits_both_ends_and_equal_steps() -> None:
    path = ascan("rot", -1, 1, 4, 0.1).path
    assert path is not None
    points = points_of(path)
    np.testing.assert_allclose(points.middle["rot"], [-1, -0.5, 0, 0.5, 1])
    assert points.axes == ("rot",)


def test_the_first_axis_of_a_mesh_is_the_fast_one() -> None:
    path = amesh("x", 0, 2, 2, "y", 10, 11, 1, 0.1).path
    assert path is not None
    points = points_of(path)
    assert points.axes == ("y", "x")
    assert points.shape == (2, 3)
    np.testing.assert_allclose(points.middle["x"], [0, 1, 2, 0, 1, 2])
    np.testing.assert_allclose(points.middle["y"], [10, 10, 10, 11, 11, 11])


def test_a_mesh_back_and_forth_turns_at_each_line() -> None:
    path = amesh("x", 0, 2, 2, "y", 10, 11, 1, 0.1, backnforth=True).path
    assert path is not None
    np.testing.assert_allclose(points_of(path).middle["x"], [0, 1, 2, 2, 1, 0])


def test_the_first_axis_of_any_mesh_is_the_fastest() -> None:
    path = anmesh([("x", 0, 1, 1), ("y", 0, 1, 1), ("z", 0, 1, 1)], 0.1, backnforth=True).path
    assert path is not None
    points = points_of(path)
    assert points.axes == ("z", "y", "x")
    assert points.shape == (2, 2, 2)
    np.testing.assert_allclose(points.middle["x"], [0, 1, 1, 0, 0, 1, 1, 0])
    np.testing.assert_allclose(points.middle["z"], [0, 0, 0, 0, 1, 1, 1, 1])


def test_axes_that_go_together_share_their_points() -> None:
    path = a2scan("x", 0, 1, "y", 10, 20, 4, 0.1).path
    assert path is not None
    points = points_of(path)
    assert points.axes == ("x", "y")
    assert points.shape == (5,)
    np.testing.assert_allclose(points.middle["y"], [10, 12.5, 15, 17.5, 20])


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=50))
def test_listed_positions_are_visited_exactly_and_in_order(rows: list[tuple[float, float]]) -> None:
    x, y = zip(*rows, strict=True)
    path = lookupscan([("x", x), ("y", y)], 0.1).path
    assert path is not None
    points = points_of(path)
    assert points.middle["x"].tolist() == list(x)
    assert points.middle["y"].tolist() == list(y)


def test_the_parts_of_a_sweep_fill_it_without_gaps() -> None:
    path = flyscan("rot", 180, 0, 9, 0.1).path
    assert path is not None
    points = points_of(path)
    np.testing.assert_allclose(points.lower["rot"], np.arange(180, 0, -20))
    np.testing.assert_allclose(points.upper["rot"], points.lower["rot"] - 20)
    np.testing.assert_allclose(points.middle["rot"], points.lower["rot"] - 10)


@pytest.mark.parametrize(
    "path",
    [
        {},
        {"type": "Nonsense"},
        {"type": "Linspace", "axis": "rot", "start": 0, "stop": 1, "num": 0},
        {"type": "ConstantDuration", "constant_duration": 1.0},
    ],
)
def test_a_path_from_elsewhere_that_is_not_valid_is_refused(path: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        points_of(path)
    assert "\n" not in str(refused.value)
