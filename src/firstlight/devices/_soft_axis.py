"""Soft axes: an attribute of another device that can be set, moved like a motor."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from firstlight.devices._axis import Axis
from firstlight.devices._axis_configuration import AnyAxisConfiguration, make_axis
from firstlight.devices._configuration import Reference, parse, unit
from firstlight.devices._soft import SoftAxis
from firstlight.devices._surroundings import Surroundings
from firstlight.model import Clock, DeviceError, DeviceTimeout, FirstlightError, InvalidInput, RealClock, nearest

Seconds = Annotated[float, unit("s")]


class Attribute:
    """An attribute or a method of an object, by its path: ``regulation.setpoint``.

    :param owner: whose it is to be, for errors.
    :raises InvalidInput: when the object has no such attribute.
    """

    def __init__(self, owner: str, device: Any, path: str) -> None:
        steps = path.split(".")
        if any(step.startswith("_") or not step.isidentifier() for step in steps):
            raise InvalidInput(f"{owner}: {path!r} is not the name of a public attribute.")
        known = [one for one in dir(device) if not one.startswith("_")]
        if steps[0] not in known and not hasattr(type(device), "__getattr__"):
            called = getattr(device, "name", type(device).__name__)
            raise InvalidInput(f"{owner}: {called} has no attribute {steps[0]!r}.", hint=nearest(steps[0], known))
        self.path = path
        self._owner = owner
        self._device = device
        self._steps = steps

    def read(self) -> float:
        """Its value now; a method is called."""
        try:
            value = getattr(self._holder(), self._steps[-1])
            return float(value() if callable(value) else value)
        except FirstlightError:
            raise
        except Exception as error:
            raise self._failed("read", error) from error

    async def write(self, value: float) -> None:
        """Set it; a method is called with the value, and waited for."""
        try:
            holder = self._holder()
            there = getattr(holder, self._steps[-1])
            if not callable(there):
                setattr(holder, self._steps[-1], value)
                return
            done = there(value)
            if inspect.isawaitable(done):
                await done
        except FirstlightError:
            raise
        except Exception as error:
            raise self._failed("set", error) from error

    async def call(self) -> None:
        """Call it, and wait for it."""
        try:
            done = getattr(self._holder(), self._steps[-1])()
            if inspect.isawaitable(done):
                await done
        except FirstlightError:
            raise
        except Exception as error:
            raise self._failed("call", error) from error

    def _holder(self) -> Any:
        holder = self._device
        for step in self._steps[:-1]:
            holder = getattr(holder, step)
        return holder

    def _failed(self, what: str, error: Exception) -> DeviceError:
        text = str(error).strip().rstrip(".")
        return DeviceError(self._owner, f"cannot {what} {self.path}: {type(error).__name__}: {text}.")


def attribute_driver(
    name: str,
    device: Any,
    attribute: str,
    *,
    readback: str = "",
    stop: str = "",
    unit: str = "",
    limits: tuple[float, float] = (-math.inf, math.inf),
    tolerance: float | None = None,
    settle: float = 0.0,
    timeout: float = 3600.0,
    interval: float = 0.1,
    clock: Clock | None = None,
) -> SoftAxis:
    """A driver that sets an attribute of a device, and waits until another one has followed.

    :param attribute: what is set; a method is called with the value.
    :param readback: what says where it is; the attribute itself when empty.
    :param stop: method that stops it. When empty, a stop sets the attribute to the readback, so that it stays there.
    :param tolerance: it has arrived when the readback is this close to the target; None to arrive at once.
    :param settle: seconds that it has to stay there before a move ends.
    :param timeout: seconds after which a move fails.
    :param interval: seconds between two looks at the readback.
    """
    clock = clock or RealClock()
    target = Attribute(name, device, attribute)
    place = Attribute(name, device, readback) if readback else target
    ending = Attribute(name, device, stop) if stop else None
    stopping: list[bool] = []

    async def move(position: float) -> None:
        stopping.clear()
        await target.write(position)
        try:
            await arrive(position)
        except asyncio.CancelledError:
            await halt()
            raise

    async def arrive(position: float) -> None:
        since = began = clock.now()
        while True:
            now = clock.now()
            if stopping:
                raise DeviceError(name, f"was stopped at {place.read():g} {unit} on its way to {position:g} {unit}.")
            if tolerance is not None and not abs(place.read() - position) <= tolerance:
                since = now + interval
                if now - began > timeout:
                    raise DeviceTimeout(
                        name,
                        f"is at {place.read():g} {unit} and not within {tolerance:g} of {position:g} {unit} after "
                        f"{timeout:g} s.",
                        hint="It may need longer: timeout is in its configuration.",
                    )
            elif now >= since + settle:
                return
            await clock.sleep_until(now + interval if tolerance is not None else since + settle)

    async def halt() -> None:
        if ending is not None:
            await ending.call()
        elif place is not target:
            await target.write(place.read())

    async def end() -> None:
        if driver.moving():
            stopping.append(True)
            await halt()
        while driver.moving():
            await clock.sleep_until(clock.now() + interval)

    driver = SoftAxis(name, place.read, move, stop=end, unit=unit, limits=limits, clock=clock)
    return driver


def soft_axis(name: str, device: Any, attribute: str, **options: Any) -> Axis:
    """An axis from any attribute of an object: ``soft_axis("oven", regulation, "setpoint", readback="temperature")``.

    :param options: of :func:`attribute_driver`.
    """
    return Axis(attribute_driver(name, device, attribute, **options))


class SoftAxisConfiguration(AnyAxisConfiguration):
    """An axis that sets an attribute of another device."""

    device: Reference
    """The device."""
    attribute: Annotated[str, Field(min_length=1)]
    """Name or path of what is set; a method is called with the value."""
    readback: str = ""
    """Name or path of what says where it is; the attribute itself when not given."""
    stop: str = ""
    """Method that stops it; when not given, a stop sets the attribute to the readback."""
    window: float | None = Field(default=None, gt=0)
    """It has arrived when the readback is this close to the target; at once when not given."""
    settle: Seconds = Field(default=0.0, ge=0)
    """How long it has to stay there before a move ends."""
    timeout: Seconds = Field(default=3600.0, gt=0)
    """After which a move fails."""
    interval: Seconds = Field(default=0.1, gt=0)
    """Between two looks at the readback."""

    @classmethod
    def positions(cls) -> frozenset[str]:
        """Settings that are in the unit of the axis, or per second of it."""
        return super().positions() | {"window"}


def build_soft_axis(config: Mapping[str, Any], surroundings: Surroundings) -> Axis:
    """Build a ``soft.axis``."""
    c = parse(SoftAxisConfiguration, config, "soft.axis")
    driver = attribute_driver(
        c.name,
        surroundings.device(c.device),
        c.attribute,
        readback=c.readback,
        stop=c.stop,
        unit=c.unit,
        tolerance=c.window,
        settle=c.settle,
        timeout=c.timeout,
        interval=c.interval,
        clock=surroundings.clock,
    )
    return make_axis(driver, c, surroundings)
