"""Entries that Firstlight did not write: BLISS's, and others that keep to its layout."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, Quantity, RunEnd, RunInfo
from firstlight.storage._tree import as_number, as_text, nexus_name, plain, read_tree

_TIMES = frozenset({"elapsed_time", "epoch"})
_SNAPSHOTS = ("positioners", "start_positioners")
_WRITING = frozenset({"STARTING", "RUNNING"})


def is_finished(entry: h5py.Group) -> bool:
    """Whether nothing will be added: the end time is the last thing written; without a writer's note it is complete."""
    if "end_time" in entry:
        return True
    status = entry.get("writer/status")
    return not (isinstance(status, h5py.Dataset) and as_text(status[()]) in _WRITING)


def foreign_info(entry: h5py.Group, path: Path) -> RunInfo:
    """What can be told of a run from its entry."""
    title = _text(entry, "title") or entry.name.strip("/")
    words = title.replace("(", " ").split()
    start = entry.get("instrument/positioners_start", entry.get("instrument/start_positioners"))
    positioners = {}
    if isinstance(start, h5py.Group):
        for name, item in start.items():
            value = as_number(plain(item[()])) if isinstance(item, h5py.Dataset) and item.shape == () else None
            if value is not None:
                positioners[name] = Quantity(value=value, unit=as_text(item.attrs.get("units", "")))
    parameters = entry.get("scan_parameters")
    tree = read_tree(parameters) if isinstance(parameters, h5py.Group) else {}
    return RunInfo(
        name=words[0] if words else "scan",
        title=title,
        start_epoch=_epoch(_text(entry, "start_time")) or path.stat().st_mtime,
        clock="unknown",
        count_time=as_number(tree.get("count_time")),
        positioners=positioners,
        parameters={k: v for k, v in tree.items() if "@" not in k},
    )


def foreign_end(entry: h5py.Group) -> RunEnd | None:
    """How it ended; None when the entry does not say that it did."""
    ended = _epoch(_text(entry, "end_time"))
    if ended is None:
        return None
    reasons = {"FAILURE": EndReason.FAILED, "USER_ABORT": EndReason.ABORTED, "DELETION": EndReason.LOST}
    return RunEnd(reason=reasons.get(_text(entry, "end_reason"), EndReason.SUCCESS), epoch=ended)


def foreign_channels(entry: h5py.Group) -> Iterator[tuple[ChannelSpec, str, int]]:
    """Description, path and length of each array that was measured: in ``measurement``, or else in ``instrument``."""
    seen: set[str] = set()
    homes = _homes(entry)
    for path, dataset in _datasets(entry):
        name = nexus_name(path.rpartition("/")[2] if path.startswith("measurement/") else path.split("/")[1])
        if name in seen or dataset.ndim == 0 or dataset.dtype.kind not in "biufcS":
            continue
        seen.add(name)
        shape = tuple(int(n) for n in dataset.shape[1:])
        device, nx_class = homes.get(_identity(dataset), (name, ""))
        if name in _TIMES:
            role = ChannelRole.TIME
        elif nx_class == "NXpositioner":
            role = ChannelRole.AXIS
        else:
            role = {0: ChannelRole.COUNTER, 1: ChannelRole.SPECTRUM}.get(len(shape), ChannelRole.FRAME)
        spec = ChannelSpec(
            name=name,
            dtype=np.dtype(dataset.dtype).str,
            shape=shape,
            unit=as_text(dataset.attrs.get("units", "")),
            source=device,
            kind=ChannelKind.RING if role is ChannelRole.FRAME else ChannelKind.LOG,
            role=role,
        )
        yield spec, path, int(dataset.shape[0])


def _homes(entry: h5py.Group) -> dict[tuple[int, int], tuple[str, str]]:
    """Device and its class for each dataset in ``instrument``: a link to a dataset does not tell where it leads."""
    homes = {}
    instrument = entry.get("instrument")
    for device, group in instrument.items() if isinstance(instrument, h5py.Group) else ():
        if isinstance(group, h5py.Group) and not device.startswith(_SNAPSHOTS):
            for item in group.values():
                if isinstance(item, h5py.Dataset):
                    homes[_identity(item)] = (device, as_text(group.attrs.get("NX_class", "")))
    return homes


def _identity(item: h5py.Dataset) -> tuple[int, int]:
    info = h5py.h5o.get_info(item.id)
    return int(info.fileno), int(info.addr)


def _datasets(entry: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    measurement = entry.get("measurement")
    if isinstance(measurement, h5py.Group):
        for name in measurement:
            item = measurement.get(name)  # None for a link that leads nowhere (yet)
            if isinstance(item, h5py.Dataset):
                yield f"measurement/{name}", item
    instrument = entry.get("instrument")
    if isinstance(instrument, h5py.Group):
        for name, group in instrument.items():
            if isinstance(group, h5py.Group) and not name.startswith(_SNAPSHOTS):
                for leaf in ("data", "value"):
                    item = group.get(leaf)
                    if isinstance(item, h5py.Dataset):
                        yield f"instrument/{name}/{leaf}", item


def _text(entry: h5py.Group, name: str) -> str:
    item = entry.get(name)
    return as_text(item[()]) if isinstance(item, h5py.Dataset) else ""


def _epoch(text: str) -> float | None:
    try:
        return dt.datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        return None
