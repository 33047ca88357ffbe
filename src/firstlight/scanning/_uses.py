"""Which devices a scan uses, before it runs."""

from __future__ import annotations

from firstlight.model import Scan
from firstlight.scanning._devices import Devices
from firstlight.scanning._path import axes_of
from firstlight.scanning._sequence import MoveTo, ScanSequence


def used_by(what: Scan | ScanSequence, devices: Devices) -> tuple[set[str], set[str]]:
    """Names of all devices that it uses, and of the axes among them that it moves.

    :raises NotFound: for unknown devices.
    """
    if isinstance(what, ScanSequence):
        names, axes = set(what.back), set(what.back)
        for step in what.steps:
            if isinstance(step, MoveTo):
                more, moved = {step.axis}, {step.axis}
            else:
                more, moved = used_by(step, devices)
            names |= more
            axes |= moved
        return names, axes
    counters, cameras = devices.measuring(what.counters)
    axes = {devices.axis(name).name for name in axes_of(what.path)} if what.path is not None else set()
    names = axes | {counter.name for counter in counters} | {camera.name for camera in cameras}
    if what.shutter != "as-is":
        names |= set(devices.shutters)
    return names, axes
