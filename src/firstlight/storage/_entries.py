"""The entries of a file: ``1.1``, ``2.1`` ..., links or groups."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

ENTRY = re.compile(r"(\d+)\.(\d+)")


def sort_entries(names: Iterable[str]) -> list[str]:
    """Entry names in the order of their numbers; other names last, by alphabet."""

    def key(name: str) -> tuple[int, int, int, str]:
        match = ENTRY.fullmatch(name)
        return (0, int(match[1]), int(match[2]), "") if match else (1, 0, 0, name)

    return sorted(names, key=key)


def stored_numbers(file: Path) -> list[int]:
    """Numbers of the runs to which a file has an entry; none when it can not be read (the folders beside it count)."""
    from firstlight.storage._hdf5 import open_hdf5

    try:
        with open_hdf5(file) as h5:
            return sorted({int(m[1]) for name in h5 if (m := ENTRY.fullmatch(name))})
    except OSError:
        return []
