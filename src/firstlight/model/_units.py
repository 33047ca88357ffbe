"""The one unit registry; pint is imported at first use, because it costs half a second."""

from __future__ import annotations

import re
from functools import cache
from tokenize import TokenError
from typing import TYPE_CHECKING

from firstlight.model._errors import InvalidInput

if TYPE_CHECKING:
    import pint

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\d.])\s*(.*?)\s*")
# pint evaluates what it parses: a power tower in a message must not stop a server.
_UNIT = re.compile(r"(?:[^\W\d]|1(?=/)|[°%/·() ]|\*(?!\*)|(?:\*\*|\^)[-+]?\d(?![\d*^]))*")

# What pint's parser raises for nonsense is not only its own.
_NONSENSE = (
    AssertionError,
    AttributeError,
    KeyError,
    OverflowError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)


@cache
def registry() -> pint.UnitRegistry[float]:
    """The application's pint registry, with the counts that detectors give."""
    import pint

    units: pint.UnitRegistry[float] = pint.UnitRegistry()
    units.define("photon = count")
    return units


@cache
def parse_unit(text: str) -> pint.Unit:
    """The unit of that name; empty for a plain number.

    :raises InvalidInput: when there is none.
    """
    import pint

    if _UNIT.fullmatch(text):
        try:
            return registry().parse_units(text)
        except (pint.PintError, *_NONSENSE):
            pass
    raise InvalidInput(f"There is no unit {text!r}.", hint="Write it as in 'mm', 'deg/s' or '1/s'.")


def convert(value: float | str, unit: str) -> float:
    """A plain number in ``unit`` from a number (taken to be in ``unit`` already) or a text such as ``20 ms``.

    :raises InvalidInput: when the text is no quantity or its dimension is another one.
    """
    if not isinstance(value, str):
        return float(value)
    found = _NUMBER.fullmatch(value)
    # The unit itself needs no pint, which costs half a second: most people write just that.
    if found and found[2] in ("", unit):
        return float(found[1])
    refused = InvalidInput(
        f"{value!r} is not a quantity in {unit or 'plain numbers'}.",
        hint=f"Write for instance '{f'20 {unit}'.strip()}'.",
    )
    if not found or not _UNIT.fullmatch(found[2]):
        raise refused
    import pint

    units = registry()
    try:
        return float(units.Quantity(float(found[1]), units.parse_units(found[2])).to(unit).magnitude)
    except (pint.PintError, *_NONSENSE) as error:
        raise refused from error
