"""The structure of the beam on the detector: what a flat field shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._random import key, normals_of, uniforms_of


@dataclass(frozen=True, slots=True)
class Beam:
    """Relative intensity over the detector, fixed in time.

    envelope × (1 + stripes) × (1 + speckle): a gaussian about the middle; horizontal stripes as a multilayer makes
    them, a few sines of random period and phase over smooth noise; and correlated noise from windows and optics.

    :param width: full width at half maximum of the envelope, in widths of the detector.
    :param height: the same in heights of the detector.
    :param stripes: root mean square of the stripes, relative.
    :param speckle: root mean square of the speckle, relative.
    :param grain: correlation length of the speckle, pixels.
    """

    width: float = 2.5
    height: float = 1.6
    stripes: float = 0.05
    speckle: float = 0.02
    grain: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0 and self.grain > 0):
            raise InvalidInput("A beam needs a width, a height and a grain above zero.")
        if not (0 <= self.stripes < 0.3 and 0 <= self.speckle < 0.3):
            raise InvalidInput("Stripes and speckle of a beam are relative, from 0 to 0.3.")

    def profile(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Relative intensity, 1 at the middle of the envelope; (height, width), float32."""
        rows, columns = shape
        v = (np.arange(rows) - (rows - 1) / 2) / rows / self.height
        u = (np.arange(columns) - (columns - 1) / 2) / columns / self.width
        envelope = np.exp2(-4.0 * (v[:, None] ** 2 + u[None, :] ** 2))
        structure = (1.0 + self.stripes * self._stripes(rows)[:, None]) * (1.0 + self.speckle * self._speckle(shape))
        return np.maximum(envelope * structure, 0.0).astype(np.float32)

    def _stripes(self, rows: int) -> NDArray[np.float64]:
        draws = uniforms_of(key(self.seed, 1), (12,))
        periods = 4.0 + draws[:6] * max(8.0, rows / 4.0)
        phases = 2.0 * np.pi * draws[6:]
        sines = np.sin(2.0 * np.pi * np.arange(rows)[:, None] / periods + phases).sum(axis=1)
        noise = smooth(normals_of(key(self.seed, 2), (rows, 1)), 3.0)[:, 0]
        return standard(sines) + 0.5 * standard(noise)

    def _speckle(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        return standard(smooth(normals_of(key(self.seed, 3), shape), self.grain))


def smooth(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """A periodic gaussian filter of width ``sigma`` pixels."""
    fy = np.fft.fftfreq(image.shape[0])[:, None]
    fx = np.fft.rfftfreq(image.shape[1])[None, :]
    spectrum = np.fft.rfft2(image) * np.exp(-2.0 * (np.pi * sigma) ** 2 * (fx * fx + fy * fy))
    return np.asarray(np.fft.irfft2(spectrum, s=image.shape))


def standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same values with mean 0 and root mean square 1 (all 0 when they do not vary)."""
    values = values - values.mean()
    spread = float(np.sqrt(np.mean(values * values)))
    return values / spread if spread > 1e-12 else np.zeros_like(values)
