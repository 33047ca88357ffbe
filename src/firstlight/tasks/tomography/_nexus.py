"""The volume as NeXus: application definition NXtomoproc, with all that made it.

https://manual.nexusformat.org/classes/applications/NXtomoproc.html. The volume is stored slice by slice, with axes z
(detector rows, downwards), y and x (rows and columns of a slice); the origin is on the rotation axis, in the middle row
of the detector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.tasks.tomography._axis import Axis
from firstlight.tasks.tomography._projections import Projections

PROGRAM = "firstlight.tasks.tomography"


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the voxels are.

    :param rows: first detector row and the one after the last.
    :param size: pixels of a slice's side.
    :param height: of the detector, rows.
    :param voxel: (vertical, horizontal), metres; None when unknown, then lengths are pixels.
    """

    rows: tuple[int, int]
    size: int
    height: int
    voxel: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, size, size)."""
        return self.rows[1] - self.rows[0], self.size, self.size

    @property
    def length_unit(self) -> str:
        """Of the axes."""
        return "m" if self.voxel else "pixel"

    @property
    def unit(self) -> str:
        """Of the attenuation."""
        return "1/m" if self.voxel else "1/pixel"

    def z(self) -> NDArray[np.float64]:
        """Heights of the slices from the middle row of the detector, downwards."""
        vertical = self.voxel[0] if self.voxel else 1.0
        return np.asarray((np.arange(*self.rows) - (self.height - 1) / 2.0) * vertical, dtype=np.float64)

    def across(self) -> NDArray[np.float64]:
        """Positions of rows or columns from the rotation axis."""
        horizontal = self.voxel[1] if self.voxel else 1.0
        return np.asarray((np.arange(self.size) - (self.size - 1) / 2.0) * horizontal, dtype=np.float64)


class VolumeFile:
    """Writes slices as they come, and at the end what made them. Use as a context manager.

    :param path: a file that does not exist.
    """

    def __init__(self, path: Path, grid: Grid) -> None:
        import h5py

        self._grid = grid
        self._digest = hashlib.sha256()
        self._written = 0
        self._file = h5py.File(path, "x", locking=False)
        entry = _group(self._file, "entry", "NXentry")
        data = _group(entry, "data", "NXdata")
        # One block of the file, slices in order: nothing to look up, and readers map it into memory.
        self._volume = data.create_dataset("data", grid.shape, np.float32)

    def __enter__(self) -> VolumeFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, slices: NDArray[np.float32]) -> None:
        """Append slices, in order."""
        first = self._written
        self._volume[first : first + len(slices)] = slices
        self._digest.update(np.ascontiguousarray(slices).data)
        self._written += len(slices)

    @property
    def digest(self) -> str:
        """SHA-256 of the slices so far, float32 in the machine's order, hexadecimal."""
        return self._digest.hexdigest()

    def finish(
        self,
        projections: Projections,
        axis: Axis,
        *,
        version: str,
        parameters: Mapping[str, Any],
        digests: Mapping[str, str],
    ) -> None:
        """Add the description: source, axes, and the process with all its parameters.

        :param version: of the program.
        :param parameters: JSON values.
        :param digests: SHA-256 of what went in, by name.
        """
        file, grid = self._file, self._grid
        file.attrs.update({"NX_class": "NXroot", "default": "entry", "creator": "Firstlight"})
        entry = file["entry"]
        entry.attrs["default"] = "data"
        entry["definition"] = "NXtomoproc"
        entry["title"] = projections.title or "reconstruction"
        instrument = _group(entry, "instrument", "NXinstrument")
        if projections.beamline:
            instrument["name"] = projections.beamline
        source = _group(instrument, "source", "NXsource")
        source["type"] = "Synchrotron X-ray Source"
        source["name"] = projections.beamline or "unknown"
        source["probe"] = "x-ray"
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = projections.sample or "unknown"
        _describe(entry, projections, axis, version, parameters, {**digests, "volume": self.digest})
        data = entry["data"]
        data.attrs["signal"] = "data"
        data.attrs["axes"] = ["z", "y", "x"]
        for index, name in enumerate("zyx"):
            data.attrs[f"{name}_indices"] = index
        self._volume.attrs.update(
            {"units": grid.unit, "long_name": "attenuation", "interpretation": "image",
             "transform": "zyx", "offset": 0.0, "scaling": 1.0}
        )  # fmt: skip
        for name, values, what in (
            ("z", grid.z(), "along the rotation axis, downwards"),
            ("y", grid.across(), "along the rows of a slice, from the rotation axis"),
            ("x", grid.across(), "along the columns of a slice, from the rotation axis"),
        ):
            data[name] = values
            data[name].attrs["units"] = grid.length_unit
            data[name].attrs["long_name"] = what


def _describe(
    entry: Any,
    projections: Projections,
    axis: Axis,
    version: str,
    parameters: Mapping[str, Any],
    digests: Mapping[str, str],
) -> None:
    process = _group(entry, "reconstruction", "NXprocess")
    process["program"] = PROGRAM
    process["version"] = version
    process["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    process["sequence_index"] = 1
    chosen = _group(process, "parameters", "NXparameters")
    chosen["raw_file"] = projections.file or "memory"
    chosen["raw_entry"] = projections.entry or "/"
    for name, value in parameters.items():
        chosen[name] = value if isinstance(value, str | int | float | bool) else json.dumps(value)
    found = _group(process, "rotation_axis", "NXcollection")
    found["position"] = axis.position
    found["position"].attrs["units"] = "pixel"
    found["spread"] = axis.spread
    found["spread"].attrs["units"] = "pixel"
    found["warning"] = axis.warning
    found["methods"] = [e.method for e in axis.estimates]
    found["estimates"] = [e.axis for e in axis.estimates]
    found["estimates"].attrs["units"] = "pixel"
    found["messages"] = [e.message for e in axis.estimates]
    sums = _group(process, "sha256", "NXcollection")
    for name, value in digests.items():
        sums[name] = value


def _group(parent: Any, name: str, nx_class: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group
