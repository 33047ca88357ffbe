"""What goes wrong on demand with whatever counts: diodes, the ring, point and spectrum detectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.sim._faults import Fault, Faults
from firstlight.simulation import key, key_of, normal


def check(faults: Faults) -> None:
    """Refuse to be read while disconnected, or when reading fails.

    :raises DeviceError: when one of these is set and happens.
    """
    faults.check()
    if faults.happens(Fault.FAILS) is not None:
        faults.refuse("its electronics report an error.", hint="Switch it off and on again.")


async def answer(faults: Faults) -> None:
    """Let it be read, unless it is silent: then never.

    :raises DeviceError: see :func:`check`.
    """
    await faults.answer()
    check(faults)


def factors(faults: Faults, starts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """By what the points that start at ``starts`` (s) are wrong by noise and drift, and whether they are lost."""
    found, lost = np.ones(len(starts)), np.zeros(len(starts), dtype=bool)
    since = faults.since(Fault.DRIFT)
    for k, start in enumerate(starts.tolist()):
        # Keyed by the moment: a point reads the same in whichever block it is collected.
        moment = round(start * 1e9)
        noise, nan = faults.happens(Fault.NOISE, moment), faults.happens(Fault.NAN, moment)
        drift = faults.happens(Fault.DRIFT, moment)
        if noise is not None:
            found[k] *= 1.0 + noise * normal(key(key_of(faults.name), moment))
        if drift is not None and since is not None:
            found[k] *= 1.0 + drift * (start - since)
        lost[k] = nan is not None
    return found, lost
