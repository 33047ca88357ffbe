"""Composition: devices, engine, saver and current dataset become a session; the simulated beamline and its demo."""

from firstlight.session._alignment import Aligned, align_rotation
from firstlight.session._demo import demo
from firstlight.session._facts import SessionStatus, TraceLine
from firstlight.session._failed import Failed
from firstlight.session._headless import start, stop
from firstlight.session._load import load
from firstlight.session._reconstruct import reconstruct
from firstlight.session._remote import RemoteSession, connect
from firstlight.session._running import running, session_address, statuses
from firstlight.session._scripts import ScriptError
from firstlight.session._session import Session
from firstlight.session._simulated import Layout, simulated
from firstlight.session._tracing import DEVICE_LOGGERS, ROOT_LOGGER, loggers, matching_loggers, short_name

__all__ = [
    "DEVICE_LOGGERS",
    "ROOT_LOGGER",
    "Aligned",
    "Failed",
    "Layout",
    "RemoteSession",
    "ScriptError",
    "Session",
    "SessionStatus",
    "TraceLine",
    "align_rotation",
    "connect",
    "demo",
    "load",
    "loggers",
    "matching_loggers",
    "reconstruct",
    "running",
    "session_address",
    "short_name",
    "simulated",
    "start",
    "statuses",
    "stop",
]
