"""Soft counters: an attribute or a method of another device, sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from firstlight.devices._configuration import Configuration, Reference, parse, unit
from firstlight.devices._sampling import Missing, SamplingCounter, SamplingMode
from firstlight.devices._surroundings import Surroundings
from firstlight.model import DeviceError, InvalidInput, nearest

Seconds = Annotated[float, unit("s")]


class AttributeCounter(SamplingCounter):
    """Counts what another device, or any object, tells.

    :param device: the object.
    :param attribute: its name, or a path such as ``regulation.temperature``; a method is called without arguments.
    :param options: of :class:`SamplingCounter`.
    :raises InvalidInput: when the object has no such attribute.
    """

    def __init__(self, name: str, device: Any, attribute: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.attribute = attribute
        self._device = device
        self._steps = attribute.split(".")
        private = any(step.startswith("_") for step in self._steps)
        if private or not all(step.isidentifier() for step in self._steps):
            raise InvalidInput(f"{name}: {attribute!r} is not the name of a public attribute.")
        known = [one for one in dir(device) if not one.startswith("_")]
        # An object that makes up its attributes does not list them.
        if self._steps[0] not in known and not hasattr(type(device), "__getattr__"):
            called = getattr(device, "name", type(device).__name__)
            raise InvalidInput(
                f"{name}: {called} has no attribute {self._steps[0]!r}.", hint=nearest(self._steps[0], known)
            )

    @property
    def info(self) -> dict[str, Any]:
        """What it counts, and how."""
        return {**super().info, "attribute": f"{getattr(self._device, 'name', '')}.{self.attribute}"}

    def sample(self) -> Any:
        """Its value now."""
        value = self._device
        for step in self._steps:
            try:
                value = getattr(value, step)
            except AttributeError as error:
                raise DeviceError(self.name, f"cannot read {self.attribute}: {error}.") from error
        return value() if callable(value) else value


class SoftCounterConfiguration(Configuration):
    """A counter that reads an attribute of another device."""

    name: Annotated[str, Field(min_length=1)]
    device: Reference
    """The device."""
    attribute: Annotated[str, Field(min_length=1)]
    """Name or path of the attribute; a method is called without arguments."""
    unit: str = ""
    """Of the value."""
    mode: SamplingMode = SamplingMode.MEAN
    """What is made of the samples of a point."""
    interval: Seconds = Field(default=0.01, gt=0)
    """Shortest time between two samples."""
    retries: int = Field(default=2, ge=0)
    """Reads that may fail before a point is lost."""
    missing: Missing = "error"
    """What a lost point does: ``error`` ends the run, ``nan`` records NaN."""
    blocking: bool = False
    """Reading blocks, and runs in a thread."""


def soft_counter(config: Mapping[str, Any], surroundings: Surroundings) -> AttributeCounter:
    """Build a ``soft.counter``."""
    c = parse(SoftCounterConfiguration, config, "soft.counter")
    return AttributeCounter(
        c.name,
        surroundings.device(c.device),
        c.attribute,
        unit=c.unit,
        mode=c.mode,
        interval=c.interval,
        retries=c.retries,
        missing=c.missing,
        threaded=c.blocking,
        clock=surroundings.clock,
    )
