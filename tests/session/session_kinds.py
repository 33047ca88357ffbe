"""Kinds of devices for tests of sessions: some that fail to connect, some that take their time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from firstlight.devices import Axis, SoftAxis, SoftCounter, Surroundings, build
from firstlight.devices import _registry as registry
from firstlight.model import DeviceError

SWITCH: dict[str, Any] = {"broken": True, "built": [], "gate": threading.Event(), "pulled": set()}


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


def plugged(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    """An axis whose plug can be pulled: then its library raises, whatever it is asked."""
    state = {"position": 0.0, "target": 0.0}

    def check() -> None:
        if config["name"] in SWITCH["pulled"]:
            raise ConnectionResetError("connection reset by peer")

    def position() -> float:
        check()
        return state["position"]

    async def move(target: float) -> None:
        state["target"] = target
        while abs(target - state["position"]) > 1e-9:
            check()
            step = max(-0.1, min(0.1, target - state["position"]))
            state["position"] += step
            await asyncio.sleep(0.001)

    async def stop() -> None:
        check()

    return Axis(SoftAxis(config["name"], position, move, stop=stop, unit="mm"))


def counting(config: dict[str, Any], surroundings: Surroundings) -> SoftCounter:
    """A counter whose plug can be pulled."""

    def read() -> float:
        if config["name"] in SWITCH["pulled"]:
            raise ConnectionResetError("connection reset by peer")
        return 1.0

    return SoftCounter(config["name"], read)


def axis(config: dict[str, Any], surroundings: Surroundings) -> Axis:
    SWITCH["built"].append(config["name"])
    made = build({"name": config["name"], "kind": "sim.axis"}, surroundings)
    assert isinstance(made, Axis)
    return made


@contextmanager
def kinds() -> Iterator[None]:
    """The kinds ``test.broken``, ``test.rude``, ``test.upon``, ``test.slow`` and others exist inside the block."""
    names = ("broken", "rude", "upon", "slow", "plugged", "counting")
    SWITCH.update(broken=True, built=[], gate=threading.Event(), pulled=set())
    for name in names:
        registry.DEVICES[f"test.{name}"] = (f"tests.session.session_kinds:{name}", "firstlight.devices:Configuration")
    try:
        yield
    finally:
        for name in names:
            del registry.DEVICES[f"test.{name}"]
