"""The supervisor: all children of one process, started and ended in order."""

from __future__ import annotations

import atexit
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from firstlight.model import Conflict
from firstlight.process._child import Child, ChildState
from firstlight.process._spec import ProcessSpec


class Supervisor:
    """Starts child processes, watches them, restarts them by their policy, and ends them; usable from any thread.

    :param name: for people, in errors.
    :param logs: folder of the log files, made when absent: one ``<child>.log`` each.
    """

    def __init__(self, name: str, logs: Path) -> None:
        self.name = name
        self.logs = logs
        self._lock = threading.Lock()
        self._children: dict[str, Child] = {}
        self._stopped = False
        # A parent that forgets to stop still leaves in order; one that is killed is watched by the children.
        atexit.register(self.stop)

    @property
    def children(self) -> tuple[Child, ...]:
        """All children that were not replaced by one of the same name, in the order of their start."""
        with self._lock:
            return tuple(self._children.values())

    def spawn(self, spec: ProcessSpec) -> Child:
        """Start a child; returns at once, :meth:`Child.wait_ready` waits for it.

        :raises Conflict: a child of that name lives, or the supervisor was stopped.
        """
        with self._lock:
            if self._stopped:
                raise Conflict(f"Supervisor {self.name} was stopped; it starts no more processes.")
            old = self._children.get(spec.name)
            if old is not None and old.state not in (ChildState.EXITED, ChildState.FAILED):
                raise Conflict(f"Process {spec.name} runs already (process number {old.pid}).")
            self.logs.mkdir(parents=True, exist_ok=True)
            child = Child(spec, self.logs / f"{spec.name}.log")
            self._children.pop(spec.name, None)
            self._children[spec.name] = child
            child.begin()
            return child

    def stop(self) -> None:
        """End all children in reverse order of their start, each in its own time; idempotent."""
        with self._lock:
            self._stopped = True
            children = list(self._children.values())
        for child in reversed(children):
            child.stop()
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
