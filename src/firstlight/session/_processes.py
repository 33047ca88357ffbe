"""The processes of a session beside its cameras: the saver, without whom nothing is saved, and the guard."""

from __future__ import annotations

from pathlib import Path

from firstlight.process import Child, ProcessSpec, Restart, Supervisor
from firstlight.scanning import Devices, guard_process, guard_these

SAVER = "saver"
READY = 30.0
"""Seconds within which a process must be ready."""


class Processes:
    """Saver and guard of a session. Both start in the background; who needs them waits.

    :param lock: file of the session's lock.
    :param root: of the buffer.
    """

    def __init__(self, supervisor: Supervisor, session: str, root: Path, lock: Path) -> None:
        self._lock = lock
        self._supervisor = supervisor
        self.saver = supervisor.spawn(_saver(session, root))
        """The saver's process."""
        self._guard: Child | None = None
        self._ready: set[str] = set()

    def guard(self, devices: Devices) -> None:
        """Have these devices stopped when the session dies, and no others."""
        guard_these(self._lock, devices)
        if self._guard is None:
            self._guard = self._supervisor.spawn(guard_process(self._lock, devices))

    def wait(self, *, saving: bool) -> None:
        """Return when the guard is at work, and the saver too; afterwards whoever watches it says what is wrong.

        :raises FirstlightError: one of them could not be started.
        """
        if self._guard is not None and "guard" not in self._ready:
            self._guard.wait_ready(READY)
            self._ready.add("guard")
        if saving and SAVER not in self._ready:
            self.saver.wait_ready(READY)
            self._ready.add(SAVER)


def _saver(session: str, root: Path) -> ProcessSpec:
    return ProcessSpec(
        name=SAVER,
        target="firstlight.storage._saver:main",
        arguments={"buffer": str(root), "session": session},
        restart=Restart.ON_FAILURE,
        max_restarts=5,
        stop_timeout=30.0,
    )
