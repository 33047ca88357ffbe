"""Grids: points in the order of acquisition as an array with one dimension an axis, whichever way each was gone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput


@dataclass(frozen=True)
class Grid:
    """What was measured on a mesh so far.

    :param values: one dimension an axis, outermost first; NaN where nothing was measured.
    :param ends: of each axis the positions of its first and of its last step.
    :param newest: the step of each axis at which the newest point is.
    """

    values: NDArray[np.float64]
    ends: tuple[tuple[float, float], ...]
    newest: tuple[int, ...]

    def steps(self, dimension: int) -> NDArray[np.float64]:
        """Nominal positions along one axis."""
        return np.linspace(*self.ends[dimension], self.values.shape[dimension])

    def plane(self, y: int, x: int, at: Sequence[int] | None = None) -> tuple[NDArray[np.float64], tuple[int, ...]]:
        """The values over two axes, and where the others stand.

        :param y: dimension of the rows.
        :param x: dimension of the columns.
        :param at: step of each other axis, outermost first; where the newest point is when None.
        :raises InvalidInput: there are not so many others, or one has no such step.
        """
        others = [d for d in range(self.values.ndim) if d not in (y, x)]
        chosen = tuple(self.newest[d] for d in others) if at is None else tuple(at)
        if len(chosen) != len(others):
            raise InvalidInput(
                f"{len(chosen)} indices choose no plane.", hint=f"Give one for each further axis: {len(others)}."
            )
        for d, k in zip(others, chosen, strict=True):
            if not 0 <= k < self.values.shape[d]:
                raise InvalidInput(f"There is no plane {k}.", hint=f"There are 0 to {self.values.shape[d] - 1}.")
        steps: dict[int, Any] = dict(zip(others, chosen, strict=True))
        plane = self.values[tuple(steps.get(d, slice(None)) for d in range(self.values.ndim))]
        return (plane.T if y > x else plane), chosen


def grid(
    places: Sequence[NDArray[np.float64] | None],
    values: NDArray[np.float64],
    shape: Sequence[int],
    planned: Sequence[tuple[float, float] | None] = (),
) -> Grid:
    """Points in the order of acquisition as a grid whose first step along each axis is the first one that was visited.

    Lines, and planes, that were gone through backwards are turned round; which they are is seen from the positions, so
    that no description is needed.

    :param places: of each axis, outermost first, the position of each point; None for one that has none.
    :param values: of each point.
    :param shape: steps of each axis, outermost first.
    :param planned: first and last position of each axis, where they are known before they were visited.
    """
    total = math.prod(shape)
    count = min(len(values), total)
    filled = np.full(total, np.nan)
    filled[:count] = values[:count]
    # Where each point went, to find the newest.
    order = np.arange(total)
    ends: list[tuple[float, float]] = []
    # Turning an axis moves the lines within it as they are, so the innermost is turned first.
    for d in reversed(range(len(shape))):
        n, inner = shape[d], math.prod(shape[d + 1 :])
        known = planned[d] if d < len(planned) else None
        found = places[d] if d < len(places) else None
        if found is None:
            ends.append(known or (0.0, float(max(1, n - 1))))
            continue
        lines = _lines(found, total, n, inner)
        first, last = _ends(lines[0], known)
        ends.append((first, last))
        back = np.flatnonzero(_backwards(lines, first, last))
        for array in (filled, order):
            blocks = array.reshape(-1, n, inner)
            blocks[back] = blocks[back, ::-1]
    newest = np.unravel_index(int(np.flatnonzero(order == max(0, count - 1))[0]), shape)
    return Grid(filled.reshape(shape), tuple(reversed(ends)), tuple(int(k) for k in newest))


def cells(values: NDArray[Any], rows: int, columns: int, how: str) -> NDArray[np.float32]:
    """Bins of an image: the mean, the largest or the sum of what is there; NaN where there is nothing.

    :param rows: of a bin; the last one holds what is left.
    :param columns: of a bin.
    :param how: ``mean``, ``max`` or ``sum``.
    """
    if rows <= 1 and columns <= 1:
        return values.astype(np.float32)
    down, along = np.arange(0, values.shape[0], rows), np.arange(0, values.shape[1], columns)
    if how == "max":
        return np.fmax.reduceat(np.fmax.reduceat(values, down, 0), along, 1).astype(np.float32)
    there = np.isfinite(values)
    total = np.add.reduceat(np.add.reduceat(np.where(there, values, 0.0), down, 0), along, 1)
    count = np.add.reduceat(np.add.reduceat(there.astype(np.int64), down, 0), along, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count if how == "mean" else total, np.nan).astype(np.float32)


def _lines(places: NDArray[np.float64], total: int, n: int, inner: int) -> NDArray[np.float64]:
    """Positions along each pass of an axis: (passes, steps); NaN where it was not yet."""
    padded = np.full(total, np.nan)
    count = min(len(places), total)
    padded[:count] = places[:count]
    passes = padded.reshape(-1, n, inner)
    there = np.isfinite(passes)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(there, passes, 0.0).sum(axis=2) / there.sum(axis=2)
    return mean


def _backwards(lines: NDArray[np.float64], first: float, last: float) -> NDArray[np.bool_]:
    # By where a pass begins: near the end of the first one it goes back.
    begins = lines[np.arange(len(lines)), np.isfinite(lines).argmax(axis=1)]
    with np.errstate(invalid="ignore"):
        back: NDArray[np.bool_] = np.abs(begins - last) < np.abs(begins - first)
    return back


def _ends(line: NDArray[np.float64], planned: tuple[float, float] | None) -> tuple[float, float]:
    """First and last position of a whole pass, from as much of it as is there."""
    steps = len(line) - 1
    there = np.flatnonzero(np.isfinite(line))
    if there.size == 0:
        return planned or (0.0, float(max(1, steps)))
    if there.size == 1:
        step = (planned[1] - planned[0]) / max(1, steps) if planned is not None else 1.0
    else:
        step = float(line[there[-1]] - line[there[0]]) / float(there[-1] - there[0])
    first = float(line[there[0]]) - step * float(there[0])
    return first, first + step * steps
