"""The guard: a process that makes the beamline safe when its session died without a word.

The session holds the lock of a file for life (:class:`SessionLock`). The guard waits for that lock; the kernel gives it
to the guard the moment the session is gone, however it went. Unless the session said goodbye in the file, the guard
then stops every device that declares an out-of-band stop, all at once, and writes down what it did.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from firstlight.model import Conflict, InvalidInput, OutOfBand

if TYPE_CHECKING:
    from collections.abc import Callable

    from firstlight.process import ChildContext, ProcessSpec
    from firstlight.scanning._devices import Devices

GOODBYE = b"goodbye\n"
ATTEMPTS = 3
RETRY = 0.2
"""Seconds between two attempts to stop one device."""


class SessionLock:
    """The lock that a session holds for life, and the word it leaves when it ends in good order.

    :param path: of the lock's file, one for each session; its folder exists.
    :raises Conflict: when another process holds it: a session, or the guard of one that died.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise Conflict(
                f"{path} is held by another session or by the guard of one that died.",
                hint="Wait a moment, or end that process.",
            ) from None
        os.ftruncate(self._fd, 0)

    def goodbye(self) -> None:
        """End in good order: the guard has nothing to do; idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.pwrite(fd, GOODBYE, 0)
            os.close(fd)

    def __enter__(self) -> SessionLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.goodbye()


def guarded(devices: Devices) -> tuple[list[dict[str, Any]], list[str]]:
    """What a guard can stop, shutters first, and the names of axes and shutters that it cannot."""
    stops: list[dict[str, Any]] = []
    cannot: list[str] = []
    ways: dict[str, OutOfBand | None] = {name: shutter.out_of_band for name, shutter in devices.shutters.items()}
    # A calculated axis stops with its real ones.
    ways |= {name: axis.out_of_band for name, axis in devices.axes.items() if axis.calculation is None}
    for name, way in ways.items():
        if way is None:
            cannot.append(name)
        else:
            stops.append({"name": name, "target": way.target, "arguments": dict(way.arguments)})
    return stops, cannot


def guard_process(lock: Path, devices: Devices, *, name: str = "guard") -> ProcessSpec:
    """The process that guards a session; spawn it while the session holds the lock.

    It fails at once, not when it is needed, if a stop cannot be prepared; killed, it is started again.
    """
    from firstlight.process import ProcessSpec, Restart

    return ProcessSpec(
        name=name,
        target="firstlight.scanning._guard:main",
        arguments={"lock": str(lock), "devices": guarded(devices)[0]},
        restart=Restart.ON_FAILURE,
        survive_parent=True,
    )


def guard_these(lock: Path, devices: Devices) -> None:
    """From now on the guard of that lock stops these devices; one that runs takes note within half a second."""
    path = _list(lock)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(guarded(devices)[0]))
    part.replace(path)


def _list(lock: Path) -> Path:
    return lock.with_suffix(".guarded")


class _Stops:
    """What to stop; what each stop needs is got ready while all is well, if it says how."""

    def __init__(self, lock: Path, devices: Sequence[Mapping[str, Any]]) -> None:
        self._path = _list(lock)
        self._version = 0
        self._prepared: set[str] = set()
        self.all: list[tuple[str, Callable[..., object], dict[str, Any]]] = []
        if not self.refresh():
            self._take(devices)

    def refresh(self) -> bool:
        """Look whether the session has other devices now; whether it said which."""
        try:
            version = self._path.stat().st_mtime_ns
            if version != self._version:
                self._take(json.loads(self._path.read_text()))
                self._version = version
        except FileNotFoundError:
            return False
        return True

    def _take(self, devices: Sequence[Mapping[str, Any]]) -> None:
        stops = [(str(d["name"]), _resolved(str(d["target"])), dict(d["arguments"])) for d in devices]
        for name, function, arguments in stops:
            identity = json.dumps([name, arguments])
            prepare = getattr(function, "prepare", None)
            if prepare is not None and identity not in self._prepared:
                prepare(**arguments)
            self._prepared.add(identity)
        self.all = stops


LOOK = 0.5
"""Seconds between looks at which devices the session has."""


def main(context: ChildContext, *, lock: str, devices: Sequence[Mapping[str, Any]]) -> None:
    """Target of the guard process.

    :param lock: file of the :class:`SessionLock`.
    :param devices: ``{"name", "target", "arguments"}`` of each device to stop. A target that has an attribute
        ``prepare`` gets that called with the same arguments at the start.
    """
    stops = _Stops(Path(lock), devices)
    fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    died = threading.Event()

    def wait() -> None:
        # Blocks in the kernel, in a daemon thread: it must not keep the process when that is asked to stop.
        fcntl.flock(fd, fcntl.LOCK_EX)
        died.set()
        context.stopping.set()

    threading.Thread(target=wait, name="session", daemon=True).start()
    context.ready(devices=[name for name, _, _ in stops.all])
    while not context.stopping.wait(LOOK):
        try:
            stops.refresh()
        except Exception:
            # The devices that it knows are guarded all the same.
            context.log.exception("the list of devices cannot be read")
    if not died.is_set():
        context.log.info("told to stop; the session lives")
        return
    if os.pread(fd, len(GOODBYE), 0) == GOODBYE:
        context.log.info("the session said goodbye; nothing to do")
        return
    began = time.monotonic()
    try:
        stops.refresh()
    except Exception:
        context.log.exception("the last list of devices cannot be read")
    known = stops.all
    context.log.warning("the session died: stopping %s", ", ".join(name for name, _, _ in known) or "nothing")
    failures = _stop_all(context, known)
    record = {"stopped": [n for n, _, _ in known if n not in failures], "failed": failures, "moment": began}
    os.pwrite(fd, json.dumps(record).encode() + b"\n", 0)
    context.log.warning("done in %.3f s: %d stopped, %d failed", time.monotonic() - began, len(known), len(failures))


def _stop_all(
    context: ChildContext, stops: Sequence[tuple[str, Callable[..., object], Mapping[str, Any]]]
) -> dict[str, str]:
    """Stop all at once, each in its own thread: one that hangs must not keep the others waiting."""
    failures: dict[str, str] = {}

    def stop(name: str, function: Callable[..., object], arguments: Mapping[str, Any]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                function(**arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                failures[name] = f"{type(error).__name__}: {error}"
                context.log.error("%s: attempt %d failed: %s", name, attempt + 1, failures[name])
                time.sleep(RETRY)
            else:
                failures.pop(name, None)
                context.log.warning("%s: stopped", name)
                return

    threads = [threading.Thread(target=stop, args=arguments, daemon=True) for arguments in stops]
    for thread in threads:
        thread.start()
    for (name, _, _), thread in zip(stops, threads, strict=True):
        thread.join(timeout=30.0)
        if thread.is_alive():
            failures[name] = "did not answer"
    return failures


def _resolved(target: str) -> Callable[..., object]:
    module, _, name = target.partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(f"The out-of-band stop {target!r} cannot be loaded: {error}.") from error
    if not callable(function):
        raise InvalidInput(f"The out-of-band stop {target!r} is not a function.")
    return function  # type: ignore[no-any-return]
