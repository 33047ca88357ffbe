from __future__ import annotations

import os

import pytest

from firstlight.model import Conflict, LimitError, NotFound, RunAborted
from firstlight.scanning import Busy, Motion, ascan, loopscan
from tests.scanning.conftest import Beamline


def test_a_move_goes_through_the_gate(beamline: Beamline) -> None:
    seen: list[Motion] = []
    beamline.engine.gate.rules.append(lambda motion: seen.append(motion))
    beamline.engine.move({"rot": 10.0, "sy": 1.0})
    assert (beamline.rot.position, beamline.sy.position) == (10.0, 1.0)
    assert {(m.axis, m.target, m.origin) for m in seen} == {("rot", 10.0, "prompt"), ("sy", 1.0, "prompt")}


def test_a_move_outside_the_limits_is_refused_before_anything_moves(beamline: Beamline) -> None:
    with pytest.raises(LimitError, match="rot: cannot go to 600 deg: its limits are -180 to 540 deg"):
        beamline.engine.move({"sy": 1.0, "rot": 600.0})
    assert beamline.sy.position == 0.0


def test_a_rule_can_refuse_any_motion(beamline: Beamline) -> None:
    beamline.engine.gate.rules.append(lambda m: "the hutch is open." if m.target > 5 else None)
    beamline.engine.move({"rot": 5.0})
    with pytest.raises(LimitError, match=r"rot: may not go to 6 deg: the hutch is open\."):
        beamline.engine.move({"rot": 6.0})


def test_a_rule_refuses_a_scan_before_it_starts(beamline: Beamline) -> None:
    beamline.engine.gate.rules.append(lambda m: "the hutch is open." if m.target > 5 else None)
    with pytest.raises(LimitError, match="rot: point 3 at 6 deg is refused: the hutch is open"):
        beamline.engine.run(ascan("rot", 0, 10, 5, 0.1))
    assert beamline.rot.position == 0.0


def test_an_unknown_axis_is_named(beamline: Beamline) -> None:
    with pytest.raises(NotFound, match="There is no axis omega"):
        beamline.engine.move({"omega": 1.0})


def test_a_move_of_an_axis_that_a_scan_moves_is_refused_and_says_who_moves_it(beamline: Beamline) -> None:
    run = beamline.engine.submit(ascan("rot", 0, 10, 2000, 1))
    with pytest.raises(Busy, match=rf"rot is moved by \w+ \(process {os.getpid()}\): ascan rot 0 10 2000 1"):
        beamline.engine.move({"rot": 1.0})
    beamline.engine.abort()
    assert isinstance(run.result(10).error, RunAborted)
    beamline.engine.move({"rot": 1.0})


def test_an_aborted_move_leaves_the_axis_at_rest(beamline: Beamline) -> None:
    def press(motion: Motion) -> None:
        beamline.engine.abort()

    beamline.engine.gate.rules.append(press)
    with pytest.raises(RunAborted):
        beamline.engine.move({"rot": 400.0})
    assert not beamline.rot.moving
    assert beamline.rot.position < 400.0


def test_a_closed_engine_refuses(beamline: Beamline) -> None:
    beamline.engine.close()
    with pytest.raises(Conflict, match="closed"):
        beamline.engine.run(loopscan(1, 0))
    beamline.engine.close()
