"""Paths: a serialised ``scanspec`` specification, and the points that it describes.

scanspec takes most of a second to import, so it is imported when the first path is made (:func:`warm` does that in
advance), and its type adapter is built once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput

Positions = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Points:
    """The points of a path, in the order in which they are visited.

    :param axes: names, outermost (slowest) first.
    :param middle: axis to positions, each of shape ``(points,)``.
    :param lower: positions at the start of each point; the same as ``middle`` where axes rest at points.
    :param upper: positions at the end of each point.
    :param shape: points along each dimension, outermost first.
    """

    axes: tuple[str, ...]
    middle: Positions
    lower: Positions
    upper: Positions
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.middle[self.axes[0]])


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter
    from scanspec.specs import Spec

    return TypeAdapter(Spec[Any])


def warm() -> None:
    """Import scanspec and build its adapter now (about a second), so that the first path costs nothing."""
    _adapter()


def _dumped(spec: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = _adapter().dump_python(spec, mode="json")
    return dumped


def line(axis: str, start: float, stop: float, points: int) -> dict[str, Any]:
    """``points`` equally spaced points from ``start`` to ``stop``, both included."""
    from scanspec.specs import Linspace

    return _dumped(Linspace(axis, start, stop, points))


def mesh(*lines: tuple[str, float, float, int], backnforth: bool) -> dict[str, Any]:
    """A grid of points.

    :param lines: axis, start, stop, points; the fast (inner) axis first.
    :param backnforth: every other line is visited backwards.
    """
    from scanspec.specs import Linspace, Snake

    spec: Any = None
    for number, line in enumerate(lines, start=1):
        linspace = Linspace(*line)
        outer = Snake(linspace) if backnforth and number < len(lines) else linspace
        spec = outer if spec is None else outer * spec
    return _dumped(spec)


def together(*lines: tuple[str, float, float, int]) -> dict[str, Any]:
    """Axes that go along one line at the same time.

    :param lines: axis, start, stop, points; as many points for each.
    """
    from scanspec.specs import Linspace

    spec: Any = Linspace(*lines[0])
    for line in lines[1:]:
        spec = spec.zip(Linspace(*line))
    return _dumped(spec)


def listed(columns: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Points one by one.

    :param columns: axis to the position of each point; as many for each.
    """
    spec: Any = None
    for axis, values in columns.items():
        column = _column(axis, values)
        spec = column if spec is None else spec.zip(column)
    return _dumped(spec)


def _column(axis: str, values: Sequence[float]) -> Any:
    """Positions as a balanced tree: a chain of thousands would be too deep to read."""
    from scanspec.specs import Static

    if len(values) == 1:
        return Static(axis, values[0])
    middle = len(values) // 2
    return _column(axis, values[:middle]).concat(_column(axis, values[middle:]))


def sweep(axis: str, start: float, stop: float, intervals: int) -> dict[str, Any]:
    """One continuous motion from ``start`` to ``stop`` in ``intervals`` equal parts, a point each."""
    from scanspec.specs import Fly, Linspace

    return _dumped(Fly(Linspace.bounded(axis, start, stop, intervals)))


def axes_of(path: dict[str, Any]) -> tuple[str, ...]:
    """Names of the axes that a serialised path moves, outermost first.

    :raises InvalidInput: when it is no valid specification.
    """
    from pydantic import ValidationError

    try:
        return tuple(str(axis) for axis in _adapter().validate_python(path).axes())
    except (ValidationError, ValueError, AssertionError) as error:
        raise InvalidInput(f"The path is not valid: {str(error).splitlines()[0]}.") from error


def points_of(path: dict[str, Any]) -> Points:
    """The points of a serialised path.

    :raises InvalidInput: when it is no valid specification.
    """
    from pydantic import ValidationError

    try:
        spec = _adapter().validate_python(path)
        dimensions = spec.calculate(bounds=path.get("type") == "Fly")
    except (ValidationError, ValueError, AssertionError) as error:
        raise InvalidInput(f"The path is not valid: {str(error).splitlines()[0]}.") from error
    from scanspec.core import stack2dimension

    whole = stack2dimension(dimensions)
    axes = tuple(str(axis) for axis in spec.axes())
    if not axes:
        raise InvalidInput("The path moves no axis.")
    if len(set(axes)) != len(axes):
        raise InvalidInput(f"The path moves {axes[-1]} twice.", hint="Name each axis once.")

    def columns(positions: Any) -> Positions:
        return {axis: np.asarray(positions[axis], dtype=np.float64) for axis in axes}

    return Points(
        axes, columns(whole.midpoints), columns(whole.lower), columns(whole.upper), tuple(len(d) for d in dimensions)
    )
