"""What simulated cameras have in common: faults on demand, and a pool of frames to replay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._paced import PacedSource
from firstlight.devices._schedule import Motion
from firstlight.devices.sim._faults import CAMERA, Fault, Faults
from firstlight.devices.sim._published import Board
from firstlight.model import STATUS_MISSING, CameraInfo, Clock, FrameStamp, TriggerPlan, missing_value
from firstlight.simulation import key, key_of


class FaultySource(PacedSource):
    """A simulated camera that goes wrong when it is told to, in whichever process it is.

    :param board: where the faults are set.
    :param pool: render so many frames once and show them again and again; 0 renders each. It is for speed: what moves
        later is not seen.
    :ivar faults: what it does wrong on demand.
    """

    def __init__(
        self,
        name: str,
        info: CameraInfo,
        *,
        clock: Clock,
        motion: Motion | None,
        board: Board,
        readout: float = 0.002,
        pool: int = 0,
    ) -> None:
        super().__init__(name, info, clock=clock, motion=motion, readout=readout)
        self.faults = Faults(name, CAMERA, clock, board)
        self.pool = pool
        self._frames: dict[int, tuple[NDArray[Any], int]] = {}
        self._hot: tuple[float, NDArray[np.intp]] = (0.0, np.empty(0, dtype=np.intp))

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for one run; the pool is filled anew."""
        self.faults.check()
        self._frames.clear()
        super().prepare(plan)

    def acquire(self, index: int, frame: NDArray[Any], timeout: float) -> FrameStamp | None:
        """Write frame ``index`` into ``frame``; None when it does not come within ``timeout`` seconds."""
        if not self.faults.active:
            return super().acquire(index, frame, timeout)
        self.faults.check()
        if self.faults.happens(Fault.SILENT, index) is not None:
            self._pause(self._clock.now() + timeout)
            return None
        stamp = super().acquire(index, frame, timeout)
        return None if stamp is None else self._spoil(index, frame, stamp)

    def _draw(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        if not self.pool:
            return self.render(index, start, stop, frame)
        there = self._frames.get(index % self.pool)
        if there is None:
            status = self.render(index, start, stop, frame)
            self._frames[index % self.pool] = (frame.copy(), status)
            return status
        frame[...] = there[0]
        return there[1]

    def _spoil(self, index: int, frame: NDArray[Any], stamp: FrameStamp) -> FrameStamp:
        late = self.faults.happens(Fault.SLOW, index)
        if late is not None:
            self._pause(self._clock.now() + late)
        if self.faults.happens(Fault.DROPS, index) is not None:
            frame[...] = missing_value(frame.dtype)
            return FrameStamp(stamp.start, stamp.stop, STATUS_MISSING)
        share = self.faults.happens(Fault.HOT, index)
        if share is not None:
            if share != self._hot[0]:
                count = round(share * frame.size)
                draws = np.random.default_rng(key(0, key_of(self.name)))
                self._hot = (share, draws.choice(frame.size, size=count, replace=False))
            frame.reshape(-1)[self._hot[1]] = missing_value(frame.dtype)
        return stamp
