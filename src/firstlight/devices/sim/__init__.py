"""Drivers of kind ``sim``: devices whose physics is simulated and whose behaviour is real."""

from firstlight.devices.sim._area import SimAreaDetector
from firstlight.devices.sim._axis import LATENCY, SimAxis
from firstlight.devices.sim._beamline import Beam, Exposures, SimBeamline
from firstlight.devices.sim._camera import SimCamera
from firstlight.devices.sim._chain import BeamlineConfiguration
from firstlight.devices.sim._counter import Diode, RingCurrent, SimCounter
from firstlight.devices.sim._current import CurrentMeter, IonChamber, PhotoDiode
from firstlight.devices.sim._encoder import SimEncoder
from firstlight.devices.sim._faults import Active, Fault, Faults
from firstlight.devices.sim._faulty import FaultySource
from firstlight.devices.sim._mca import SimMca
from firstlight.devices.sim._panel import FaultPanel
from firstlight.devices.sim._parts import Illumination
from firstlight.devices.sim._point import SimPointDetector
from firstlight.devices.sim._published import (
    DEVICES_RUN,
    Board,
    BufferBoard,
    MemoryBoard,
    SharedBoard,
    newest_devices_run,
)
from firstlight.devices.sim._shutter import SimShutter
from firstlight.devices.sim._stops import Stop, close_shutter, stop_axis
from firstlight.devices.sim._trigger import SimTrigger

__all__ = [
    "DEVICES_RUN",
    "LATENCY",
    "Active",
    "Beam",
    "BeamlineConfiguration",
    "Board",
    "BufferBoard",
    "CurrentMeter",
    "Diode",
    "Exposures",
    "Fault",
    "FaultPanel",
    "Faults",
    "FaultySource",
    "Illumination",
    "IonChamber",
    "MemoryBoard",
    "PhotoDiode",
    "RingCurrent",
    "SharedBoard",
    "SimAreaDetector",
    "SimAxis",
    "SimBeamline",
    "SimCamera",
    "SimCounter",
    "SimEncoder",
    "SimMca",
    "SimPointDetector",
    "SimShutter",
    "SimTrigger",
    "Stop",
    "close_shutter",
    "newest_devices_run",
    "stop_axis",
]
