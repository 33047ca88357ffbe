"""What a target sees of the process that it runs in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any


class ChildContext:
    """Handed to the target as its first argument.

    :param name: name of the child.
    :param tell: called with the information that the target gives when it is ready.
    """

    def __init__(self, name: str, tell: Callable[[Mapping[str, Any]], None] = lambda _: None) -> None:
        self.name = name
        self.log = logging.getLogger(name)
        """Goes to the child's log file."""
        self.stopping = threading.Event()
        """Set when the child shall end: it then has ``stop_timeout`` seconds to return."""
        self._tell = tell

    def ready(self, **info: Any) -> None:
        """Say that the child does its work from now on; a second call replaces the information.

        :param info: JSON values that the parent finds in ``Child.info``, for instance the path of a socket.
        """
        self._tell(info)
