"""Aligning the rotation axis of a tomograph: upright, and in the middle of the camera."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import FirstlightError, convert

if TYPE_CHECKING:
    from firstlight.session._session import Session
    from firstlight.tasks.tomography import Upright

TRIES = 5
NEAR = 0.25
"""Pixels from where it should be, at any row, that are good enough."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """How an alignment went.

    :param steps: where the axis was found, time after time; the last one is how it stands now.
    :param middle: column of the middle of the camera.
    """

    steps: tuple[Upright, ...]
    middle: float

    @property
    def off(self) -> float:
        """Pixels between the axis and the middle of the camera."""
        return self.steps[-1].column - self.middle


def align_rotation(
    session: Session,
    rotation: str,
    camera: str,
    lateral: str,
    out: float,
    *,
    roll: str = "",
    count_time: float = 0.05,
    tell: Callable[[str], None] = lambda text: None,
) -> Aligned:
    """Put a rotation axis upright and in the middle of a camera, by projections half a turn apart.

    Takes a dark and a flat frame, then two projections; moves by what they show, and looks again until the axis stands
    well. Every frame is a saved run. Where a stage moves the other way round than was thought, the second look tells.

    :param lateral: axis below the rotation, which moves it along the camera's columns.
    :param out: its position at which the sample is out of the beam.
    :param roll: axis that tilts the rotation in the plane of the camera, degrees; empty when there is none.
    :param tell: called with a sentence for each look.
    :raises FirstlightError: when the axis does not come nearer.
    """
    from firstlight.tasks.tomography import find_lean

    shape, pixel = session[camera].info.shape, session[camera].info.pixel_size[1]
    middle = (shape[1] - 1) / 2
    step = convert(f"{pixel} m", session[lateral].unit)
    dark, flat = _references(session, camera, lateral, out, count_time)
    near_lean = math.degrees(math.atan(NEAR / (shape[0] / 2)))
    signs = {lateral: -1.0, roll: 1.0}
    steps: list[Upright] = []
    moved: dict[str, float] = {}
    for _ in range(TRIES):
        run = session.commands["ascan"](rotation, 0, 180, 1, count_time, camera)
        found = find_lean(*(_attenuation(frame, dark, flat) for frame in run[camera][:2]))
        steps.append(found)
        off = found.column - middle
        tell(f"The axis is {off:+.2f} px from the middle and leans by {found.lean:+.2f} deg")
        if abs(off) <= NEAR and (not roll or abs(found.lean) <= near_lean):
            return Aligned(tuple(steps), middle)
        if len(steps) > 1:
            before = steps[-2]
            if lateral in moved and abs(off) > abs(before.column - middle):
                signs[lateral] = -signs[lateral]
            if roll in moved and abs(found.lean) > abs(before.lean):
                signs[roll] = -signs[roll]
        moved = {}
        if abs(off) > NEAR:
            moved[lateral] = signs[lateral] * off * step
        if roll and abs(found.lean) > near_lean:
            moved[roll] = signs[roll] * found.lean
        session.move(moved, relative=True)
    last = steps[-1]
    raise FirstlightError(
        f"After {TRIES} looks the rotation axis is still {last.column - middle:+.2f} px from the middle and leans by "
        f"{last.lean:+.2f} deg.",
        hint=f"Does {lateral} move the rotation along the columns" + (f", and {roll} tilt it?" if roll else "?"),
    )


def _references(
    session: Session, camera: str, lateral: str, out: float, count_time: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """A dark and a flat frame; the sample is where it was afterwards."""
    loop = session.commands["loopscan"]
    dark = loop(1, count_time, camera, shutter="closed")[camera][0]
    home = session[lateral].position
    session.move({lateral: out})
    try:
        flat = loop(1, count_time, camera)[camera][0]
    finally:
        session.move({lateral: home})
    return dark, flat


def _attenuation(frame: NDArray[Any], dark: NDArray[Any], flat: NDArray[Any]) -> NDArray[np.float64]:
    light = np.maximum(flat.astype(np.float64) - dark, 1.0)
    through = np.clip((frame.astype(np.float64) - dark) / light, 1e-3, None)
    attenuation: NDArray[np.float64] = -np.log(through)
    return attenuation
