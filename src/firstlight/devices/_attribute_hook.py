"""A hook that sets an attribute of another device around motions: air pads, brakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from firstlight.devices._configuration import Configuration, Reference, parse, unit
from firstlight.devices._soft_axis import Attribute
from firstlight.devices._surroundings import Surroundings
from firstlight.model import Clock, RealClock

Seconds = Annotated[float, unit("s")]


class AttributeHook:
    """Sets an attribute before a motion and after it.

    Several axes may share one: it is set before the first of them moves, and after the last has come to rest.

    :param device: whose attribute; a method is called with the value.
    :param before: value for motion.
    :param after: value at rest.
    :param settle: seconds to wait after each change.
    """

    def __init__(
        self,
        name: str,
        device: Any,
        attribute: str,
        *,
        before: float = 1.0,
        after: float = 0.0,
        settle: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._attribute = Attribute(name, device, attribute)
        self._values = before, after
        self._settle = settle
        self._clock: Clock = clock or RealClock()
        self._moving: set[str] = set()

    async def before(self, axis: str, target: float) -> None:
        """Set it for motion, and wait until it has settled."""
        # Also when another axis moves already: that one may be the first, and still settling.
        self._moving.add(axis)
        await self._set(self._values[0])

    async def after(self, axis: str) -> None:
        """Set it for rest, unless another axis still moves."""
        self._moving.discard(axis)
        if not self._moving:
            await self._set(self._values[1])

    async def _set(self, value: float) -> None:
        await self._attribute.write(value)
        if self._settle:
            await self._clock.sleep_until(self._clock.now() + self._settle)


class AttributeHookConfiguration(Configuration):
    """Sets an attribute of a device before motions of the axes that name this hook, and after them."""

    name: Annotated[str, Field(min_length=1)]
    device: Reference
    """The device."""
    attribute: Annotated[str, Field(min_length=1)]
    """Name or path of what is set; a method is called with the value."""
    before: float = 1.0
    """Value for motion."""
    after: float = 0.0
    """Value at rest."""
    settle: Seconds = Field(default=0.0, ge=0)
    """To wait after each change."""


def attribute_hook(config: Mapping[str, Any], surroundings: Surroundings) -> AttributeHook:
    """Build a ``hook.attribute``."""
    c = parse(AttributeHookConfiguration, config, "hook.attribute")
    return AttributeHook(
        c.name,
        surroundings.device(c.device),
        c.attribute,
        before=c.before,
        after=c.after,
        settle=c.settle,
        clock=surroundings.clock,
    )
