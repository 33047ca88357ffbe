"""Room on the disk, and errors of the file system in words."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from firstlight.model import FirstlightError, StorageFull

MINIMUM = 200 * 2**20
"""Bytes below which no run is started."""
LOW = 2**30
"""Bytes below which a warning is given."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StorageError(FirstlightError):
    """A file or folder can not be written: permissions, a vanished file system, a foreign writer's lock."""


def full(path: Path, error: OSError) -> FirstlightError:
    """The error to raise when writing ``path`` failed, in a sentence that says what to do."""
    number = errno_of(error)
    if number in _FULL:
        what = {errno.EDQUOT: "the quota is used up", errno.EFBIG: "it would pass the largest allowed file size"}
        reason = what.get(number, "the disk is full")
        return StorageFull(
            f"{path} can not be written: {reason}.",
            hint="The data stay in the buffer; free some space, then run 'firstlight recover'.",
        )
    if number in {errno.EACCES, errno.EPERM, errno.EROFS}:
        reason = "its folder is read-only" if number == errno.EROFS else "permission denied"
        hint = "The data stay in the buffer; correct the permissions, then run 'firstlight recover'."
    elif number in {errno.EAGAIN, errno.EWOULDBLOCK}:
        reason, hint = "another process holds its lock", "Close the other writer, then run 'firstlight recover'."
    else:
        reason = os.strerror(number) if number else " ".join(str(error).split())
        hint = "The data stay in the buffer; once this is mended, run 'firstlight recover'."
    return StorageError(f"{path} can not be written: {reason}.", hint=hint)


def errno_of(error: BaseException) -> int:
    """The number of the system's error, also out of HDF5's messages; 0 when there is none."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number:
        return number
    text = str(error)
    at = text.find("errno = ")
    if at >= 0:
        digits = text[at + 8 :].split(",")[0].strip()
        if digits.isdigit():
            return int(digits)
    return 0


def free_space(path: Path) -> int:
    """Bytes that can be written below ``path`` (which need not exist yet)."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path, expected: int = 0, *, minimum: int = MINIMUM) -> int:
    """Refuse to start where there is too little room.

    :param path: file or folder to be written, or a parent of it.
    :param expected: bytes that the run will take, as far as known.
    :param minimum: bytes that must stay free.
    :return: bytes that will stay free.
    :raises StorageFull: when fewer than ``minimum`` would.
    """
    free = free_space(path)
    if free - expected < minimum:
        needed = f"{_human(expected)} and {_human(minimum)} to spare" if expected else _human(minimum)
        raise StorageFull(
            f"Only {_human(free)} are free for {path}; {needed} are needed.",
            hint="Free some space, or save somewhere else.",
        )
    return free - expected


def _human(nbytes: int) -> str:
    value = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError
