"""The parent's half of one child process."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from firstlight.model import ProcessError
from firstlight.process import _log
from firstlight.process._spec import ProcessSpec, Restart

_logger = logging.getLogger(__name__)

TAIL = 20
"""Log lines that come with the news of a failure."""

LONGEST_PAUSE = 5.0
"""Seconds before a restart, at most; the first restart is immediate."""


class ChildState(StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    EXITED = "exited"
    """Over: it returned, or was asked to end."""
    FAILED = "failed"
    """Over: it died and will not be restarted."""


_OVER = (ChildState.EXITED, ChildState.FAILED)


@dataclass(frozen=True, slots=True)
class Change:
    """News of a child.

    :param child: its name.
    :param exit_code: of the process that just ended, negative for a signal; None when none did.
    :param message: one sentence for people.
    :param tail: the last lines of its log, when it ended by itself.
    """

    child: str
    state: ChildState
    pid: int | None
    exit_code: int | None
    message: str
    tail: tuple[str, ...] = ()


class Child:
    """One child process and, when its policy says so, its successors. Made by :meth:`Supervisor.spawn`."""

    def __init__(self, spec: ProcessSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        """File with its standard output, standard error and logging."""
        self._changed = threading.Condition()
        self._state = ChildState.STARTING
        self._popen: subprocess.Popen[bytes] | None = None
        self._info: Mapping[str, Any] = MappingProxyType({})
        self._exit_code: int | None = None
        self._error: ProcessError | None = None
        self._stopping = False
        self._callbacks: list[Callable[[Change], None]] = []
        # This thread must outlive the child: the kernel counts the death of the thread that spawned as the parent's.
        self._thread = threading.Thread(target=self._live, name=f"supervisor of {spec.name}", daemon=True)

    @property
    def name(self) -> str:
        """Name of the child."""
        return self.spec.name

    @property
    def state(self) -> ChildState:
        """Where it is in its life."""
        return self._state

    @property
    def pid(self) -> int | None:
        """Process number of the present process, or of the last one."""
        popen = self._popen
        return None if popen is None else popen.pid

    @property
    def exit_code(self) -> int | None:
        """Of the last process that ended, negative for a signal; None when none did."""
        return self._exit_code

    @property
    def info(self) -> Mapping[str, Any]:
        """What the target gave when it was ready."""
        return self._info

    @property
    def error(self) -> ProcessError | None:
        """Why it failed; None when it did not."""
        return self._error

    def __repr__(self) -> str:
        return f"<Child {self.name} {self.state} pid={self.pid}>"

    def tail(self, lines: int = TAIL) -> tuple[str, ...]:
        """The last lines of its log."""
        return _log.tail(self.log, lines)

    def on_change(self, callback: Callable[[Change], None]) -> None:
        """Call ``callback`` at every change of state, in a thread of the supervisor.

        It must return soon and not wait for the child.
        """
        with self._changed:
            self._callbacks.append(callback)

    def wait_ready(self, timeout: float = 30.0) -> Mapping[str, Any]:
        """Wait until the target said that it is ready.

        :returns: what it gave with it.
        :raises ProcessError: when it ended before, or does not get ready in time; with the last lines of its log.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._state is ChildState.READY or self._state in _OVER, timeout)
            if self._state is ChildState.READY:
                return self._info
            if self._error is not None:
                raise self._error
            if self._state in _OVER:
                raise ProcessError(f"Process {self.name} has ended.", hint=f"Its log is {self.log}.")
        raise ProcessError(f"Process {self.name} was not ready within {timeout:g} s.", hint=self._hint(self.tail()))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, successors included; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state in _OVER, timeout)

    def stop(self, timeout: float | None = None) -> None:
        """Ask it to end, wait, kill it when it does not; no restart. Idempotent.

        :param timeout: seconds until the kill; the description's ``stop_timeout`` when None.
        """
        timeout = self.spec.stop_timeout if timeout is None else timeout
        if not self._end(signal.SIGTERM):
            return
        if not self.wait(timeout):
            _logger.warning("Process %s did not stop within %g s and is killed.", self.name, timeout)
            self.kill()

    def kill(self) -> None:
        """End it at once, without asking; no restart."""
        if self._end(signal.SIGKILL):
            self.wait()

    def _end(self, number: signal.Signals) -> bool:
        with self._changed:
            if self._state in _OVER:
                return False
            self._stopping = True
            news = self._state is not ChildState.STOPPING
            self._state = ChildState.STOPPING
            self._changed.notify_all()
            popen = self._popen
        if news:
            self._announce(Change(self.name, ChildState.STOPPING, self.pid, None, f"Process {self.name} is stopping."))
        if popen is not None:
            popen.send_signal(number)
        return True

    def begin(self) -> None:
        """Start the first process; for the supervisor, once."""
        self._thread.start()

    def _live(self) -> None:
        failures: deque[float] = deque()
        proven = False
        while True:
            was_ready, problem, tail = self._run()
            proven = proven or was_ready
            now = time.monotonic()
            failures.append(now)
            while failures[0] < now - self.spec.window:
                failures.popleft()
            again = self._judge(problem, tail, restart=proven, failures=len(failures))
            if not again:
                return
            with self._changed:
                pause = 0.0 if len(failures) == 1 else min(LONGEST_PAUSE, 0.05 * 2.0 ** len(failures))
                self._changed.wait_for(lambda: self._stopping, pause)

    def _judge(self, problem: str, tail: tuple[str, ...], *, restart: bool, failures: int) -> bool:
        """Decide what the end of a process means, and tell; whether to start another one."""
        code = self._exit_code
        with self._changed:
            if self._stopping or (code == 0 and not problem):
                self._state = ChildState.EXITED
                message = f"Process {self.name} has ended."
            else:
                message = f"Process {self.name} {_ending(code)}{': ' if problem else '.'}{problem}"
                allowed = self.spec.restart is Restart.ON_FAILURE and restart
                if allowed and failures <= self.spec.max_restarts:
                    self._state = ChildState.RESTARTING
                    if not problem:
                        message = f"{message.rstrip('.')}; it is started again."
                else:
                    if allowed:
                        message = f"{message.rstrip('.')}; that was failure {failures} in {self.spec.window:g} s."
                    self._state = ChildState.FAILED
                    self._error = ProcessError(message, hint=self._hint(tail))
            state = self._state
            self._changed.notify_all()
        if state is not ChildState.EXITED:
            _logger.warning("%s", message)
        self._announce(Change(self.name, state, self.pid, code, message, tail))
        return state is ChildState.RESTARTING

    def _run(self) -> tuple[bool, str, tuple[str, ...]]:
        """One process from start to end: whether it got ready, what it said had failed, its last log lines."""
        _log.rotate(self.log)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                log = _log.append(self.log)
                start = os.fstat(log).st_size
                try:
                    popen = self._spawn(theirs, log)
                except OSError as error:
                    return False, f"{sys.executable} could not be started: {error}", ()
                finally:
                    os.close(log)
            if popen is None:
                return False, "", ()
            was_ready, problem = self._follow(popen, ours)
        self._exit_code = popen.wait()
        return was_ready, problem, _log.tail(self.log, TAIL, start)

    def _spawn(self, theirs: socket.socket, log: int) -> subprocess.Popen[bytes] | None:
        with self._changed:
            if self._stopping:
                return None
            self._popen = subprocess.Popen(
                # -P: what lies in the present directory must not hide modules of the standard library.
                [sys.executable, "-P", "-m", "firstlight.process", self.name],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal goes to the session alone, and a survivor outlives the terminal itself.
                process_group=None if self.spec.survive_parent else 0,
                start_new_session=self.spec.survive_parent,
            )
            return self._popen

    def _follow(self, popen: subprocess.Popen[bytes], ours: socket.socket) -> tuple[bool, str]:
        """Pass on what the child tells until it ends."""
        spec = self.spec
        description = {
            "name": spec.name,
            "target": spec.target,
            "arguments": dict(spec.arguments),
            "survive_parent": spec.survive_parent,
            "stop_timeout": spec.stop_timeout,
            "nice": spec.nice,
            "path": sys.path,
            "log": str(self.log),
        }
        was_ready, problem, data = False, "", b""
        # The end of the socket is not the end of the process, nor the other way round: both are watched.
        end = os.pidfd_open(popen.pid)
        try:
            poll = select.poll()
            poll.register(end, select.POLLIN)
            poll.register(ours, select.POLLIN)
            try:
                ours.sendall(json.dumps(description).encode() + b"\n")
            except OSError as error:
                _logger.debug("Process %s ended before it was told what to do: %s", spec.name, error)
            over = False
            while not over:
                ready = {descriptor for descriptor, _ in poll.poll()}
                over = end in ready
                if ours.fileno() not in ready:
                    continue
                try:
                    more = ours.recv(1 << 16)
                except OSError:
                    more = b""
                if not more:
                    poll.unregister(ours)
                data += more
                *lines, data = data.split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    if "ready" in message:
                        was_ready = True
                        self._ready(message["ready"])
                    problem = message.get("failed", problem)
        finally:
            os.close(end)
        return was_ready, problem

    def _ready(self, info: Mapping[str, Any]) -> None:
        with self._changed:
            self._info = MappingProxyType(dict(info))
            if self._stopping:
                return
            self._state = ChildState.READY
            self._changed.notify_all()
        self._announce(Change(self.name, ChildState.READY, self.pid, None, f"Process {self.name} is ready."))

    def _announce(self, change: Change) -> None:
        with self._changed:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            try:
                callback(change)
            except Exception:
                _logger.exception("A callback for process %s failed.", self.name)

    def _hint(self, tail: tuple[str, ...]) -> str:
        if not tail:
            return f"Its log is {self.log}."
        lines = "\n".join(f"  {line}" for line in tail)
        return f"The last lines of its log {self.log}:\n{lines}"


def _ending(code: int | None) -> str:
    if code is None:
        return "could not run"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
