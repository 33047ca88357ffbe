"""From projections to a volume: the chain of functions, slab by slab, so that memory is never full."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import Gridrec
from firstlight.model import InvalidInput, RunAborted
from firstlight.tasks.tomography._axis import Axis, find_axis
from firstlight.tasks.tomography._beside import beside, check_target
from firstlight.tasks.tomography._nexus import Grid, VolumeFile
from firstlight.tasks.tomography._options import Options
from firstlight.tasks.tomography._phase import Paganin
from firstlight.tasks.tomography._projections import Projections
from firstlight.tasks.tomography._references import References, reduce_references, sinograms
from firstlight.tasks.tomography._rings import remove_rings

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
Made = Callable[[int, Floats, int, str], None]

_MOST_MEMORY = 2 << 30


@dataclass(frozen=True, slots=True)
class Overview:
    """What a picture of the result shows.

    :param slice: the middle slice.
    :param row: detector row of it.
    :param sinogram: of that row, as it went into the reconstruction.
    :param angles: first and last, degrees.
    :param front: cut through the middle, (slices, columns): y = 0.
    :param side: (slices, rows): x = 0.
    """

    slice: Floats
    row: int
    sinogram: Floats
    angles: tuple[float, float]
    front: Floats
    side: Floats
    grid: Grid
    axis: Axis
    title: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconstruction made.

    :param volume: the NeXus file.
    :param picture: the PNG; None when none was asked for.
    :param shape: (slices, rows, columns).
    :param unit: of the attenuation.
    :param warnings: sentences that a person should read.
    :param seconds: time spent in each stage.
    """

    volume: Path
    picture: Path | None
    axis: Axis
    shape: tuple[int, int, int]
    unit: str
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "volume": str(self.volume),
            "picture": None if self.picture is None else str(self.picture),
            "axis": self.axis.to_json(),
            "shape": list(self.shape),
            "unit": self.unit,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


def process(
    projections: Projections,
    volume: Path | str,
    *,
    picture: Path | str | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
    made: Made | None = None,
) -> Result:
    """Reconstruct a scan and store the volume (NXtomoproc) and a picture of it (PNG).

    Rows are read, corrected, reconstructed and written slab by slab within ``options.memory``. Both files appear under
    their names when they are complete; folders are made.

    :param volume: the new HDF5 file.
    :param picture: the new PNG; None makes none.
    :param progress: called with the stage, the number done and the number of all.
    :param stopping: asked between slabs; True ends the work.
    :param made: called with each slab: the number of its first slice, the slices, how many there will be, their unit.
    :raises InvalidInput: when the data do not suffice for what was asked.
    :raises Conflict: when a result exists and must not be replaced.
    :raises RunAborted: when ``stopping`` said so; nothing is left behind.
    :raises StorageFull: when the disk is full.
    """
    chosen = options or Options()
    target = check_target(Path(volume), overwrite=chosen.overwrite)
    image = None if picture is None else check_target(Path(picture), overwrite=chosen.overwrite)
    work = _Work(projections, chosen, progress or (lambda *_: None), stopping, made or (lambda *_: None))
    with work.stage("darks and flats"):
        references = work.references()
    with work.stage("rotation axis"):
        axis, padding = work.axis(references)
    with beside(target, overwrite=chosen.overwrite) as part:
        with work.stage("slices"):
            overview = work.slices(references, axis, padding, part)
        if image is not None:
            from firstlight.tasks.tomography._picture import draw

            with work.stage("picture"), beside(image, overwrite=chosen.overwrite) as drawing:
                draw(overview).save(drawing, format="PNG")
    return Result(target, image, axis, work.grid.shape, work.grid.unit, tuple(work.warnings), dict(work.seconds))


class _Work:
    """One reconstruction under way."""

    def __init__(
        self,
        projections: Projections,
        options: Options,
        progress: Progress,
        stopping: Callable[[], bool],
        made: Made,
    ) -> None:
        self.made = made
        self.projections = projections
        self.options = options
        self.progress = progress
        self.stopping = stopping
        self.warnings: list[str] = []
        self.seconds: dict[str, float] = {}
        self.repaired = 0
        first, last = options.rows or (0, projections.rows)
        if not 0 <= first < last <= projections.rows:
            raise InvalidInput(f"Rows {first} to {last} are not on a detector of {projections.rows} rows.")
        pixel = projections.pixel_size
        if options.pixel_size is not None:
            pixel = (options.pixel_size, options.pixel_size)
        if pixel is None:
            self.warnings.append("The pixel size is not known, so attenuation is per pixel.")
        self.grid = Grid((first, last), options.size or projections.width, projections.rows, pixel)
        self.paganin = self._paganin()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell that a stage begins, and note how long it takes."""
        if self.stopping():
            raise RunAborted("The reconstruction was stopped.")
        self.progress(name, 0, 1)
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)
        self.progress(name, 1, 1)

    def references(self) -> References:
        """Reduced darks and flats."""
        o = self.options
        found = reduce_references(self.projections, method=o.reference, threshold=o.zinger, workers=o.workers)
        if not found.darks_used:
            self.warnings.append("There are no darks, so the dark level is taken to be 0.")
        return found

    def axis(self, references: References) -> tuple[Axis, Literal["zero", "edge"]]:
        """The rotation axis, and what the sample is beyond the detector."""
        o, p = self.options, self.projections
        rows = self._contrast_rows(references) if o.axis is None or o.padding == "auto" else []
        lines = [sinograms(p, references, r, r + 1, monitor=o.monitor, workers=o.workers)[0][0] for r in rows]
        axis = Axis.given(o.axis or 0.0)
        if o.axis is None:
            axis = find_axis(
                np.stack(lines),
                p.angles,
                methods=o.axis_methods,
                spread=o.axis_spread,
                workers=o.workers,
                progress=lambda name, done, total: self.progress(f"rotation axis: {name}", done, total),
            )
        if axis.warning:
            self.warnings.append(axis.warning)
        if o.padding != "auto":
            return axis, o.padding
        if not _wider_than_detector(np.stack(lines)):
            return axis, "zero"
        self.warnings.append("The sample is wider than the detector, so values near its rim are not exact.")
        return axis, "edge"

    def slices(self, references: References, axis: Axis, padding: Literal["zero", "edge"], path: Path) -> Overview:
        """Reconstruct slab by slab into a file; returns what a picture needs."""
        o, p, grid = self.options, self.projections, self.grid
        plan = Gridrec(
            p.angles,
            p.width,
            axis.position,
            size=grid.size,
            pixel_size=grid.voxel[1] if grid.voxel else 1.0,
            filter=o.filter,
            cutoff=o.cutoff,
            circle=o.circle,
            padding=padding,
            workers=o.workers,
        )
        (first, last), height = grid.rows, self._slab_rows()
        middle = (first + last - 1) // 2
        front, side = (np.empty((last - first, grid.size), np.float32) for _ in range(2))
        shown: tuple[Floats, Floats] | None = None
        raw = hashlib.sha256()
        with VolumeFile(path, grid) as file:
            for begin in range(first, last, height):
                if self.stopping():
                    raise RunAborted("The reconstruction was stopped.")
                self.progress("slices", begin - first, last - first)
                end = min(begin + height, last)
                lines = self._corrected(references, begin, end, raw)
                images = plan(lines)
                file.write(images)
                self.made(begin - first, images, last - first, grid.unit)
                front[begin - first : end - first] = images[:, grid.size // 2]
                side[begin - first : end - first] = images[:, :, grid.size // 2]
                if begin <= middle < end:
                    shown = images[middle - begin].copy(), lines[middle - begin].copy()
            if self.repaired:
                self.warnings.append(f"{self.repaired} values without usable counts were limited or taken as empty.")
            file.finish(
                p,
                axis,
                version=_version(),
                parameters=self._parameters(references, axis, padding),
                digests={"frames": raw.hexdigest(), **_digests(p, references)},
            )
        assert shown is not None
        ends = float(p.angles.min()), float(p.angles.max())
        title = p.sample or p.title or Path(p.file).name
        return Overview(shown[0], middle, shown[1], ends, front, side, grid, axis, title)

    def _corrected(self, references: References, begin: int, end: int, raw: Any) -> Floats:
        """Sinograms of some rows, ready for the reconstruction; the frames go into the digest ``raw``."""
        o, p = self.options, self.projections
        halo = 0 if self.paganin is None else self.paganin.halo
        top, bottom = max(0, begin - halo), min(p.rows, end + halo)
        frames = p.frames[0 : p.frames.shape[0], top:bottom]
        for row in range(begin - top, end - top):
            raw.update(np.ascontiguousarray(frames[:, row]).data)
        lines, repaired = sinograms(
            p, references, top, bottom, monitor=o.monitor, logarithm=self.paganin is None, frames=frames,
            workers=o.workers,
        )  # fmt: skip
        self.repaired += repaired
        if self.paganin is not None:
            behind = self.paganin.filter(lines.transpose(1, 0, 2), workers=o.workers)
            lines = -np.log(behind[:, begin - top : end - top]).transpose(1, 0, 2)
        return remove_rings(lines, o.rings, size=o.ring_size, workers=o.workers)

    def _contrast_rows(self, references: References) -> list[int]:
        """Of equal parts of the height, the row of each that shows most contrast in two projections."""
        p = self.projections
        first, last = self.grid.rows
        parts = min(self.options.axis_rows, last - first)
        contrast = np.zeros(last - first)
        for index in {0, p.frames.shape[0] // 2}:
            frame = p.frames[index : index + 1, first:last][0].astype(np.float64)
            beam = references.flats[0, first:last] - references.dark[first:last]
            seen = (frame - references.dark[first:last]) / np.maximum(beam, 1.0)
            contrast += np.clip(np.nan_to_num(seen), 0.0, 2.0).std(axis=1)
        edges = [(last - first) * k // parts for k in range(parts + 1)]
        return [first + a + int(np.argmax(contrast[a:b])) for a, b in itertools.pairwise(edges)]

    def _slab_rows(self) -> int:
        """Rows that fit in memory together with everything that is made of them; even, for pairs of slices."""
        p = self.projections
        limit = self.options.memory or min(_MOST_MEMORY, _free_memory() // 4)
        # Frames as they are, sinograms before and after the removal of rings, and twice more with phase retrieval.
        one = p.frames.shape[0] * p.width * (p.frames.dtype.itemsize + (8 if self.paganin is None else 16))
        halo = 0 if self.paganin is None else min(2 * self.paganin.halo, p.rows) * one
        rows = (limit - halo) // (one + 4 * self.grid.size**2)
        return max(2, int(rows) // 2 * 2)

    def _paganin(self) -> Paganin | None:
        o, p = self.options, self.projections
        if o.delta_beta is None:
            return None
        energy, distance, pixel = o.energy or p.energy, o.distance or p.distance, self.grid.voxel
        missing = [n for n, v in (("energy", energy), ("distance", distance), ("pixel size", pixel)) if not v]
        if energy is None or distance is None or pixel is None:
            raise InvalidInput(f"Phase retrieval needs the {' and the '.join(missing)}, which the data do not tell.")
        return Paganin(o.delta_beta, energy, distance, pixel)

    def _parameters(self, references: References, axis: Axis, padding: str) -> dict[str, Any]:
        told = self.options.model_dump(mode="json", exclude={"overwrite", "workers", "memory", "axis_rows"})
        told = {name: value for name, value in told.items() if value is not None}
        return {
            **told,
            "axis": axis.position,
            "padding": padding,
            "algorithm": "filtered backprojection by non-uniform FFT",
            "projections": self.projections.frames.shape[0],
            "darks_used": references.darks_used,
            "flats_used": list(references.flats_used),
            "reference_values_rejected": references.rejected,
            "values_repaired": self.repaired,
            "libraries": _libraries(),
        }


def _wider_than_detector(lines: Floats) -> bool:
    """Whether the sample reaches both edges of the detector, or one of them much: seen in the median over angles."""
    width = lines.shape[2]
    rim = max(2, width // 50)
    high = float(np.percentile(lines, 99))
    edges = [float(np.median(part)) for part in (lines[..., :rim], lines[..., -rim:])]
    # Beside a sample that hardly absorbs, the drift of the beam is no sample.
    return max(edges) > max(0.1 * high, 0.02)


def _digests(projections: Projections, references: References) -> dict[str, str]:
    """SHA-256 of the smaller things that went in, in the machine's order."""
    return {
        "angles": hashlib.sha256(np.ascontiguousarray(projections.angles).data).hexdigest(),
        "dark": hashlib.sha256(np.ascontiguousarray(references.dark).data).hexdigest(),
        "flats": hashlib.sha256(np.ascontiguousarray(references.flats).data).hexdigest(),
    }


def _free_memory() -> int:
    """Bytes that can be had without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _version() -> str:
    from firstlight import __version__

    return __version__


def _libraries() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scipy", "numba", "finufft", "algotom", "h5py")}
