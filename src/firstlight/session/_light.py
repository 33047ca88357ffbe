"""Beam and shutters at one moment, of devices that can be asked without a measurement."""

from __future__ import annotations

import math

from firstlight.model import RING_CURRENTS, FirstlightError
from firstlight.scanning import Devices
from firstlight.session._facts import StripFacts


def look_at_light(devices: Devices) -> StripFacts:
    """The ring's current, by the first counter of a known name that tells it, and every shutter."""
    return StripFacts(_beam(devices), {name: _state(shutter) for name, shutter in devices.shutters.items()})


def _beam(devices: Devices) -> tuple[str, float, str] | None:
    for name in RING_CURRENTS:
        counter = devices.counters.get(name)
        try:
            current = float(getattr(counter, "current", math.nan))
            if counter is not None and math.isfinite(current):
                return name, current, counter.channels[0].unit
        except (FirstlightError, TypeError, ValueError):
            continue
    return None


def _state(shutter: object) -> str:
    try:
        return "open" if getattr(shutter, "is_open", False) else "closed"
    except FirstlightError as error:
        return error.message
