"""Quantities as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput, convert
from firstlight.model._units import COMMON, registry


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("20 ms", "s", 0.02),
        ("20ms", "s", 0.02),
        ("1e-3", "s", 0.001),
        ("-5 um", "mm", -0.005),
        (".5 mm", "um", 500.0),
        ("3 µm", "mm", 0.003),
        ("90°", "deg", 90.0),
        ("20 deg/s", "deg/s", 20.0),
        ("2 nm^-1", "1/nm", 2.0),
        ("2 1/nm", "1/nm", 2.0),
        ("20 degC", "K", 293.15),
        ("1.2 keV", "eV", 1200.0),
        ("7 photon", "count", 7.0),
        ("12", "deg", 12.0),
        ("50 %", "", 0.5),
    ],
)
def test_a_text_with_a_unit_is_converted(text: str, unit: str, expected: float) -> None:
    assert convert(text, unit) == pytest.approx(expected)


def test_a_number_is_taken_to_be_in_the_unit_already() -> None:
    assert convert(3, "mm") == 3.0


@pytest.mark.parametrize(
    "text", ["", "mm", "20 kg", "20 furlongsxyz", "nan", "1 2 mm", "[1,2] mm", "5 mm;", "20 (", "1/0"]
)
def test_a_text_that_is_no_such_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        convert(text, "mm")
    assert caught.value.message == f"{text!r} is not a quantity in mm."
    assert caught.value.hint == "Write for instance '20 mm'."


@pytest.mark.parametrize("text", ["9**9**9**9", "1 m**9**9**9", "9**9**9 m", "1 m**99999999", "1 (m**9)**9**9**9"])
def test_a_text_is_never_evaluated(text: str) -> None:
    with pytest.raises(InvalidInput):
        convert(text, "m")


@given(st.text(alphabet="0123456789.eE+-*/^()µm s%°_'\"[];", max_size=12))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(convert(text, "m"), float)


@pytest.mark.parametrize("pair", COMMON)
def test_what_is_asked_often_needs_no_library_and_gives_the_same(pair: tuple[str, str]) -> None:
    given, wanted = pair
    expected = registry().Quantity(2.5, given).to(wanted).magnitude
    assert convert(f"2.5 {given}", wanted) == pytest.approx(float(expected), rel=1e-15)
