"""Conditions during which scans wait: the beam is lost, a cryostat is too warm, a hutch is open."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.model import ChannelSpec, Clock, Expression, FakeClock, FirstlightError, Formula, InvalidInput
from firstlight.scanning._devices import Devices, nearest
from firstlight.scanning._steering import Steering

_log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks at the conditions."""


@dataclass(frozen=True)
class Suspender:
    """One condition. Its names are axes (their positions) and attributes of devices: ``ring.current < 5 mA``.

    :param name: of the condition: ``beam``.
    :param when: scans wait when this holds.
    :param resume: they go on when this holds; the contrary of ``when`` if empty. Between the two nothing changes, so
        that a value that trembles at the edge does not make scans start and stop.
    :param wait: seconds that it must hold without a break before they go on.
    :raises InvalidInput: what is no condition.
    """

    name: str
    when: str
    resume: str = ""
    wait: float = 0.0

    def __post_init__(self) -> None:
        for text in filter(None, (self.when, self.resume)):
            if not Expression(text).bind({}).truth:
                raise InvalidInput(
                    f"{self.name}: '{text}' is no condition.", hint="Compare it with something: ring.current < 5 mA."
                )
        if not (math.isfinite(self.wait) and self.wait >= 0):
            raise InvalidInput(f"{self.name}: wait is a time of at least 0 s, not {self.wait!r}.")


class Condition:
    """A suspender at the devices of a run.

    :raises InvalidInput: a name that is no axis and no attribute of a device.
    """

    def __init__(self, suspender: Suspender, devices: Devices) -> None:
        self.suspender = suspender
        self._devices = devices
        self.holds = False
        """Whether scans have to wait."""
        self.error = ""
        """Why it cannot be looked at; empty when it can."""
        self._good_since: float | None = None
        self._when = self._bound(suspender.when)
        self._resume = self._bound(suspender.resume) if suspender.resume else None

    @property
    def why(self) -> str:
        """In words, for people."""
        return f"{self.suspender.name}: {self.suspender.when}"

    def read(self) -> tuple[bool, bool]:
        """Whether ``when`` holds, and whether scans might go on; may take as long as the devices take."""
        bad = bool(self._when(self._values(self._when)))
        return bad, not bad if self._resume is None else bool(self._resume(self._values(self._resume)))

    def judge(self, now: float, bad: bool, good: bool) -> None:
        """Draw the consequence of what was read."""
        if bad:
            self.holds, self._good_since = True, None
        elif self.holds:
            if not good:
                self._good_since = None
            elif self._good_since is None:
                self._good_since = now
            if self._good_since is not None and now - self._good_since >= self.suspender.wait:
                self.holds = False

    def _bound(self, text: str) -> Formula:
        expression = Expression(text)
        return expression.bind({name: self._unit(name) for name in expression.names})

    def _values(self, formula: Formula) -> Mapping[str, Any]:
        return {name: self._value(name) for name in formula.columns}

    def _find(self, name: str) -> tuple[Any, str]:
        """A device, and the attribute of it."""
        d = self._devices
        known = {**d.triggers, **d.cameras, **d.shutters, **d.counters, **d.axes}
        whole = d.aliases.get(name, name)
        if whole in d.axes:
            return d.axes[whole], "position"
        device, _, attribute = name.rpartition(".")
        found = known.get(d.aliases.get(device, device))
        if found is None and whole in known:
            raise InvalidInput(
                f"{self.suspender.name}: {name} tells nothing without a measurement.",
                hint=f"Name an attribute of it, such as {name}.current.",
            )
        if found is None or attribute.startswith("_"):
            raise InvalidInput(f"{self.suspender.name}: there is nothing called {name}.", hint=nearest(device, known))
        return found, attribute

    def _value(self, name: str) -> float:
        device, attribute = self._find(name)
        try:
            return float(getattr(device, attribute))
        except AttributeError:
            raise InvalidInput(f"{self.suspender.name}: {device.name} has no {attribute}.") from None

    def _unit(self, name: str) -> str:
        device, attribute = self._find(name)
        if attribute == "position":
            return str(device.unit)
        channels: Sequence[ChannelSpec] = getattr(device, "channels", ())
        return str(channels[0].unit) if len(channels) == 1 else ""


async def watch(
    clock: Clock, suspenders: Mapping[str, Suspender], devices: Devices, steering: Steering
) -> asyncio.Task[None] | None:
    """Look at all conditions once, then again and again in a task; None when there are none.

    One that cannot be looked at says so in the log, and changes nothing until it can.

    :raises InvalidInput: a condition with a name that nothing has.
    """
    conditions = [Condition(suspender, devices) for suspender in suspenders.values()]
    if not conditions:
        return None

    async def look() -> None:
        for condition in conditions:
            read = await _read(clock, condition)
            if read is None:
                continue
            before = condition.holds
            condition.judge(clock.now(), *read)
            if condition.holds is before:
                continue
            if condition.holds:
                _log.warning("scans wait: %s", condition.why)
                steering.hold(condition.suspender.name, condition.why)
            else:
                _log.warning("scans go on: %s no longer holds", condition.why)
                steering.release(condition.suspender.name)
            steering.look()

    async def again() -> None:
        while True:
            await clock.sleep_until(clock.now() + LOOK)
            await look()

    await look()
    return asyncio.ensure_future(again())


async def _read(clock: Clock, condition: Condition) -> tuple[bool, bool] | None:
    read: Callable[[], tuple[bool, bool]] = condition.read
    try:
        # A device may need the network for an attribute; the loop must not wait for that.
        found = read() if isinstance(clock, FakeClock) else await asyncio.to_thread(read)
    except FirstlightError as error:
        _unreadable(condition, str(error))
        return None
    except Exception as error:  # noqa: BLE001 - a driver may raise anything
        _unreadable(condition, f"{type(error).__name__}: {error}")
        return None
    condition.error = ""
    return found


def _unreadable(condition: Condition, why: str) -> None:
    if condition.error != why:
        condition.error = why
        _log.warning("%s cannot be looked at: %s", condition.why, why)
