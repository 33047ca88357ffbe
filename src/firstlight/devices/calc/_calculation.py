"""Axes calculated from others: two pure functions between positions, and all that follows from them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._axis import Axis
from firstlight.devices.calc._segments import converted
from firstlight.devices.calc._way import Leg, checked, legs, stops
from firstlight.model import InvalidInput, LimitError
from firstlight.model.motion import Segments

if TYPE_CHECKING:
    from firstlight.devices.calc._axis import CalculatedAxis

Positions = Mapping[str, NDArray[np.float64]]
"""Role to positions, all of one shape."""

_SAMPLES = 9
_GRID = np.linspace(0.0, 1.0, 65)


class Calculation(ABC):
    """The relation between real axes and the axes calculated from them.

    Derive from it, and write :meth:`to_calculated` and :meth:`to_real`. Both work on arrays of any shape, so that whole
    paths are converted at once, and return NaN where there is no answer. Axes go by their *role* in the relation.

    :param name: of the whole; with several calculated axes they are called ``name.role``, a single one ``name``.
    :param reals: role to real axis; real axes may be calculated themselves.
    :param units: role to unit of the calculated axes.
    """

    linear_relation: ClassVar[bool] = False
    """Both functions are linear: motions are converted exactly and continuous scans are possible everywhere."""

    def __init__(self, name: str, reals: Mapping[str, Axis], units: Mapping[str, str]) -> None:
        from firstlight.devices.calc._axis import CalculatedAxis

        names = [axis.name for axis in reals.values()]
        for other in names:
            if names.count(other) > 1:
                raise InvalidInput(f"{name}: {other} is given for two of its real axes.")
        self.name = name
        self.real_axes: dict[str, Axis] = dict(reals)
        self.axes: dict[str, CalculatedAxis] = {
            role: CalculatedAxis(self, role, name if len(units) == 1 else f"{name}.{role}", unit)
            for role, unit in units.items()
        }
        """Role to calculated axis."""
        self._roles = {axis.name: role for role, axis in self.axes.items()}
        self._tolerances: dict[str, float] = {}

    def __getattr__(self, name: str) -> CalculatedAxis:
        # So that a calculation with several axes reads as they are called: slits.gap.
        axes: dict[str, CalculatedAxis] = self.__dict__.get("axes", {})
        if name in axes:
            return axes[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.axes})

    def __repr__(self) -> str:
        made = ", ".join(axis.name for axis in self.axes.values())
        return f"<{type(self).__name__} {made} from {', '.join(self.reals)}>"

    @abstractmethod
    def to_calculated(self, real: Positions) -> Positions:
        """Positions of the calculated axes."""

    @abstractmethod
    def to_real(self, calculated: Positions) -> Positions:
        """Positions of the real axes that have to move; those left out stay."""

    def defining(self) -> Sequence[str]:
        """Roles of the real axes that say where the calculated ones are; setting a position sets theirs."""
        return tuple(self.real_axes)

    def values(self) -> dict[str, Any]:
        """What of the calculation itself can be set by hand: JSON values, kept with the settings of its axes."""
        return {}

    def restore(self, key: str, value: Any) -> None:
        """Set one of :meth:`values` again.

        :raises InvalidInput: when it is none.
        """
        raise InvalidInput("there is no such setting.")

    @property
    def tolerances(self) -> Mapping[str, float]:
        """Role of real axes to how far they may be, on the way, from where the relation wants them; in their units.

        Empty, and real axes only arrive together. Otherwise they set off, go and stop in proportion, in legs that are
        short enough.
        """
        return self._tolerances

    @tolerances.setter
    def tolerances(self, tolerances: Mapping[str, float]) -> None:
        self._tolerances = checked(self.name, self.real_axes, tolerances)

    # -- as whoever moves axes sees it

    @property
    def reals(self) -> Sequence[str]:
        """Names of the real axes."""
        return tuple(axis.name for axis in self.real_axes.values())

    def moved(self) -> Sequence[str]:
        """Names of those that it moves at present."""
        here = {role: np.array([value]) for role, value in self.setpoints().items()}
        return tuple(self.real_axes[role].name for role in self.to_real(here))

    def positions(self) -> dict[str, float]:
        """Role to position of the calculated axes now."""
        return self._calculated({role: axis.position for role, axis in self.real_axes.items()})

    def setpoints(self) -> dict[str, float]:
        """Role to position of the calculated axes if all real ones are where they were sent."""
        return self._calculated({role: axis.setpoint for role, axis in self.real_axes.items()})

    def targets(self, wanted: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """User positions of the real axes that have to move.

        :param wanted: some calculated axes by name; the others stay where they were sent.
        :raises LimitError: for positions that no real axes stand for.
        """
        shape = np.broadcast_shapes(*(np.shape(values) for values in wanted.values()))
        given = {self._roles[name]: np.asarray(values, dtype=np.float64) for name, values in wanted.items()}
        calculated = {role: np.broadcast_to(given.get(role, here), shape) for role, here in self.setpoints().items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {role: np.asarray(v, dtype=np.float64) for role, v in self.to_real(calculated).items()}
        for role, values in found.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                name, positions = next(iter(wanted.items()))
                axis = self.axes[self._roles[name]]
                position = np.broadcast_to(positions, shape).flat[bad[0]]
                raise LimitError(
                    name,
                    f"cannot go to {position:g} {axis.unit}: no position of {self.real_axes[role].name} stands for it.",
                )
        return {self.real_axes[role].name: values for role, values in found.items()}

    def at(self, role: str, position: float) -> dict[str, float]:
        """User positions of the real axes that have to move for one position of one calculated axis."""
        found = self.targets({self.axes[role].name: np.array([float(position)])})
        return {name: float(values[0]) for name, values in found.items()}

    @property
    def follows(self) -> bool:
        """Whether there are :attr:`tolerances`."""
        return bool(self._tolerances)

    def stops(self, name: str, target: float) -> NDArray[np.float64]:
        """Positions of one calculated axis where it comes to rest on its way to ``target``, that one included.

        :raises LimitError: when no way stays within the tolerances.
        """
        return stops(self, self._roles[name], target) if self._tolerances else np.array([float(target)])

    def legs(self, role: str, target: float) -> list[Leg]:
        """What the real axes do between :meth:`stops`."""
        return legs(self, role, target)

    def sides(self, role: str, side: int | None) -> dict[str, int]:
        """From which side each real axis comes, when the calculated one comes from this one; empty for their own."""
        if side is None:
            return {}
        slopes = self.slopes(role) if side else dict.fromkeys(self.real_axes, 1.0)
        return {self.real_axes[r].name: side if slope >= 0 else -side for r, slope in slopes.items()}

    def linear(self, name: str, start: float, stop: float) -> bool:
        """Whether the real axes move in proportion while this axis goes from ``start`` to ``stop``."""
        if self.linear_relation:
            return True
        span = np.linspace(start, stop, _SAMPLES)
        for values in self.targets({name: span}).values():
            line = np.linspace(values[0], values[-1], _SAMPLES)
            if not np.allclose(values, line, rtol=0.0, atol=1e-9 * max(np.ptp(values), 1e-300)):
                return False
        return True

    def slopes(self, role: str) -> dict[str, float]:
        """Role of each real axis that moves to its speed for a speed of 1 of this calculated axis, where it is now."""
        here = self.setpoints()[role]
        step = 1e-6 * max(1.0, abs(here))
        name = self.axes[role].name
        with np.errstate(invalid="ignore", divide="ignore"):
            found = self.targets({name: np.array([here - step, here + step])})
        roles = {axis.name: r for r, axis in self.real_axes.items()}
        return {roles[real]: float(values[1] - values[0]) / (2 * step) for real, values in found.items()}

    def reach(self, role: str) -> tuple[float, float]:
        """(low, high) of a calculated axis, as far as the limits of the real ones let it go from where it is."""
        here = self.setpoints()
        if not all(math.isfinite(value) for value in here.values()):
            return -math.inf, math.inf
        return self._reach(here, role, -1), self._reach(here, role, 1)

    def segments(self, role: str, since: float) -> Segments:
        """Motion of a calculated axis from ``since`` on."""
        motions = {real: axis.segments(since) for real, axis in self.real_axes.items()}
        return converted(
            motions,
            lambda real: np.asarray(self.to_calculated(real)[role], dtype=np.float64),
            since,
            straight=self.linear_relation,
        )

    def _calculated(self, real: Mapping[str, float]) -> dict[str, float]:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = self.to_calculated({role: np.array([value]) for role, value in real.items()})
        return {role: float(np.asarray(values)[0]) for role, values in found.items()}

    def _reach(self, here: Mapping[str, float], role: str, way: int) -> float:
        """The farthest position in one direction, the neighbourhood of which is allowed without a gap."""
        start = here[role]

        def allowed(values: NDArray[np.float64]) -> NDArray[np.bool_]:
            calculated = {r: values if r == role else np.full_like(values, v) for r, v in here.items()}
            inside = np.ones(values.shape, dtype=bool)
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                for real, positions in self.to_real(calculated).items():
                    low, high = self.real_axes[real].limits
                    slack = 1e-9 * np.maximum(1.0, np.abs(positions))
                    inside &= (positions >= low - slack) & (positions <= high + slack)
            return inside

        steps = start + way * 2.0 ** np.arange(-20.0, 31.0)
        fine = allowed(steps)
        if fine.all():
            return way * math.inf
        last = int(np.argmin(fine))
        inner = start if last == 0 else float(steps[last - 1])
        outer = float(steps[last])
        for _ in range(8):
            between = inner + (outer - inner) * _GRID
            good = allowed(between)
            index = len(good) if good.all() else int(np.argmin(good))
            if index in (0, len(good)):
                break
            inner, outer = float(between[index - 1]), float(between[index])
        return inner
