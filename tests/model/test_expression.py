from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firstlight.model import FUNCTIONS, Expression, ExpressionError, InvalidInput


def value(text: str, units: dict[str, str] | None = None, unit: str | None = None, /, **values: Any) -> Any:
    return Expression(text).bind(units or {}, unit)(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-2 ** 2", -4),
        ("2 ** 3 ** 2", 512),
        ("7 // 2 + 7 % 4", 6),
        ("(1 + 2) * 3 - +4", 5),
        ("1.5e3 / .5", 3000),
        ("sqrt(16) + abs(-2) + sign(-3)", 5),
        ("min(3, 1, 2) + max(3, 1, 2)", 4),
        ("hypot(3, 4) + where(1 > 2, 10, 20)", 25),
        ("10 if 1 < 2 < 3 else 20", 10),
        ("sin(pi / 2) + cos(0) + log(e) + log10(100) + exp(0)", 6),
        ("deg(pi) - 180", 0),
        ("atan2(1, 1) * 4 - pi", 0),
        ("(1 < 2) + (2 < 3) - (3 < 2)", 2),
    ],
)
def test_arithmetic_is_that_of_python(text: str, expected: float) -> None:
    assert Expression(text)({}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < 3 and b > 1", True),
        ("a < 3 and not b > 1", False),
        ("a > 3 or a == 2 and b != 2", False),
        ("1 < a <= 2 == b", True),
        ("not (a and b)", False),
    ],
)
def test_comparisons_and_words_give_truth(text: str, expected: bool) -> None:
    formula = Expression(text).bind({})
    assert formula.truth
    assert formula({"a": 2, "b": 2}) is expected


def test_names_have_dots_and_colons_and_come_in_their_order() -> None:
    known = {"ring.current", "mca:Fe_ka", "cam:spot_sum"}
    expression = Expression("mca:Fe_ka / ring.current + cam:spot_sum + ring.current", known)
    assert expression.names == ("mca:Fe_ka", "ring.current", "cam:spot_sum")
    assert expression({"mca:Fe_ka": 10, "ring.current": 5, "cam:spot_sum": 1}) == 8.0


def test_arrays_are_computed_at_once() -> None:
    diode, ring = np.array([1, 2, 3], dtype="<u4"), np.array([2.0, 0.0, 4.0])
    np.testing.assert_array_equal(value("diode / ring", diode=diode, ring=ring), [0.5, np.inf, 0.75])
    np.testing.assert_array_equal(value("a - b", a=np.array([1], "<u2"), b=np.array([2], "<u2")), [-1.0])
    np.testing.assert_array_equal(value("spectrum * gain", spectrum=np.ones((2, 3)), gain=2), np.full((2, 3), 2.0))


def test_a_division_by_zero_is_no_number_and_no_warning() -> None:
    assert math.isnan(value("a / a", a=0))
    assert value("a / b", a=1, b=0) == math.inf
    assert math.isnan(value("log(a) + sqrt(a)", a=-1))
    assert Expression("9 ** 9 ** 9 ** 9")({}) == math.inf


@pytest.mark.parametrize(
    ("text", "units", "unit", "values", "expected"),
    [
        ("diode / ring * 100 mA", {"diode": "count", "ring": "mA"}, "count", {"diode": 6, "ring": 200}, 3.0),
        ("diode / ring * 100 mA", {"diode": "count", "ring": "A"}, "count", {"diode": 6, "ring": 0.2}, 3.0),
        ("diode / ring * 100mA", {}, "count", {"diode": 6, "ring": 200}, 3.0),
        ("a + b", {"a": "mm", "b": "um"}, None, {"a": 1, "b": 500}, 1.5),
        ("a + 2", {"a": "mm"}, "um", {"a": 1}, 3000.0),
        ("a + b", {"a": "", "b": "mm"}, "um", {"a": 1, "b": 1}, 2000.0),
        ("a / b", {"a": "mm", "b": "um"}, None, {"a": 1, "b": 1}, 1000.0),
        ("a / b", {"a": "mm", "b": "s"}, "um/s", {"a": 1, "b": 2}, 500.0),
        ("rate * 10 s", {"rate": "1/s"}, "count", {"rate": 2}, 20.0),
        ("sin(rot)", {"rot": "deg"}, None, {"rot": 30}, 0.5),
        ("sin(x)", {}, None, {"x": math.pi / 6}, 0.5),
        ("asin(x)", {}, "deg", {"x": 0.5}, 30.0),
        ("deg(rot) + rad(90)", {"rot": "rad"}, "deg", {"rot": math.pi}, 270.0),
        ("atan2(a, b)", {"a": "um", "b": "mm"}, "deg", {"a": 1000, "b": 1}, 45.0),
        ("sqrt(a * b)", {"a": "mm", "b": "mm"}, "um", {"a": 2, "b": 2}, 2000.0),
        ("a ** 2", {"a": "mm"}, "um**2", {"a": 1}, 1e6),
        ("max(a, 3 mm)", {"a": "um"}, None, {"a": 1}, 3000.0),
        ("a if ring < 5 mA else 0", {"a": "mm", "ring": "A"}, "um", {"a": 1, "ring": 0.001}, 1000.0),
        ("-log(i1 / i0)", {"i0": "count", "i1": "count"}, "", {"i0": math.e, "i1": 1}, 1.0),
        ("20 °C - t", {"t": "K"}, "K", {"t": 283.15}, 10.0),
        ("t + 5", {"t": "degC"}, "K", {"t": 20}, 298.15),
        ("a // 2 um", {"a": "mm"}, None, {"a": 0.0125}, 6.0),
        ("a % 2 um", {"a": "mm"}, "um", {"a": 0.0125}, 0.5),
        ("volts * 1e-6 A/V", {"volts": "V"}, "nA", {"volts": 2}, 2000.0),
        ("2 mm**2 / a", {"a": "mm"}, "mm", {"a": 2}, 1.0),
        ("gain * x", {"x": "arb"}, "mm", {"gain": 2, "x": 3}, 6.0),
        ("gain * x", {"x": "mm"}, "um", {"gain": 2, "x": 3}, 6000.0),
        ("gain * x", {"x": "mm"}, "mA", {"gain": 2, "x": 3}, 6.0),
        ("gain * x + i", {"x": "mm", "i": "mA"}, "uA", {"gain": 2, "x": 3, "i": 1}, 7000.0),
        ("log(gain * x)", {"x": "mm"}, None, {"gain": 1, "x": 1}, 0.0),
    ],
)
def test_units_are_converted(
    text: str, units: dict[str, str], unit: str | None, values: dict[str, float], expected: float
) -> None:
    assert Expression(text, values.keys()).bind(units, unit)(values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "units", "unit"),
    [
        ("a + b", {"a": "um", "b": "mm"}, "um"),
        ("a * b", {"a": "mm", "b": "1/s"}, "mm/s"),
        ("a * b / b", {"a": "mm", "b": "mA"}, "mm"),
        ("a / b", {"a": "mm", "b": "um"}, ""),
        ("asin(x)", {}, "rad"),
        ("x * 2", {"x": "deg"}, "deg"),
        ("a < b", {"a": "um", "b": "mm"}, ""),
        ("a - b", {"a": "degC", "b": "degC"}, "delta_degC"),
        ("a * 2 um", {}, "um"),
        ("x", {"x": "arb"}, ""),
    ],
)
def test_the_unit_of_the_result_follows(text: str, units: dict[str, str], unit: str) -> None:
    assert Expression(text).bind(units).unit == unit


def test_a_unit_after_a_number_is_no_name_and_a_known_name_is_no_unit() -> None:
    assert value("100 mA/ring", {"ring": "mA"}, None, ring=50) == 2.0
    assert value("5 mm/s * t", {"t": "s"}, "mm", t=2) == 10.0
    assert Expression("5 mm/s", {"s"}).names == ("s",)
    assert Expression("5 mm / s").names == ("s",)
    assert value("2 mm*s", s=2) == 4.0


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "nothing to compute"),
        ("a +", 3, "not understood"),
        ("a + (b", 5, "not understood"),
        ("a b", 3, "operator is missing before 'b'"),
        ("1.5.2", 4, "operator is missing"),
        ("2x", 2, "there is no unit 'x'. Write 2 * x."),
        ("diode / rnig", 9, "there is no 'rnig'. Did you mean ring?"),
        ("sine(a)", 1, "there is no function 'sine'. Did you mean sin?"),
        ("sin + 2", 1, "sin is a function"),
        ("sin()", 1, "takes 1 argument, not 0"),
        ("where(a, 1)", 1, "takes 3 arguments, not 2"),
        ("2 ^ 3", 3, "A power is written **."),
        ("a = 3", 3, "Equality is written ==."),
        ("a[0]", 2, "no indexing"),
        ("'a'", 1, "means nothing"),
        ("__import__('os')", 12, "means nothing"),
        ("a.__class__()", 1, "there is no function"),
        ("(a)(1)", 2, "there is no function 'a'"),
        ("3(1)", 1, "cannot be called"),
        ("lambda: 3", 7, "means nothing"),
        ("[a for a in b]", 1, "means nothing"),
        ("sin(*a)", 5, "not understood"),
        ("a if b else", 11, "not understood"),
        ("sin(a, x=3)", 9, "Equality"),
        ("5 mm**99", 3, "power of a unit"),
        ("(" * 300, 201, "nested too deeply"),
        ("-" * 500 + "1", 102, "nested too deeply"),
        ("1+" * 1500 + "1", 2001, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text, {"a", "b", "diode", "ring"})
    assert caught.value.column == column
    assert words in str(caught.value)
    assert f"column {column}:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "unit", "words"),
    [
        ("mm + s", None, "s and mm do not go together in +"),
        ("mm < s", None, "do not go together in <"),
        ("sin(mm)", None, "sin takes an angle, not mm"),
        ("log(mm)", None, "log takes a plain number, not mm"),
        ("mm", "s", "it gives mm, not s"),
        ("mm", "", "it gives mm, not a number without unit"),
        ("mm < 3", "mm", "that has no unit mm"),
        ("mm ** 20", None, "at most 9"),
        ("2 ** mm", None, "an exponent takes a plain number"),
        ("degC + degC", None, "cannot be added"),
    ],
)
def test_units_that_do_not_fit_are_refused(text: str, unit: str | None, words: str) -> None:
    expression = Expression(text)
    with pytest.raises(ExpressionError, match="column") as caught:
        expression.bind({name: name for name in expression.names}, unit)
    assert words in str(caught.value)


def test_values_that_are_missing_or_no_numbers_are_named() -> None:
    expression = Expression("2 * diode + ring")
    with pytest.raises(ExpressionError, match=r"column 5: .*of 'diode'\. Did you mean diod\?") as caught:
        expression({"diod": 1.0, "ring": 2.0})
    assert caught.value.pointer == "2 * diode + ring\n    ^"
    with pytest.raises(ExpressionError, match="column 13: ring = 'off' is no number"):
        expression({"diode": 1.0, "ring": "off"})
    with pytest.raises(ExpressionError, match="do not fit each other: diode \\(2,\\), ring \\(3,\\)"):
        expression({"diode": np.ones(2), "ring": np.ones(3)})


def test_it_travels_between_processes() -> None:
    expression = Expression("a + 2 mm")
    for other in (pickle.loads(pickle.dumps(expression)), copy.deepcopy(expression)):
        assert other == expression
        assert hash(other) == hash(expression)
        assert other({"a": 1}) == 3.0
    assert str(expression) == "a + 2 mm"
    assert repr(expression) == "Expression('a + 2 mm')"


def test_without_units_no_unit_library_is_needed() -> None:
    code = (
        "import sys; from firstlight.model import Expression; assert Expression('sin(a) * 2 < b')({'a': 1, 'b': 3}); "
        "sys.exit('pint' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


_ATOMS = st.one_of(
    st.sampled_from(["a", "b", "c"]),
    st.floats(0, 1e3).map(lambda x: repr(round(x, 6))),
    st.integers(0, 1000).map(str),
    st.sampled_from(["pi", "e"]),
)
_UNARY = ["sin", "cos", "tan", "atan", "abs", "exp"]


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.integers(0, 3)).map(lambda t: f"({t[0]}) ** {t[1]}"),
        inner.map(lambda x: f"-({x})"),
        st.tuples(st.sampled_from(_UNARY), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        st.tuples(inner, inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} < {t[2]} else {t[3]})"),
    )


_NUMBERS = st.floats(-1e3, 1e3)


@given(st.recursive(_ATOMS, _grown, max_leaves=12), _NUMBERS, _NUMBERS, _NUMBERS)
@example("a // b", 1.0, 3.0, 0.0)
def test_it_gives_what_python_gives(text: str, a: float, b: float, c: float) -> None:
    names: dict[str, Any] = {name: getattr(math, name) for name in (*_UNARY, "pi", "e") if name != "abs"}
    names |= {"abs": abs, "min": min, "max": max, "a": a, "b": b, "c": c}
    try:
        expected = float(eval(text, {"__builtins__": {}}, names))
    except (ZeroDivisionError, OverflowError, ValueError):
        assert not isinstance(Expression(text)({"a": a, "b": b, "c": c}), str)
        return
    found = Expression(text)({"a": a, "b": b, "c": c})
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


_PIECES = st.sampled_from(
    [
        *FUNCTIONS,
        *("a", "b.c", "d:e", "1", "2.5", "3e5", "5 mA", "7 mm/s", "(", ")", ",", "+", "-", "*", "/", "//", "%", "**"),
        *("<", "<=", "==", "!=", "and", "or", "not", "if", "else", "in", "is", "lambda", "^", "[", "]", "'", '"', "."),
        *(":", ":=", "=", "\n", "\t", "\\", "#", "°C", "µm", "Å", "²", "\x00", "👋", "__", "await", "None", "True"),
    ]
)


@given(st.one_of(st.lists(_PIECES, max_size=14).map(" ".join), st.lists(_PIECES, max_size=14).map("".join), st.text()))
@example("5 mA**-9")
@example("0 ** -1")
@example("1 if a else")
@example("5 mm/s/s/s")
@example("%")
@example("a\\\n+1")
@example("ſin(a)")
def test_whatever_is_written_only_a_clear_error_comes_out(text: str) -> None:
    errors: list[InvalidInput] = []
    try:
        expression = Expression(text)
    except InvalidInput as error:
        errors.append(error)
    else:
        for units in ({}, dict.fromkeys(expression.names, "mm"), dict.fromkeys(expression.names, "degC")):
            try:
                formula = expression.bind(units)
            except InvalidInput as error:
                errors.append(error)
                continue
            for given_values in (0.0, -1, np.array([0.0, 1.0, np.nan])):
                result = formula(dict.fromkeys(expression.names, given_values))
                assert isinstance(result, (float, bool, np.ndarray))
    for problem in errors:
        assert isinstance(problem, ExpressionError)
        assert 1 <= problem.column <= max(1, len(text))
        assert problem.pointer.endswith("^")
