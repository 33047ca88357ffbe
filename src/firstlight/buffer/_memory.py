"""The memory of a root: its budget, the pool of recycled segments, and where segments go when memory is full."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from firstlight.buffer._mapping import Mapping
from firstlight.buffer._words import Fence, words
from firstlight.model import StorageFull

SEGMENT_HEADER = 64
"""Bytes in front of the items of a segment: magic, epoch of the channel that uses it, size."""
MAGIC, EPOCH, SIZE = range(3)
_MAGIC = int.from_bytes(b"FLsegmt1", "little")

NOTE = "firstlight-root"
"""File that names the root whose runs have spilled into the folders beside it."""

_TRUST = 5.0
"""Seconds that a count of the memory in use stays good."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a root holds, bytes.

    :param memory: in the root, the pool included.
    :param pool: in recycled segments that wait for their next use.
    :param spilled: in spill files.
    :param budget: most that the root may hold.
    :param runs: number of runs.
    """

    memory: int
    pool: int
    spilled: int
    budget: int
    runs: int


class Segment:
    """A mapped piece of memory that belongs to one channel for a time."""

    __slots__ = ("mapping", "words")

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.words = words(mapping.memory[:SEGMENT_HEADER])

    @property
    def epoch(self) -> int:
        """Who uses it now: recycling changes this word before any byte of the contents."""
        epoch: int = self.words[EPOCH]
        return epoch


class Memory:
    """Gives out segments of one root, within its budget.

    :param evict: removes the oldest closed run and says whether there was one.
    """

    def __init__(self, root: Path, budget: int, spill: Path, evict: Callable[[], bool]) -> None:
        self.root = root
        self.budget = budget
        self.spill = spill
        self._evict = evict
        self._lock = threading.Lock()
        self._used = 0
        self._counted = float("-inf")
        self._sizes: dict[str, tuple[int, int]] = {}
        self._fence = Fence()

    # -- segments

    def segment(self, path: Path, size: int, epoch: int) -> Segment:
        """Allocate, map and stamp a segment: from the pool, else fresh.

        :param path: where it goes in the folder of the run.
        :raises StorageFull: when there is no room.
        """
        return self._stamped(self._recycled(path, size) or self._fresh(path, size), size, epoch)

    def on_disk(self, path: Path, size: int, epoch: int, spill: Path) -> Segment:
        """The same on disk, with a link where it would be in memory.

        :param spill: folder on disk of the run, which exists.
        """
        target = spill / path.name
        mapping = Mapping.create(target, size)
        path.symlink_to(target)
        return self._stamped(mapping, size, epoch)

    def _stamped(self, mapping: Mapping, size: int, epoch: int) -> Segment:
        segment = Segment(mapping)
        # Readers of the run that had this memory before compare the epoch after they copied: it must change first.
        segment.words[EPOCH] = epoch
        segment.words[MAGIC], segment.words[SIZE] = _MAGIC, size
        self._fence()
        return segment

    def recycle(self, channels: Path) -> None:
        """Move the segments of a run that was removed into the pool; the rest stays for deletion."""
        with os.scandir(channels) as entries:
            for entry in entries:
                if not is_segment(entry.name):
                    continue
                if entry.is_symlink():
                    Path(entry.path).resolve().unlink(missing_ok=True)
                else:
                    name = f"{entry.stat().st_size}-{SystemRandom().getrandbits(64):016x}"
                    Path(entry.path).rename(self.pool / name)

    @property
    def pool(self) -> Path:
        """Folder of recycled segments, named by their size."""
        return self.root / "pool"

    def _recycled(self, path: Path, size: int) -> Mapping | None:
        for candidate in self._pooled():
            if candidate.name.startswith(f"{size}-"):
                try:
                    candidate.rename(path)
                except FileNotFoundError:
                    continue  # another process took it
                return Mapping.open(path, writable=True)
        return None

    def _fresh(self, path: Path, size: int) -> Mapping:
        with self._lock:
            while not self._fits(size, share=1 / 16):
                self._free_some(size)
                # What was freed may be just the segment that is wanted.
                if mapping := self._recycled(path, size):
                    return mapping
            self._used += size
        return Mapping.create(path, size)

    def _pooled(self) -> list[Path]:
        return list(self.pool.iterdir())

    # -- budget

    def reserve(self, nbytes: int) -> None:
        """Make room for ``nbytes``: empty the pool, then remove the oldest closed runs.

        :raises StorageFull: when runs that are not closed leave too little.
        """
        with self._lock:
            while not self._fits(nbytes, share=0.0):
                self._free_some(nbytes)
            self._used += nbytes

    def _free_some(self, nbytes: int) -> None:
        if not (self._drop_pooled() or self._evict()):
            raise StorageFull(
                f"The buffer {self.root} is full: of {self._limit() / 1e6:.0f} MB (budget or file system) "
                f"{nbytes / 1e6:.3g} MB are not left, and all its runs are in use or not in a file yet.",
                hint="Let the saver catch up, remove runs (firstlight buffer clean), or raise the budget.",
            )
        self._counted = float("-inf")

    def _limit(self) -> int:
        disk = os.statvfs(self.root)
        return min(self.budget, disk.f_blocks * disk.f_frsize)

    def _fits(self, nbytes: int, share: float) -> bool:
        """Whether ``nbytes`` more leave that share of all free: for heads of channels, which can be nowhere else."""
        disk = os.statvfs(self.root)
        keep = int(share * min(self.budget, disk.f_blocks * disk.f_frsize))
        if disk.f_bavail * disk.f_frsize < nbytes + keep:
            return False
        most = self.budget - keep - nbytes
        if self._used > most or time.monotonic() - self._counted > _TRUST:
            # The whole file system holding less than the budget is the common case, and one system call.
            whole = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            self._used = whole if whole <= most else self._count()
            self._counted = time.monotonic()
        return self._used <= most

    def empty_pool(self) -> None:
        """Give the recycled segments back to the system."""
        while self._drop_pooled():
            pass

    def _drop_pooled(self) -> bool:
        for candidate in self._pooled():
            try:
                candidate.unlink()
            except FileNotFoundError:
                continue
            return True
        return False

    def _count(self) -> int:
        return sum(self._sizes_of_runs().values()) + allocated(self.pool)

    def _sizes_of_runs(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, channels in _run_folders(self.root):
            try:
                changed = channels.stat().st_mtime_ns
                known = self._sizes.get(key)
                # Sizes change only when a file appears, which changes the folder's time (to its coarse tick).
                if known is None or known[0] != changed or time.time_ns() - changed < 1_000_000_000:
                    known = self._sizes[key] = (changed, allocated(channels))
            except FileNotFoundError:
                continue
            found[key] = known[1]
        self._sizes = {key: size for key, size in self._sizes.items() if key in found}
        return found

    def usage(self) -> Usage:
        """Count everything anew."""
        with self._lock:
            runs = self._sizes_of_runs()
        pool = allocated(self.pool)
        return Usage(
            memory=sum(runs.values()) + pool,
            pool=pool,
            spilled=spilled_bytes(self.spill),
            budget=self.budget,
            runs=len(runs),
        )


def is_segment(name: str) -> bool:
    """Whether a file of a channels' folder is a segment: its suffix is one letter and a number."""
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and len(suffix) > 1 and suffix[0] in "bvemsx" and suffix[1:].isdigit()


def spilled_bytes(folder: Path) -> int:
    """Bytes below a spill folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name == NOTE:
                continue
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def remove_tree(folder: Path) -> None:
    """Delete a folder that other processes may be deleting too."""
    shutil.rmtree(folder, ignore_errors=True)


def _run_folders(root: Path) -> Iterator[tuple[str, Path]]:
    with os.scandir(root / "runs") as entries:
        for entry in entries:
            yield entry.name, Path(entry.path) / "channels"


def allocated(folder: Path) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        return 0
    return total


__all__ = ["Memory", "Segment", "Usage", "allocated", "is_segment", "remove_tree", "spilled_bytes"]
