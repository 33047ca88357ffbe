"""Checks of what users type, shared by all scan commands; every refusal is one sentence and changes nothing."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, SupportsIndex, TypeAlias, runtime_checkable

from firstlight.model import InvalidInput, TriggerMode, convert, parse_unit


@runtime_checkable
class Named(Protocol):
    """Anything that carries the name of a device."""

    name: str


Device: TypeAlias = str | Named
"""A device by its name, or the device itself."""
Position: TypeAlias = float | str
"""A position in the axis' own unit, or a text with a unit: ``"10 mm"``."""
Seconds: TypeAlias = float | str
"""Seconds, or a text with a unit: ``"10 ms"``."""


_MOST_SHOWN = 12
"""Items of a list in a title."""

_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def device_name(value: Device, what: str) -> str:
    """The name of a device given by name or as an object.

    :param what: how the command calls this argument, for the error.
    """
    name = value if isinstance(value, str) else getattr(value, "name", None)
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"{what}: {value!r} is not the name of a device.", hint="Give a name such as 'rot'.")
    return name


def counter_names(values: Sequence[Device]) -> tuple[str, ...]:
    """Names of counters, each once."""
    names = tuple(device_name(value, "counters") for value in values)
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"counters: {name} is given twice.", hint="Name each counter once.")
    return names


def whole(value: SupportsIndex, what: str, least: int) -> int:
    """A whole number of at least ``least``."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidInput(
            f"{what}: {value!r} is not a whole number.", hint=f"Give a whole number, at least {least}."
        ) from None
    if number < least:
        raise InvalidInput(f"{what}: {number} is too few.", hint=f"Give a whole number, at least {least}.")
    return number


def seconds(value: Seconds, what: str) -> float:
    """A finite time of at least 0 s."""
    number = _finite(_converted(value, "s", what), value, what)
    if number < 0:
        raise InvalidInput(f"{what}: {value!r} is negative.", hint="Give a time of 0 s or more.")
    return number


def quantity(value: float | str, unit: str, what: str, *, bare: bool = True) -> float:
    """A finite number above 0, in that unit.

    :param bare: whether a number without a unit will do; not where people expect different ones.
    """
    number = _finite(_converted(value, unit, what), value, what)
    if not bare and not (isinstance(value, str) and _unit_of(value, what)):
        raise InvalidInput(f"{what}: {value!r} has no unit.", hint=f"Write for instance '50 {unit}'.")
    if number <= 0:
        raise InvalidInput(f"{what}: {value!r} is not above 0.", hint=f"Write for instance '50 {unit}'.")
    return number


def positions(axis: str, **given: Position) -> tuple[tuple[float, ...], str]:
    """Positions of one axis as numbers, and the unit they were given in (empty: the axis' own).

    Devices are not known here, so texts keep the unit of the first one; whoever resolves the scan converts it.

    :param given: argument name to position.
    """
    texts = {what: v for what, v in given.items() if isinstance(v, str)}
    if not texts:
        return tuple(_finite(_converted(v, "", what), v, what) for what, v in given.items()), ""
    first = next(iter(texts))
    unit = _unit_of(texts[first], first)
    if unit and len(texts) != len(given):
        raise InvalidInput(
            f"{axis}: {', '.join(str(v) for v in given.values())} mixes plain numbers with units.",
            hint="Give all positions of an axis with a unit, or none.",
        )
    return tuple(_finite(_converted(v, unit, what), v, what) for what, v in given.items()), unit


def rows(command: str, given: Iterable[Any], columns: Sequence[str]) -> list[Sequence[Any]]:
    """A list of what belongs to each axis, checked for its form.

    :param columns: names of the parts that each axis needs.
    """
    form = f"({', '.join(columns)})"
    hint = f"Write a list: [{form}, ...]."
    try:
        if isinstance(given, str):
            raise TypeError
        found = list(given)
    except TypeError:
        raise InvalidInput(f"{command}: {given!r} is not a list of {form}.", hint=hint) from None
    if not found:
        raise InvalidInput(f"{command}: there is no axis.", hint=hint)
    for row in found:
        if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != len(columns):
            raise InvalidInput(f"{command}: {row!r} is not {form}.", hint=hint)
    return found


def trigger_mode(value: str | TriggerMode, allowed: Sequence[TriggerMode]) -> TriggerMode:
    """One of the trigger modes that a command offers."""
    words = [mode.value for mode in allowed]
    if value not in words:
        raise InvalidInput(f"trigger: {value!r} is not possible here.", hint=f"Give one of: {', '.join(words)}.")
    return TriggerMode(value)


def typed(command: str, *arguments: object) -> str:
    """The title of a scan: the command as its user typed it."""
    return " ".join([command, *(_plain(argument) for argument in arguments)])


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value.replace(" ", "")
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        shown = [_plain(item) for item in value]
        if len(shown) > _MOST_SHOWN:
            shown = [*shown[: _MOST_SHOWN - 2], "...", shown[-1]]
        return f"[{','.join(shown)}]"
    return str(getattr(value, "name", value))


def _converted(value: Any, unit: str, what: str) -> float:
    if isinstance(value, str):
        try:
            return convert(value, unit)
        except InvalidInput as error:
            raise InvalidInput(f"{what}: {error.message}", hint=error.hint) from None
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"{what}: {value!r} is not a number.", hint=f"Give a number, or a text such as '10 {unit or 'mm'}'."
        ) from None


def _finite(number: float, value: object, what: str) -> float:
    if not math.isfinite(number):
        raise InvalidInput(f"{what}: {value!r} is not a finite number.", hint="Give a finite number.")
    return number


def _unit_of(text: str, what: str) -> str:
    number = _NUMBER.match(text)
    if number is None:
        raise InvalidInput(f"{what}: {text!r} is not a position.", hint="Write for instance '10 mm'.")
    unit = text[number.end() :].strip()
    try:
        parse_unit(unit)
    except InvalidInput:
        raise InvalidInput(f"{what}: {unit} is not a unit.", hint="Write for instance '10 mm'.") from None
    return unit
