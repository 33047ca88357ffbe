"""From a configuration to a session, and from a changed configuration to the same session with what changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.model import Conflict, NotFound
from firstlight.scanning import nearest
from firstlight.session._inventory import Entry
from firstlight.session._session import Session

if TYPE_CHECKING:
    from firstlight.configuration import Beamline, SubSession


def load(
    path: Path | str,
    *,
    session: str = "",
    name: str = "",
    buffer: Path | None = None,
    state: Path | None = None,
    settings: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Session:
    """A session from a configuration.

    :param path: a file, or a folder with ``beamline.yml``.
    :param session: a sub-session of the configuration: a part of its devices, with groups and scripts of its own.
    :param name: of the session; that of the sub-session or of the beamline when empty.
    :param buffer: root of the buffer; the machine's default when None.
    :param state: folder of the settings that outlive the session; the user's own when None.
    :param settings: another folder for the settings alone.
    :param environ: variables that the configuration takes; those of the process when None.
    :raises ConfigurationError: with everything that is wrong in it.
    :raises Conflict: when a session of this name runs.
    """
    from firstlight.configuration import load as read

    beamline = read(Path(path).expanduser().absolute(), environ)
    parts = parts_of(beamline, session)
    made = Session(
        name or session or beamline.name,
        parts.entries,
        data=data_of(beamline),
        beamline=beamline.name,
        roots=beamline.roots,
        groups=parts.groups,
        default=parts.default,
        aliases=parts.aliases,
        setups=parts.setups,
        scripts=parts.scripts,
        compression=beamline.storage.compression,
        merge=beamline.storage.merge,
        icat=beamline.icat,
        buffer=buffer,
        state=state,
        settings=settings,
        strict=False,
    )
    made.configured(beamline, session, environ)
    return made


def data_of(beamline: Beamline) -> Path:
    """The folder of data that is not a root of the facility: the one of the configuration, or one beside it."""
    return (beamline.base / Path(beamline.storage.data or "firstlight-data").expanduser()).absolute()


class Parts:
    """What one session takes from the configuration of a beamline.

    :param sub: the part of the beamline; all of it when None.
    """

    def __init__(self, beamline: Beamline, sub: SubSession | None) -> None:
        names = set(sub.devices) if sub is not None else set(beamline.devices)
        self.entries = [
            Entry(entry.config, entry.references) for name, entry in beamline.devices.items() if name in names
        ]
        groups = sub.groups if sub is not None else tuple(beamline.groups)
        self.groups = {group: beamline.members(group) for group in groups}
        default = (sub.default or beamline.default) if sub is not None else beamline.default
        self.default = (default,) if default in self.groups else ()
        self.aliases = {alias: name for alias, name in beamline.aliases.items() if name.partition(".")[0] in names}
        self.setups = {
            setup: dict(values)
            for setup, values in beamline.setups.items()
            if {_device(key) for key in values} - {"session"} <= names
        }
        self.scripts = sub.scripts if sub is not None else beamline.scripts


def _device(name: str) -> str:
    """The device of a part: slits of ``slits.gap``."""
    return name.partition(".")[0]


def parts_of(beamline: Beamline, session: str) -> Parts:
    """The parts of a sub-session, or of all.

    :raises NotFound: when there is no such sub-session.
    """
    if not session:
        return Parts(beamline, None)
    if session not in beamline.sessions:
        hint = nearest(session, beamline.sessions)
        raise NotFound(f"{beamline.name} has no session {session}.", hint=hint)
    return Parts(beamline, beamline.sessions[session])


def reload(session: Session, beamline: Beamline, sub: str) -> str:
    """Read the configuration of a session again, and change only what changed; see :meth:`Session.reload`."""
    from firstlight.configuration import compare
    from firstlight.configuration import load as read

    if jobs := session.engine.jobs:
        raise Conflict(f"{jobs[0].doing} runs; the configuration cannot change now.", hint="Wait for its end.")
    fresh = read(beamline.path, session.environ)
    parts = parts_of(fresh, sub)
    if fresh.name != beamline.name:
        raise Conflict(
            f"The beamline is called {fresh.name} now, no longer {beamline.name}.", hint="Start a new session for it."
        )
    difference = compare(beamline, fresh)
    wanted = {entry.name: entry for entry in parts.entries}
    present = {name for name, kind in session.kinds.items() if kind}
    touched = {*difference.changed, *difference.affected}
    gone = sorted(present - set(wanted))
    build = [entry for name, entry in wanted.items() if name not in present or name in touched]
    session.replace_devices(fresh, parts, gone, build)
    said = {
        "added": [entry.name for entry in build if entry.name not in present],
        "built again": [entry.name for entry in build if entry.name in present],
        "removed": gone,
        "changed": [section for section in difference.sections if section not in ("sessions", "icat")],
    }
    words = [f"{what}: {', '.join(names)}" for what, names in said.items() if names]
    return "; ".join(words) if words else "Nothing has changed."
