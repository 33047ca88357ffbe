"""Tests that every device must pass, for whoever writes one; needs the extra ``test``.

Derive a class from one of these in a module of your tests, and give it a fixture that builds your device.
"""

from firstlight.model import MissingExtra

try:
    from firstlight.testing._axis import AxisConformance
    from firstlight.testing._counter import CounterConformance
    from firstlight.testing._frames import FrameSourceConformance
    from firstlight.testing._shutter import ShutterConformance
    from firstlight.testing._spectrum import SpectrumConformance
    from firstlight.testing._trigger import TriggerConformance
except ModuleNotFoundError as error:
    if error.name not in ("pytest", "hypothesis"):
        raise
    raise MissingExtra(error.name, "test") from error

__all__ = [
    "AxisConformance",
    "CounterConformance",
    "FrameSourceConformance",
    "ShutterConformance",
    "SpectrumConformance",
    "TriggerConformance",
]
