"""One calculated axis, and the driver that moves the real axes behind it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from firstlight.devices._axis import Axis
from firstlight.devices._hooks import around
from firstlight.devices._travel import slowed
from firstlight.model import AxisFlag, AxisState, DeviceError, InvalidInput, LimitError, OutOfBand
from firstlight.model.motion import Segments

if TYPE_CHECKING:
    from firstlight.devices.calc._calculation import Calculation


class CalculatedDriver:
    """Moves the real axes so that the calculated one goes where it should.

    :param role: of the calculated axis.
    """

    def __init__(self, calculation: Calculation, role: str, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.limits = (-math.inf, math.inf)
        self.out_of_band: OutOfBand | None = None
        self._calculation = calculation
        self._role = role

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the real axes."""
        return tuple(self._calculation.reals)

    @property
    def velocity(self) -> float:
        """As fast as the real axes let it go, where it is now; unit/s."""
        return min(self._ratios("velocity"), default=math.inf)

    @velocity.setter
    def velocity(self, value: float) -> None:
        raise self._follows("velocity")

    @property
    def acceleration(self) -> float:
        """As the real axes let it, where it is now; unit/s²."""
        return min(self._ratios("acceleration"), default=math.inf)

    @acceleration.setter
    def acceleration(self, value: float) -> None:
        raise self._follows("acceleration")

    def position(self) -> float:
        """Position now."""
        return self._calculation.positions()[self._role]

    def moving(self) -> bool:
        """Whether any real axis moves."""
        return any(axis.moving for axis in self._reals())

    def state(self) -> AxisState:
        """FAULT and DISABLED when a real axis is."""
        flags: set[AxisFlag] = set()
        words = []
        for axis in self._reals():
            state = axis.state
            wrong = state.flags & {AxisFlag.FAULT, AxisFlag.DISABLED}
            if wrong:
                flags |= wrong
                words.append(f"{axis.name}: {state}")
        return AxisState(frozenset(flags), ", ".join(words))

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Move the real axes, which arrive together; with a velocity all of them at constant speed at the same time."""
        await self.go(target, velocity, None)

    async def go(self, target: float, velocity: float | None, side: int | None) -> None:
        """The same for real axes with backlash.

        :param side: 1 or -1 to come from below or above, in directions of the calculated axis; 0 to go straight.
        """
        if self._calculation.tolerances:
            await self._follow(target, velocity, side)
            return
        targets = self._calculation.at(self._role, target)
        axes = {axis.name: axis for axis in self._reals()}
        sides = self._calculation.sides(self._role, side)
        if velocity is None:
            motions = _arriving(axes, targets, sides)
            await _together(axes[n].move(t, v, side=sides.get(n)) for n, t, v in motions)
            return
        reals = self._calculation.real_axes
        slopes = {reals[role].name: abs(slope) for role, slope in self._calculation.slopes(self._role).items()}
        moving = [name for name in targets if slopes.get(name)]
        acceleration = self.acceleration
        with ExitStack() as stack:
            # Ramps of one length: only then do they stay in proportion.
            for name in moving:
                stack.enter_context(_accelerated(axes[name], slopes[name] * acceleration))
            await _together(axes[n].move(targets[n], slopes[n] * velocity, side=sides.get(n)) for n in moving)

    async def stop(self) -> None:
        """Stop all real axes, also when one of them fails."""
        results = await asyncio.gather(*(axis.stop() for axis in self._reals()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _follow(self, target: float, velocity: float | None, side: int | None) -> None:
        """Go by legs on which the real axes stay in proportion."""
        axes = {axis.name: axis for axis in self._reals()}
        sides = self._calculation.sides(self._role, side)
        legs = self._calculation.legs(self._role, target)
        for leg in legs:
            speed = leg.speed(velocity)
            with ExitStack() as stack:
                for name, distance in leg.distances.items():
                    stack.enter_context(_accelerated(axes[name], distance * leg.acceleration))
                # Backlash is for the end: taken up at every stop, it would leave the relation every time.
                await _together(
                    axes[name].move(
                        goal,
                        min(leg.distances[name] * speed, axes[name].velocity) if math.isfinite(speed) else None,
                        side=sides.get(name) if leg is legs[-1] else 0,
                    )
                    for name, goal in leg.targets.items()
                )

    def segments(self, since: float) -> Segments:
        """Motion from ``since`` on."""
        return self._calculation.segments(self._role, since)

    def _reals(self) -> list[Axis]:
        return list(self._calculation.real_axes.values())

    def _ratios(self, what: str) -> list[float]:
        reals = self._calculation.real_axes
        try:
            slopes = self._calculation.slopes(self._role)
        except LimitError:  # where it is now, it stands for nothing
            return []
        return [getattr(reals[role], what) / abs(slope) for role, slope in slopes.items() if slope]

    def _follows(self, what: str) -> DeviceError:
        return DeviceError(
            self.name,
            f"has no {what} of its own: it follows from {', '.join(self.parts)}.",
            hint="Set theirs.",
        )


class CalculatedAxis(Axis):
    """An axis whose position is calculated from real ones, which move for it.

    Its limits are what those of the real axes leave, and its own on top; offset, sign, backlash and speed are theirs.
    """

    calculation: Calculation

    def __init__(self, calculation: Calculation, role: str, name: str, unit: str) -> None:
        self.calculation = calculation
        self.role = role
        self._mover = CalculatedDriver(calculation, role, name, unit)
        super().__init__(self._mover)

    @property
    def setpoint(self) -> float:
        """Where it is if all real axes are where they were sent."""
        return self.calculation.setpoints()[self.role]

    @property
    def fixed_limits(self) -> tuple[float, float]:
        """Its own limits, wherever the real axes are."""
        return self._limits

    @property
    def limits(self) -> tuple[float, float]:
        """(low, high): its own, and what the real axes leave from where they are; assign to change its own."""
        (low, high), (a, b) = self._limits, self.calculation.reach(self.role)
        return max(low, a), min(high, b)

    @limits.setter
    def limits(self, limits: tuple[float | str, float | str]) -> None:
        a, b = (self.number(limit) for limit in limits)
        self._set_dial_limits(min(a, b), max(a, b))
        self._set("limits")

    def configure_limits(self, low: float | str, high: float | str) -> None:
        """Its own limits by the configuration, to which :meth:`reset` goes back."""
        self._set_dial_limits(self.number(low), self.number(high))
        self._configured = self._values()

    def check(self, target: float, side: int | None = None) -> None:
        """Refuse a position for which any real axis would have to leave its limits."""
        self.check_own(target)
        reals = {axis.name: axis for axis in self.calculation.real_axes.values()}
        sides = self.calculation.sides(self.role, side)
        for name, value in self.calculation.at(self.role, target).items():
            reals[name].check(value, sides.get(name))
        if self.calculation.tolerances:
            for name, values in self.calculation.targets(
                {self.name: self.calculation.stops(self.name, target)}
            ).items():
                for value in values.tolist():
                    reals[name].check(value, 0)

    def travel_time(self, target: float, velocity: float | None = None, side: int | None = None) -> float:
        """Seconds until the last real axis has arrived."""
        if self.calculation.tolerances:
            back = [2.0 * a.travel_time(a.setpoint + a.backlash, None, 0) for a in self.calculation.real_axes.values()]
            return sum(leg.seconds(velocity) for leg in self.calculation.legs(self.role, target)) + max(back)
        if velocity is not None:
            return super().travel_time(target, velocity, side)
        reals = {axis.name: axis for axis in self.calculation.real_axes.values()}
        sides = self.calculation.sides(self.role, side)
        found = self.calculation.at(self.role, target)
        return max((reals[n].travel_time(value, None, sides.get(n)) for n, value in found.items()), default=0.0)

    async def move(self, target: float, velocity: float | None = None, *, side: int | None = None) -> None:
        """Move the real axes, which arrive together, and return when all are at rest; cancellation stops them."""
        self.check(target, side)
        if velocity is not None:
            velocity = self._positive("velocity", velocity)
        async with around(self._hooks, self.name, target):
            await self._mover.go(float(target), velocity, side)

    def set_position(self, user: float | str) -> None:
        """Call the present position ``user``: sets the positions of the real axes accordingly; nothing moves."""
        value = self._finite("a position", self.number(user))
        self._at_rest("its position cannot be set")
        targets = self.calculation.at(self.role, value)
        for role in self.calculation.defining():
            real = self.calculation.real_axes[role]
            if real.name in targets:
                real.set_position(targets[real.name])

    def details(self) -> list[tuple[str, Callable[[], str]]]:
        """What it is calculated from."""

        def row(axis: Axis) -> tuple[str, Callable[[], str]]:
            return f"from {axis.name}", lambda: f"{axis.position:.6g} {axis.unit}"

        values, reals = self.calculation.values(), self.calculation.real_axes
        return [
            *(row(axis) for axis in self.calculation.real_axes.values()),
            *((key, lambda key=key: str(values[key])) for key in values),
            *(
                (f"{reals[role].name} follows within", lambda role=role, t=t: f"{t:g} {reals[role].unit}")
                for role, t in self.calculation.tolerances.items()
            ),
        ]

    def tell(self, key: str) -> None:
        """A setting of the calculation was changed by hand."""
        self._set(key)

    def _start(self) -> float:
        return self.setpoint

    def _may_set(self, key: str) -> None:
        if key != "limits":
            raise DeviceError(
                self.name,
                f"has no {key} of its own: it follows from {', '.join(self.calculation.reals)}.",
                hint="Set theirs.",
            )

    def _values(self) -> dict[str, Any]:
        low, high = self._limits
        limits = [low if math.isfinite(low) else None, high if math.isfinite(high) else None]
        return {"limits": limits, **self.calculation.values()}

    def _restore(self, key: str, value: Any) -> None:
        if key == "limits":
            super()._restore(key, value)
        elif key in self.calculation.values():
            self.calculation.restore(key, value)
        else:
            raise InvalidInput("there is no such setting.")


def _arriving(
    axes: dict[str, Axis], targets: dict[str, float], sides: dict[str, int]
) -> list[tuple[str, float, float | None]]:
    """(name, target, speed) of each motion, all but the slowest slowed down."""
    times = {name: axes[name].travel_time(target, None, sides.get(name)) for name, target in targets.items()}
    longest = max(times.values(), default=0.0)
    found: list[tuple[str, float, float | None]] = []
    for name, target in targets.items():
        axis, speed = axes[name], None
        if 0.0 < times[name] < longest:
            speed = min(slowed(axis.route(target, sides.get(name)), longest, axis.acceleration), axis.velocity)
        found.append((name, target, speed))
    return found


@contextmanager
def _accelerated(axis: Axis, acceleration: float) -> Iterator[None]:
    """Give the driver of an axis another acceleration for one motion; its setting stays."""
    before = axis.driver.acceleration
    if not math.isfinite(acceleration) or math.isclose(acceleration, before, rel_tol=1e-9):
        yield
        return
    axis.driver.acceleration = acceleration
    try:
        yield
    finally:
        axis.driver.acceleration = before


async def _together(motions: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry out motions at once; when one fails or this is cancelled, the others are stopped and waited for."""
    tasks = [asyncio.ensure_future(motion) for motion in motions]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
    errors = [task.exception() for task in tasks if not task.cancelled()]  # all of them retrieved
    for error in errors:
        if error is not None:
            raise error
