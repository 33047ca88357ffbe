"""The doorbell: a 32-bit futex in shared memory, and the flag that says whether anybody waits for it.

``futex(2)``, non-private, so it works between processes. A producer rings only when the flag is set: ringing costs a
system call, and nobody listens most of the time.

Bell and flag are the only words here that several processes write, and they carry no data. Each ringer counts from
its own random start, so a late store of one producer does not restore an earlier value and hide a ring of another. The
flag is set by waiters and cleared by the producer that then wakes all of them. What can still be lost is one wake-up,
when flag and counter pass each other in two store buffers: therefore no wait lasts longer than :data:`NAP`.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import time
from collections.abc import Callable
from random import SystemRandom

from firstlight.buffer._mapping import Mapping, libc
from firstlight.buffer._words import Fence, halves, words

NAP = 0.05
"""Longest single wait (s)."""

BUSY = 0.5e-3
"""A waiter that is woken twice within this time (s) is woken too often, at its own cost and the producer's."""

PAUSE = 0.1e-3
"""Seconds that such a waiter sleeps before it asks to be woken again: the next look finds more."""

_FUTEX, _FUTEX_WAITV = 202, 449  # system call numbers of x86-64
_WAIT, _WAKE = 0, 1
_EVERYBODY = 0x7FFFFFFF


class Timespec(ctypes.Structure):
    """``struct timespec``."""

    _fields_ = [("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64)]


_NAP = ctypes.byref(Timespec(0, int(NAP * 1e9)))


class Doorbell:
    """One bell of a mapping.

    :param mapping: writable; kept alive by this object.
    :param word: index of the word that holds the bell in its lower half; the flag is on the next cache line.
    """

    def __init__(self, mapping: Mapping, word: int) -> None:
        self._mapping = mapping
        self._bell = halves(mapping.memory[word * 8 : word * 8 + 8])
        self.flag = words(mapping.memory[(word + 8) * 8 : (word + 9) * 8])
        """One word: not 0 while somebody waits."""
        self.address = mapping.address + word * 8
        # A count, because its steps are atomic between threads.
        self._values = itertools.count(SystemRandom().getrandbits(32))
        self._fence = Fence()
        self._syscall = libc().syscall
        self._target = ctypes.c_void_p(self.address)
        self._woken = float("-inf")
        self._often = False

    def ring(self) -> None:
        """Wake everybody who waits."""
        # The flag first: a waiter that sets it after this store either sees the new bell or is woken.
        self.flag[0] = 0
        self._bell[0] = next(self._values) & 0xFFFFFFFF
        self._syscall(_FUTEX, self._target, _WAKE, _EVERYBODY, None, None, 0)

    def answer(self) -> None:
        """Ring if somebody waits: what a producer does after a commit."""
        if self.flag[0]:
            self.ring()

    def arm(self) -> int:
        """Ask for a ring, and return the value of the bell to :meth:`sleep` on; look at the condition in between."""
        value: int = self._bell[0]
        self.flag[0] = 1
        self._fence()
        return value

    @property
    def value(self) -> int:
        """The bell now; a new value after every ring."""
        value: int = self._bell[0]
        return value

    def sleep(self, value: int, timeout: float) -> None:
        """Return when the bell is no longer ``value``, after ``timeout`` seconds, or at a signal."""
        nap = _NAP if timeout >= NAP else ctypes.byref(Timespec(0, int(max(0.0, timeout) * 1e9)))
        if self._syscall(_FUTEX, self._target, _WAIT, ctypes.c_uint32(value), nap, None, 0) == -1:
            code = ctypes.get_errno()
            if code not in (errno.EAGAIN, errno.ETIMEDOUT, errno.EINTR):
                raise OSError(code, os.strerror(code))

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait in this thread until the condition holds.

        :param timeout: seconds; 0 only looks.
        :return: whether it holds.
        """
        if condition():
            return True
        now = time.monotonic()
        deadline = now + timeout
        while now < deadline:
            if self._often:
                time.sleep(min(PAUSE, deadline - now))
            value = self.arm()
            if condition():
                return True
            self.sleep(value, deadline - now)
            now = time.monotonic()
            self._often = now - self._woken < BUSY
            self._woken = now
            if condition():
                return True
        return False
