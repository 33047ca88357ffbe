"""A session in a process of its own: started, listed and ended from the command line."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.buffer import default_root
from firstlight.model import Conflict, ProcessError
from firstlight.process import ProcessSpec, detach
from firstlight.session._remote import connect
from firstlight.session._running import choose, running
from firstlight.wire import Role

if TYPE_CHECKING:
    from firstlight.process import ChildContext
    from firstlight.session._session import Session

STARTING = 120.0
"""Seconds within which a session must be there."""
ENDING = 120.0
"""Seconds within which one must be gone: what runs is stopped, files are closed."""


def start(
    config: Path | None,
    *,
    name: str = "",
    session: str = "",
    data: Path | None = None,
    buffer: Path | None = None,
    full: bool = False,
) -> tuple[str, int, Path]:
    """Start a session that lives by itself, and return when clients can attach.

    :param config: its configuration; None for the simulated beamline.
    :param name: that of the sub-session or the beamline when empty.
    :param session: a sub-session of the configuration.
    :param data: of the simulated beamline: folder of its data.
    :param full: the whole simulated beamline.
    :return: its name, its process number and its log file.
    :raises ProcessError: it could not start; why.
    """
    root = (buffer or default_root()).absolute()
    called = name or session or (_name_of(config) if config is not None else "fl01")
    if called in running(root):
        raise Conflict(f"A session {called} runs already.", hint=f"Attach to it, or: firstlight session stop {called}")
    log = root / "logs" / called / "session.log"
    arguments = {
        "config": str(config.absolute()) if config is not None else "",
        "name": called,
        "session": session,
        "data": str((data or Path("firstlight-data")).absolute()),
        "buffer": str(root),
        "folder": str(Path.cwd()),
        "full": full,
    }
    spec = ProcessSpec("session", "firstlight.session._headless:main", arguments, stop_timeout=ENDING)
    pid, info = detach(spec, log, STARTING)
    return str(info["name"]), pid, log


def stop(name: str = "", buffer: Path | None = None) -> str:
    """End a session that lives by itself, in good order; its name.

    :raises NotFound: when there is none of that name.
    :raises Conflict: when it lives in a shell or a program, which ends it.
    """
    root = (buffer or default_root()).absolute()
    chosen = choose(name, root)
    with connect(chosen, buffer=root, role=Role.TERMINAL) as session:
        pid = session.status.pid
        session.shutdown()
    handle = _handle(pid)
    if handle is not None:
        _wait_for(handle, chosen, pid)
    return chosen


def main(
    context: ChildContext, *, config: str, name: str, session: str, data: str, buffer: str, folder: str, full: bool
) -> None:
    """Target of the process.

    :param folder: where relative paths of user scripts begin.
    """
    os.chdir(folder)
    with _made(config, name, session, data, buffer, full) as made:
        log = Path(buffer) / "logs" / name / "session.log"
        path = made.host(context.stopping.set, log)
        context.ready(name=made.name, socket=str(path))
        context.log.info("%r serves at %s", made, path)
        context.stopping.wait()
        context.log.info("ending")


def _made(config: str, name: str, session: str, data: str, buffer: str, full: bool) -> Session:
    from firstlight.session._load import load
    from firstlight.session._simulated import simulated

    if config:
        return load(config, name=name, session=session, buffer=Path(buffer))
    return simulated(Path(data), full=full, name=name, buffer=Path(buffer))


def _name_of(config: Path) -> str:
    """The beamline's name; a wrong configuration is told here, at the terminal."""
    from firstlight.configuration import load as read

    return read(config).name


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _wait_for(handle: int, name: str, pid: int) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        ended = poll.poll(ENDING * 1000)
    finally:
        os.close(handle)
    if not ended:
        raise ProcessError(
            f"Session {name} has not ended within {ENDING:g} s.", hint=f"Look at it, or end process {pid} by hand."
        )
