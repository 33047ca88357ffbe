"""The way of real axes that follow their relation: legs so short that straight motions stay close enough to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._travel import travel_time
from firstlight.model import InvalidInput, LimitError

if TYPE_CHECKING:
    from firstlight.devices._axis import Axis
    from firstlight.devices.calc._calculation import Calculation

MOST = 1000
"""Legs of one motion: with more, something is wrong with the tolerance."""

_SHARES = np.linspace(0.0, 1.0, 17)


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch from rest to rest, on which all real axes stay in proportion.

    :param length: of the calculated axis, with its sign.
    :param targets: name of each real axis that moves to the user position at its end.
    :param distances: the same to how far it goes.
    :param velocity: share of the leg per second, at most.
    :param acceleration: the same per second².
    """

    length: float
    targets: Mapping[str, float]
    distances: Mapping[str, float]
    velocity: float
    acceleration: float

    def speed(self, velocity: float | None) -> float:
        """Share of the leg per second when the calculated axis may go no faster than that."""
        return self.velocity if not velocity or not self.length else min(self.velocity, velocity / abs(self.length))

    def seconds(self, velocity: float | None = None) -> float:
        """How long it takes."""
        return travel_time(1.0, self.speed(velocity), self.acceleration) if self.targets else 0.0


def checked(name: str, reals: Mapping[str, Axis], tolerances: Mapping[str, float]) -> dict[str, float]:
    """How far real axes may be from the relation, by their roles.

    :raises InvalidInput: for other roles, or numbers that are not above zero; for real axes that are calculated.
    """
    for role, tolerance in tolerances.items():
        if role not in reals:
            raise InvalidInput(f"{name}: {role} is none of its real axes.", hint=f"They are {', '.join(reals)}.")
        if not (math.isfinite(tolerance) and tolerance > 0):
            raise InvalidInput(f"{name}: the tolerance of {role} is above zero, not {tolerance!r}.")
    for axis in reals.values():
        if tolerances and axis.calculation is not None:
            raise InvalidInput(
                f"{name}: {axis.name} is calculated itself, and has no speed to follow a relation with.",
                hint="Give the tolerance to the axes that are calculated from motors.",
            )
    return dict(tolerances)


def stops(calculation: Calculation, role: str, target: float) -> NDArray[np.float64]:
    """Positions of a calculated axis at the ends of the legs to ``target``.

    Real axes that are not where the relation wants them come onto it first.

    :raises LimitError: when no way stays within the tolerances, or no real axes stand for a position.
    """
    held = calculation.setpoints()
    start = held[role]
    moved = _reals(calculation, role, np.array([start, target]), held)
    tolerances = {real: t for real, t in calculation.tolerances.items() if real in moved}
    now = {real: axis.setpoint for real, axis in calculation.real_axes.items()}
    off = [abs(now[real] - moved[real][0]) / t for real, t in tolerances.items()]
    joins = max(off, default=0.0) > 0.5
    count = 1
    while count <= MOST:
        ends = np.linspace(start, target, count + 1)
        worst = _deviation(calculation, role, ends, held, now, tolerances, joins)
        if worst <= 1.0:
            return ends if joins else ends[1:]
        # How far a chord is from its arc goes with the square of its length.
        count = max(count + 1, math.ceil(min(count * math.sqrt(worst), MOST + 1)))
    axis = calculation.axes[role]
    raise LimitError(
        axis.name,
        f"cannot go to {target:g} {axis.unit} within its tolerances: that takes more than {MOST} stops on the way.",
        hint="Widen the tolerance, or go in shorter steps.",
    )


def legs(calculation: Calculation, role: str, target: float) -> list[Leg]:
    """The legs to a position of a calculated axis, see :func:`stops`."""
    name = calculation.axes[role].name
    ends = stops(calculation, role, target)
    axes = {axis.name: axis for axis in calculation.real_axes.values()}
    here = {name: axis.setpoint for name, axis in axes.items()}
    at = calculation.setpoints()[role]
    found = []
    for index, end in enumerate(ends.tolist()):
        goals = {real: float(values[index]) for real, values in calculation.targets({name: ends}).items()}
        distances = {real: abs(goal - here[real]) for real, goal in goals.items()}
        moving = {real: distance for real, distance in distances.items() if distance > 0.0}
        velocity = min((axes[real].velocity / d for real, d in moving.items()), default=math.inf)
        acceleration = min((axes[real].acceleration / d for real, d in moving.items()), default=math.inf)
        found.append(Leg(end - at, {real: goals[real] for real in moving}, moving, velocity, acceleration))
        here |= goals
        at = end
    return found


def _reals(
    calculation: Calculation, role: str, positions: NDArray[np.float64], held: Mapping[str, float]
) -> dict[str, NDArray[np.float64]]:
    """Role to positions of the real axes while one calculated axis goes and the others stay."""
    wanted = {other: positions if other == role else np.full_like(positions, value) for other, value in held.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        return {real: np.asarray(v, dtype=np.float64) for real, v in calculation.to_real(wanted).items()}


def _deviation(
    calculation: Calculation,
    role: str,
    ends: NDArray[np.float64],
    held: Mapping[str, float],
    now: Mapping[str, float],
    tolerances: Mapping[str, float],
    joins: bool,
) -> float:
    """How far real axes on straight legs are from the relation at most, in tolerances."""
    corners = _reals(calculation, role, ends, held)
    if not joins:
        corners = {real: np.concatenate([[now[real]], values[1:]]) for real, values in corners.items()}
    shape = (len(ends) - 1, len(_SHARES))
    chords = {real: values[:-1, None] + np.diff(values)[:, None] * _SHARES[None, :] for real, values in corners.items()}
    still = {real: np.full(shape, value) for real, value in now.items() if real not in chords}
    with np.errstate(invalid="ignore", divide="ignore"):
        at = np.asarray(calculation.to_calculated({**chords, **still})[role], dtype=np.float64)
    belong = _reals(calculation, role, at, held)
    worst = 0.0
    for real, tolerance in tolerances.items():
        away = np.abs(chords[real] - belong[real])
        if math.isinf(calculation.real_axes[real].velocity):
            # It is at its end while the others are under way.
            away = np.broadcast_to(np.abs(np.diff(corners[real]))[:, None], shape)
        worst = max(worst, float(np.nan_to_num(away, nan=np.inf).max()) / tolerance)
    return worst
