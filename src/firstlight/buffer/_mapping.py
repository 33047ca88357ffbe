"""Files mapped into memory, allocated in full and prefaulted.

Mapped through the C library rather than ``mmap.mmap``: that keeps a file descriptor open for every mapping, and a run
of a thousand channels would exhaust the usual limit of 1024.
"""

from __future__ import annotations

import ctypes
import errno
import os
import weakref
from functools import cache
from pathlib import Path

from firstlight.model import NotFound, StorageFull

PAGE = 4096

_PROT_READ, _PROT_WRITE = 1, 2
_MAP_SHARED, _MAP_POPULATE = 0x01, 0x8000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)


@cache
def libc() -> ctypes.CDLL:
    """The C library; calls through it release the interpreter's lock."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.syscall.restype = ctypes.c_long
    return library


class Mapping:
    """One mapped file; unmapped when the last view of it is gone.

    :param path: where the file was when it was mapped; it may be renamed or removed meanwhile.
    :param memory: its bytes; read-only if the mapping is.
    """

    __slots__ = ("address", "memory", "path", "size")

    def __init__(self, path: Path, fd: int, size: int, *, writable: bool) -> None:
        protection = _PROT_READ | (_PROT_WRITE if writable else 0)
        # MAP_POPULATE: a first touch costs a fault a page, which would halve the rate of frames.
        address = libc().mmap(None, size, protection, _MAP_SHARED | _MAP_POPULATE, fd, 0)
        if address is None or address == ctypes.c_void_p(-1).value:
            code = ctypes.get_errno()
            raise StorageFull(f"{path} ({size} bytes) could not be mapped: {os.strerror(code)}.")
        array = (ctypes.c_ubyte * size).from_address(address)
        # Views keep the array alive, the array keeps the mapping. Not at exit: threads may still touch it then.
        weakref.finalize(array, libc().munmap, address, size).atexit = False
        memory = memoryview(array).cast("B")
        self.path = path
        self.size = size
        self.address = int(address)
        self.memory = memory if writable else memory.toreadonly()

    @classmethod
    def create(cls, path: Path, size: int) -> Mapping:
        """Make a file of ``size`` zero bytes, all of it allocated.

        :raises StorageFull: when the memory or disk cannot hold it; nothing is left behind.
        :raises FileExistsError: when the file exists.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Allocated, not only extended: a store into an extended file ends in SIGBUS when memory is full.
            allocate(fd, size)
            return cls(path, fd, size, writable=True)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise full(error, path, size) from error
        finally:
            os.close(fd)

    @classmethod
    def open(cls, path: Path, *, writable: bool = False) -> Mapping:
        """Map an existing file as long as it is now.

        :raises NotFound: when there is no such file.
        """
        try:
            fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"{path} does not exist.") from error
        try:
            return cls(path, fd, os.fstat(fd).st_size, writable=writable)
        finally:
            os.close(fd)


def allocate(fd: int, size: int) -> None:
    """Reserve the bytes of a file; one door, so that tests can close it."""
    os.posix_fallocate(fd, 0, size)


def full(error: OSError, path: Path, size: int) -> OSError:
    """The error to raise for a failed allocation: a :class:`StorageFull` when space is what is missing."""
    if isinstance(error, StorageFull) or error.errno not in _FULL:
        return error
    return StorageFull(
        f"No room for {size} bytes in {path.parent}.",
        hint="Remove closed runs (firstlight buffer clean) or give the buffer a larger root.",
    )
