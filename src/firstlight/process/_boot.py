"""The child's half: from the description on standard input to the call of the target.

Standard input is a socket to the parent. The parent writes one line of JSON, the description, and never more: what
comes next is the end of the stream, which means that the parent died. The child writes lines of JSON: ``ready`` and
``failed``.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from firstlight.process import _log
from firstlight.process._context import ChildContext

PR_SET_PDEATHSIG = 1
LOOK_AT_LOG = 2.0
"""Seconds between two looks at the size of the log."""


class _Parent:
    """The socket to the parent."""

    def __init__(self) -> None:
        self.socket = socket.socket(fileno=os.dup(0))
        self._lock = threading.Lock()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)

    def description(self) -> dict[str, Any] | None:
        """What to do; None when the parent died before it could say."""
        data = bytearray()
        while not data.endswith(b"\n"):
            more = self.socket.recv(1 << 16)
            if not more:
                return None
            data += more
        description: dict[str, Any] = json.loads(data)
        return description

    def tell(self, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._lock:
                self.socket.sendall(line)
        except OSError:
            # Nobody is left to be told; the watcher sees the same end and acts on it.
            logging.getLogger(__name__).debug("The parent is gone: %s", line)


class _Watcher(threading.Thread):
    """Turns signals and the parent's death into ``context.stopping``, and keeps the log small.

    Signals arrive through a wake-up pipe that the interpreter's C handler writes to: an event set by a Python handler
    could interrupt its own wait half-way and lock up.
    """

    def __init__(self, parent: _Parent, context: ChildContext, *, survive: bool, timeout: float, log: Path) -> None:
        super().__init__(name="watcher", daemon=True)
        self._parent = parent
        self._context = context
        self._survive = survive
        self._timeout = timeout
        self._log = log
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._parent.socket, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(LOOK_AT_LOG * 1000):
                if descriptor == self._wake:
                    if {signal.SIGTERM, signal.SIGINT} & set(os.read(self._wake, 64)):
                        self._context.stopping.set()
                else:
                    poll.unregister(self._parent.socket)
                    self._orphaned()
            self._rotate()

    def _orphaned(self) -> None:
        if self._survive:
            self._context.log.info("The parent is gone; going on without it.")
            return
        self._context.log.info("The parent is gone; stopping.")
        self._context.stopping.set()
        # Nobody is left who could kill a target that does not stop.
        faulthandler.dump_traceback_later(self._timeout, exit=True)

    def _rotate(self) -> None:
        if _log.rotate(self._log):
            new = _log.append(self._log)
            sys.stdout.flush()
            os.dup2(new, 1)
            os.dup2(new, 2)
            os.close(new)


def main() -> int:
    """Run the child; its exit code."""
    try:
        parent = _Parent()
    except OSError:
        sys.stderr.write("This is where Firstlight starts its child processes; it is not for typing.\n")
        return 2
    description = parent.description()
    if description is None:
        return 1
    if not description["survive_parent"]:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if description["nice"]:
        os.nice(description["nice"])
    sys.path[:] = description["path"]
    faulthandler.enable()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    logging.captureWarnings(capture=True)
    context = ChildContext(description["name"], lambda info: parent.tell(ready=info))
    _Watcher(
        parent,
        context,
        survive=description["survive_parent"],
        timeout=description["stop_timeout"],
        log=Path(description["log"]),
    ).start()
    context.log.info("Started as process %d.", os.getpid())
    return _call(description, context, parent)


def _call(description: dict[str, Any], context: ChildContext, parent: _Parent) -> int:
    module, _, function = description["target"].partition(":")
    try:
        target = getattr(import_module(module), function)
        target(context, **description["arguments"])
    except Exception as error:
        text = _sentence(error)
        if hasattr(error, "hint"):
            context.log.error("%s", text)  # an error made for people needs no traceback
        else:
            context.log.exception("%s failed.", description["target"])
        parent.tell(failed=text)
        return 1
    context.log.info("Ended.")
    return 0


def _sentence(error: Exception) -> str:
    # Firstlight's own errors speak for themselves (told by their hint: the model is not imported here).
    return str(error) if hasattr(error, "hint") else f"{type(error).__name__}: {error}"
