"""Axes calculated by formulas that are written as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firstlight.devices._axis import Axis
from firstlight.devices.calc._calculation import Calculation, Positions
from firstlight.model import Expression, Formula, InvalidInput


class Formulas(Calculation):
    """Calculated axes and their inverse as expressions over names.

    :param reals: name in the formulas to real axis.
    :param forward: name of each calculated axis to its formula over the real ones.
    :param inverse: name of each real axis that moves to its formula over the calculated ones, and over real ones that
        do not move.
    :param units: of the calculated axes; those left out have none.
    :raises InvalidInput: when a formula is wrong, or the formulas are not each other's inverse.
    """

    def __init__(
        self,
        name: str,
        reals: Mapping[str, Axis],
        forward: Mapping[str, str],
        inverse: Mapping[str, str],
        units: Mapping[str, str] | None = None,
    ) -> None:
        known = dict(units or {})
        given = {role: axis.unit for role, axis in reals.items()}
        wanted = {role: known.get(role, "") for role in forward}
        twice = set(reals) & set(forward)
        if twice:
            raise InvalidInput(f"{name}: {min(twice)} is the name of a real and of a calculated axis.")
        stray = [role for role in inverse if role not in reals]
        if stray or not inverse:
            what = f"{stray[0]} is none of its real axes" if stray else "no formula says where a real axis goes"
            raise InvalidInput(f"{name}: {what}.", hint=f"Its real axes: {', '.join(reals)}.")
        self._still = tuple(role for role in reals if role not in inverse)
        usable = {**wanted, **{role: given[role] for role in self._still}}
        self._forward = {role: _bound(name, role, text, given, wanted[role]) for role, text in forward.items()}
        self._inverse = {role: _bound(name, role, text, usable, given[role]) for role, text in inverse.items()}
        super().__init__(name, reals, wanted)
        self._check()

    def to_calculated(self, real: Positions) -> Positions:
        """By the formulas of the calculated axes."""
        shape = np.shape(next(iter(real.values())))
        return {role: np.broadcast_to(formula(real), shape) for role, formula in self._forward.items()}

    def to_real(self, calculated: Positions) -> Positions:
        """By the formulas of the real axes."""
        shape = np.shape(next(iter(calculated.values())))
        still = {role: np.full(shape, self.real_axes[role].setpoint) for role in self._still}
        values = {**calculated, **still}
        return {role: np.broadcast_to(formula(values), shape) for role, formula in self._inverse.items()}

    def defining(self) -> tuple[str, ...]:
        """The axes that move."""
        return tuple(self._inverse)

    def _check(self) -> None:
        """Refuse formulas that do not lead back to where they came from, around the present positions."""
        here = {role: axis.setpoint for role, axis in self.real_axes.items()}
        for role in self._inverse:
            for shift in (0.0, 0.125):
                real = {r: np.array([v + (shift if r == role else 0.0)]) for r, v in here.items()}
                back = self.to_real(self.to_calculated(real))
                for moved, values in back.items():
                    value, there = float(values[0]), float(real[moved][0])
                    if np.isfinite(value) and not np.isclose(value, there, rtol=1e-6, atol=1e-9):
                        raise InvalidInput(
                            f"{self.name}: its formulas are not each other's inverse: {moved} = {there:g} comes back "
                            f"as {value:g}.",
                            hint=f"Check '{self._inverse[moved].text}'.",
                        )


def _bound(name: str, role: str, text: str, units: Mapping[str, str], unit: str) -> Formula:
    try:
        formula = Expression(text, units).bind(units, unit)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {role}: {error.message}", hint=error.hint) from error
    if formula.truth:
        raise InvalidInput(f"{name}: {role}: '{text}' is true or false, not a position.")
    return formula
