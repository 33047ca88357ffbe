"""What cameras without hardware have in common: when exposures start, and waiting until they are over."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from firstlight.devices._schedule import Motion, Schedule
from firstlight.model import (
    STATUS_MISSING,
    CameraInfo,
    Clock,
    DeviceError,
    FakeClock,
    FrameStamp,
    TriggerMode,
    TriggerPlan,
    missing_value,
)

LOOK = 0.005
"""Seconds between looks at what cannot wake a waiting camera: an axis of another process."""

_BUSY_SLACK = 1e-6
"""A trigger this early (s) still finds the camera ready: the roundoff of a trajectory is far smaller."""


class PacedSource(ABC):
    """A frame source whose frames are made when they are asked for, as if they had come in time.

    An exposure starts with its trigger; a frame is given once its exposure and the readout are over. Whoever asks
    late gets the same frame and the same stamp. A trigger that comes while the camera is exposing or dead is missed:
    its frame is filled with the largest value and marked missing. Software triggers are never missed, they wait.

    :param motion: of the axes that may trigger; None when there is no such trigger.
    :param readout: seconds from the end of an exposure to its frame.
    """

    def __init__(
        self, name: str, info: CameraInfo, *, clock: Clock, motion: Motion | None, readout: float = 0.002
    ) -> None:
        self.name = name
        self.info = info
        self._clock = clock
        self._motion = motion
        self._readout = readout
        self._changed = threading.Condition()
        self._plan: TriggerPlan | None = None
        self._schedule: Schedule | None = None
        self._triggers: list[float] = []
        self._stopped = True
        self._ready_at = -math.inf

    @abstractmethod
    def render(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        """Write frame ``index``, exposed from ``start`` to ``stop``; return its status."""

    def check(self, plan: TriggerPlan) -> None:  # noqa: B027
        """Refuse a plan, or get ready for it; for those derived."""

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for one run.

        :raises DeviceError: when the camera cannot keep the plan.
        """
        if plan.mode not in self.info.modes:
            raise DeviceError(self.name, f"cannot be triggered by {plan.mode}.")
        shortest = self.info.period(plan.exposure)
        if plan.mode is not TriggerMode.SOFTWARE and plan.points != 1 and 0 < plan.period < shortest - 1e-9:
            raise DeviceError(
                self.name,
                f"cannot take a frame of {plan.exposure:g} s every {plan.period:g} s.",
                hint=f"It needs {shortest:g} s: {self.info.dead_time:g} s dead, {self.info.maximum_rate:g}/s most.",
            )
        schedule = None if plan.mode is TriggerMode.SOFTWARE else Schedule(self.name, plan, self._motion)
        self.check(plan)
        with self._changed:
            self._plan, self._schedule = plan, schedule
            self._triggers.clear()
            self._ready_at = -math.inf
            self._stopped = False

    def start(self, moment: float) -> None:
        """Time: first exposure starts at ``moment``. Position: arm. Software: nothing yet."""
        with self._changed:
            if self._plan is None:
                raise DeviceError(self.name, "was started before it was prepared.")
            if self._schedule is not None:
                self._schedule.arm(moment)
            self._changed.notify_all()

    def trigger(self) -> None:
        """Software: expose the next frame now, or as soon as the camera is ready for it."""
        with self._changed:
            plan = self._plan
            if plan is None or plan.mode is not TriggerMode.SOFTWARE:
                raise DeviceError(self.name, "is not prepared for software triggers.")
            start = self._clock.now()
            if self._triggers:
                start = max(start, self._triggers[-1] + self.info.period(plan.exposure))
            self._triggers.append(start)
            self._changed.notify_all()

    def acquire(self, index: int, frame: NDArray[Any], timeout: float) -> FrameStamp | None:
        """Write frame ``index`` into ``frame``; None when its exposure is not over within ``timeout`` seconds."""
        plan = self._plan
        if plan is None:
            raise DeviceError(self.name, "was asked for a frame before it was prepared.")
        deadline = self._clock.now() + timeout
        while not self._stopped:
            now = self._clock.now()
            start = self._start_of(index)
            if start is not None and now >= start + plan.exposure + self._readout:
                return self._make(index, start, start + plan.exposure, frame)
            if now >= deadline:
                return None
            # What is known of a start in the future may still change, so it is looked at again after the wait.
            self._pause(min(deadline, now + LOOK if start is None else start + plan.exposure + self._readout))
        return None

    def stop(self) -> None:
        """Abort or end; idempotent."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop; there is no hardware to release."""
        self.stop()

    def _start_of(self, index: int) -> float | None:
        if self._schedule is None:
            with self._changed:
                return self._triggers[index] if index < len(self._triggers) else None
        self._schedule.keep(self._clock.now())
        return self._schedule.start_of(index)

    def _make(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> FrameStamp:
        if start < self._ready_at - _BUSY_SLACK:
            frame[...] = missing_value(frame.dtype)
            return FrameStamp(start, stop, STATUS_MISSING)
        status = self._draw(index, start, stop, frame)
        self._ready_at = start + self.info.period(stop - start)
        return FrameStamp(start, stop, status)

    def _draw(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        return self.render(index, start, stop, frame)

    def _pause(self, until: float) -> None:
        if isinstance(self._clock, FakeClock):
            self._clock.pause_until(until)
            return
        with self._changed:
            if not self._stopped:
                self._changed.wait(max(0.0, until - self._clock.now()))
