"""Spill files: frames of a ring that its readers have not released yet, on disk.

A channel's spill is a sequence of files ``<channel>.<k>.spill`` of records. A record is a 64-byte header and the bytes
of one item, padded to a multiple of 64:

======  ====  ========================================
offset  type  content
======  ====  ========================================
0       4s    ``FLRC``
4       u4    flags: bit 0 payload is raw
8       8s    channel: BLAKE2b digest of its name
16      i8    first item
24      i8    number of items
32      8s    dtype, padded with zeros (empty when longer)
40      f8    time of acknowledgement, monotonic (s)
48      u8    bytes of payload
56      u4    CRC-32 of the payload
60      u4    CRC-32 of the header up to here
======  ====  ========================================

The number of records is published in the channel's head after a record is complete. Records are not synced to the
disk: they survive the death of any process, not of the machine.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer._column import Allocate, ColumnReader, ColumnWriter
from firstlight.buffer._head import KEPT, SPILLED, Head, Part
from firstlight.buffer._mapping import full
from firstlight.buffer._memory import NOTE, spilled_bytes
from firstlight.model import DataError, StorageFull

HEADER = struct.Struct("<4sI8sqq8sdQII")
_CHECKED = struct.Struct("<4sI8sqq8sdQI")
_MAGIC = b"FLRC"
_RAW = 1
_FILE_NBYTES = 256 * 1024 * 1024

INDEX_COLUMN, INDEX_LETTER = 3, "x"
INDEX = np.dtype("<i8")
INDEX_PART = Part(INDEX.itemsize, 32)


class SpillRoom:
    """How much this process may spill below one folder.

    :param folder: for all runs of the root.
    :param limit: bytes below the folder, counted once at the first use and kept up to date for this process.
    :param root: the buffer's root.
    """

    def __init__(self, folder: Path, limit: int, root: Path) -> None:
        self.folder = folder
        self.limit = limit
        self._root = root
        self._used: int | None = None
        self._lock = threading.Lock()

    def take(self, nbytes: int) -> bool:
        """Whether ``nbytes`` more may be written; if so they count from now on."""
        with self._lock:
            if self._used is None:
                self._used = spilled_bytes(self.folder)
            if self._used + nbytes > self.limit:
                self._used = spilled_bytes(self.folder)
            if self._used + nbytes > self.limit:
                return False
            self._used += nbytes
            return True

    def make(self, folder: Path) -> None:
        """Make the folder of a run, and note beside it whose it is: shared memory forgets at a reboot, disks do not."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        note = folder.parent / NOTE
        if not note.exists():
            note.write_text(str(self._root.absolute()))

    def give(self, nbytes: int) -> None:
        """Count ``nbytes`` less."""
        with self._lock:
            self._used = max(0, (self._used or 0) - nbytes)


def _stride(nbytes: int) -> int:
    return HEADER.size + -(-nbytes // 64) * 64


def records_per_file(nbytes: int, limit: int) -> int:
    """Records in one file: 256 MiB of them, but an eighth of the limit at most, because whole files are given back.

    :param nbytes: of one item.
    """
    return max(1, min(_FILE_NBYTES, limit // 8) // _stride(nbytes))


def pack(name: str, dtype: np.dtype[Any], first: int, count: int, time: float, payload: memoryview) -> bytes:
    """The header of a record."""
    kind = dtype.str.encode() if len(dtype.str) <= 8 else b""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    head = _CHECKED.pack(_MAGIC, _RAW, digest, first, count, kind, time, payload.nbytes, zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head))


def check(header: bytes, payload: memoryview, name: str, first: int) -> None:
    """Verify a record.

    :raises DataError: when header or payload is not what was written for item ``first``.
    """
    good = False
    if len(header) == HEADER.size and zlib.crc32(header[:60]) == int.from_bytes(header[60:], "little"):
        magic, _, digest, item, _, _, _, nbytes, crc, _ = HEADER.unpack(header)
        known = hashlib.blake2b(name.encode(), digest_size=8).digest()
        good = magic == _MAGIC and digest == known and item == first and nbytes == payload.nbytes
        good = good and zlib.crc32(payload) == crc
    if not good:
        raise DataError(f"{name}: the spilled item {first} is damaged.", hint="Check the disk that holds the spill.")


class SpillWriter:
    """Appends records; one thread."""

    def __init__(self, head: Head, folder: Path, room: SpillRoom, allocate: Allocate) -> None:
        self._name, self._dtype = head.spec.name, np.dtype(head.spec.dtype)
        self._nbytes = head.spec.item_nbytes
        self._per_file: int = head.description["spill_records"]
        self._folder, self._room, self._words = folder, room, head.words
        self._index = ColumnWriter(head, INDEX_COLUMN, INDEX_LETTER, INDEX, (), allocate)
        self._items: list[int] = []
        self._fd = -1
        self._open = -1

    def write(self, item: int, frame: NDArray[Any], time: float, needed_from: int) -> None:
        """Append one item and publish it.

        :param needed_from: files that hold only older items may be deleted to make room.
        :raises StorageFull: when limit or disk are reached; nothing was published.
        """
        record, per_file = len(self._items), self._per_file
        stride = _stride(self._nbytes)
        while not self._room.take(stride):
            if not self._delete_oldest(needed_from):
                raise StorageFull(
                    f"{self._name}: readers are {record - self._words[KEPT]} frames behind and the spill in "
                    f"{self._folder} has reached its limit of {self._room.limit / 1e6:.0f} MB.",
                    hint="Save faster, make the ring larger, or raise the limit of the spill.",
                )
        payload = np.ascontiguousarray(frame).reshape(-1).view(np.uint8).data
        header = pack(self._name, self._dtype, item, 1, time, payload)
        offset = record % per_file * stride
        try:
            self._index.reserve(record + 1)
            if record // per_file != self._open:
                self._next_file(record // per_file)
            _write_all(self._fd, offset, header, payload)
        except OSError as error:
            self._room.give(stride)
            raise full(error, self._folder / self._name, stride) from error
        self._index.write(record, np.array([item], INDEX))
        self._items.append(item)
        self._words[SPILLED] = record + 1

    def close(self) -> None:
        """Close the file."""
        self._index.close()
        fd, self._fd, self._open = self._fd, -1, -1
        if fd >= 0:
            os.close(fd)

    def _next_file(self, k: int) -> None:
        self._room.make(self._folder)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._fd = os.open(spill_path(self._folder, self._name, k), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._open = k

    def _delete_oldest(self, needed_from: int) -> bool:
        per_file = self._per_file
        k = self._words[KEPT] // per_file
        end = (k + 1) * per_file
        if end > len(self._items) or self._items[end - 1] >= needed_from:
            return False
        self._words[KEPT] = end
        spill_path(self._folder, self._name, k).unlink(missing_ok=True)
        self._room.give(per_file * _stride(self._nbytes))
        return True


class SpillReader:
    """Finds items in a channel's spill."""

    def __init__(self, head: Head, channels: Path, folder: Path) -> None:
        self._name, self._dtype, self._shape = head.spec.name, np.dtype(head.spec.dtype), head.spec.shape
        self._nbytes, self._folder, self._words = head.spec.item_nbytes, folder, head.words
        self._per_file: int = head.description["spill_records"]
        self._index = ColumnReader(head, channels, INDEX_COLUMN, INDEX_LETTER, INDEX, ())

    def items(self) -> NDArray[np.int64]:
        """Indices of the items that are held, ascending."""
        # Kept is read last: a file deleted meanwhile then counts as gone.
        count = self._words[SPILLED]
        items = self._index.read(0, count)
        return items[self._words[KEPT] :]

    def read(self, item: int) -> NDArray[Any] | None:
        """One item, verified; None when it is not in the spill."""
        count = self._words[SPILLED]
        if not count:
            return None
        record = int(np.searchsorted(self._index.read(0, count), item))
        if record >= count or self._index.contiguous(record, record + 1)[0] != item:
            return None
        if record < self._words[KEPT]:
            return None
        per_file = self._per_file
        frame = np.empty(self._shape, self._dtype)
        payload = frame.reshape(-1).view(np.uint8).data
        try:
            fd = os.open(spill_path(self._folder, self._name, record // per_file), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            offset = record % per_file * _stride(self._nbytes)
            header = os.pread(fd, HEADER.size, offset)
            done = 0
            while done < payload.nbytes:
                n = os.preadv(fd, [payload[done:]], offset + HEADER.size + done)
                if n == 0:
                    raise DataError(f"{self._name}: the spill file of item {item} is cut short.")
                done += n
        finally:
            os.close(fd)
        check(header, payload, self._name, item)
        return frame


def orphans(spill: Path, runs: Path) -> list[Path]:
    """Folders of spilled frames that belong to nobody any more.

    :param spill: for all runs of one root.
    :param runs: where these runs are.
    """
    found = []
    for folder in spill.parent.iterdir() if spill.parent.is_dir() else ():
        note = folder / NOTE
        if note.is_file() and not Path(note.read_text()).exists():
            found.append(folder)
    own = spill.iterdir() if spill.is_dir() else ()
    return found + [folder for folder in own if folder.is_dir() and not (runs / folder.name).exists()]


def spill_path(folder: Path, name: str, k: int) -> Path:
    """File ``k`` of a channel's spill."""
    return folder / f"{name}.{k}.spill"


def _write_all(fd: int, offset: int, header: bytes, payload: memoryview) -> None:
    done = os.pwritev(fd, [header, payload], offset)
    while done < HEADER.size + payload.nbytes:
        if done < HEADER.size:
            done += os.pwrite(fd, header[done:], offset + done)
        else:
            done += os.pwrite(fd, payload[done - HEADER.size :], offset + done)


__all__ = ["SpillReader", "SpillRoom", "SpillWriter", "orphans", "spill_path"]
