"""The axes h, k and l of a diffractometer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from firstlight.crystallography import Diffractometer
from firstlight.devices._axis import Axis
from firstlight.devices.calc._calculation import Calculation, Positions
from firstlight.model import InvalidInput, convert


class Hkl(Calculation):
    """h, k and l of the angles, and back in the mode of the diffractometer.

    Of several settings the one closest to where the real axes were sent is taken, and a path keeps its branch. The
    limits are those of the real axes, and those of the diffractometer beside them.

    :param diffractometer: lattice, orientation, wavelength and mode; what is changed there counts at once.
    :param circles: name of each circle of its geometry to the axis that turns it.
    """

    def __init__(self, name: str, diffractometer: Diffractometer, circles: Mapping[str, Axis]) -> None:
        wanted = diffractometer.axes
        if set(circles) != set(wanted):
            kind = diffractometer.geometry.name
            raise InvalidInput(
                f"{name}: {kind} has the circles {', '.join(wanted)}, not {', '.join(circles)}.",
                hint="Give one axis for each circle.",
            )
        self.diffractometer = diffractometer
        self._degrees = {circle: convert(f"1 {circles[circle].unit}", "deg") for circle in wanted}
        super().__init__(name, {circle: circles[circle] for circle in wanted}, {"h": "", "k": "", "l": ""})

    def setting(self) -> dict[str, float]:
        """Circle to where its axis was sent, degrees."""
        return {circle: axis.setpoint * self._degrees[circle] for circle, axis in self.real_axes.items()}

    def to_calculated(self, real: Positions) -> Positions:
        """h, k and l of the angles."""
        angles = np.stack([np.asarray(real[circle]) * scale for circle, scale in self._degrees.items()], axis=-1)
        hkl = self.diffractometer.forward(angles)
        return {role: np.asarray(hkl[..., k]) for k, role in enumerate("hkl")}

    def to_real(self, calculated: Positions) -> Positions:
        """Angles for h, k and l, of one branch along the path."""
        hkl = np.stack(np.broadcast_arrays(*(np.asarray(calculated[role], np.float64) for role in "hkl")), axis=-1)
        path = self._allowed(hkl.reshape(-1, 3)).reshape(*hkl.shape[:-1], len(self._degrees))
        return {circle: path[..., k] / scale for k, (circle, scale) in enumerate(self._degrees.items())}

    def _allowed(self, hkl: NDArray[np.float64]) -> NDArray[np.float64]:
        own = self.diffractometer.limits
        try:
            self.diffractometer.limits = {circle: self._limits(circle, own) for circle in self._degrees}
            return self.diffractometer.reachable(hkl, self.setting())
        finally:
            self.diffractometer.limits = own

    def _limits(self, circle: str, own: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
        low, high = (limit * self._degrees[circle] for limit in self.real_axes[circle].limits)
        least, most = own.get(circle, (low, high))
        return max(low, least), min(high, most)
