"""The relations themselves: there and back, against formulas of other sources, and where there is no answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import Axis
from firstlight.devices.calc import Calculation, Formulas, GapFormula, GapTable, Monochromator, Slits, Table, spacing
from firstlight.devices.sim import SimAxis
from firstlight.model import FakeClock, InvalidInput


def motor(name: str, unit: str = "mm", **options: Any) -> Axis:
    return Axis(SimAxis(name, unit=unit, clock=FakeClock(), **options))


def slits(**options: Any) -> Calculation:
    return Slits("s1", motor("s1p"), motor("s1n"), **options)


def table() -> Calculation:
    places = ((-500.0, 0.0), (700.0, 300.0), (700.0, -300.0))
    return Table("t", (motor("t1"), motor("t2"), motor("t3")), places)


def undulating(**options: Any) -> Monochromator:
    formula = GapFormula(18.0, 6.0)
    bragg = motor("bragg", "deg", position=15.0)
    return Monochromator("energy", bragg, spacing("Si111"), gap=motor("gap"), undulator=formula, **options)


def formulas() -> Calculation:
    reals = {"a": motor("a"), "b": motor("b")}
    forward = {"sum": "a + b", "difference": "a - b"}
    inverse = {"a": "(sum + difference) / 2", "b": "(sum - difference) / 2"}
    return Formulas("f", reals, forward, inverse, {"sum": "mm", "difference": "um"})


small = st.floats(-50, 50)
RANGES: dict[Callable[[], Calculation], dict[str, st.SearchStrategy[float]]] = {
    slits: {"gap": small, "offset": small},
    lambda: slits(opposed=True): {"gap": small, "offset": small},
    table: {"height": small, "pitch": small, "roll": small},
    lambda: undulating(harmonic=3): {"energy": st.floats(14.0, 40.0)},
    formulas: {"sum": small, "difference": small},
}


@pytest.mark.parametrize("make", RANGES)
@given(data=st.data())
def test_positions_come_back_from_the_real_axes(make: Callable[[], Calculation], data: st.DataObject) -> None:
    calculation = make()
    count = data.draw(st.integers(1, 4))
    wanted = {
        role: np.array(data.draw(st.lists(values, min_size=count, max_size=count)))
        for role, values in RANGES[make].items()
    }
    real = dict(calculation.to_real(wanted))
    assert {values.shape for values in real.values()} == {(count,)}
    back = calculation.to_calculated(real)
    for role, values in wanted.items():
        np.testing.assert_allclose(back[role], values, rtol=1e-9, atol=1e-9)


def test_slits_are_a_gap_around_an_offset() -> None:
    real = slits().to_real({"gap": np.array([2.0]), "offset": np.array([0.5])})
    assert {role: float(v[0]) for role, v in real.items()} == {"positive": 1.5, "negative": -0.5}
    real = slits(opposed=True).to_real({"gap": np.array([2.0]), "offset": np.array([0.5])})
    assert {role: float(v[0]) for role, v in real.items()} == {"positive": 1.5, "negative": 0.5}


def test_a_table_lifts_what_is_downstream_with_its_pitch() -> None:
    zero = np.zeros(1)
    legs = table().to_real({"height": zero + 10.0, "pitch": zero + 1.0, "roll": zero})
    assert float(legs["leg1"][0]) == pytest.approx(10.0 - 0.5, abs=1e-5)
    assert float(legs["leg2"][0]) == float(legs["leg3"][0]) == pytest.approx(10.0 + 0.7, abs=1e-5)
    legs = table().to_real({"height": zero, "pitch": zero, "roll": zero + 2.0})
    assert float(legs["leg2"][0]) == pytest.approx(0.6, abs=1e-5)


def test_legs_on_one_line_are_refused() -> None:
    with pytest.raises(InvalidInput, match="legs of a table stand on one line"):
        Table("t", (motor("a"), motor("b"), motor("c")), ((0.0, 0.0), (1.0, 1.0), (2.0, 2.0)))


@pytest.mark.parametrize(
    ("crystal", "d"), [("Si111", 3.13560), ("Si(311)", 1.63751), ("Si 1 1 1", 3.13560), ("Ge220", 2.00035)]
)
def test_spacings_are_those_of_the_tables(crystal: str, d: float) -> None:
    assert spacing(crystal) == pytest.approx(d, abs=5e-5)


@pytest.mark.parametrize("wrong", ["Si", "Si000", "Xx111", "111"])
def test_an_unknown_crystal_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput, match="is no known crystal"):
        spacing(wrong)


def test_energy_is_that_of_xraydb() -> None:
    import xraydb

    mono = Monochromator("energy", motor("bragg", "deg"), spacing("Si111"))
    for energy in (6.0, 9.6586, 12.4, 40.0):
        wanted = math.degrees(xraydb.darwin_width(energy * 1e3, "Si", (1, 1, 1)).theta)
        found = float(mono.to_real({"energy": np.array([energy])})["bragg"][0])
        # xraydb's angle includes refraction (some 1e-5 of the angle) and another lattice parameter.
        assert found == pytest.approx(wanted, rel=2e-4)


def test_energies_that_the_crystal_does_not_reach_have_no_angle() -> None:
    mono = Monochromator("energy", motor("bragg", "deg"), spacing("Si111"))
    real = mono.to_real({"energy": np.array([1.5, -3.0, 0.0, 8.0])})
    assert np.isnan(real["bragg"]).tolist() == [True, True, True, False]
    assert np.isnan(mono.to_calculated({"bragg": np.array([0.0, -5.0])})["energy"]).all()


def test_units_of_angle_and_energy_are_free() -> None:
    mono = Monochromator("energy", motor("bragg", "mrad"), spacing("Si111"), unit="eV")
    found = float(mono.to_calculated({"bragg": np.array([250.0])})["energy"][0])
    assert found == pytest.approx(12398.41984 / (2 * spacing("Si111") * math.sin(0.25)))


def test_the_gap_gives_the_harmonic_its_energy() -> None:
    formula = GapFormula(18.0, 6.0)
    for harmonic, energy in ((1, 8.0), (3, 20.0), (5, 30.0)):
        gap = float(formula.gap(np.array([energy]), harmonic)[0])
        field = 3.33 * math.exp(-5.47 * gap / 18.0 + 1.8 * (gap / 18.0) ** 2)
        deflection = 0.0934 * field * 18.0
        # The textbook's E[keV] = 0.950 n E²[GeV²] / (λu[cm] (1 + K²/2)) (X-Ray Data Booklet, 2.1).
        assert 0.950 * harmonic * 36.0 / (1.8 * (1 + deflection**2 / 2)) == pytest.approx(energy, rel=2e-3)


def test_a_harmonic_ends_where_its_field_would_have_to_be_negative_or_too_strong() -> None:
    formula = GapFormula(18.0, 6.0)
    assert np.isnan(formula.gap(np.array([19.5, 0.1]), 1)).all()
    assert np.isfinite(formula.gap(np.array([19.5]), 3)).all()


def test_larger_gaps_give_higher_energies() -> None:
    gaps = GapFormula(18.0, 6.0).gap(np.linspace(4.0, 18.0, 50), 1)
    assert np.all(np.diff(gaps[np.isfinite(gaps)]) > 0)
    assert np.isfinite(gaps).sum() > 40


def test_a_table_of_gaps_is_interpolated_and_ends_where_it_ends() -> None:
    table = GapTable([(10.0, 8.0), (6.0, 6.0)], harmonic=1)
    np.testing.assert_array_equal(table.gap(np.array([6.0, 8.0, 11.0]), 1), [6.0, 7.0, np.nan])
    np.testing.assert_array_equal(table.gap(np.array([24.0]), 3), [7.0])
    with pytest.raises(InvalidInput, match="gives an energy twice"):
        GapTable([(1.0, 2.0), (1.0, 3.0)])
    with pytest.raises(InvalidInput, match="two pairs"):
        GapTable([(1.0, 2.0)])


def test_the_undulator_moves_only_while_it_follows() -> None:
    mono = undulating()
    assert set(mono.to_real({"energy": np.array([10.0])})) == {"bragg", "gap"}
    assert list(mono.moved()) == ["bragg", "gap"]
    mono.following = False
    assert list(mono.moved()) == ["bragg"]
    with pytest.raises(InvalidInput, match="has no undulator that could follow"):
        Monochromator("energy", motor("bragg", "deg"), 3.1).following = True
    with pytest.raises(InvalidInput, match="a harmonic is 1, 2, 3"):
        mono.harmonic = 0


def test_formulas_convert_units() -> None:
    back = formulas().to_real({"sum": np.array([4.0]), "difference": np.array([1000.0])})
    assert (float(back["a"][0]), float(back["b"][0])) == pytest.approx((2.5, 1.5))


def test_formulas_may_use_axes_that_do_not_move() -> None:
    distance = motor("distance", position=1000.0)
    made = Formulas(
        "tth", {"y": motor("y"), "l": distance}, {"tth": "atan2(y, l)"}, {"y": "l * tan(tth)"}, {"tth": "deg"}
    )
    assert float(made.to_real({"tth": np.array([45.0])})["y"][0]) == pytest.approx(1000.0)
    assert list(made.moved()) == ["y"]


@pytest.mark.parametrize(
    ("forward", "inverse", "why"),
    [
        ({"c": "a + q"}, {"a": "c"}, "f: c: 'a \\+ q', column 5"),
        ({"c": "2 * a"}, {"a": "c"}, "not each other's inverse: a = 0.125 comes back as 0.25"),
        ({"c": "a"}, {"q": "c"}, "q is none of its real axes"),
        ({"c": "a"}, {}, "no formula says where a real axis goes"),
        ({"a": "a"}, {"a": "a"}, "a is the name of a real and of a calculated axis"),
        ({"c": "a > 1 mm"}, {"a": "c"}, "says whether something holds"),
        ({"c": "a * a"}, {"a": "c"}, "f: c: 'a \\* a', column 1: it gives mm"),
    ],
)
def test_wrong_formulas_are_refused(forward: dict[str, str], inverse: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Formulas("f", {"a": motor("a")}, forward, inverse, {"c": "mm"})


def test_one_axis_cannot_be_two_of_a_calculation() -> None:
    blade = motor("blade")
    with pytest.raises(InvalidInput, match="s1: blade is given for two of its real axes"):
        Slits("s1", blade, blade)
