"""Meshes as images, whichever way they were gone through."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.web._map import binned
from firstlight.web._mesh import cells, grid

SHAPES = st.lists(st.integers(1, 5), min_size=2, max_size=4)


@given(SHAPES, st.lists(st.booleans(), min_size=4, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4),
       st.floats(0, 0.2), st.floats(0, 1))  # fmt: skip
def test_every_point_is_where_it_was_measured(
    shape: list[int], snakes: list[bool], downwards: list[bool], jitter: float, share: float
) -> None:
    total = math.prod(shape)
    count = max(1, round(share * total))
    generator = np.random.default_rng(5)
    nominal = [np.linspace(-1.0, 2.0, n)[:: -1 if down else 1] for n, down in zip(shape, downwards, strict=False)]
    order = visited(shape, snakes)[:count]
    places = []
    for d, n in enumerate(shape):
        noise = jitter * 3.0 / max(1, n - 1) * generator.uniform(-1, 1, count)
        places.append(nominal[d][[where[d] for where in order]] + noise)
    values = np.arange(1.0, count + 1)
    planned = [(float(axis[0]), float(axis[-1])) for axis in nominal]
    found = grid(places, values, shape, planned)
    expected = np.full(shape, np.nan)
    for where, value in zip(order, values, strict=True):
        expected[where] = value
    np.testing.assert_array_equal(found.values, expected)
    assert found.newest == order[-1]
    if jitter == 0:
        for ends, axis in zip(found.ends, nominal, strict=True):
            assert ends == pytest.approx((axis[0], axis[-1]))


def visited(shape: list[int], snakes: list[bool]) -> list[tuple[int, ...]]:
    """The steps of a scan in the order of acquisition: every other pass of a snaking axis is gone through backwards."""
    found = []
    for flat in range(math.prod(shape)):
        steps = np.unravel_index(flat, shape)
        where = []
        for d, n in enumerate(shape):
            passes = flat // math.prod(shape[d:])
            where.append(int(n - 1 - steps[d] if snakes[d] and passes % 2 else steps[d]))
        found.append(tuple(where))
    return found


def test_any_two_axes_make_a_plane_and_the_newest_is_shown_unless_one_is_chosen() -> None:
    values = np.arange(24.0)
    outer, middle, inner = (a.ravel().astype(float) for a in np.indices((2, 3, 4)))
    cube = values.reshape(2, 3, 4)
    found = grid([outer, middle, inner], values[:20], (2, 3, 4))
    assert found.newest == (1, 1, 3)
    plane, chosen = found.plane(1, 2)
    assert chosen == (1,)
    np.testing.assert_array_equal(plane[:2], cube[1, :2])
    assert np.isnan(plane[2]).all()
    for y, x, at, part in [
        (1, 2, (0,), cube[0]),
        (2, 1, (0,), cube[0].T),
        (0, 2, (1,), cube[:, 1]),
        (0, 1, (3,), cube[:, :, 3]),
        (2, 0, (1,), cube[:, 1].T),
    ]:
        plane, _ = found.plane(y, x, at)
        there = np.isfinite(plane)
        np.testing.assert_array_equal(plane[there], part[there])
        assert there.sum() == (part < 20).sum()
    for wrong in [(2,), (-1,), (0, 0), ()]:
        with pytest.raises(InvalidInput):
            found.plane(1, 2, wrong)


def test_nothing_measured_is_nothing() -> None:
    empty = np.empty(0)
    found = grid([empty, empty], empty, (2, 3), [(5.0, 6.0), None])
    assert np.isnan(found.values).all()
    assert found.ends == ((5.0, 6.0), (0.0, 2.0))
    assert found.newest == (0, 0)


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.sampled_from(["mean", "max", "sum"])
)
def test_cells_of_a_large_mesh_hold_what_was_measured_in_them(
    rows: int, columns: int, down: int, along: int, how: str
) -> None:
    values = np.random.default_rng(2).normal(size=(rows, columns))
    values[::2, ::3] = np.nan
    found = cells(values, down, along, how)
    way: Any = {"mean": np.mean, "sum": np.sum, "max": np.max}[how]
    assert found.shape == (-(-rows // down), -(-columns // along))
    for (row, column), value in np.ndenumerate(found):
        part = values[row * down : (row + 1) * down, column * along : (column + 1) * along]
        part = part[np.isfinite(part)]
        assert value == pytest.approx(way(part), rel=1e-5) if part.size else np.isnan(value)


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
