"""Every sort of motion through the engine: relative, together, jog, home, limit search; and backlash in scans."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstlight.devices import Axis
from firstlight.devices.sim import SimAxis
from firstlight.model import DeviceError, InvalidInput, LimitError, RunAborted
from firstlight.model.motion import DURATION, POSITION, START, VELOCITY, positions
from firstlight.scanning import Busy, Motion, MotionKind, ascan, flyscan
from tests.scanning.conftest import Beamline


def motor(beamline: Beamline, name: str = "m", **options: object) -> Axis:
    """A further axis with switches, of the beamline's clock and board."""
    driver = SimAxis(
        name, unit="mm", velocity=2.0, acceleration=4.0, home=1.0, switches=(-30.0, 30.0), clock=beamline.clock,
        board=beamline.board,
    )  # fmt: skip
    axis = Axis(driver, **options)  # type: ignore[arg-type]
    beamline.add(axis)
    return axis


def seen(beamline: Beamline) -> list[Motion]:
    """Whatever the rules are asked from now on."""
    found: list[Motion] = []
    beamline.engine.gate.rules.append(found.append)
    return found


def arrival(axis: Axis, since: float) -> float:
    rows = axis.segments(since)
    return float((rows[:, START] + rows[:, DURATION]).max())


def test_targets_may_have_units_and_be_relative_to_where_an_axis_was_sent(beamline: Beamline) -> None:
    beamline.engine.move({"sy": "1 cm"})
    beamline.engine.move({"sy": "-2000 um", "rot": 3}, relative=True)
    assert (beamline.sy.position, beamline.rot.position) == pytest.approx((8.0, 3.0))
    with pytest.raises(InvalidInput, match="sy: '3 kg' is not a quantity in mm"):
        beamline.engine.move({"sy": "3 kg"})
    with pytest.raises(LimitError, match="sy: cannot go to 108 mm"):
        beamline.engine.move({"sy": 100.0}, relative=True)


@given(rot=st.floats(-170, 500), sy=st.floats(-19, 19), backlash=st.sampled_from([0.0, 0.5, -0.5]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_axes_that_move_together_arrive_together(beamline: Beamline, rot: float, sy: float, backlash: float) -> None:
    beamline.sy.backlash = 0.0
    beamline.engine.move({"rot": 0.0, "sy": 0.0})
    beamline.sy.backlash = backlash
    began = beamline.clock.now()
    beamline.engine.move({"rot": rot, "sy": sy}, together=True)
    assert (beamline.rot.position, beamline.sy.position) == pytest.approx((rot, sy), abs=1e-9)
    if abs(rot) > 1e-3 and abs(sy) > 1e-3:
        assert arrival(beamline.rot, began) == pytest.approx(arrival(beamline.sy, began), abs=0.01)
    fastest = np.abs(beamline.sy.segments(began)[:, VELOCITY]).max()
    assert fastest <= beamline.sy.velocity * (1 + 1e-9)


def test_without_it_each_takes_its_own_time(beamline: Beamline) -> None:
    began = beamline.clock.now()
    beamline.engine.move({"rot": 400.0, "sy": 1.0})
    assert arrival(beamline.sy, began) < arrival(beamline.rot, began) - 10.0


def test_a_jog_returns_at_once_and_runs_until_it_is_aborted(beamline: Beamline) -> None:
    found = seen(beamline)

    def press(motion: Motion) -> None:
        if motion.kind is MotionKind.JOG:
            beamline.engine.abort()

    beamline.engine.gate.rules.append(press)
    jog = beamline.engine.jog("rot", "-600 deg/min")
    assert jog.result(10) is None
    assert found[0] == Motion("rot", -180.0, -10.0, "prompt", MotionKind.JOG)
    assert not beamline.rot.moving
    assert not beamline.engine.busy


def test_a_jog_ends_at_the_limit(beamline: Beamline) -> None:
    beamline.engine.jog("sy", 5.0).result(10)
    assert beamline.sy.position == 20.0
    with pytest.raises(LimitError, match="sy: is at its high limit of 20 mm already"):
        beamline.engine.jog("sy", 5.0).result(10)
    with pytest.raises(LimitError, match="sy: cannot move at 6 mm/s: its speed limit is 5 mm/s"):
        beamline.engine.jog("sy", -6.0).result(10)


def test_rules_are_asked_for_every_sort_of_motion(beamline: Beamline) -> None:
    axis = motor(beamline)
    found = seen(beamline)
    beamline.engine.home("m", -1)
    assert axis.position == 1.0
    beamline.engine.search_limit("m", 1)
    assert "LIMPOS" in axis.state
    kinds = [(m.kind.value, m.target) for m in dict.fromkeys(found)]
    assert kinds == [("home", -math.inf), ("limit", math.inf)]
    beamline.engine.gate.rules.append(lambda m: "the hutch is open." if m.kind is MotionKind.HOME else None)
    with pytest.raises(LimitError, match="m: may not search its home switch: the hutch is open"):
        beamline.engine.home("m")
    with pytest.raises(InvalidInput, match="m: a direction is 1 or -1, not 3"):
        beamline.engine.home("m", 3)


def test_an_aborted_search_leaves_the_axis_at_rest(beamline: Beamline) -> None:
    axis = motor(beamline)

    def press(motion: Motion) -> None:
        beamline.engine.abort()

    beamline.engine.gate.rules.append(press)
    with pytest.raises(RunAborted):
        beamline.engine.search_limit("m", 1)
    assert not axis.moving
    assert axis.position < 30.0


def test_what_moves_nothing_is_done_where_devices_are_talked_to(beamline: Beamline) -> None:
    axis = motor(beamline)
    beamline.engine.operate(["m"], "disable m", axis.disable)
    assert "DISABLED" in axis.state
    with pytest.raises(DeviceError, match="m: its power is off"):
        beamline.engine.move({"m": 1.0})
    beamline.engine.operate(["m"], "enable m", axis.enable)
    beamline.engine.move({"m": 1.0})
    beamline.engine.operate(["m"], "set_dial m 0", lambda: axis.set_dial(0.0))
    assert axis.position == 0.0


def test_a_jog_of_an_axis_that_is_used_is_refused_and_of_another_is_not(beamline: Beamline) -> None:
    run = beamline.engine.submit(ascan("rot", 0, 10, 2000, 1))
    with pytest.raises(Busy, match="rot is moved by"):
        beamline.engine.jog("rot", 1.0).result(10)
    beamline.engine.jog("sy", 1.0).result(10)
    assert beamline.sy.position == 20.0
    beamline.engine.abort()
    run.result(10)


def test_stopping_an_axis_ends_its_jog(beamline: Beamline) -> None:
    jog = beamline.engine.jog("rot", 1.0)
    beamline.engine.stop(["rot"])
    assert jog.result(10) is None
    assert not beamline.rot.moving


# -- backlash in scans


@pytest.mark.parametrize("backlash", [0.5, -0.5])
@pytest.mark.parametrize(("start", "stop"), [(-5.0, 5.0), (5.0, -5.0)])
def test_every_point_of_a_step_scan_is_approached_from_the_same_side(
    beamline: Beamline, backlash: float, start: float, stop: float
) -> None:
    beamline.sy.backlash = backlash
    began = beamline.clock.now()
    beamline.engine.run(ascan("sy", start, stop, 10, 0.1))
    rows = beamline.sy.segments(began)
    rests = beamline.run["epoch"] - beamline.clock.epoch(0.0)
    for moment in rests:
        last = rows[(rows[:, START] < moment) & (rows[:, VELOCITY] != 0)][-1]
        assert np.sign(last[VELOCITY]) == np.sign(backlash)
    np.testing.assert_allclose(beamline.run["sy"], np.linspace(start, stop, 11), atol=1e-9)


def test_a_scan_whose_backlash_leaves_the_limits_is_refused(beamline: Beamline) -> None:
    beamline.sy.backlash = 0.5
    with pytest.raises(LimitError, match=r"sy: the backlash before point 10 is at -20\.3 mm, outside its limits"):
        beamline.engine.run(ascan("sy", 0, -19.8, 10, 0.1))
    beamline.engine.run(ascan("sy", 0, 20, 2, 0.0))
    assert beamline.sy.position == 20.0


@pytest.mark.parametrize("backlash", [0.5, -0.5])
@pytest.mark.parametrize(("start", "stop"), [(-5.0, 5.0), (5.0, -5.0)])
def test_a_continuous_scan_takes_the_play_up_before_it_starts_and_goes_straight(
    beamline: Beamline, backlash: float, start: float, stop: float
) -> None:
    beamline.sy.backlash = backlash
    began = beamline.clock.now()
    beamline.engine.run(flyscan("sy", start, stop, 10, 0.3, "cam"))
    rows = beamline.sy.segments(began)
    way = math.copysign(1.0, stop - start)
    moment = beamline.run["epoch"][0] - beamline.clock.epoch(0.0)
    moving = rows[(rows[:, START] < moment) & (rows[:, VELOCITY] != 0)]
    # The last thing before the first exposure is a motion of at least the play, in the direction of the sweep.
    turned = moving[np.sign(moving[:, VELOCITY]) != way]
    from_where = float(turned[-1, POSITION]) if len(turned) else start
    assert abs(positions(rows, [moment])[0] - from_where) > 0.5 or not len(turned)
    after = rows[rows[:, START] >= moment]
    assert np.all(after[:, VELOCITY] * way >= -1e-9)


def test_a_continuous_scan_without_room_for_its_backlash_is_refused(beamline: Beamline) -> None:
    beamline.sy.backlash = 0.5
    with pytest.raises(LimitError, match="sy: the backlash before the run-up is at"):
        beamline.engine.run(flyscan("sy", -19.2, 0, 10, 1.0, "cam"))


def test_an_estimate_includes_the_backlash(new_beamline: Callable[..., Beamline]) -> None:
    times = []
    for backlash in (0.0, -0.5):
        beamline = new_beamline()
        beamline.sy.backlash = backlash
        told = beamline.engine.estimate(ascan("sy", 0, 5, 10, 0.1)).duration
        began = beamline.clock.now()
        beamline.engine.run(ascan("sy", 0, 5, 10, 0.1))
        assert beamline.clock.now() - began == pytest.approx(told, rel=0.15)
        times.append(told)
    assert times[1] > times[0] + 5.0
