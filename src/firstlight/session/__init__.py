"""Composition: devices, engine, saver and current dataset become a session; the simulated beamline and its demo."""

from firstlight.session._alignment import Aligned, align_rotation
from firstlight.session._demo import demo
from firstlight.session._facts import SessionStatus
from firstlight.session._failed import Failed
from firstlight.session._headless import start, stop
from firstlight.session._load import load
from firstlight.session._reconstruct import reconstruct
from firstlight.session._remote import RemoteSession, connect
from firstlight.session._running import running, session_address, statuses
from firstlight.session._scripts import ScriptError
from firstlight.session._session import Session
from firstlight.session._simulated import Layout, simulated

__all__ = [
    "Aligned",
    "Failed",
    "Layout",
    "RemoteSession",
    "ScriptError",
    "Session",
    "SessionStatus",
    "align_rotation",
    "connect",
    "demo",
    "load",
    "reconstruct",
    "running",
    "session_address",
    "simulated",
    "start",
    "statuses",
    "stop",
]
