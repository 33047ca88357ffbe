"""One run of a receiver: frames go from the source into the ring, one after the other, in one thread."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np

from firstlight.buffer import LogWriter, RingBusy, RingWriter, RunMember
from firstlight.detectors._channels import channels
from firstlight.detectors._pipeline import Pipeline
from firstlight.detectors._scratch import Scratch
from firstlight.detectors._status import ReceiverState
from firstlight.model import (
    STATUS_MISSING,
    ChannelSpec,
    Conflict,
    DeviceError,
    DeviceTimeout,
    FirstlightError,
    FrameSource,
    FrameStamp,
    Step,
    TriggerMode,
    TriggerPlan,
)

_logger = logging.getLogger(__name__)

SLICE = 0.1
"""Longest wait (s) before a stop is looked for."""

RING = 256 << 20
"""Bytes of a ring whose size nobody chose."""

LOOK_AT_OWNER = 1.0
"""Seconds between two looks whether the owner of the run lives."""


class Acquisition:
    """From :meth:`prepare` to the end of one run.

    :meth:`prepare` and :meth:`run` are called by the one thread that may touch the source; the others by any thread.

    :param patience: seconds that a frame may be late.
    :param frames: whether frames are published; otherwise steps see them, and they are forgotten.
    """

    def __init__(
        self,
        name: str,
        source: FrameSource,
        member: RunMember,
        plan: TriggerPlan,
        *,
        slots: int = 0,
        steps: Sequence[Step] = (),
        patience: float = 5.0,
        frames: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.plan = plan
        self.key = member.key
        self._source = source
        self._member = member
        self._slots = slots or default_slots(source, plan)
        self._pipeline = Pipeline(name, steps)
        self._patience = patience
        self._publishes = frames
        self._now = now
        self._changed = threading.Condition()
        self._moment: float | None = None
        self._triggers = 0
        self._asked = 0
        self._stopping = False
        self._started: Future[None] = Future()
        self.finished: Future[None] = Future()
        """Done when no frame will follow: with the error that ended it, or without."""
        self.sealed: Future[None] = Future()
        """Done when the channels are sealed and the run is left."""
        self.state = ReceiverState.PREPARED
        self.error: FirstlightError | None = None
        self.frames = 0
        self.missing = 0
        self._samples: deque[tuple[float, int]] = deque([(now(), 0)], maxlen=21)
        self._next_look = 0.0
        self._ring: RingWriter | Scratch
        self._stamps: tuple[LogWriter, LogWriter, LogWriter]

    # -- by the camera's thread

    def prepare(self) -> list[ChannelSpec]:
        """Get the source ready and make the channels; all of them, in the order in which they are written."""
        try:
            self._guarded("to prepare", lambda: self._source.prepare(self.plan))
            frame, *stamps = channels(self.name, self._source.info, self.plan)
            points = self.plan.points
            start, stop, status = (self._member.create_log(spec, capacity=points or None) for spec in stamps)
            self._stamps = start, stop, status
            self._ring = self._member.create_ring(frame, self._slots) if self._publishes else Scratch(frame)
            more = self._pipeline.open(self._member, frame, points=points, slots=self._slots)
        except BaseException:
            self._member.close()
            raise
        return [*([frame] if self._publishes else []), *stamps, *more]

    def run(self) -> None:
        """Acquire all frames, wait for the stop, seal."""
        try:
            self._acquire()
            self._pipeline.finish()
        except FirstlightError as error:
            self._fail(error)
        except Exception as error:
            _logger.exception("%s failed at frame %d.", self.name, self.frames)
            self._fail(DeviceError(self.name, f"failed at frame {self.frames}: {type(error).__name__}: {error}."))
        else:
            if not self._stopping:
                self.state = ReceiverState.COMPLETE
        self._samples.append((self._now(), self.frames))
        self._settle()
        self._wait_stop()
        if self.error is None:
            self.state = ReceiverState.STOPPED
        self._leave()

    def _acquire(self) -> None:
        if not self._wait_start():
            return
        plan, software = self.plan, self.plan.mode is TriggerMode.SOFTWARE
        index = 0
        while not plan.points or index < plan.points:
            if not self._acquire_one(index, software=software):
                return
            index += 1

    def _wait_start(self) -> bool:
        """Start the source as soon as it is asked for; False when the run ends before."""
        with self._changed:
            while not self._wait(lambda: self._moment is not None or self._triggers > 0):
                if self._stopping:
                    return False
        moment = self._moment if self._moment is not None else self._now()
        self._guarded("to start", lambda: self._source.start(moment))
        self._moment = moment
        self._samples.clear()
        self._samples.append((self._now(), 0))
        self.state = ReceiverState.RUNNING
        self._started.set_result(None)
        return True

    def _acquire_one(self, index: int, *, software: bool) -> bool:
        """One frame from its trigger to its commit; False when the run ends before."""
        if self._ended():
            return False
        slot = self._slot()
        if slot is None:
            return False
        due = self._due(index)
        if software:
            if not self._wait_trigger():
                return False
            due = self._now() + self.plan.exposure + self._patience
            self._guarded(f"to expose frame {index}", self._source.trigger)
        stamp = self._receive(index, slot, due)
        if stamp is None:
            return False
        self._commit(index, slot, stamp)
        return True

    def _slot(self) -> Any:
        """Where the next frame goes; None when the run ends while readers leave no room."""
        while True:
            try:
                return self._ring.slot(SLICE)
            except RingBusy:
                if self._ended():
                    return None

    def _wait_trigger(self) -> bool:
        with self._changed:
            while not self._wait(lambda: self._triggers > 0):
                if self._stopping:
                    return False
            self._triggers -= 1
        return True

    def _receive(self, index: int, slot: Any, due: float) -> FrameStamp | None:
        while True:
            wait = min(SLICE, max(0.0, due - self._now()))
            stamp: FrameStamp | None = self._guarded(
                f"at frame {index}", partial(self._source.acquire, index, slot, wait)
            )
            if stamp is not None:
                return stamp
            if self._ended():
                return None
            if self._now() >= due:
                raise DeviceTimeout(
                    self.name,
                    f"frame {index} did not come; it is {self._patience:g} s late.",
                    hint="Check that the camera gets its triggers.",
                )

    def _due(self, index: int) -> float:
        """When frame ``index`` is too late. An axis may take any time to reach a position: its mover watches it."""
        if self.plan.mode is not TriggerMode.TIME:
            return math.inf
        assert self._moment is not None
        # A source that was held up (by a full ring) may be behind the plan.
        expected = max(self._moment + index * self.plan.period, self._now())
        return expected + self.plan.period + self.plan.exposure + self._patience

    def _commit(self, index: int, slot: Any, stamp: FrameStamp) -> None:
        missing = stamp.status == STATUS_MISSING
        if missing:
            slot[...] = self._ring.spec.fill
            stamp = FrameStamp(math.nan, math.nan, STATUS_MISSING)
            self.missing += 1
        elif slot.base is None:
            # Not a slot but memory of its own: by its policy the ring will not keep this frame. Steps still see it.
            stamp = FrameStamp(stamp.start, stamp.stop, STATUS_MISSING)
        start, stop, status = self._stamps
        # The frame last: whoever sees it finds its stamps.
        start.append_one(stamp.start)
        stop.append_one(stamp.stop)
        status.append_one(stamp.status)
        frame = slot.view()
        frame.flags.writeable = False
        self.frames = self._ring.commit()
        # Nobody but this thread takes the slot again, so the frame stays where it is until the next one.
        if missing:
            self._pipeline.missing(index)
        else:
            self._pipeline.process(index, frame)
        now = self._now()
        if now - self._samples[-1][0] > 0.1:
            self._samples.append((now, self.frames))

    def _wait_stop(self) -> None:
        """Return when the stop was asked for, or nobody is left to ask for it.

        The channels are sealed only then: whoever drives the run must not see the end of a channel before he hears, on
        another way, whether it is complete or why it failed.
        """
        with self._changed:
            while not self._stopping:
                self._wait(lambda: False)

    def _fail(self, error: FirstlightError) -> None:
        _logger.error("%s", error)
        self.error = error
        self.state = ReceiverState.FAILED
        try:
            self._source.stop()
        except Exception:
            _logger.exception("%s could not be stopped.", self.name)

    def _settle(self) -> None:
        for future in (self._started, self.finished):
            if not future.done():
                if self.error is not None:
                    future.set_exception(self.error)
                elif future is self.finished:
                    future.set_result(None)
                else:
                    future.set_exception(Conflict(f"{self.name} was stopped before it was started."))

    def _leave(self) -> None:
        reason = str(self.error) if self.error is not None else ""
        try:
            self._pipeline.seal(reason)
            for writer in (*self._stamps, self._ring):
                writer.seal(reason)
        except FirstlightError:
            _logger.exception("The channels of %s could not be sealed.", self.name)
        finally:
            self._member.close()
            self.sealed.set_result(None)

    def _guarded(self, doing: str, function: Callable[[], Any]) -> Any:
        """Call the source; whatever it raises gets the camera's name."""
        try:
            return function()
        except FirstlightError:
            raise
        except Exception as error:
            _logger.exception("%s failed %s.", self.name, doing)
            raise DeviceError(self.name, f"failed {doing}: {type(error).__name__}: {error}.") from error

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """With the lock held: wait for a condition, a stop, or until it is time to look at the owner."""
        self._changed.wait_for(lambda: condition() or self._stopping, LOOK_AT_OWNER)
        if not self._stopping and condition():
            return True
        self._ended()
        return False

    def _ended(self) -> bool:
        """Whether the run is over: stopped, or left by its owner."""
        now = self._now()
        if not self._stopping and now >= self._next_look:
            self._next_look = now + LOOK_AT_OWNER
            if not self._member.owner_alive:
                _logger.warning("The owner of the run %s died; %s stops.", self.key, self.name)
                self._stopping = True
                self._source.stop()
        return self._stopping

    # -- by any thread

    @property
    def over(self) -> bool:
        """Whether the channels are sealed."""
        return self.sealed.done()

    @property
    def slots(self) -> int:
        """Of the ring."""
        return self._ring.slots

    @property
    def dropped(self) -> int:
        """Frames that the ring could not keep."""
        return self._ring.dropped

    @property
    def rate(self) -> float:
        """Frames/s over the last two seconds."""
        samples = list(self._samples)
        now = self._now() if self.state is ReceiverState.RUNNING else samples[-1][0]
        first = next((s for s in samples if s[0] >= now - 2.0), samples[-1])
        return (self.frames - first[1]) / (now - first[0]) if now > first[0] else 0.0

    def start(self, moment: float, timeout: float) -> None:
        """Time: the first exposure starts at ``moment``. Position: arm. Returns when the source has done so."""
        with self._changed:
            if self._moment is not None:
                raise Conflict(f"{self.name} was started already.")
            self._moment = moment
            self._changed.notify_all()
        try:
            self._started.result(timeout)
        except FirstlightError:
            raise
        except TimeoutError:
            raise DeviceTimeout(self.name, f"did not start within {timeout:g} s.") from None

    def trigger(self) -> None:
        """Software: expose the next frame now, or as soon as the last one has come."""
        with self._changed:
            if self.error is not None:
                raise self.error
            if self.plan.mode is not TriggerMode.SOFTWARE:
                raise Conflict(f"{self.name} is triggered by {self.plan.mode.value}, not by software.")
            if self._stopping or (self.plan.points and self._asked >= self.plan.points):
                raise Conflict(f"{self.name} was asked for all its frames ({self._asked}) already.")
            self._asked += 1
            self._triggers += 1
            self._changed.notify_all()

    def stop(self, timeout: float) -> None:
        """End the run and wait until its channels are sealed; idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        problem: FirstlightError | None = None
        if not self.over:
            try:
                self._guarded("to stop", self._source.stop)
            except FirstlightError as error:
                problem = error
        try:
            self.sealed.result(timeout)
        except TimeoutError:
            raise DeviceTimeout(
                self.name, f"did not stop within {timeout:g} s.", hint="Restart its process if it stays so."
            ) from problem
        if problem is not None:
            raise problem


def default_slots(source: FrameSource, plan: TriggerPlan) -> int:
    """A ring of at most :data:`RING` bytes, no longer than the run, of eight slots at least."""
    nbytes = max(1, math.prod(source.info.shape) * np.dtype(source.info.dtype).itemsize)
    slots = max(8, RING // nbytes)
    return min(slots, plan.points + 2) if plan.points else min(slots, 1024)
