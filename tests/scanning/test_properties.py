"""Random scans with random ends: what is described is what is visited, and every run ends sealed and readable."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from firstlight.model import Conflict, EndReason, FirstlightError, Scan, ScanKind
from firstlight.scanning import Job, Progress, amesh, ascan, dscan, flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole
from tests.scanning.test_failures import Faulty

place = st.floats(-20, 20, allow_nan=False, width=32)
few = st.integers(1, 8)
exposure = st.sampled_from([0.0, 0.004, 0.05, 0.3])
measured = st.lists(st.sampled_from(["diode", "ring", "cam"]), min_size=1, max_size=3, unique=True)


@st.composite
def scans(draw: st.DrawFn) -> Scan:
    kind = draw(st.sampled_from(["loop", "free", "ascan", "dscan", "amesh", "fly"]))
    names, time = draw(measured), draw(exposure)
    if kind == "loop":
        return loopscan(draw(few), time, *names)
    if kind == "free":
        return loopscan(draw(few), time or 0.01, *names, trigger="time")
    if kind == "ascan":
        return ascan("rot", draw(place), draw(place), draw(few), time, *names, stab_time=draw(exposure))
    if kind == "dscan":
        return dscan("sy", draw(place) / 4, draw(place) / 4, draw(few), time, *names)
    if kind == "amesh":
        snake = draw(st.booleans())
        return amesh("rot", draw(place), draw(place), draw(few), "sy", -1, 1, draw(few), time, *names, backnforth=snake)
    start, count = draw(place), draw(few)
    # Slow enough for the axis at any exposure.
    stop = start + draw(st.sampled_from([-1.0, 1.0])) * count * draw(st.floats(0.001, 0.05))
    trigger = draw(st.sampled_from(["time", "position"]))
    return flyscan("rot", start, stop, count, time or 0.01, *names, trigger=trigger, back=draw(st.booleans()))  # type: ignore[arg-type]


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def visited(run: Any, scan: Scan, positions: dict[str, Any]) -> None:
    for name, wanted in positions.items():
        seen = run[f"{name}:start"] if scan.kind is ScanKind.FLY else run[name]
        if scan.kind is ScanKind.FLY and len(wanted) > 1:
            wanted = wanted - (wanted[1] - wanted[0]) / 2
        if scan.kind is not ScanKind.FLY or len(wanted) > 1:
            np.testing.assert_allclose(seen, wanted[: len(seen)], atol=1e-5)


@given(scan=scans())
@relaxed
def test_points_visited_are_points_described(beamline: Beamline, scan: Scan) -> None:
    described = beamline.engine.dry_run(scan)
    outcome = beamline.engine.run(scan)
    run = beamline.run
    assert outcome.points == described.points == scan.npoints
    assert {log.count for log in run.channels.values()} == {scan.npoints}
    visited(run, scan, dict(described.positions))
    sealed_and_whole(run)
    assert beamline.at_rest_and_closed()


@given(scan=scans(), moment=st.floats(0, 3), twice=st.booleans())
@relaxed
def test_an_abort_at_any_moment_leaves_a_sealed_run(beamline: Beamline, scan: Scan, moment: float, twice: bool) -> None:
    # A former example that was stopped twice did not return.
    beamline.engine.move({"rot": 0.0, "sy": 0.0})
    described = dict(beamline.engine.dry_run(scan).positions)
    pressed: list[float] = []
    due = beamline.clock.now() + moment

    def look(event: object) -> None:
        if beamline.clock.now() >= due and len(pressed) <= twice:
            pressed.append(beamline.clock.now())
            beamline.engine.abort()

    beamline.engine.listeners.append(look)
    outcome = beamline.engine.submit(scan).result(30)
    beamline.engine.listeners.remove(look)
    event(outcome.end.reason.value)
    assert outcome.end.reason in (EndReason.SUCCESS, EndReason.ABORTED)
    sealed_and_whole(beamline.run)
    visited(beamline.run, scan, described)
    assert beamline.at_rest_and_closed()


@given(scan=scans(), moment=st.floats(0, 3), rest=st.floats(0, 100), how=st.sampled_from(["resume", "stop", "abort"]))
@relaxed
def test_a_pause_at_any_moment_leaves_out_no_point(
    beamline: Beamline, scan: Scan, moment: float, rest: float, how: str
) -> None:
    beamline.engine.move({"rot": 0.0, "sy": 0.0})
    described = dict(beamline.engine.dry_run(scan).positions)
    due = beamline.clock.now() + moment
    asked: list[Job[Any]] = []

    async def later(job: Job[Any]) -> None:
        await beamline.clock.sleep_until(beamline.clock.now() + rest)
        with suppress(Conflict):
            getattr(job, how)()

    def look(progress: Progress) -> None:
        if beamline.clock.now() >= due and not asked:
            asked.append(beamline.engine.scan)
            with suppress(Conflict):
                asked[0].pause()
                beamline.engine.loop.create_task(later(asked[0]))

    beamline.engine.listeners.append(look)
    outcome = beamline.engine.submit(scan).result(30)
    beamline.engine.listeners.remove(look)
    event(f"{outcome.end.reason.value}, {len(outcome.end.pauses)} pauses")
    if how == "resume":
        assert outcome.points == scan.npoints
    assert outcome.end.reason in (EndReason.SUCCESS, EndReason.ABORTED)
    run = beamline.run
    for pause in outcome.end.pauses:
        epochs = run["epoch"]
        assert np.all(epochs[: pause.point] <= pause.start)
        assert np.all(epochs[pause.point :] >= pause.stop)
    sealed_and_whole(run)
    visited(run, scan, described)
    assert beamline.at_rest_and_closed()


@given(
    scan=scans(),
    phase=st.sampled_from(["prepare", "start", "read", "collect", "stop"]),
    how=st.sampled_from(["raises", "raises later", "hangs", "refuses"]),
    after=st.integers(0, 12),
)
@relaxed
def test_a_failure_at_any_point_leaves_a_sealed_run(
    beamline: Beamline, scan: Scan, phase: str, how: str, after: int
) -> None:
    if phase == "collect" and how in ("raises later", "hangs"):
        how = "raises"
    beamline.engine.move({"rot": 0.0, "sy": 0.0})
    described = dict(beamline.engine.dry_run(scan).positions)
    if "faulty" in beamline.engine.devices.counters:
        beamline.all.pop()
    beamline.add(Faulty(phase, how, after), timeouts={"faulty": 1.0})
    outcome = beamline.engine.submit(scan.model_copy(update={"counters": (*scan.counters, "faulty")})).result(30)
    event(outcome.end.reason.value)
    assert outcome.end.reason in (EndReason.SUCCESS, EndReason.FAILED)
    assert outcome.ok == (outcome.error is None)
    if outcome.error is not None:
        assert isinstance(outcome.error, FirstlightError)
        assert "faulty" in str(outcome.error)
    sealed_and_whole(beamline.run)
    visited(beamline.run, scan, described)
    assert beamline.at_rest_and_closed()


def random_scan(random: np.random.Generator) -> Scan:
    """Any scan, quicker than hypothesis makes one."""
    names = [str(name) for name in random.permutation(["diode", "ring", "cam"])[: random.integers(1, 4)]]
    count, time = int(random.integers(1, 9)), float(random.choice([0.0, 0.004, 0.05, 0.3]))
    here, there = (round(float(p), 3) for p in random.uniform(-20, 20, 2))
    match random.integers(6):
        case 0:
            return loopscan(count, time, *names)
        case 1:
            return loopscan(count, time or 0.01, *names, trigger="time")
        case 2:
            return ascan("rot", here, there, count, time, *names)
        case 3:
            return dscan("sy", here / 5, there / 5, count, time, *names)
        case 4:
            return amesh("rot", here, there, count, "sy", -1, 1, 2, time, *names, backnforth=bool(random.integers(2)))
        case _:
            stop = here + count * float(random.uniform(0.001, 0.05))
            return flyscan("rot", here, stop, count, time or 0.01, *names, back=bool(random.integers(2)))


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_scans_are_visited_point_by_point_and_leave_nothing_behind(beamline: Beamline, seed: int) -> None:
    random = np.random.default_rng(seed)
    beamline.engine.run(loopscan(1, 0.1, "diode", "cam"))
    threads = threading.active_count()
    for _ in range(1000):
        if random.integers(10) == 0:
            beamline.engine.move({"rot": 0.0, "sy": 0.0})
        scan = random_scan(random)
        outcome = beamline.engine.run(scan)
        assert outcome.points == scan.npoints
        assert {log.count for log in beamline.run.channels.values()} == {scan.npoints}
        sealed_and_whole(beamline.run)
        assert beamline.at_rest_and_closed()
        beamline.store.runs.clear()
        beamline.events.clear()
    assert threading.active_count() == threads
