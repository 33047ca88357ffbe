"""Calculated axes as axes: limits from the real ones, motion, set positions, settings."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import Assembly, Axis, Surroundings, build
from firstlight.devices.calc import CalculatedAxis, Calculation, GapFormula, Monochromator, Positions, Slits, spacing
from firstlight.devices.sim import SimAxis
from firstlight.model import AxisDriver, DeviceError, FakeClock, InvalidInput, LimitError, NotFound
from firstlight.model.motion import DURATION, START, VELOCITY, positions, states


class Bench:
    """Slits, and a monochromator with an undulator, in fake time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.up = self.motor("up", "mm", velocity=1.0, acceleration=5.0, limits=(-5.0, 5.0))
        self.down = self.motor("down", "mm", velocity=2.0, acceleration=4.0, limits=(-5.0, 4.0))
        self.slits = Slits("s1", self.up, self.down)
        self.gap, self.offset = self.slits.axes["gap"], self.slits.axes["offset"]
        self.bragg = self.motor("bragg", "deg", velocity=0.5, position=15.0, limits=(2.0, 60.0))
        self.undulator = self.motor("und", "mm", velocity=1.0, position=6.0, limits=(4.0, 30.0))
        self.mono = Monochromator(
            "energy", self.bragg, spacing("Si111"), gap=self.undulator, undulator=GapFormula(18.0, 6.0), harmonic=1
        )
        self.energy = self.mono.axes["energy"]

    def motor(self, name: str, unit: str, **options: Any) -> Axis:
        return Axis(SimAxis(name, unit=unit, clock=self.clock, **options))


def test_a_calculation_brings_its_axes_by_name() -> None:
    bench = Bench()
    assert isinstance(bench.slits, Assembly)
    assert isinstance(bench.gap, CalculatedAxis)
    assert isinstance(bench.gap.driver, AxisDriver)
    assert [axis.name for axis in bench.slits.axes.values()] == ["s1.gap", "s1.offset"]
    assert bench.slits.gap is bench.gap
    assert "gap" in dir(bench.slits)
    assert bench.energy.name == "energy"
    with pytest.raises(AttributeError, match="Slits has no attribute 'width'"):
        bench.slits.width  # noqa: B018


def test_moving_a_real_axis_moves_the_calculated_ones() -> None:
    bench = Bench()
    asyncio.run(bench.up.move(2.0))
    assert (bench.gap.position, bench.offset.position) == (2.0, 1.0)
    asyncio.run(bench.bragg.move(12.0))
    assert bench.energy.position == pytest.approx(12.39842 / (2 * spacing("Si111") * math.sin(math.radians(12.0))))


def test_a_move_keeps_the_other_axes_of_the_calculation() -> None:
    bench = Bench()
    asyncio.run(bench.offset.move(0.5))
    asyncio.run(bench.gap.move(3.0))
    assert (bench.gap.position, bench.offset.position) == (3.0, 0.5)
    assert (bench.up.position, bench.down.position) == (2.0, -1.0)


def test_the_real_axes_arrive_together() -> None:
    bench = Bench()
    began = bench.clock.now()
    asyncio.run(bench.gap.move(4.0))
    ends = [float((r[:, START] + r[:, DURATION]).max()) for r in (a.segments(began) for a in (bench.up, bench.down))]
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)
    assert bench.gap.travel_time(0.0) == pytest.approx(ends[0] - began, abs=0.01)


def test_noise_and_stops_do_not_make_the_others_drift() -> None:
    bench = Bench()
    bench.up.driver._noise = 0.01  # type: ignore[attr-defined]
    asyncio.run(bench.offset.move(0.5))
    for gap in (1.0, 2.0, 1.0, 3.0):
        asyncio.run(bench.gap.move(gap))
    assert bench.offset.setpoint == pytest.approx(0.5)
    assert bench.gap.setpoint == pytest.approx(3.0)


# -- limits


def test_a_target_that_a_real_axis_cannot_reach_is_refused_by_its_name_and_nothing_moves() -> None:
    bench = Bench()
    with pytest.raises(LimitError, match=r"down: cannot go to 4\.5 mm: its limits are -5 to 4 mm"):
        asyncio.run(bench.offset.move(4.5))
    assert (bench.up.position, bench.down.position) == (0.0, 0.0)


def test_limits_are_what_the_real_axes_leave_from_where_they_are() -> None:
    bench = Bench()
    assert bench.offset.limits == pytest.approx((-5.0, 4.0))
    assert bench.gap.limits == pytest.approx((-8.0, 10.0))
    asyncio.run(bench.offset.move(1.0))
    assert bench.gap.limits == pytest.approx((-6.0, 8.0))
    low, high = bench.energy.limits
    # The crystal reaches lower; it is the gap that cannot close further than 4 mm.
    assert float(bench.mono.to_real({"energy": np.array([low])})["gap"][0]) == pytest.approx(4.0)
    assert high > 15.0
    for energy in (low * 1.0001, high * 0.9999):
        bench.energy.check(energy)
    for energy in (low * 0.99, high * 1.01):
        with pytest.raises(LimitError):
            bench.energy.check(energy)


@given(gap=st.floats(-12, 12), offset=st.floats(-6, 6))
def test_what_is_within_the_limits_is_allowed_and_nothing_else(gap: float, offset: float) -> None:
    bench = Bench()
    inside = all(low <= p <= high for p, (low, high) in (
        (offset + gap / 2, (-5.0, 5.0)), (offset - gap / 2, (-5.0, 4.0)),
    ))  # fmt: skip
    asyncio.run(bench.offset.move(min(max(offset, -4.9), 3.9)))
    low, high = bench.gap.limits
    for target in (gap,):
        allowed = True
        try:
            bench.gap.check(target)
        except LimitError:
            allowed = False
        if min(abs(target - low), abs(target - high)) > 1e-6:
            assert allowed == (low <= target <= high)
    if offset == bench.offset.position and abs(gap - low) > 1e-6 and abs(gap - high) > 1e-6:
        assert (low <= gap <= high) == inside


def test_its_own_limits_come_on_top() -> None:
    bench = Bench()
    bench.gap.limits = (0.0, "0.5 cm")
    assert bench.gap.limits == (0.0, 5.0)
    with pytest.raises(LimitError, match=r"s1\.gap: cannot go to -1 mm: its limits are 0 to 5 mm"):
        bench.gap.check(-1.0)


def test_energies_without_an_angle_or_a_gap_are_refused_and_say_which() -> None:
    bench = Bench()
    with pytest.raises(LimitError, match="energy: cannot go to 1 keV: no position of bragg stands for it"):
        bench.energy.check(1.0)
    with pytest.raises(LimitError, match=r"energy: cannot go to 19\.5 keV: no position of und stands for it"):
        bench.energy.check(19.5)
    bench.mono.harmonic = 3
    bench.energy.check(25.0)
    bench.mono.following = False
    bench.energy.check(40.0)


def test_at_a_place_that_stands_for_nothing_it_says_so_and_can_leave() -> None:
    clock = FakeClock()
    bragg = Axis(SimAxis("bragg", unit="deg", clock=clock))
    energy = Monochromator("energy", bragg, spacing("Si111")).axes["energy"]
    assert math.isnan(energy.position)
    assert math.isinf(energy.velocity)
    assert "nan keV" in energy.__info__()
    asyncio.run(energy.move(12.4))
    assert energy.position == pytest.approx(12.4)


# -- motion


def test_a_stop_stops_all_real_axes_and_a_failure_of_one_stops_the_others() -> None:
    bench = Bench()

    async def stopped() -> None:
        task = asyncio.ensure_future(bench.gap.move(4.0))
        await bench.clock.sleep_until(bench.clock.now() + 0.5)
        assert bench.gap.moving
        await bench.gap.stop()
        assert not bench.up.moving
        assert not bench.down.moving
        with pytest.raises(DeviceError, match="was stopped at"):
            await task

    asyncio.run(stopped())
    bench.up.driver.fault = "blocked"  # type: ignore[attr-defined]
    before = bench.down.position
    with pytest.raises(DeviceError, match="up: its controller reports a fault"):
        asyncio.run(bench.gap.move(0.0))
    assert not bench.down.moving
    assert abs(bench.down.position - before) < 0.1
    assert "FAULT (up: FAULT (blocked))" in str(bench.gap.state)


def test_a_cancelled_move_leaves_all_real_axes_at_rest() -> None:
    bench = Bench()

    async def story() -> None:
        task = asyncio.ensure_future(bench.energy.move(8.0))
        await bench.clock.sleep_until(bench.clock.now() + 0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not bench.energy.moving

    asyncio.run(story())


def test_at_a_given_speed_the_real_axes_stay_in_proportion() -> None:
    bench = Bench()
    asyncio.run(bench.offset.move(-3.0))
    began = bench.clock.now()
    asyncio.run(bench.offset.move(3.0, velocity=0.5))
    moments = np.linspace(began, bench.clock.now(), 500)
    gap = positions(bench.gap.segments(began), moments)
    np.testing.assert_allclose(gap, 0.0, atol=1e-9)
    assert np.abs(states(bench.offset.segments(began), moments)[1]).max() == pytest.approx(0.5)
    assert (bench.up.acceleration, bench.down.acceleration) == (5.0, 4.0)


def test_the_speed_is_that_of_the_slowest_real_axis() -> None:
    bench = Bench()
    assert bench.offset.velocity == pytest.approx(1.0)
    assert bench.gap.velocity == pytest.approx(2.0)
    assert bench.offset.acceleration == pytest.approx(4.0)
    for what in ("velocity", "acceleration", "offset", "backlash", "sign"):
        with pytest.raises(DeviceError, match=rf"s1\.gap: has no {what} of its own: it follows from up, down"):
            setattr(bench.gap, what, -1)


@pytest.mark.parametrize("which", ["gap", "energy"])
def test_published_motion_is_that_of_the_relation(which: str) -> None:
    bench = Bench()
    axis: CalculatedAxis = getattr(bench, which)
    began = bench.clock.now()
    asyncio.run(axis.move(axis.position + 2.0))
    asyncio.run(next(iter(axis.calculation.real_axes.values())).move(4.0))
    end = bench.clock.now()
    moments = np.linspace(began, end, 2000)
    real = {r: positions(a.segments(began), moments) for r, a in axis.calculation.real_axes.items()}
    wanted = axis.calculation.to_calculated(real)[axis.role]
    found = positions(axis.segments(began), moments)
    np.testing.assert_allclose(found, wanted, rtol=5e-5, atol=1e-9)
    middle = (began + end) / 2
    late = moments[moments >= middle]
    np.testing.assert_allclose(positions(axis.segments(middle), late), found[moments >= middle], rtol=5e-5, atol=1e-9)
    assert axis.segments(end + 1.0)[-1, VELOCITY] == 0.0


def test_linear_relations_are_recognised_also_where_they_are_not_declared() -> None:
    class Scale(Calculation):
        def to_calculated(self, real: Positions) -> Positions:
            return {"y": 2 * np.abs(real["x"])}

        def to_real(self, calculated: Positions) -> Positions:
            return {"x": calculated["y"] / 2}

    bench = Bench()
    scale = Scale("y", {"x": bench.motor("x", "mm")}, {"y": "mm"})
    assert scale.linear("y", 1.0, 5.0)
    assert not bench.mono.linear("energy", 8.0, 12.0)
    assert bench.slits.linear("s1.gap", 0.0, 1.0)


# -- settings


def test_setting_a_position_sets_those_of_the_defining_axes() -> None:
    bench = Bench()
    asyncio.run(bench.energy.move(9.0))
    gap = bench.undulator.position
    bench.energy.set_position(8.9789)
    assert bench.energy.position == pytest.approx(8.9789)
    assert bench.undulator.position == gap
    assert bench.bragg.offset != 0.0
    bench.slits.axes["offset"].set_position("100 um")
    assert (bench.offset.position, bench.gap.position) == pytest.approx((0.1, 0.0))


def test_settings_are_its_limits_and_those_of_the_calculation() -> None:
    bench = Bench()
    told: list[Axis] = []
    bench.energy.changed.append(told.append)
    bench.energy.limits = (5.0, 20.0)
    bench.mono.following = False
    bench.mono.harmonic = 5
    kept = json.loads(json.dumps(bench.energy.settings()))
    assert kept == {"unit": "keV", "limits": [5.0, 20.0], "following": False, "harmonic": 5}
    assert told == [bench.energy] * 3
    other = Bench()
    assert other.energy.restore(kept) == []
    assert (other.mono.following, other.mono.harmonic, other.energy.fixed_limits) == (False, 5, (5.0, 20.0))
    other.energy.reset()
    assert (other.mono.following, other.mono.harmonic) == (True, 1)
    assert other.energy.restore({"unit": "keV", "colour": 1}) == [
        "energy: colour = 1 was not restored: there is no such setting."
    ]


def test_the_description_tells_the_real_axes() -> None:
    bench = Bench()
    text = bench.energy.__info__()
    assert "from bragg" in text
    assert "following" in text
    assert "True" in text


# -- configuration


def session(*configs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    surroundings = Surroundings(FakeClock(), devices=found)
    for name in ("a", "b", "c"):
        found[name] = build({"kind": "sim.axis", "name": name, "unit": "mm", "limits": [-50, 50]}, surroundings)
    found["bragg"] = build({"kind": "sim.axis", "name": "bragg", "unit": "deg", "position": 12}, surroundings)
    for config in configs:
        found[config["name"]] = build(config, surroundings)
    return found


def test_slits_from_their_configuration_and_slits_of_slits() -> None:
    found = session(
        {"kind": "calc.slits", "name": "s1", "positive": "$a", "negative": "$b", "limits": {"gap": [0, "3 mm"]}},
        {
            "kind": "calc.expression", "name": "area", "axes": {"gap": "$s1.gap"},
            "calculated": {"half": {"formula": "gap / 2", "unit": "um"}}, "inverse": {"gap": "2 * half"},
        },
    )  # fmt: skip
    half = found["area"]
    asyncio.run(half.move(800.0))
    assert (found["a"].position, found["b"].position) == pytest.approx((0.8, -0.8))
    with pytest.raises(LimitError, match=r"s1\.gap: cannot go to 4 mm"):
        half.check(2000.0)


def test_a_table_and_a_monochromator_from_their_configuration() -> None:
    found = session(
        {
            "kind": "calc.table", "name": "t", "legs": ["$a", "$b", "$c"],
            "places": [["-0.5 m", 0], [700, 300], [700, -300]], "limits": {"pitch": ["-10 mrad", 10]},
        },
        {
            "kind": "calc.monochromator", "name": "energy", "axis": "$bragg", "crystal": "Si111",
            "limits": ["5 keV", "20000 eV"],
            "undulator": {"axis": "$a", "table": [["6 keV", 8], [12, 14]], "following": False},
        },
    )  # fmt: skip
    asyncio.run(found["t"].axes["pitch"].move(2.0))
    assert found["t"].axes["pitch"].position == pytest.approx(2.0)
    assert found["energy"].fixed_limits == pytest.approx((5.0, 20.0))
    found["energy"].calculation.following = True
    asyncio.run(found["energy"].move(9.0))
    assert found["a"].position == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"kind": "calc.slits", "positive": "a", "negative": "q"}, "There is no device q"),
        ({"kind": "calc.slits", "positive": "a", "negative": "a"}, "a is given for two"),
        ({"kind": "calc.slits", "positive": "a", "negative": "b", "limits": {"gab": [0, 1]}}, "limits.gab: it has no"),
        ({"kind": "calc.monochromator", "axis": "bragg"}, "give either a crystal or its d_spacing"),
        ({"kind": "calc.monochromator", "axis": "bragg", "crystal": "Sillicon"}, "is no known crystal"),
        (
            {"kind": "calc.monochromator", "axis": "bragg", "crystal": "Si111", "undulator": {"axis": "a"}},
            "either the period",
        ),
        (
            {
                "kind": "calc.expression",
                "axes": {"a": "a"},
                "calculated": {"c": {"formula": "a +"}},
                "inverse": {"a": "c"},
            },
            "'a \\+', column",
        ),
    ],
)
def test_a_wrong_configuration_is_one_clear_sentence(config: dict[str, Any], why: str) -> None:
    with pytest.raises((InvalidInput, NotFound), match=why):
        session({"name": "x", **config})


def test_a_calculation_of_something_else_than_axes_is_refused() -> None:
    found: dict[str, Any] = {"shutter": object()}
    with pytest.raises(InvalidInput, match="x: shutter is no axis"):
        build(
            {"kind": "calc.slits", "name": "x", "positive": "shutter", "negative": "shutter"},
            Surroundings(FakeClock(), devices=found),
        )


def test_a_description_survives_a_real_axis_that_does_not_answer() -> None:
    bench = Bench()

    def dead() -> float:
        raise ConnectionError("the cable is out")

    bench.up.driver.position = dead  # type: ignore[method-assign]
    text = bench.gap.__info__()
    assert "from up    ?" in text
    assert "from down  0 mm" in text
    assert "position   ? mm" in text
