from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from firstlight.simulation import _kernels, key, key_of, moment_key, poisson
from firstlight.simulation._random import normals_of, uniform, uniforms, uniforms_of


def test_a_key_depends_on_every_one_of_its_parts_and_on_their_order() -> None:
    keys = {key(0), key(1), key(0, 0), key(0, 1), key(1, 0), key(0, 0, 0), key(0, 1, 2), key(0, 2, 1), key(0, -1)}
    assert len(keys) == 9
    assert all(0 <= k < 2**64 for k in keys)


def test_keys_are_the_same_in_every_process_and_version() -> None:
    assert key(7, 1, 2) == 4286928479264937570
    assert key_of("diode") == 5553832901660630096


def test_one_bit_of_a_key_changes_half_of_the_bits() -> None:
    flips = [bin(key(0, k) ^ key(0, k ^ (1 << b))).count("1") for k in range(200) for b in (0, 7, 31)]
    assert np.mean(flips) == pytest.approx(32.0, abs=0.7)


def test_uniform_and_normal_fields_are_what_they_are_called() -> None:
    assert stats.kstest(uniforms_of(key(1), (20_000,)), "uniform").pvalue > 1e-3
    normal = normals_of(key(2), (100, 200))
    assert normal.shape == (100, 200)
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(normal[:-1].ravel(), normal[1:].ravel())[0, 1]) < 0.03


def test_compiled_normals_are_normal_and_independent_between_pixels_and_frames() -> None:
    n = 200_000
    frames = np.empty((2, n))
    u, tail = np.empty(n), np.empty(n)
    for i, values in enumerate(frames):
        _kernels.normals(np.uint64(key(3, i)), 0, values, u, tail)
    assert stats.kstest(frames[0], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(frames[0], frames[1])[0, 1]) < 0.01
    assert abs(np.corrcoef(frames[0, :-1], frames[0, 1:])[0, 1]) < 0.01
    # Tails as heavy as they should be: beyond 4 σ.
    assert np.count_nonzero(np.abs(frames) > 4.0) == pytest.approx(2 * n * 2 * stats.norm.sf(4.0), abs=20)


def test_compiled_normals_are_the_quantiles_of_their_uniform_numbers() -> None:
    n = 100_000
    values, u, tail = np.empty(n), np.empty(n), np.empty(n)
    _kernels.normals(np.uint64(key(4)), 17, values, u, tail)
    np.testing.assert_allclose(values, stats.norm.ppf(u), atol=2e-6)


def test_a_row_of_normals_is_a_part_of_its_frame() -> None:
    whole, part = np.empty(1000), np.empty(100)
    _kernels.normals(np.uint64(5), 0, whole, np.empty(1000), np.empty(1000))
    _kernels.normals(np.uint64(5), 300, part, np.empty(100), np.empty(100))
    np.testing.assert_array_equal(whole[300:400], part)


def chi_square(counts: np.ndarray[tuple[int], np.dtype[np.float64]], mean: float) -> float:
    """p value of counts against the Poisson distribution."""
    low, high = int(stats.poisson.ppf(1e-4, mean)), int(stats.poisson.isf(1e-4, mean))
    edges = np.arange(low, high + 1)
    seen = np.array([np.count_nonzero(counts <= low), *(np.count_nonzero(counts == k) for k in edges[1:]),
                     np.count_nonzero(counts > high)])  # fmt: skip
    p = np.array([stats.poisson.cdf(low, mean), *stats.poisson.pmf(edges[1:], mean), stats.poisson.sf(high, mean)])
    return float(stats.chisquare(seen, p / p.sum() * seen.sum()).pvalue)


@pytest.mark.parametrize("mean", [0.05, 1.0, 4.0, 15.9])
def test_small_means_give_exact_poisson_numbers(mean: float) -> None:
    n = 100_000
    u = uniforms_of(key(6), (n,))
    counts, probability, total = np.empty(n), np.empty(n), np.empty(n)
    _kernels.poissons(np.full(n, mean), u, counts, probability, total)
    np.testing.assert_array_equal(counts, stats.poisson.ppf(u, mean))
    assert chi_square(counts, mean) > 1e-3
    scalar = np.array([poisson(mean, moment_key(key(7), k * 1e-3)) for k in range(20_000)], dtype=np.float64)
    assert chi_square(scalar, mean) > 1e-3


def test_large_means_have_the_mean_and_the_variance() -> None:
    n = 50_000
    for mean in (30.0, 1e3, 1e6):
        counts = np.array([poisson(mean, moment_key(key(8), k * 1e-3)) for k in range(n)], dtype=np.float64)
        assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / n))
        assert counts.var() == pytest.approx(mean, rel=0.03)


def test_no_light_gives_nothing() -> None:
    assert [poisson(0.0, key(9, k)) for k in range(5)] == [0] * 5


def test_one_number_and_an_array_of_them_are_drawn_alike() -> None:
    states = [key(10, k) for k in range(50)]
    for draw in (0, 1):
        assert uniforms(np.array(states, dtype=np.uint64), draw).tolist() == [uniform(s, draw) for s in states]
