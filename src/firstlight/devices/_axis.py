"""What every axis has in common: user units, offset, sign and limits, around a driver that knows only its dial."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._calls import call, call_stoppable
from firstlight.model import AxisDriver, DeviceError, InvalidInput, LimitError, OutOfBand
from firstlight.model.motion import ACCELERATION, POSITION, VELOCITY, Segments

_Position = TypeVar("_Position", float, NDArray[np.float64])


class Axis:
    """A motor as the user sees it: user = sign × dial + offset.

    Limits are kept in dial, so that setting a position cannot move them, and those of the controller hold as well.

    :param driver: the motor, in dial units.
    :param sign: 1 or -1.
    :param offset: user position at dial zero.
    :param limits: (low, high) in dial; None for the controller's alone.
    """

    def __init__(
        self,
        driver: AxisDriver,
        *,
        sign: int = 1,
        offset: float = 0.0,
        limits: tuple[float, float] | None = None,
    ) -> None:
        if sign not in (1, -1):
            raise InvalidInput(f"{driver.name}: the sign of an axis is 1 or -1, not {sign!r}.")
        if not math.isfinite(offset):
            raise InvalidInput(f"{driver.name}: the offset of an axis is a number, not {offset!r}.")
        self.driver = driver
        self.name = driver.name
        self.unit = driver.unit
        self.sign = sign
        self._offset = float(offset)
        self._limits = (-math.inf, math.inf)
        if limits is not None:
            self._set_dial_limits(*limits)

    def __repr__(self) -> str:
        low, high = self.limits
        return f"<Axis {self.name} at {self.position:g} {self.unit}, limits {low:g} to {high:g}>"

    @property
    def offset(self) -> float:
        """User position at dial zero; changed by :meth:`set_position`."""
        return self._offset

    @property
    def position(self) -> float:
        """User position now."""
        return self.to_user(self.driver.position())

    @property
    def dial(self) -> float:
        """Dial position now."""
        return self.driver.position()

    @property
    def moving(self) -> bool:
        """Whether it moves now."""
        return self.driver.moving()

    @property
    def velocity(self) -> float:
        """Cruise speed, unit/s."""
        return self.driver.velocity

    @velocity.setter
    def velocity(self, value: float) -> None:
        self.driver.velocity = self._positive("velocity", value)

    @property
    def acceleration(self) -> float:
        """unit/s²."""
        return self.driver.acceleration

    @acceleration.setter
    def acceleration(self, value: float) -> None:
        self.driver.acceleration = self._positive("acceleration", value)

    @property
    def out_of_band(self) -> OutOfBand | None:
        """How the guard stops it when the session died; None when impossible."""
        return self.driver.out_of_band

    @property
    def dial_limits(self) -> tuple[float, float]:
        """(low, high) in dial: ours and the controller's together."""
        low, high = self.driver.limits
        return max(low, self._limits[0]), min(high, self._limits[1])

    @property
    def limits(self) -> tuple[float, float]:
        """(low, high) in user units: ours and the controller's together; assign to change ours."""
        a, b = (self.to_user(limit) for limit in self.dial_limits)
        return (a, b) if a <= b else (b, a)

    @limits.setter
    def limits(self, limits: tuple[float, float]) -> None:
        a, b = (self.to_dial(limit) for limit in limits)
        self._set_dial_limits(min(a, b), max(a, b))

    def to_user(self, dial: _Position) -> _Position:
        """User position(s) of dial position(s)."""
        return self.sign * dial + self._offset

    def to_dial(self, user: _Position) -> _Position:
        """Dial position(s) of user position(s)."""
        return self.sign * (user - self._offset)

    def check(self, target: float) -> None:
        """Refuse a user position that the axis may not go to; nothing moves.

        :raises LimitError: when it is outside the limits, or no number.
        """
        if not math.isfinite(target):
            raise LimitError(self.name, f"cannot go to {target}: a position is a finite number.")
        dial = self.to_dial(float(target))
        low, high = self.dial_limits
        # Roundoff of the conversion to dial must not refuse the limit itself.
        slack = 1e-9 * max(1.0, abs(dial))
        if not low - slack <= dial <= high + slack:
            user_low, user_high = self.limits
            raise LimitError(
                self.name,
                f"cannot go to {target:g} {self.unit}: its limits are {user_low:g} to {user_high:g} {self.unit}.",
            )

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Go to a user position and return at rest; cancellation stops the axis before it propagates.

        :param velocity: cruise speed of this move (unit/s); None for :attr:`velocity`.
        :raises LimitError: before anything moves.
        """
        self.check(target)
        low, high = self.driver.limits
        dial = min(max(self.to_dial(float(target)), low), high)
        if velocity is not None:
            velocity = self._positive("velocity", velocity)
        await call_stoppable(self.driver, self.driver.move, dial, velocity, stop=self.stop)

    async def stop(self) -> None:
        """Decelerate and return at rest."""
        await call(self.driver, self.driver.stop)

    def set_position(self, user: float) -> None:
        """Call the present position ``user``: changes the offset, moves nothing, leaves the dial and its limits."""
        if not math.isfinite(user):
            raise InvalidInput(f"{self.name}: a position is a finite number, not {user}.")
        if self.driver.moving():
            raise DeviceError(self.name, "its position cannot be set while it moves.", hint="Stop it first.")
        self._offset = float(user) - self.sign * self.driver.position()

    def segments(self, since: float) -> Segments:
        """What is known of the user position(t) from ``since`` on, rows of ``model.motion``."""
        rows = np.array(self.driver.segments(since), dtype=np.float64)
        rows[:, POSITION] = self.to_user(rows[:, POSITION])
        rows[:, VELOCITY] *= self.sign
        rows[:, ACCELERATION] *= self.sign
        return rows

    def _set_dial_limits(self, low: float, high: float) -> None:
        if not low <= high:
            raise InvalidInput(f"{self.name}: the low limit {low:g} is above the high limit {high:g}.")
        self._limits = (float(low), float(high))

    def _positive(self, what: str, value: float) -> float:
        if not (math.isfinite(value) and value > 0):
            raise InvalidInput(f"{self.name}: {what} must be above zero, not {value!r}.")
        return float(value)
