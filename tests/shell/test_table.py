"""Tables and pictures of numbers, without a session."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import DeviceTimeout, InvalidInput
from firstlight.shell._looking import blocks
from firstlight.shell._picture import picture, ticks
from firstlight.shell._plot import Curve, drawn, of_data
from firstlight.shell._reading import read_all
from firstlight.shell._table import cell


def curve(y: list[float]) -> Curve:
    return Curve("title", "x", "y", np.arange(len(y), dtype=float), np.array(y))


@given(st.integers(20, 200), st.integers(1, 40))
def test_columns_never_go_beyond_the_screen(width: int, count: int) -> None:
    columns = [[f"axis{i}", "1.5", "2.5"] for i in range(count)]
    text = blocks(["", "user", "dial"], columns, width)
    assert max(map(len, text.splitlines())) <= max(width, 20)
    assert [f"axis{i}" for i in range(count) if f"axis{i}" not in text.split()] == []


def test_one_device_that_hangs_does_not_hide_the_others() -> None:
    release = threading.Event()

    def ask(name: str) -> str:
        if name == "stuck":
            release.wait(30)
        if name == "broken":
            raise OSError("off")
        return name.upper()

    found = read_all({name: name for name in ("a", "stuck", "broken", "b")}, ask, patience=0.2)
    release.set()
    assert list(found) == ["a", "stuck", "broken", "b"]
    assert (found["a"], found["b"]) == ("A", "B")
    assert isinstance(found["stuck"], DeviceTimeout)
    assert isinstance(found["broken"], OSError)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (np.int64(12345678), "12345678"),
        (0.1 + 0.2, "0.3"),
        (1234567.0, "1234567"),
        (1e-7, "1e-07"),
        ("x", "x"),
    ],
)
def test_numbers_are_short_and_exact(value: object, text: str) -> None:
    assert cell(value) == text


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50), st.integers(40, 150))
def test_any_curve_can_be_drawn(y: list[float], width: int) -> None:
    text = drawn(curve(y), width)
    assert len(text.splitlines()) > 5
    assert "\x1b" not in text


def test_what_has_no_points_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no points"):
        drawn(curve([float("nan")]), 80)
    with pytest.raises(InvalidInput, match="no points"):
        picture(curve([]), Path("/nowhere"))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_inside(low: float, extent: float) -> None:
    high = low + extent
    if high <= low:
        return
    found = ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), extent)
    assert 2 <= len(found) <= 8
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert found == sorted(found)


def test_numbers_that_make_no_curve_are_refused() -> None:
    for data, x in (([1, 2, 3], [1, 2]), (5, None), ("abc", None), ([[[1]]], None)):
        with pytest.raises(InvalidInput):
            of_data(data, x)


def test_a_picture_of_a_line_and_of_a_grid_differ(tmp_path: Path) -> None:
    picture(curve([0, 1, 4, 1]), tmp_path / "line.png")
    picture(Curve("g", "x", "y", np.empty(0), np.arange(12.0).reshape(3, 4)), tmp_path / "grid.png")
    assert (tmp_path / "line.png").read_bytes() != (tmp_path / "grid.png").read_bytes()
