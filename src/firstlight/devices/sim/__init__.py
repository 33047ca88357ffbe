"""Drivers of kind ``sim``: devices whose physics is simulated and whose behaviour is real."""

from firstlight.devices.sim._axis import SimAxis
from firstlight.devices.sim._counter import Diode, RingCurrent, SimCounter
from firstlight.devices.sim._published import (
    DEVICES_RUN,
    Board,
    BufferBoard,
    MemoryBoard,
    Poster,
    SharedBoard,
    newest_devices_run,
)
from firstlight.devices.sim._shutter import SimShutter
from firstlight.devices.sim._trigger import SimTrigger

__all__ = [
    "DEVICES_RUN",
    "Board",
    "BufferBoard",
    "Diode",
    "MemoryBoard",
    "Poster",
    "RingCurrent",
    "SharedBoard",
    "SimAxis",
    "SimCounter",
    "SimShutter",
    "SimTrigger",
    "newest_devices_run",
]
