"""Reading along with what devices and rooms do, from another process: each client follows what it names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from firstlight.session._facts import TraceLine

ROOT_LOGGER = "firstlight"
DEVICE_LOGGERS = f"{ROOT_LOGGER}.devices"
"""Devices log under this name and their own: ``firstlight.devices.rot``."""
_OWN = f"{ROOT_LOGGER}.wire"
"""What carries the lines cannot be followed: each line would make the next."""


class Tracing(logging.Handler):
    """Tells clients what the loggers say that they follow.

    :param tell: called with each line, in any thread; it must be quick.
    """

    def __init__(self, tell: Callable[[TraceLine], None]) -> None:
        super().__init__(logging.DEBUG)
        self._tell = tell
        self._guard = threading.Lock()
        self._followed: dict[int, set[str]] = {}
        self._raised: set[str] = set()
        logging.getLogger(ROOT_LOGGER).addHandler(self)

    def follow(self, client: int, pattern: str, devices: Iterable[str]) -> list[str]:
        """Tell a client of what matches from now on; the short names of what does."""
        names = [name for name in matching_loggers(pattern, devices) if not name.startswith(_OWN)]
        with self._guard:
            self._followed.setdefault(client, set()).update(names)
            self._set_levels()
        return [short_name(name) for name in names]

    def leave(self, client: int, pattern: str = "*") -> list[str]:
        """Tell a client no longer of what matches; the short names of what it had followed."""
        with self._guard:
            known = self._followed.get(client, set())
            names = sorted(name for name in known if fnmatchcase(short_name(name), pattern))
            known.difference_update(names)
            if not known:
                self._followed.pop(client, None)
            self._set_levels()
        return [short_name(name) for name in names]

    def emit(self, record: logging.LogRecord) -> None:
        """Tell those who follow the logger."""
        followers = tuple(client for client, names in tuple(self._followed.items()) if record.name in names)
        if not followers or record.levelno >= logging.WARNING:
            return
        try:
            self._tell(TraceLine(record.created, record.name, record.getMessage(), followers))
        except Exception:  # noqa: BLE001 - as logging asks of its handlers
            self.handleError(record)

    def close(self) -> None:
        """Tell no more; idempotent."""
        logging.getLogger(ROOT_LOGGER).removeHandler(self)
        with self._guard:
            self._followed.clear()
            self._set_levels()
        super().close()

    def _set_levels(self) -> None:
        # Loggers that somebody else made talkative stay so.
        wanted: set[str] = set().union(*self._followed.values())
        for name in wanted - self._raised:
            logger = logging.getLogger(name)
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.DEBUG)
                self._raised.add(name)
        for name in self._raised - wanted:
            logging.getLogger(name).setLevel(logging.NOTSET)
        self._raised &= wanted


def matching_loggers(pattern: str, devices: Iterable[str]) -> list[str]:
    """Loggers of devices and rooms that match, by their full names."""
    named = [f"{DEVICE_LOGGERS}.{name}" for name in devices if fnmatchcase(name, pattern)]
    rooms = [
        name
        for name in loggers()
        if fnmatchcase(short_name(name), pattern) or fnmatchcase(short_name(name), f"{pattern}.*")
    ]
    return list(dict.fromkeys([*named, *rooms]))


def loggers() -> list[str]:
    """All that log in this process, by their full names."""
    known = logging.getLogger().manager.loggerDict
    return sorted(
        name
        for name, logger in known.items()
        if name.startswith(f"{ROOT_LOGGER}.") and isinstance(logger, logging.Logger)
    )


def short_name(name: str) -> str:
    """As people call it: a device by its name, a room by its own."""
    return name.removeprefix(f"{DEVICE_LOGGERS}.").removeprefix(f"{ROOT_LOGGER}.")
