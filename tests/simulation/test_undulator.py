from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from firstlight.model import InvalidInput
from firstlight.simulation import Undulator
from firstlight.simulation._special import normal_cdf, tailed_pdf
from firstlight.simulation._undulator import HARMONICS, coupling

U18 = Undulator(period=18.0, periods=111, energy=6.0)


def test_the_first_harmonic_has_the_energy_of_the_textbook() -> None:
    # 2 γ² hc / (λ (1 + K²/2)), from constants rather than from the practical formula.
    gamma = 6.0 / 0.51099895e-3
    for gap in (5.0, 6.0, 9.0):
        K = float(U18.deflection(gap))
        expected = 2.0 * gamma**2 * 12.398419843e-7 / 18.0 / (1.0 + 0.5 * K * K)
        assert U18.harmonic(gap) == pytest.approx(expected, rel=1e-3)
        assert U18.harmonic(gap, 5) == pytest.approx(5.0 * expected, rel=1e-3)


def test_an_undulator_of_18_mm_at_6_mm_is_like_those_at_the_esrf() -> None:
    # Peak field about 0.8 T and K about 1.4: J. Chavanne et al., in-vacuum undulators of the ESRF.
    assert U18.deflection(6.0) == pytest.approx(1.36, abs=0.05)
    assert U18.harmonic(6.0) == pytest.approx(9.9, abs=0.2)


@pytest.mark.parametrize("n", [1, 3, 5, 7])
def test_the_coupling_is_made_of_bessel_functions(n: int) -> None:
    K = np.linspace(0.1, 4.0, 40)
    x = n * K**2 / (4.0 + 2.0 * K**2)
    bessel = special.jv((n - 1) // 2, x) - special.jv((n + 1) // 2, x)
    F = (n * K / (1.0 + K**2 / 2.0)) ** 2 * bessel**2
    assert coupling(n, K) == pytest.approx((1.0 + K**2 / 2.0) * F / n, rel=1e-9)


def test_the_gap_for_an_energy_gives_that_energy() -> None:
    undulator = Undulator(offset=0.04)
    for n, energy in ((1, 4.0), (3, 12.4), (5, 20.0)):
        gap = undulator.gap_for(energy, n)
        assert undulator.harmonic(gap + 0.04, n) == pytest.approx(energy, rel=1e-4)
    with pytest.raises(InvalidInput, match="does not reach"):
        undulator.gap_for(100.0, 1)


@given(st.floats(4.0, 20.0), st.floats(0.1, 5.0))
def test_a_wider_gap_gives_a_higher_energy(gap: float, step: float) -> None:
    assert U18.harmonic(gap + step) > U18.harmonic(gap)


def test_all_photons_of_a_harmonic_are_in_its_line() -> None:
    spectrum = U18.spectrum(np.full(1, 6.0), np.full(1, 200.0))
    E1 = float(spectrum.first[0])
    energies = np.linspace(0.3 * E1, 1.7 * E1, 40_001)
    density = spectrum.density(energies[None, :])[0]
    assert np.trapezoid(density, energies) == pytest.approx(spectrum.rates[0, 0], rel=0.02)
    # The divergence of the electrons makes a tail to low energies.
    peak = float(energies[np.argmax(density)])
    assert 0.99 * E1 < peak < E1
    assert np.interp(E1 * 0.993, energies, density) > 1.5 * np.interp(E1 * 1.007, energies, density)


def test_far_from_a_line_is_as_much_light_as_a_finite_undulator_gives() -> None:
    spectrum = U18.spectrum(np.full(1, 6.0), np.full(1, 200.0))
    E1, N = float(spectrum.first[0]), 111
    x = np.linspace(-0.12, -0.08, 4001)
    # The square of the sinc of N periods, per photon of the line.
    sinc = N * np.sinc(N * x) ** 2
    ours = spectrum.density(E1 * (1.0 + x)[None, :])[0] * E1 / spectrum.rates[0, 0]
    assert ours.mean() == pytest.approx(sinc.mean(), rel=0.1)


def test_the_flux_is_that_of_the_booklet_and_proportional_to_the_current() -> None:
    spectrum = U18.spectrum(np.full(2, 6.0), np.array([100.0, 200.0]))
    K = float(U18.deflection(6.0))
    # Photons/s/0.1 % times the width 1/N.
    assert spectrum.rates[1, 0] == pytest.approx(1.431e14 * 111 * float(coupling(1, K)) * 0.2 * 1e3 / 111, rel=1e-4)
    assert spectrum.rates[1] == pytest.approx(2.0 * spectrum.rates[0])
    assert len(HARMONICS) == spectrum.rates.shape[1]


def test_the_tail_is_an_exponentially_modified_gaussian() -> None:
    x = np.linspace(-8.0, 5.0, 101)
    for sigma, tail in ((1.0, 1.0), (0.2, 2.0), (1.0, 0.02)):
        expected = stats.exponnorm.pdf(-x, tail / sigma, scale=sigma)
        assert tailed_pdf(x, sigma, tail) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_distribution_function_is_that_of_scipy() -> None:
    x = np.concatenate([np.linspace(-8, 8, 101), [-np.inf, np.inf]])
    assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-12)
