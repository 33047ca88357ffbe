"""Who uses which device now, and who has locked it: two that want the same one are told of each other."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

from firstlight.model import Conflict
from firstlight.scanning._devices import Devices
from firstlight.scanning._shared import Elsewhere, SharedClaims

SCANS = ""
"""Stands for the right to scan: one scan runs at a time, whatever it uses."""


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who asks for something: a person at a process.

    :param label: what the process is: ``shell``, ``page``; may be empty.
    :param number: tells connections of one process apart.
    """

    user: str
    pid: int
    label: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.user}'s {self.label} (process {self.pid})" if self.label else f"{self.user} (process {self.pid})"


@cache
def _here(pid: int) -> Client:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    return Client(user, pid)


_acting: ContextVar[Client | None] = ContextVar("acting", default=None)


def acting() -> Client:
    """For whom the present call is made; the user of this process when nobody said otherwise."""
    return _acting.get() or _here(os.getpid())


@contextmanager
def acting_as(client: Client) -> Iterator[None]:
    """Whatever is asked inside is asked for that client."""
    token = _acting.set(client)
    try:
        yield
    finally:
        _acting.reset(token)


class Busy(Conflict):
    """A device is used or locked by somebody else.

    :param device: its name.
    :param owner: who has it.
    """

    def __init__(self, message: str, *, hint: str = "", device: str = "", owner: str = "") -> None:
        super().__init__(message, hint=hint)
        self.device = device
        self.owner = owner


@dataclass(frozen=True, slots=True)
class Lock:
    """A device that one client keeps for itself."""

    device: str
    owner: Client


@dataclass(eq=False)
class Use:
    """What one job uses while it runs."""

    client: Client
    doing: str
    names: frozenset[str] = field(default_factory=frozenset)
    axes: frozenset[str] = field(default_factory=frozenset)
    job: object = None


class Claims:
    """Who uses and who has locked what; touched in the engine's thread only.

    :param shared: the same among all sessions of the beamline; None for an engine alone.
    """

    def __init__(self, shared: SharedClaims | None = None) -> None:
        self._shared = shared
        self._uses: list[Use] = []
        self._locks: dict[str, Lock] = {}
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def shared(self) -> bool:
        """Whether other sessions may have devices, too."""
        return self._shared is not None

    @property
    def uses(self) -> tuple[Use, ...]:
        """What runs, oldest first."""
        return tuple(self._uses)

    @property
    def locks(self) -> tuple[Lock, ...]:
        """All locks, sorted by device."""
        return tuple(self._locks[name] for name in sorted(self._locks))

    def check(self, names: Collection[str], client: Client) -> None:
        """Refuse names that somebody else has locked, or that anybody uses, here or in another session.

        :raises Busy: that says who has it and for what.
        """
        self._check_here(names, client)
        self._elsewhere(names, client, "changes its settings")
        self._nowhere(names)

    def _check_here(self, names: Iterable[str], client: Client) -> None:
        for name in sorted(names):
            lock = self._locks.get(name)
            if lock is not None and lock.owner != client:
                raise Busy(
                    f"{name} is locked by {lock.owner}.",
                    hint=f"Ask for unlock({name!r}), or wait until that process ends.",
                    device=name,
                    owner=str(lock.owner),
                )
            use = next((use for use in self._uses if name in use.names), None)
            if use is not None:
                raise _in_use(name, use)

    def take(self, use: Use) -> None:
        """Take all names of a use, or none.

        :raises Busy: as :meth:`check`.
        """
        self._check_here(use.names, use.client)
        self._elsewhere(use.names, use.client, use.doing)
        self._uses.append(use)

    def give(self, use: Use) -> None:
        """Give back what a use took; idempotent."""
        if use in self._uses:
            self._uses.remove(use)
            self._nowhere(use.names)
            self._wake()

    @contextmanager
    def held(self, use: Use) -> Iterator[None]:
        """Give a use back at the end of the block."""
        try:
            yield
        finally:
            self.give(use)

    def lock(self, names: Sequence[str], client: Client) -> None:
        """Keep devices for a client; all of them, or none.

        :raises Busy: one is locked or used by somebody else.
        """
        for name in names:
            lock = self._locks.get(name)
            if lock is not None and lock.owner != client:
                raise Busy(f"{name} is locked by {lock.owner}.", device=name, owner=str(lock.owner))
            use = next((use for use in self._uses if name in use.names and use.client != client), None)
            if use is not None:
                raise _in_use(name, use)
        fresh = [name for name in dict.fromkeys(names) if name not in self._locks]
        self._elsewhere(fresh, client, "locked")
        for name in fresh:
            self._locks[name] = Lock(name, client)

    def unlock(self, names: Iterable[str], client: Client | None = None) -> list[str]:
        """Let go of the locks of a client (of anybody when None) on these devices; which they were."""
        mine = [n for n in dict.fromkeys(names) if n in self._locks and client in (None, self._locks[n].owner)]
        for name in mine:
            del self._locks[name]
        self._nowhere(mine)
        if mine:
            self._wake()
        return mine

    def leave(self, client: Client) -> list[str]:
        """A client is gone: its locks are free."""
        return self.unlock([name for name, lock in self._locks.items() if lock.owner == client], client)

    def changed(self) -> asyncio.Future[None]:
        """Done when something is given back after this call."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def close(self) -> None:
        """Other sessions may have everything."""
        if self._shared is not None:
            self._shared.close()

    def _elsewhere(self, names: Iterable[str], client: Client, doing: str) -> None:
        """Take devices among all sessions."""
        if self._shared is not None:
            try:
                self._shared.take([name for name in names if name != SCANS], str(client), doing)
            except Elsewhere as error:
                hint = "Wait for its end, or ask for it to be stopped."
                raise Busy(error.words, hint=hint, device=error.device, owner=error.owner) from None

    def _nowhere(self, names: Iterable[str]) -> None:
        """Give them back."""
        if self._shared is not None:
            self._shared.give([name for name in names if name != SCANS])

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


def together(devices: Devices, names: Iterable[str]) -> frozenset[str]:
    """Names, and those of the devices that these move or read themselves: the motors beneath a calculated axis."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        calculation = getattr(devices.axes.get(name), "calculation", None)
        left += calculation.reals if calculation is not None else ()
    return frozenset(found)


def _in_use(name: str, use: Use) -> Busy:
    if name == SCANS:
        return Busy(
            f"Something runs already: {use.doing}, started by {use.client}.",
            hint="Wait for its end, or abort it.",
            owner=str(use.client),
        )
    verb = "moved" if name in use.axes else "used"
    return Busy(
        f"{name} is {verb} by {use.client}: {use.doing}.",
        hint="Wait for its end, or ask for it to be stopped.",
        device=name,
        owner=str(use.client),
    )
