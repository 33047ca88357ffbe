"""The session itself: what is locked by whom, devices that failed, scripts, the configuration read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firstlight.model import InvalidInput, NotFound
from firstlight.shell._desk import Desk
from firstlight.shell._face import Word
from firstlight.shell._words import aliased, name_of, nearest


def lslock(desk: Desk) -> None:
    """What is locked, and by whom.

    ::

        lslock
    """
    session: Any = desk.session
    locks = list(session.locks)
    desk.say("\n".join(f"{held.device}: {held.owner}" for held in locks) or "Nothing is locked.")


def lock(desk: Desk, *devices: Word) -> None:
    """Keep devices for this shell, until unlock or until it ends; others are refused, and told by whom.

    ::

        lock rot sx

    :param devices: devices, or their names.
    """
    session: Any = desk.session
    names = [aliased(session, name_of(device)) for device in devices]
    if not names:
        raise InvalidInput("lock needs a device.", hint="Write: lock device [device ...]. lslock lists what is locked.")
    for name in names:
        if name.partition(".")[0] not in session.devices:
            raise NotFound(f"There is no device {name}.", hint=nearest(name, session.devices, "devices"))
    session.take_lock(*names)
    lslock(desk)


def unlock(desk: Desk, *devices: Word) -> None:
    """Let go of locks of this shell.

    ::

        unlock

    :param devices: devices, or their names; all that this shell has locked when none is named.
    """
    session: Any = desk.session
    names = [name_of(device) for device in devices] or [held.device for held in session.locks]
    freed = session.unlock(*names)
    desk.say(f"{', '.join(freed)} unlocked" if freed else "This shell had locked nothing of that.")


def retry(desk: Desk, device: Word) -> None:
    """Try again to connect a device that failed.

    ::

        retry cam

    :param device: its name.
    """
    session: Any = desk.session
    name = name_of(device)
    session.retry(name)
    desk.say(f"{name} works.")


def reload(desk: Desk) -> None:
    """Read the configuration again; only what changed in it is made anew.

    ::

        reload
    """
    session: Any = desk.session
    desk.say(str(session.reload()))


def script(desk: Desk, name: str = "") -> Any:
    """Run a script of yours with the names of this prompt, each time anew, and return what it defines.

    Without a name, list the scripts.

    ::

        script
        mine = script align

    :param name: of a script of the configuration or of the proposal's SCRIPTS folder, or a path.
    """
    session: Any = desk.session
    if not name:
        desk.say(repr(session.scripts))
        return None
    return session.scripts.run(Path(name) if "/" in name else name, desk.names)
