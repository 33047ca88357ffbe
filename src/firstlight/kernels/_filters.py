"""Reconstruction filters: the band-limited ramp and its windows.

The ramp is sampled in space, not in frequency, because sampling ``|f|`` sets its mean to zero and darkens the whole
slice: h(0) = 1/4, h(k) = -1/(πk)² for odd k, 0 for even k (G. N. Ramachandran, A. V. Lakshminarayanan, PNAS 68, 2236,
1971; A. C. Kak, M. Slaney, Principles of Computerized Tomographic Imaging, §3.3, eq. 61).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput

Window = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Each window is a function of f / cutoff in [0, 1]; 1 at 0.
WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        "ramp": np.ones_like,
        "shepp-logan": lambda f: np.sinc(f / 2),
        "cosine": lambda f: np.cos(np.pi * f / 2),
        "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
        "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
        "parzen": lambda f: np.where(f < 0.5, 1 - 6 * f**2 * (1 - f), 2 * (1 - f) ** 3),
    }
)

FILTERS = (*WINDOWS, "none")
"""Names of the filters; ``none`` backprojects without any."""


def ramp_kernel(length: int) -> NDArray[np.float64]:
    """The ramp sampled in space, wrapped for a circular convolution of ``length`` pixels; unit 1/pixel².

    :param length: pixels of the padded row.
    """
    lag = np.arange(length)
    lag = np.minimum(lag, length - lag)
    kernel = np.zeros(length)
    odd = lag % 2 == 1
    kernel[odd] = -1.0 / (np.pi * lag[odd]) ** 2
    kernel[0] = 0.25
    return kernel


def filter_response(name: str, length: int, cutoff: float = 1.0) -> NDArray[np.float32]:
    """Frequency response of a filter, in the order of an FFT of ``length`` samples; real and even.

    :param name: one of :data:`FILTERS`.
    :param length: samples of the padded row, at least twice the width it filters, so that nothing wraps around.
    :param cutoff: fraction of the Nyquist frequency above which nothing passes, in (0, 1].
    :raises InvalidInput: for an unknown name or a cutoff outside (0, 1].
    """
    if name not in FILTERS:
        raise InvalidInput(f"There is no filter {name!r}.", hint=f"Choose one of {', '.join(FILTERS)}.")
    if not 0.0 < cutoff <= 1.0:
        raise InvalidInput(f"A cutoff of {cutoff} is outside (0, 1].", hint="1 passes up to the Nyquist frequency.")
    if name == "none":
        return np.ones(length, np.float32)
    relative = np.abs(np.fft.fftfreq(length)) * 2.0 / cutoff
    window = np.where(relative <= 1.0, WINDOWS[name](np.minimum(relative, 1.0)), 0.0)
    response = np.fft.fft(ramp_kernel(length)).real * window
    return response.astype(np.float32)
