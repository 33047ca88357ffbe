"""Functions of the normal distribution for short arrays, from the C library: SciPy takes a quarter second to import."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROOT_2 = math.sqrt(2.0)
_ROOT_PI = math.sqrt(math.pi)


def _scalar_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / _ROOT_2)


def _scalar_erfcx(x: float) -> float:
    """exp(x²) erfc(x); beyond 25 by its asymptotic series (Abramowitz and Stegun 7.1.23)."""
    if x < 25.0:
        return math.exp(x * x) * math.erfc(x)
    s = 1.0 / (2.0 * x * x)
    return (1.0 - s * (1.0 - 3.0 * s)) / (x * _ROOT_PI)


def _scalar_tailed(x: float, sigma: float, tail: float) -> float:
    z = (sigma / tail + x / sigma) / _ROOT_2
    if z < 0.0:
        return math.exp(0.5 * (sigma / tail) ** 2 + x / tail) * math.erfc(z) / (2.0 * tail)
    return math.exp(-0.5 * (x / sigma) ** 2) * _scalar_erfcx(z) / (2.0 * tail)


def _over(function: object, *arguments: ArrayLike) -> NDArray[np.float64]:
    arrays = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in arguments))
    values = [function(*row) for row in zip(*(a.ravel().tolist() for a in arrays), strict=True)]  # type: ignore[operator]
    return np.array(values, dtype=np.float64).reshape(arrays[0].shape)


def normal_cdf(x: ArrayLike) -> NDArray[np.float64]:
    """Distribution function of the standard normal distribution."""
    return _over(_scalar_cdf, x)


def normal_pdf(x: ArrayLike) -> NDArray[np.float64]:
    """Density of the standard normal distribution; 0 at ±∞."""
    return np.asarray(np.exp(-0.5 * np.square(np.asarray(x, dtype=np.float64))) / math.sqrt(2.0 * math.pi))


def tailed_pdf(x: ArrayLike, sigma: ArrayLike, tail: ArrayLike) -> NDArray[np.float64]:
    """Density of a normal number minus an exponential one of mean ``tail`` (an exponentially modified gaussian).

    :param x: from the centre of the normal part; the tail goes to low values.
    """
    return _over(_scalar_tailed, x, sigma, tail)
