"""Conditions that let scans wait and go on by themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from firstlight.model import InvalidInput, Scan
from firstlight.scanning import Progress, Suspender, ascan, ct, flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole
from tests.scanning.test_pause import sequence, when

BEAM = Suspender("beam", "ring.current < 5 mA", "ring.current > 50 mA", 30.0)


def suspend(beamline: Beamline, *suspenders: Suspender) -> None:
    beamline.engine.suspenders = {suspender.name: suspender for suspender in suspenders}


@pytest.mark.parametrize("scan", [loopscan(100, 0.1, "all"), ascan("sy", 0, 1, 100, 0.1, "ring")], ids=["loop", "step"])
def test_a_scan_waits_while_the_beam_is_lost_and_goes_on_by_itself(beamline: Beamline, scan: Scan) -> None:
    suspend(beamline, BEAM)
    when(beamline, lambda e: e.point >= 20, lambda: beamline.ring.lose_beam(refill=600.0))
    outcome = beamline.engine.run(scan)
    assert outcome.points == scan.npoints
    (pause,) = outcome.end.pauses
    assert pause.reason == "beam: ring.current < 5 mA"
    assert pause.waited
    assert pause.stop - pause.start == pytest.approx(630.0, abs=1.0)
    assert np.all(beamline.run["epoch"][pause.point :] >= pause.stop)
    # But for the point under way, nothing was counted without beam.
    bright = beamline.run["ring"] > 50
    assert 1 <= np.sum(~bright) <= 3
    assert np.all(bright[pause.point :])
    sealed_and_whole(beamline.run)
    assert beamline.at_rest_and_closed()


def test_a_scan_that_is_started_without_beam_waits_before_its_first_point(beamline: Beamline) -> None:
    beamline.ring.lose_beam(refill=100.0)
    beamline.engine.run(ct(1.0, "ring"))
    assert beamline.ring.current < 5
    suspend(beamline, BEAM)
    outcome = beamline.engine.run(loopscan(3, 0.1, "ring"))
    (pause,) = outcome.end.pauses
    assert pause.point == 0
    assert beamline.ring.current > 50
    assert np.all(beamline.run["ring"] > 50)


def test_a_value_between_the_two_conditions_changes_nothing_and_a_relapse_begins_the_wait_again(
    beamline: Beamline,
) -> None:
    began = beamline.clock.now()
    story = [(0.0, 0.0), (5.0, 10.0), (10.0, 5.0), (15.0, 1.0), (17.0, 10.0), (20.0, 1.0)]

    class Story:
        name = "hutch"

        @property
        def level(self) -> float:
            t = beamline.clock.now() - began
            return [value for moment, value in story if moment <= t][-1]

    told: Any = Story()
    beamline.engine.devices = replace(beamline.engine.devices, triggers={"hutch": told})
    suspend(beamline, Suspender("hutch", "hutch.level > 8", "hutch.level < 2", 4.0))
    outcome = beamline.engine.run(loopscan(100, 0.1, shutter="as-is"))
    (pause,) = outcome.end.pauses
    assert pause.start - beamline.clock.epoch(began) == pytest.approx(5.0, abs=0.3)
    # Not at 19 s, four seconds after it was good: it was bad again at 17 s.
    assert pause.stop - beamline.clock.epoch(began) == pytest.approx(24.0, abs=0.3)


def test_a_continuous_scan_goes_on_and_its_data_are_marked(beamline: Beamline) -> None:
    suspend(beamline, BEAM)
    when(beamline, lambda e: e.point >= 20, lambda: beamline.ring.lose_beam(refill=5.0))
    outcome = beamline.engine.run(flyscan("rot", 0, 90, 100, 0.1, "ring"))
    assert outcome.points == 100
    (mark,) = outcome.end.pauses
    assert not mark.waited
    assert mark.reason == "beam: ring.current < 5 mA"
    epochs = beamline.run["epoch"]
    dark = np.flatnonzero(beamline.run["ring"] < 50)
    assert len(dark)
    assert np.all(epochs[dark] > mark.start - 0.3)
    assert np.all(epochs[dark] < mark.stop)
    sealed_and_whole(beamline.run)


def test_a_sequence_waits_between_its_parts_for_the_beam(beamline: Beamline) -> None:
    suspend(beamline, BEAM)
    fly = flyscan("rot", 0, 9, 10, 0.1)
    when(beamline, lambda e: e.name == "flyscan" and e.point >= 3, lambda: beamline.ring.lose_beam(refill=50.0))
    outcome = beamline.engine.run(sequence(fly, fly))
    assert [mark.waited for mark in outcome.parts[0].end.pauses] == [False]
    assert [pause.waited for pause in outcome.end.pauses] == [True]
    assert not outcome.parts[1].end.pauses


def test_a_user_goes_on_without_beam_only_on_purpose(beamline: Beamline) -> None:
    suspend(beamline, BEAM)
    refused: list[str] = []

    def insist() -> None:
        scan = beamline.engine.scan
        try:
            scan.resume()
        except Exception as error:  # noqa: BLE001 - looked at below
            refused.append(str(error))
        scan.resume(anyway=True)

    when(beamline, lambda e: e.point >= 5, beamline.ring.lose_beam)
    when(beamline, lambda e: bool(e.paused), insist)
    outcome = beamline.engine.run(loopscan(50, 0.1))
    assert "still waits: beam: ring.current < 5 mA" in refused[0]
    assert outcome.points == 50
    assert len(outcome.end.pauses) == 1


def test_a_condition_that_cannot_be_looked_at_is_told_once_and_changes_nothing(
    beamline: Beamline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object) -> float:
        raise OSError("no route to the ring")

    monkeypatch.setattr(type(beamline.ring), "current", property(broken))
    suspend(beamline, BEAM)
    with caplog.at_level(logging.WARNING):
        assert beamline.engine.run(loopscan(50, 0.1)).points == 50
    assert [r.message for r in caplog.records if "cannot be looked at" in r.message] == [
        "beam: ring.current < 5 mA cannot be looked at: OSError: no route to the ring"
    ]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Suspender("a", "ring.current + 1 mA"), "is no condition"),
        (lambda: Suspender("a", "ring.current <"), "column"),
        (lambda: Suspender("a", "ring.current < 1 mA", wait=-1.0), "wait is a time"),
    ],
)
def test_what_is_no_condition_is_refused(make: Callable[[], Suspender], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("rign.current < 1", "there is nothing called rign.current"), ("ring < 1 mA", "ring.current")],
)
def test_a_name_that_nothing_has_ends_the_scan_before_it_begins(beamline: Beamline, text: str, complaint: str) -> None:
    suspend(beamline, Suspender("a", text))
    with pytest.raises(InvalidInput, match=complaint):
        beamline.engine.run(ct(0.1))
    assert not beamline.store.runs


def test_an_axis_is_a_condition_too(beamline: Beamline) -> None:
    suspend(beamline, Suspender("far", "rot > 10 deg"))
    seen: list[Progress] = []
    beamline.engine.listeners.append(lambda e: seen.append(e) if e.paused else None)
    when(beamline, lambda e: bool(e.paused), lambda: beamline.engine.scan.stop())
    outcome = beamline.engine.run(ascan("rot", 0, 20, 20, 0.2))
    assert 10 < beamline.rot.position <= 13
    assert seen[0].doing == "paused: far: rot > 10 deg"
    assert outcome.ok
