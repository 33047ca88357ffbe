"""What is left out of a picture may not change what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from firstlight.web._payload import pack, sendable, unpack
from firstlight.web._reduce import bin_frame, jpeg, minmax, quantiles, to_bytes


@given(
    st.integers(1, 20).flatmap(
        lambda width: arrays(np.uint16, st.tuples(st.integers(1, 30), st.just(width)), elements=st.integers(0, 65535))
    ),
    st.integers(1, 9),
)
def test_bins_keep_the_largest_pixel_of_each(frame: NDArray[Any], factor: int) -> None:
    found = bin_frame(frame, factor, "max")
    rows, columns = (-(-side // factor) for side in frame.shape)
    assert found.shape == (rows, columns)
    assert found.dtype == frame.dtype
    for row in range(rows):
        for column in range(columns):
            part = frame[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            assert found[row, column] == part.max()


@given(
    arrays(np.float32, st.tuples(st.integers(1, 25), st.integers(1, 25)), elements=st.floats(-1000, 1000, width=32)),
    st.integers(2, 8),
    st.floats(0, 1),
)
def test_means_are_those_of_the_pixels_that_are_there(frame: NDArray[Any], factor: int, holes: float) -> None:
    frame[np.random.default_rng(3).random(frame.shape) < holes] = np.nan
    found = bin_frame(frame, factor, "mean")
    for (row, column), value in np.ndenumerate(found):
        part = frame[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        there = part[np.isfinite(part)].astype(np.float64)
        if there.size:
            assert value == pytest.approx(there.mean(), rel=1e-4, abs=1e-2)
        else:
            assert np.isnan(value)


def test_hidden_pixels_do_not_count_unless_there_are_no_others() -> None:
    frame = np.array([[7, 2**32 - 1, 2**32 - 1, 2**32 - 1], [3, 5, 2**32 - 1, 2**32 - 1]], np.uint32)
    assert bin_frame(frame, 2, "max", 2**32 - 1).tolist() == [[7, 2**32 - 1]]
    mean = bin_frame(frame, 2, "mean", 2**32 - 1)
    assert mean[0, 0] == 5.0
    assert np.isnan(mean[0, 1])
    assert quantiles(frame, 2**32 - 1)["1"] == 7.0


@given(st.integers(10, 5000), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_no_spike_of_a_curve_is_lost(count: int, bins: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = np.arange(count, dtype=float)
    ys = [generator.normal(size=count), generator.integers(0, 100, count).astype(float)]
    for y in ys:
        y[generator.integers(count)] = 1e6
        y[generator.integers(count)] = -1e6
    chosen = minmax(x, ys, bins)
    if count <= 2 * bins:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen[0] == 0
    assert chosen[-1] == count - 1
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) <= 4 * bins + 2
    for y in ys:
        assert y[chosen].max() == y.max()
        assert y[chosen].min() == y.min()


def test_gaps_stay_gaps() -> None:
    y = np.ones(10_000)
    y[4000:4100] = np.nan
    chosen = minmax(np.arange(10_000.0), [y], 100)
    assert chosen is not None
    assert np.isnan(y[chosen]).any()


@pytest.mark.parametrize("scale", ["linear", "log", "gamma"])
def test_grey_levels_grow_with_the_values(scale: Any) -> None:
    frame = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    grey = to_bytes(frame, 1000.0, 50_000.0, scale).reshape(-1)
    assert (np.diff(grey.astype(int)) >= 0).all()
    assert grey[0] == 0
    assert grey[-1] == 255
    np.testing.assert_array_equal(grey, to_bytes(frame.astype(np.float32), 1000.0, 50_000.0, scale).reshape(-1))
    assert to_bytes(np.array([[np.nan]]), 0.0, 1.0, scale)[0, 0] == 0


def test_a_jpeg_is_one(tmp_path: Any) -> None:
    from PIL import Image

    file = tmp_path / "x.jpg"
    file.write_bytes(jpeg(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))))
    with Image.open(file) as image:
        assert image.size == (64, 32)
        assert image.mode == "L"


@given(
    st.sampled_from(["u1", "<u2", ">u2", "<i4", "<i8", "<u8", "<f4", ">f8", "<f2", "?"]),
    st.lists(st.integers(0, 5), min_size=0, max_size=3),
)
def test_payloads_carry_every_array_aligned(dtype: str, shape: list[int]) -> None:
    array = (np.arange(int(np.prod(shape, dtype=int))).reshape(shape) % 2).astype(dtype)
    data = pack({"unit": "µm", "index": 3}, {"a": array, "b": np.arange(3.0)})
    header, found = unpack(data)
    assert header["unit"] == "µm"
    assert len(data) % 8 == 0
    start = 8 + int.from_bytes(data[4:8], "little")
    assert start % 8 == 0
    assert all(part["offset"] % 8 == 0 for part in header["arrays"])
    np.testing.assert_array_equal(found["a"], sendable(array))
    np.testing.assert_array_equal(found["a"].astype(float), array.astype(float))
    assert found["b"].tolist() == [0.0, 1.0, 2.0]
