"""A simulated timing card: pulses at a period, or at positions of a simulated axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._schedule import Schedule
from firstlight.devices.sim._faults import TRIGGER, Fault, Faults
from firstlight.devices.sim._published import Board, MemoryBoard
from firstlight.model import Clock, DeviceError, RealClock, TriggerMode, TriggerPlan


class SimTrigger:
    """Gives the moments at which a perfect card would have pulsed.

    :param board: the axes whose positions it compares; None for a card that only keeps time.
    :ivar faults: what it does wrong on demand. It answers orders while it is silent, and then gives no pulse more.
    """

    def __init__(self, name: str, *, clock: Clock | None = None, board: Board | None = None) -> None:
        self.name = name
        modes = {TriggerMode.TIME} if board is None else {TriggerMode.TIME, TriggerMode.POSITION}
        self.modes = frozenset(modes)
        self._clock: Clock = clock or RealClock()
        self._board = board
        self._schedule: Schedule | None = None
        self.faults = Faults(name, TRIGGER, self._clock, board if board is not None else MemoryBoard())
        self._dropped: list[bool] = []

    async def prepare(self, plan: TriggerPlan) -> None:
        """Load the plan.

        :raises DeviceError: when the mode is not one of :attr:`modes`, or the plan cannot be kept.
        """
        self.faults.check()
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot pulse by {plan.mode}.")
        self._schedule = Schedule(self.name, plan, None if self._board is None else self._board.motion)
        self._dropped.clear()

    async def start(self, moment: float) -> None:
        """Time: first pulse at ``moment``. Position: compare from ``moment`` on."""
        if self._schedule is None:
            raise DeviceError(self.name, "was started before it was prepared.")
        self.faults.check()
        self._schedule.arm(moment)

    def pulses(self) -> NDArray[np.float64]:
        """Moments of the pulses given so far (s)."""
        if self._schedule is None:
            return np.empty(0)
        now = self._clock.now()
        self._schedule.keep(now)
        given = self._schedule.starts(0, now)
        return self._spoilt(given) if self.faults.active or any(self._dropped) else given

    async def stop(self) -> None:
        """No more pulses."""
        if self._schedule is not None:
            self._schedule.end(self._clock.now())

    def _spoilt(self, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is left of the pulses; one that was dropped or given stays so."""
        self.faults.check()
        silent, drops = (self.faults.since(what) for what in (Fault.SILENT, Fault.DROPS))
        for index in range(len(self._dropped), len(moments)):
            moment = moments[index]
            lost = silent is not None and moment >= silent
            if not lost and drops is not None and moment >= drops:
                lost = self.faults.happens(Fault.DROPS, index) is not None
            self._dropped.append(lost)
        kept: NDArray[np.float64] = moments[~np.array(self._dropped[: len(moments)], dtype=bool)]
        return kept
