"""Whatever fails ends the run with one clear sentence; everything is stopped and the data so far stay readable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from firstlight.devices import Axis, SoftCounter
from firstlight.devices.sim import SimAxis, SimShutter
from firstlight.model import (
    Block,
    ChannelSpec,
    DeviceError,
    DeviceTimeout,
    EndReason,
    FirstlightError,
    ProcessError,
    RealClock,
    RunInfo,
    RunState,
    StorageFull,
    TriggerMode,
    TriggerPlan,
)
from firstlight.scanning import Devices, Engine, ascan, dscan, flyscan, loopscan, tomo
from tests.scanning.conftest import Beamline, MemoryStore, sealed_and_whole

PHASES = ["prepare", "start", "read", "collect", "stop"]


class Faulty:
    """A counter that goes wrong in one phase, after some points, in one of several ways."""

    name = "faulty"
    channels: Sequence[ChannelSpec] = (ChannelSpec("faulty"),)
    modes = frozenset(TriggerMode)

    def __init__(self, phase: str, how: str, after: int = 0) -> None:
        self.phase, self.how, self.left = phase, how, after
        self.stopped = 0

    def _do(self, phase: str, result: Any) -> Any:
        if phase != self.phase:
            return result
        if self.left:
            self.left -= 1
            return result
        if self.how == "raises":
            raise ConnectionError("the cable is out")
        if self.how == "refuses":
            raise DeviceError(self.name, "is not ready.")
        if self.how == "raises later":
            return self._later()
        return asyncio.get_running_loop().create_future()

    async def _later(self) -> Any:
        await asyncio.sleep(0)
        raise ConnectionError("the cable is out")

    def prepare(self, plan: TriggerPlan) -> Any:
        self.points = plan.points
        return self._do("prepare", None)

    def start(self, moment: float) -> Any:
        return self._do("start", None)

    def read(self) -> Any:
        return self._do("read", (1.0,))

    def collect(self) -> Sequence[Block]:
        self._do("collect", None)
        return ()

    def stop(self) -> Any:
        self.stopped += 1
        return self._do("stop", None)


def failed(beamline: Beamline, scan: Any, kind: type[FirstlightError]) -> FirstlightError:
    """The error that a scan ends with, after looking at all that must hold then."""
    with pytest.raises(kind) as caught:
        beamline.engine.run(scan)
    run = beamline.run
    assert run.end is not None
    assert run.end.reason is EndReason.FAILED
    assert run.end.message == str(caught.value)
    assert beamline.at_rest_and_closed()
    sealed_and_whole(run)
    assert beamline.engine.run(loopscan(1, 0.1, "diode")).ok
    return caught.value


@pytest.mark.parametrize("phase", ["prepare", "start", "read", "stop"])
@pytest.mark.parametrize("how", ["raises", "raises later"])
def test_a_device_that_raises_is_named_with_what_it_was_asked(beamline: Beamline, phase: str, how: str) -> None:
    beamline.add(Faulty(phase, how))
    error = failed(beamline, ascan("rot", 0, 10, 10, 0.1, "diode", "faulty"), DeviceError)
    assert error.message.startswith(f"faulty: failed to {phase}")
    assert "ConnectionError: the cable is out" in error.message


def test_the_point_at_which_it_failed_is_named(beamline: Beamline) -> None:
    beamline.add(Faulty("read", "raises", after=4))
    error = failed(beamline, loopscan(10, 0.1, "diode", "faulty"), DeviceError)
    assert error.message == "faulty: failed to read at point 4: ConnectionError: the cable is out."
    run = beamline.store.runs[-2]
    assert len(run["diode"]) == len(run["faulty"]) == 4


def test_a_device_that_says_by_itself_what_is_wrong_is_quoted(beamline: Beamline) -> None:
    beamline.add(Faulty("start", "refuses"))
    assert failed(beamline, loopscan(3, 0.1, "faulty"), DeviceError).message == "faulty: is not ready."


@pytest.mark.parametrize("phase", ["prepare", "start", "read"])
def test_a_device_that_never_answers_is_named_after_its_time(beamline: Beamline, phase: str) -> None:
    faulty = Faulty(phase, "hangs", after=2 if phase != "prepare" else 0)
    beamline.add(faulty, timeouts={"faulty": 3.0})
    began = beamline.clock.now()
    error = failed(beamline, loopscan(10, 0.1, "diode", "faulty"), DeviceTimeout)
    place = "" if phase == "prepare" else " at point 2"
    assert error.message == f"faulty: did not answer within 3 s when asked to {phase}{place}."
    assert beamline.clock.now() - began < 10
    assert faulty.stopped


def test_a_device_that_does_not_stop_does_not_keep_others_from_it(beamline: Beamline) -> None:
    beamline.add(Faulty("stop", "hangs"), timeouts={"faulty": 1.0})
    error = failed(beamline, loopscan(3, 0.1, "diode", "faulty"), FirstlightError)
    assert "faulty" in error.message


@pytest.mark.parametrize("phase", ["prepare", "start", "collect"])
def test_a_continuous_scan_survives_a_device_that_raises(beamline: Beamline, phase: str) -> None:
    beamline.add(Faulty(phase, "raises", after=2 if phase == "collect" else 0))
    error = failed(beamline, flyscan("rot", 0, 9, 10, 0.1, "cam", "diode", "faulty"), DeviceError)
    assert error.message.startswith("faulty: failed")


@pytest.mark.parametrize("trigger", ["time", "position"])
def test_a_device_that_gives_nothing_in_a_continuous_scan_is_named(beamline: Beamline, trigger: str) -> None:
    beamline.add(Faulty("never", "raises"), timeouts={"faulty": 2.0})
    scan = flyscan("rot", 0, 9, 10, 0.1, "cam", "diode", "faulty", trigger=trigger)  # type: ignore[arg-type]
    error = failed(beamline, scan, DeviceTimeout)
    assert error.message.startswith("faulty: gave 0 of 10 points and then nothing for 2 s")
    assert len(beamline.store.runs[-2]["cam"]) == 10


def test_a_card_that_loses_a_pulse_is_named(beamline: Beamline) -> None:
    beamline.add(beamline.card, timeouts={"card": 2.0})
    beamline.card.faults.inject("drops", times=1)
    error = failed(beamline, flyscan("rot", 0, 9, 10, 0.1, "diode"), DeviceTimeout)
    assert error.message.startswith("card: gave 9 of 10 points and then nothing for 2 s")


class Stubborn(SimAxis):
    """An axis that goes wrong when it is to move."""

    how = ""

    async def move(self, target: float, velocity: float | None = None) -> None:
        if self.how == "raises":
            raise OSError("driver fault")
        if self.how == "hangs":
            await asyncio.get_running_loop().create_future()
        if self.how == "ignores cancellation":
            while True:
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    if self.how == "let go":
                        raise
        await super().move(target, velocity)


@pytest.mark.parametrize("how", ["raises", "hangs", "ignores cancellation"])
def test_an_axis_that_does_not_move_is_named_with_its_target(beamline: Beamline, how: str) -> None:
    driver = Stubborn("bad", clock=beamline.clock, board=beamline.board)
    beamline.add(Axis(driver), timeouts={"bad": 2.0})
    driver.how = how
    error = failed(beamline, ascan("bad", 5, 10, 5, 0.1), DeviceError)
    driver.how = "let go"
    assert error.message.startswith("bad: ")
    assert "to move to 5 deg at point 0" in error.message


def test_one_of_two_axes_that_fails_stops_the_other(beamline: Beamline) -> None:
    from firstlight.scanning import amesh

    driver = Stubborn("bad", clock=beamline.clock, board=beamline.board)
    beamline.add(Axis(driver))
    driver.how = "raises"
    failed(beamline, amesh("bad", 5, 10, 5, "rot", 100, 200, 2, 0.1), DeviceError)
    assert 0 <= beamline.rot.position < 100


def test_an_axis_that_cannot_return_is_not_asked_again(beamline: Beamline) -> None:
    driver = Stubborn("bad", clock=beamline.clock, board=beamline.board)
    beamline.add(Axis(driver))
    driver.how = "raises"
    assert "driver fault" in failed(beamline, dscan("bad", -1, 1, 2, 0.1), DeviceError).message


def test_an_axis_stopped_by_somebody_else_ends_the_scan(beamline: Beamline) -> None:
    class Meddling(Faulty):
        def collect(self) -> Sequence[Block]:
            if beamline.rot.position > 3:
                asyncio.ensure_future(beamline.rot.driver.stop())  # noqa: RUF006
            return ()

    beamline.add(Meddling("never", ""))
    error = failed(beamline, flyscan("rot", 0, 9, 10, 0.1, "cam", "faulty"), DeviceError)
    assert error.message.startswith("rot: was stopped at")


def test_a_shutter_that_does_not_open_ends_the_run_before_it_begins(beamline: Beamline) -> None:
    async def stuck() -> None:
        raise OSError("no air")

    beamline.shutter.open = stuck  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="fast: failed to open: OSError: no air"):
        beamline.engine.run(loopscan(3, 0.1))
    assert beamline.run["diode"].shape == (0,)
    sealed_and_whole(beamline.run)


def test_a_shutter_that_does_not_close_is_said_even_after_a_good_scan(beamline: Beamline) -> None:
    async def stuck() -> None:
        raise OSError("no air")

    beamline.shutter.close = stuck  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="fast: failed to close: OSError: no air"):
        beamline.engine.run(loopscan(3, 0.1))
    assert len(beamline.run["diode"]) == 3


def test_a_full_buffer_ends_the_run_and_keeps_what_fitted(beamline: Beamline) -> None:
    beamline.store.room = 3 * 8 * 5
    with pytest.raises(StorageFull, match="The buffer is full"):
        beamline.engine.run(loopscan(100, 0.1))
    assert len(beamline.run["diode"]) == 5
    assert beamline.run.end is not None
    assert beamline.run.end.reason is EndReason.FAILED
    assert beamline.at_rest_and_closed()


def test_a_camera_whose_process_dies_is_named_and_its_frames_are_kept(beamline: Beamline) -> None:
    for scan in (
        flyscan("rot", 0, 9, 10, 0.1, "cam", "diode"),
        ascan("rot", 0, 9, 9, 0.1, "cam", "diode"),
        loopscan(10, 0.1, "cam", "diode", trigger="time"),
    ):
        beamline.cam.dies_after, beamline.cam.error = 4, None
        error = failed(beamline, scan, ProcessError)
        assert error.message.startswith("cam: the receiver process died")
        assert len(beamline.store.runs[-2]["cam"]) == 4


def test_a_camera_whose_process_starts_again_has_the_time_for_it(beamline: Beamline) -> None:
    beamline.cam.slow = 30.0
    assert "did not answer within 10 s" in failed(beamline, loopscan(2, 0.1, "cam"), DeviceTimeout).message
    beamline.cam.comeback = 60.0
    assert beamline.engine.run(loopscan(2, 0.1, "cam")).points == 2


class Saver:
    """A watch on somebody who may die."""

    def __init__(self) -> None:
        self.trouble: str | None = None

    def check(self) -> str | None:
        return self.trouble


@pytest.mark.parametrize("scan", [loopscan(1000, 0.1), flyscan("rot", 0, 90, 1000, 0.1, "cam")], ids=lambda s: s.name)
def test_a_saver_that_dies_ends_the_run(new_beamline: Callable[..., Beamline], scan: Any) -> None:
    saver = Saver()
    beamline = new_beamline(watches=[saver])

    def die(event: Any) -> None:
        if event.point > 20:
            saver.trouble = "The saver died; everything acknowledged is in the buffer."

    beamline.engine.listeners.append(die)
    with pytest.raises(ProcessError, match=r"The saver died; everything acknowledged is in the buffer\."):
        beamline.engine.run(scan)
    assert beamline.run.end is not None
    assert beamline.run.end.reason is EndReason.FAILED
    assert beamline.at_rest_and_closed()
    sealed_and_whole(beamline.run)


def test_axes_go_back_even_when_the_saver_is_gone(new_beamline: Callable[..., Beamline]) -> None:
    saver = Saver()
    beamline = new_beamline(watches=[saver])
    beamline.engine.move({"rot": 30.0, "sy": 2.0})

    def die(event: Any) -> None:
        if event.point > 20:
            saver.trouble = "The saver died."

    beamline.engine.listeners.append(die)
    scans: list[Any] = [
        dscan("rot", -5, 5, 100, 1),
        tomo("rot", 0, 90, 100, 0.1, "all", flat_axis="sy", flat_position=9, flats=50),
    ]
    for scan in scans:
        saver.trouble = None
        with pytest.raises(ProcessError, match="The saver died"):
            beamline.engine.run(scan)
        assert (beamline.rot.position, beamline.sy.position) == (30.0, 2.0)
        assert beamline.at_rest_and_closed()


def test_nothing_starts_while_the_saver_is_dead(new_beamline: Callable[..., Beamline]) -> None:
    saver = Saver()
    saver.trouble = "The disk is full."
    beamline = new_beamline(watches=[saver])
    with pytest.raises(ProcessError, match="The disk is full"):
        beamline.engine.run(ascan("rot", 5, 10, 5, 0.1))
    assert not beamline.store.runs
    assert beamline.rot.position == 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((1.0, 2.0), "faulty: gave 2 values for 1 channels at point 0"),
        ((), "faulty: gave 0 values for 1 channels at point 0"),
        (("much",), "faulty: gave a value for faulty that does not fit <f8"),
        ((np.zeros(3),), "faulty: gave a value of shape (3,) for faulty"),
    ],
)
def test_values_that_do_not_fit_are_refused(beamline: Beamline, values: Any, sentence: str) -> None:
    faulty = Faulty("never", "")
    faulty.read = lambda: values  # type: ignore[method-assign]
    beamline.add(faulty)
    assert failed(beamline, loopscan(3, 0.1, "diode", "faulty"), DeviceError).message.startswith(sentence)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (Block("faulty", 5, np.zeros(1), 0.0), "faulty: gave point 5 of faulty when point 0 was due"),
        (Block("other", 0, np.zeros(1), 0.0), "faulty: gave data for other, which is not one of its channels"),
        (Block("faulty", 0, np.zeros((1, 2)), 0.0), "faulty: gave a value of shape (2,) for faulty"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(beamline: Beamline, block: Block, sentence: str) -> None:
    faulty = Faulty("never", "")
    faulty.collect = lambda: (block,)  # type: ignore[method-assign]
    beamline.add(faulty)
    error = failed(beamline, flyscan("rot", 0, 9, 10, 0.1, "diode", "faulty"), DeviceError)
    assert error.message.startswith(sentence)


def test_points_beyond_the_last_one_are_left_out(beamline: Beamline) -> None:
    blocks = [Block("faulty", 0, np.zeros(15), 0.0)]
    faulty = Faulty("never", "")
    faulty.collect = lambda: [blocks.pop()] if blocks else []  # type: ignore[method-assign]
    beamline.add(faulty)
    beamline.engine.run(flyscan("rot", 0, 9, 10, 0.1, "diode", "faulty"))
    assert len(beamline.run["faulty"]) == 10


class Stuck:
    """A blocking counter whose library never returns; freed by the test."""

    name = "stuck"
    channels: Sequence[ChannelSpec] = (ChannelSpec("stuck"),)
    modes = frozenset({TriggerMode.SOFTWARE})
    blocking = True

    def __init__(self) -> None:
        self.free = threading.Event()

    def prepare(self, plan: TriggerPlan) -> None:
        """Quick."""

    def start(self, moment: float) -> None:
        self.free.wait(60)

    def read(self) -> Sequence[float]:
        return (1.0,)

    def collect(self) -> Sequence[Block]:
        return ()

    def stop(self) -> None:
        """Quick."""


def test_a_blocking_driver_that_hangs_is_named_and_the_engine_works_on() -> None:
    store, stuck = MemoryStore(), Stuck()
    shutter = SimShutter("fast")
    with Engine(store, Devices.of([stuck, shutter], timeouts={"stuck": 0.2}), RealClock()) as engine:
        with pytest.raises(DeviceTimeout, match=r"stuck: did not answer within 0\.2 s when asked to start at point 0"):
            engine.run(loopscan(3, 0.0, "stuck"))
        assert store.last.state is RunState.STOPPED
        assert not shutter.is_open
        stuck.free.set()
        assert engine.run(loopscan(3, 0.0, "stuck")).ok


def test_a_bug_in_the_engine_ends_the_run_too(beamline: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(self: object, point: int, doing: str = "") -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("firstlight.scanning._progress.Reporter.at", bug)
    with pytest.raises(FirstlightError, match=r"The engine failed: ZeroDivisionError: oops\."):
        beamline.engine.run(loopscan(3, 0.1))
    sealed_and_whole(beamline.run)
    assert beamline.at_rest_and_closed()


def test_a_listener_that_fails_hurts_nobody(beamline: Beamline) -> None:
    def bad(event: object) -> None:
        raise ValueError("display is gone")

    beamline.engine.listeners.append(bad)
    assert beamline.engine.run(loopscan(3, 0.1)).ok


def test_an_axis_that_does_not_tell_its_position_is_named(beamline: Beamline) -> None:
    from firstlight.devices import SoftAxis

    left = [5]

    def tell() -> float:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("no answer")
        return 0.0

    beamline.add(Axis(SoftAxis("mute", tell, lambda p: None)))
    error = failed_at_last(beamline, ascan("mute", 0, 10, 10, 0.1))
    assert error.message == "mute: does not tell its position: OSError: no answer."
    with pytest.raises(DeviceError, match="mute: does not tell its position"):
        beamline.engine.run(ascan("mute", 0, 10, 10, 0.1))


def failed_at_last(beamline: Beamline, scan: Any) -> FirstlightError:
    """The error of a run that was made and failed."""
    with pytest.raises(DeviceError) as caught:
        beamline.engine.run(scan)
    assert beamline.run.end is not None
    assert beamline.run.end.reason is EndReason.FAILED
    sealed_and_whole(beamline.run)
    return caught.value


def test_a_run_whose_end_cannot_be_recorded_has_failed(beamline: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, end: object) -> None:
        raise StorageFull("There is no room for the end.")

    monkeypatch.setattr(type(beamline.store.create_run(_info())), "stop", full)
    with pytest.raises(StorageFull, match="no room for the end"):
        beamline.engine.run(loopscan(3, 0.1))
    assert beamline.at_rest_and_closed()


def _info() -> RunInfo:
    return RunInfo(name="x", title="x", start_epoch=0.0)


@pytest.mark.parametrize("value", [1.5, -1, 300, float("nan")])
def test_a_number_that_a_channel_cannot_hold_is_refused(beamline: Beamline, value: float) -> None:
    beamline.add(SoftCounter("n", lambda: (value,), channels=[ChannelSpec("n", "|u1", source="n")]))
    with pytest.raises(DeviceError, match=r"n: gave a value for n that does not fit \|u1"):
        beamline.engine.run(loopscan(3, 0.1, "n", "diode"))
    sealed_and_whole(beamline.run)


def test_a_whole_number_may_come_as_any_kind_of_number(beamline: Beamline) -> None:
    values = iter([1, 2.0, np.int64(3), np.float32(4), np.uint8(5)])
    beamline.add(SoftCounter("n", lambda: (next(values),), channels=[ChannelSpec("n", "|u1", source="n")]))
    beamline.engine.run(loopscan(5, 0.1, "n"))
    assert beamline.run["n"].tolist() == [1, 2, 3, 4, 5]
