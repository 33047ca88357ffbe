from __future__ import annotations

import pytest

from firstlight.model import RunState
from firstlight.scanning import ascan, loopscan, timescan, tomo
from tests.scanning.conftest import Beamline


def test_states_are_told_in_order_and_points_only_grow(beamline: Beamline) -> None:
    beamline.engine.run(ascan("rot", 0, 10, 20, 0.1))
    states = [event.state for event in beamline.events]
    assert states == sorted(states)
    assert {RunState.PREPARED, RunState.RUNNING, RunState.STOPPED} <= set(states)
    points = [event.point for event in beamline.events]
    assert points == sorted(points)
    assert (points[-1], beamline.events[-1].total) == (21, 21)


def test_fast_points_are_told_at_most_ten_times_a_second(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(1000, 0.001))
    told = [event for event in beamline.events if event.doing == "counting"]
    assert 5 <= len(told) <= 12


def test_the_time_left_shrinks_to_nothing(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(50, 1.0))
    left = [e.remaining for e in beamline.events if e.doing == "counting" and e.remaining is not None]
    assert left[0] == pytest.approx(49.0, rel=0.1)
    assert left[-1] == pytest.approx(0.0, abs=1.5)
    assert left == sorted(left, reverse=True)


def test_an_open_ended_scan_knows_no_total(beamline: Beamline) -> None:
    beamline.press_when(lambda e: e.point >= 3)
    beamline.engine.submit(timescan(1.0)).result(10)
    assert all(e.total is None and e.remaining is None for e in beamline.events)


def test_a_sequence_reports_itself_and_its_parts(beamline: Beamline) -> None:
    beamline.engine.run(tomo("rot", 0, 9, 10, 0.1, "all", darks=2, flats=2))
    assert {e.name for e in beamline.events} == {"tomo", "tomo:dark", "tomo:flat", "tomo:projections"}
    assert [e.point for e in beamline.events if e.name == "tomo"][-1] == 4
