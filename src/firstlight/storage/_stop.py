"""Giving up an HDF5 file that can not be closed.

When the disk is full HDF5 can neither flush nor close: its handle stays, fails again at every try, and with it the lock
on the file. The file's descriptor is therefore pointed to memory: the library closes happily, and what is on the disk
stays exactly as it was, as if the process had been killed.
"""

from __future__ import annotations

import contextlib
import os

import h5py


def abandon(file: h5py.File) -> None:
    """Close ``file`` without touching the disk any more; its lock is dropped."""
    if not file.id.valid:
        return
    scratch = os.memfd_create("abandoned")
    try:
        os.dup2(scratch, int(file.id.get_vfd_handle()), inheritable=False)
    finally:
        os.close(scratch)
    # Whatever HDF5 still complains about concerns the scratch memory only.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        file.close()
