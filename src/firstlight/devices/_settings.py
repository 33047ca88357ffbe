"""What of an axis can be set: units, limits, speed, backlash; what was set by hand, and how that is kept."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._backlash import Backlash
from firstlight.model import (
    AxisDriver,
    DeviceError,
    Encoder,
    FirstlightError,
    InvalidInput,
    LimitError,
    MotionHook,
    OutOfBand,
    convert,
)

_log = logging.getLogger(__name__)

Position = TypeVar("Position", float, NDArray[np.float64])


class AxisSettings:
    """The settings of an axis; :class:`Axis` adds motion.

    Limits and backlash are kept in dial. Numbers may be texts with a unit. Settings that were changed by hand are told
    to :attr:`changed`, and given by :meth:`settings` for another session to :meth:`restore`.
    """

    def __init__(
        self,
        driver: AxisDriver,
        *,
        sign: int = 1,
        offset: float = 0.0,
        limits: tuple[float, float] | None = None,
        backlash: float = 0.0,
        maximum_velocity: float | None = None,
        encoder: Encoder | None = None,
        tolerance: float | None = None,
        hooks: Sequence[MotionHook] = (),
    ) -> None:
        self.driver = driver
        self.name = driver.name
        self.unit = driver.unit
        self.encoder = encoder
        self.changed: list[Callable[[Any], None]] = []
        """Called with the axis after any of its settings changed."""
        self._hooks: tuple[MotionHook, ...] = ()
        self._maximum_velocity = maximum_velocity
        self._sign = sign_of(self.name, sign)
        self._offset = self._finite("the offset", offset)
        self._limits = (-math.inf, math.inf)
        self._play = Backlash(self._finite("the backlash", backlash))
        self._tolerance = tolerance if tolerance is None else self._positive("the tolerance", tolerance)
        if limits is not None:
            self._set_dial_limits(*limits)
        if maximum_velocity is not None and self.driver.velocity > maximum_velocity:
            raise InvalidInput(
                f"{self.name}: its velocity of {self.driver.velocity:g} {self.unit}/s is above the maximum of "
                f"{maximum_velocity:g} {self.unit}/s."
            )
        self._by_hand: set[str] = set()
        self.hooks = tuple(hooks)
        self._configured = self._values()

    def to_user(self, dial: Position) -> Position:
        """User position(s) of dial position(s)."""
        return self._sign * dial + self._offset

    def to_dial(self, user: Position) -> Position:
        """Dial position(s) of user position(s)."""
        return self._sign * (user - self._offset)

    @property
    def sign(self) -> int:
        """1 or -1; changing it leaves the present user position as it is."""
        return self._sign

    @sign.setter
    def sign(self, value: int) -> None:
        self._may_set("sign")
        sign = sign_of(self.name, value)
        if sign == self._sign:
            return
        self._at_rest("its sign cannot be changed")
        here = self.driver.position()
        self._offset += (self._sign - sign) * here
        self._sign = sign
        self._set("sign", "offset")

    @property
    def offset(self) -> float:
        """User position at dial zero; :meth:`set_position` is the way to change it."""
        return self._offset

    @offset.setter
    def offset(self, value: float | str) -> None:
        self._may_set("offset")
        self._at_rest("its offset cannot be changed")
        self._offset = self._finite("the offset", self.number(value))
        self._set("offset")

    @property
    def velocity(self) -> float:
        """Cruise speed, unit/s; a text with a unit is converted: ``"5 mm/s"``."""
        return self.driver.velocity

    @velocity.setter
    def velocity(self, value: float | str) -> None:
        self._may_set("velocity")
        speed = self._positive("velocity", self.number(value, "/s"))
        if self._maximum_velocity is not None and speed > self._maximum_velocity * (1 + 1e-9):
            raise LimitError(
                self.name,
                f"its velocity cannot be {speed:g} {self.unit}/s: at most {self._maximum_velocity:g} {self.unit}/s.",
                hint="The maximum is in its configuration.",
            )
        self.driver.velocity = speed
        self._set("velocity")

    @property
    def maximum_velocity(self) -> float:
        """The fastest that a motion may be: the configured maximum, else :attr:`velocity`."""
        return self.velocity if self._maximum_velocity is None else self._maximum_velocity

    @property
    def acceleration(self) -> float:
        """unit/s²; a text with a unit is converted."""
        return self.driver.acceleration

    @acceleration.setter
    def acceleration(self, value: float | str) -> None:
        self._may_set("acceleration")
        self.driver.acceleration = self._positive("acceleration", self.number(value, "/s**2"))
        self._set("acceleration")

    @property
    def acceleration_time(self) -> float:
        """Seconds from rest to :attr:`velocity`; setting it sets the acceleration."""
        return 0.0 if math.isinf(self.acceleration) else self.velocity / self.acceleration

    @acceleration_time.setter
    def acceleration_time(self, value: float | str) -> None:
        seconds = convert(value, "s") if isinstance(value, str) else value
        self.acceleration = self.velocity / self._positive("acceleration_time", seconds)

    @property
    def backlash(self) -> float:
        """The last part of every motion is travelled upwards (> 0) or downwards (< 0) over this distance; 0 for none.

        In user direction; kept in dial.
        """
        return self._sign * self._play.size

    @backlash.setter
    def backlash(self, value: float | str) -> None:
        self._may_set("backlash")
        self._play = Backlash(self._sign * self._finite("the backlash", self.number(value)))
        self._set("backlash")

    @property
    def tolerance(self) -> float | None:
        """Largest distance between encoder and controller after a move; None to compare nothing."""
        return self._tolerance

    @tolerance.setter
    def tolerance(self, value: float | str | None) -> None:
        self._may_set("tolerance")
        if value is not None and self.encoder is None:
            raise InvalidInput(f"{self.name}: a tolerance needs an encoder, and it has none.")
        self._tolerance = None if value is None else self._positive("the tolerance", self.number(value))
        self._set("tolerance")

    @property
    def hooks(self) -> tuple[MotionHook, ...]:
        """Called around every motion, in this order."""
        return self._hooks

    @hooks.setter
    def hooks(self, hooks: Sequence[MotionHook]) -> None:
        for hook in hooks:
            if not isinstance(hook, MotionHook):
                raise InvalidInput(
                    f"{self.name}: {getattr(hook, 'name', hook)!r} is no hook.",
                    hint="A hook has a name, and the methods before and after.",
                )
        self._hooks = tuple(hooks)

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
    def limits(self, limits: tuple[float | str, float | str]) -> None:
        try:
            low, high = limits
        except (TypeError, ValueError):
            raise InvalidInput(
                f"{self.name}: {limits!r} are no limits.", hint="Give the low and the high one, for instance (-10, 10)."
            ) from None
        a, b = (self.to_dial(self.number(limit)) for limit in (low, high))
        self._set_dial_limits(min(a, b), max(a, b))
        self._set("limits")

    def set_position(self, user: float | str) -> None:
        """Call the present position ``user``: changes the offset, moves nothing, leaves the dial and its limits."""
        user = self._finite("a position", self.number(user))
        self._at_rest("its position cannot be set")
        self._offset = user - self._sign * self.driver.position()
        self._set("offset")

    def settings(self) -> dict[str, Any]:
        """What was set by hand and differs from the configuration's: JSON values, dial units, for :meth:`restore`."""
        values = self._values()
        kept = {key: values[key] for key in values if key in self._by_hand}
        return {"unit": self.unit, **kept} if kept else {}

    def restore(self, settings: Mapping[str, Any]) -> list[str]:
        """Set again what was set by hand in an earlier session.

        :param settings: of :meth:`settings`.
        :return: a sentence for each setting that could not be restored; the configured value stays.
        """
        if not settings:
            return []
        unit = settings.get("unit", self.unit)
        if unit != self.unit:
            return [f"{self.name}: its settings are in {unit or 'plain numbers'}, and its unit is now {self.unit}."]
        refused: list[str] = []
        listeners, self.changed = self.changed, []
        try:
            for key, value in settings.items():
                if key == "unit":
                    continue
                try:
                    self._restore(key, value)
                    self._by_hand.add(key)
                except (FirstlightError, TypeError, ValueError) as error:
                    refused.append(f"{self.name}: {key} = {value!r} was not restored: {error}")
        finally:
            self.changed = listeners
        return refused

    def reset(self) -> None:
        """Forget what was set by hand: back to the configuration."""
        self._at_rest("its settings cannot be changed")
        listeners, self.changed = self.changed, []
        try:
            for key in sorted(self._by_hand):
                self._restore(key, self._configured[key])
        finally:
            self.changed = listeners
        self._by_hand.clear()
        self._tell()

    def _at_rest(self, what: str) -> None:
        if self.driver.moving():
            raise DeviceError(self.name, f"{what} while it moves.", hint="Stop it first.")

    def _may_set(self, key: str) -> None:
        """Refuse a setting that an axis does not have; for those derived."""

    def _values(self) -> dict[str, Any]:
        low, high = self._limits
        return {
            "sign": self._sign,
            "offset": self._offset,
            "limits": [low if math.isfinite(low) else None, high if math.isfinite(high) else None],
            "velocity": self.driver.velocity,
            "acceleration": self.driver.acceleration,
            "backlash": self._play.size,
            "tolerance": self._tolerance,
        }

    def _restore(self, key: str, value: Any) -> None:
        """Set one value as :meth:`_values` gives it, without the conversions that hands need."""
        if key == "sign":
            self._sign = sign_of(self.name, value)
        elif key == "offset":
            self._offset = self._finite("the offset", value)
        elif key == "limits":
            low, high = value
            self._set_dial_limits(-math.inf if low is None else low, math.inf if high is None else high)
        elif key in ("velocity", "acceleration"):
            setattr(self, key, value)
        elif key == "backlash":
            self._play = Backlash(self._finite("the backlash", value))
        elif key == "tolerance":
            self.tolerance = value
        else:
            raise InvalidInput("there is no such setting.")

    def _set(self, *keys: str) -> None:
        self._by_hand.update(keys)
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self.changed):
            try:
                listener(self)
            except Exception:  # noqa: BLE001 - whoever listens must not make a setting fail
                _log.exception("a listener of %s failed", self.name)

    def _set_dial_limits(self, low: float, high: float) -> None:
        if not low <= high:
            raise InvalidInput(f"{self.name}: the low limit {low:g} is above the high limit {high:g}.")
        self._limits = (float(low), float(high))

    def number(self, value: float | str, per: str = "") -> float:
        """A number in the unit of the axis, from that or from a text with a unit.

        :param per: ``/s`` for a speed, ``/s**2`` for an acceleration.
        :raises InvalidInput: when it is none.
        """
        if not isinstance(value, str):
            try:
                return float(value)
            except (TypeError, ValueError):
                raise InvalidInput(f"{self.name}: {value!r} is not a number.") from None
        try:
            return convert(value, f"{self.unit or '1'}{per}" if per else self.unit)
        except InvalidInput as error:
            raise InvalidInput(f"{self.name}: {error.message}", hint=error.hint) from None

    def _finite(self, what: str, value: float) -> float:
        if not math.isfinite(value):
            raise InvalidInput(f"{self.name}: {what} is a finite number, not {value!r}.")
        return float(value)

    def _positive(self, what: str, value: float) -> float:
        if not (math.isfinite(value) and value > 0):
            raise InvalidInput(f"{self.name}: {what} must be above zero, not {value!r}.")
        return float(value)


def sign_of(axis: str, value: int, what: str = "sign of an axis") -> int:
    """A sign or direction, checked."""
    if isinstance(value, bool) or value not in (1, -1):
        raise InvalidInput(f"{axis}: the {what} is 1 or -1, not {value!r}.")
    return int(value)
