"""The lean and the column of the rotation axis, from two simulated projections half a turn apart."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation import Beam, Detector, Imager, Pose, tooth
from firstlight.tasks.tomography import find_lean

SHAPE = (96, 160)
PIXEL = 0.01


def projections(offset: float, roll: float, noise: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    imager = Imager(
        Detector(SHAPE), Beam(), tooth().scaled(0.45), pixel=PIXEL, axis=(SHAPE[1] - 1) / 2 + offset, flux=1e6
    )
    random = np.random.default_rng(1)
    first, second = (
        imager.path(Pose(angle=angle, roll=roll)) + random.normal(0.0, noise, SHAPE) for angle in (0.0, 180.0)
    )
    return first, second


@pytest.mark.parametrize("offset", [0.0, 7.3, -11.6])
@pytest.mark.parametrize("roll", [0.0, 0.8, -1.7, 3.4])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_lean_is_found_wherever_the_axis_stands(offset: float, roll: float, noise: float) -> None:
    found = find_lean(*projections(offset, roll, noise))
    assert found.column == pytest.approx((SHAPE[1] - 1) / 2 + offset, abs=0.25)
    # The simulation's roll turns the other way round than rows grow.
    assert found.lean == pytest.approx(-roll, abs=0.15)
    assert found.likeness > 0.9


def test_projections_of_nothing_or_of_something_else_are_refused() -> None:
    first, _ = projections(0.0, 0.0)
    with pytest.raises(InvalidInput, match="too little in common"):
        find_lean(np.zeros(SHAPE), np.zeros(SHAPE))
    with pytest.raises(InvalidInput, match="too little in common"):
        find_lean(first, np.random.default_rng(1).normal(size=SHAPE))
    with pytest.raises(InvalidInput, match="of one shape"):
        find_lean(first, first[:-1])
