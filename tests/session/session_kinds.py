"""Kinds of devices for tests of sessions: some that fail to connect, some that take their time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from firstlight.devices import Axis, Surroundings, build
from firstlight.devices import _registry as registry
from firstlight.model import DeviceError

SWITCH: dict[str, Any] = {"broken": True, "built": [], "gate": threading.Event()}


def broken(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    """An axis that connects only when the switch says so."""
    if SWITCH["broken"]:
        raise DeviceError(config["name"], "does not answer at its address.", hint="Is it powered?")
    return axis(config, surroundings)


def rude(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    """A driver that raises whatever its library raises."""
    raise OSError("no route to host")


def upon(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    """An axis that needs another one."""
    surroundings.device(config["base"])
    return axis(config, surroundings)


def slow(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    """An axis that takes until the gate opens."""
    assert SWITCH["gate"].wait(30)
    return axis(config, surroundings)


def axis(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    SWITCH["built"].append(config["name"])
    made = build({"name": config["name"], "kind": "sim.axis"}, surroundings)
    assert isinstance(made, Axis)
    return made


@contextmanager
def kinds() -> Iterator[None]:
    """The kinds ``test.broken``, ``test.rude``, ``test.upon`` and ``test.slow`` exist inside the block."""
    names = ("broken", "rude", "upon", "slow")
    SWITCH.update(broken=True, built=[], gate=threading.Event())
    for name in names:
        registry.DEVICES[f"test.{name}"] = (f"tests.session.session_kinds:{name}", "firstlight.devices:Configuration")
    try:
        yield
    finally:
        for name in names:
            del registry.DEVICES[f"test.{name}"]
