"""The one thread of a process that listens to doorbells for all its asynchronous followers.

It sleeps on all bells at once (``futex_waitv(2)``, Linux 5.16). On an older kernel a thread can sleep on one bell only,
and each bell gets its own.

A follower's condition is looked at in its own event loop, each time after the bell was armed: what is committed before
is seen then, what is committed later rings.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import threading
import time
from collections.abc import Callable
from functools import cache

from firstlight.buffer._doorbell import BUSY, NAP, PAUSE, Doorbell, Timespec
from firstlight.buffer._mapping import libc

_FUTEX_WAITV, _FUTEX, _WAKE = 449, 202, 1
_FUTEX_32, _PRIVATE = 0x02, 128
_MOST = 128
_CLOCK_MONOTONIC = 1


class _WaitV(ctypes.Structure):
    _fields_ = [
        ("value", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


@cache
def can_wait_for_many() -> bool:
    """Whether the kernel knows ``futex_waitv``."""
    libc().syscall(_FUTEX_WAITV, None, 0, 0, None, 0)
    return ctypes.get_errno() != errno.ENOSYS


class _Follower:
    """One waiting coroutine."""

    def __init__(self, bell: Doorbell) -> None:
        self.bell = bell
        self._loop = asyncio.get_running_loop()
        self._nudged = False
        self._future: asyncio.Future[None] | None = None

    def nudge(self) -> None:
        """From the waiter's thread: look at the condition."""
        try:
            self._loop.call_soon_threadsafe(self._set)
        except RuntimeError:
            return  # the loop was closed with the follower in it

    async def nudged(self, timeout: float) -> None:
        """Return at the next nudge, or when the timeout (s) is over."""
        if not self._nudged:
            self._future = self._loop.create_future()
            alarm = self._loop.call_later(timeout, self._set)
            try:
                await self._future
            finally:
                alarm.cancel()
                self._future = None
        self._nudged = False

    def _set(self) -> None:
        self._nudged = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class Waiter:
    """The thread; it ends when nobody follows, and starts again when needed.

    :param most: bells it can listen to, its own included.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._followers: list[_Follower] = []
        self._control = ctypes.c_uint32(0)
        self._running = False

    def add(self, follower: _Follower) -> bool:
        """Listen for one more; False when this thread can not listen to another bell."""
        with self._lock:
            bells = {f.bell.address for f in self._followers} | {follower.bell.address}
            if len(bells) > max(1, self._most - 1):
                return False
            self._followers.append(follower)
            self._wake(follower.bell)
            if not self._running:
                self._running = True
                threading.Thread(target=self._listen, name="doorbells", daemon=True).start()
            return True

    def remove(self, follower: _Follower) -> None:
        """Listen no more for this one."""
        with self._lock:
            self._followers.remove(follower)

    def _wake(self, bell: Doorbell) -> None:
        if self._most == 1:
            bell.answer()  # the thread sleeps on this bell alone
            return
        self._control.value += 1
        address = ctypes.c_void_p(ctypes.addressof(self._control))
        libc().syscall(_FUTEX, address, _WAKE | _PRIVATE, 1, None, None, 0)

    def _listen(self) -> None:
        nudged: set[_Follower] = set()
        values: dict[int, int] = {}
        idle = time.monotonic()
        while True:
            with self._lock:
                followers = list(self._followers)
                control = self._control.value
                if followers:
                    idle = time.monotonic()
                elif time.monotonic() - idle > 1.0:
                    self._running = False
                    return
            bells = {f.bell.address: f.bell for f in followers}
            rung = {address for address, bell in bells.items() if values.get(address) != bell.value}
            values = {address: bell.arm() for address, bell in bells.items()}
            for follower in followers:
                if follower.bell.address in rung or follower not in nudged:
                    follower.nudge()
            nudged = set(followers)
            started = time.monotonic()
            self._sleep(control, bells, values)
            slept = time.monotonic() - started
            if slept >= NAP * 0.9:
                values = {}  # a wake-up may have been lost: let everybody look
            elif slept < BUSY / 2 and self._control.value == control:
                time.sleep(PAUSE)  # bells ring faster than anybody needs to know

    def _sleep(self, control: int, bells: dict[int, Doorbell], values: dict[int, int]) -> None:
        if self._most == 1:
            if bells:
                address, bell = next(iter(bells.items()))
                bell.sleep(values[address], NAP)
            else:
                time.sleep(NAP)
            return
        vector = (_WaitV * (1 + len(bells)))()
        vector[0] = _WaitV(control, ctypes.addressof(self._control), _FUTEX_32 | _PRIVATE, 0)
        for k, address in enumerate(bells, 1):
            vector[k] = _WaitV(values[address], address, _FUTEX_32, 0)
        until = time.monotonic() + NAP
        timeout = Timespec(int(until), int(until % 1 * 1e9))
        libc().syscall(_FUTEX_WAITV, vector, len(vector), 0, ctypes.byref(timeout), _CLOCK_MONOTONIC)


_waiters: list[Waiter] = []
_waiters_lock = threading.Lock()


def _follow(follower: _Follower) -> Waiter:
    with _waiters_lock:
        for waiter in _waiters:
            if waiter.add(follower):
                return waiter
        waiter = Waiter(_MOST if can_wait_for_many() else 1)
        _waiters.append(waiter)
        waiter.add(follower)
        return waiter


async def wait_async(bell: Doorbell, condition: Callable[[], bool], timeout: float) -> bool:
    """Wait in an event loop until the condition holds.

    :param timeout: seconds.
    :return: whether it holds.
    """
    if condition():
        return True
    deadline = time.monotonic() + timeout
    follower = _Follower(bell)
    waiter = _follow(follower)
    try:
        while (left := deadline - time.monotonic()) > 0.0:
            await follower.nudged(left)
            if condition():
                return True
        return condition()
    finally:
        waiter.remove(follower)
