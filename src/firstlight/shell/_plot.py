"""Plots in the terminal, drawn by plotext."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import ChannelKind, ChannelRole, InvalidInput, NotFound

if TYPE_CHECKING:
    from firstlight.data import Run

HEIGHT = 16
MOST = 2000
"""Points of a curve that are drawn: a terminal has no more columns."""

_NOTHING = 1e-250

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What is plotted: heights of one counter over positions.

    :param x: positions.
    :param y: heights; for a grid of shape (lines, points).
    :param axis: name of the channel with the positions.
    :param counter: name of the channel with the heights.
    """

    title: str
    x_label: str
    y_label: str
    x: Numbers
    y: Numbers
    axis: str = ""
    counter: str = ""

    @property
    def grid(self) -> bool:
        """Whether it is a grid and not a line."""
        return self.y.ndim == 2


def curves(run: Run, counters: Sequence[str] = (), axis: str | None = None) -> list[Curve]:
    """The curves of a run.

    :param counters: those wanted that the run has; its first when there is none.
    """
    specs = run.specs()
    scalar = [n for n, s in specs.items() if not s.shape and s.kind is not ChannelKind.RAGGED]
    measured = [n for n in scalar if specs[n].role is ChannelRole.COUNTER]
    wanted = [name for name in counters if name in scalar] or measured[:1]
    shape = run.info.shape
    plots = run.info.plots
    x = axis or (plots[0].x if plots and plots[0].x in specs else _x(run))
    found = []
    for name in wanted:
        heights = np.asarray(run[name][:], dtype=np.float64)
        label = _label(name, specs[name].unit)
        if len(shape) == 2 and len(heights) <= math.prod(shape):
            lines = _in_lines(run, heights)
            y_axis = run.info.axes[0]
            found.append(
                Curve(
                    f"{run.title}: {label}", _axis_label(run, x), _axis_label(run, y_axis), np.empty(0), lines, x, name
                )
            )
            continue
        positions = np.asarray(run[x][:], dtype=np.float64)
        count = min(len(positions), len(heights))
        found.append(Curve(run.title, _axis_label(run, x), label, positions[:count], heights[:count], x, name))
    return found


def _x(run: Run) -> str:
    axes = [name for name in run.info.axes if name in run]
    return axes[-1] if axes else "elapsed_time"


def _in_lines(run: Run, heights: Numbers) -> Numbers:
    """Heights of a grid with the fast axis rising to the right, also when it was visited back and forth.

    Points that were not measured, or not yet, are NaN.
    """
    lines = _filled(heights, run.info.shape)
    fast = _filled(np.asarray(run[run.info.axes[-1]][:], dtype=np.float64), run.info.shape)
    first, last = fast[0, 0], fast[0, -1]
    backwards = np.abs(fast[:, 0] - first) > np.abs(fast[:, 0] - last)
    if backwards.any():
        lines[backwards] = lines[backwards, ::-1]
        if first > last:
            return lines[:, ::-1]
    return lines


def _filled(values: Numbers, shape: Sequence[int]) -> Numbers:
    """Values in a grid that has room for more."""
    grid = np.full(math.prod(shape), np.nan)
    count = min(len(values), grid.size)
    grid[:count] = values[:count]
    return grid.reshape(shape)


def _axis_label(run: Run, name: str) -> str:
    unit = run[name].unit if name in run else ""
    return _label("time" if name == "elapsed_time" else name, unit)


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def drawn(
    curve: Curve,
    width: int,
    height: int = HEIGHT,
    *,
    marks: Sequence[float] = (),
    colour: bool = False,
    most: int = MOST,
) -> str:
    """A curve as text.

    :param height: lines of text; a grid takes up to two for each, and four more.
    :param marks: positions of vertical lines.
    :param colour: with the terminal's codes for colours.
    :param most: points of a curve that are drawn.
    :raises InvalidInput: when there is nothing to draw.
    """
    import plotext

    if curve.grid:
        return _shaded(curve, width, 2 * height)
    good = np.isfinite(curve.x) & np.isfinite(curve.y)
    # What is nearly nothing is nothing: plotext fails on numbers below 1e-300.
    x, y = (np.where(np.abs(v[good]) < _NOTHING, 0.0, v[good]) for v in (curve.x, curve.y))
    if not len(x):
        raise InvalidInput(f"{curve.y_label} has no points to plot.")
    factor = _power(x)
    scaled_marks = [mark / factor for mark in marks]
    (x, x_label), (y, y_label) = _scaled(x, curve.x_label), _scaled(y, curve.y_label)
    step = -(-len(x) // most)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(max(30, width - 1), height)
    plotext.title(_cut(curve.title, width - 12))
    plotext.xlabel(x_label)
    plotext.ylabel(y_label)
    plotext.plot(x[::step].tolist(), y[::step].tolist(), marker="braille")
    for mark in scaled_marks:
        if x.min() <= mark <= x.max():
            plotext.vertical_line(mark)
    text: str = plotext.build() if colour else plotext.uncolorize(plotext.build())
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def _scaled(values: Numbers, label: str) -> tuple[Numbers, str]:
    """Numbers that are short to write, and the power of ten in the label."""
    factor = _power(values)
    return (values, label) if factor == 1.0 else (values / factor, f"{label} × {factor:.0e}")


def _power(values: Numbers) -> float:
    largest = float(np.max(np.abs(values)))
    if largest == 0 or 1e-3 <= largest < 1e7:
        return 1.0
    return float(10.0 ** (3 * math.floor(math.log10(largest) / 3)))


def _shaded(curve: Curve, width: int, most: int) -> str:
    """A grid as shades, slow axis downwards from the top."""
    shades = " ░▒▓█"
    lines = curve.y
    finite = lines[np.isfinite(lines)]
    if not finite.size:
        raise InvalidInput(f"{curve.title} has no points to plot.")
    rows, columns = lines.shape
    across, down = min(columns, max(10, width - 4)), min(rows, most)
    small = lines[np.linspace(0, rows - 1, down).round().astype(int)]
    small = small[:, np.linspace(0, columns - 1, across).round().astype(int)]
    span = float(np.ptp(finite)) or 1.0
    levels = np.nan_to_num((small - finite.min()) / span * (len(shades) - 1)).round().astype(int)
    repeat = max(1, min(2, (width - 4) // across))
    picture = ["│" + "".join(shades[level] * repeat for level in row) + "│" for row in levels]
    edge = "─" * (across * repeat)
    scale = f"{finite.min():.6g} {shades} {finite.max():.6g}"
    foot = f"→ {curve.x_label}   ↓ {curve.y_label}   {scale}"
    return "\n".join([_cut(curve.title, width), f"┌{edge}┐", *picture, f"└{edge}┘", foot])


def of_data(data: Any, x: ArrayLike | None = None, title: str = "") -> Curve:
    """A curve of any numbers: an array, a channel, a list.

    :raises InvalidInput: when they are no line of numbers.
    """
    label = str(getattr(data, "name", "")) or "value"
    try:
        heights = np.asarray(data, dtype=np.float64)
        positions = np.arange(heights.size, dtype=np.float64) if x is None else np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{data!r} is no list of numbers.", hint="Give an array or a channel.") from None
    if heights.ndim == 2:
        return Curve(title or label, "column", "row", np.empty(0), heights)
    if heights.ndim == 0:
        raise InvalidInput(f"{data!r} is one number, not a curve.", hint="Give an array, a list or a channel.")
    if heights.ndim != 1 or positions.shape != heights.shape:
        raise InvalidInput(
            f"Heights of shape {heights.shape} over positions of shape {positions.shape} make no curve.",
            hint="Give as many of both.",
        )
    return Curve(title or label, str(getattr(x, "name", "")) or "index", label, positions, heights)


def require(found: Sequence[Curve], run: Run) -> Sequence[Curve]:
    """Curves, when there are any.

    :raises NotFound: otherwise.
    """
    if not found:
        raise NotFound(f"{run.title} has no counter to plot.", hint="Measure a counter, or see the frames in the file.")
    return found


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."
