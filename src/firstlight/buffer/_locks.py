"""Liveness: whoever lives holds a ``flock``; the kernel drops it when the process dies, and never earlier.

Descriptors are close-on-exec, and Firstlight's processes are spawned, never forked: a forked child would inherit the
lock and keep a dead owner alive. If some other library forks, the child closes its copies at once.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType

from firstlight.model import Conflict


class Lock:
    """A lock that is held; made by :func:`acquire`."""

    __slots__ = ("__weakref__", "_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        _held.add(self)

    def release(self) -> None:
        """Let go; idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # Unlocked by name: a child that is being spawned has a copy of the descriptor for an instant.
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def abandon(self) -> None:
        """Close a copy of the descriptor in a forked child; the parent's lock stays."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _abandon_all() -> None:
    for lock in list(_held):
        lock.abandon()


os.register_at_fork(after_in_child=_abandon_all)


def acquire(path: Path, *, patience: float = 0.0, create: bool = True) -> Lock | None:
    """Take the exclusive lock of a file, or None when somebody else holds it.

    :param patience: seconds to keep trying: :func:`held` takes a shared lock for an instant, which must not make a
        starting process believe that another one lives.
    :param create: make the file if it is absent; otherwise an absent file raises FileNotFoundError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.001)
        except BaseException:
            os.close(fd)
            raise
        else:
            return Lock(path, fd)


def insist(path: Path, timeout: float = 10.0) -> Lock:
    """Take the lock of a short critical section.

    :raises Conflict: when it stays taken for ``timeout`` seconds, which only a stopped process can cause.
    """
    lock = acquire(path, patience=timeout)
    if lock is None:
        raise Conflict(
            f"{path} stayed locked for {timeout:g} s.", hint="Look for a stopped (SIGSTOP) Firstlight process."
        )
    return lock


def held(path: Path) -> bool:
    """Whether a living process holds the lock of a file; False when there is no such file."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
