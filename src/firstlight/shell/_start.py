"""Which session a shell works with: a configuration file's, one that runs already, or the simulated beamline."""

from __future__ import annotations

from pathlib import Path

from firstlight.model import InvalidInput, NotFound
from firstlight.session import RemoteSession, Session

SUFFIXES = (".yml", ".yaml")


def open_session(
    target: str = "", data: Path | None = None, part: str = "", full: bool = False
) -> Session | RemoteSession:
    """The session that a word of the command line means.

    :param target: a configuration file or folder, the name of a session that runs, or nothing for the simulation.
    :param data: where the simulation's files go.
    :param part: a sub-session of the configuration.
    :param full: whether the simulation is that of the whole beamline.
    :raises FirstlightError: when it can not be opened.
    """
    from firstlight.session import connect, load, simulated

    if part and not Path(target).expanduser().exists():
        raise InvalidInput(f"--part {part} is a part of a configuration.", hint="Name the configuration too.")
    if not target:
        return simulated(data or Path("firstlight-data"), full=full)
    path = Path(target).expanduser()
    if path.exists():
        return load(path, session=part)
    if path.suffix in SUFFIXES or "/" in target:
        raise NotFound(f"There is no configuration {target}.", hint="Check the path; firstlight config new makes one.")
    return connect(target, label="shell")
