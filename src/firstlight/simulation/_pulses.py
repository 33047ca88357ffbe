"""An energy-dispersive detector: resolution, escape, efficiency, pile-up and dead time.

A line becomes a gaussian of variance noise² + F ε E (U. Fano 1947). A photon above the K edge of silicon may lose the
energy of its Kα line, with the probability of S. J. B. Reed, N. G. Ware, J. Phys. E 5 (1972) 582-584. Photons at a
rate R that come within the resolving time τ_p after the first of a group count as one of the sum of their energies;
groups are recorded unless a pulse came within the time τ_d before (paralysable: R exp(-R τ_d), G. F. Knoll,
"Radiation Detection and Measurement", chapter 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import edges_of, mass_absorption
from firstlight.simulation._special import normal_cdf

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
_PAIR = 3.66e-3
"""Energy of an electron-hole pair in silicon, keV."""
_SILICON, _BERYLLIUM = 2.33, 1.848
"""g/cm³."""
_SILICON_KA = 1.74
_MOST_PILED = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the electronics give of a spectrum at some rate; means.

    :param counts: per second and bin.
    :param arriving: pulses per second.
    :param recorded: pulses per second in the spectrum.
    """

    counts: NDArray[np.float64]
    arriving: float
    recorded: float


@dataclass(frozen=True, slots=True)
class PulseDetector:
    """A silicon drift detector.

    :param bins: of the spectrum.
    :param gain: keV per bin; bin k's centre is at offset + gain k.
    :param offset: keV.
    :param noise: full width at half maximum of the electronic noise, keV.
    :param fano: F.
    :param thickness: of the silicon, mm.
    :param window: of beryllium before it, μm.
    :param dead_time: τ_d, s.
    :param resolving_time: τ_p, s.
    """

    bins: int = 2048
    gain: float = 0.01
    offset: float = 0.0
    noise: float = 0.08
    fano: float = 0.115
    thickness: float = 0.45
    window: float = 8.0
    dead_time: float = 1e-6
    resolving_time: float = 1e-7

    def __post_init__(self) -> None:
        if not (self.bins >= 2 and self.gain > 0 and self.noise > 0 and self.thickness > 0):
            raise InvalidInput("A pulse detector's bins, gain, noise and thickness are above zero.")
        if min(self.fano, self.window, self.dead_time, self.resolving_time) < 0:
            raise InvalidInput("A pulse detector's Fano factor, window and times are not below zero.")

    def full_width(self, energy: float) -> float:
        """Full width at half maximum of a line, keV."""
        return math.sqrt(self.noise**2 + _FWHM**2 * self.fano * _PAIR * energy)

    def efficiency(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of photons that pass the window and stop in the silicon."""
        window = np.exp(-mass_absorption("Be", energy) * _BERYLLIUM * self.window * 1e-4)
        stopped = -np.expm1(-mass_absorption("Si", energy, "photo") * _SILICON * self.thickness * 0.1)
        return np.asarray(window * stopped)

    def escape(self, energy: float) -> float:
        """Share of stopped photons from which the Kα photon of silicon escapes through the front."""
        (edge,) = [e for e in edges_of("Si") if e.name == "K"]
        if energy <= edge.energy:
            return 0.0
        ratio = float(mass_absorption("Si", _SILICON_KA) / mass_absorption("Si", energy, "photo"))
        return 0.5 * edge.fluorescence * (1.0 - 1.0 / edge.jump) * (1.0 - ratio * math.log1p(1.0 / ratio))

    def response(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a photon of each energy (keV) adds to each bin on average, (lines, bins)."""
        edges = self.offset + self.gain * (np.arange(self.bins + 1) - 0.5)
        rows = np.zeros((len(energies), self.bins))
        for row, energy, seen in zip(rows, energies.tolist(), self.efficiency(energies).tolist(), strict=True):
            lost = self.escape(energy)
            for centre, share in ((energy, 1.0 - lost), (energy - _SILICON_KA, lost)):
                if share > 0.0 and centre > 0.0:
                    sigma = self.full_width(centre) / _FWHM
                    first, last = np.searchsorted(edges, [centre - 7.0 * sigma, centre + 7.0 * sigma]).tolist()
                    first = max(0, first - 1)
                    inside = normal_cdf((edges[first : last + 1] - centre) / sigma)
                    row[first : first + len(inside) - 1] += seen * share * np.diff(inside)
        return rows

    def record(self, arriving: NDArray[np.float64]) -> Recorded:
        """What becomes of pulses.

        :param arriving: pulses per second and bin.
        """
        rate = float(arriving.sum())
        if rate <= 0.0:
            return Recorded(np.zeros(self.bins), 0.0, 0.0)
        more = rate * self.resolving_time
        shape = arriving / rate
        spectrum = self._piled(shape, more) if more > 1e-9 else shape
        recorded = rate / (1.0 + more) * math.exp(-rate * self.dead_time)
        counts = recorded * spectrum
        return Recorded(counts, rate, float(counts.sum()))

    def _piled(self, shape: NDArray[np.float64], more: float) -> NDArray[np.float64]:
        """The spectrum of groups that hold a Poisson number of further pulses; sums beyond its end are lost from it."""
        length = 1 << (self.bins * _MOST_PILED - 1).bit_length()
        transform = np.fft.rfft(shape, length)
        shift = round(self.offset / self.gain)
        total = np.zeros(self.bins)
        weight, product = math.exp(-more), transform
        for n in range(_MOST_PILED):
            piled = np.fft.irfft(product, length)
            # n + 1 energies, each with the offset, add up to one.
            first = n * shift
            piled = np.roll(piled, first)[: self.bins] if first else piled[: self.bins]
            total += weight * np.maximum(piled, 0.0)
            weight *= more / (n + 1)
            product = product * transform
        return total
