"""How the rotation axis stands on the detector: where it crosses the middle row, and how it leans.

With a parallel beam two projections half a turn apart are mirror images of each other, the mirror being the projected
axis. So both are turned until the mirror stands upright; the lean is the angle at which they are most alike, and the
mirror's column then follows by registration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.tasks.tomography._registration import mirror

Image = NDArray[np.floating]

RANGE = 5.0
"""Degrees of lean that are looked at, to each side."""
_STEP = 0.5
_SMOOTH = 1.5
"""Pixels."""
_LIKE = 0.5
"""Correlation below which two projections do not show the same thing."""


@dataclass(frozen=True, slots=True)
class Upright:
    """The rotation axis as it stands.

    :param column: where it crosses the middle row, pixels; pixel k's centre is at k.
    :param lean: degrees by which it leans towards higher columns as rows grow.
    :param likeness: correlation of the two projections, mirrored; 1 at best.
    """

    column: float
    lean: float
    likeness: float


def find_lean(first: Image, second: Image) -> Upright:
    """Position and lean of the rotation axis from two projections half a turn apart.

    :param first: attenuation (rows, columns): corrected for dark and flat, minus the logarithm.
    :param second: the same, half a turn further.
    :raises InvalidInput: when they are not of one shape, or have nothing in common.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise InvalidInput(f"Two projections of one shape are needed, not {first.shape} and {second.shape}.")
    from scipy.ndimage import gaussian_filter

    # Turning smooths, and what is smooth is alike: so everything is smoothed first, or noise would ask to be turned.
    first, second = (gaussian_filter(image, _SMOOTH) for image in (first, second))
    # What turning brings in from outside is no measurement; the same rows count at every lean.
    margin = min(first.shape[0] // 4, math.ceil(first.shape[1] / 2 * math.sin(math.radians(RANGE))))
    inner = slice(margin, first.shape[0] - margin)
    tried: dict[float, tuple[float, float] | None] = {}

    def likeness(lean: float) -> float:
        if lean not in tried:
            tried[lean] = mirror(_turned(first, lean)[inner], _turned(second, lean)[inner])
        found = tried[lean]
        return -1.0 if found is None else found[1]

    best = max((float(a) for a in np.arange(-RANGE, RANGE + _STEP / 2, _STEP)), key=likeness)
    width = _STEP
    while width > 0.01:
        # Around a maximum the likeness is a parabola; its vertex, then a narrower look.
        low, mid, high = likeness(best - width), likeness(best), likeness(best + width)
        bend = low - 2.0 * mid + high
        if bend < 0:
            best += float(np.clip(0.5 * (low - high) / bend, -1.0, 1.0)) * width
        width /= 3.0
    best = max((a for a in tried), key=likeness)
    found = tried[best]
    if found is None or found[1] < _LIKE:
        raise InvalidInput(
            "The two projections have too little in common to tell where the rotation axis is.",
            hint="Is the sample in the beam at both angles, and are they half a turn apart?",
        )
    middle = (first.shape[1] - 1) / 2.0
    from_middle = found[0] / 2.0
    # The images were turned around their middle; the axis is at this distance from it, along the normal of the axis.
    column = middle + from_middle / math.cos(math.radians(best))
    return Upright(column, best, found[1])


def _turned(image: Image, lean: float) -> Image:
    """The image turned around its middle so that a line with this lean stands upright."""
    if lean == 0.0:
        return image
    from scipy.ndimage import rotate

    turned: Image = rotate(image, -lean, reshape=False, order=1, mode="nearest")
    return turned
