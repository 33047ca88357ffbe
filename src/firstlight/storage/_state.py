"""Where this user's own state lives: settings, catalogue, spools; apart from data and from configuration."""

from __future__ import annotations

import os
from pathlib import Path

from firstlight.model import InvalidInput


def state_folder() -> Path:
    """The folder for state, made when it is not there: ``$FIRSTLIGHT_STATE``, or ``firstlight`` in that of the user.

    By the XDG base directory specification that is ``$XDG_STATE_HOME``, ``~/.local/state`` when it is not set.

    :raises InvalidInput: when it cannot be made.
    """
    named = os.environ.get("FIRSTLIGHT_STATE")
    base = os.environ.get("XDG_STATE_HOME")
    if named:
        folder = Path(named).expanduser()
    elif base and Path(base).is_absolute():
        folder = Path(base) / "firstlight"
    else:
        folder = Path.home() / ".local" / "state" / "firstlight"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The folder for state {folder} cannot be made: {error.strerror}.",
            hint="Name another one in FIRSTLIGHT_STATE.",
        ) from error
    return folder.absolute()
