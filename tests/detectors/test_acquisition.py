"""One run of a receiver, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import BackPressure, Buffer, RunReader
from firstlight.detectors import ReceiverState, channels
from firstlight.detectors._acquisition import Acquisition, default_slots
from firstlight.model import (
    STATUS_GOOD,
    STATUS_MISSING,
    STATUS_SATURATED,
    Conflict,
    DeviceError,
    DeviceTimeout,
    EndReason,
    RunEnd,
    StorageFull,
    TriggerMode,
    TriggerPlan,
)

MakeRun = Callable[..., Any]
Wait = Callable[..., None]


class Bench:
    """An acquisition with its thread and its run."""

    def __init__(self, buffer: Buffer, run: Any, source: Any, plan: TriggerPlan, **options: Any) -> None:
        self.run = run
        self.source = source
        self.acquisition = Acquisition("cam", source, buffer.join(run.key), plan, **{"patience": 1.0, **options})
        self.specs = self.acquisition.prepare()
        self.reader: RunReader = buffer.run(run.key)
        self.thread = threading.Thread(target=self.acquisition.run)
        self.thread.start()

    def start(self) -> None:
        self.acquisition.start(time.monotonic(), 10)

    def stop(self) -> None:
        self.acquisition.stop(10)
        self.thread.join(10)

    def status(self) -> ReceiverState:
        return self.acquisition.state

    def read(self, name: str = "cam") -> Any:
        channel = self.reader.channel(name)
        return channel.read(0, channel.count)


@pytest.fixture
def bench(buffer: Buffer, make_run: MakeRun, sources: Any) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(
        plan: TriggerPlan, *, readers: tuple[str, ...] = (), on_full: BackPressure = BackPressure.SPILL, **options: Any
    ) -> Bench:
        acquisition = {k: options.pop(k) for k in ("slots", "steps", "patience") if k in options}
        run = make_run(readers=readers, on_full=on_full)
        made.append(Bench(buffer, run, sources.Counting(**options), plan, **acquisition))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def software(points: int, exposure: float = 0.0) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.SOFTWARE, points=points, exposure=exposure)


def in_time(points: int, period: float = 0.002) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=period / 2, period=period)


def along(points: int) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.POSITION, points=points, exposure=0.0, axis="rot", step=1.0)


Make = Callable[..., Bench]


def test_the_channels_are_known_before_the_run_and_there_after_prepare(bench: Make) -> None:
    one = bench(in_time(3))
    assert one.specs == list(channels("cam", one.source.info, in_time(3)))
    assert [spec.name for spec in one.specs] == ["cam", "cam:start", "cam:stop", "cam:status"]
    assert set(one.reader.channels) == {"cam", "cam:start", "cam:stop", "cam:status"}
    assert one.specs[0].info["exposure"] == 0.001


def test_frames_in_time_are_all_there_with_their_stamps(bench: Make, wait_for: Wait) -> None:
    one = bench(in_time(5))
    one.start()
    one.acquisition.finished.result(10)
    assert one.status() is ReceiverState.COMPLETE
    np.testing.assert_array_equal(one.read()[:, 0, 0], np.arange(5))
    starts, stops = one.read("cam:start"), one.read("cam:stop")
    np.testing.assert_allclose(np.diff(starts), 0.002)
    np.testing.assert_allclose(stops - starts, 0.001)
    assert one.read("cam:status").tolist() == [STATUS_GOOD] * 5
    assert not one.reader.channel("cam").sealed
    one.stop()
    assert one.status() is ReceiverState.STOPPED
    assert all(channel.sealed and channel.seal_reason == "" for channel in one.reader.channels.values())
    assert one.source.calls == ["prepare", "start", "stop"]


def test_each_software_trigger_gives_a_frame(bench: Make, wait_for: Wait) -> None:
    one = bench(software(3))
    for count in (1, 2, 3):
        one.acquisition.trigger()
        wait_for(lambda count=count: one.reader.channel("cam").count == count)
    with pytest.raises(Conflict, match=r"asked for all its frames \(3\)"):
        one.acquisition.trigger()
    one.stop()
    assert one.source.calls == ["prepare", "start", "trigger", "trigger", "trigger", "stop"]


def test_triggers_that_come_early_are_kept(bench: Make) -> None:
    one = bench(software(4))
    for _ in range(4):
        one.acquisition.trigger()
    one.acquisition.finished.result(10)
    assert one.read()[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_frames_by_position_need_no_time(bench: Make) -> None:
    one = bench(along(4))
    one.start()
    one.acquisition.finished.result(10)
    assert len(one.read()) == 4


def test_an_open_ended_run_goes_on_until_it_is_stopped(bench: Make, wait_for: Wait) -> None:
    one = bench(in_time(0))
    one.start()
    wait_for(lambda: one.acquisition.frames > 10)
    one.stop()
    count = one.reader.channel("cam").count
    assert one.read()[:, 0, 0].tolist() == list(range(count))
    assert len(one.read("cam:start")) >= count


def test_a_reader_that_sees_a_frame_finds_its_stamps(bench: Make) -> None:
    one = bench(in_time(300, period=0.0005), steps=())
    frames, stamps = (
        one.reader.channel("cam"),
        [one.reader.channel(f"cam:{part}") for part in ("start", "stop", "status")],
    )
    one.start()
    seen = 0
    while seen < 300:
        assert frames.wait(seen + 1, 10)
        seen = frames.count
        assert min(stamp.count for stamp in stamps) >= seen


def test_frames_that_the_source_lost_are_filled_and_marked(bench: Make) -> None:
    one = bench(in_time(6), lose=[0, 2, 3], saturate=[5])
    one.start()
    one.acquisition.finished.result(10)
    frames = one.read()
    assert frames[:, 0, 0].tolist() == [65535, 1, 65535, 65535, 4, 5]
    assert one.read("cam:status").tolist() == [
        STATUS_MISSING,
        STATUS_GOOD,
        STATUS_MISSING,
        STATUS_MISSING,
        STATUS_GOOD,
        STATUS_SATURATED,
    ]
    assert np.isnan(one.read("cam:start")).tolist() == [True, False, True, True, False, False]
    assert one.acquisition.missing == 3


@pytest.mark.parametrize(("dtype", "fill"), [("<f4", np.nan), ("<i4", -1), ("|u1", 255)])
def test_a_missing_frame_never_reads_as_zeros(bench: Make, dtype: str, fill: float) -> None:
    one = bench(in_time(1), lose=[0], dtype=dtype)
    one.start()
    one.acquisition.finished.result(10)
    np.testing.assert_array_equal(one.read()[0], np.full((4, 6), fill, dtype))


def test_a_source_that_raises_ends_the_run_with_its_name_and_keeps_what_came(bench: Make) -> None:
    one = bench(in_time(10), raise_at=4)
    one.start()
    with pytest.raises(DeviceError, match="cam: failed at frame 4: ValueError: the cable is loose"):
        one.acquisition.finished.result(10)
    assert not one.reader.channel("cam").sealed
    one.stop()
    assert one.read()[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert one.reader.channel("cam").seal_reason.startswith("cam: failed at frame 4")
    assert one.acquisition.state is ReceiverState.FAILED
    assert one.source.calls[2] == "stop"


@pytest.mark.parametrize("plan", [in_time(3), software(3)])
def test_a_frame_that_never_comes_is_named(bench: Make, plan: TriggerPlan) -> None:
    one = bench(plan, never_from=1, patience=0.2)
    if plan.mode is TriggerMode.SOFTWARE:
        one.acquisition.trigger()
        one.acquisition.trigger()
    else:
        one.start()
    with pytest.raises(DeviceTimeout, match=r"cam: frame 1 did not come; it is 0\.2 s late"):
        one.acquisition.finished.result(10)
    assert len(one.read()) == 1


def test_an_axis_may_take_its_time_to_reach_a_position(bench: Make) -> None:
    one = bench(along(3), never_from=0, patience=0.05)
    one.start()
    with pytest.raises(TimeoutError):
        one.acquisition.finished.result(0.5)
    one.stop()
    assert one.acquisition.error is None


@pytest.mark.parametrize("call", ["start", "trigger"])
def test_a_source_that_raises_when_asked_is_named(bench: Make, call: str) -> None:
    one = bench(software(3), raise_in=call)
    one.acquisition.trigger()
    with pytest.raises(DeviceError, match=f"cam: failed to .*ValueError: no {call} today"):
        one.acquisition.finished.result(10)
    with pytest.raises(DeviceError, match=f"no {call} today"):
        one.acquisition.trigger()


def test_a_start_that_fails_is_told_to_whoever_asked(bench: Make) -> None:
    one = bench(in_time(3), raise_in="start")
    with pytest.raises(DeviceError, match="cam: failed to start: ValueError: no start today"):
        one.start()


def test_a_source_that_cannot_prepare_leaves_no_channels(buffer: Buffer, make_run: MakeRun, bench: Make) -> None:
    with pytest.raises(DeviceError, match="cam: failed to prepare: ValueError"):
        bench(in_time(3), raise_in="prepare")
    key = buffer.runs()[-1].key
    assert buffer.run(key).channels == {}


def test_stopping_before_the_start_is_an_empty_run(bench: Make) -> None:
    one = bench(in_time(3))
    one.stop()
    assert one.acquisition.error is None
    assert one.reader.channel("cam").sealed
    with pytest.raises(Conflict, match="stopped before it was started"):
        one.start()


def test_stopping_is_idempotent_and_works_from_many_threads(bench: Make, wait_for: Wait) -> None:
    one = bench(in_time(0))
    one.start()
    threads = [threading.Thread(target=one.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.stop()
    assert one.acquisition.over


def test_starting_twice_is_refused(bench: Make) -> None:
    one = bench(in_time(0))
    one.start()
    with pytest.raises(Conflict, match="started already"):
        one.start()


def test_triggers_are_refused_by_a_camera_that_runs_by_itself(bench: Make) -> None:
    one = bench(in_time(0))
    with pytest.raises(Conflict, match="triggered by time"):
        one.acquisition.trigger()


def test_when_the_owner_of_the_run_is_gone_the_camera_stops(
    bench: Make, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    one = bench(in_time(0))
    one.start()
    wait_for(lambda: one.acquisition.frames > 2)
    monkeypatch.setattr(type(one.acquisition._member), "owner_alive", False)
    wait_for(lambda: one.acquisition.over)
    assert one.acquisition.error is None


def test_a_ring_that_blocks_holds_the_source_until_its_reader_has_room(bench: Make, wait_for: Wait) -> None:
    one = bench(software(40), readers=("saver",), on_full=BackPressure.BLOCK, slots=4)
    for _ in range(40):
        one.acquisition.trigger()
    wait_for(lambda: one.acquisition.frames == 4)
    got: list[int] = []
    with one.reader.retain("saver") as saver:
        while len(got) < 40:
            assert one.reader.channel("cam").wait(len(got) + 1, 10)
            with saver.view("cam", len(got), one.reader.channel("cam").count) as view:
                got += np.asarray(view)[:, 0, 0].tolist()
            saver.release("cam", len(got))
    assert got == list(range(40))


def test_a_stop_does_not_wait_for_a_reader_that_holds_the_ring(bench: Make, wait_for: Wait) -> None:
    one = bench(in_time(0), readers=("saver",), on_full=BackPressure.BLOCK, slots=4)
    one.start()
    wait_for(lambda: one.acquisition.frames == 4)
    one.stop()
    assert one.acquisition.error is None
    assert one.read()[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_frames_that_the_ring_drops_are_marked_as_missing(bench: Make) -> None:
    one = bench(in_time(12), readers=("saver",), on_full=BackPressure.DROP, slots=4)
    one.start()
    one.acquisition.finished.result(10)
    assert one.acquisition.dropped == 8
    assert one.read("cam:status").tolist() == [STATUS_GOOD] * 4 + [STATUS_MISSING] * 8
    assert np.isfinite(one.read("cam:start")).all()
    assert (one.read()[4:] == 65535).all()


def test_lagging_readers_make_the_ring_spill_and_nothing_is_lost(bench: Make) -> None:
    one = bench(in_time(60), readers=("saver",), slots=4)
    one.start()
    one.acquisition.finished.result(30)
    assert one.read()[:, 0, 0].tolist() == list(range(60))


def test_a_buffer_that_is_full_ends_the_run(bench: Make, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bench(in_time(60), readers=("saver",), slots=4)

    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("cam: the spill is full.")

    monkeypatch.setattr(one.acquisition._ring, "slot", full)
    one.start()
    with pytest.raises(StorageFull, match="the spill is full"):
        one.acquisition.finished.result(10)


def test_the_size_of_a_ring_follows_the_frames_and_the_run(sources: Any) -> None:
    large = sources.Counting((4096, 4096), "<u4")
    assert default_slots(large, in_time(1)) == 3
    assert default_slots(large, in_time(1000)) == 8
    assert default_slots(sources.Counting((1024, 1024)), in_time(1000)) == 128
    assert default_slots(sources.Counting(), in_time(0)) == 1024


def test_the_rate_is_told(bench: Make, wait_for: Wait) -> None:
    one = bench(in_time(0, period=0.002))
    one.start()
    wait_for(lambda: 100 < one.acquisition.rate < 1500)
    run_end = RunEnd(reason=EndReason.SUCCESS, epoch=0.0)
    one.stop()
    one.run.stop(run_end)
