"""An indirect area detector: point spread, sensitivity, dark current, noise, gain and saturation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._random import key, normals_of, uniforms_of


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector as :class:`Imager` simulates it; lengths in pixels, times in seconds.

    :param shape: (height, width).
    :param dtype: unsigned integer type of the pixels.
    :param gain: counts per detected quantum.
    :param offset: counts that an unexposed pixel reads.
    :param offset_spread: root mean square of the offset over the columns, counts.
    :param dark_current: quanta per pixel and second without light.
    :param read_noise: root mean square, counts.
    :param point_spread: σ of the gaussian that one point of light makes, pixels.
    :param nonuniformity: root mean square of the pixels' relative sensitivity.
    :param scratches: number of dark lines on the scintillator.
    :param well: quanta that a pixel holds.
    :param bits: of the converter; None for all of the type.
    """

    shape: tuple[int, int]
    dtype: str = "<u2"
    gain: float = 1.0
    offset: float = 100.0
    offset_spread: float = 1.0
    dark_current: float = 20.0
    read_noise: float = 2.0
    point_spread: float = 0.7
    nonuniformity: float = 0.01
    scratches: int = 3
    well: float = 1e9
    bits: int | None = None
    seed: int = 0
    maximum: int = field(init=False)
    """Largest value that a pixel reads."""

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise InvalidInput(f"The shape of a detector is (height, width), both above zero, not {self.shape}.")
        kind = np.dtype(self.dtype)
        if kind.kind != "u":
            raise InvalidInput(f"The pixels of a simulated detector are unsigned integers, not {self.dtype}.")
        bits = kind.itemsize * 8 if self.bits is None else self.bits
        if not 1 <= bits <= min(32, kind.itemsize * 8):
            raise InvalidInput(f"{bits} bits do not fit into pixels of type {self.dtype} (32 are the most).")
        positive = {"gain": self.gain, "well": self.well}
        other = ("offset_spread", "dark_current", "read_noise", "point_spread", "nonuniformity", "scratches")
        for name, value in positive.items():
            if not value > 0:
                raise InvalidInput(f"A detector's {name} is above zero, not {value!r}.")
        for name in other:
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"A detector's {name} is not below zero, as {getattr(self, name)!r} is.")
        object.__setattr__(self, "maximum", 2**bits - 1)

    def taps(self) -> NDArray[np.float32]:
        """The point spread sampled at the pixels, its centre and one side, of sum 1 over both; float32."""
        if self.point_spread < 0.05:
            return np.ones(1, dtype=np.float32)
        radius = max(1, math.ceil(4.0 * self.point_spread))
        side = np.exp(-0.5 * (np.arange(radius + 1) / self.point_spread) ** 2)
        return np.asarray(side / (side[0] + 2.0 * side[1:].sum()), dtype=np.float32)

    def response(self) -> NDArray[np.float32]:
        """Relative sensitivity of each pixel: fixed noise and scratches; float32."""
        rows, columns = self.shape
        response = 1.0 + self.nonuniformity * normals_of(key(self.seed, 11), self.shape)
        draws = uniforms_of(key(self.seed, 12), (self.scratches, 5))
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
        for across, down, direction, length, depth in draws:
            # A straight line of gaussian profile, a little over a pixel wide.
            angle = np.pi * direction
            along = (x - across * columns) * np.cos(angle) + (y - down * rows) * np.sin(angle)
            beside = (y - down * rows) * np.cos(angle) - (x - across * columns) * np.sin(angle)
            half = (0.1 + 0.3 * length) * min(rows, columns)
            response *= 1.0 - (0.05 + 0.15 * depth) * np.exp(-0.5 * beside**2) * (np.abs(along) < half)
        return np.maximum(response, 0.0).astype(np.float32)

    def dark(self) -> NDArray[np.float32]:
        """Dark current of each pixel, quanta/s, spread by a fifth; float32."""
        spread = 1.0 + 0.2 * normals_of(key(self.seed, 13), self.shape)
        return (self.dark_current * np.maximum(spread, 0.0)).astype(np.float32)

    def offsets(self) -> NDArray[np.float32]:
        """Counts that each pixel reads unexposed, the same along a column; float32."""
        columns = normals_of(key(self.seed, 14), (self.shape[1],))
        row = np.maximum(self.offset + self.offset_spread * columns, 0.0)
        return np.repeat(row[None, :], self.shape[0], axis=0).astype(np.float32)
