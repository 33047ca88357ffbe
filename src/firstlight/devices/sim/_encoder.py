"""A simulated encoder: reads where the mechanics of a simulated motor are."""

from __future__ import annotations

import numpy as np

from firstlight.devices.sim._axis import SimAxis


class SimEncoder:
    """An encoder on the axis of a motor.

    :param resolution: distance between two readings, dial units; 0 for a perfect one.
    :param offset: reading minus truth, dial units.
    :param noise: root mean square of a reading, dial units.
    :param seed: of the noise.
    """

    def __init__(
        self, motor: SimAxis, *, resolution: float = 0.0, offset: float = 0.0, noise: float = 0.0, seed: int = 0
    ) -> None:
        self.name = f"{motor.name}_encoder"
        self.resolution = resolution
        self.offset = offset
        self._motor = motor
        self._noise = noise
        self._random = np.random.default_rng(seed)

    def position(self) -> float:
        """Measured position now."""
        reading = self._motor.mechanical() + self.offset
        if self._noise:
            reading += self._random.normal(0.0, self._noise)
        return round(reading / self.resolution) * self.resolution if self.resolution else reading
