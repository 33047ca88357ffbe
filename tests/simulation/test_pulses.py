from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import PulseDetector, poissons

DETECTOR = PulseDetector()


@given(energy=st.floats(2.0, 19.0))
def test_a_line_gives_as_many_counts_as_photons_that_are_stopped(energy: float) -> None:
    response = DETECTOR.response(np.array([energy]))[0]
    assert float(response.sum()) == pytest.approx(float(DETECTOR.efficiency(np.array([energy]))[0]), rel=1e-6)
    centre = float((response * np.arange(2048)).sum() / response.sum()) * 0.01
    lost = DETECTOR.escape(energy)
    assert centre == pytest.approx(energy - lost * 1.74, abs=1e-3)


def test_resolution_is_noise_and_fano_together() -> None:
    assert DETECTOR.full_width(5.9) == pytest.approx(
        math.hypot(0.08, 2.3548 * math.sqrt(0.115 * 3.66e-3 * 5.9)), rel=1e-4
    )
    response = PulseDetector(gain=0.002, bins=8192).response(np.array([5.9]))[0]
    top = np.flatnonzero(response > 0.5 * response.max()) * 0.002
    assert top[-1] - top[0] == pytest.approx(DETECTOR.full_width(5.9), abs=0.004)


def test_the_escape_peak_lies_one_silicon_line_below_and_only_above_the_edge() -> None:
    response = DETECTOR.response(np.array([6.4]))[0]
    low = response[450:485].sum() / response.sum()
    # Of silicon at 6 keV: about half a percent.
    assert low == pytest.approx(DETECTOR.escape(6.4), rel=0.02)
    assert 0.002 < DETECTOR.escape(6.4) < 0.008
    assert DETECTOR.escape(1.8) == 0.0
    assert DETECTOR.escape(12.0) < DETECTOR.escape(4.0)


def spectrum(rate: float, energy: float = 5.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shape = PulseDetector(thickness=50.0, window=0.0).response(np.array([energy]))[0]
    return np.asarray(rate * shape / shape.sum())


@pytest.mark.parametrize("offset", [0.0, -0.2, 0.1])
def test_pulses_that_come_together_are_counted_at_the_sum_of_their_energies(offset: float) -> None:
    detector = PulseDetector(offset=offset, dead_time=0.0, resolving_time=1e-6)
    arriving = detector.response(np.array([5.0]))[0]
    arriving *= 1e5 / arriving.sum()
    recorded = detector.record(arriving)
    energies = offset + 0.01 * np.arange(2048)
    twice = np.abs(energies - 10.0) < 0.4
    share = float(recorded.counts[twice].sum() / recorded.counts.sum())
    # exp(-a) a with a = R τ = 0.1, less the escape peaks.
    assert share == pytest.approx(0.1 * math.exp(-0.1), rel=0.03)
    near = recorded.counts[twice]
    assert float((near * energies[twice]).sum() / near.sum()) == pytest.approx(10.0, abs=0.03)
    assert recorded.recorded == pytest.approx(1e5 / 1.1, rel=1e-3)


def test_dead_time_is_that_of_a_paralysable_counter() -> None:
    detector = PulseDetector(dead_time=2e-6, resolving_time=0.0)
    for rate in (1e3, 1e5, 5e5, 2e6):
        recorded = detector.record(spectrum(rate))
        assert recorded.arriving == pytest.approx(rate)
        assert recorded.recorded == pytest.approx(rate * math.exp(-rate * 2e-6), rel=1e-9)
        np.testing.assert_allclose(recorded.counts, spectrum(rate) * math.exp(-rate * 2e-6))


def test_nothing_that_comes_gives_nothing() -> None:
    recorded = DETECTOR.record(np.zeros(2048))
    assert not recorded.counts.any()
    assert (recorded.arriving, recorded.recorded) == (0.0, 0.0)


def test_arrays_of_poisson_numbers_have_their_mean_and_variance() -> None:
    means = np.repeat([0.0, 0.1, 3.0, 29.0, 31.0, 500.0], 20000)
    counts = poissons(means, 7).reshape(6, -1)
    assert (counts[0] == 0).all()
    for drawn, mean in zip(counts[1:], (0.1, 3.0, 29.0, 31.0, 500.0), strict=True):
        assert drawn.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / 20000))
        assert drawn.var() == pytest.approx(mean, rel=0.05)
    np.testing.assert_array_equal(poissons(means, 7).reshape(6, -1), counts)
    assert (poissons(means, 8).reshape(6, -1)[2] != counts[2]).any()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="bins"):
        PulseDetector(bins=1)
    with pytest.raises(InvalidInput, match="not below zero"):
        PulseDetector(dead_time=-1.0)
