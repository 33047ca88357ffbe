"""The light of a planar undulator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._special import tailed_pdf
from firstlight.simulation._state import FWHM, BeamState, Profile

ELECTRON_REST = 0.51099895e-3
"""GeV."""

HARMONICS = tuple(range(1, 16, 2))
"""Odd ones; even ones are not seen on the axis."""

_SKIRT = 0.35
"""Share of a line in the Lorentzian: 1/(2π²nN x²) far out, as sinc² has on average, with the width 0.9/(nN)."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Spectral flux of the central cone at n moments.

    :param first: energy of the first harmonic, (n,), keV.
    :param rates: photons/s of each of :data:`HARMONICS`, (n, harmonics).
    :param sigmas: width of each line, relative, (n, harmonics).
    :param tail: mean of the shift to low energies by the divergence of the electrons, relative, (n,).
    :param natural: full width at half maximum of each line without the electrons' doing, relative, (harmonics,).
    """

    first: NDArray[np.float64]
    rates: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    tail: NDArray[np.float64]
    natural: NDArray[np.float64]

    def density(self, energies: ArrayLike) -> NDArray[np.float64]:
        """Photons/s/keV at energies (n, k) in keV, the same shape."""
        energies = np.asarray(energies, dtype=np.float64)
        first = self.first[:, None]
        # The nearest odd harmonic and the one above, whose tail reaches here.
        below = np.clip((energies / first - 1.0) / 2.0, 0.0, len(HARMONICS) - 1.0)
        total = np.zeros(energies.shape)
        for index in (np.floor(below).astype(int), np.floor(below).astype(int) + 1):
            known = index < len(HARMONICS)
            at = np.minimum(index, len(HARMONICS) - 1)
            centre = first * (2.0 * at + 1.0)
            sigma = np.take_along_axis(self.sigmas, at, axis=1)
            rate = np.take_along_axis(self.rates, at, axis=1)
            line = tailed_pdf(energies / centre - 1.0, sigma, np.broadcast_to(self.tail[:, None], sigma.shape))
            total += np.where(known, (1.0 - _SKIRT) * rate * line / centre, 0.0)
        for k, order in enumerate(HARMONICS):
            centre, half = first * order, 0.5 * self.natural[k]
            skirt = half / (np.pi * ((energies / centre - 1.0) ** 2 + half * half))
            total += _SKIRT * self.rates[:, k, None] * skirt / centre
        return total


@dataclass(frozen=True, slots=True)
class Undulator:
    """A planar undulator in a storage ring, and the misalignment of its gap.

    The field follows K. Halbach, J. Phys. (Paris) 44 (1983) C1-211: B = a exp(b g/λ + c (g/λ)²), with a, b, c of hybrid
    magnets of NdFeB as in P. Elleaume, J. Chavanne, B. Faatz, Nucl. Instrum. Methods A 455 (2000) 503. Energies and
    flux are those of K.-J. Kim in the X-Ray Data Booklet (LBNL, 2009), section 2.1:

    E_n = 0.9498 n E_e² / (λ (1 + K²/2)) keV (GeV, cm), and in the central cone
    F_n = 1.431e14 N Q_n(K) I photons/s/0.1 % bandwidth (A), over a relative width of 1/(nN).

    A line is a gaussian of the natural width 0.9/(nN) (full, half maximum) and twice the energy spread, with the tail
    to low energies that electrons under an angle θ make, E(θ) = E / (1 + γ²θ²/(1 + K²/2)); a share of it is a
    Lorentzian with the mean of sin²(πnNx)/(πnNx)² far from the line, so a detuned gap still gives some light.

    :param period: λ, mm.
    :param periods: N.
    :param energy: of the electrons, GeV.
    :param spread: of that energy, relative, root mean square.
    :param source: σ of the electron beam (x, y), mm.
    :param divergence: σ of the electron beam (x, y), mrad.
    :param magnet: a (T), b, c.
    :param gap: gap (mm) when no axis moves it.
    :param offset: true gap minus that of the axis, mm.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"gap": "mm"}

    name: str = "undulator"
    period: float = 25.0
    periods: int = 80
    energy: float = 6.0
    spread: float = 9.4e-4
    source: tuple[float, float] = (0.030, 0.0037)
    divergence: tuple[float, float] = (0.0044, 0.0014)
    magnet: tuple[float, float, float] = (3.694, -5.068, 1.520)
    gap: float = 8.0
    offset: float = 0.0
    distance: float = 0.0
    _brightness: tuple[NDArray[np.float64], NDArray[np.float64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.period > 0 and self.periods >= 1 and self.energy > 0):
            raise InvalidInput(f"{self.name}: an undulator needs a period, a number of periods and an electron energy.")
        grid = np.linspace(0.0, 5.0, 501)
        object.__setattr__(self, "_brightness", (grid, np.stack([coupling(n, grid) for n in HARMONICS])))

    def deflection(self, gap: ArrayLike) -> NDArray[np.float64]:
        """K = 0.0934 B λ (T, mm) at gaps in mm."""
        ratio = np.asarray(gap, dtype=np.float64) / self.period
        a, b, c = self.magnet
        return np.asarray(0.0934 * self.period * a * np.exp(b * ratio + c * ratio * ratio))

    def harmonic(self, gap: ArrayLike, n: int = 1) -> NDArray[np.float64]:
        """Energy of the n-th harmonic on the axis, keV."""
        K = self.deflection(gap)
        return np.asarray(0.9498 * n * self.energy**2 / (0.1 * self.period * (1.0 + 0.5 * K * K)))

    def gap_for(self, energy: float, n: int = 1) -> float:
        """Gap (mm, as the axis counts it) at which the n-th harmonic has this energy (keV).

        :raises InvalidInput: when it cannot be reached.
        """
        low, high = 1.0, 1.6 * self.period
        gaps = np.linspace(low, high, 4001)
        found = self.harmonic(gaps, n)
        if not found[0] <= energy <= found[-1]:
            raise InvalidInput(
                f"{self.name}: harmonic {n} does not reach {energy:g} keV.", hint=f"{found[0]:.3g} to {found[-1]:.3g}."
            )
        return float(np.interp(energy, found, gaps)) - self.offset

    def spectrum(self, gap: ArrayLike, current: ArrayLike) -> Spectrum:
        """The spectrum at n moments.

        :param gap: true one, (n,), mm.
        :param current: of the ring, (n,), mA.
        """
        gap, current = np.broadcast_arrays(np.atleast_1d(gap), np.atleast_1d(current))
        K = self.deflection(gap)
        orders = np.array(HARMONICS, dtype=np.float64)
        grid, table = self._brightness
        strength = np.stack([np.interp(K, grid, row) for row in table], axis=1)
        # Photons/s/0.1 % over 1/(nN) of the energy.
        rates = 1.431e14 * self.periods * strength * (current[:, None] * 1e-3) * 1e3 / (orders * self.periods)
        natural = 0.9 / (orders * self.periods) / FWHM
        sigmas = np.broadcast_to(np.hypot(natural, 2.0 * self.spread), strength.shape)
        gamma = self.energy / ELECTRON_REST
        angle = (self.divergence[0] ** 2 + self.divergence[1] ** 2) * 1e-6
        tail = np.maximum(gamma**2 * angle / (1.0 + 0.5 * K * K), 1e-6)
        return Spectrum(self.harmonic(gap), rates, np.asarray(sigmas), tail, FWHM * natural)

    def emit(
        self, moments: ArrayLike, at: Mapping[str, NDArray[np.float64]], current: ArrayLike, orbit: ArrayLike
    ) -> BeamState:
        """The beam at the source.

        :param moments: (n,), s.
        :param at: positions of ``gap`` (n,), mm; may be empty.
        :param current: (n,), mA.
        :param orbit: of the electrons, (4, n): x, x', y, y' in mm and mrad.
        """
        moments = np.asarray(moments, dtype=np.float64)
        gap = np.broadcast_to(at.get("gap", np.float64(self.gap)) + self.offset, moments.shape)
        spectrum = self.spectrum(gap, np.broadcast_to(current, moments.shape))
        x, x_slope, y, y_slope = np.broadcast_to(orbit, (4, *moments.shape))
        # σ of the central cone: √(λ/2L), λ of the first harmonic in Å.
        cone = 1e3 * np.sqrt(12.3984 / spectrum.first * 1e-7 / (2.0 * self.periods * self.period))
        return BeamState(
            moments,
            energies=spectrum.first[:, None] * np.array(HARMONICS, dtype=np.float64),
            fluxes=spectrum.rates,
            bandwidth=FWHM * spectrum.sigmas[:, 0] * spectrum.first,
            horizontal=self._profile(x, x_slope, 0, cone),
            vertical=self._profile(y, y_slope, 1, cone),
            spectrum=spectrum,
        )

    def _profile(
        self, centre: NDArray[np.float64], slope: NDArray[np.float64], axis: int, cone: NDArray[np.float64]
    ) -> Profile:
        ones = np.ones_like(cone)
        spread = np.hypot(cone, self.divergence[axis])
        return Profile(centre, slope, self.source[axis] * ones, spread, -np.inf * ones, np.inf * ones)

    def truth(self) -> dict[str, Any]:
        """What the user may want to find."""
        return {"gap_offset": self.offset, "gap_offset@units": "mm"}


def coupling(n: int, K: ArrayLike) -> NDArray[np.float64]:
    """Q_n(K) = (1 + K²/2) F_n(K) / n, with F_n = n²K²/(1 + K²/2)² [J_(n-1)/2(x) - J_(n+1)/2(x)]², x = nK²/(4 + 2K²).

    K.-J. Kim, X-Ray Data Booklet (LBNL, 2009), equations 8 to 10 of section 2.1.
    """
    K = np.asarray(K, dtype=np.float64)
    x = n * K * K / (4.0 + 2.0 * K * K)
    square = (_bessel((n - 1) // 2, x) - _bessel((n + 1) // 2, x)) ** 2
    return np.asarray(n * K * K / (1.0 + 0.5 * K * K) * square)


def _bessel(order: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """J of integer order: the mean of cos(k t - x sin t), which 64 points give to the last digit while x < 20."""
    t = math.pi * (np.arange(64) + 0.5) / 64
    return np.asarray(np.cos(order * t - np.asarray(x)[..., None] * np.sin(t)).mean(axis=-1))
