"""The curve of a scan that runs, at its prompt."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from firstlight.session import Session
from firstlight.shell._live import INTERVAL, LiveBar, LiveCurve
from firstlight.shell._plot import curves


class Part:
    """The first points of a channel."""

    def __init__(self, channel: Any, count: int) -> None:
        self.unit, self._values = channel.unit, np.asarray(channel[:count])

    def __getitem__(self, key: Any) -> Any:
        return self._values[key]


class Growing:
    """A run whose points come one after the other."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self.npoints = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def __getitem__(self, name: str) -> Any:
        return Part(self._run[name], self.npoints)

    def __contains__(self, name: str) -> bool:
        return name in self._run


def ticks(text: str) -> list[float]:
    """The numbers below a curve."""
    return [float(word) for word in text.splitlines()[-2].split()]


@pytest.fixture
def run(beamline: Session) -> Any:
    return beamline.dscan("rot", 0, 10, 20, 0.001, "diode")


def test_a_curve_grows_with_its_run(beamline: Session) -> None:
    beamline.move({"rot": 0.0})
    growing: Any = Growing(beamline.ascan("rot", 0, 10, 20, 0.001, "diode"))
    beamline.move({"rot": 0.0})
    moment = [100.0]
    live = LiveCurve(lambda: moment[0])
    moment[0] += INTERVAL
    assert live.text(growing, (), 80, 40) == ""
    growing.npoints = 5
    first = live.text(growing, (), 80, 40)
    assert "ascan rot 0 10 20 0.001 diode" in first
    assert ticks(first)[-1] == pytest.approx(2.0)
    growing.npoints = 21
    assert live.text(growing, (), 80, 40) == first, "drawn again at once"
    moment[0] += 2 * INTERVAL
    whole = live.text(growing, (), 80, 40)
    assert ticks(whole)[-1] == pytest.approx(10.0)
    assert max(map(len, whole.splitlines())) <= 80


@pytest.mark.parametrize(("columns", "lines"), [(80, 12), (30, 40)])
def test_a_small_screen_has_no_curve(run: Any, columns: int, lines: int) -> None:
    moments = iter([100.0, 200.0, 200.0])
    assert LiveCurve(lambda: next(moments)).text(run, (), columns, lines) == ""


def test_a_map_grows_line_by_line_and_turned_lines_are_turned_back(beamline: Session) -> None:
    run: Any = beamline.dmesh("sx", -0.5, 0.5, 3, "sz", -0.1, 0.1, 2, 0.001, "diode", backnforth=True)
    growing: Any = Growing(run)
    growing.npoints = 6
    (part,) = curves(growing, ["diode"])
    (whole,) = curves(run, ["diode"])
    measured = np.asarray(run["diode"][:])
    np.testing.assert_array_equal(whole.y[1], measured[4:8][::-1])
    np.testing.assert_array_equal(part.y[0], measured[:4])
    np.testing.assert_array_equal(part.y[1], [np.nan, np.nan, measured[5], measured[4]])
    assert np.isnan(part.y[2]).all()


def test_the_curve_stands_above_the_bar_and_goes_away() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=60, height=40)
    bar = LiveBar(console)
    with bar:
        task = bar.add_task("ascan", total=10, remaining="", doing="")
        bar.above = "the [curve]"
        bar.update(task, completed=5)
        bar.refresh()
        shown = file.getvalue()
        assert shown.index("the [curve]") < shown.rindex("50%")
    # Both lines are cleared at the end.
    assert file.getvalue()[len(shown) :].count("\x1b[2K") >= 2
