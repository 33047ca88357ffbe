"""Who uses which device among all sessions of one beamline on one machine.

Each device has a file; whoever holds its lock has the device, and has written into it who that is. The kernel lets go
of the locks of a process that dies.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from firstlight.model import Conflict


class Elsewhere(Exception):
    """A device is in use in another session.

    :param words: who uses it, and for what.
    """

    def __init__(self, device: str, owner: str, words: str) -> None:
        super().__init__(words)
        self.device = device
        self.owner = owner
        self.words = words


@dataclass(slots=True)
class _Held:
    descriptor: int
    times: int = 1


class SharedClaims:
    """One session's part; not for several threads at once.

    :param folder: of the beamline's files, made when absent.
    :param session: named to others.
    """

    def __init__(self, folder: Path, session: str) -> None:
        self._folder = folder
        self._session = session
        self._held: dict[str, _Held] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Conflict(f"The folder {folder} cannot be made: {error.strerror}.") from error

    def take(self, names: Iterable[str], owner: str, doing: str) -> None:
        """Take devices, all or none; a device that this session has already is counted once more.

        :raises Elsewhere: another session has one of them.
        """
        taken: list[str] = []
        try:
            for name in sorted(names):
                self._one(name, owner, doing)
                taken.append(name)
        except BaseException:
            self.give(taken)
            raise

    def give(self, names: Iterable[str]) -> None:
        """Give devices back, each as often as it was taken."""
        for name in names:
            held = self._held.get(name)
            if held is None:
                continue
            held.times -= 1
            if held.times == 0:
                del self._held[name]
                os.close(held.descriptor)

    def close(self) -> None:
        """Give everything back; idempotent."""
        for held in self._held.values():
            os.close(held.descriptor)
        self._held.clear()

    def _one(self, name: str, owner: str, doing: str) -> None:
        held = self._held.get(name)
        if held is not None:
            held.times += 1
            return
        # Names of devices may hold what a path may not.
        path = self._folder / quote(name, safe="")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise _elsewhere(name, told) from None
        text = json.dumps({"owner": owner, "doing": doing, "session": self._session}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        self._held[name] = _Held(descriptor)


def _elsewhere(name: str, told: bytes) -> Elsewhere:
    try:
        known = json.loads(told)
        owner, session, doing = known["owner"], known["session"], known["doing"]
    except (ValueError, KeyError):
        # It was taken this moment, and its owner has not written yet.
        return Elsewhere(name, "another session", f"{name} is used in another session.")
    return Elsewhere(name, owner, f"{name} is used by {owner} in the session {session}: {doing}.")
