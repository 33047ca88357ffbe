"""Phase retrieval of a single propagation distance, for a sample of one material.

D. Paganin, S. C. Mayo, T. E. Gureyev, P. R. Miller, S. W. Wilkins, "Simultaneous phase and amplitude extraction from a
single defocused image of a homogeneous object", J. Microscopy 206, 33 (2002), eq. 10, for a parallel beam: with the
refractive index 1 - δ + iβ, μ = 4πβ/λ and the thickness t,

    exp(-μ t) = F⁻¹[ F[I / I₀] / (1 + π λ D (δ/β) f²) ],

f being the spatial frequency in cycles per length; from 1 + D δ/μ |k|² with k = 2πf and μ = 4πβ/λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import LEAST_TRANSMISSION, each
from firstlight.model import InvalidInput

Floats = NDArray[np.float32]

KEV_METRE = 1.239841984e-9
"""Photon energy (keV) times wavelength (m): h c / e, exact in the SI of 2019."""


@dataclass(frozen=True, slots=True)
class Paganin:
    """The filter of one setup.

    :param delta_beta: δ/β of the material at this energy.
    :param energy: keV.
    :param distance: from sample to detector, metres.
    :param pixel_size: (vertical, horizontal) at the sample, metres.
    :raises InvalidInput: for values that are not above 0.
    """

    delta_beta: float
    energy: float
    distance: float
    pixel_size: tuple[float, float]

    def __post_init__(self) -> None:
        for name, value, unit in (
            ("δ/β", self.delta_beta, ""),
            ("energy", self.energy, " keV"),
            ("distance", self.distance, " m"),
            ("pixel size", min(self.pixel_size), " m"),
        ):
            if not (np.isfinite(value) and value > 0):
                raise InvalidInput(f"Phase retrieval with a {name} of {value}{unit} is impossible.")

    @property
    def length(self) -> float:
        """Range of the filter, metres: in space it falls off as exp(-r / length)."""
        wavelength = KEV_METRE / self.energy
        return float(np.sqrt(self.delta_beta * wavelength * self.distance / (4 * np.pi)))

    @property
    def halo(self) -> int:
        """Rows beyond which nothing reaches a row: a thousandth of the filter's weight is further away."""
        return int(np.ceil(8.0 * self.length / self.pixel_size[0]))

    def response(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Filter for ``scipy.fft.rfft2`` of frames of this (padded) shape."""
        wavelength = KEV_METRE / self.energy
        vertical = np.fft.fftfreq(shape[0], self.pixel_size[0])
        horizontal = np.fft.rfftfreq(shape[1], self.pixel_size[1])
        squares = np.add.outer(vertical**2, horizontal**2)
        return np.asarray(1.0 / (1.0 + np.pi * wavelength * self.distance * self.delta_beta * squares))

    def filter(self, frames: NDArray[np.floating], *, workers: int | None = None) -> Floats:
        """Transmission behind the sample from that on the detector; the edges of a frame are continued outwards.

        :param frames: transmission, (rows, columns) or (frames, rows, columns).
        :return: exp(-μ t), float32, at least ``LEAST_TRANSMISSION``.
        """
        from scipy.fft import irfft2, next_fast_len, rfft2

        stack = np.asarray(frames)
        single = stack.ndim == 2
        if single:
            stack = stack[None]
        rows, columns = stack.shape[1:]
        reach = [int(np.ceil(8.0 * self.length / size)) for size in self.pixel_size]
        # Continuing an edge further than the filter reaches, or further than the frame is wide, gains nothing.
        pads = [min(n, r) for n, r in zip((rows, columns), reach, strict=True)]
        shape = (
            int(next_fast_len(rows + 2 * pads[0], real=False)),
            int(next_fast_len(columns + 2 * pads[1], real=True)),
        )
        response = self.response(shape).astype(np.float32)
        margins = [((s - n) // 2, s - n - (s - n) // 2) for s, n in zip(shape, (rows, columns), strict=True)]
        out = np.empty(stack.shape, np.float32)

        def one(index: int) -> None:
            padded = np.pad(stack[index].astype(np.float32, copy=False), margins, mode="edge")
            filtered = irfft2(rfft2(padded) * response, s=shape)
            (top, _), (left, _) = margins
            np.maximum(filtered[top : top + rows, left : left + columns], LEAST_TRANSMISSION, out=out[index])

        each(one, range(len(stack)), workers)
        return out[0] if single else out
