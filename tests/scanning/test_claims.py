"""Two that want the same device: one is refused and told by whom, or waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import DeviceError, LimitError, RunAborted
from firstlight.scanning import Busy, Client, Job, acting, acting_as, ascan, loopscan, timescan
from tests.scanning.conftest import Beamline

ANNA, BRUNO = Client("anna", 101, "shell"), Client("bruno", 102)


def fail_with(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Held:
    """An operation that uses devices until it is let go."""

    def __init__(self, beamline: Beamline, *names: str, client: Client = ANNA) -> None:
        self.begun = threading.Event()
        self.event: asyncio.Event | None = None
        self.beamline = beamline

        async def hold() -> str:
            self.event = asyncio.Event()
            self.begun.set()
            await self.event.wait()
            return "held"

        with acting_as(client):
            self.job: Job[Any] = beamline.engine.launch_operation(names, f"hold {' '.join(names)}", hold)
        assert self.begun.wait(10)

    def release(self) -> None:
        assert self.event is not None
        self.beamline.engine.loop.call_soon_threadsafe(self.event.set)
        assert self.job.result(10) == "held"


def test_a_free_axis_moves_while_another_is_in_use(beamline: Beamline) -> None:
    held = Held(beamline, "rot")
    beamline.engine.move({"sy": 1.0})
    assert beamline.sy.position == 1.0
    held.release()


def test_an_axis_in_use_is_refused_and_says_by_whom_and_for_what(beamline: Beamline) -> None:
    held = Held(beamline, "rot")
    with acting_as(BRUNO), pytest.raises(Busy) as caught:
        beamline.engine.move({"sy": 1.0, "rot": 1.0})
    assert str(caught.value).startswith("rot is moved by anna's shell (process 101): hold rot.")
    assert (caught.value.device, caught.value.owner) == ("rot", "anna's shell (process 101)")
    assert beamline.sy.position == 0.0
    held.release()
    beamline.engine.move({"rot": 1.0})


def test_a_scan_is_refused_when_one_of_its_devices_is_in_use(beamline: Beamline) -> None:
    held = Held(beamline, "diode")
    with pytest.raises(Busy, match="diode is used by anna"):
        beamline.engine.run(loopscan(2, 0.1, "diode"))
    assert beamline.engine.run(loopscan(2, 0.1, "ring")).ok
    held.release()


def test_a_scan_with_the_shutter_needs_the_shutter(beamline: Beamline) -> None:
    held = Held(beamline, "fast")
    with pytest.raises(Busy, match="fast is used by"):
        beamline.engine.run(loopscan(2, 0.1, "ring"))
    assert beamline.engine.run(loopscan(2, 0.1, "ring", shutter="as-is")).ok
    held.release()


def test_in_the_queue_a_move_waits_until_the_axis_is_free(beamline: Beamline, wait_for: Callable[..., None]) -> None:
    held = Held(beamline, "rot")
    job = beamline.engine.launch_move({"rot": 7.0}, queue=True)
    held.release()
    job.result(10)
    assert beamline.rot.position == 7.0


def test_what_waits_can_be_stopped(beamline: Beamline) -> None:
    held = Held(beamline, "rot")
    job = beamline.engine.launch_move({"rot": 7.0}, queue=True)
    job.abort()
    with pytest.raises(RunAborted, match=r"mv rot 7 was stopped by the user while it waited. rot is moved by anna"):
        job.result(10)
    assert not held.job.done
    held.release()


def test_in_the_queue_a_scan_waits_for_the_one_before_it(beamline: Beamline) -> None:
    first = beamline.engine.launch(timescan(0.0, "ring"))
    second = beamline.engine.launch(loopscan(2, 0, "ring"), queue=True)
    first.abort()
    assert isinstance(first.result(10).error, RunAborted)
    assert second.result(10).ok


def test_a_second_scan_is_told_whose_is_running(beamline: Beamline) -> None:
    with acting_as(ANNA):
        first = beamline.engine.launch(timescan(0.0, "ring"))
    with pytest.raises(Busy, match=r"Something runs already: timescan 0 ring, started by anna's shell"):
        beamline.engine.run(ascan("rot", 0, 1, 1, 0.1))
    first.abort()
    first.result(10)


def test_abort_stops_what_one_client_started_only(beamline: Beamline) -> None:
    mine, theirs = Held(beamline, "rot", client=ANNA), Held(beamline, "sy", client=BRUNO)
    assert beamline.engine.abort(ANNA)
    with pytest.raises(RunAborted):
        mine.job.result(10)
    assert not theirs.job.done
    theirs.release()
    assert not beamline.engine.abort(BRUNO)


def test_stopping_an_axis_ends_what_moves_it_and_nothing_else(beamline: Beamline) -> None:
    one, other = Held(beamline, "rot"), Held(beamline, "sy")
    beamline.engine.stop(["rot"])
    with pytest.raises(RunAborted):
        one.job.result(10)
    assert not other.job.done
    other.release()


def test_a_scan_that_fails_does_not_stop_the_axis_of_somebody_else(beamline: Beamline) -> None:
    held = Held(beamline, "sy")
    broken = DeviceError("ring", "has no beam.")
    beamline.ring.read = fail_with(broken)  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="ring: has no beam"):
        beamline.engine.run(ascan("rot", 0, 10, 100, 0.1, "ring"))
    assert not held.job.done
    held.release()


def test_a_locked_axis_is_moved_by_its_owner_only(beamline: Beamline) -> None:
    beamline.engine.lock(["rot"], ANNA)
    with acting_as(BRUNO), pytest.raises(Busy, match=r"rot is locked by anna's shell \(process 101\)"):
        beamline.engine.move({"rot": 1.0})
    with acting_as(ANNA):
        beamline.engine.move({"rot": 1.0})
        assert beamline.engine.run(ascan("rot", 0, 1, 1, 0.1)).ok
    assert [(lock.device, lock.owner) for lock in beamline.engine.locks] == [("rot", ANNA)]


def test_somebody_else_can_neither_lock_nor_unlock(beamline: Beamline) -> None:
    beamline.engine.lock(["rot"], ANNA)
    with pytest.raises(Busy, match="rot is locked by anna"):
        beamline.engine.lock(["sy", "rot"], BRUNO)
    assert beamline.engine.unlock(["rot", "sy"], BRUNO) == []
    assert beamline.engine.unlock(["rot"], ANNA) == ["rot"]
    beamline.engine.lock(["sy", "rot"], BRUNO)


def test_what_somebody_else_moves_cannot_be_locked(beamline: Beamline) -> None:
    held = Held(beamline, "rot", client=ANNA)
    with pytest.raises(Busy, match="rot is moved by anna"):
        beamline.engine.lock(["rot"], BRUNO)
    beamline.engine.lock(["rot"], ANNA)
    held.release()


def test_a_client_that_leaves_frees_its_locks_and_who_waits_goes_on(beamline: Beamline) -> None:
    beamline.engine.lock(["rot", "sy"], ANNA)
    with acting_as(BRUNO):
        job = beamline.engine.launch_move({"rot": 3.0}, queue=True)
    assert beamline.engine.leave(ANNA) == ["rot", "sy"]
    job.result(10)
    assert beamline.rot.position == 3.0


def test_settings_of_an_axis_change_only_while_nobody_else_uses_it(beamline: Beamline) -> None:
    held = Held(beamline, "rot")
    with pytest.raises(Busy, match="rot is moved by anna"):
        beamline.engine.change(["rot"], lambda: setattr(beamline.rot, "velocity", 1.0))
    held.release()
    beamline.engine.change(["rot"], lambda: setattr(beamline.rot, "velocity", 1.0))
    assert beamline.rot.velocity == 1.0


def test_a_relative_move_starts_from_where_the_axis_is(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 10.0})
    beamline.engine.move({"rot": -4.0}, relative=True)
    assert beamline.rot.position == pytest.approx(6.0)
    with pytest.raises(LimitError):
        beamline.engine.move({"rot": 1000.0}, relative=True)


def test_the_failure_of_an_operation_names_the_device(beamline: Beamline) -> None:
    def fail() -> None:
        raise RuntimeError("no power")

    with pytest.raises(Exception, match=r"rot: failed in rot.home\(\): RuntimeError: no power"):
        beamline.engine.operate(["rot"], "rot.home()", fail)
    beamline.engine.move({"rot": 1.0})


def test_who_asks_is_this_process_unless_somebody_says_otherwise() -> None:
    assert acting() == acting()
    with acting_as(ANNA):
        assert acting() == ANNA
    assert acting() != ANNA


@pytest.fixture
def two(new_beamline: Callable[..., Beamline], tmp_path: Path) -> tuple[Beamline, Beamline]:
    """Two sessions of one beamline."""
    one, other = (new_beamline(shared=tmp_path / "devices", session=name) for name in ("whole", "part"))
    return one, other


def test_what_another_session_uses_is_refused_and_says_which(two: tuple[Beamline, Beamline]) -> None:
    one, other = two
    held = Held(one, "rot")
    with pytest.raises(Busy) as caught:
        other.engine.move({"sy": 1.0, "rot": 1.0})
    assert str(caught.value).startswith("rot is used by anna's shell (process 101) in the session whole: hold rot.")
    assert caught.value.device == "rot"
    with pytest.raises(Busy, match="rot is used by anna"):
        other.engine.change(["rot"], lambda: None)
    other.engine.move({"sy": 1.0})
    held.release()
    other.engine.move({"rot": 1.0})


def test_in_the_queue_a_move_waits_for_another_session(two: tuple[Beamline, Beamline]) -> None:
    one, other = two
    held = Held(one, "rot")
    job = other.engine.launch_move({"rot": 3.0}, queue=True)
    held.release()
    job.result(10)
    assert other.rot.position == 3.0


def test_a_lock_holds_among_sessions_and_each_may_scan(two: tuple[Beamline, Beamline]) -> None:
    one, other = two
    one.engine.lock(["rot"], ANNA)
    with acting_as(ANNA):
        one.engine.move({"rot": 1.0})
    with pytest.raises(Busy, match=r"rot is used by anna's shell \(process 101\) in the session whole: locked"):
        other.engine.move({"rot": 1.0})
    running = one.engine.launch(loopscan(10**6, 0, "ring", shutter="as-is"))
    assert other.engine.run(loopscan(1, 0.1, "diode", shutter="as-is")).ok
    running.abort()
    running.result(10)
    one.engine.unlock(["rot"], ANNA)
    other.engine.move({"rot": 1.0})


def test_a_session_that_ends_gives_everything_back(two: tuple[Beamline, Beamline]) -> None:
    one, other = two
    one.engine.lock(["rot", "slits.gap", "a/b"], ANNA)
    one.engine.close()
    other.engine.lock(["rot", "slits.gap", "a/b"], BRUNO)
