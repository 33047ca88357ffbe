"""The file of one run while it is written.

It is made under a hidden name and gets its own by renaming, once it holds an entry: nobody ever sees a half-made file,
and a rebuilt one replaces the broken one in one step. The writer holds HDF5's lock; readers open without one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from firstlight.model import (
    RING_CURRENTS,
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    FirstlightError,
    Ragged,
    RunEnd,
    RunInfo,
    Saving,
)
from firstlight.storage._column import Column, chunk_items
from firstlight.storage._entry import (
    OWN,
    RUNNING,
    create_entry,
    finish_entry,
    write_camera,
    write_devices,
    write_grid,
    write_plots,
    write_status,
)
from firstlight.storage._frames import Part
from firstlight.storage._places import Place, Places
from firstlight.storage._references import extend_parts
from firstlight.storage._space import full
from firstlight.storage._stop import abandon
from firstlight.storage._tree import as_text, make_group, write_attribute, write_tree
from firstlight.storage._virtual import link_frames

_AMPERES = ("A", "mA")


class RunFile:
    """Writes one run's file.

    :param saving: where; its folder is made.
    :param key: of the run in the buffer.
    :param file: an empty file to be filled instead, which is not renamed or locked.
    :raises StorageFull, StorageError: when the file can not be made; so do all methods.
    """

    def __init__(self, saving: Saving, info: RunInfo, key: str, *, file: h5py.File | None = None) -> None:
        self.path = Path(saving.file)
        self.name = f"{saving.number}.1"
        """Of the entry."""
        self.info = info
        self._hidden = self.path.with_name(f".{self.path.stem}.writing.h5")
        self._places = Places(info)
        self._placed: dict[str, Place] = {}
        self._channels: dict[str, ChannelFile] = {}
        self._table: list[str] = []
        self._rows: list[tuple[float, float, float]] = []
        self._running = False
        self._file = file if file is not None else self._create()
        self.published = file is not None
        """Whether it has its name."""
        with self._guarded():
            self.entry: h5py.Group = create_entry(self._file, saving, info, key)
            groups = {device: self._places.group(device) for device in info.devices}
            write_devices(self.entry["instrument"], groups, info)
            self._instrument: h5py.Group = self.entry["instrument"]
            self._measurement: h5py.Group = self.entry["measurement"]
            self._groups: dict[str, h5py.Group] = {}
            self._times = Column(self.entry[OWN], "times", np.dtype("<f8"), (3,), 256)

    def _create(self) -> h5py.File:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._hidden.unlink(missing_ok=True)
            # The lock that HDF5 itself would take; but then no reader in this process could open the file without.
            file = h5py.File(self._hidden, "x", locking=False)
            fcntl.flock(int(file.id.get_vfd_handle()), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise full(self.path, error) from error
        return file

    @property
    def channels(self) -> Mapping[str, ChannelFile]:
        """The channels that have a place in the file."""
        return self._channels

    def add(self, spec: ChannelSpec, *, rate: float = 1.0) -> ChannelFile:
        """Give a channel its datasets.

        :param rate: items per second, as far as known.
        """
        with self._guarded():
            place = self._places.place(spec)
            group = self._group(place)
            made = ChannelFile(self, len(self._channels), spec, place, group, rate)
            self._placed[spec.name] = place
            self._channels[spec.name] = made
            self._table.append(json.dumps({"spec": spec.to_json(), "path": place.path}))
            if spec.role is ChannelRole.FRAME or spec.kind is ChannelKind.RING:
                write_camera(group, self.info, spec.info)
            selection = spec.info.get("selection")
            if isinstance(selection, Mapping) and "selection" not in group:
                write_tree(make_group(group, "selection", "NXcollection"), selection)
            self._link(place, spec)
        return made

    def note(self, index: int, count: int, time: float) -> None:
        """Remember when the newest items of a channel were acknowledged."""
        self._rows.append((float(index), float(count), time))

    def running(self) -> None:
        """All channels known at the start have their place: tell the readers, and make the plots."""
        if not self._running:
            self._running = True
            with self._guarded():
                write_plots(self.entry, self.info, self._placed)
                write_status(self.entry, RUNNING)

    def flush(self) -> None:
        """Make all that was added visible to readers; the first time the file takes its name."""
        with self._guarded():
            for channel in self._channels.values():
                channel.sync()
            self._write_tables()
            self._file.flush()
            if not self.published:
                self._hidden.replace(self.path)
                self.published = True

    def finish(self, end: RunEnd, seals: Mapping[str, str], *, status: str) -> None:
        """Write the end and close.

        :param seals: reason for each channel that ended by another than the ordinary end.
        """
        with self._guarded():
            self.running()
            write_grid(self.entry, self.info, self._placed)
            finish_entry(self.entry, end, seals, status=status)
            self.flush()
            self._file.close()

    def give_up(self) -> None:
        """Leave what is on the disk as it is."""
        abandon(self._file)
        if not self.published:
            with contextlib.suppress(OSError):
                self._hidden.unlink(missing_ok=True)

    def _group(self, place: Place) -> h5py.Group:
        if place.group in self._groups:
            return self._groups[place.group]
        group = make_group(self._instrument, place.group, place.nx_class)
        if as_text(group.attrs["NX_class"]) == "NXcollection":  # it was made for the device's settings
            write_attribute(group, "NX_class", place.nx_class)
        self._groups[place.group] = group
        return group

    def _link(self, place: Place, spec: ChannelSpec) -> None:
        base = f"/{self.name}/{place.path}"
        self._measurement[place.link] = h5py.SoftLink(base)
        if spec.kind is ChannelKind.RAGGED:
            self._measurement[f"{place.link}_offsets"] = h5py.SoftLink(f"{base}_offsets")
        if place.positioner:
            positioners = self._instrument["positioners"]
            if place.positioner in positioners:
                del positioners[place.positioner]
            positioners[place.positioner] = h5py.SoftLink(base)
        if spec.name in RING_CURRENTS and spec.unit in _AMPERES:
            # Where BLISS has it, whatever the beamline calls it.
            machine = make_group(self._instrument, "machine", "NXsource")
            if "current" not in machine:
                machine["current"] = h5py.SoftLink(base)

    def _write_tables(self) -> None:
        if self._table:
            table = self.entry[OWN]["channels"]
            first = table.shape[0]
            table.resize(first + len(self._table), axis=0)
            table[first:] = np.array(self._table, dtype=object)
            self._table = []
        if self._rows:
            self._times.append(np.array(self._rows, dtype=np.float64))
            self._rows = []

    def _guarded(self) -> contextlib.AbstractContextManager[None]:
        return _guarded(self.path)


class ChannelFile:
    """One channel in the file of its run; made by :meth:`RunFile.add`."""

    def __init__(
        self, run: RunFile, index: int, spec: ChannelSpec, place: Place, group: h5py.Group, rate: float
    ) -> None:
        self.spec = spec
        self.place = place
        self._run = run
        self._index = index
        self._group = group
        self._parts: Sequence[Part] = ()
        self._mapping: tuple[Part | str, ...] | None = None
        self._columns: list[Column] = []
        self._end = 0
        dtype = np.dtype(spec.dtype)
        if spec.kind is ChannelKind.RING:
            self.link([])
        elif spec.kind is ChannelKind.RAGGED:
            values = Column(group, place.name, dtype, (), chunk_items(dtype.itemsize, rate=16 * rate, expected=None))
            offsets = Column(
                group, f"{place.name}_offsets", np.dtype("<i8"), (), chunk_items(8, rate=rate, expected=None)
            )
            offsets.append(np.zeros(1, dtype=np.int64))
            write_attribute(values.dataset, "offsets", f"{place.name}_offsets")
            self._columns = [values, offsets]
        else:
            name = f"{place.name}_references" if spec.kind is ChannelKind.REFERENCE else place.name
            chunk = chunk_items(spec.item_nbytes, rate=rate, expected=run.info.npoints or None)
            self._columns = [Column(group, name, dtype, spec.shape, chunk)]
            if spec.kind is ChannelKind.REFERENCE:
                self._foreign: list[Part] = []
                self.link([])
        if self._columns and spec.kind is not ChannelKind.REFERENCE:
            self._describe(self._columns[0].dataset)

    @property
    def count(self) -> int:
        """Items in the file (of frames: those linked)."""
        if self.spec.kind is ChannelKind.RING:
            return sum(p.count for p in self._parts)
        return self._columns[-1].count - (1 if self.spec.kind is ChannelKind.RAGGED else 0)

    @property
    def counted(self) -> str:
        """Path in the entry of the dataset that tells how many items there are."""
        suffixes = {ChannelKind.RAGGED: "_offsets", ChannelKind.REFERENCE: "_references"}
        return self.place.path + suffixes.get(self.spec.kind, "")

    @property
    def rows(self) -> int:
        """Length of that dataset."""
        return self.count + (1 if self.spec.kind is ChannelKind.RAGGED else 0)

    def append(self, items: NDArray[Any] | Ragged, time: float) -> None:
        """Add items of a log, ragged or reference channel.

        :param time: when the newest of them was acknowledged (s, monotonic).
        """
        with _guarded(self._run.path):
            if isinstance(items, Ragged):
                self._columns[0].append(items.values)
                self._columns[1].append(items.offsets[1:] + self._end)
                self._end += int(items.offsets[-1])
            else:
                self._columns[0].append(items)
                if self.spec.kind is ChannelKind.REFERENCE:
                    extend_parts(self._foreign, items, self._run.path.parent)
        self._run.note(self._index, self.count, time)

    def link(self, parts: Sequence[Part], time: float | None = None, *, final: bool = False) -> None:
        """Point the channel's virtual dataset to its frames.

        :param parts: all of them, in order.
        :param time: when the newest frame was acknowledged (s, monotonic).
        :param final: whether the files of the parts are closed.
        """
        before = sum(p.count for p in self._parts)
        self._parts = list(parts)
        # The last file of a ring's frames grows without being linked again.
        grows = self.spec.kind is ChannelKind.RING and bool(parts)
        mapping: tuple[Part | str, ...] = (*parts[:-1], parts[-1].file) if grows else tuple(parts)
        if final or mapping != self._mapping:
            self._mapping = mapping
            with _guarded(self._run.path):
                self._describe(link_frames(self._group, self.place.name, self.spec, parts, final=final))
        if time is not None and sum(p.count for p in parts) > before:
            self._run.note(self._index, self.count, time)

    def sync(self) -> None:
        """Link the references that came."""
        if self.spec.kind is ChannelKind.REFERENCE:
            self.link(self._foreign)

    def _describe(self, dataset: h5py.Dataset) -> None:
        spec = self.spec
        if spec.unit:
            write_attribute(dataset, "units", spec.unit)
        kinds = {ChannelKind.RING: "image", ChannelKind.REFERENCE: "image"}
        interpretation = kinds.get(spec.kind) or {1: "spectrum", 2: "image"}.get(len(spec.shape))
        if interpretation and spec.kind is not ChannelKind.RAGGED:
            write_attribute(dataset, "interpretation", interpretation)


@contextlib.contextmanager
def _guarded(path: Path) -> Any:
    """Errors of HDF5 and of the system, in words."""
    try:
        yield
    except FirstlightError:
        raise
    except OSError as error:
        raise full(path, error) from error
    except RuntimeError as error:  # so h5py reports some failures of HDF5's drivers
        raise full(path, OSError(str(error))) from error
