"""An analytic phantom of ellipses, its projections on a detector with pixels of finite width, and its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Ellipses:
    """Ellipses (value, semi-axes a and b, centre x and y, rotation in degrees); lengths in units of ``scale`` pixels.

    Projections and pictures are averaged over each pixel, ``SAMPLES`` per side, as a detector and a voxel do.
    """

    parts: tuple[tuple[float, float, float, float, float, float], ...]
    scale: float
    samples: int = 4

    def sinogram(self, angles: ArrayLike, width: int, axis: float) -> NDArray[np.float32]:
        fine = (np.arange(width * self.samples) + 0.5) / self.samples - 0.5
        theta = np.deg2rad(np.asarray(angles, dtype=np.float64))[:, None]
        t = (fine - axis)[None] / self.scale
        total = np.zeros((theta.size, fine.size))
        for value, a, b, x, y, rotation in self.parts:
            phi = theta - np.deg2rad(rotation)
            square = (a * np.cos(phi)) ** 2 + (b * np.sin(phi)) ** 2
            distance = t - (x * np.cos(theta) + y * np.sin(theta))
            total += 2 * value * a * b * np.sqrt(np.clip(square - distance**2, 0, None)) / square
        pixels: NDArray[np.float64] = self.scale * total.reshape(theta.size, width, self.samples).mean(axis=2)
        return pixels.astype(np.float32)

    def picture(self, size: int) -> NDArray[np.float64]:
        fine = ((np.arange(size * self.samples) + 0.5) / self.samples - size / 2) / self.scale
        x, y = fine[None, :], fine[:, None]
        total = np.zeros((fine.size, fine.size))
        for value, a, b, x0, y0, rotation in self.parts:
            c, s = np.cos(np.deg2rad(rotation)), np.sin(np.deg2rad(rotation))
            along = (x - x0) * c + (y - y0) * s
            across = -(x - x0) * s + (y - y0) * c
            total += value * ((along / a) ** 2 + (across / b) ** 2 <= 1)
        pixels: NDArray[np.float64] = total.reshape(size, self.samples, size, self.samples).mean(axis=(1, 3))
        return pixels


# L. A. Shepp, B. F. Logan, IEEE Trans. Nucl. Sci. 21, 21 (1974), with the contrast of P. A. Toft (thesis, DTU, 1996).
SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)


@pytest.fixture
def shepp_logan() -> Ellipses:
    return Ellipses(SHEPP_LOGAN, 256.0)


@pytest.fixture
def blobs() -> Ellipses:
    """A body and two marks, all different, so that no mirror image looks like it."""
    parts = ((0.02, 0.7, 0.6, 0.05, -0.1, 20.0), (0.03, 0.15, 0.1, 0.3, 0.2, 0.0), (-0.01, 0.1, 0.2, -0.3, -0.2, 45.0))
    return Ellipses(parts, 50.0)
