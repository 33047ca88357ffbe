"""A simulated timing card: pulses at a period, or at positions of a simulated axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._schedule import Schedule
from firstlight.devices.sim._published import Board
from firstlight.model import Clock, DeviceError, RealClock, TriggerMode, TriggerPlan


class SimTrigger:
    """Gives the moments at which a perfect card would have pulsed.

    :param board: the axes whose positions it compares; None for a card that only keeps time.
    """

    def __init__(self, name: str, *, clock: Clock | None = None, board: Board | None = None) -> None:
        self.name = name
        modes = {TriggerMode.TIME} if board is None else {TriggerMode.TIME, TriggerMode.POSITION}
        self.modes = frozenset(modes)
        self._clock: Clock = clock or RealClock()
        self._board = board
        self._schedule: Schedule | None = None

    async def prepare(self, plan: TriggerPlan) -> None:
        """Load the plan.

        :raises DeviceError: when the mode is not one of :attr:`modes`, or the plan cannot be kept.
        """
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot pulse by {plan.mode}.")
        self._schedule = Schedule(self.name, plan, None if self._board is None else self._board.motion)

    async def start(self, moment: float) -> None:
        """Time: first pulse at ``moment``. Position: compare from ``moment`` on."""
        if self._schedule is None:
            raise DeviceError(self.name, "was started before it was prepared.")
        self._schedule.arm(moment)

    def pulses(self) -> NDArray[np.float64]:
        """Moments of the pulses given so far (s)."""
        if self._schedule is None:
            return np.empty(0)
        now = self._clock.now()
        self._schedule.keep(now)
        return self._schedule.starts(0, now)

    async def stop(self) -> None:
        """No more pulses."""
        if self._schedule is not None:
            self._schedule.end(self._clock.now())
