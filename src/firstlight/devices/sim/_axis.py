"""A simulated motor: trapezoidal motion, known in advance and published as segments."""

from __future__ import annotations

import asyncio
import math

from firstlight.devices.sim._published import MemoryBoard
from firstlight.model import Clock, DeviceError, InvalidInput, LimitError, OutOfBand, RealClock
from firstlight.model.motion import DURATION, START, Segments, end, halt, rest, state, trapezoid

LATENCY = 0.002
"""Seconds between an order and its effect: a state is published before it holds, so every process sees it in time."""


class SimAxis:
    """A motor in dial units that follows trapezoids exactly.

    :param velocity: cruise speed, unit/s.
    :param acceleration: unit/s².
    :param limits: of the controller, dial.
    :param position: dial position at the start.
    :param instant: moves take no time, unless they are given a velocity; for benchmarks and tests.
    :param latency: seconds from an order to its effect.
    :param board: where the motion is published.
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
        clock: Clock | None = None,
        board: MemoryBoard | None = None,
        out_of_band: OutOfBand | None = None,
    ) -> None:
        if not (velocity > 0 and acceleration > 0):
            raise InvalidInput(f"{name}: velocity and acceleration must be above zero.")
        if not limits[0] <= position <= limits[1]:
            raise InvalidInput(f"{name}: it starts at {position:g}, outside its limits {limits[0]:g} to {limits[1]:g}.")
        self.name = name
        self.unit = unit
        self.velocity = velocity
        self.acceleration = acceleration
        self.limits = limits
        self.out_of_band = out_of_band
        self._instant = instant
        self._latency = latency
        self._clock: Clock = clock or RealClock()
        self._board = board if board is not None else MemoryBoard()
        self._target = position
        self._wait: asyncio.Future[None] | None = None
        self._moves = False
        self._rest_at = -math.inf
        self._board.post_motion(name, rest(position, self._clock.now()), unit)

    def position(self) -> float:
        """Dial position now."""
        now = self._clock.now()
        if now >= self._rest_at:
            return self._target
        return state(self._board.motion(self.name, now), now)[0]

    def moving(self) -> bool:
        """Whether it moves now, or is about to."""
        return self._clock.now() < self._rest_at

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Go to ``target`` and return at rest.

        :raises LimitError: outside the controller's limits.
        :raises DeviceError: while another move is under way, or when :meth:`stop` ended this one.
        """
        low, high = self.limits
        if not low <= target <= high:
            raise LimitError(self.name, f"its controller refuses {target:g} {self.unit}: {low:g} to {high:g} allowed.")
        now = self._clock.now()
        if self._moves or now < self._rest_at:
            raise DeviceError(self.name, f"is already moving to {self._target:g} {self.unit}.", hint="Stop it first.")
        if self._instant and velocity is None:
            self._target = target
            self._board.post_motion(self.name, rest(target, now), self.unit)
            return
        rows = trapezoid(self._target, target, velocity or self.velocity, self.acceleration, now + self._latency)
        self._moves = True
        try:
            self._post(rows, target)
            await self._until_rest(target)
        finally:
            self._moves = False

    async def stop(self) -> None:
        """Decelerate and return at rest; a move under way ends with an error."""
        self._halt()
        if self._wait is not None:
            self._wait.cancel()
        await self._clock.sleep_until(self._rest_at)

    def segments(self, since: float) -> Segments:
        """Motion from ``since`` on."""
        return self._board.motion(self.name, since)

    async def _until_rest(self, target: float) -> None:
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        self._wait = asyncio.ensure_future(self._clock.sleep_until(self._rest_at))
        try:
            await self._wait
        except asyncio.CancelledError:
            if task is None or task.cancelling() == cancelled_before:
                # Our own sleep was cancelled by stop(), nobody cancelled the move.
                await self._clock.sleep_until(self._rest_at)
                raise DeviceError(
                    self.name, f"was stopped at {self._target:g} {self.unit} on its way to {target:g} {self.unit}."
                ) from None
            self._halt()
            await self._clock.sleep_until(self._rest_at)
            raise
        finally:
            self._wait = None

    def _halt(self) -> None:
        moment = self._clock.now() + self._latency
        if moment >= self._rest_at:
            return
        rows = self._board.motion(self.name, moment)
        stopped = halt(rows, moment, self.acceleration)
        if stopped[-1, START] + stopped[-1, DURATION] >= self._rest_at:
            return  # it is about to stop by itself
        self._post(stopped, state(stopped, math.inf)[0])

    def _post(self, rows: Segments, target: float) -> None:
        self._board.post_motion(self.name, rows, self.unit)
        self._target = target
        self._rest_at = end(rows)
