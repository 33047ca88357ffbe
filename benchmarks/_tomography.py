"""Slices per second and their precision, beside astra's FBP on the CPU (linear projector, GPL, optional).

Both reconstruct the same sinograms in one process, in turns; making plans, projectors and arrays is not counted for
either. Astra uses one thread, so the row ``.cpu`` (CPU time of the whole process) is the fairer comparison.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._harness import Row, against_reference, alternate, row
from firstlight.simulation import Ellipsoid, Phantom, shepp_logan, tooth

_SAMPLES = 4  # points across a pixel that are averaged, in projections and in the truth
_DISC = 0.98
_PEER = "astra FBP, CPU linear"
_REFERENCE = {512: 0.594, 1024: 6.303}  # seconds a slice where astra was measured before

# L. A. Shepp, B. F. Logan, IEEE Trans. Nucl. Sci. 21, 21 (1974), with the contrast of P. A. Toft (thesis, DTU, 1996):
# value, semi-axes, centre, rotation in degrees.
_SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)
_FAR = 1e6  # semi-axis along the rotation axis that makes an ellipse of an ellipsoid


@dataclass(frozen=True)
class _Case:
    """One phantom on one detector, its axis in the middle."""

    phantom: Phantom
    width: int
    angles: int

    @property
    def degrees(self) -> NDArray[np.float64]:
        return np.asarray(np.arange(self.angles) * (180.0 / self.angles))

    def sinogram(self) -> NDArray[np.float32]:
        """Line integrals averaged over the width of each pixel, as a detector does."""
        fine = (np.arange(self.width * _SAMPLES) + 0.5) / _SAMPLES - self.width / 2
        lines = np.stack([self.phantom.project(float(a), fine, 0.0) for a in self.degrees])
        return np.asarray(lines.reshape(self.angles, self.width, _SAMPLES).mean(axis=2), dtype=np.float32)

    def truth(self) -> NDArray[np.float64]:
        """The slice, averaged over each pixel."""
        fine = (np.arange(self.width * _SAMPLES) + 0.5) / _SAMPLES - self.width / 2
        points = self.phantom.attenuation_at(fine[None, :], fine[:, None], 0.0)
        return np.asarray(points.reshape(self.width, _SAMPLES, self.width, _SAMPLES).mean(axis=(1, 3)))

    def error(self, image: NDArray[Any], truth: NDArray[np.float64]) -> float:
        """Root mean square inside 0.98 of the inscribed circle, relative to the largest value of the truth."""
        return float(np.sqrt(np.mean((image - truth)[_disc(self.width, _DISC)] ** 2))) / float(np.abs(truth).max())


def _disc(size: int, radius: float) -> NDArray[np.bool_]:
    x = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(x[:, None], x[None]) <= radius * size / 2)


@cache
def _head(width: int, angles: int) -> _Case:
    """The head phantom of two dimensions, which fills the width; values do not depend on the width."""
    bodies = [
        Ellipsoid((x, y, 0.0), (a, b, _FAR), value, (rotation, 0.0, 0.0))
        for value, a, b, x, y, rotation in _SHEPP_LOGAN
    ]
    return _Case(Phantom(bodies).scaled(width / 2), width, angles)


class _Astra:
    """Astra's FBP of one geometry."""

    def __init__(self, sinogram: NDArray[np.float32], degrees: NDArray[np.float64]) -> None:
        import astra

        self._astra = astra
        width = sinogram.shape[1]
        geometry = astra.create_proj_geom("parallel", 1.0, width, np.deg2rad(degrees))
        space = astra.create_vol_geom(width, width)
        configuration = astra.astra_dict("FBP")
        configuration["ProjectorId"] = astra.create_projector("linear", geometry, space)
        configuration["ProjectionDataId"] = astra.data2d.create("-sino", geometry, sinogram)
        self._image = configuration["ReconstructionDataId"] = astra.data2d.create("-vol", space)
        configuration["option"] = {"FilterType": "Ram-Lak"}
        self._algorithm = astra.algorithm.create(configuration)

    def run(self) -> None:
        self._astra.algorithm.run(self._algorithm)

    def image(self) -> NDArray[np.float32]:
        """The slice with y downwards, as ours; astra's points upwards."""
        self.run()
        return np.asarray(self._astra.data2d.get(self._image)[::-1])


def _has_astra() -> bool:
    try:
        import astra  # noqa: F401
    except ImportError:
        return False
    return True


def fbp() -> list[Row]:
    """512 pixels, 720 angles."""
    return [*_speed("tomography.fbp", _head(512, 720), slices=16), _precision()]


def fbp1024() -> list[Row]:
    """1024 pixels, 1500 angles."""
    return _speed("tomography.fbp1024", _head(1024, 1500), slices=8)


def _speed(name: str, case: _Case, slices: int) -> list[Row]:
    from firstlight.kernels import Gridrec

    sinogram = case.sinogram()
    stack = np.stack([sinogram] * slices)
    plan = Gridrec(case.degrees, case.width, (case.width - 1) / 2)
    images = plan(stack)
    used: list[float] = []
    peer_used: list[float] = []

    def ours() -> float:
        wall, cpu = _timed(lambda: plan(stack, out=images))
        used.append(cpu / slices)
        return wall / slices

    if not _has_astra():
        mine, _ = alternate(ours)
        cpu = against_reference(f"{name}.cpu", "s", used[1:], _PEER, _REFERENCE[case.width])
        return [against_reference(name, "s", mine, _PEER, _REFERENCE[case.width]), cpu]
    astra = _Astra(sinogram, case.degrees)

    def theirs() -> float:
        wall, cpu = _timed(astra.run)
        peer_used.append(cpu)
        return wall

    mine, peer = alternate(ours, theirs)
    # The first turn of each warmed up and does not count.
    return [row(name, "s", mine, _PEER, peer), row(f"{name}.cpu", "s", used[1:], _PEER, peer_used[1:])]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _precision() -> Row:
    """Error of the head phantom."""
    from firstlight.kernels import reconstruct

    case = _head(512, 720)
    sinogram, truth = case.sinogram(), case.truth()
    # Attenuation is per pixel and the phantom is 256 times as large: back to the values of the phantom.
    error = case.error(reconstruct(sinogram, case.degrees, (case.width - 1) / 2), truth)
    mine = row("tomography.fbp.rmse", "", [error])
    if not _has_astra():
        return mine
    return replace(mine, peer=_PEER, peer_value=case.error(_Astra(sinogram, case.degrees).image(), truth))


def phantoms() -> list[Row]:
    """The largest error of ours over astra's, of several phantoms: not above 1."""
    from firstlight.kernels import reconstruct

    if not _has_astra():
        return []
    rng = np.random.default_rng(1)
    spots = [
        Ellipsoid((x, y, 0.0), (r, r, _FAR), 1.0)
        for x, y, r in zip(*rng.uniform(-0.65, 0.65, (2, 40)), rng.uniform(0.005, 0.05, 40), strict=True)
    ]
    plates = [
        Ellipsoid((0.0, y, 0.0), (0.7, width, _FAR), 1.0, (17.0, 0.0, 0.0))
        for y, width in ((-0.3, 0.01), (0.0, 0.03), (0.3, 0.1))
    ]
    samples = {
        "head in three dimensions": shepp_logan().scaled(240.0),
        "tooth": tooth().scaled(220.0),
        "disc off the axis": Phantom([Ellipsoid((0.2, 0.1, 0.0), (0.6, 0.6, _FAR), 1.0)]).scaled(250.0),
        "spots": Phantom(spots).scaled(250.0),
        "plates": Phantom(plates).scaled(250.0),
    }
    ratios = []
    for phantom in samples.values():
        case = _Case(phantom, 512, 720)
        sinogram, truth = case.sinogram(), case.truth()
        ours = case.error(reconstruct(sinogram, case.degrees, 255.5), truth)
        ratios.append(ours / case.error(_Astra(sinogram, case.degrees).image(), truth))
    values = row("tomography.phantoms", "", ratios)
    return [replace(values, value=max(ratios), peer=_PEER, peer_value=1.0)]


def real() -> list[Row]:
    """The recorded tooth, where it is at hand: its axis, and how alike its slice is to astra's."""
    from firstlight.kernels import reconstruct
    from firstlight.tasks.tomography import find_axis, open_projections, reduce_references, sinograms

    named = os.environ.get("FIRSTLIGHT_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "tooth.h5").is_file():
        return []
    with open_projections(folder / "tooth.h5") as projections:
        lines, _ = sinograms(projections, reduce_references(projections), 0, projections.rows)
    axis = find_axis(lines, projections.angles)
    found = [e.axis for e in axis.estimates if math.isfinite(e.axis)]
    rows = [replace(row("tomography.tooth.axis", "px", found), value=axis.position)]
    if not _has_astra():
        return rows
    # Astra wants the axis in the middle: 48 columns more on the left put 295.5 there without interpolating.
    left, middle = 48, 295.5
    alike = []
    for sinogram in lines:
        theirs = _Astra(np.pad(sinogram, ((0, 0), (left, 0))), projections.angles).image()
        ours = reconstruct(sinogram, projections.angles, middle, size=len(theirs))
        disc = _disc(len(theirs), 2 * middle / len(theirs))
        alike.append(float(np.corrcoef(ours[disc], theirs[disc])[0, 1]))
    likeness = row("tomography.tooth", "", alike)
    return [replace(likeness, value=statistics.median(alike), peer=_PEER, peer_value=1.0), *rows]
