"""Log files: one writer, appended to, renamed when they grow too large."""

from __future__ import annotations

import os
from pathlib import Path

MAXIMUM = 5 << 20
"""Bytes of one log file; a larger one becomes ``.1`` (an older ``.1`` becomes ``.2``, and so on)."""

KEPT = 3
"""Number of older files kept."""


def older(path: Path, age: int) -> Path:
    """Name of the log that was replaced ``age`` files ago."""
    return path.with_name(f"{path.name}.{age}")


def rotate(path: Path, maximum: int = MAXIMUM) -> bool:
    """Put the file aside when it is larger than ``maximum`` bytes; whether it was."""
    try:
        if path.stat().st_size <= maximum:
            return False
    except FileNotFoundError:
        return False
    for age in range(KEPT - 1, 0, -1):
        if older(path, age).exists():
            older(path, age).replace(older(path, age + 1))
    path.replace(older(path, 1))
    return True


def append(path: Path) -> int:
    """File descriptor that appends to the log; private to the user."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def tail(path: Path, lines: int, start: int = 0) -> tuple[str, ...]:
    """The last lines of the log, looked for in at most 256 KiB.

    :param start: byte from which on lines count; ignored when the file is shorter, because it was replaced.
    """
    reach = 256 << 10
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            first = max(size - reach, start if start <= size else 0)
            file.seek(first)
            data = file.read(size - first)
    except FileNotFoundError:
        return ()
    return tuple(data.decode(errors="replace").splitlines()[-lines:]) if lines > 0 else ()
