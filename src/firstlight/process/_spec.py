"""The description of a child process."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from firstlight.model import InvalidInput


class Restart(StrEnum):
    """What the supervisor does when a child ends by itself."""

    NEVER = "never"
    ON_FAILURE = "on_failure"
    """Start it again after a non-zero exit code or a signal, once it has been ready before."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One child process.

    :param name: unique among the supervisor's living children; also the name of its log file.
    :param target: ``module:function``, called in the child as ``function(context, **arguments)``.
    :param arguments: JSON values.
    :param restart: what to do when it fails.
    :param max_restarts: number of restarts allowed within ``window`` seconds; one more failure is final.
    :param survive_parent: it lives on when its parent dies, in a terminal session of its own.
    :param stop_timeout: seconds between the request to stop and the kill.
    :param nice: added to the niceness of the parent.
    :raises InvalidInput: a bad name or target, or arguments that are no JSON values.
    """

    name: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = Restart.NEVER
    max_restarts: int = 3
    window: float = 60.0
    survive_parent: bool = False
    stop_timeout: float = 10.0
    nice: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.name):
            raise InvalidInput(f"{self.name!r} is not a name of a process.", hint="Use letters, digits and _ - . only.")
        module, colon, function = self.target.partition(":")
        if not (colon and function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise InvalidInput(f"Process {self.name}: target {self.target!r} is not of the form module:function.")
        try:
            json.dumps(dict(self.arguments))
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"Process {self.name}: its arguments are not JSON values ({error}).",
                hint="Pass texts, numbers, lists and dictionaries; a path as text.",
            ) from error
