"""A simulated motor: trapezoidal motion, known in advance and published as segments."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np

from firstlight.devices.sim._faults import AXIS, Fault, Faults
from firstlight.devices.sim._published import MemoryBoard
from firstlight.devices.sim._switches import cut, endless
from firstlight.model import (
    AxisFlag,
    AxisState,
    Clock,
    DeviceError,
    InvalidInput,
    LimitError,
    OutOfBand,
    RealClock,
)
from firstlight.model.motion import DURATION, POSITION, START, Segments, end, halt, rest, state, trapezoid

LATENCY = 0.002
"""Seconds between an order and its effect: a state is published before it holds, so every process sees it in time."""

_WAYS = {1: "positive", -1: "negative"}


class SimAxis:
    """A motor in dial units that follows trapezoids exactly.

    What it publishes is where its mechanics are: what cameras see and encoders read. The dial is what its controller
    counts, ``mechanics - slip``: the two differ after lost steps, until the home switch is found again.

    :param velocity: cruise speed, unit/s.
    :param acceleration: unit/s².
    :param limits: of the controller, dial.
    :param position: dial position at the start.
    :param instant: moves take no time, unless they are given a velocity; for benchmarks and tests.
    :param latency: seconds from an order to its effect.
    :param home: where the home switch is, and the dial position that it stands for; None for no switch.
    :param switches: where the mechanics meet the negative and the positive limit switch.
    :param noise: root mean square of what :meth:`position` reads, dial units.
    :param seed: of the noise.
    :param board: where the motion is published.
    :ivar faults: what it does wrong on demand.
    """

    def __init__(
        self,
        name: str,
        *,
        unit: str = "deg",
        velocity: float = 20.0,
        acceleration: float = 40.0,
        limits: tuple[float, float] = (-math.inf, math.inf),
        position: float = 0.0,
        instant: bool = False,
        latency: float = LATENCY,
        home: float | None = None,
        switches: tuple[float, float] = (-math.inf, math.inf),
        noise: float = 0.0,
        seed: int = 0,
        clock: Clock | None = None,
        board: MemoryBoard | None = None,
        out_of_band: OutOfBand | None = None,
    ) -> None:
        if not (velocity > 0 and acceleration > 0):
            raise InvalidInput(f"{name}: velocity and acceleration must be above zero.")
        if not limits[0] <= position <= limits[1]:
            raise InvalidInput(f"{name}: it starts at {position:g}, outside its limits {limits[0]:g} to {limits[1]:g}.")
        if not switches[0] < switches[1]:
            raise InvalidInput(f"{name}: its negative limit switch is above its positive one.")
        self.name = name
        self.unit = unit
        self.velocity = velocity
        self.acceleration = acceleration
        self.limits = limits
        self.out_of_band = out_of_band
        self.slip = 0.0
        """Mechanics minus dial; what lost steps change."""
        self.fault = ""
        """What its controller complains about: it then refuses to move, and its state is FAULT."""
        self._home = home
        self._switches = switches
        self._noise = noise
        self._random = np.random.default_rng(seed)
        self._enabled = True
        self._instant = instant
        self._latency = latency
        self._clock: Clock = clock or RealClock()
        self._board = board if board is not None else MemoryBoard()
        self.faults = Faults(name, AXIS, self._clock, self._board)
        self._board.on_fault(name, self._look)
        self._target = position
        self._wait: asyncio.Future[None] | None = None
        self._moves = False
        self._rest_at = -math.inf
        self._board.post_motion(name, rest(position, self._clock.now()), unit)

    def position(self) -> float:
        """Dial position now."""
        if self.faults.active:
            self.faults.check()
        now = self._clock.now()
        here = self._target if now >= self._rest_at else self.mechanical() - self.slip
        return here + self._random.normal(0.0, self._noise) if self._noise else here

    def mechanical(self) -> float:
        """Where the mechanics are now: the truth."""
        now = self._clock.now()
        if now >= self._rest_at:
            return self._target + self.slip
        return state(self._board.motion(self.name, now), now)[0]

    def moving(self) -> bool:
        """Whether it moves now, or is about to."""
        return self._clock.now() < self._rest_at

    def state(self) -> AxisState:
        """Power, fault and switches now."""
        here, flags = self.mechanical(), set()
        text = self.fault
        if self.fault:
            flags.add(AxisFlag.FAULT)
        if not self._enabled:
            flags.add(AxisFlag.DISABLED)
        if self._home is not None and math.isclose(here, self._home, rel_tol=1e-9, abs_tol=1e-9):
            flags.add(AxisFlag.HOME)
        for way, flag in ((-1, AxisFlag.LIMNEG), (1, AxisFlag.LIMPOS)):
            if self._on_switch(here, way):
                flags.add(flag)
                text = text or f"on its {_WAYS[way]} limit switch"
        return AxisState(frozenset(flags), text)

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Go to ``target`` and return at rest.

        :raises LimitError: outside the controller's limits.
        :raises DeviceError: while another move is under way, when :meth:`stop` or a limit switch ended this one, or
            when it is off or in fault.
        """
        low, high = self.limits
        if not low <= target <= high:
            raise LimitError(self.name, f"its controller refuses {target:g} {self.unit}: {low:g} to {high:g} allowed.")
        now = self._may_move()
        if self.faults.active:
            await self._move_badly(target, velocity or self.velocity)
            return
        if self._instant and velocity is None:
            self._target = target
            self._board.post_motion(self.name, rest(target + self.slip, now), self.unit)
            return
        way, stopped = await self._ride(self._trapezoid(target + self.slip, velocity or self.velocity), target)
        if stopped:
            raise DeviceError(
                self.name, f"was stopped at {self._target:g} {self.unit} on its way to {target:g} {self.unit}."
            )
        self._refuse_switch(way, f"on its way to {target:g} {self.unit}")

    async def jog(self, velocity: float) -> None:
        """Run at a signed speed until :meth:`stop`, the controller's limit or a limit switch."""
        now = self._may_move()
        limit = self.limits[1] if velocity > 0 else self.limits[0]
        if math.isfinite(limit):
            rows = self._trapezoid(limit + self.slip, abs(velocity))
        else:
            rows = endless(self.mechanical(), velocity, self.acceleration, now + self._latency)
        way, stopped = await self._ride(rows)
        if not stopped:
            self._refuse_switch(way, "while it jogged")
            raise DeviceError(self.name, f"reached its limit at {self._target:g} {self.unit}.")

    async def home(self, direction: int) -> None:
        """Search the home switch, and turn round once at a limit switch.

        :raises DeviceError: when there is none where it looks.
        """
        self._may_move()
        if self._home is None:
            raise DeviceError(self.name, "has no home switch.", hint="Set its home in the configuration.")
        if (self._home - self.mechanical()) * direction < 0:
            await self._onto_switch(direction, "cannot find its home switch there")
        way, stopped = await self._ride(self._trapezoid(self._home, self.velocity), self._home - self.slip)
        if stopped:
            raise DeviceError(self.name, f"was stopped at {self._target:g} {self.unit} on its way home.")
        self._refuse_switch(way, "on its way home")
        self.slip = 0.0
        self._target = self._home

    async def search_limit(self, direction: int) -> None:
        """Run onto a limit switch.

        :raises DeviceError: when there is none in that direction.
        """
        self._may_move()
        await self._onto_switch(direction, "cannot search its limit switch")

    async def stop(self) -> None:
        """Decelerate and return at rest; a move under way ends with an error, a jog without."""
        self.faults.check()
        self._halt()
        if self._wait is not None:
            self._wait.cancel()
        await self._clock.sleep_until(self._rest_at)

    async def enable(self) -> None:
        """Power on."""
        self._enabled = True

    async def disable(self) -> None:
        """Power off: it refuses to move."""
        self._enabled = False

    async def set_dial(self, position: float) -> None:
        """Call the present position ``position``; the mechanics stay."""
        self.slip += self._target - position
        self._target = position

    def segments(self, since: float) -> Segments:
        """Motion from ``since`` on, dial."""
        rows = self._board.motion(self.name, since)
        if self.slip:
            rows[:, POSITION] -= self.slip
        return rows

    def truth(self) -> dict[str, Any]:
        """What its controller does not know."""
        found: dict[str, Any] = {"slip": self.slip, "slip@units": self.unit} if self.slip else {}
        return found | ({"faults": self.faults.truth()} if self.faults.active else {})

    # -- inside

    async def _move_badly(self, target: float, velocity: float) -> None:
        """A move while something is set to go wrong."""
        await self.faults.answer()
        start, way = self._target, math.copysign(1.0, target - self._target)
        if self.faults.happens(Fault.STUCK) is not None:
            await self._clock.sleep_until(end(self._trapezoid(target + self.slip, velocity)))
            raise DeviceError(
                self.name,
                f"did not move: its controller reports a following error at {start:g} {self.unit}.",
                hint="See whether something blocks it.",
            )
        share = self.faults.happens(Fault.MIDWAY)
        goal = target if share is None else start + share * (target - start)
        lost = (self.faults.happens(Fault.SLIPS) or 0.0) * way if target != start else 0.0
        switch, stopped = await self._ride(self._trapezoid(goal + self.slip - lost, velocity), goal)
        if stopped:
            raise DeviceError(self.name, f"was stopped at {self._target:g} {self.unit}.")
        self._refuse_switch(switch, f"on its way to {target:g} {self.unit}")
        self.slip -= lost
        if share is not None:
            raise DeviceError(
                self.name, f"stopped by itself at {goal:g} {self.unit} on its way to {target:g} {self.unit}."
            )

    def _may_move(self) -> float:
        """The present moment, when it may set off."""
        self.faults.check()
        now = self._clock.now()
        if self._moves or now < self._rest_at:
            raise DeviceError(self.name, f"is already moving to {self._target:g} {self.unit}.", hint="Stop it first.")
        if self.fault:
            raise DeviceError(self.name, f"its controller reports a fault: {self.fault.rstrip('.')}.")
        if not self._enabled:
            raise DeviceError(self.name, "its power is off.", hint="Enable it first.")
        return now

    def _trapezoid(self, target: float, velocity: float) -> Segments:
        moment = self._clock.now() + self._latency
        return trapezoid(self._target + self.slip, target, velocity, self.acceleration, moment)

    async def _ride(self, rows: Segments, target: float | None = None) -> tuple[int, bool]:
        """Follow a motion of the mechanics; the limit switch that ended it (1, -1 or 0), and whether stop() did.

        :param target: dial position where it ends unless something ends it, free of the roundoff of its segments.
        """
        way = 0
        if self._switches != (-math.inf, math.inf):
            rows, way = cut(rows, self._switches, self.acceleration)
        self._moves = True
        try:
            self._post(rows, None if way else target)
            stopped = await self._until_rest()
        finally:
            self._moves = False
        # A stop before the switch is a stop.
        return (way if self._on_switch(self.mechanical(), way) else 0), stopped

    async def _onto_switch(self, direction: int, otherwise: str) -> None:
        switch = self._switches[1] if direction > 0 else self._switches[0]
        if not math.isfinite(switch):
            raise DeviceError(self.name, f"{otherwise}: it has no {_WAYS[direction]} limit switch.")
        if self._on_switch(self.mechanical(), direction):
            return
        beyond = switch + direction * self.velocity**2 / self.acceleration
        _, stopped = await self._ride(self._trapezoid(beyond, self.velocity))
        if stopped:
            raise DeviceError(
                self.name,
                f"was stopped at {self._target:g} {self.unit} on its way to its {_WAYS[direction]} limit switch.",
            )

    def _on_switch(self, here: float, way: int) -> bool:
        return bool(way) and (here >= self._switches[1] if way > 0 else here <= self._switches[0])

    def _refuse_switch(self, way: int, doing: str) -> None:
        if way:
            raise DeviceError(
                self.name,
                f"hit its {_WAYS[way]} limit switch at {self._target:g} {self.unit} {doing}.",
                hint="Move it the other way; look for lost steps if it should not have been there.",
            )

    async def _until_rest(self) -> bool:
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        self._wait = asyncio.ensure_future(self._clock.sleep_until(self._rest_at))
        try:
            await self._wait
        except asyncio.CancelledError:
            if task is None or task.cancelling() == cancelled_before:
                self.faults.check()
                # Our own sleep was cancelled by stop(), nobody cancelled the move.
                await self._clock.sleep_until(self._rest_at)
                return True
            self._halt()
            await self._clock.sleep_until(self._rest_at)
            raise
        finally:
            self._wait = None
        self.faults.check()
        return False

    def _look(self) -> None:
        """Somebody set a fault, in any thread: a move under way notices at once when the connection is lost."""
        wait = self._wait
        if wait is not None and self.faults.since(Fault.DISCONNECTED) is not None:
            wait.get_loop().call_soon_threadsafe(wait.cancel)

    def _halt(self) -> None:
        moment = self._clock.now() + self._latency
        if moment >= self._rest_at:
            return
        rows = self._board.motion(self.name, moment)
        stopped = halt(rows, moment, self.acceleration)
        if stopped[-1, START] + stopped[-1, DURATION] >= self._rest_at:
            return  # it is about to stop by itself
        self._post(stopped)

    def _post(self, rows: Segments, target: float | None = None) -> None:
        self._board.post_motion(self.name, rows, self.unit)
        self._target = state(rows, math.inf)[0] - self.slip if target is None else target
        self._rest_at = end(rows)
