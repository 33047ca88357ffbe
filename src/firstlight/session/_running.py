"""Sessions that run on this machine: where each is found, and which there are."""

from __future__ import annotations

from pathlib import Path

from firstlight.buffer import default_root
from firstlight.model import Conflict, FirstlightError, NotFound
from firstlight.scanning import nearest
from firstlight.session._facts import SessionStatus
from firstlight.wire import Client, Role, address, served

ANSWER = 5.0
"""Seconds that a session may take to say what it does."""


def session_address(name: str, root: Path) -> Path:
    """Where the session of that name serves its clients.

    :param root: of its buffer.
    """
    return address(f"session-{name}", root)


def running(buffer: Path | None = None) -> list[str]:
    """Names of the sessions that serve clients now, sorted.

    :param buffer: root of their buffer; the machine's default when None.
    """
    root = buffer or default_root()
    folder = root / "sessions"
    names = sorted(path.stem for path in folder.glob("*.lock")) if folder.is_dir() else []
    return [name for name in names if served(session_address(name, root))]


def statuses(buffer: Path | None = None) -> list[SessionStatus]:
    """What each of them does now; one that ends meanwhile is left out."""
    root = buffer or default_root()
    found = []
    for name in running(root):
        try:
            with Client(session_address(name, root), role=Role.VIEW, timeout=ANSWER) as client:
                found.append(client.call("status"))
        except FirstlightError:
            continue
    return found


def choose(name: str, buffer: Path | None = None) -> str:
    """The session that is meant: the one of that name, or the only one.

    :raises NotFound: when there is none.
    :raises Conflict: when several run and none was named.
    """
    names = running(buffer)
    if name:
        if name not in names:
            hint = nearest(name, names) if names else "None runs; start one with: firstlight session start FILE"
            raise NotFound(f"No session {name} runs here.", hint=hint)
        return name
    if not names:
        raise NotFound("No session runs here.", hint="Start one with: firstlight session start FILE")
    if len(names) > 1:
        raise Conflict(f"{len(names)} sessions run here: {', '.join(names)}.", hint="Name the one that you mean.")
    return names[0]
