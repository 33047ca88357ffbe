"""Lines in reciprocal space as paths of the real axes, which stay on the line between the points too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from firstlight.crystallography._diffractometer import Diffractometer, Discontinuous
from firstlight.crystallography._rotation import Floats
from firstlight.model import InvalidInput

_FINEST = 1e-7  # tolerance: closer than that rounding tells
_ROUNDS = 24  # of halving: a path that still leaves the line jumps
_MOST = 100_000  # points of a line
_INSIDE = np.array([0.25, 0.5, 0.75])
_PROOF = np.arange(1, 16) / 16


@dataclass(frozen=True)
class Line:
    """A path along a line: between its points all axes move in proportion."""

    fractions: Floats
    """Of the way, from 0 to 1, shape (n,)."""
    hkl: Floats
    """Shape (n, 3)."""
    angles: Floats
    """Degrees, shape (n, axes)."""
    error: float
    """The most by which h, k or l leaves the line between the points."""
    tolerance: float
    """What was asked."""

    def __len__(self) -> int:
        return len(self.fractions)

    def at(self, fractions: ArrayLike) -> Floats:
        """Settings at any fractions of the way, shape (n, axes)."""
        wanted = np.asarray(fractions, np.float64)
        return np.stack([np.interp(wanted, self.fractions, column) for column in self.angles.T], axis=-1)


def line(
    diffractometer: Diffractometer,
    start: ArrayLike,
    stop: ArrayLike,
    tolerance: float = 1e-4,
    near: Mapping[str, float] | None = None,
    least: int = 9,
) -> Line:
    """The path of the real axes along a straight line in reciprocal space.

    Pieces are halved where h, k or l would leave the line by more than the tolerance while the axes move in proportion.

    :param tolerance: largest error of h, k or l between the points.
    :param near: where the axes are.
    :param least: number of points to begin with.
    :raises Unreachable: when a point has no setting.
    :raises Discontinuous: when no branch goes through.
    """
    if not tolerance >= _FINEST:
        raise InvalidInput(f"A tolerance of {tolerance:g} cannot be met.", hint=f"Give {_FINEST:g} or more.")
    first, last = np.asarray(start, np.float64), np.asarray(stop, np.float64)

    def at(fractions: Floats) -> Floats:
        return first + fractions[:, np.newaxis] * (last - first)

    fractions = np.linspace(0, 1, max(least, 2))
    for _ in range(_ROUNDS):
        angles = diffractometer.plan(at(fractions), near)
        errors = _leave(diffractometer, fractions, angles, at, _INSIDE)
        wide = np.flatnonzero(errors > 0.9 * tolerance)
        if not len(wide):
            break
        if len(fractions) + len(wide) > _MOST:
            raise InvalidInput(
                f"This line needs more than {_MOST} points to stay within {tolerance:g}.",
                hint="Choose a larger tolerance, or a shorter line.",
            )
        halves = fractions[wide] + np.diff(fractions)[wide] / 2
        fractions = np.sort(np.concatenate([fractions, halves]))
    else:
        worst = int(np.argmax(errors))
        raise _jump(diffractometer, at(fractions[[worst]])[0], angles[worst], angles[worst + 1])
    error = float(_leave(diffractometer, fractions, angles, at, _PROOF).max())
    return Line(fractions, at(fractions), angles, error, tolerance)


def _leave(
    diffractometer: Diffractometer, fractions: Floats, angles: Floats, at: Callable[[Floats], Floats], inside: Floats
) -> Floats:
    """The most by which h, k or l leaves the line within each piece, shape (pieces,)."""
    between = angles[:-1, np.newaxis] + inside[:, np.newaxis] * np.diff(angles, axis=0)[:, np.newaxis]
    where = fractions[:-1, np.newaxis] + inside * np.diff(fractions)[:, np.newaxis]
    wanted = at(where.ravel()).reshape(*where.shape, 3)
    return np.asarray(np.abs(diffractometer.forward(between) - wanted).max(axis=(1, 2)))


def _jump(diffractometer: Diffractometer, hkl: Floats, before: Floats, after: Floats) -> Discontinuous:
    axis = int(np.argmax(np.abs(after - before)))
    return Discontinuous(
        "At ({:.5g} {:.5g} {:.5g})".format(*hkl)
        + f" {diffractometer.axes[axis]} would jump from {before[axis]:.4g} to {after[axis]:.4g}.",
        hint="Choose another mode, limits that leave one branch, or a cut point that the path does not cross.",
    )
