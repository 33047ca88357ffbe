"""Calculated axes in the engine: moves, scans, limits, rules, claims, and what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from firstlight.devices import Axis
from firstlight.devices.calc import Formulas, Monochromator, Slits, spacing
from firstlight.devices.calc._undulator import GapFormula
from firstlight.devices.sim import SimAxis
from firstlight.model import Conflict, DeviceError, EndReason, InvalidInput, LimitError, RunAborted
from firstlight.model.motion import positions
from firstlight.scanning import Busy, Motion, amesh, ascan, dscan, flyscan, guarded
from tests.scanning.conftest import Beamline, sealed_and_whole


class Line(Beamline):
    """The beamline of the other tests, with slits and a monochromator."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.up = self.motor("up", velocity=1.0, acceleration=5.0)
        self.down = self.motor("down", velocity=2.0, acceleration=4.0)
        self.bragg = self.motor("bragg", unit="deg", position=15.0, velocity=1.0)
        self.slits = Slits("s1", self.up, self.down)
        mono = Monochromator("energy", self.bragg, spacing("Si111"))
        self.energy = mono.axes["energy"]
        self.double = Formulas("double", {"g": self.slits.axes["gap"]}, {"d": "2 * g"}, {"g": "d / 2"}, {"d": "mm"})
        self.add(self.up, self.down, self.bragg, self.slits, self.energy, self.double.axes["d"])

    def motor(self, name: str, **options: Any) -> Axis:
        settings = {"unit": "mm", "limits": (-50.0, 50.0), "clock": self.clock, "board": self.board}
        return Axis(SimAxis(name, **{**settings, **options}))


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.engine.close()


def test_calculated_axes_of_one_calculation_move_at_once(line: Line) -> None:
    line.engine.move({"s1.gap": 2.0, "s1.offset": 1.0, "rot": 5.0})
    assert (line.up.position, line.down.position, line.rot.position) == (2.0, 0.0, 5.0)
    line.engine.move({"s1.offset": "500 um"}, relative=True)
    assert (line.up.position, line.down.position) == (2.5, 0.5)


def test_calculated_axes_of_calculated_axes_move(line: Line) -> None:
    line.engine.move({"double": 4.0})
    assert (line.up.position, line.down.position) == (1.0, -1.0)


def test_rules_are_asked_for_the_calculated_and_for_the_real_axes(line: Line) -> None:
    seen: list[Motion] = []
    line.engine.gate.rules.append(seen.append)
    line.engine.move({"s1.gap": 2.0})
    assert {(m.axis, m.target) for m in seen} == {("s1.gap", 2.0), ("up", 1.0), ("down", -1.0)}
    line.engine.gate.rules.append(lambda m: "the pump is near." if m.axis == "up" and m.target > 1.5 else None)
    with pytest.raises(LimitError, match="up: may not go to 2 mm: the pump is near"):
        line.engine.move({"s1.gap": 4.0})
    with pytest.raises(LimitError, match=r"up: point 3 at 2 mm is refused: the pump is near"):
        line.engine.run(ascan("s1.gap", 0.0, 4.0, 3, 0.1))
    assert (line.up.position, line.down.position) == (1.0, -1.0)


def test_limits_are_those_of_the_real_axes_for_the_whole_path(line: Line) -> None:
    line.engine.move({"s1.offset": 49.0})
    with pytest.raises(LimitError, match=r"up: point 3 is at 50\.5 mm, outside its limits -50 to 50 mm"):
        line.engine.run(ascan("s1.gap", 0.0, 10.0, 10, 0.1))
    with pytest.raises(LimitError, match="energy: cannot go to 1 keV: no position of bragg stands for it"):
        line.engine.run(ascan("energy", 5.0, 1.0, 4, 0.1))


def test_a_calculated_axis_that_follows_its_relation_passes_the_gate_with_its_whole_way(line: Line) -> None:
    gap = line.motor("gap", position=8.0, velocity=2.0)
    line.add(gap)
    mono = Monochromator("mono", line.bragg, spacing("Si111"), gap=gap, undulator=GapFormula(18.0, 6.0))
    line.add(mono.axes["energy"])
    line.engine.move({"mono": 8.0})
    mono.tolerances = {"gap": 0.001}
    seen: list[Motion] = []
    line.engine.gate.rules.append(seen.append)
    began = line.clock.now()
    line.engine.move({"mono": 9.5, "rot": 5.0})
    stops = len({m.target for m in seen if m.axis == "gap"})
    assert stops > 2
    assert {m.axis for m in seen} == {"mono", "bragg", "gap", "rot"}
    moments = np.linspace(began, line.clock.now(), 5001)
    bragg, gaps = (positions(axis.segments(began), moments) for axis in (line.bragg, gap))
    energy = np.asarray(mono.to_calculated({"bragg": bragg, "gap": gaps})["energy"])
    np.testing.assert_allclose(gaps, GapFormula(18.0, 6.0).gap(energy, 1), atol=0.00101)
    # What stands in the way only half-way is told before anything moves.
    middle = float(np.median([m.target for m in seen if m.axis == "gap"]))
    line.engine.gate.rules.append(
        lambda m: "a cable hangs there." if m.axis == "gap" and abs(m.target - middle) < 0.5 else None
    )
    with pytest.raises(LimitError, match=r"gap: may not go to .*: a cable hangs there"):
        line.engine.move({"mono": 8.0})
    assert mono.axes["energy"].position == pytest.approx(9.5)
    line.engine.gate.rules.clear()
    line.engine.run(ascan("mono", 9.5, 9.0, 4, 0.1))
    np.testing.assert_allclose(line.run["mono"], np.linspace(9.5, 9.0, 5), rtol=1e-9)
    np.testing.assert_allclose(line.run["gap"], GapFormula(18.0, 6.0).gap(np.linspace(9.5, 9.0, 5), 1), atol=1e-6)


def test_a_move_along_a_relation_can_be_stopped_on_the_way(line: Line) -> None:
    gap = line.motor("gap", position=8.0, velocity=0.5)
    mono = Monochromator("mono", line.bragg, spacing("Si111"), gap=gap, undulator=GapFormula(18.0, 6.0))
    line.add(gap, mono.axes["energy"])
    line.engine.move({"mono": 8.0})
    mono.tolerances = {"gap": 0.01}
    job = line.engine.launch_move({"mono": 12.0})
    job.abort()
    with pytest.raises(RunAborted):
        line.engine.finish(job)
    assert not line.bragg.moving
    assert not gap.moving
    assert mono.axes["energy"].position < 12.0
    line.engine.move({"mono": 9.0})
    assert gap.position == pytest.approx(float(GapFormula(18.0, 6.0).gap(np.array([9.0]), 1)[0]))


def test_a_move_of_both_is_checked_as_one(line: Line) -> None:
    line.engine.move({"s1.offset": 49.0})
    # Neither would be possible alone from here.
    line.engine.move({"s1.gap": 90.0, "s1.offset": 0.0})
    assert (line.up.position, line.down.position) == (45.0, -45.0)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("s1.gap", "up"), "s1.gap moves up"),
        (("up", "double"), "double moves up"),
        (("double", "s1.offset"), "both move down"),
    ],
)
def test_axes_that_move_each_other_are_refused(line: Line, names: tuple[str, str], why: str) -> None:
    with pytest.raises(Conflict, match=why):
        line.engine.move(dict.fromkeys(names, 1.0))
    with pytest.raises(Conflict, match=why):
        line.engine.run(amesh(names[0], 0, 1, 2, names[1], 0, 1, 2, 0.1))
    assert (line.up.position, line.down.position) == (0.0, 0.0)


def test_a_scan_records_calculated_and_real_positions(line: Line) -> None:
    line.engine.run(ascan("energy", 8.0, 9.0, 4, 0.1))
    run = line.run
    np.testing.assert_allclose(run["energy"], np.linspace(8.0, 9.0, 5), rtol=1e-9)
    angle = np.degrees(np.arcsin(12.398419843 / (2 * spacing("Si111") * run["energy"])))
    np.testing.assert_allclose(run["bragg"], angle, rtol=1e-9)
    assert run.info.axes == ("energy",)
    sealed_and_whole(run)


def test_a_scan_of_a_nested_axis_records_all_levels(line: Line) -> None:
    line.engine.run(ascan("double", 0.0, 4.0, 2, 0.1))
    assert line.run["double"].tolist() == [0.0, 2.0, 4.0]
    assert line.run["s1.gap"].tolist() == [0.0, 1.0, 2.0]
    assert line.run["up"].tolist() == [0.0, 0.5, 1.0]


def test_a_relative_scan_returns_and_a_mesh_over_both_axes_visits_all(line: Line) -> None:
    line.engine.move({"s1.gap": 2.0, "s1.offset": 1.0})
    line.engine.run(dscan("s1.gap", -1.0, 1.0, 4, 0.1))
    assert (line.up.position, line.down.position) == (2.0, 0.0)
    line.engine.run(amesh("s1.gap", 1.0, 2.0, 2, "s1.offset", -1.0, 1.0, 2, 0.1))
    run = line.run
    assert {(g, o) for g, o in zip(run["s1.gap"].tolist(), run["s1.offset"].tolist(), strict=True)} == {
        (g, o) for g in (1.0, 1.5, 2.0) for o in (-1.0, 0.0, 1.0)
    }
    np.testing.assert_allclose(run["up"] - run["down"], run["s1.gap"])


def test_an_abort_stops_all_real_axes(line: Line) -> None:
    line.press_when(lambda event: event.point >= 1)
    outcome = line.engine.submit(ascan("s1.gap", 0.0, 60.0, 3, 0.1)).result(10)
    assert outcome.end.reason is EndReason.ABORTED
    assert not line.up.moving
    assert not line.down.moving
    sealed_and_whole(line.run)

    def press(motion: Motion) -> None:
        line.engine.abort()

    line.engine.gate.rules.append(press)
    with pytest.raises(RunAborted):
        line.engine.move({"s1.gap": 90.0})
    assert not line.up.moving
    assert not line.down.moving


def test_a_real_axis_that_fails_ends_the_scan_by_its_name_and_does_not_go_back(line: Line) -> None:
    def fail(event: Any) -> None:
        if event.point >= 2:
            line.down.driver.fault = "blocked"  # type: ignore[attr-defined]

    line.engine.listeners.append(fail)
    outcome = line.engine.submit(dscan("s1.gap", 0.0, 4.0, 4, 0.1)).result(10)
    assert isinstance(outcome.error, DeviceError)
    assert outcome.error.device == "down"
    assert not line.up.moving
    sealed_and_whole(line.run)


def test_whoever_moves_a_calculated_axis_uses_its_real_ones(line: Line) -> None:
    run = line.engine.submit(ascan("s1.gap", 0, 1, 2000, 1))
    for name in ("up", "s1.offset", "double"):
        with pytest.raises(Busy, match="by"):
            line.engine.move({name: 1.0})
    line.engine.move({"energy": 9.0})
    line.engine.abort()
    run.result(10)


def test_the_guard_stops_the_real_axes_and_does_not_ask_for_the_calculated_ones(line: Line) -> None:
    _, cannot = guarded(line.engine.devices)
    assert {"up", "down", "bragg"} <= set(cannot)  # these have no stop of their own in memory
    assert not {"s1.gap", "s1.offset", "energy", "double"} & set(cannot)


# -- continuous scans


@pytest.mark.parametrize("axis", ["s1.offset", "s1.gap", "double"])
def test_a_continuous_scan_of_a_linear_axis_moves_all_in_proportion(line: Line, axis: str) -> None:
    line.engine.run(flyscan(axis, 0.0, 2.0, 20, 0.2, "cam"))
    run = line.run
    np.testing.assert_allclose(run[f"{axis}:start"], np.linspace(0.0, 1.9, 20), atol=1e-6)
    gap = 2.0 * run[axis] / 2.0 if axis == "s1.gap" else run[axis] / 2.0 if axis == "double" else np.zeros(20)
    np.testing.assert_allclose(run["up"] - run["down"], gap, atol=1e-6)
    assert (line.up.acceleration, line.down.acceleration) == (5.0, 4.0)
    sealed_and_whole(run)


def test_a_continuous_scan_of_a_curved_axis_is_refused_and_says_what_to_do(line: Line) -> None:
    with pytest.raises(InvalidInput, match=r"needs real axes \(bragg\) that move in proportion to it"):
        line.engine.run(flyscan("energy", 8.0, 9.0, 10, 0.1, "cam"))
    with pytest.raises(InvalidInput, match="no hardware compares the position of a calculated axis"):
        line.engine.run(flyscan("s1.gap", 0.0, 1.0, 10, 0.1, "cam", trigger="position"))


def test_a_continuous_scan_too_fast_for_a_real_axis_is_refused(line: Line) -> None:
    with pytest.raises(LimitError, match=r"s1\.offset: would have to move at .* mm/s, above its 1 mm/s"):
        line.engine.run(flyscan("s1.offset", 0.0, 10.0, 10, 0.1, "cam"))


def test_a_direct_move_of_a_calculated_axis_goes_through_its_driver(line: Line) -> None:
    asyncio.run(line.slits.axes["gap"].move(1.0))
    assert line.up.position == 0.5


def test_aliases_stand_for_calculated_axes(line: Line) -> None:
    line.engine.devices = replace(line.engine.devices, aliases={"gap": "s1.gap", "e": "energy"})
    line.engine.move({"gap": 2.0, "s1.offset": 1.0, "e": 9.0})
    assert (line.up.position, line.down.position) == (2.0, 0.0)
    line.engine.run(ascan("gap", 0.0, 1.0, 2, 0.1))
    assert line.up.position == 1.5


def test_the_settings_of_the_real_axes_are_recorded(line: Line) -> None:
    line.bragg.set_position(15.5)
    line.engine.run(ascan("energy", 8.0, 9.0, 1, 0.1))
    assert line.run.info.devices["bragg"]["offset"] == pytest.approx(0.5)
