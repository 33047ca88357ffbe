"""Jog, home, limit search, encoder, hooks, settings, state: what an axis adds to a driver that can."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from firstlight.devices import Axis, SoftAxis, Surroundings, build
from firstlight.devices.sim import SimAxis, SimEncoder
from firstlight.model import AxisFlag, DeviceError, FakeClock, InvalidInput, LimitError, MotionHook
from firstlight.model.motion import positions


class Line:
    """One simulated axis in fake time."""

    def __init__(self, *, encoder: dict[str, float] | None = None, axis: dict[str, Any] | None = None, **motor: Any):
        self.clock = FakeClock()
        settings: dict[str, Any] = {"unit": "mm", "velocity": 2.0, "acceleration": 4.0, "clock": self.clock} | motor
        self.motor = SimAxis("x", **settings)
        options = dict(axis or {})
        if encoder is not None:
            options["encoder"] = SimEncoder(self.motor, **encoder)  # type: ignore[arg-type]
        self.axis = Axis(self.motor, **options)

    def after(self, seconds: float, story: Coroutine[Any, Any, Any], then: Callable[[], Awaitable[Any]]) -> Any:
        """Start something, do something else after a while, and wait for the first."""

        async def both() -> Any:
            task = asyncio.ensure_future(story)
            await self.clock.sleep_until(self.clock.now() + seconds)
            await then()
            return await task

        return asyncio.run(both())


# -- jog


def test_a_jog_runs_until_it_is_stopped_and_ends_without_an_error() -> None:
    line = Line()
    line.after(3.0, line.axis.jog(-1.0), line.axis.stop)
    assert not line.axis.moving
    # A ramp of 1/4 s, then 1 mm/s, then 1/8 mm of deceleration.
    assert line.axis.position == pytest.approx(-(3.0 - 0.125 + 0.125), abs=0.02)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_jog_ends_at_the_limit_in_its_direction(sign: int) -> None:
    line = Line(axis={"limits": (-5.0, 8.0), "sign": sign})
    asyncio.run(line.axis.jog(2.0))
    assert line.axis.position == line.axis.limits[1] == (8.0 if sign > 0 else 5.0)
    with pytest.raises(LimitError, match="x: is at its high limit of"):
        asyncio.run(line.axis.jog(1.0))
    asyncio.run(line.axis.jog(-2.0))
    assert line.axis.position == line.axis.limits[0]


def test_a_cancelled_jog_comes_to_rest() -> None:
    line = Line()

    async def story() -> None:
        task = asyncio.ensure_future(line.axis.jog(2.0))
        await line.clock.sleep_until(line.clock.now() + 1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not line.axis.moving

    asyncio.run(story())


def test_a_jog_faster_than_allowed_is_refused() -> None:
    line = Line(axis={"maximum_velocity": 3.0})
    with pytest.raises(LimitError, match="its speed limit is 3 mm/s"):
        asyncio.run(line.axis.jog(4.0))
    with pytest.raises(InvalidInput, match="speed of a jog"):
        asyncio.run(line.axis.jog(0.0))


def test_a_jog_onto_a_limit_switch_is_an_error_that_names_it() -> None:
    line = Line(switches=(-1.0, 1.0))
    with pytest.raises(DeviceError, match=r"x: hit its positive limit switch at 1\.\d+ mm while it jogged"):
        asyncio.run(line.axis.jog(2.0))
    assert AxisFlag.LIMPOS in line.axis.state


def test_a_driver_that_cannot_says_so() -> None:
    axis = Axis(SoftAxis("t", lambda: 1.0, lambda x: None))
    for story, words in (
        (axis.jog(1.0), "cannot run without a target"),
        (axis.home(), "cannot search a home switch"),
        (axis.search_limit(1), "cannot search its limit switches"),
        (axis.set_dial(0.0), "has a controller that cannot be told its position"),
        (axis.disable(), "has no power to switch"),
    ):
        with pytest.raises(DeviceError, match=rf"t: {words}\. Its driver \(SoftAxis\) cannot\."):
            asyncio.run(story)


# -- home and limit switches


@pytest.mark.parametrize(("start", "direction"), [(0.0, 1), (5.0, -1), (0.0, -1), (5.0, 1)])
def test_homing_finds_the_switch_from_either_side_and_sets_the_dial(start: float, direction: int) -> None:
    line = Line(home=3.0, switches=(-10.0, 10.0), position=start)
    line.motor.slip = 0.25
    asyncio.run(line.axis.home(direction))
    assert line.axis.dial == line.motor.mechanical() == 3.0
    assert AxisFlag.HOME in line.axis.state


def test_homing_away_from_the_switch_needs_a_limit_switch_to_turn_round() -> None:
    line = Line(home=3.0)
    with pytest.raises(DeviceError, match="cannot find its home switch there: it has no negative limit switch"):
        asyncio.run(line.axis.home(-1))
    with pytest.raises(DeviceError, match="x: has no home switch"):
        asyncio.run(Line().axis.home())


def test_a_limit_search_ends_on_the_switch_beyond_the_limits_that_are_set() -> None:
    line = Line(switches=(-4.0, 4.0), axis={"limits": (-1.0, 1.0), "sign": -1})
    asyncio.run(line.axis.search_limit(1))
    assert line.motor.mechanical() <= -4.0
    assert AxisFlag.LIMPOS in line.axis.state
    assert AxisFlag.LIMNEG not in line.axis.state
    with pytest.raises(InvalidInput, match="direction is 1 or -1"):
        asyncio.run(line.axis.search_limit(0))


def test_a_move_onto_a_limit_switch_stops_there_and_it_can_leave_again() -> None:
    line = Line(switches=(-4.0, 4.0))
    with pytest.raises(DeviceError, match=r"hit its positive limit switch at 4\.\d+ mm on its way to 9 mm"):
        asyncio.run(line.axis.move(9.0))
    assert 4.0 <= line.axis.position <= 4.0 + 2.0**2 / (2 * 4.0) + 1e-9
    with pytest.raises(DeviceError, match="hit its positive limit switch"):
        asyncio.run(line.axis.move(9.0))
    asyncio.run(line.axis.move(0.0))
    assert line.axis.position == 0.0
    assert str(line.axis.state) == "READY"


# -- encoder


def test_an_encoder_reads_beside_the_controller_in_its_resolution() -> None:
    line = Line(encoder={"resolution": 0.25, "offset": 0.1}, axis={"offset": 10.0})
    asyncio.run(line.axis.move(11.1))
    assert line.axis.measured == pytest.approx(11.25)
    assert line.axis.position == pytest.approx(11.1)
    with pytest.raises(DeviceError, match="x: has no encoder"):
        Line().axis.measured  # noqa: B018


def test_a_move_that_lost_steps_is_told_with_both_positions_and_sync_takes_the_encoders() -> None:
    line = Line(encoder={}, axis={"tolerance": 0.01})
    asyncio.run(line.axis.move(1.0))
    line.motor.slip = -0.2
    with pytest.raises(
        DeviceError, match=r"x: is at 1\.8 mm by its encoder x_encoder, and at 2 mm by its controller: 0\.2 apart"
    ):
        asyncio.run(line.axis.move(2.0))
    asyncio.run(line.axis.sync())
    assert line.axis.position == pytest.approx(1.8)
    asyncio.run(line.axis.move(2.0))
    assert line.motor.mechanical() == pytest.approx(2.0)


def test_setting_the_dial_moves_nothing() -> None:
    line = Line(axis={"offset": 5.0})
    asyncio.run(line.axis.move(6.0))
    asyncio.run(line.axis.set_dial(0.0))
    assert (line.axis.dial, line.axis.position) == (0.0, 5.0)
    assert line.motor.mechanical() == 1.0
    began = line.clock.now()
    asyncio.run(line.axis.move(7.0))
    assert positions(line.axis.segments(began), [began])[0] == pytest.approx(5.0)
    assert line.motor.mechanical() == pytest.approx(3.0)


# -- hooks


class Hook:
    def __init__(self, name: str, log: list[str], *, fail: str = "", later: bool = False) -> None:
        self.name, self.log, self.fail, self.later = name, log, fail, later

    def before(self, axis: str, target: float) -> Awaitable[None] | None:
        return self._do("before", f"{axis} {target:g}")

    def after(self, axis: str) -> Awaitable[None] | None:
        return self._do("after", axis)

    def _do(self, phase: str, text: str) -> Awaitable[None] | None:
        self.log.append(f"{self.name} {phase} {text}")
        if self.fail == phase:
            raise OSError("no air")
        return asyncio.sleep(0) if self.later else None


def test_hooks_are_called_around_every_motion() -> None:
    log: list[str] = []
    line = Line(switches=(-9.0, 9.0), home=0.0)
    line.axis.hooks = (Hook("air", log), Hook("brake", log, later=True))
    assert isinstance(line.axis.hooks[0], MotionHook)
    asyncio.run(line.axis.move(1.0))
    assert log == ["air before x 1", "brake before x 1", "brake after x", "air after x"]
    log.clear()
    asyncio.run(line.axis.home(-1))
    asyncio.run(line.axis.search_limit(1))
    assert log[0] == "air before x -inf"
    assert log[4] == "air before x inf"


def test_a_hook_that_fails_refuses_the_motion_and_those_begun_are_ended() -> None:
    log: list[str] = []
    line = Line()
    line.axis.hooks = (Hook("air", log), Hook("brake", log, fail="before"), Hook("never", log))
    with pytest.raises(DeviceError, match="x: its hook brake failed before the motion: OSError: no air"):
        asyncio.run(line.axis.move(1.0))
    assert line.axis.position == 0.0
    assert log == ["air before x 1", "brake before x 1", "brake after x", "air after x"]


def test_after_runs_also_when_the_motion_fails_or_is_cancelled() -> None:
    log: list[str] = []
    line = Line(switches=(-1.0, 1.0))
    line.axis.hooks = (Hook("air", log),)
    with pytest.raises(DeviceError, match="limit switch"):
        asyncio.run(line.axis.move(5.0))
    assert log[-1] == "air after x"
    log.clear()

    async def story() -> None:
        task = asyncio.ensure_future(line.axis.move(0.0))
        await line.clock.sleep_until(line.clock.now() + 0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert log[-1] == "air after x"


def test_a_hook_that_fails_after_a_motion_is_told() -> None:
    line = Line()
    line.axis.hooks = (Hook("air", [], fail="after"),)
    with pytest.raises(DeviceError, match="x: its hook air failed after the motion: OSError: no air"):
        asyncio.run(line.axis.move(1.0))
    assert line.axis.position == 1.0


def test_what_is_no_hook_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'brake' is no hook"):
        Line().axis.hooks = ("brake",)  # type: ignore[assignment]


# -- settings


def test_numbers_may_have_units() -> None:
    axis = Line(axis={"maximum_velocity": 50.0}).axis
    axis.velocity = "3 cm/s"
    axis.acceleration = "1 m/s**2"
    axis.backlash = "100 um"
    axis.limits = ("-1 cm", 20)
    axis.set_position("5 mm")
    assert (axis.velocity, axis.acceleration, axis.backlash) == pytest.approx((30.0, 1000.0, 0.1))
    assert axis.limits == pytest.approx((-5.0, 25.0))
    axis.acceleration_time = "200 ms"
    assert axis.acceleration == pytest.approx(150.0)
    assert axis.acceleration_time == pytest.approx(0.2)
    with pytest.raises(InvalidInput, match="x: '3 kg' is not a quantity in mm/s"):
        axis.velocity = "3 kg"


def test_a_velocity_above_the_configured_maximum_is_refused() -> None:
    axis = Line(axis={"maximum_velocity": 5.0}).axis
    with pytest.raises(LimitError, match="cannot be 6 mm/s: at most 5 mm/s"):
        axis.velocity = 6.0
    assert axis.velocity == 2.0
    assert axis.maximum_velocity == 5.0


def test_a_sign_can_be_changed_and_leaves_the_position_and_the_mechanics() -> None:
    axis = Line(axis={"offset": 1.0, "limits": (-3.0, 7.0), "backlash": 0.2}).axis
    asyncio.run(axis.move(3.0))
    axis.sign = -1
    assert axis.position == 3.0
    assert axis.dial == 2.0
    assert axis.dial_limits == (-3.0, 7.0)
    assert axis.backlash == -0.2


def test_what_was_set_by_hand_survives_and_the_rest_follows_the_configuration() -> None:
    axis = Line(axis={"limits": (-3.0, 7.0)}).axis
    assert axis.settings() == {}
    told: list[Axis] = []
    axis.changed.append(told.append)
    axis.velocity = 1.5
    axis.set_position(4.0)
    axis.limits = (0.0, math.inf)
    kept = json.loads(json.dumps(axis.settings()))
    assert kept == {"unit": "mm", "velocity": 1.5, "offset": 4.0, "limits": [-4.0, None]}
    assert told == [axis] * 3

    other = Line(acceleration=9.0, velocity=3.0).axis
    other.changed.append(told.append)
    assert other.restore(kept) == []
    assert (other.velocity, other.acceleration, other.position) == (1.5, 9.0, 4.0)
    assert other.limits == (0.0, math.inf)
    assert other.settings() == kept
    assert len(told) == 3

    other.reset()
    assert (other.velocity, other.position) == (3.0, 0.0)
    assert other.settings() == {}
    assert other.limits == (-math.inf, math.inf)


def test_settings_that_do_not_fit_any_more_are_told_and_the_others_restored() -> None:
    axis = Line(axis={"maximum_velocity": 2.0}).axis
    refused = axis.restore({"unit": "mm", "velocity": 9.0, "offset": 1.0, "sign": 3, "colour": "red", "limits": 5})
    assert axis.offset == 1.0
    assert axis.velocity == 2.0
    assert [text.split(" was not")[0] for text in refused] == [
        "x: velocity = 9.0", "x: sign = 3", "x: colour = 'red'", "x: limits = 5",
    ]  # fmt: skip
    assert axis.restore({"unit": "um", "offset": 5.0}) == ["x: its settings are in um, and its unit is now mm."]


def test_a_listener_that_fails_does_not_make_a_setting_fail(caplog: pytest.LogCaptureFixture) -> None:
    axis = Line().axis
    axis.changed.append(lambda axis: 1 / 0)  # type: ignore[arg-type]
    axis.velocity = 1.0
    assert axis.velocity == 1.0
    assert "a listener of x failed" in caplog.text


# -- backlash


def test_backlash_is_travelled_last_and_checked_against_the_limits() -> None:
    line = Line(axis={"backlash": 0.5, "limits": (-5.0, 5.0)})
    began = line.clock.now()
    asyncio.run(line.axis.move(3.0))
    asyncio.run(line.axis.move(1.0))
    rows = line.axis.segments(began)
    assert rows[:, 2].min() >= 0.0
    assert 0.5 in rows[:, 2].round(9)  # where it turned
    assert rows[-1, 3] >= 0.0
    with pytest.raises(LimitError, match=r"cannot go to -5 mm: its backlash would take it to -5\.5 mm first"):
        line.axis.check(-5.0)
    line.axis.check(-5.0, 0)
    line.axis.check(5.0)


def test_a_stop_on_the_way_back_is_made_good_by_the_next_move() -> None:
    line = Line(axis={"backlash": 0.5}, position=5.0)

    async def story() -> None:
        task = asyncio.ensure_future(line.axis.move(1.0))
        await line.clock.sleep_until(line.clock.now() + 1.0)
        await line.axis.stop()
        with pytest.raises(DeviceError, match="was stopped"):
            await task

    asyncio.run(story())
    here = line.axis.position
    began = line.clock.now()
    asyncio.run(line.axis.move(here))
    assert line.axis.segments(began)[:, 2].min() == pytest.approx(here - 0.5)


def test_the_time_of_a_move_includes_its_backlash() -> None:
    line = Line(axis={"backlash": 0.5}, position=5.0, latency=0.0)
    told = line.axis.travel_time(1.0)
    began = line.clock.now()
    asyncio.run(line.axis.move(1.0))
    assert line.clock.now() - began == pytest.approx(told)


# -- set point, state, description


def test_the_set_point_is_where_it_was_sent_free_of_noise() -> None:
    line = Line(noise=0.01)
    asyncio.run(line.axis.move(1.0))
    assert line.axis.setpoint == 1.0
    assert line.axis.position != 1.0
    assert abs(line.axis.position - 1.0) < 0.1
    asyncio.run(line.axis.set_dial(5.0))
    assert line.axis.setpoint == pytest.approx(5.0, abs=0.1)


def test_a_motor_without_power_or_in_fault_refuses_and_its_state_says_why() -> None:
    line = Line()
    asyncio.run(line.axis.disable())
    assert str(line.axis.state) == "DISABLED"
    with pytest.raises(DeviceError, match="x: its power is off"):
        asyncio.run(line.axis.move(1.0))
    asyncio.run(line.axis.enable())
    line.motor.fault = "following error"
    assert str(line.axis.state) == "FAULT (following error)"
    with pytest.raises(DeviceError, match="x: its controller reports a fault: following error"):
        asyncio.run(line.axis.move(1.0))


def test_a_driver_that_does_not_answer_is_in_fault_and_described_all_the_same() -> None:
    def dead() -> float:
        raise ConnectionError("the cable is out")

    class Dead(SimAxis):
        def position(self) -> float:
            return dead()

        def moving(self) -> bool:
            return dead() > 0

    axis = Axis(Dead("x", clock=FakeClock()))
    assert str(axis.state) == "FAULT (ConnectionError: the cable is out)"
    assert "position      ? deg (dial ? deg)" in axis.__info__()


def test_the_description_names_everything() -> None:
    line = Line(encoder={}, axis={"tolerance": 0.01, "backlash": 0.5, "limits": (-5, 5), "maximum_velocity": 3.0})
    line.axis.hooks = (Hook("air", []),)
    assert line.axis.__info__().splitlines() == [
        "axis x",
        "  state         READY",
        "  position      0 mm (dial 0 mm)",
        "  offset, sign  0 mm, +",
        "  limits        -5 to 5 mm (dial -5 to 5 mm)",
        "  velocity      2 mm/s, at most 3 mm/s",
        "  acceleration  4 mm/s², 0.5 s to full speed",
        "  backlash      0.5 mm, last travelled upwards",
        "  encoder       x_encoder reads 0 mm, tolerance 0.01 mm",
        "  hooks         air",
        "  driver        SimAxis: jog, home, search_limit, set_dial, enable and disable",
    ]


def test_all_of_it_can_be_configured() -> None:
    built: dict[str, Any] = {"air": Hook("air", [])}
    axis = build(
        {
            "kind": "sim.axis", "name": "x", "unit": "mm", "backlash": "10 um", "maximum_velocity": "1 m/s",
            "home": "1 cm", "switches": ["-2 cm", "2 cm"], "tolerance": "5 um", "encoder": {"resolution": 0.001},
            "noise": "1 nm", "hooks": ["$air"],
        },
        Surroundings(FakeClock(), devices=built),
    )  # fmt: skip
    assert isinstance(axis, Axis)
    assert (axis.backlash, axis.maximum_velocity, axis.tolerance) == pytest.approx((0.01, 1000.0, 0.005))
    assert axis.hooks == (built["air"],)
    asyncio.run(axis.home())
    assert axis.dial == pytest.approx(10.0)
    with pytest.raises(InvalidInput, match=r"x \(sim.axis\): a tolerance needs an encoder"):
        build({"kind": "sim.axis", "name": "x", "tolerance": 1}, Surroundings(FakeClock()))
    with pytest.raises(InvalidInput, match="x: hooks: y is no hook"):
        build({"kind": "sim.axis", "name": "x", "hooks": ["y"]}, Surroundings(FakeClock(), devices={"y": axis}))
