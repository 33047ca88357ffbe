"""Slits: the gap between two blades, and where its middle is."""

from __future__ import annotations

from firstlight.devices._axis import Axis
from firstlight.devices.calc._calculation import Calculation, Positions


class Slits(Calculation):
    """gap = p - n and offset = (p + n) / 2 of a blade on the positive and one on the negative side.

    :param positive: blade on the positive side of the beam, counted in the direction of the offset.
    :param negative: blade on the negative side.
    :param opposed: the blades count away from the beam, so that each opens upwards: gap = p + n, offset = (p - n) / 2.
    """

    linear_relation = True

    def __init__(self, name: str, positive: Axis, negative: Axis, *, opposed: bool = False) -> None:
        self._way = -1.0 if opposed else 1.0
        unit = positive.unit
        super().__init__(name, {"positive": positive, "negative": negative}, {"gap": unit, "offset": unit})

    def to_calculated(self, real: Positions) -> Positions:
        """Gap and offset of the blades."""
        p, n = real["positive"], self._way * real["negative"]
        return {"gap": p - n, "offset": (p + n) / 2}

    def to_real(self, calculated: Positions) -> Positions:
        """Blades of gap and offset."""
        gap, offset = calculated["gap"], calculated["offset"]
        return {"positive": offset + gap / 2, "negative": self._way * (offset - gap / 2)}
