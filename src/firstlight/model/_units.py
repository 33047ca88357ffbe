"""The one unit registry; pint is imported at first use, because it costs half a second."""

from __future__ import annotations

import math
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


COMMON: dict[tuple[str, str], float] = {
    ("deg", "rad"): math.pi / 180.0, ("mrad", "rad"): 1e-3, ("rad", "mrad"): 1e3, ("urad", "mrad"): 1e-3,
    ("um", "mm"): 1e-3, ("nm", "mm"): 1e-6, ("m", "mm"): 1e3, ("cm", "mm"): 10.0, ("mm", "um"): 1e3,
    ("ms", "s"): 1e-3, ("us", "s"): 1e-6, ("min", "s"): 60.0, ("h", "s"): 3600.0,
    ("um/s", "mm/s"): 1e-3, ("eV", "keV"): 1e-3, ("keV", "eV"): 1e3, ("Hz", "1/s"): 1.0, ("kHz", "1/s"): 1e3,
}  # fmt: skip
COMMON |= {
    (u, u): 1.0 for u in ("deg", "deg/s", "rad", "mrad", "mm", "mm/s", "um", "m", "s", "keV", "eV", "mA", "A", "V")
}
"""What is asked for so often that the library need not be imported for it; it takes a third of a second."""


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
    plain = COMMON.get((found[2], unit))
    if plain is not None:
        return float(found[1]) * plain
    import pint

    units = registry()
    try:
        return float(units.Quantity(float(found[1]), units.parse_units(found[2])).to(unit).magnitude)
    except (pint.PintError, *_NONSENSE) as error:
        raise refused from error
