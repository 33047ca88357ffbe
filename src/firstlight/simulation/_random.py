"""Random numbers that are a pure function of their keys: the same in any order, thread and process.

A 64-bit state is made of the seed and the keys by the finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014; constants of its reference implementation by
S. Vigna, https://prng.di.unimi.it/splitmix64.c). Values of one state are successive outputs of that generator.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


def mix(value: int) -> int:
    """The finaliser of SplitMix64: a bijection of 64-bit integers that looks random."""
    value &= MASK
    value = ((value ^ (value >> 30)) * MIX_1) & MASK
    value = ((value ^ (value >> 27)) * MIX_2) & MASK
    return value ^ (value >> 31)


def key(seed: int, *keys: int) -> int:
    """One 64-bit state from a seed and any integers; every one of them matters, and so does their order."""
    state = mix(seed + GAMMA)
    for k in keys:
        state = mix(state + GAMMA * ((k & MASK) + 1))
    return state


def key_of(text: str) -> int:
    """A 64-bit integer from a name, the same in every process (FNV-1a)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def uniforms(states: NDArray[np.uint64], draw: int) -> NDArray[np.float64]:
    """Draw number ``draw`` (0, 1, ...) of each state: floats in (0, 1), 53 bits."""
    with np.errstate(over="ignore"):
        z = states + np.uint64((GAMMA * (draw + 1)) & MASK)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_2)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def uniform(state: int, draw: int) -> float:
    """Draw number ``draw`` (0, 1, ...) of a state: a float in (0, 1), 53 bits."""
    return ((mix(state + GAMMA * (draw + 1)) >> 11) + 0.5) * 2.0**-53


def moment_key(state: int, moment: float) -> int:
    """The state of a moment (s), by its nanoseconds."""
    return mix(state + GAMMA * (round(moment * 1e9) + 1))


def poisson(mean: float, state: int) -> int:
    """A Poisson number: exact below 30, from there on a rounded normal of the right variance.

    Exact ones by inversion of the distribution function (L. Devroye, "Non-Uniform Random Variate Generation", 1986,
    chapter X.3), normal ones after G. E. P. Box and M. E. Muller (1958).
    """
    first = uniform(state, 0)
    if mean >= 30.0:
        normal = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * uniform(state, 1))
        # Rounding adds 1/12 to the variance.
        return max(0, round(mean + math.sqrt(mean - 1.0 / 12.0) * normal))
    return _invert(mean, first)


def _invert(mean: float, uniform: float) -> int:
    probability = math.exp(-mean)
    total = probability
    count = 0
    while uniform > total and count < 400:
        count += 1
        probability *= mean / count
        total += probability
    return count


def normal(state: int) -> float:
    """A normal number of mean 0 and variance 1 (G. E. P. Box, M. E. Muller, 1958)."""
    return math.sqrt(-2.0 * math.log(uniform(state, 0))) * math.cos(2.0 * math.pi * uniform(state, 1))


def poissons(means: NDArray[np.float64], state: int) -> NDArray[np.int64]:
    """Poisson numbers, as :func:`poisson` makes one, of an array of means; a function of the state and the index."""
    u, v = uniforms_of(key(state, 0), means.shape), uniforms_of(key(state, 1), means.shape)
    large = means >= 30.0
    spread = np.sqrt(np.where(large, means - 1.0 / 12.0, 1.0))
    counts = np.rint(means + spread * np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v))
    small = np.flatnonzero(~large)
    mean, draw = means.ravel()[small], u.ravel()[small]
    probability = np.exp(-mean)
    total = probability.copy()
    found = np.zeros(len(small))
    for count in range(1, 120):
        more = draw > total
        if not more.any():
            break
        found += more
        probability = probability * (mean / count)
        total += probability
    counts.ravel()[small] = found
    return np.asarray(np.maximum(counts, 0.0), dtype=np.int64)


def uniforms_of(state: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """An array of numbers in (0, 1) that depends on the state and the shape alone."""
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        states = np.uint64(state) + np.uint64(GAMMA) * np.arange(1, count + 1, dtype=np.uint64)
    return uniforms(states, 0).reshape(shape)


def normals_of(state: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """An array of normal numbers that depends on the state and the shape alone (G. E. P. Box, M. E. Muller, 1958)."""
    u, v = uniforms_of(key(state, 0), shape), uniforms_of(key(state, 1), shape)
    return np.asarray(np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v))
