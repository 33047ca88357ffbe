"""A simulated point detector: photons that a sample sends into one direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.sim._counter import SimCounter
from firstlight.devices.sim._parts import Illumination
from firstlight.model import Clock, TriggerPlan
from firstlight.simulation import PointSample, key, key_of, moment_key, poisson


class SimPointDetector(SimCounter):
    """Counts of a detector behind a sample: ∫ photons · response dt + dark, Poisson distributed.

    :param sample: what it looks at.
    :param beam: what falls on the sample, and which axes move it.
    :param dark: counts/s without beam.
    :param efficiency: counts per photon.
    :param parts: into which an exposure is cut while something moves.
    :param noise: whether counts are Poisson numbers; otherwise their mean.
    """

    def __init__(
        self,
        name: str,
        sample: PointSample,
        beam: Illumination,
        *,
        dark: float = 0.0,
        efficiency: float = 1.0,
        parts: int = 16,
        noise: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name, "count", clock=clock, board=beam.board)
        self.sample = sample
        self.beam = beam
        self._dark = dark
        self._efficiency = efficiency
        self._parts = parts
        self._noise = noise
        self._state = key(seed, key_of(name))

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for a run.

        :raises NotFound: when nobody publishes what it looks at.
        """
        self.beam.check(self._clock.now())
        super().prepare(plan)

    def value(self, start: float, stop: float) -> float:
        """Counts."""
        mean = self.expected(start, stop)
        return float(poisson(mean, moment_key(self._state, start))) if self._noise else mean

    def expected(self, start: float, stop: float) -> float:
        """Their mean."""
        parts = self.beam.parts(start, stop, self._parts)
        dark = self._dark * (stop - start)
        if not parts:
            return dark
        photons = np.array([part.photons for part in parts])
        energies = np.array([part.energy for part in parts])
        names = self.sample.inputs
        at: dict[str, NDArray[np.float64]] = {
            name: np.array([part.middle(name) for part in parts]) for name in names if name in parts[0].first
        }
        return dark + self._efficiency * float(photons @ self.sample.response(energies, at))

    def truth(self) -> dict[str, Any]:
        """What is true of sample and beam."""
        return {**self.sample.truth(), **self.beam.truth()}
