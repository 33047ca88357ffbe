from __future__ import annotations

import math

import numpy as np
import pytest

from firstlight.devices import Axis, SoftAxis, SoftCounter, travel_time
from firstlight.devices.sim import SimAxis
from firstlight.model import DeviceError, InvalidInput, LimitError, NotFound, ScanKind, TriggerMode
from firstlight.scanning import amesh, ascan, ct, dscan, flyscan, loopscan
from firstlight.scanning._plan import LEAD, TRAIL, Plan, resolve
from tests.scanning.conftest import Beamline


def plan(beamline: Beamline, scan: object) -> Plan:
    return resolve(scan, beamline.engine.devices)  # type: ignore[arg-type]


def test_positions_in_another_unit_are_converted(beamline: Beamline) -> None:
    positions = plan(beamline, ascan("sy", "1 cm", "2 cm", 2, 0.1)).positions["sy"]
    np.testing.assert_allclose(positions, [10, 15, 20])


def test_a_unit_of_another_kind_is_refused(beamline: Beamline) -> None:
    with pytest.raises(InvalidInput, match="sy moves in mm, not in deg"):
        plan(beamline, ascan("sy", "1 deg", "2 deg", 2, 0.1))


def test_relative_positions_start_from_where_the_axis_is(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30})
    np.testing.assert_allclose(plan(beamline, dscan("rot", -2, 2, 2, 0.1)).positions["rot"], [28, 30, 32])


def test_the_period_is_the_longest_that_any_camera_needs(beamline: Beamline) -> None:
    assert plan(beamline, flyscan("rot", 0, 1, 10, 0.1, "cam")).period == pytest.approx(0.101)
    assert plan(beamline, flyscan("rot", 0, 1, 10, 0.001, "cam")).period == pytest.approx(1 / 200)
    assert plan(beamline, flyscan("rot", 0, 1, 10, 0.1, "diode")).period == pytest.approx(0.1)


def test_the_speed_is_one_interval_a_period(beamline: Beamline) -> None:
    sweep = plan(beamline, flyscan("rot", 0, 180, 900, 0.049, "cam")).sweep
    assert sweep is not None
    assert sweep.velocity == pytest.approx(0.2 / 0.05)


def test_the_run_up_reaches_the_speed_before_the_first_exposure(beamline: Beamline) -> None:
    sweep = plan(beamline, flyscan("rot", 10, 20, 10, 0.1)).sweep
    assert sweep is not None
    ramp = 10.0**2 / (2 * 40.0)
    assert sweep.departure == pytest.approx(10 - ramp - 10 * LEAD)
    assert sweep.arrival == pytest.approx(20 + ramp + 10 * TRAIL)


def test_a_sweep_downwards_mirrors_one_upwards(beamline: Beamline) -> None:
    up, down = (plan(beamline, flyscan("rot", *ends, 10, 0.1)).sweep for ends in ((10, 20), (20, 10)))
    assert up is not None
    assert down is not None
    assert down.departure - 20 == pytest.approx(10 - up.departure)
    assert down.step == pytest.approx(-up.step)


def test_a_position_trigger_is_told_in_dial_units(beamline: Beamline) -> None:
    axis = Axis(SimAxis("om", clock=beamline.clock, board=beamline.board), sign=-1, offset=100.0)
    beamline.add(axis)
    trigger = plan(beamline, flyscan("om", 10, 20, 10, 0.1, trigger="position")).trigger(beamline.engine.devices)
    assert trigger.mode is TriggerMode.POSITION
    assert trigger.first == pytest.approx(90)
    assert trigger.step == pytest.approx(-1)
    assert trigger.axis == "om"


def test_the_whole_path_is_held_against_the_limits_before_anything_moves(beamline: Beamline) -> None:
    with pytest.raises(LimitError, match=r"rot: point 8 is at 560 deg, outside its limits -180 to 540 deg\."):
        beamline.engine.run(ascan("rot", 0, 700, 10, 0.1))
    assert beamline.rot.position == 0
    assert not beamline.store.runs


def test_every_axis_of_a_mesh_is_held_against_its_limits(beamline: Beamline) -> None:
    with pytest.raises(LimitError, match="sy: point 14 is at 30 mm"):
        beamline.engine.check(amesh("rot", 0, 1, 6, "sy", 0, 60, 4, 0.1))


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        ((-200, 0), "rot: the start is at -200 deg"),
        ((0, 541), "rot: the end is at 541 deg"),
        ((-180, 0), "rot: the beginning of the run-up is at -18"),
        ((530, 540), "rot: the end of the run-down is at 54"),
    ],
)
def test_run_up_and_run_down_must_stay_within_the_limits(
    beamline: Beamline, ends: tuple[float, float], sentence: str
) -> None:
    with pytest.raises(LimitError) as refused:
        beamline.engine.check(flyscan("rot", *ends, 100, 1))
    assert refused.value.message.startswith(sentence)


def test_a_sweep_that_is_too_fast_says_what_would_do(beamline: Beamline) -> None:
    with pytest.raises(LimitError, match=r"at 90 deg/s, above its 20 deg/s\. Count at least 0.45 s"):
        beamline.engine.check(flyscan("rot", 0, 90, 10, 0.1))


def test_an_axis_without_a_ramp_cannot_sweep(beamline: Beamline) -> None:
    beamline.add(Axis(SoftAxis("t", lambda: 0.0, lambda p: None)))
    with pytest.raises(DeviceError, match="t: cannot move at constant speed"):
        beamline.engine.check(flyscan("t", 0, 1, 10, 0.1))


def test_unknown_names_get_the_nearest_one(beamline: Beamline) -> None:
    with pytest.raises(NotFound, match=r"There is no axis rott\. Did you mean rot\?"):
        beamline.engine.check(ascan("rott", 0, 1, 2, 0.1))
    with pytest.raises(NotFound, match=r"no counter, camera or group dioode\. Did you mean diode\?"):
        beamline.engine.check(ct(1, "dioode"))


def test_groups_are_spread_and_each_device_measures_once(beamline: Beamline) -> None:
    spread = plan(beamline, ct(1, "all", "ring"))
    assert [c.name for c in spread.counters] == ["diode", "ring"]
    assert [c.name for c in spread.cameras] == ["cam"]


def test_without_counters_the_default_group_measures(beamline: Beamline) -> None:
    assert [c.name for c in plan(beamline, ct(1)).counters] == ["diode"]


def test_a_counter_that_cannot_be_triggered_so_is_refused(beamline: Beamline) -> None:
    beamline.add(SoftCounter("slow", lambda: 1.0))
    with pytest.raises(InvalidInput, match=r"flyscan: slow cannot be triggered by time\. .*by: software"):
        beamline.engine.check(flyscan("rot", 0, 1, 10, 0.1, "diode", "slow"))


def test_two_channels_of_one_name_are_refused(beamline: Beamline) -> None:
    other = SoftCounter("other", lambda: 1.0, channels=beamline.diode.channels)
    beamline.add(other)
    with pytest.raises(InvalidInput, match="two devices publish a channel called diode"):
        beamline.engine.check(ct(1, "diode", "other"))


def test_dark_frames_without_a_shutter_are_refused(beamline: Beamline) -> None:
    beamline.all.remove(beamline.shutter)
    beamline.add()
    with pytest.raises(InvalidInput, match="no fast shutter to keep closed"):
        beamline.engine.check(loopscan(3, 0.1, shutter="closed"))


def test_a_scan_from_elsewhere_without_a_path_is_refused(beamline: Beamline) -> None:
    scan = ct(1).model_copy(update={"kind": ScanKind.STEP})
    with pytest.raises(InvalidInput, match="ct has no path"):
        beamline.engine.check(scan)


@pytest.mark.parametrize(
    ("distance", "seconds"),
    [(0.0, 0.0), (0.1, 2 * math.sqrt(0.1 / 10)), (2.5, 0.5 + 0.5), (-25.0, 5 + 0.5)],
)
def test_travel_times_are_those_of_a_trapezoid(distance: float, seconds: float) -> None:
    assert travel_time(distance, 5.0, 10.0) == pytest.approx(seconds)
