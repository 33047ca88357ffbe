"""Meshes as images, whichever way they were gone through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.web._map import binned, mesh


@given(
    st.integers(1, 7),
    st.integers(2, 7),
    st.booleans(),
    st.booleans(),
    st.floats(0, 0.2),
    st.integers(1, 49),
)
def test_every_point_is_where_it_was_measured(
    rows: int, columns: int, snake: bool, downwards: bool, jitter: float, count: int
) -> None:
    count = min(count, rows * columns)
    generator = np.random.default_rng(5)
    xs = np.linspace(3.0, 1.0, columns) if downwards else np.linspace(1.0, 3.0, columns)
    ys = np.linspace(-2.0, 2.0, rows)
    order = [
        (row, column if not (snake and row % 2) else columns - 1 - column)
        for row in range(rows)
        for column in range(columns)
    ][:count]
    x = np.array([xs[column] for _, column in order])
    x = x + jitter * (2.0 / (columns - 1)) * generator.uniform(-1, 1, count)
    y = np.array([ys[row] for row, _ in order])
    z = np.array([100.0 * row + column for row, column in order])
    image, along, up = mesh(x, y, z, (rows, columns), (-2.0, 2.0))
    seen = np.full((rows, columns), np.nan, np.float32)
    for (row, column), value in zip(order, z, strict=True):
        seen[row, column] = value
    np.testing.assert_array_equal(image, seen)
    if count >= columns and jitter == 0:
        assert along == pytest.approx((xs[0], xs[-1]))
        assert up == pytest.approx((ys[0], ys[-1]) if rows > 1 else (ys[0], ys[0] + 4.0))


def test_the_newest_plane_of_several_is_shown() -> None:
    x = np.tile([0.0, 1.0], 5)
    y = np.zeros(10)
    image, _, _ = mesh(x, y, np.arange(10.0), (1, 2))
    assert image.tolist() == [[8.0, 9.0]]


def test_nothing_measured_is_nothing() -> None:
    empty = np.empty(0)
    image, along, up = mesh(empty, empty, empty, (2, 3), (5.0, 6.0))
    assert np.isnan(image).all()
    assert up == (5.0, 6.0)
    assert along[0] < along[1]


@pytest.mark.parametrize("reduce", ["mean", "sum", "max"])
def test_scattered_points_fill_their_cells(reduce: str) -> None:
    generator = np.random.default_rng(7)
    x, y, z = generator.uniform(0, 1, 500), generator.uniform(0, 1, 500), generator.normal(size=500)
    z[::50] = np.nan
    image = binned(x, y, z, (0.0, 0.0, 1.0, 1.0), (4, 3), reduce)
    way: Any = {"mean": np.mean, "sum": np.sum, "max": np.max}[reduce]
    for row in range(3):
        for column in range(4):
            inside = (np.floor(x * 4) == column) & (np.floor(y * 3) == row) & np.isfinite(z)
            assert image[row, column] == pytest.approx(way(z[inside]), rel=1e-5)
    corner = binned(np.array([1.0]), np.array([1.0]), np.array([9.0]), (0.0, 0.0, 1.0, 1.0), (4, 3), reduce)
    assert corner[2, 3] == 9.0
    assert np.isfinite(corner).sum() == 1
