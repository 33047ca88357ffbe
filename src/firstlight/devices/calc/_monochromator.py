"""A crystal monochromator: photon energy from the Bragg angle, and an undulator that follows."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from firstlight.devices._axis import Axis
from firstlight.devices.calc._calculation import Calculation, Positions
from firstlight.devices.calc._undulator import HC, GapFormula, GapTable
from firstlight.model import InvalidInput, convert

LATTICES = {"Si": 5.431020511, "Ge": 5.6579060, "C": 3.566986}
"""Lattice parameters of cubic crystals, Å: silicon by CODATA 2018, germanium and diamond at 298 K by the International
Tables for Crystallography."""

_CRYSTAL = re.compile(r"\s*([A-Z][a-z]?)\s*\(?\s*(\d)\s*,?\s*(\d)\s*,?\s*(\d)\s*\)?\s*")


def spacing(crystal: str) -> float:
    """Distance of the lattice planes of a crystal such as ``Si111``, Å.

    :raises InvalidInput: when it is none of the known ones.
    """
    found = _CRYSTAL.fullmatch(crystal)
    if not found or found[1] not in LATTICES or found[2] == found[3] == found[4] == "0":
        raise InvalidInput(
            f"{crystal!r} is no known crystal.", hint=f"Write for instance Si111; known: {', '.join(LATTICES)}."
        )
    return LATTICES[found[1]] / math.sqrt(sum(int(found[k]) ** 2 for k in (2, 3, 4)))


class Monochromator(Calculation):
    """E = hc / (2 d sin θ), Bragg's law; the gap of an undulator follows while :attr:`following` is on.

    :param bragg: axis of the angle θ, of any unit of angle.
    :param d: distance of the lattice planes, Å.
    :param unit: of the energy.
    :param gap: axis of the undulator's gap; None for none.
    :param undulator: gap for an energy, mm and keV.
    :param harmonic: of the undulator.
    :param following: whether the gap moves with the energy.
    """

    def __init__(
        self,
        name: str,
        bragg: Axis,
        d: float,
        *,
        unit: str = "keV",
        gap: Axis | None = None,
        undulator: GapFormula | GapTable | None = None,
        harmonic: int = 1,
        following: bool = True,
    ) -> None:
        if not d > 0:
            raise InvalidInput(f"{name}: the distance of lattice planes is above zero, not {d!r}.")
        if (gap is None) != (undulator is None):
            raise InvalidInput(f"{name}: an undulator that follows needs the axis of its gap, and how that is found.")
        self.d = d
        self._undulator = undulator
        self._following = following and undulator is not None
        self._harmonic = _whole(name, harmonic)
        self._radians = convert(f"1 {bragg.unit}", "rad")
        self._kev = convert(f"1 {unit}", "keV")
        self._millimetres = convert(f"1 {gap.unit}", "mm") if gap is not None else 1.0
        super().__init__(name, {"bragg": bragg} | ({"gap": gap} if gap is not None else {}), {"energy": unit})

    @property
    def following(self) -> bool:
        """Whether the gap moves with the energy."""
        return self._following

    @following.setter
    def following(self, value: bool) -> None:
        if value and self._undulator is None:
            raise InvalidInput(f"{self.name} has no undulator that could follow.")
        self._following = bool(value)
        self.axes["energy"].tell("following")

    @property
    def harmonic(self) -> int:
        """Of the undulator."""
        return self._harmonic

    @harmonic.setter
    def harmonic(self, value: int) -> None:
        self._harmonic = _whole(self.name, value)
        self.axes["energy"].tell("harmonic")

    def to_calculated(self, real: Positions) -> Positions:
        """Energy of the Bragg angle."""
        sine = np.sin(real["bragg"] * self._radians)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {"energy": np.where(sine > 0, HC / (2.0 * self.d * sine), np.nan) / self._kev}

    def to_real(self, calculated: Positions) -> Positions:
        """Bragg angle, and gap while that follows."""
        energy = calculated["energy"] * self._kev
        with np.errstate(divide="ignore", invalid="ignore"):
            sine = HC / (2.0 * self.d * energy)
        angle = np.arcsin(np.where((sine > 0) & (sine <= 1), sine, np.nan)) / self._radians
        if not self._following or self._undulator is None:
            return {"bragg": angle}
        return {"bragg": angle, "gap": self._undulator.gap(energy, self._harmonic) / self._millimetres}

    def defining(self) -> tuple[str, ...]:
        """The Bragg angle alone: the gap does not say what the energy is."""
        return ("bragg",)

    def values(self) -> dict[str, Any]:
        """Following, and the harmonic."""
        return {} if self._undulator is None else {"following": self._following, "harmonic": self._harmonic}

    def restore(self, key: str, value: Any) -> None:
        """Set one of them again."""
        if key == "following":
            self._following = bool(value) and self._undulator is not None
        elif key == "harmonic":
            self._harmonic = _whole(self.name, value)
        else:
            super().restore(key, value)


def _whole(name: str, harmonic: int) -> int:
    if isinstance(harmonic, bool) or not isinstance(harmonic, int) or harmonic < 1:
        raise InvalidInput(f"{name}: a harmonic is 1, 2, 3, ..., not {harmonic!r}.")
    return harmonic
