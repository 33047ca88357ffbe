"""Which servers run on this machine: each says so in the state folder, under a lock that it holds while it lives."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from firstlight.buffer import acquire, default_root, held
from firstlight.model import FirstlightError
from firstlight.storage import state_folder
from firstlight.web._settings import WebSettings

_log = logging.getLogger(__name__)


def servers(buffer: Path | None = None, state: Path | None = None) -> list[WebSettings]:
    """How each server of this user listens that runs on this machine now.

    :param buffer: only those that show the sessions of this buffer; the machine's default when None.
    :param state: folder of secrets; this user's own when None.
    """
    wanted = _real(str(buffer or ""))
    found = []
    for path in sorted((state or state_folder()).glob(_name("*"))):
        # A home may be shared by machines, and so the folder: the name says whose it is.
        if not held(path):
            continue
        try:
            settings = WebSettings.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, FirstlightError):
            continue  # it begins or ends this moment
        if _real(settings.buffer) == wanted:
            found.append(settings)
    return found


@contextmanager
def announced(settings: WebSettings, state: Path) -> Iterator[None]:
    """Say that a server listens so; it is never refused for this."""
    path = state / _name(str(settings.port))
    lock = None
    try:
        lock = acquire(path, patience=1.0)
        if lock is not None:
            path.write_text(json.dumps(settings.to_json()))
    except OSError as error:
        _log.warning("%s cannot be written (%s): other shells do not find this server", path, error.strerror)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                path.unlink()
            lock.release()


def _name(port: str) -> str:
    return f"web-{socket.gethostname()}-{port}.json"


def _real(root: str) -> Path:
    return (Path(root) if root else default_root()).absolute().resolve()
