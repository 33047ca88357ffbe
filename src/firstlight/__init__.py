"""Firstlight runs a whole synchrotron experiment: scans, detectors, storage, online analysis, and the loop back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from firstlight.data import open as open
    from firstlight.model import FirstlightError as FirstlightError
    from firstlight.session import Session as Session
    from firstlight.session import connect as connect
    from firstlight.session import load as load
    from firstlight.session import simulated as simulated

_HOMES = {
    "FirstlightError": "firstlight.model",
    "Session": "firstlight.session",
    "connect": "firstlight.session",
    "load": "firstlight.session",
    "open": "firstlight.data",
    "simulated": "firstlight.session",
}

__all__ = ["FirstlightError", "Session", "__version__", "connect", "load", "open", "simulated"]


def __getattr__(name: str) -> Any:
    # Rooms are imported at first use: starting up is a product figure.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'firstlight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
