"""A simulated scan of a small tooth, whose truth is known, and the real one where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from firstlight.simulation import Ellipsoid, Phantom, tooth
from firstlight.tasks.tomography import Projections

PIXEL = 10e-6
"""Metres."""


@dataclass(frozen=True)
class Sample:
    """A phantom in pixels, seen by a detector whose pixels have a width."""

    phantom: Phantom
    attenuation: float
    """Per pixel, where the phantom says 1."""

    def lines(self, angles: ArrayLike, rows: int, width: int, axis: float) -> NDArray[np.float64]:
        """Line integrals (angles, rows, columns), averaged over three points across each pixel."""
        fine = (np.arange(3 * width) + 0.5) / 3 - 0.5 - axis
        heights = np.arange(rows) - (rows - 1) / 2
        turned = np.asarray(angles, dtype=np.float64)
        found = [self.phantom.project(float(a), fine[None, :], heights[:, None]) for a in turned]
        pixels: NDArray[np.float64] = np.stack(found).reshape(turned.size, rows, width, 3).mean(axis=3)
        return self.attenuation * pixels

    def truth(self, rows: int, size: int) -> NDArray[np.float64]:
        """Attenuation per pixel, (rows, size, size); the points of a voxel lie in the plane of its row."""
        fine = ((np.arange(3 * size) + 0.5) / 3 - 0.5) - (size - 1) / 2
        heights = np.arange(rows) - (rows - 1) / 2
        slices = [self.phantom.attenuation_at(fine[None, :], fine[:, None], z) for z in heights]
        voxels: NDArray[np.float64] = np.stack(slices).reshape(rows, size, 3, size, 3).mean(axis=(2, 4))
        return self.attenuation * voxels


@pytest.fixture
def sample() -> Sample:
    """A tooth of 30 px radius that weakens the beam to a fifth."""
    return Sample(tooth().scaled(30.0), 0.9)


@pytest.fixture
def blob() -> Sample:
    """Two ellipsoids on one side of the axis."""
    bodies = [Ellipsoid((12.0, 3.0, 0.0), (14.0, 9.0, 40.0), 0.05), Ellipsoid((4.0, -9.0, 1.0), (4.0, 6.0, 30.0), 0.08)]
    return Sample(Phantom(bodies), 1.0)


@dataclass(frozen=True)
class Recipe:
    """How a simulated scan is made."""

    axis: float = 47.3
    rows: int = 6
    width: int = 96
    angles: tuple[float, ...] = tuple(np.arange(180) * 1.0)
    counts: float = 40000.0
    seed: int = 1

    def measure(self, sample: Sample) -> Projections:
        """Counts with photon noise, flats before and after of a beam that moves, and dark current."""
        rng = np.random.default_rng(self.seed)
        lines = sample.lines(self.angles, self.rows, self.width, self.axis)
        count = len(self.angles)
        column = np.linspace(-1, 1, self.width)
        before = self.counts * (1 - 0.3 * column**2) * np.ones((self.rows, 1))
        after = self.counts * (1 - 0.3 * (column - 0.1) ** 2) * np.ones((self.rows, 1))
        dark = 100.0 + 10.0 * rng.random((self.rows, self.width))
        moments: NDArray[np.float64] = np.arange(10.0, count + 10.0)
        blend = (moments / (count + 19.0))[:, None, None]
        beam = (1 - blend) * before + blend * after

        def counted(mean: NDArray[np.float64]) -> NDArray[np.uint16]:
            return (rng.poisson(mean) + dark.round()).clip(0, 65535).astype(np.uint16)

        flats = np.concatenate(
            [counted(before[None] * np.ones((10, 1, 1))), counted(after[None] * np.ones((10, 1, 1)))]
        )
        return Projections(
            frames=counted(beam * np.exp(-lines)),
            angles=np.asarray(self.angles),
            flats=flats,
            darks=np.broadcast_to(dark.round().astype(np.uint16), (5, *dark.shape)),
            moments=moments,
            flat_moments=np.concatenate([np.full(10, 0.0), np.full(10, count + 19.0)]),
            pixel_size=(PIXEL, PIXEL),
            title="simulated",
            sample="tooth",
            beamline="fl01",
        )


@pytest.fixture
def scan(sample: Sample) -> Callable[..., Projections]:
    """``scan(**recipe)``: projections of the tooth."""

    def measure(**recipe: object) -> Projections:
        return replace(Recipe(), **recipe).measure(sample)  # type: ignore[arg-type]

    return measure


@pytest.fixture(scope="session")
def tooth_file() -> Path:
    """The real tooth: in ``$FIRSTLIGHT_TEST_DATA``, or beside the repository in ``shared/data``."""
    named = os.environ.get("FIRSTLIGHT_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[4] / "shared" / "data"
    file = folder / "tooth.h5"
    if not file.is_file():
        pytest.skip("data: tooth.h5 is not here; set FIRSTLIGHT_TEST_DATA to the folder that holds it")
    return file
