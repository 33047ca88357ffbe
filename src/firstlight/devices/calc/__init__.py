"""Axes calculated from others: slits, tables, the energy of a monochromator, h k l, and formulas of one's own."""

from firstlight.devices.calc._axis import CalculatedAxis
from firstlight.devices.calc._calculation import Calculation, Positions
from firstlight.devices.calc._formulas import Formulas
from firstlight.devices.calc._hkl import Hkl
from firstlight.devices.calc._monochromator import Monochromator, spacing
from firstlight.devices.calc._slits import Slits
from firstlight.devices.calc._table import Table
from firstlight.devices.calc._undulator import GapFormula, GapTable

__all__ = [
    "CalculatedAxis",
    "Calculation",
    "Formulas",
    "GapFormula",
    "GapTable",
    "Hkl",
    "Monochromator",
    "Positions",
    "Slits",
    "Table",
    "spacing",
]
