"""Real axes that follow the relation on the way: how far they are from it, and what it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Axis, SoftAxis, Surroundings, build
from firstlight.devices.calc import Calculation, Formulas, Monochromator, Positions, Slits, spacing
from firstlight.devices.calc._undulator import GapFormula
from firstlight.devices.sim import MemoryBoard, SimAxis
from firstlight.model import FakeClock, InvalidInput, LimitError
from firstlight.model.motion import positions

FIELD = GapFormula(18.0, 6.0)


class Curve(Calculation):
    """v is where x is, and y belongs on a curve over it."""

    def __init__(self, x: Axis, y: Axis, curve: Callable[[Any], Any]) -> None:
        self.curve = curve
        super().__init__("v", {"x": x, "y": y}, {"v": ""})

    def to_calculated(self, real: Positions) -> Positions:
        return {"v": real["x"]}

    def to_real(self, calculated: Positions) -> Positions:
        return {"x": calculated["v"], "y": self.curve(calculated["v"])}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


def motor(clock: FakeClock, board: MemoryBoard, name: str, **options: Any) -> Axis:
    settings = {"unit": "mm", "limits": (-100.0, 100.0), "clock": clock, "board": board}
    return Axis(SimAxis(name, **{**settings, **options}))


@pytest.fixture
def mono(clock: FakeClock, board: MemoryBoard) -> Monochromator:
    """At 8 keV, with a gap that belongs there; the two motors have different ramps."""
    angle = float(np.degrees(np.arcsin(12.398419843320026 / (2 * spacing("Si111") * 8.0))))
    bragg = motor(clock, board, "bragg", unit="deg", position=angle, velocity=1.0, acceleration=3.0)
    there = float(FIELD.gap(np.array([8.0]), 1)[0])
    gap = motor(clock, board, "gap", position=there, velocity=2.0, acceleration=50.0)
    return Monochromator("energy", bragg, spacing("Si111"), gap=gap, undulator=FIELD)


def tracks(mono: Any, names: tuple[str, ...], since: float, until: float) -> list[NDArray[np.float64]]:
    moments = np.linspace(since, until, 20001)
    return [positions(mono.real_axes[name].segments(since), moments) for name in names]


def off(mono: Monochromator, since: float, until: float) -> float:
    """How far the gap was from where the energy of the moment wanted it, at most, mm."""
    bragg, gap = tracks(mono, ("bragg", "gap"), since, until)
    energy = mono.to_calculated({"bragg": bragg, "gap": gap})["energy"]
    return float(np.abs(gap - FIELD.gap(energy, 1)).max())


def test_without_a_tolerance_the_gap_only_arrives_with_the_energy(mono: Monochromator, clock: FakeClock) -> None:
    began = clock.now()
    asyncio.run(mono.energy.move(12.0))
    assert off(mono, began, clock.now()) > 0.1


@pytest.mark.parametrize("tolerance", [0.2, 0.02, 0.002])
@pytest.mark.parametrize("target", [12.0, 7.0])
def test_the_gap_follows_within_its_tolerance(
    mono: Monochromator, clock: FakeClock, tolerance: float, target: float
) -> None:
    mono.tolerances = {"gap": tolerance}
    began = clock.now()
    asyncio.run(mono.energy.move(target))
    assert off(mono, began, clock.now()) <= tolerance * 1.001
    assert mono.energy.position == pytest.approx(target)
    assert mono.real_axes["gap"].position == pytest.approx(float(FIELD.gap(np.array([target]), 1)[0]))
    assert mono.real_axes["bragg"].acceleration == 3.0
    assert mono.real_axes["gap"].acceleration == 50.0
    assert len(mono.stops("energy", target)) == 1


def test_a_finer_tolerance_takes_more_stops_and_a_short_way_takes_none(mono: Monochromator) -> None:
    counts = []
    for tolerance in (1.0, 0.1, 0.01, 0.001):
        mono.tolerances = {"gap": tolerance}
        counts.append(len(mono.stops("energy", 12.0)))
    assert counts == sorted(counts)
    assert counts[-1] > 3 * counts[1]
    assert len(mono.stops("energy", 8.005)) == 1
    mono.tolerances = {"gap": 1e-9}
    with pytest.raises(LimitError, match=r"energy: cannot go to 12 keV within its tolerances: .* more than 1000 stops"):
        mono.energy.check(12.0)


def test_how_long_it_takes_is_known(mono: Monochromator, clock: FakeClock) -> None:
    mono.tolerances = {"gap": 0.01}
    expected = mono.energy.travel_time(12.0)
    began = clock.now()
    asyncio.run(mono.energy.move(12.0))
    assert clock.now() - began == pytest.approx(expected, rel=0.05)
    # At half the speed of the energy, it takes longer.
    slow = mono.energy.travel_time(8.0, 0.5)
    began = clock.now()
    asyncio.run(mono.energy.move(8.0, 0.5))
    assert clock.now() - began == pytest.approx(slow, rel=0.05)
    assert slow > 8.0


def test_a_gap_that_stands_elsewhere_comes_first(mono: Monochromator, clock: FakeClock) -> None:
    mono.tolerances = {"gap": 0.01}
    gap, bragg = mono.real_axes["gap"], mono.real_axes["bragg"]
    there, angle = gap.position, bragg.position
    asyncio.run(gap.move(there + 1.0))
    assert mono.stops("energy", 9.0)[0] == pytest.approx(8.0)
    began = clock.now()
    asyncio.run(mono.energy.move(9.0))
    moments = np.linspace(began, clock.now(), 20001)
    gaps, angles = (positions(axis.segments(began), moments) for axis in (gap, bragg))
    left = int(np.argmax(np.abs(angles - angle) > 1e-9))
    assert gaps[left] == pytest.approx(there, abs=0.01)
    assert off(mono, float(moments[left]), clock.now()) <= 0.0101


def test_blades_keep_the_middle_while_the_gap_opens(clock: FakeClock, board: MemoryBoard) -> None:
    up = motor(clock, board, "up", velocity=1.0, acceleration=2.0)
    down = motor(clock, board, "down", velocity=4.0, acceleration=40.0)
    slits = Slits("s1", up, down)
    slits.tolerances = {"positive": 1e-3, "negative": 1e-3}
    began = clock.now()
    asyncio.run(slits.gap.move(8.0))
    p, n = tracks(slits, ("positive", "negative"), began, clock.now())
    assert np.abs(p + n).max() < 1e-6
    assert len(slits.stops("s1.gap", 20.0)) == 1


def test_an_axis_without_a_speed_is_taken_along_in_small_steps(clock: FakeClock, board: MemoryBoard) -> None:
    at = {"t": 0.0}
    went: list[float] = []

    def go(target: float) -> None:
        went.append(target)
        at["t"] = target

    soft = Axis(SoftAxis("t", lambda: at["t"], go, clock=clock))
    x = motor(clock, board, "x", unit="")
    both = Curve(x, soft, lambda v: 3 * v)
    both.tolerances = {"y": 0.5}
    asyncio.run(both.v.move(1.0))
    assert len(went) == 6
    assert np.diff([0.0, *went]).max() <= 0.5 + 1e-9


def test_backlash_is_taken_up_at_the_end_only(mono: Monochromator, clock: FakeClock) -> None:
    mono.tolerances = {"gap": 0.01}
    gap = mono.real_axes["gap"]
    gap.backlash = 0.05
    began = clock.now()
    asyncio.run(mono.energy.move(12.0))
    asyncio.run(mono.energy.move(8.0))
    moments = np.linspace(began, clock.now(), 40001)
    gaps = positions(gap.segments(began), moments)
    turns = np.count_nonzero(np.diff(np.sign(np.diff(gaps)[np.abs(np.diff(gaps)) > 1e-9])))
    assert turns == 2
    assert gap.position == pytest.approx(float(FIELD.gap(np.array([8.0]), 1)[0]))


def test_limits_are_looked_at_on_the_whole_way(clock: FakeClock, board: MemoryBoard) -> None:
    x = motor(clock, board, "x", unit="", position=-2.0)
    y = motor(clock, board, "y", unit="", position=4.0, limits=(0.5, 100.0))
    both = Curve(x, y, lambda v: v**2)
    both.v.check(2.0)
    both.tolerances = {"y": 0.1}
    with pytest.raises(LimitError, match="y: "):
        both.v.check(2.0)
    with pytest.raises(LimitError, match="y: "):
        asyncio.run(both.v.move(2.0))
    assert x.position == -2.0


def test_wrong_tolerances_are_refused(mono: Monochromator, clock: FakeClock) -> None:
    with pytest.raises(InvalidInput, match=r"energy: gab is none of its real axes\. They are bragg, gap"):
        mono.tolerances = {"gab": 1.0}
    with pytest.raises(InvalidInput, match="the tolerance of gap is above zero"):
        mono.tolerances = {"gap": 0.0}
    upon = Formulas("upon", {"x": mono.energy}, {"k": "x"}, {"x": "k"}, {"k": "keV"})
    with pytest.raises(InvalidInput, match="upon: energy is calculated itself"):
        upon.tolerances = {"x": 1.0}
    assert mono.tolerances == {}


def test_configurations_have_tolerances(clock: FakeClock, board: MemoryBoard) -> None:
    names = {name: motor(clock, board, name, position=10.0) for name in ("gap", "u", "d", "a", "b", "c")}
    around = Surroundings(clock, board, {"bragg": motor(clock, board, "bragg", unit="deg", position=15.0), **names})
    undulator = {"axis": "gap", "period": 18, "tolerance": "5 um"}
    energy: Any = build(
        {"name": "energy", "kind": "calc.monochromator", "axis": "bragg", "crystal": "Si111", "undulator": undulator},
        around,
    )
    assert energy.calculation.tolerances == {"gap": 0.005}
    assert ("gap follows within", "0.005 mm") in [(what, say()) for what, say in energy.details()]
    slits: Any = build({"name": "s", "kind": "calc.slits", "positive": "u", "negative": "d", "tolerance": 0.1}, around)
    assert slits.tolerances == {"positive": 0.1, "negative": 0.1}
    table = {"name": "t", "kind": "calc.table", "legs": ["a", "b", "c"], "places": [[0, 0], [1, 0], [0, 1]]}
    made: Any = build({**table, "tolerance": 0.01}, around)
    assert made.tolerances == {"leg1": 0.01, "leg2": 0.01, "leg3": 0.01}
    formulas = {"axes": {"y": "u"}, "calculated": {"v": {"formula": "y / 1 mm"}}, "inverse": {"y": "v * 1 mm"}}
    expression: Any = build({"name": "v", "kind": "calc.expression", **formulas, "tolerances": {"y": 0.1}}, around)
    assert expression.calculation.tolerances == {"y": 0.1}
