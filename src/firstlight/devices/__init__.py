"""Drivers behind the protocols of ``model``, and what every axis has in common."""

from firstlight.devices._axis import Axis
from firstlight.devices._soft import SoftAxis, SoftCounter

__all__ = ["Axis", "SoftAxis", "SoftCounter"]
