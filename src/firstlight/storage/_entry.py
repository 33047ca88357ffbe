"""The entry of a run: everything but its channels, at the start and at the end.

The tree and its names are those of blisswriter 2 (read 2026), see ``docs/reference/files.md``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from firstlight import __version__
from firstlight.model import EndReason, PlotHint, Quantity, RunEnd, RunInfo, Saving
from firstlight.storage._places import Place
from firstlight.storage._tree import TEXT, make_group, rewrite_text, write_attribute, write_text, write_tree

STARTING, RUNNING, SUCCEEDED, FAILED = "STARTING", "RUNNING", "SUCCEEDED", "FAILED"

OWN = "firstlight"
"""Group of an entry that holds what lets Firstlight read it back exactly."""

_OURS = frozenset({OWN, "writer", "measurement", "plotselect", "title", "start_time", "end_time", "end_reason"})

_REASONS = {EndReason.LOST: "DELETION"}
"""blissdata's schema knows SUCCESS, FAILURE, USER_ABORT and DELETION ("closed automatically, e.g. a crash")."""


def iso(epoch: float) -> str:
    """UTC seconds as local time with its offset, as in BLISS files."""
    return dt.datetime.fromtimestamp(epoch, tz=dt.UTC).astimezone().isoformat()


def create_entry(file: h5py.File, saving: Saving, info: RunInfo, key: str) -> h5py.Group:
    """Write what is known at the start; the writer's status is STARTING.

    :param file: an empty file.
    :param key: of the run in the buffer.
    """
    name = f"{saving.number}.1"
    root = {
        "NX_class": "NXroot",
        "creator": "Firstlight",
        "creator_version": __version__,
        "HDF5_Version": h5py.version.hdf5_version,
        "h5py_version": h5py.version.version,
        "file_time": iso(info.start_epoch),
        "file_name": saving.file,
        "default": name,
    }
    for attribute, value in root.items():
        write_attribute(file, attribute, value)
    entry = make_group(file, name, "NXentry")
    write_text(entry, "title", info.title)
    write_text(entry, "start_time", iso(info.start_epoch))
    write_text(entry, "experiment_identifier", saving.proposal)
    write_text(entry, "entry_identifier", key)
    _write_parameters(entry, info)
    instrument = make_group(entry, "instrument", "NXinstrument")
    write_attribute(write_text(instrument, "name", saving.beamline), "short_name", saving.beamline)
    for suffix in ("", "_start"):
        write_positions(instrument, "positioners" + suffix, info.positioners)
    make_group(entry, "measurement", "NXcollection")
    _write_metadata(entry, saving, info)
    own = make_group(entry, OWN, "NXcollection")
    write_text(own, "key", key)
    write_text(own, "info", info.model_dump_json())
    own.create_dataset("channels", shape=(0,), maxshape=(None,), dtype=TEXT, chunks=(16,))
    note = make_group(entry, "writer", "NXnote")
    write_text(note, "author", f"Firstlight {__version__}")
    write_status(entry, STARTING)
    return entry


def write_status(entry: h5py.Group, status: str) -> None:
    """Set ``writer/status``, on which blissdata's reader decides whether to wait for more."""
    note = entry["writer"]
    write = rewrite_text if "status" in note else write_text
    write(note, "status", status)
    write(note, "date", iso(dt.datetime.now(dt.UTC).timestamp()))


def finish_entry(entry: h5py.Group, end: RunEnd, seals: Mapping[str, str], *, status: str = SUCCEEDED) -> None:
    """Write what is known at the end; ``end_time`` comes last, because readers take it as the end of the entry.

    :param seals: reason for each channel that ended by another than the ordinary end.
    """
    write_positions(entry["instrument"], "positioners_end", end.positioners)
    write_text(entry, "end_reason", _REASONS.get(end.reason, end.reason.value))
    if end.message:
        write_text(entry, "end_message", end.message)
    if end.pauses:
        pauses = make_group(entry["instrument"], "pauses", "NXcollection")
        columns = {
            name: [getattr(pause, name) for pause in end.pauses] for name in ("point", "waited", "start", "stop")
        }
        write_tree(pauses, {**columns, "start@units": "s", "stop@units": "s", "reason": [p.reason for p in end.pauses]})
    own = entry[OWN]
    write_text(own, "end", end.model_dump_json())
    if seals:
        write_text(own, "seals", json.dumps(dict(seals)))
    write_status(entry, status)
    write_text(entry, "end_time", iso(end.epoch))


def write_positions(instrument: h5py.Group, name: str, positions: Mapping[str, Quantity]) -> None:
    """A collection of axis positions with their units."""
    tree: dict[str, Any] = {}
    for axis, quantity in positions.items():
        tree[axis] = quantity.value
        if quantity.unit:
            tree[f"{axis}@units"] = quantity.unit
    write_tree(make_group(instrument, name, "NXcollection"), tree)


def write_devices(instrument: h5py.Group, groups: Mapping[str, str], info: RunInfo) -> None:
    """The settings of each device, in its group.

    :param groups: device → name of its group.
    """
    for device, settings in info.devices.items():
        write_tree(instrument.require_group(groups[device]), settings)


def write_camera(group: h5py.Group, info: RunInfo, details: Mapping[str, Any]) -> None:
    """What readers of Lima detectors look for (nxtomomill: the exposure time)."""
    exposure = details.get("exposure", info.count_time)
    tree: dict[str, Any] = {"acq_nb_frames": info.npoints or 0}
    if exposure is not None:
        tree |= {"acq_expo_time": float(exposure), "acq_expo_time@units": "s"}
    write_tree(make_group(group, "acq_parameters", "NXcollection"), tree)


def write_plots(entry: h5py.Group, info: RunInfo, places: Mapping[str, Place]) -> None:
    """NXdata groups of links: ``plotselect`` for the first plot, ``plot_2`` ... for others; the first is the default.

    A mesh is shown as a scatter of points, fast axis first, until :func:`write_grid` can make an image of it.
    """
    made = False
    for number, plot in enumerate(info.plots, 1):
        name = "plotselect" if number == 1 else f"plot_{number}"
        signals = [places[y].link for y in plot.y if y in places]
        if not signals or name in entry:
            continue
        if len(info.shape) > 1:
            axes = [places[a].link for a in reversed(info.axes) if a in places]
        else:
            axes = [places[plot.x].link] if plot.x in places else []
        group = _data_group(entry, name, signals, axes)
        for link in {*signals, *axes}:
            group[link] = h5py.SoftLink(f"{entry.name}/measurement/{link}")
        made = True
    if made:
        write_attribute(entry, "default", "plotselect")


def write_grid(entry: h5py.Group, info: RunInfo, places: Mapping[str, Place]) -> None:
    """Replace the scatter plot of a complete two-dimensional mesh by an image: a virtual dataset over the flat data."""
    if len(info.shape) != 2 or len(info.axes) != 2 or "plotselect" not in entry:
        return
    hint: PlotHint = info.plots[0]
    points = info.shape[0] * info.shape[1]
    signals = [places[y] for y in hint.y if y in places]
    axes = [places[a] for a in info.axes if a in places]
    flat = [entry[p.path] for p in [*signals, *axes]]
    if len(axes) != 2 or any(d.shape != (points,) for d in flat):
        return
    del entry["plotselect"]
    group = _data_group(entry, "plotselect", [p.link for p in signals], [p.link for p in axes])
    for place in signals:
        source = entry[place.path]
        layout = h5py.VirtualLayout(info.shape, source.dtype)
        whole = h5py.VirtualSource(".", source.name, shape=source.shape)
        for row in range(info.shape[0]):
            layout[row, :] = whole[row * info.shape[1] : (row + 1) * info.shape[1]]
        group.create_virtual_dataset(place.link, layout).attrs["interpretation"] = "image"
    for along, place in enumerate(axes):
        grid = entry[place.path][()].reshape(info.shape)
        positions = group.create_dataset(place.link, data=np.nanmean(grid, axis=1 - along))
        for key, value in entry[place.path].attrs.items():
            positions.attrs[key] = value


def _data_group(entry: h5py.Group, name: str, signals: list[str], axes: list[str]) -> h5py.Group:
    group = make_group(entry, name, "NXdata")
    write_attribute(group, "signal", signals[0])
    if signals[1:]:
        write_attribute(group, "auxiliary_signals", signals[1:])
    if axes:
        write_attribute(group, "axes", axes)
    return group


def _write_parameters(entry: h5py.Group, info: RunInfo) -> None:
    tree: dict[str, Any] = {}
    if info.count_time is not None:
        tree |= {"count_time": info.count_time, "count_time@units": "s"}
    tree |= {"name": info.name, "npoints": info.npoints}
    if info.axes:
        tree["axes"] = list(info.axes)
    if info.shape:
        tree["shape"] = list(info.shape)
    if info.parent:
        tree["parent"] = info.parent
    write_tree(make_group(entry, "scan_parameters", "NXparameters"), {**info.parameters, **tree})


def _write_metadata(entry: h5py.Group, saving: Saving, info: RunInfo) -> None:
    metadata = dict(info.metadata)
    sample = metadata.pop("sample", None)
    tree = {"name": saving.sample, **(sample if isinstance(sample, Mapping) else {})}
    write_tree(make_group(entry, "sample", "NXsample"), tree)
    # nxtomomill takes what a run is in a tomography from here.
    key = metadata.pop("image_key", info.parameters.get("image_key"))
    if key is not None:
        write_tree(make_group(entry, "technique", "NXcollection"), {"image_key": key})
    own = {(f"user_{name}" if name in _OURS else name): value for name, value in metadata.items()}
    write_tree(entry, own)
