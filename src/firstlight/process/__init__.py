"""The one supervisor of child processes: spawn, watch, restart, log, end.

The parent's half is loaded at first use, so that a child starts with nothing but its own half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstlight.process._context import ChildContext

if TYPE_CHECKING:
    from firstlight.process._child import Change, Child, ChildState
    from firstlight.process._detach import detach
    from firstlight.process._spec import ProcessSpec, Restart
    from firstlight.process._supervisor import Supervisor

_HOMES = {
    "Change": "_child",
    "Child": "_child",
    "ChildState": "_child",
    "detach": "_detach",
    "ProcessSpec": "_spec",
    "Restart": "_spec",
    "Supervisor": "_supervisor",
}

__all__ = ["Change", "Child", "ChildContext", "ChildState", "ProcessSpec", "Restart", "Supervisor", "detach"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"firstlight.process.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'firstlight.process' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
