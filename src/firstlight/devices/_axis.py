"""What every axis has in common: user units, limits, backlash, hooks, settings, around a driver that knows its dial."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._calculated import Calculated
from firstlight.devices._calls import call, call_stoppable
from firstlight.devices._description import describe
from firstlight.devices._hooks import around
from firstlight.devices._settings import AxisSettings, sign_of
from firstlight.devices._travel import travel_time
from firstlight.model import (
    AxisDriver,
    AxisFlag,
    AxisState,
    DeviceError,
    Enables,
    Encoder,
    FirstlightError,
    Homes,
    InvalidInput,
    Jogs,
    LimitError,
    MotionHook,
    ReportsState,
    SearchesLimits,
    SetsDial,
)
from firstlight.model.motion import ACCELERATION, POSITION, VELOCITY, Segments

_log = logging.getLogger(__name__)


class Axis(AxisSettings):
    """A motor as the user sees it: user = sign × dial + offset.

    Limits and backlash are kept in dial, so that setting a position or a sign cannot change what the mechanics do, and
    the limits of the controller hold as well.

    :param driver: the motor, in dial units.
    :param sign: 1 or -1.
    :param offset: user position at dial zero.
    :param limits: (low, high) in dial; None for the controller's alone.
    :param backlash: dial units: the last part of every motion is travelled in the direction of its sign.
    :param maximum_velocity: speed that nobody can exceed, unit/s; None for no limit but the set velocity.
    :param encoder: measures the position beside the controller; in dial units.
    :param tolerance: largest distance between encoder and controller after a move; None to compare nothing.
    :param hooks: called around every motion, in this order.
    """

    calculation: Calculated | None = None
    """What it is calculated from, for a calculated axis."""

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
        super().__init__(
            driver,
            sign=sign,
            offset=offset,
            limits=limits,
            backlash=backlash,
            maximum_velocity=maximum_velocity,
            encoder=encoder,
            tolerance=tolerance,
            hooks=hooks,
        )
        self._setpoint: float | None = None
        self._stops = 0

    def __repr__(self) -> str:
        low, high = self.limits
        return f"<Axis {self.name} at {self.position:g} {self.unit}, limits {low:g} to {high:g}>"

    def __info__(self) -> str:
        """All that is set and read, a line each."""
        return describe(self)

    def details(self) -> list[tuple[str, Callable[[], str]]]:
        """Further rows of the description, name and what gives the text; for those derived."""
        return []

    # -- where it is

    @property
    def position(self) -> float:
        """User position now."""
        return self.to_user(self.driver.position())

    @property
    def dial(self) -> float:
        """Dial position now."""
        return self.driver.position()

    @property
    def setpoint(self) -> float:
        """User position it was last sent to; where it is when it did not get there, or was moved otherwise."""
        return self.position if self._setpoint is None else self.to_user(self._setpoint)

    @property
    def measured(self) -> float:
        """User position by the encoder.

        :raises DeviceError: when it has none.
        """
        if self.encoder is None:
            raise DeviceError(self.name, "has no encoder.")
        return self.to_user(self.encoder.position())

    @property
    def moving(self) -> bool:
        """Whether it moves now."""
        return self.driver.moving()

    @property
    def state(self) -> AxisState:
        """Flags and words now, limits in user direction; never fails: what does not answer is in FAULT."""
        try:
            told = self.driver.state() if isinstance(self.driver, ReportsState) else AxisState(frozenset())
            flags = set(told.flags) - {AxisFlag.READY, AxisFlag.MOVING}
            if self.driver.moving():
                flags.add(AxisFlag.MOVING)
            elif not flags & {AxisFlag.FAULT, AxisFlag.DISABLED}:
                flags.add(AxisFlag.READY)
        except Exception as error:  # noqa: BLE001 - whatever a driver raises
            text = error.message if isinstance(error, FirstlightError) else f"{type(error).__name__}: {error}"
            return AxisState(frozenset({AxisFlag.FAULT}), text.rstrip("."))
        state = AxisState(frozenset(flags), told.text)
        return state if self._sign > 0 else state.mirrored()

    def segments(self, since: float) -> Segments:
        """What is known of the user position(t) from ``since`` on, rows of ``model.motion``."""
        rows = np.array(self.driver.segments(since), dtype=np.float64)
        rows[:, POSITION] = self.to_user(rows[:, POSITION])
        rows[:, VELOCITY] *= self._sign
        rows[:, ACCELERATION] *= self._sign
        return rows

    # -- how it moves

    @property
    def fixed_limits(self) -> tuple[float, float]:
        """(low, high) in user units, wherever other axes are: :attr:`limits` for all but calculated axes."""
        return self.limits

    def check(self, target: float, side: int | None = None) -> None:
        """Refuse a user position that the axis may not go to; nothing moves.

        :param side: as in :meth:`move`.
        :raises LimitError: when it is outside the limits, or no number.
        """
        self.check_own(target)
        if self._play.size and not self._inside(first := self._legs(self.to_dial(float(target)), side)[0]):
            low, high = self.limits
            raise LimitError(
                self.name,
                f"cannot go to {target:g} {self.unit}: its backlash would take it to {self.to_user(first):g} "
                f"{self.unit} first, and its limits are {low:g} to {high:g} {self.unit}.",
            )

    def check_own(self, target: float) -> None:
        """The part of :meth:`check` that does not depend on where it or another axis is."""
        if not math.isfinite(target):
            raise LimitError(self.name, f"cannot go to {target}: a position is a finite number.")
        if not self._inside(self.to_dial(float(target))):
            low, high = self.fixed_limits
            raise LimitError(
                self.name, f"cannot go to {target:g} {self.unit}: its limits are {low:g} to {high:g} {self.unit}."
            )

    def overshoots(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where backlash takes it before each of these positions, visited in turn; NaN where it goes there straight.

        :param targets: user positions, shape ``(points,)``.
        """
        if not self._play.size:
            return np.full(np.shape(targets), np.nan)
        return self.to_user(self._play.overshoots(self._start(), self.to_dial(np.asarray(targets, dtype=np.float64))))

    def route(self, target: float, side: int | None = None) -> tuple[float, ...]:
        """Distances of the stretches, each from rest to rest, that a move to a user position is made of."""
        stops = (self._start(), *self._legs(self.to_dial(float(target)), side))
        return tuple(abs(b - a) for a, b in itertools.pairwise(stops))

    def travel_time(self, target: float, velocity: float | None = None, side: int | None = None) -> float:
        """Seconds to a user position from where it is, at its own acceleration."""
        speed, acceleration = velocity or self.velocity, self.acceleration
        return sum(travel_time(distance, speed, acceleration) for distance in self.route(target, side))

    async def move(self, target: float, velocity: float | None = None, *, side: int | None = None) -> None:
        """Go to a user position and return at rest; cancellation stops the axis before it propagates.

        :param velocity: cruise speed of this move (unit/s); None for :attr:`velocity`.
        :param side: for an axis with backlash: 1 or -1 to come from below or above, 0 to go straight; None for
            the side of its backlash.
        :raises LimitError: before anything moves.
        :raises DeviceError: also when the encoder disagrees afterwards.
        """
        self.check(target, side)
        driver = self.driver
        low, high = driver.limits
        dial = min(max(self.to_dial(float(target)), low), high)
        if velocity is not None:
            velocity = self._positive("velocity", velocity)
        if not (self._play.size or self._hooks or self._tolerance):
            self._setpoint = None
            await call_stoppable(driver, driver.move, dial, velocity, stop=self._halt)
            self._setpoint = dial
            return
        async with around(self._hooks, self.name, target):
            for leg in self._legs(dial, side):
                await self._go(driver.move, min(max(leg, low), high), velocity)
                self._setpoint = leg
            self.check_encoder()

    async def jog(self, velocity: float) -> None:
        """Run until :meth:`stop`, or until it is at its limit; cancellation stops it.

        :param velocity: signed, user direction, unit/s.
        :raises LimitError: when it is at the limit already, or faster than :attr:`maximum_velocity`.
        :raises DeviceError: when its driver cannot.
        """
        driver: Jogs = self._able(Jogs, "cannot run without a target")
        limit = self.jog_limit(velocity)
        dial = self.to_dial(limit)
        stops = self._stops
        async with around(self._hooks, self.name, limit):
            try:
                if math.isfinite(limit):
                    # A motion to the limit cannot overshoot it, whatever happens to this process.
                    await self._go(self.driver.move, dial, abs(velocity))
                else:
                    await self._go(driver.jog, self._sign * velocity)
            except DeviceError:
                if self._stops == stops:
                    raise

    def jog_limit(self, velocity: float) -> float:
        """User position at which a jog ends by itself, ±infinity when nowhere.

        :raises LimitError: when it may not jog like that.
        """
        if not math.isfinite(velocity) or velocity == 0.0:
            raise InvalidInput(f"{self.name}: the speed of a jog is a number above or below zero, not {velocity!r}.")
        if abs(velocity) > self.maximum_velocity * (1 + 1e-9):
            raise LimitError(
                self.name,
                f"cannot move at {abs(velocity):g} {self.unit}/s: its speed limit is {self.maximum_velocity:g} "
                f"{self.unit}/s.",
            )
        low, high = self.limits
        limit, here = (high if velocity > 0 else low), self.position
        if (here - limit) * velocity >= 0:
            which = "high" if velocity > 0 else "low"
            raise LimitError(self.name, f"is at its {which} limit of {limit:g} {self.unit} already.")
        return limit

    async def home(self, direction: int = 1) -> None:
        """Search the home switch and return at rest, with the dial set by it; cancellation stops it.

        :param direction: where to search first: 1 or -1, user direction.
        """
        driver: Homes = self._able(Homes, "cannot search a home switch")
        way = sign_of(self.name, direction, "direction")
        async with around(self._hooks, self.name, way * math.inf):
            await self._go(driver.home, way * self._sign)
        self._play.unknown()

    async def search_limit(self, direction: int) -> None:
        """Move onto a limit switch, beyond the limits that are set if need be, and return at rest on it.

        :param direction: 1 or -1, user direction.
        """
        driver: SearchesLimits = self._able(SearchesLimits, "cannot search its limit switches")
        way = sign_of(self.name, direction, "direction")
        async with around(self._hooks, self.name, way * math.inf):
            await self._go(driver.search_limit, way * self._sign)

    async def stop(self) -> None:
        """Decelerate and return at rest."""
        self._stops += 1
        await call(self.driver, self.driver.stop)

    async def enable(self) -> None:
        """Switch its power on."""
        driver: Enables = self._able(Enables, "has no power to switch")
        await call(driver, driver.enable)

    async def disable(self) -> None:
        """Switch its power off; it must be at rest."""
        driver: Enables = self._able(Enables, "has no power to switch")
        self._at_rest("its power cannot be switched off")
        await call(driver, driver.disable)

    async def set_dial(self, position: float) -> None:
        """Tell the controller that the present position is ``position`` (dial); the user position follows."""
        driver: SetsDial = self._able(SetsDial, "has a controller that cannot be told its position")
        self._at_rest("its dial cannot be set")
        await call(driver, driver.set_dial, self._finite("a position", position))
        self._setpoint = None
        self._play.unknown()

    async def sync(self) -> None:
        """Take over where it really is: forget where it was sent, and set the controller to its encoder if it has one.

        For an axis that lost steps, or was moved by something else.
        """
        self._at_rest("it cannot be synchronised")
        self._setpoint = None
        self._play.unknown()
        if self.encoder is not None:
            await self.set_dial(self.encoder.position())

    def check_encoder(self) -> None:
        """Compare the encoder with the controller, if a tolerance is set.

        :raises DeviceError: when they differ by more than that.
        """
        if self.encoder is None or self._tolerance is None:
            return
        counted, measured = self.driver.position(), self.encoder.position()
        if not abs(measured - counted) <= self._tolerance:
            raise DeviceError(
                self.name,
                f"is at {self.to_user(measured):.6g} {self.unit} by its encoder {self.encoder.name}, and at "
                f"{self.to_user(counted):.6g} {self.unit} by its controller: {abs(measured - counted):.3g} apart, more "
                f"than {self._tolerance:g}.",
                hint="It may have lost steps or be blocked: look at it, then sync() takes the encoder's position over.",
            )

    # -- inside

    async def _go(self, method: Callable[..., Any], *arguments: Any) -> None:
        """One stretch of motion, with note of the play that it leaves."""
        before = self._start()
        self._setpoint = None
        try:
            await call_stoppable(self.driver, method, *arguments, stop=self._halt)
        finally:
            try:
                self._play.moved(before, self.driver.position())
            except Exception as error:  # noqa: BLE001 - what ended the motion matters more
                _log.warning("%s does not tell where it came to rest: %s", self.name, error)
                self._play.unknown()

    async def _halt(self) -> None:
        await call(self.driver, self.driver.stop)

    def _start(self) -> float:
        """Dial position from which the next motion sets off; readings may be noisy."""
        return self.driver.position() if self._setpoint is None else self._setpoint

    def _legs(self, dial: float, side: int | None) -> tuple[float, ...]:
        return self._play.legs(self._start(), dial, side and side * self._sign)

    def _inside(self, dial: float) -> bool:
        low, high = self.dial_limits
        # Roundoff of the conversion to dial must not refuse the limit itself.
        slack = 1e-9 * max(1.0, abs(dial))
        return low - slack <= dial <= high + slack

    def _able(self, protocol: Any, otherwise: str) -> Any:
        if not isinstance(self.driver, protocol):
            raise DeviceError(self.name, f"{otherwise}.", hint=f"Its driver ({type(self.driver).__name__}) cannot.")
        return self.driver
