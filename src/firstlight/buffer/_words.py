"""Words shared between processes: the only module that touches them.

A word is 8 aligned bytes of a shared mapping with one writing process. It is read and written through a memoryview cast
to a native format, which CPython compiles to one 8-byte load or store. Never use ``struct.pack_into`` for this: it
zeroes its target first, so another process sees a counter go backwards.

Plain stores become visible to other processors in program order on x86-64 only, so this module refuses to start
elsewhere. Even there a load may pass an earlier store; where that matters :func:`fence` stands between them.
"""

from __future__ import annotations

import platform
import sys
import threading
from functools import cache

import numpy as np
from numpy.typing import NDArray

from firstlight.model import FirstlightError

WORD = 8
"""Bytes of a word."""

LINE = 8
"""Words of a cache line; words of different writers stay on different lines."""

FAR = (1 << 63) - 1
"""The largest word: later than every index."""


class UnsupportedPlatform(FirstlightError):
    """The processor or operating system orders shared memory in a way that is not supported."""


def require_platform() -> None:
    """Refuse processors on which plain stores are not ordered.

    :raises UnsupportedPlatform: on anything but Linux on x86-64.
    """
    if _is_supported():
        return
    machine = platform.machine()
    raise UnsupportedPlatform(
        f"The memory buffer needs Linux on an x86-64 processor; this is {sys.platform} on {machine or 'unknown'}.",
        hint="Read files elsewhere; acquire on an x86-64 Linux machine.",
    )


@cache
def _is_supported() -> bool:
    machine = platform.machine()
    return sys.platform.startswith("linux") and machine in ("x86_64", "AMD64") and sys.byteorder == "little"


def words(memory: memoryview) -> memoryview:
    """A view of ``memory`` as signed 64-bit words.

    :param memory: bytes of a mapping, 8-byte aligned, a multiple of 8 long.
    """
    require_platform()
    return memory.cast("B").cast("q")


def halves(memory: memoryview) -> memoryview:
    """The same as unsigned 32-bit halves, for futexes."""
    require_platform()
    return memory.cast("B").cast("I")


def snapshot(memory: memoryview) -> NDArray[np.int64]:
    """Words as an array, to search many at once; what is found is a hint, to be confirmed by reading the word."""
    require_platform()
    return np.frombuffer(memory, np.int64)


class Fence:
    """A full memory barrier: everything stored before is visible before anything after is loaded or stored.

    Taking and dropping a private lock executes locked instructions, which drain the store buffer (including the
    non-temporal stores of large copies) on x86-64. Each user owns one, so it never contends.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> None:
        self._lock.acquire()
        self._lock.release()
