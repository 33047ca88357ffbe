"""A sample in the beam, for detectors that see all that passes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from firstlight.simulation._phantom import Phantom
from firstlight.simulation._state import BeamState, Profile

SIDE = 10
"""Rays across the beam, in each direction."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """What a sample lets through: exp(-∫μ) averaged over the beam's rays, by the exact line integrals of its bodies.

    The sample is that of a camera: it turns about the vertical axis, and positions are counted as there, x along the
    columns and heights downwards.

    :param distance: from the source, m.
    :param offset: (x, height) of the rotation axis when its axes stand at 0, mm.
    :param roll: how far it leans across the beam, degrees; for cameras, this shadow is taken of an upright one.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"rotation": "deg", "lateral": "mm", "height": "mm"}

    name: str = "sample"
    distance: float = 145.0
    phantom: Phantom = field(default_factory=lambda: Phantom([]))
    offset: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0

    def apply(self, beam: BeamState, at: Mapping[str, NDArray[np.float64]]) -> BeamState:
        """The beam behind it.

        :param at: positions of ``rotation`` (degrees), ``lateral`` and ``height`` (mm), (n,).
        """
        if not self.phantom.ellipsoids:
            return beam
        n = len(beam.moments)
        zero = np.float64(0.0)
        angle, lateral, height = (
            np.broadcast_to(at.get(word, zero), (n,)).tolist() for word in ("rotation", "lateral", "height")
        )
        x, across = _rays(beam.horizontal)
        y, along = _rays(beam.vertical)
        passed = np.ones(n)
        for k in range(n):
            u = x[k] - self.offset[0] - lateral[k]
            v = -y[k] - self.offset[1] - height[k]
            passed[k] = along[k] @ np.exp(-self._path(angle[k], u, v)) @ across[k]
        return beam.scaled(passed[:, None])

    def _path(self, angle: float, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Line integrals on a grid of rays, all bodies at once: ``Phantom.project`` for few rays."""
        cu, cv, p, q, r, depth = self.phantom.shadows(angle).T[:, :, None, None]
        du, dv = u[None, None, :] - cu, v[None, :, None] - cv
        inside = 1.0 - p * du * du - (2.0 * q * du + r * dv) * dv
        return np.asarray((depth * np.sqrt(np.maximum(inside, 0.0))).sum(axis=0))

    def truth(self) -> dict[str, Any]:
        """Where its rotation axis is."""
        return {
            "x_offset": self.offset[0], "x_offset@units": "mm",
            "height_offset": self.offset[1], "height_offset@units": "mm",
            "roll": self.roll, "roll@units": "deg",
            "bodies": len(self.phantom.ellipsoids),
        }  # fmt: skip


def _rays(profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (n, rays) over the lit part of the beam, mm, and their weights, of sum 1 where there is light."""
    sigma = profile.sigma
    low, high = np.clip(profile.low, -3.0, 3.0), np.clip(profile.high, -3.0, 3.0)
    u = low[:, None] + (np.arange(SIDE) + 0.5) * ((high - low) / SIDE)[:, None]
    at = profile.centre[:, None] + u * sigma[:, None]
    weights = np.exp(-0.5 * u * u)
    return at, weights / weights.sum(axis=1, keepdims=True)
