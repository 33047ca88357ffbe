"""Scans that wait, go on, and end early on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.model import Conflict, EndReason, RunAborted, Scan
from firstlight.scanning import MoveTo, Outcome, Preset, Progress, ScanSequence, amesh, ascan, dscan, flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole


def when(beamline: Beamline, condition: Callable[[Progress], bool], action: Callable[[], Any]) -> None:
    """Do something, once, when a report of the progress says so."""
    done: list[bool] = []

    def look(event: Progress) -> None:
        if not done and condition(event):
            done.append(True)
            action()

    beamline.engine.listeners.append(look)


def pause_at(beamline: Beamline, point: int, seconds: float, why: str = "lunch") -> None:
    """Pause after some points, and resume later, in fake time."""

    def resume_later() -> None:
        scan = beamline.engine.scan
        beamline.engine.loop.create_task(_later(beamline, seconds, scan.resume))

    when(beamline, lambda e: e.point >= point, lambda: beamline.engine.scan.pause(why))
    when(beamline, lambda e: bool(e.paused), resume_later)


async def _later(beamline: Beamline, seconds: float, action: Callable[[], Any]) -> None:
    await beamline.clock.sleep_until(beamline.clock.now() + seconds)
    action()


@pytest.mark.parametrize(
    "scan",
    [
        loopscan(20, 0.1),
        ascan("rot", 0, 20, 20, 0.1, "all"),
        amesh("rot", 0, 1, 4, "sy", 0, 1, 4, 0.1, backnforth=True),
        dscan("sy", -1, 1, 20, 0),
    ],
    ids=lambda scan: scan.title,
)
def test_a_paused_scan_waits_between_two_points_and_visits_all_of_them(beamline: Beamline, scan: Scan) -> None:
    described = dict(beamline.engine.dry_run(scan).positions)
    pause_at(beamline, 5, 100.0)
    outcome = beamline.engine.run(scan)
    run = beamline.run
    assert outcome.ok
    assert outcome.points == scan.npoints
    for name, wanted in described.items():
        np.testing.assert_allclose(run[name], wanted, atol=1e-9)
    gaps = np.diff(run["elapsed_time"])
    assert np.sum(gaps > 99) == 1
    assert run.end is not None
    (pause,) = run.end.pauses
    assert pause.reason == "lunch"
    assert pause.stop - pause.start == pytest.approx(100.0, abs=0.01)
    assert run["epoch"][pause.point - 1] < pause.start
    assert run["epoch"][pause.point] >= pause.stop
    assert pause.point == int(np.argmax(gaps)) + 1
    sealed_and_whole(run)
    assert beamline.at_rest_and_closed()


def test_a_pause_is_told_with_its_reason_and_does_not_count_for_the_time_that_remains(beamline: Beamline) -> None:
    pause_at(beamline, 5, 1000.0)
    beamline.engine.run(loopscan(20, 1.0))
    said = [e.doing for e in beamline.events]
    assert said.index("pausing") < said.index("paused: lunch") < said.index("going on")
    assert {e.paused for e in beamline.events} == {"", "lunch"}
    after = [e.remaining for e in beamline.events if e.doing == "counting" and e.point == 10]
    assert after[0] == pytest.approx(10.0, abs=1.5)


def test_points_before_a_pause_are_there_while_it_waits(beamline: Beamline) -> None:
    seen: list[int] = []
    pause_at(beamline, 5, 1.0)
    when(beamline, lambda e: bool(e.paused), lambda: seen.append(beamline.run.channels["diode"].count))
    beamline.engine.run(loopscan(200, 0.01))
    assert beamline.run.end is not None
    assert seen == [beamline.run.end.pauses[0].point]


def test_the_shutter_is_closed_while_a_scan_waits(beamline: Beamline) -> None:
    states: list[bool] = []
    pause_at(beamline, 5, 1.0)
    beamline.engine.listeners.append(lambda e: states.append(beamline.shutter.is_open) if e.paused else None)
    beamline.engine.run(loopscan(20, 0.1))
    assert states
    assert not any(states)
    assert np.all(beamline.run["diode"][6:] > 0)
    # Every point after it was counted in the beam again.
    np.testing.assert_allclose(beamline.run["diode"][-5:], beamline.run["diode"][:5], rtol=0.2)


def test_a_scan_that_waits_can_be_stopped_well_or_aborted(beamline: Beamline) -> None:
    when(beamline, lambda e: e.point >= 5, lambda: beamline.engine.scan.pause())
    when(beamline, lambda e: bool(e.paused), lambda: beamline.engine.scan.stop("Enough."))
    outcome = beamline.engine.run(loopscan(20, 0.1))
    assert outcome.end.reason is EndReason.SUCCESS
    assert outcome.end.message == "Enough."
    assert 5 <= outcome.points < 20
    assert len(outcome.end.pauses) == 1
    sealed_and_whole(beamline.run)

    beamline.engine.listeners.clear()
    when(beamline, lambda e: e.point >= 5, lambda: beamline.engine.scan.pause())
    when(beamline, lambda e: bool(e.paused), beamline.engine.abort)
    with pytest.raises(RunAborted):
        beamline.engine.run(loopscan(20, 0.1))
    assert beamline.run.end is not None
    assert len(beamline.run.end.pauses) == 1
    sealed_and_whole(beamline.run)
    assert beamline.at_rest_and_closed()


@pytest.mark.parametrize(
    "scan",
    [
        loopscan(1000, 0.1),
        ascan("rot", 0, 100, 1000, 0.1, "all"),
        flyscan("rot", 0, 90, 1000, 0.1, "all"),
        flyscan("rot", 0, 90, 1000, 0.1, "all", trigger="position"),
        loopscan(1000, 0.1, "all", trigger="time"),
    ],
    ids=lambda scan: scan.title,
)
def test_a_stop_is_a_success_that_came_early(beamline: Beamline, scan: Scan) -> None:
    when(beamline, lambda e: e.point >= 5, lambda: beamline.engine.scan.stop())
    outcome = beamline.engine.run(scan)
    assert outcome.ok
    assert outcome.error is None
    assert outcome.end.message.startswith("Stopped by ")
    assert 5 <= outcome.points < 30
    assert beamline.at_rest_and_closed()
    sealed_and_whole(beamline.run)


def test_a_relative_scan_that_is_stopped_returns(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30.0})
    when(beamline, lambda e: e.point >= 2, lambda: beamline.engine.scan.stop())
    beamline.engine.run(dscan("rot", -5, 5, 10, 1))
    assert beamline.rot.position == 30.0


@pytest.mark.parametrize("scan", [flyscan("rot", 0, 90, 100, 0.1), loopscan(100, 0.1, trigger="time")])
def test_a_scan_whose_devices_make_the_points_refuses_to_wait(beamline: Beamline, scan: Scan) -> None:
    refused: list[str] = []

    def attempt() -> None:
        with pytest.raises(Conflict) as caught:
            beamline.engine.scan.pause()
        refused.append(str(caught.value))

    when(beamline, lambda e: e.point >= 5, attempt)
    assert beamline.engine.run(scan).points == 100
    assert refused[0].startswith(f"{scan.name} cannot wait: its devices make all points by themselves.")


def test_a_continuous_scan_can_wait_before_it_sets_off(beamline: Beamline) -> None:
    pause_at(beamline, 0, 10.0)
    outcome = beamline.engine.run(flyscan("rot", 0, 90, 100, 0.1))
    assert outcome.points == 100
    (pause,) = outcome.end.pauses
    assert pause.point == 0


def sequence(*steps: Scan | MoveTo) -> ScanSequence:
    return ScanSequence(name="several", title="several", steps=steps, back=("sy",))


def test_a_sequence_waits_between_its_parts(beamline: Beamline) -> None:
    fly = flyscan("rot", 0, 9, 10, 0.1)
    pause_at(beamline, 5, 50.0)
    outcome = beamline.engine.run(sequence(fly, MoveTo(axis="sy", position=1.0), fly))
    assert [part.points for part in outcome.parts] == [10, 10]
    (pause,) = outcome.end.pauses
    assert pause.point == 1
    assert not outcome.parts[0].end.pauses


def test_skipping_ends_one_scan_of_a_sequence_and_stopping_ends_them_all(beamline: Beamline) -> None:
    loop = loopscan(100, 0.1)

    def run(action: Callable[[], Any]) -> Outcome:
        beamline.engine.listeners.clear()
        when(beamline, lambda e: e.name == "loopscan" and e.point >= 5, action)
        return beamline.engine.run(sequence(MoveTo(axis="sy", position=2.0), loop, loop))

    first = run(lambda: beamline.engine.scan.skip())
    assert first.ok
    assert first.parts[0].points < 30
    assert first.parts[1].points == 100
    second = run(lambda: beamline.engine.scan.stop())
    assert second.ok
    assert second.end.message.startswith("Stopped by")
    assert [part.points < 30 for part in second.parts] == [True]
    assert beamline.sy.position == 0.0


def test_only_what_waits_can_go_on_and_only_scans_can_wait(beamline: Beamline) -> None:
    with pytest.raises(Conflict, match="No scan runs"):
        beamline.engine.scan.pause()
    complaints: list[str] = []

    def attempt() -> None:
        with pytest.raises(Conflict) as caught:
            beamline.engine.scan.resume()
        complaints.append(caught.value.message)

    when(beamline, lambda e: e.point >= 2, attempt)
    beamline.engine.run(loopscan(10, 0.1))
    assert complaints == ["loopscan 10 0.1 does not wait."]
    job = beamline.engine.launch_move({"rot": 1.0})
    with pytest.raises(Conflict, match=r"is no scan|has ended"):
        job.pause()
    job.result(10)
    ended = beamline.engine.launch(loopscan(1, 0))
    ended.result(10)
    with pytest.raises(Conflict, match="has ended"):
        ended.stop()


def test_a_scan_that_is_resumed_before_it_waits_does_not_wait(beamline: Beamline) -> None:
    def both() -> None:
        beamline.engine.scan.steering.hold("", "a mistake")
        beamline.engine.scan.resume()

    when(beamline, lambda e: e.point >= 5, both)
    outcome = beamline.engine.run(loopscan(20, 0.1))
    assert outcome.points == 20
    assert not outcome.end.pauses


def test_presets_hear_of_a_pause(beamline: Beamline) -> None:
    heard: list[str] = []

    class Hearing(Preset):
        def scan_pause(self, why: str) -> None:
            heard.append(why)

        async def scan_resume(self) -> None:
            heard.append("on")

    beamline.engine.presets.append(Hearing())
    pause_at(beamline, 5, 1.0, "tea")
    beamline.engine.run(loopscan(20, 0.1))
    assert heard == ["tea", "on"]
