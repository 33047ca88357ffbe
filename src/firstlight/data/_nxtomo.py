"""Tomography as NXtomo, the application definition that nabu, tomopy, savu and others reconstruct from.

The file is what nxtomo 3 writes (version 2.1 of its paths): one stack of frames, one image key and one angle a frame,
positions in McStas coordinates (x to the left looking with the beam, y up, z along the beam). Frames are not copied
unless asked: the stack is a virtual dataset over the files in which they were saved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from firstlight.data._export import Exported, beside
from firstlight.data._tomo import Tomography, gather
from firstlight.model import Conflict, convert

if TYPE_CHECKING:
    from firstlight.data._run import Run

VERSION = 2.1
"""Version of the paths, as nxtomo counts them."""

ENTRY = "entry0000"
"""Name of the entry that nxtomo, nxtomomill and nabu use."""


def export_nxtomo(
    runs: Run | Sequence[Run],
    path: Path | str,
    *,
    overwrite: bool = False,
    frames: Literal["auto", "link", "copy"] = "auto",
    camera: str = "",
    rotation: str = "",
    x: str = "",
    y: str = "",
    z: str = "",
    monitor: str = "",
    energy: float | str | None = None,
    distance: float | str | None = None,
    source_distance: float | str | None = None,
    pixel_size: float | str | None = None,
    field_of_view: Literal["", "Full", "Half"] = "",
) -> Exported:
    """Write one tomographic scan as NXtomo.

    What is not given is taken from what the runs say; what they do not say is left out.

    :param runs: darks, flats and projections in any order; or the run of the sequence that made them, or any one of
        its parts, which stands for all.
    :param path: the new file.
    :param overwrite: replace a file that exists.
    :param frames: ``link`` refers to the files that hold the frames, relative to the new one; ``copy`` copies them;
        ``auto`` links what is in files and copies otherwise.
    :param camera: channel with the frames, needed when there are several.
    :param rotation: the rotation axis; by default the axis that moved during the projections.
    :param x: axis that translates the sample horizontally, across the beam.
    :param y: axis that translates it vertically.
    :param z: axis that translates it along the beam.
    :param monitor: channel with the ring current, or another measure of the intensity.
    :param energy: of the photons; a number is in keV.
    :param distance: from sample to detector; a number is in metres.
    :param source_distance: from source to sample; a number is in metres.
    :param pixel_size: effective, at the sample; a number is in metres.
    :param field_of_view: ``Half`` when a 360 degree scan has its axis near the side of the frames.
    :raises InvalidInput: when runs can not be put together.
    :raises NotFound: when there are no frames, no angles, or a named channel does not exist.
    :raises Conflict: when the file exists, or ``link`` is asked for frames that are not in files.
    """
    found = gather(runs, camera=camera, rotation=rotation)
    facts = _Facts.of(found, energy, distance, source_distance, pixel_size, field_of_view)
    moved = {name: found.positions(axis, "m") for name, axis in (("x", x), ("y", y), ("z", z)) if axis}
    moved = {**{n: found.positions(a, "m") for n, a in found.translations().items()}, **moved}
    intensity = found.monitor(monitor)
    target = Path(path)
    linked = frames != "copy" and all(part.sources for part in found.parts)
    if frames == "link" and not linked:
        raise Conflict("The frames are not in files that could be linked.", hint="Copy them: frames='copy'.")
    with beside(target, overwrite=overwrite) as part:
        _write(part, target, found, facts, moved, intensity, linked=linked)
    return Exported(target, len(found))


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of the setup, in the units of the file."""

    energy: float | None
    """keV."""
    distance: float | None
    """From sample to detector, m."""
    source_distance: float | None
    """From source to sample, m."""
    pixel: tuple[float, float] | None
    """(vertical, horizontal), m, at the sample."""
    detector_pixel: tuple[float, float] | None
    """(vertical, horizontal), m, of the camera."""
    field_of_view: str

    @classmethod
    def of(
        cls,
        found: Tomography,
        energy: float | str | None,
        distance: float | str | None,
        source_distance: float | str | None,
        pixel_size: float | str | None,
        field_of_view: str,
    ) -> _Facts:
        known = found.detector_pixel()
        if pixel_size is not None:
            size = convert(pixel_size, "m")
            pixel: tuple[float, float] | None = (size, size)
        else:
            pixel = found.sample_pixel() or known
        return cls(
            energy=convert(energy, "keV") if energy is not None else found.energy(),
            distance=convert(distance, "m") if distance is not None else found.distance(),
            source_distance=(convert(source_distance, "m") if source_distance is not None else found.source_distance()),
            pixel=pixel,
            detector_pixel=known or pixel,
            field_of_view=field_of_view or found.field_of_view(),
        )


def _write(
    part: Path,
    target: Path,
    found: Tomography,
    facts: _Facts,
    moved: Mapping[str, NDArray[np.float64]],
    intensity: tuple[NDArray[np.float64], str] | None,
    *,
    linked: bool,
) -> None:
    import h5py

    with h5py.File(part, "x", locking=False, track_order=True) as file:
        file.attrs.update({"NX_class": "NXroot", "default": ENTRY, "creator": "Firstlight", "file_name": target.name})
        entry = _group(file, ENTRY, "NXentry", definition="NXtomo", version=VERSION, default="data")
        entry.attrs["NeXus_Coordinate_System"] = "McStas"
        entry["definition"] = "NXtomo"
        entry["title"] = found.title
        entry["start_time"] = _iso(found.start)
        if found.end is not None:
            entry["end_time"] = _iso(found.end)
        instrument = _group(entry, "instrument", "NXinstrument")
        if found.beamline:
            instrument["name"] = found.beamline
        source = _group(instrument, "source", "NXsource")
        source["probe"] = "x-ray"
        source["type"] = "Synchrotron X-ray Source"
        if facts.source_distance is not None:
            # The sample is at 0, the beam goes to higher numbers.
            _quantity(source, "distance", -abs(facts.source_distance), "m")
        if facts.energy is not None:
            beam = _group(instrument, "beam", "NXbeam")
            _quantity(beam, "incident_energy", facts.energy, "keV")
        detector = _group(instrument, "detector", "NXdetector", signal="data")
        data = _link(detector, found, target.absolute().parent) if linked else _copy(detector, found)
        data.attrs["interpretation"] = "image"
        _detector(detector, found, facts)
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = found.sample
        _quantity(sample, "rotation_angle", found.angles(), "degree")
        for name, values in moved.items():
            _quantity(sample, f"{name}_translation", values, "m")
        if facts.pixel is not None:
            _quantity(sample, "y_pixel_size", facts.pixel[0], "m")
            _quantity(sample, "x_pixel_size", facts.pixel[1], "m")
        if intensity is not None:
            _quantity(_group(entry, "control", "NXmonitor"), "data", intensity[0], intensity[1])
        _origin(entry, found)
        plot = _group(entry, "data", "NXdata", signal="data")
        for name, there in (
            ("data", "instrument/detector/data"),
            ("image_key", "instrument/detector/image_key"),
            ("image_key_control", "instrument/detector/image_key_control"),
            ("rotation_angle", "sample/rotation_angle"),
        ):
            entry[there].attrs["target"] = f"/{ENTRY}/{there}"
            plot[name] = h5py.SoftLink(f"/{ENTRY}/{there}")


def _detector(detector: Any, found: Tomography, facts: _Facts) -> None:
    control = found.image_keys()
    # Frames taken again for alignment have a key of their own among users of nxtomo, which NeXus does not know.
    detector["image_key"] = np.where(control < 0, 0, control)
    detector["image_key_control"] = control
    exposures = found.count_times()
    if exposures is not None:
        _quantity(detector, "count_time", exposures, "s")
    if facts.detector_pixel is not None:
        _quantity(detector, "y_pixel_size", facts.detector_pixel[0], "m")
        _quantity(detector, "x_pixel_size", facts.detector_pixel[1], "m")
    if facts.distance is not None:
        _quantity(detector, "distance", facts.distance, "m")
    if facts.field_of_view:
        detector["field_of_view"] = facts.field_of_view
        detector["half_acquisition"] = facts.field_of_view == "Half"
    detector["tomo_n"] = np.int64(np.count_nonzero(control == 0))


def _link(detector: Any, found: Tomography, folder: Path) -> Any:
    """One virtual dataset over all frames; a file that is missing reads as missing values, never as zeros."""
    import h5py

    dtype = found.dtype
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_fill_value(np.array(found.fill, dtype=dtype))
    zeros = (0,) * len(found.shape)
    at = 0
    for part in found.parts:
        for source in part.sources:
            here = h5py.h5s.create_simple((len(found), *found.shape))
            here.select_hyperslab((at, *zeros), (source.count, *found.shape))
            there = h5py.h5s.create_simple((source.first + source.count, *found.shape))
            there.select_hyperslab((source.first, *zeros), (source.count, *found.shape))
            plan.set_virtual(here, _relative(source.file, folder).encode(), source.dataset.encode(), there)
            at += source.count
    space = h5py.h5s.create_simple((len(found), *found.shape))
    made = h5py.h5d.create(detector.id, b"data", h5py.h5t.py_create(dtype, logical=True), space, plan)
    return h5py.Dataset(made)


def _copy(detector: Any, found: Tomography) -> Any:
    data = detector.create_dataset(
        "data", (len(found), *found.shape), found.dtype, chunks=(1, *found.shape), fillvalue=found.fill
    )
    at = 0
    for part in found.parts:
        for block in part.blocks():
            data[at : at + len(block)] = block
            at += len(block)
    return data


def _origin(entry: Any, found: Tomography) -> None:
    """The runs that the frames come from; not part of NXtomo."""
    origin = _group(entry, "origin", "NXcollection")
    origin["title"] = [run.title for run in found.runs]
    origin["run"] = [run.where for run in found.runs]
    origin["frames"] = np.array([len(part) for part in found.parts], dtype=np.int64)


def _group(parent: Any, name: str, nx_class: str, **attributes: Any) -> Any:
    group = parent.create_group(name, track_order=True)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def _quantity(group: Any, name: str, value: Any, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def _relative(file: Path, folder: Path) -> str:
    """The way from the new file to one with frames, so that both can be moved together; absolute when that is far."""
    # Resolved, because ".." leads out of what a symbolic link points to, not back to where the link is.
    relative = os.path.relpath(file.resolve(), folder.resolve())
    return relative if relative.count("..") <= 6 else str(file)


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).astimezone().isoformat()
