"""A part of an exposure: how long the beam was on, and where everything stood at its two ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """What a sample is told of a part of an exposure.

    :param photons: that fell on the sample.
    :param energy: of these, keV.
    :param first: positions by the name of the input, at the beginning.
    :param last: the same at the end; between them everything moves at constant speed.
    """

    photons: float
    energy: float
    first: Mapping[str, float] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)

    def middle(self, name: str, default: float = 0.0) -> float:
        """Mean of the positions at both ends."""
        first = self.first.get(name, default)
        return 0.5 * (first + self.last.get(name, first))


class Scene(Protocol):
    """A sample before an area detector."""

    inputs: Mapping[str, str]
    """What positions change the picture, and their units."""
    shape: tuple[int, int]

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Expected photons in each pixel, (height, width); not to be kept or changed by the caller."""

    def truth(self) -> dict[str, Any]:
        """What is true of it, as JSON values."""


class PointSample(Protocol):
    """A sample before a point detector."""

    inputs: Mapping[str, str]
    """What positions change the intensity, and their units."""

    def response(self, energy: NDArray[np.float64], at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Photons at the detector per photon on the sample, (n,).

        :param energy: of the photons, keV, (n,).
        :param at: positions (n,) by the name of the input; those that nothing moves are missing.
        """

    def truth(self) -> dict[str, Any]:
        """What is true of it, as JSON values."""
