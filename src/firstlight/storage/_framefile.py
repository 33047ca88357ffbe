"""One HDF5 file of frames, written by whole chunks.

::

    /entry_0000                           NXentry
      instrument/{channel}/data           (frames, height, width), one chunk a frame
      measurement/data                    link to it, where readers of Lima files look

Payloads bypass HDF5's buffers: raw frames are written by ``pwrite`` straight from the ring into chunks that HDF5 has
allocated, compressed ones as ready chunks. The dataset's length follows the payloads, never runs ahead of them. The
writer takes no lock, because readers open these files through the run's virtual dataset, and blissdata opens them with
locking; the lock on the run's own file guards its frame files too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec
from firstlight.storage._bitshuffle import Compressor, filter_options
from firstlight.storage._digest import digest
from firstlight.storage._journal import Record
from firstlight.storage._space import full
from firstlight.storage._stop import abandon
from firstlight.storage._tree import make_group, nexus_name, write_attribute

_ALIGNMENT = 4096


def dataset_path(channel: str) -> str:
    """Path of the frames in their file."""
    return f"/entry_0000/instrument/{nexus_name(channel)}/data"


class FrameFile:
    """Writes one file.

    :param path: created, must not exist.
    :param spec: of the frames' channel.
    :param compressed: whether chunks are bitshuffle-LZ4.
    :param compressor: makes them so; without one only :meth:`write_chunk` can be used on compressed files.
    :param pool: where the checksums of raw frames are computed while they are written.
    :raises StorageFull: when the disk is full.
    """

    def __init__(
        self,
        path: Path,
        spec: ChannelSpec,
        *,
        compressed: bool = False,
        compressor: Compressor | None = None,
        pool: Executor | None = None,
    ) -> None:
        self.path = path
        self.count = 0
        self._shape = spec.shape
        self._nbytes = spec.item_nbytes
        self._compressed = compressed
        self._compressor = compressor
        self._pool = pool
        try:
            self._file = h5py.File(
                path, "x", locking=False, alignment_threshold=_ALIGNMENT * 4, alignment_interval=_ALIGNMENT
            )
            try:
                self._fd = int(self._file.id.get_vfd_handle())
                self._dataset = self._create(spec)
                self._file.flush()
            except BaseException:
                abandon(self._file)
                raise
        except OSError as error:
            raise full(path, error) from error

    def write(self, frames: NDArray[Any]) -> list[Record]:
        """Append frames; their payloads are in the file when this returns, HDF5's index of them after :meth:`flush`.

        :param frames: C-contiguous array ``(n, *item shape)`` of the channel's dtype.
        :return: one record a frame, for the journal.
        """
        try:
            return self._write_compressed(frames) if self._compressed else self._write_raw(frames)
        except (OSError, RuntimeError) as error:
            raise full(self.path, _as_os_error(error)) from error

    def write_chunk(self, payload: bytes | memoryview) -> Record:
        """Append one frame that is already in the form of a chunk."""
        frame = self.count
        self._dataset.set_extent((frame + 1, *self._shape))
        if self._compressed:
            self._dataset.write_direct_chunk((frame, *(0,) * len(self._shape)), payload)
            offset = self._offset(frame)
        else:
            offset = self._offset(frame)
            _pwrite(self._fd, memoryview(payload).cast("B"), offset)
        self.count = frame + 1
        return Record(frame, offset, len(payload), digest(payload))

    def flush(self) -> None:
        """Bring HDF5's index up to the payloads, for readers."""
        try:
            self._file.flush()
        except (OSError, RuntimeError) as error:
            raise full(self.path, _as_os_error(error)) from error

    def close(self) -> None:
        """Finish the file.

        :raises StorageFull: when its last part can not be written; the file is then given up, not closed.
        """
        try:
            self._file.flush()
            self._file.close()
        except (OSError, RuntimeError) as error:
            abandon(self._file)
            raise full(self.path, _as_os_error(error)) from error

    def give_up(self) -> None:
        """Leave the file on the disk as it is."""
        abandon(self._file)

    def _write_raw(self, frames: NDArray[Any]) -> list[Record]:
        first = self.count
        numbers = range(first, first + len(frames))
        self._dataset.set_extent((numbers.stop, *self._shape))
        views = [frame.reshape(-1).view(np.uint8) for frame in frames]
        pool = self._pool
        pending = [pool.submit(digest, view) for view in views] if pool is not None else []
        offsets = []
        for number, view in zip(numbers, views, strict=True):
            offset = self._offset(number)
            _pwrite(self._fd, view.data, offset)
            offsets.append(offset)
        checks = [one.result() for one in pending] if pending else [digest(view) for view in views]
        self.count = numbers.stop
        return [Record(n, o, self._nbytes, c) for n, o, c in zip(numbers, offsets, checks, strict=True)]

    def _write_compressed(self, frames: NDArray[Any]) -> list[Record]:
        assert self._compressor is not None
        return [self.write_chunk(payload) for payload in self._compressor.compress(frames)]

    def _offset(self, frame: int) -> int:
        return int(self._dataset.get_chunk_info_by_coord((frame, *(0,) * len(self._shape))).byte_offset)

    def _create(self, spec: ChannelSpec) -> h5py.h5d.DatasetID:
        name = nexus_name(spec.name)
        file = self._file
        for item, value in (("NX_class", "NXroot"), ("creator", "Firstlight"), ("default", "entry_0000")):
            write_attribute(file, item, value)
        entry = make_group(file, "entry_0000", "NXentry")
        write_attribute(entry, "default", "measurement")
        detector = make_group(make_group(entry, "instrument", "NXinstrument"), name, "NXdetector")
        measurement = make_group(entry, "measurement", "NXdata")
        write_attribute(measurement, "signal", "data")
        dataset = self._create_dataset(detector, spec)
        high = h5py.Dataset(dataset)
        write_attribute(high, "interpretation", "image")
        if spec.unit:
            write_attribute(high, "units", spec.unit)
        measurement["data"] = h5py.SoftLink(dataset_path(spec.name))
        return dataset

    def _create_dataset(self, group: h5py.Group, spec: ChannelSpec) -> h5py.h5d.DatasetID:
        dtype = np.dtype(spec.dtype)
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((1, *spec.shape))
        plan.set_fill_value(np.array(spec.fill, dtype=dtype))
        if not self._compressed:
            # HDF5 allocates, we write: it must neither wait for data nor fill the space itself.
            plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        else:
            number, options = filter_options()
            plan.set_filter(number, h5py.h5z.FLAG_MANDATORY, options)
        space = h5py.h5s.create_simple((0, *spec.shape), (h5py.h5s.UNLIMITED, *spec.shape))
        return h5py.h5d.create(group.id, b"data", h5py.h5t.py_create(dtype, logical=True), space, plan)


def frame_records(path: Path, spec: ChannelSpec, *, check: Sequence[int] = ()) -> list[Record]:
    """What HDF5 says of a closed frame file: where each frame lies.

    :param check: frames whose payload is read for its checksum; the others get 0.
    :raises OSError, KeyError, RuntimeError, ValueError: when the file is broken.
    """
    wanted = set(check)
    with h5py.File(path, "r", locking=False) as file:
        dataset = file[dataset_path(spec.name)]
        if dataset.shape[1:] != spec.shape or dataset.dtype != np.dtype(spec.dtype):
            raise ValueError(f"{path} holds other frames than {spec.name}.")
        records = []
        for frame in range(dataset.shape[0]):
            at = (frame, *(0,) * len(spec.shape))
            found = dataset.id.get_chunk_info_by_coord(at)
            if found.byte_offset is None:
                raise ValueError(f"{path} lacks frame {frame}.")
            payload = digest(dataset.id.read_direct_chunk(at)[1]) if frame in wanted else 0
            records.append(Record(frame, int(found.byte_offset), int(found.size), payload))
    return records


def journal_path(frame_file: Path) -> Path:
    """The journal beside a frame file."""
    return frame_file.with_suffix(".journal")


def frame_files(folder: Path, channel: str) -> list[tuple[Path, int]]:
    """The frame files of a channel (or those of which only the journal exists) with their numbers, in order."""
    pattern = re.compile(re.escape(nexus_name(channel)) + r"_(\d{4,})\.(?:h5|journal)")
    found = {int(m[1]) for p in folder.iterdir() if (m := pattern.fullmatch(p.name))}
    return [(folder / f"{nexus_name(channel)}_{number:04d}.h5", number) for number in sorted(found)]


def _pwrite(fd: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def _as_os_error(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else OSError(str(error))
