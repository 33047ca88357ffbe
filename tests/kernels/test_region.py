"""Counting in regions: the compiled loops, their twins, and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firstlight.kernels import _loops, _twins, region_profile, region_statistics, regions_statistics

DTYPES = ("uint8", "uint16", "uint32", "uint64", "int32", "float32", "float64")


def frame_of(dtype: str, seed: int = 1) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        frame = rng.normal(100, 30, (13, 17)).astype(dtype)
        frame[rng.random((13, 17)) < 0.1] = np.nan
    else:
        low = -1000 if np.dtype(dtype).kind == "i" else 0
        frame = rng.integers(low, min(np.iinfo(dtype).max, 2**40), (13, 17), dtype=dtype, endpoint=True)
    frame.flags.writeable = False
    return frame


SPANS = np.array([[2, 3, 9], [3, 0, 17], [3, 1, 2], [12, 16, 17]], dtype=np.int64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_loop_equals_its_twin(dtype: str) -> None:
    frame = frame_of(dtype)
    zero = np.float64(0) if np.dtype(dtype).kind == "f" or dtype == "uint64" else np.int64(0)
    found, expected = _loops.region(frame, SPANS, zero), _twins.region(frame, SPANS, zero)
    assert found[:4] == expected[:4]
    assert found[4] == pytest.approx(expected[4], rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("horizontal", [True, False])
def test_profiles_equal_their_twins(dtype: str, horizontal: bool) -> None:
    frame = frame_of(dtype)
    kind = np.float64 if np.dtype(dtype).kind == "f" or dtype == "uint64" else np.int64
    found, expected = np.empty(17, kind), np.empty(17, kind)
    first = 0 if horizontal else 2
    _loops.profile(frame, SPANS, horizontal, first, found)
    _twins.profile(frame, SPANS, horizontal, first, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@given(
    st.integers(0, 12), st.integers(0, 16), st.integers(1, 13), st.integers(1, 17), st.sampled_from(DTYPES[:3]),
    st.integers(0, 5),
)  # fmt: skip
def test_a_rectangle_counts_what_numpy_counts(y: int, x: int, height: int, width: int, dtype: str, seed: int) -> None:
    height, width = min(height, 13 - y), min(width, 17 - x)
    frame = frame_of(dtype, seed)
    part = frame[y : y + height, x : x + width]
    spans = np.array([[row, x, x + width] for row in range(y, y + height)], dtype=np.int64)
    found = region_statistics(frame, spans)
    assert found.total == int(part.sum(dtype=np.uint64))
    assert (found.pixels, found.least, found.most) == (part.size, part.min(), part.max())
    assert found.mean == pytest.approx(part.mean(dtype=np.float64))
    assert found.std == pytest.approx(part.std(dtype=np.float64), abs=1e-6)
    np.testing.assert_array_equal(region_profile(frame, spans, horizontal=True), part.sum(axis=0, dtype=np.int64))
    np.testing.assert_array_equal(region_profile(frame, spans, horizontal=False), part.sum(axis=1, dtype=np.int64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_regions_count_what_each_of_them_counts(dtype: str) -> None:
    frame = frame_of(dtype)
    parts = [SPANS, SPANS[:1], SPANS[2:3], SPANS[1:]]
    spans, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
    many = regions_statistics(frame, spans, ends)
    single = [region_statistics(frame, part) for part in parts]
    for name in ("pixels", "total", "mean", "std", "least", "most"):
        np.testing.assert_array_equal(getattr(many, name), [getattr(one, name) for one in single], name)
    zero = np.float64(0) if np.dtype(dtype).kind == "f" or dtype == "uint64" else np.int64(0)
    kind = np.asarray(zero).dtype

    def columns() -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        return np.empty(4, np.int64), np.empty(4, kind), np.empty(4, kind), np.empty(4, kind), np.empty(4)

    found, expected = columns(), columns()
    _loops.regions(frame, spans, ends, zero, *found)
    _twins.regions(frame, spans, ends, zero, *expected)
    for one, other in zip(found[:4], expected[:4], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(found[4], expected[4], rtol=1e-12)


def test_one_of_many_without_any_number_counts_nothing() -> None:
    frame = np.array([[np.nan, np.nan], [1.0, 3.0]])
    found = regions_statistics(frame, np.array([[0, 0, 2], [1, 0, 2]]), np.array([1, 2]))
    assert found.pixels.tolist() == [0, 2]
    assert np.isnan([found.total[0], found.mean[0], found.std[0], found.least[0], found.most[0]]).all()
    assert (found.total[1], found.mean[1], found.std[1], found.least[1], found.most[1]) == (4.0, 2.0, 1.0, 1.0, 3.0)


def test_sums_of_large_integers_are_exact() -> None:
    frame = np.full((1000, 1000), 2**32 - 1, dtype=np.uint32)
    spans = np.array([[row, 0, 1000] for row in range(1000)], dtype=np.int64)
    assert region_statistics(frame, spans).total == 10**6 * (2**32 - 1)


def test_a_region_without_any_number_counts_nothing() -> None:
    frame = np.full((3, 3), np.nan)
    found = region_statistics(frame, np.array([[0, 0, 3]], dtype=np.int64))
    assert found.pixels == 0
    assert np.isnan([found.total, found.mean, found.std, found.least, found.most]).all()
