"""Opening HDF5 files to read them, whichever way this process has them open already.

Our own readers open without locks, so that a file can be read while it is written. HDF5 refuses to open a file a second
time in one process with another idea about locks, also one that is reached through a link or a virtual dataset; and
users at the prompt have their own ``h5py.File(run.path)``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import h5py

Locking = bool | None
"""As h5py takes it: without a lock, as HDF5 is set up (a shared lock where there are locks), with a lock."""

T = TypeVar("T")


def open_hdf5(path: Path) -> h5py.File:
    """Open a file to read it: without a lock, unless this process has it open with one.

    :raises OSError: as h5py.
    """
    return any_locking(lambda locking: h5py.File(path, "r", locking=locking))


def any_locking(action: Callable[[Locking], T]) -> T:
    """Do something with files; once more with another idea about locks when this process has one of them open so.

    :param action: given how to open files.
    """
    for locking in (False, None):
        try:
            return action(locking)
        except (OSError, KeyError) as error:  # KeyError where a link leads to such a file
            if not opened_otherwise(error):
                raise
    return action(True)


def opened_otherwise(error: Exception) -> bool:
    """Whether HDF5 refused a file because this process has it open with another idea about locks."""
    text = str(error)
    return "file locking" in text and "values don't match" in text
