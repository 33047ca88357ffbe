"""The compiled loops and their NumPy twins give the same results."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.kernels import _loops, _twins


def rows(rng: np.random.Generator, count: int, width: int) -> NDArray[np.float32]:
    return rng.random((count, width), dtype=np.float32)


def spectra(rng: np.random.Generator, *shape: int) -> NDArray[np.complex64]:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 3), (20, 31), (2, 30)])
def test_pack_equals_its_twin(edge: bool, first: int, second: int) -> None:
    rng = np.random.default_rng(1)
    one, other = rows(rng, 3, 13), rows(rng, 3, 13)
    out, expected = (np.full((3, 64), np.nan, np.float32) for _ in range(2))
    _loops.pack(one, other, first, second, edge, out)
    _twins.pack(one, other, first, second, edge, expected)
    assert np.array_equal(out, expected)


def test_scale_rows_equals_its_twin() -> None:
    rng = np.random.default_rng(2)
    lines, response = spectra(rng, 4, 32), rng.random(32, dtype=np.float32)
    expected = lines.copy()
    _loops.scale_rows(lines, response)
    _twins.scale_rows(expected, response)
    assert np.allclose(lines, expected, rtol=1e-6)


def test_place_equals_its_twin() -> None:
    rng = np.random.default_rng(3)
    lines, table, shift = spectra(rng, 4, 33), spectra(rng, 4, 33), spectra(rng, 33)
    out, expected = np.empty_like(lines), np.empty_like(lines)
    _loops.place(lines, table, shift, out)
    _twins.place(lines, table, shift, expected)
    assert np.allclose(out, expected, rtol=1e-5)


def test_place_apart_equals_its_twin_and_shifts_both_parts_by_their_own_axis() -> None:
    rng = np.random.default_rng(4)
    signals = rng.standard_normal((2, 3, 33))
    lines = np.fft.fft(signals[0] + 1j * signals[1], axis=1).astype(np.complex64)
    ramps = [np.exp(1j * 2 * np.pi * np.fft.fftfreq(33) * shift) for shift in (0.3, -1.7)]
    same = (0.5 * (ramps[0] + ramps[1])).astype(np.complex64)
    cross = (0.5 * (ramps[0] - ramps[1])).astype(np.complex64)
    table = np.ones_like(lines)
    out, expected = np.empty_like(lines), np.empty_like(lines)
    _loops.place_apart(lines, table, same, cross, out)
    _twins.place_apart(lines, table, same, cross, expected)
    assert np.allclose(out, expected, atol=1e-5)
    shifted = [np.fft.ifft(np.fft.fft(s, axis=1) * ramp, axis=1) for s, ramp in zip(signals, ramps, strict=True)]
    assert np.allclose(np.fft.ifft(out, axis=1), shifted[0].real + 1j * shifted[1].real, atol=1e-5)


def test_split_equals_its_twin() -> None:
    rng = np.random.default_rng(5)
    image = spectra(rng, 9, 9)
    squares = ((np.arange(9) - 4.0) ** 2).astype(np.float32)
    results = [[np.empty((9, 9), np.float32) for _ in range(2)] for _ in range(2)]
    _loops.split(image, squares, 12.0, -1.0, *results[0])
    _twins.split(image, squares, 12.0, -1.0, *results[1])
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int32"])
def test_ratios_equal_their_twin_for_ordinary_and_for_broken_pixels(dtype: str) -> None:
    rng = np.random.default_rng(6)
    frames = rng.integers(90, 4000, (7, 5, 11)).astype(dtype)
    dark = np.full((5, 11), 100, np.float32)
    flats = rng.uniform(3000, 4000, (2, 5, 11)).astype(np.float32)
    flats[:, 0, 0] = 100.0
    flats[1, 1, 1] = np.nan
    frames[2, 2, 2] = 100
    frames[3, 3, 3] = 99
    if dtype == "float32":
        frames[4, 4, 4] = np.nan
        frames[4, 4, 5] = np.inf
        frames[4, 4, 6] = -np.inf
        frames[5, 4, 4] = 1e30
    valid = np.array([True] * 6 + [False])
    lower = np.array([0, 0, 0, 0, 0, 1, 1])
    blend = np.array([0, 0.1, 0.4, 0.7, 0.9, 0, 0], np.float32)
    scale = np.linspace(0.9, 1.1, 7).astype(np.float32)
    out, expected = (np.full((5, 7, 11), -7, np.float32) for _ in range(2))
    repaired = _loops.ratios(frames, valid, dark, flats, lower, blend, scale, 1e5, 1, 5, out)
    assert repaired == _twins.ratios(frames, valid, dark, flats, lower, blend, scale, 1e5, 1, 5, expected)
    assert np.allclose(out, expected, rtol=1e-5)
    assert np.all(out[0] == -7)
    assert np.isfinite(out).all()
    assert np.all(out[1:] > 0)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_reduce_stack_equals_its_twin(mean: bool, count: int) -> None:
    rng = np.random.default_rng(7)
    stack = rng.normal(1000, 30, (count, 6, 5)).astype(np.float32)
    stack[0, 1, 1] = 60000
    stack[-1, 2, 2] = np.nan
    stack[:, 3, 3] = np.inf
    out, expected = (np.full((6, 5), -7, np.float32) for _ in range(2))
    rejected = _loops.reduce_stack(stack, 6.0, 1.1, mean, 1, 6, out)
    assert rejected == _twins.reduce_stack(stack, 6.0, 1.1, mean, 1, 6, expected)
    assert np.allclose(out, expected, rtol=1e-6, equal_nan=True)
    assert np.all(out[0] == -7)
