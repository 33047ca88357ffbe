"""The rotation axis, by several estimators that have nothing in common, and what they agree on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import FirstlightError, InvalidInput
from firstlight.tasks.tomography import _registration, _sharpness, _vo

Floats = NDArray[np.float32]
Estimator = Callable[[Floats, NDArray[np.float64], int | None], float]

METHODS: Mapping[str, Estimator] = MappingProxyType(
    {"registration": _registration.estimate, "vo": _vo.estimate, "sharpness": _sharpness.estimate}
)
"""Each searches the whole width of the detector. ``registration``: opposite projections are mirror images. ``vo``: the
sinogram of a full turn, made of that of half a turn, has an empty double wedge in its Fourier transform. ``sharpness``:
a slice reconstructed around a wrong axis has negative attenuation."""

SPREAD = 1.5
"""Pixels between the estimates beyond which they disagree."""


@dataclass(frozen=True, slots=True)
class AxisEstimate:
    """What one estimator found.

    :param method: its name.
    :param axis: detector pixel; NaN when it found none.
    :param message: why it found none; empty when it did.
    """

    method: str
    axis: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """The rotation axis and how sure it is.

    :param position: detector pixel, the median of the estimates.
    :param spread: largest minus smallest estimate, pixels; 0 when there is only one.
    :param estimates: all of them.
    :param warning: one sentence when they do not agree or too few could be made; empty otherwise.
    """

    position: float
    spread: float
    estimates: tuple[AxisEstimate, ...]
    warning: str = ""

    @classmethod
    def given(cls, position: float) -> Axis:
        """An axis that the user knows."""
        return cls(float(position), 0.0, (AxisEstimate("given", float(position)),))

    def text(self) -> str:
        """One line for people: ``295.87 px (registration 295.87, vo 295.02, sharpness 295.89)``."""
        found = ", ".join(
            f"{e.method} {e.axis:.2f}" if math.isfinite(e.axis) else f"{e.method} failed" for e in self.estimates
        )
        return f"{self.position:.2f} px ({found})"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; an estimate that failed has no axis."""
        return {
            "position": self.position,
            "spread": self.spread,
            "warning": self.warning,
            "estimates": [
                {"method": e.method, "axis": e.axis if math.isfinite(e.axis) else None, "message": e.message}
                for e in self.estimates
            ],
        }


def find_axis(
    sinograms: NDArray[Any],
    angles: ArrayLike,
    *,
    methods: Sequence[str] = tuple(METHODS),
    spread: float = SPREAD,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Axis:
    """Find the rotation axis in the whole width of the detector.

    :param sinograms: attenuation, (angles, columns) or (rows, angles, columns); a few rows with much structure.
    :param angles: degrees, any order; estimators that need half a turn fail without one.
    :param methods: names out of ``METHODS``.
    :param spread: pixels between estimates that are still called agreement.
    :param progress: called with the method, the number done and the number of all.
    :raises InvalidInput: when shapes or names are wrong, or no method found an axis.
    """
    stack = np.asarray(sinograms, dtype=np.float32)
    if stack.ndim == 2:
        stack = stack[None]
    degrees = np.asarray(angles, dtype=np.float64)
    if stack.ndim != 3 or degrees.shape != (stack.shape[1],):
        raise InvalidInput(f"Sinograms of shape {np.shape(sinograms)} do not fit {degrees.size} angles.")
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise InvalidInput(f"There is no axis method {', '.join(unknown)}.", hint=f"Choose from {', '.join(METHODS)}.")
    estimates = []
    for done, name in enumerate(methods):
        if progress is not None:
            progress(name, done, len(methods))
        try:
            estimates.append(AxisEstimate(name, METHODS[name](stack, degrees, workers)))
        except FirstlightError as error:
            estimates.append(AxisEstimate(name, math.nan, error.message))
    if progress is not None:
        progress("axis", len(methods), len(methods))
    return agree(estimates, spread)


def agree(estimates: Sequence[AxisEstimate], spread: float = SPREAD) -> Axis:
    """The median of the estimates, with a warning when they lie apart or are too few to tell.

    :raises InvalidInput: when there is none.
    """
    found = sorted(e.axis for e in estimates if math.isfinite(e.axis))
    if not found:
        reasons = " ".join(f"{e.method}: {e.message}" for e in estimates)
        raise InvalidInput(f"No rotation axis was found. {reasons}", hint="Give the axis.")
    width = found[-1] - found[0]
    warning = ""
    if width > spread:
        warning = f"The estimates of the rotation axis lie {width:.1f} px apart: look at the slice before you trust it."
    elif len(found) == 1 and len(estimates) > 1:
        warning = "Only one estimate of the rotation axis could be made, so nothing confirms it."
    return Axis(float(np.median(found)), float(width), tuple(estimates), warning)
