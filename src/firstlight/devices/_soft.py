"""Axes and counters made of plain Python functions."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from firstlight.devices._track import Track
from firstlight.model import (
    Block,
    ChannelRole,
    ChannelSpec,
    Clock,
    DeviceError,
    InvalidInput,
    LimitError,
    OutOfBand,
    RealClock,
    TriggerMode,
    TriggerPlan,
)
from firstlight.model.motion import Segments, rest


class SoftAxis:
    """An axis driver from two functions, for instance the set point of a temperature regulation.

    :param position: returns the dial position now.
    :param move: goes to a dial position; a plain function that returns at once, or an ``async`` one that waits.
    :param stop: optional, plain or ``async``.
    """

    def __init__(
        self,
        name: str,
        position: Callable[[], float],
        move: Callable[[float], Any],
        *,
        stop: Callable[[], Any] | None = None,
        unit: str = "",
        limits: tuple[float, float] = (-math.inf, math.inf),
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.velocity = math.inf
        self.acceleration = math.inf
        self.limits = limits
        self.out_of_band: OutOfBand | None = None
        self._position = position
        self._move = move
        self._stop = stop
        self._moving = False
        self._clock: Clock = clock or RealClock()
        self._track = Track(5)

    def position(self) -> float:
        """Dial position now."""
        return float(self._position())

    def moving(self) -> bool:
        """Whether a move is under way."""
        return self._moving

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Call the function and wait for it; the speed is the function's own."""
        low, high = self.limits
        if not low <= target <= high:
            raise LimitError(self.name, f"cannot go to {target:g} {self.unit}: its limits are {low:g} to {high:g}.")
        if self._moving:
            raise DeviceError(self.name, "is already moving.", hint="Stop it first.")
        self._moving = True
        try:
            done = self._move(target)
            if inspect.isawaitable(done):
                await done
        finally:
            self._moving = False
            self._track.append(rest(self.position(), self._clock.now()))

    async def stop(self) -> None:
        """Call the stop function, if there is one."""
        if self._stop is not None:
            done = self._stop()
            if inspect.isawaitable(done):
                await done

    def segments(self, since: float) -> Segments:
        """Where it was after each move; what happened in between is not known."""
        if not len(self._track):
            return rest(self.position(), since)
        return self._track.motion(since)


class SoftCounter:
    """A counter from any function without arguments, read once a point.

    :param function: returns one number, or one value per channel; plain or ``async``.
    :param channels: what it returns; one float channel named as the counter when None.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[], Any],
        *,
        unit: str = "",
        channels: Sequence[ChannelSpec] | None = None,
    ) -> None:
        self.name = name
        self.modes = frozenset({TriggerMode.SOFTWARE})
        self._single = channels is None
        self.channels: Sequence[ChannelSpec] = (
            (ChannelSpec(name, unit=unit, source=name, role=ChannelRole.COUNTER),)
            if channels is None
            else tuple(channels)
        )
        if not self.channels:
            raise InvalidInput(f"{name}: a counter has at least one channel.")
        self._function = function

    def prepare(self, plan: TriggerPlan) -> None:
        """Refuse what a plain function cannot do."""
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot be triggered by {plan.mode}.", hint="Use it in step or loop scans.")

    def start(self, moment: float) -> None:
        """Nothing: the function is called when the exposure is over."""

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """Call the function."""
        value = self._function()
        if inspect.isawaitable(value):
            return self._wait(value)
        return (value,) if self._single else self._several(value)

    def collect(self) -> Sequence[Block]:
        """Nothing: it has no triggered mode."""
        return ()

    def stop(self) -> None:
        """Nothing to stop."""

    async def _wait(self, value: Awaitable[Any]) -> Sequence[Any]:
        result = await value
        return (result,) if self._single else self._several(result)

    def _several(self, values: Any) -> Sequence[Any]:
        several = tuple(values)
        if len(several) != len(self.channels):
            raise DeviceError(self.name, f"gave {len(several)} values for {len(self.channels)} channels.")
        return several
