"""The one unit registry; pint is imported at first use, because it costs half a second."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from firstlight.model._errors import InvalidInput

if TYPE_CHECKING:
    import pint


@cache
def registry() -> pint.UnitRegistry[float]:
    """The application's pint registry, with the counts that detectors give."""
    import pint

    units: pint.UnitRegistry[float] = pint.UnitRegistry()
    units.define("photon = count")
    return units


def convert(value: float | str, unit: str) -> float:
    """A plain number in ``unit`` from a number (taken to be in ``unit`` already) or a text such as ``20 ms``.

    :raises InvalidInput: when the text is no quantity or its dimension is another one.
    """
    if not isinstance(value, str):
        return float(value)
    import pint

    try:
        quantity = registry().Quantity(value)
        if quantity.dimensionless and unit and not any(c.isalpha() for c in value):
            return float(quantity.magnitude)
        return float(quantity.to(unit).magnitude)
    except (pint.PintError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise InvalidInput(
            f"{value!r} is not a quantity in {unit or 'plain numbers'}.", hint=f"Write for instance '20 {unit}'."
        ) from error
