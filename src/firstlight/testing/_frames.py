"""What every frame source must do, whatever takes its frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import (
    STATUS_MISSING,
    Clock,
    DeviceError,
    FakeClock,
    FrameSource,
    FrameStamp,
    TriggerMode,
    TriggerPlan,
    missing_value,
)


class FrameSourceConformance:
    """Tests of one frame source: of a camera, as its receiver process sees it.

    Derive a class from it, in a module of tests, with a fixture ``new_source`` that gives the source; it runs on a
    clock that jumps, which the fixture takes as ``clock``. For a real camera, give a fixture ``clock`` that returns a
    ``RealClock``. Triggers by position are not tested: they need an axis.
    """

    exposure: ClassVar[float] = 0.01
    """Seconds of an exposure."""
    late: ClassVar[float] = 2.0
    """Seconds after its exposure that a frame may take to arrive."""
    accuracy: ClassVar[float] = 1e-6
    """Seconds to which its stamps tell when a frame was exposed."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of the source."""
        return FakeClock()

    @pytest.fixture
    def new_source(self, clock: Clock) -> FrameSource:
        """The source."""
        raise NotImplementedError("A conformance test needs a fixture 'new_source'.")

    @pytest.fixture
    def source(self, new_source: FrameSource) -> Iterator[FrameSource]:
        """The same; closed in the end."""
        yield new_source
        new_source.close()

    # -- what it is

    def test_it_says_what_it_can_do(self, source: FrameSource) -> None:
        info = source.info
        assert len(info.shape) == 2
        assert min(info.shape) >= 1
        assert np.dtype(info.dtype).kind in "fiu"
        assert info.modes
        assert info.modes <= frozenset(TriggerMode)
        assert info.dead_time >= 0
        assert info.maximum_rate > 0
        assert info.period(1.0) >= 1.0

    def test_what_it_cannot_be_triggered_by_it_refuses(self, source: FrameSource) -> None:
        for mode in frozenset(TriggerMode) - source.info.modes:
            plan = TriggerPlan(mode=mode, points=2, exposure=self.exposure, period=1.0, axis="x", step=1.0)
            with pytest.raises(DeviceError):
                source.prepare(plan)

    def test_orders_before_it_was_prepared_are_errors(self, source: FrameSource) -> None:
        with pytest.raises(DeviceError):
            source.start(0.0)
        with pytest.raises(DeviceError):
            source.trigger()
        source.stop()

    # -- in time

    def test_in_time_each_frame_is_stamped_with_its_own_exposure(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.TIME not in source.info.modes:
            return
        plan = self.in_time(source, 5)
        source.prepare(plan)
        start = clock.now() + 0.2
        source.start(start)
        for k, (stamp, frame) in enumerate(self.take(source, 5)):
            if stamp.status == STATUS_MISSING:
                assert (frame == missing_value(frame.dtype)).all()
                continue
            assert abs(stamp.start - (start + k * plan.period)) <= self.accuracy
            assert abs(stamp.stop - stamp.start - plan.exposure) <= self.accuracy
            assert clock.now() >= stamp.stop
        source.stop()

    def test_a_frame_that_is_not_over_in_time_may_be_asked_for_again(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.TIME not in source.info.modes:
            return
        source.prepare(self.in_time(source, 2))
        start = clock.now() + 0.5
        source.start(start)
        frame = self.empty(source)
        began = clock.now()
        assert source.acquire(0, frame, 0.1) is None
        assert clock.now() >= began + 0.1 - self.accuracy
        stamp = source.acquire(0, frame, 0.5 + self.late)
        assert stamp is not None
        assert abs(stamp.start - start) <= self.accuracy
        source.stop()

    def test_no_frame_comes_after_the_last_one(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.TIME in source.info.modes:
            source.prepare(self.in_time(source, 2))
            source.start(clock.now())
            self.take(source, 2)
            assert source.acquire(2, self.empty(source), 0.2) is None
            source.stop()

    def test_a_plan_without_end_goes_on_until_it_is_stopped(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.TIME in source.info.modes:
            source.prepare(self.in_time(source, 0))
            source.start(clock.now())
            self.take(source, 10)
            source.stop()
            assert source.acquire(10, self.empty(source), 0.1) is None

    def test_a_plan_that_is_too_fast_is_refused(self, source: FrameSource) -> None:
        if TriggerMode.TIME in source.info.modes:
            plan = TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=1.0, period=0.5)
            with pytest.raises(DeviceError):
                source.prepare(plan)

    # -- by software

    def test_by_software_each_trigger_gives_one_frame(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.SOFTWARE not in source.info.modes:
            return
        source.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=0, exposure=self.exposure))
        source.start(clock.now())
        frame = self.empty(source)
        assert source.acquire(0, frame, 0.05) is None
        for index in range(3):
            moment = clock.now()
            source.trigger()
            stamp = source.acquire(index, frame, self.exposure + self.late)
            assert stamp is not None
            assert stamp.start >= moment - self.accuracy
            assert abs(stamp.stop - stamp.start - self.exposure) <= self.accuracy
        assert source.acquire(3, frame, 0.05) is None
        source.stop()

    def test_triggers_that_come_too_fast_wait(self, source: FrameSource, clock: Clock) -> None:
        if TriggerMode.SOFTWARE not in source.info.modes:
            return
        source.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=3, exposure=self.exposure))
        source.start(clock.now())
        for _ in range(3):
            source.trigger()
        starts = [stamp.start for stamp, _ in self.take(source, 3)]
        assert (np.diff(starts) >= source.info.period(self.exposure) - self.accuracy).all()
        source.stop()

    # -- stopping

    def test_runs_follow_each_other(self, source: FrameSource, clock: Clock) -> None:
        for mode in sorted(source.info.modes & {TriggerMode.SOFTWARE, TriggerMode.TIME}) * 2:
            software = mode is TriggerMode.SOFTWARE
            plan = TriggerPlan(mode=mode, points=2, exposure=self.exposure) if software else self.in_time(source, 2)
            source.prepare(plan)
            source.start(clock.now())
            for _ in range(2 if software else 0):
                source.trigger()
            self.take(source, 2)
            source.stop()
            assert source.acquire(0, self.empty(source), 0.0) is None

    def test_stop_ends_a_waiting_acquire(self, source: FrameSource, clock: Clock) -> None:
        if isinstance(clock, FakeClock) or TriggerMode.TIME not in source.info.modes:
            return  # fake time waits for nothing
        source.prepare(self.in_time(source, 2))
        source.start(clock.now() + 3600.0)
        found: list[FrameStamp | None] = []
        frame = self.empty(source)
        thread = threading.Thread(target=lambda: found.append(source.acquire(0, frame, 3600.0)), daemon=True)
        thread.start()
        source.stop()
        thread.join(timeout=60.0)
        assert found == [None]

    def test_it_can_be_closed_twice_and_at_any_time(self, source: FrameSource) -> None:
        if TriggerMode.TIME in source.info.modes:
            source.prepare(self.in_time(source, 2))
        source.close()
        source.close()

    # -- for the tests

    def in_time(self, source: FrameSource, points: int) -> TriggerPlan:
        """A plan in time, as fast as the camera says it can be."""
        period = source.info.period(self.exposure)
        return TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=self.exposure, period=period)

    def empty(self, source: FrameSource) -> NDArray[Any]:
        """Where a frame may be written."""
        return np.empty(source.info.shape, source.info.dtype)

    def take(self, source: FrameSource, count: int) -> list[tuple[FrameStamp, NDArray[Any]]]:
        """The next frames of a run, from the first on."""
        taken = []
        for index in range(count):
            frame = self.empty(source)
            stamp = source.acquire(index, frame, source.info.period(self.exposure) + self.late)
            assert stamp is not None, f"frame {index} did not come"
            taken.append((stamp, frame))
        return taken
