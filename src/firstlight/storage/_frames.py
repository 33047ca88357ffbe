"""The frames of one channel: a row of files of bounded size, each with its journal.

A frame counts as saved when its payload and its journal record are written; only then is its memory released. A file
that was not closed is not trusted: it is rebuilt beside itself from its journal, and the next frame starts a new file.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec, InvalidInput
from firstlight.storage._bitshuffle import Compressor
from firstlight.storage._framefile import FrameFile, dataset_path, frame_files, journal_path
from firstlight.storage._journal import Journal, Record
from firstlight.storage._salvage import salvage, verify
from firstlight.storage._tree import nexus_name

FILE_BYTES = 2**30
"""Size that a frame file does not pass unless one asks for it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive frames of a channel in one file.

    :param file: name of the file, beside the run's own.
    :param dataset: path in it.
    :param count: frames of it that are in the run.
    :param first: the first of them, in the file.
    """

    file: str
    dataset: str
    count: int
    first: int = 0


class FrameWriter:
    """Writes the frames of one channel; continues after those that an earlier writer left.

    :param folder: of the run; created when missing.
    :param spec: of the channel.
    :param frames_per_file: frames in one file; 0 chooses it so that a file stays under 1 GiB.
    :param compression: ``none`` or ``bitshuffle-lz4``.
    :param threads: that compress.
    :raises InvalidInput: for an unknown compression.
    """

    def __init__(
        self, folder: Path, spec: ChannelSpec, *, frames_per_file: int = 0, compression: str = "none", threads: int = 0
    ) -> None:
        if compression not in {"none", "bitshuffle-lz4"}:
            raise InvalidInput(
                f"{compression!r} is not a compression of frames.", hint="Choose none or bitshuffle-lz4."
            )
        self.spec = spec
        self._folder = folder
        self._per_file = frames_per_file or max(1, FILE_BYTES // max(1, spec.item_nbytes))
        folder.mkdir(parents=True, exist_ok=True)
        self._done = [Part(p.file, dataset_path(spec.name), p.count) for p in salvage(folder, spec)]
        self._records: list[Record] = []
        self._compressor: Compressor | None = None
        if compression != "none":
            threads = threads or min(8, os.cpu_count() or 1)
            self._compressor = Compressor(math.prod(spec.shape), np.dtype(spec.dtype), threads)
        # Two threads would not write faster than one, but the second can compute the checksums meanwhile.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="digest") if compression == "none" else None
        self._file: FrameFile | None = None
        self._journal: Journal | None = None
        self._flushed = 0

    @property
    def count(self) -> int:
        """Frames saved so far, payload and journal."""
        return sum(p.count for p in self._done) + (self._file.count if self._file is not None else 0)

    def write(self, frames: NDArray[Any]) -> None:
        """Save consecutive frames; when this returns their memory may be released.

        :param frames: C-contiguous array ``(n, *item shape)``.
        :raises StorageFull: when the disk is full; nothing more can be written with this writer.
        """
        at = 0
        while at < len(frames):
            file = self._file or self._next_file()
            take = min(len(frames) - at, self._per_file - file.count)
            records = file.write(frames[at : at + take])
            assert self._journal is not None
            self._journal.append(records)
            self._records.extend(records)
            at += take
            if file.count == self._per_file:
                self._finish_file()

    def flush(self) -> None:
        """Make what was saved visible to readers."""
        if self._file is not None:
            self._file.flush()
            self._flushed = self._file.count

    def parts(self) -> list[Part]:
        """Where the frames are that readers can see, in order; all of them after :meth:`close`."""
        parts = list(self._done)
        if self._file is not None and self._flushed:
            parts.append(Part(self._file.path.name, dataset_path(self.spec.name), self._flushed))
        return parts

    def close(self) -> None:
        """Finish the files, open them again and compare them with their journals.

        :raises StorageFull: when the last file can not be finished.
        :raises DataError: when a file does not hold what was written.
        """
        if self._file is not None:
            self._finish_file()
        self._stop_threads()

    def give_up(self) -> None:
        """Leave everything on the disk as it is; a later writer goes on from there."""
        if self._file is not None:
            self._file.give_up()
            self._file = None
        if self._journal is not None:
            self._journal.close()
        self._stop_threads()

    def _next_file(self) -> FrameFile:
        first = self.count
        taken = [number for _, number in frame_files(self._folder, self.spec.name)]
        compressed = self._compressor is not None
        number = max(taken) + 1 if taken else 0
        while True:
            path = self._folder / f"{nexus_name(self.spec.name)}_{number:04d}.h5"
            try:
                # The journal comes first, and claims the number: another channel's name may look the same.
                self._journal = Journal(journal_path(path), self.spec, first, compressed=compressed)
                break
            except FileExistsError:
                number += 1
        self._file = FrameFile(path, self.spec, compressed=compressed, compressor=self._compressor, pool=self._pool)
        self._records = []
        self._flushed = 0
        return self._file

    def _finish_file(self) -> None:
        assert self._file is not None
        assert self._journal is not None
        file, self._file = self._file, None
        try:
            file.close()
        finally:
            self._journal.close()
        verify(file.path, self.spec, self._records)
        self._done.append(Part(file.path.name, dataset_path(self.spec.name), file.count))

    def _stop_threads(self) -> None:
        if self._compressor is not None:
            self._compressor.close()
            self._compressor = None
        if self._pool is not None:
            self._pool.shutdown(wait=True)


def remove_journals(folder: Path) -> None:
    """Delete the journals of a run whose files were closed and verified."""
    if folder.is_dir():
        for path in folder.glob("*.journal"):
            path.unlink(missing_ok=True)
