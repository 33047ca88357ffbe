"""What is not where it should be, drawn from a seed."""

from __future__ import annotations

from firstlight.simulation._random import key, key_of, uniform


def misalignment(seed: int | None, what: str, size: float) -> float:
    """An error that the user has to find: between 0.3 and 1 times ``size``, of either sign; 0 without a seed.

    :param what: its name, for instance ``mono.pitch``; each has its own number, the same in every process.
    """
    if seed is None:
        return 0.0
    state = key(seed, key_of(what))
    magnitude = size * (0.3 + 0.7 * uniform(state, 0))
    return magnitude if uniform(state, 1) < 0.5 else -magnitude
