"""The current of a storage ring with top-up injection."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput


@dataclass(frozen=True, slots=True)
class Ring:
    """Current that decays exponentially between injections and is topped up at a fixed interval.

    I(t) = I₀ exp(-((t - t₀) mod T) / τ), with the injections at t = t₀, t₀ + T, ... of the clock.

    :param current: I₀, right after an injection, mA.
    :param lifetime: τ, s.
    :param interval: T, s; infinite without top-up.
    :param phase: t₀, s.
    """

    current: float = 200.0
    lifetime: float = 20.0 * 3600.0
    interval: float = 600.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        if not (self.current >= 0 and self.lifetime > 0 and self.interval > 0):
            raise InvalidInput("A ring needs a current of at least zero, and a lifetime and interval above zero.")

    def current_at(self, moments: ArrayLike) -> NDArray[np.float64]:
        """Current at any moments (s), mA."""
        since = np.mod(np.asarray(moments, dtype=np.float64) - self.phase, self.interval)
        return np.asarray(self.current * np.exp(-since / self.lifetime))

    def mean(self, start: float, stop: float) -> float:
        """Mean current of an exposure, exact; the current itself when the exposure takes no time."""
        if stop <= start:
            return self.current * math.exp(-((start - self.phase) % self.interval) / self.lifetime)
        return self.charge(start, stop) / (stop - start)

    def charge(self, start: float, stop: float) -> float:
        """Time integral of the current from ``start`` to ``stop``, mA s, exact."""
        tau = self.lifetime
        if math.isinf(tau):
            return self.current * (stop - start)
        turns, since = divmod(start - self.phase, self.interval)
        turns_end, since_end = divmod(stop - self.phase, self.interval)
        if turns == turns_end:
            # expm1 keeps the digits of short exposures.
            return -self.current * tau * math.exp(-since / tau) * math.expm1(-(since_end - since) / tau)
        full = -self.current * tau * math.expm1(-self.interval / tau)
        head = -self.current * tau * math.exp(-since / tau) * math.expm1(-(self.interval - since) / tau)
        tail = -self.current * tau * math.expm1(-since_end / tau)
        return head + full * (turns_end - turns - 1) + tail
