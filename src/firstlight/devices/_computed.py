"""Calculated counters: an expression over other counters, with units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from firstlight.devices._configuration import Configuration, Misfit, parse
from firstlight.devices._surroundings import Surroundings
from firstlight.model import ChannelRole, ChannelSpec, Expression, Formula, InvalidInput


class CalculatedCounter:
    """A counter computed from others, point by point, whatever the kind of the scan; spectra are computed too.

    Its inputs are measured whenever it is asked for, and recorded. A division by zero gives inf or NaN.

    :param expression: for instance ``"diode / ring * 100 mA"``, over channels (``mca:Fe_ka``), counters and axes.
    :param unit: that it is wanted in; None for the one that follows.
    :param names: shorter names used in the expression, and what they stand for.
    :raises ExpressionError: with the column of what is wrong.
    """

    def __init__(
        self, name: str, expression: str, *, unit: str | None = None, names: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.expression = Expression(expression)
        self.unit = unit
        self._names = dict(names or {})
        unused = [short for short in self._names if short not in self.expression.names]
        if unused:
            raise InvalidInput(f"{name}: the expression {expression!r} does not use {unused[0]!r}.")
        if not self.expression.names:
            raise InvalidInput(f"{name}: the expression {expression!r} names no counter.")

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is computed from."""
        return tuple(dict.fromkeys(self._names.get(short, short) for short in self.expression.names))

    @property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """One, named as the counter."""
        return (self._channel(self.unit or "", ()),)

    @property
    def info(self) -> dict[str, Any]:
        """What it is, for the file of a run."""
        return {"expression": self.expression.text, "inputs": list(self.inputs)} | (
            {"names": self._names} if self._names else {}
        )

    def derive(self, inputs: Mapping[str, ChannelSpec]) -> _Computed:
        """Get ready for a run.

        :raises InvalidInput: when units or shapes do not fit each other.
        """
        specs = {short: inputs[self._names.get(short, short)] for short in self.expression.names}
        try:
            formula = self.expression.bind({short: spec.unit for short, spec in specs.items()}, self.unit)
            shape = np.broadcast_shapes(*(spec.shape for spec in specs.values()))
        except InvalidInput as error:
            raise InvalidInput(f"{self.name}: {error.message}", hint=error.hint) from error
        except ValueError:
            shapes = ", ".join(f"{spec.name} {spec.shape}" for spec in specs.values())
            raise InvalidInput(f"{self.name}: its inputs have different shapes: {shapes}.") from None
        stands_for = {short: self._names.get(short, short) for short in specs}
        return _Computed((self._channel(formula.unit, shape),), formula, stands_for, len(shape))

    def _channel(self, unit: str, shape: tuple[int, ...]) -> ChannelSpec:
        info = {"expression": self.expression.text}
        return ChannelSpec(self.name, "<f8", shape, unit, self.name, role=ChannelRole.COUNTER, info=info)


@dataclass(frozen=True, slots=True)
class _Computed:
    channels: Sequence[ChannelSpec]
    formula: Formula
    names: Mapping[str, str]
    dimensions: int

    def compute(self, values: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """All points of a block at once."""
        given = {}
        for short, name in self.names.items():
            block = values[name]
            # A number a point goes with each channel of a spectrum.
            missing = self.dimensions - (block.ndim - 1)
            given[short] = block.reshape(*block.shape[:1], *(1,) * missing, *block.shape[1:])
        return (np.asarray(self.formula(given), dtype=np.float64),)


class CalculatedCounterConfiguration(Configuration):
    """A counter computed from others."""

    name: Annotated[str, Field(min_length=1)]
    expression: Annotated[str, Field(min_length=1)]
    """Over channels, counters and axes, for instance ``diode / ring * 100 mA``."""
    unit: str | None = None
    """That it is wanted in; the one that follows when not given."""
    names: dict[str, str] = Field(default_factory=dict)
    """Short names used in the expression, and the channels that they stand for."""

    @field_validator("expression")
    @classmethod
    def _understood(cls, text: str) -> str:
        if not Expression(text).names:
            raise InvalidInput(f"the expression {text!r} names no counter.", hint="Write for instance diode / ring.")
        return text

    def names_in_texts(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """What it is computed from."""
        for short in Expression(self.expression).names:
            yield (("names", short), self.names[short]) if short in self.names else (("expression",), short)

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Short names that the expression does not use, and channels that a device does not have."""
        used = Expression(self.expression).names
        for short in self.names:
            if short not in used:
                yield Misfit(("names", short), f"The expression {self.expression!r} does not use it.", short, used)
        for loc, name in self.names_in_texts():
            device, colon, _ = name.partition(":")
            known = others[device].channel_names() if colon and device in others else None
            if known is not None and name not in known:
                yield Misfit(loc, f"There is no channel {name!r}.", name, tuple(known))


def calculated_counter(config: Mapping[str, Any], surroundings: Surroundings) -> CalculatedCounter:
    """Build a ``calc.counter``."""
    c = parse(CalculatedCounterConfiguration, config, "calc.counter")
    return CalculatedCounter(c.name, c.expression, unit=c.unit, names=c.names)
