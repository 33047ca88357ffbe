"""What devices and rooms say while they work: ``debugon debugoff lslog showlog``."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from firstlight.model import FirstlightError, InvalidInput, NotFound
from firstlight.session import (
    DEVICE_LOGGERS,
    ROOT_LOGGER,
    RemoteSession,
    TraceLine,
    loggers,
    matching_loggers,
    short_name,
)
from firstlight.shell._desk import Desk
from firstlight.shell._face import Word
from firstlight.shell._words import name_of, nearest

_TAIL = 256 << 10
"""Bytes of a file that are looked through for its last lines."""


class Printing(logging.Handler):
    """Prints records at the desk; above the bar of a scan that runs."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.leave: Callable[[], None] = lambda: None
        """Reads no longer along with a session elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            name = record.name.removeprefix(f"{DEVICE_LOGGERS}.").removeprefix(f"{ROOT_LOGGER}.")
            moment = f"{self.format_time(record)} " if record.levelno < logging.WARNING else ""
            level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
            # Which module of ours warns tells a user nothing; a device's name does.
            of_device = record.name.startswith(f"{DEVICE_LOGGERS}.") and not name.startswith("_")
            source = f"{name}: " if of_device or record.levelno < logging.WARNING else ""
            text = f"{moment}{level}{source}{record.getMessage()}"
            self.desk.console.print(
                text,
                style="yellow" if record.levelno >= logging.WARNING else "dim",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        except Exception:  # noqa: BLE001 - as logging asks of its handlers
            self.handleError(record)

    def told(self, line: TraceLine) -> None:
        """Print a line of a session elsewhere."""
        record = logging.LogRecord(line.name, logging.DEBUG, "", 0, line.text, None, None)
        record.created, record.msecs = line.time, line.time % 1 * 1000
        self.handle(record)

    def format_time(self, record: logging.LogRecord) -> str:
        """Time of day with milliseconds."""
        return logging.Formatter("%(asctime)s").formatTime(record, "%H:%M:%S") + f".{int(record.msecs):03d}"


def listen(desk: Desk) -> Printing:
    """Print warnings of all rooms from now on, and what :func:`debugon` asks for."""
    handler = Printing(desk)
    logging.getLogger(ROOT_LOGGER).addHandler(handler)
    far = _far(desk)
    if far is not None:
        handler.leave = far.read_along(handler.told)
    return handler


def forget(handler: Printing) -> None:
    """Print no more."""
    handler.leave()
    far = _far(handler.desk)
    if far is not None:
        with suppress(FirstlightError):
            far.untrace()  # a session that is gone tells nothing any more
    logging.getLogger(ROOT_LOGGER).removeHandler(handler)
    for name in loggers():
        logging.getLogger(name).setLevel(logging.NOTSET)


def debugon(desk: Desk, pattern: Word) -> None:
    """Print everything that matching devices do.

    ::

        debugon rot
        debugon *

    :param pattern: names of devices, or of rooms such as ``scanning``; ``*`` stands for anything.
    """
    far = _far(desk)
    if far is not None:
        word = name_of(pattern, "pattern")
        found = far.trace(word)
        if not found:
            raise NotFound(f"Nothing called {word} logs.", hint=nearest(word, desk.session.devices, "devices"))
        desk.say(f"now printing what {', '.join(found)} log")
        return
    names = _wanted(desk, pattern)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    desk.say(f"now printing what {', '.join(map(short_name, names))} log")


def debugoff(desk: Desk, pattern: Word = "*") -> None:
    """Print no longer what matching devices do.

    ::

        debugoff

    :param pattern: names of devices or rooms; all by default.
    """
    word = name_of(pattern, "pattern")
    far = _far(desk)
    if far is not None:
        names = far.untrace(word)
    else:
        on = [name for name in loggers() if logging.getLogger(name).level and fnmatchcase(short_name(name), word)]
        for name in on:
            logging.getLogger(name).setLevel(logging.NOTSET)
        names = [short_name(name) for name in on]
    if not names:
        desk.say("Nothing of that kind was printed.")
        return
    desk.say(f"no longer printing what {', '.join(names)} log")


def lslog(desk: Desk) -> None:
    """What logs, which of it is printed, and the files of the other processes.

    ::

        lslog
    """
    on = [name for name in loggers() if logging.getLogger(name).level == logging.DEBUG]
    desk.say(f"printed: {', '.join(map(short_name, on)) or 'warnings only'}")
    desk.say(f"devices: {', '.join(desk.session.devices) or 'none'}")
    for file in _files(desk).values():
        desk.say(f"file: {file} ({file.stat().st_size} bytes)")


def showlog(desk: Desk, name: str, lines: int = 20) -> None:
    """The last lines of the log of another process of the session: its saver, its guard, its cameras.

    ::

        showlog saver

    :param name: of the process, see lslog.
    :param lines: how many.
    """
    files = _files(desk)
    if name not in files:
        raise NotFound(f"There is no log of {name}.", hint=nearest(name, files, "logs"))
    if isinstance(lines, bool) or not isinstance(lines, int) or lines < 1:
        raise InvalidInput(f"{lines!r} is no number of lines.", hint="Write for instance: showlog saver 20.")
    with files[name].open("rb") as file:
        file.seek(max(0, files[name].stat().st_size - _TAIL))
        text = file.read().decode(errors="replace")
    desk.say("\n".join(deque(text.splitlines(), maxlen=lines)) or f"{name} has logged nothing.")


def _wanted(desk: Desk, pattern: Word) -> list[str]:
    word = name_of(pattern, "pattern")
    found = matching_loggers(word, desk.session.devices)
    if not found:
        known = [*desk.session.devices, *{short_name(name).partition(".")[0] for name in loggers()}]
        raise NotFound(f"Nothing called {word} logs.", hint=nearest(word, known, "devices"))
    return found


def _far(desk: Desk) -> RemoteSession | None:
    """The session, when it lives in another process."""
    return desk.session if isinstance(desk.session, RemoteSession) else None


def _files(desk: Desk) -> dict[str, Path]:
    session: Any = desk.session
    folder = session.logs if hasattr(session, "engine") else session.buffer.root / "logs" / session.name
    return {path.stem: path for path in sorted(Path(folder).glob("*.log"))}
