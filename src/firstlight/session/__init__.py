"""Composition: devices, engine, saver and current dataset become a session; the simulated beamline and its demo."""

from firstlight.session._demo import demo
from firstlight.session._reconstruct import reconstruct
from firstlight.session._session import Session
from firstlight.session._simulated import Layout, simulated

__all__ = ["Layout", "Session", "demo", "reconstruct", "simulated"]
