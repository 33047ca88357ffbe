"""A table on three legs: height, pitch and roll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firstlight.devices._axis import Axis
from firstlight.devices.calc._calculation import Calculation, Positions
from firstlight.model import InvalidInput, convert


def check_places(places: Sequence[tuple[float, float]]) -> None:
    """See that three legs define a plane.

    :raises InvalidInput: when they stand on one line.
    """
    spread = np.ptp(np.array(places), axis=0).max()
    if abs(np.linalg.det(np.array([[1.0, x, y] for x, y in places]))) <= 1e-6 * spread**2:
        raise InvalidInput("The legs of a table stand on one line.", hint="Give (x, y) of three legs that do not.")


class Table(Calculation):
    """The plane z = height + x · tan(pitch) + y · tan(roll) through the tops of three legs.

    x points along the beam and y across it, to the left; pitch > 0 lifts what is downstream, roll > 0 what is left. The
    height is that of the table over x = y = 0.

    :param legs: three axes.
    :param places: (x, y) of each leg, in the legs' unit.
    :param angle: unit of pitch and roll.
    """

    def __init__(
        self,
        name: str,
        legs: tuple[Axis, Axis, Axis],
        places: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
        *,
        angle: str = "mrad",
    ) -> None:
        check_places(places)
        self._matrix = np.array([[1.0, x, y] for x, y in places])
        self._inverse = np.linalg.inv(self._matrix)
        self._radians = convert(f"1 {angle}", "rad")
        roles = {f"leg{number}": leg for number, leg in enumerate(legs, start=1)}
        super().__init__(name, roles, {"height": legs[0].unit, "pitch": angle, "roll": angle})

    def to_calculated(self, real: Positions) -> Positions:
        """Height and angles of the legs."""
        height, pitch, roll = np.tensordot(self._inverse, np.stack([real[f"leg{k}"] for k in (1, 2, 3)]), axes=1)
        return {"height": height, "pitch": np.arctan(pitch) / self._radians, "roll": np.arctan(roll) / self._radians}

    def to_real(self, calculated: Positions) -> Positions:
        """Legs of height and angles."""
        tilts = [self._tilt(calculated, "pitch"), self._tilt(calculated, "roll")]
        legs = np.tensordot(self._matrix, np.stack([calculated["height"], *tilts]), axes=1)
        return {f"leg{k + 1}": legs[k] for k in range(3)}

    def _tilt(self, calculated: Mapping[str, np.ndarray], role: str) -> np.ndarray:
        angle = calculated[role] * self._radians
        return np.where(np.abs(angle) < np.pi / 2, np.tan(angle), np.nan)
