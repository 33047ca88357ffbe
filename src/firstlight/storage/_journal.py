"""The index beside a frame file: where in it each frame lies, written before the frame's memory is released.

One line of JSON (padded to 4096 bytes) says what the frames are; then one record of 40 bytes a frame: number in the
file, offset, bytes, checksum of the payload, checksum of the record. A record that was torn by a crash is recognised
and ends the journal. The journal is only ever appended to.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import ChannelSpec
from firstlight.storage._space import full

_HEADER = 4096
_RECORD = struct.Struct("<QQQQII")


@dataclass(frozen=True, slots=True)
class Record:
    """Where one frame lies.

    :param frame: its number in the file, from 0.
    :param offset: byte at which its payload starts.
    :param nbytes: length of the payload as stored, compressed or not.
    :param check: :func:`~firstlight.storage._digest.digest` of the payload.
    """

    frame: int
    offset: int
    nbytes: int
    check: int

    def pack(self) -> bytes:
        """The record as stored."""
        head = struct.pack("<QQQQ", self.frame, self.offset, self.nbytes, self.check)
        return head + struct.pack("<II", 0, zlib.crc32(head))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a journal says.

    :param spec: of the channel whose frames its file holds.
    :param compressed: whether they are bitshuffle-LZ4.
    :param first: number in the run of the file's frame 0.
    :param records: of the file's frames 0, 1, 2 ...
    """

    spec: ChannelSpec
    compressed: bool
    first: int
    records: Sequence[Record]


class Journal:
    """Writes one journal.

    :param path: created, must not exist.
    :param spec: of the channel whose frames its file holds.
    :param compressed: whether they are bitshuffle-LZ4.
    :param first: number in the run of the file's frame 0.
    :raises FileExistsError: when it does exist.
    """

    def __init__(self, path: Path, spec: ChannelSpec, first: int, *, compressed: bool) -> None:
        self.path = path
        described = {**spec.to_json(), "info": {}}  # which may be long, and is in the run's file
        head = json.dumps(
            {"format": "firstlight-frames", "version": 1, "spec": described, "compressed": compressed, "first": first}
        ).encode()
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
            _write(self._fd, head.ljust(_HEADER - 1) + b"\n")
        except FileExistsError:
            raise
        except OSError as error:
            raise full(path, error) from error

    def append(self, records: Sequence[Record]) -> None:
        """Store records; when this returns they survive the death of the process."""
        try:
            _write(self._fd, b"".join([r.pack() for r in records]))
        except OSError as error:
            raise full(self.path, error) from error

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_journal(path: Path) -> Contents | None:
    """What a journal says, up to the first record that is not whole; None when it does not even have its first line."""
    data = path.read_bytes()
    if len(data) < _HEADER:
        return None
    try:
        head = json.loads(data[:_HEADER])
        spec, compressed, first = ChannelSpec.from_json(head["spec"]), bool(head["compressed"]), int(head["first"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    records: list[Record] = []
    for at in range(_HEADER, len(data) - _RECORD.size + 1, _RECORD.size):
        frame, offset, nbytes, check, _, own = _RECORD.unpack_from(data, at)
        if own != zlib.crc32(data[at : at + 32]) or frame != len(records):
            break
        records.append(Record(frame, offset, nbytes, check))
    return Contents(spec, compressed, first, records)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
