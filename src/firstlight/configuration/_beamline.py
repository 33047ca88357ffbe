"""A beamline as its configuration describes it: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from firstlight.configuration._order import levels
from firstlight.configuration._problem import Where, nearest
from firstlight.configuration._sections import IcatSettings, StorageSettings, SuspendSettings
from firstlight.devices import is_source
from firstlight.model import NotFound
from firstlight.storage import Roots


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting was written.

    :param via: the template, device or file that it was inherited from; empty for the device's own.
    """

    where: Where
    via: str = ""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device.

    :param settings: plain values, correct for its kind; references are names of devices, variables are replaced.
    :param references: names of the devices that it needs.
    :param where: its place in the files.
    :param shown: the settings as they may be shown: references and variables as they are written.
    :param origins: where each setting was written, by its dotted key.
    """

    name: str
    kind: str
    settings: Mapping[str, Any] = field(repr=False)
    references: tuple[str, ...]
    where: Where
    shown: Mapping[str, Any]
    origins: Mapping[str, Origin] = field(repr=False)

    @property
    def config(self) -> dict[str, Any]:
        """What ``devices.build`` takes."""
        return {"name": self.name, "kind": self.kind, **self.settings}

    @property
    def source(self) -> bool:
        """Whether it is a camera, which lives in a process of its own."""
        return is_source(self.kind)


@dataclass(frozen=True, slots=True)
class SubSession:
    """A part of the beamline, with all patterns replaced by names.

    :param devices: in the order of the files, with those that others of them need.
    """

    name: str
    devices: tuple[str, ...]
    groups: tuple[str, ...]
    scripts: tuple[Path, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Beamline:
    """What a configuration says.

    :param devices: by name, in the order of the files.
    :param groups: what is measured together: names of devices and groups, and patterns, as written.
    :param default: the group that is measured when a scan names nothing; empty for none.
    :param aliases: other names of devices, and of their parts such as ``slits.gap``.
    :param setups: named sets of parameters: for each device, attributes and values.
    :param scripts: files of Python for the users.
    :param sessions: parts of the beamline.
    :param suspend: conditions during which scans pause, as written.
    :param base: the folder that relative paths of data begin at.
    :param suspenders: the same, checked.
    :param path: the file or folder that was loaded.
    :param files: all that were read.
    :param shown: everything but devices as it may be shown, with variables as they are written.
    """

    name: str
    devices: Mapping[str, DeviceEntry]
    groups: Mapping[str, tuple[str, ...]]
    default: str
    aliases: Mapping[str, str]
    setups: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(repr=False)
    scripts: tuple[Path, ...]
    sessions: Mapping[str, SubSession]
    storage: StorageSettings = field(repr=False)
    icat: IcatSettings | None = field(repr=False)
    suspend: Mapping[str, Mapping[str, Any]] = field(repr=False)
    suspenders: Mapping[str, SuspendSettings] = field(repr=False)
    roots: Roots = field(repr=False)
    base: Path = field(repr=False)
    path: Path
    files: tuple[Path, ...] = field(repr=False)
    shown: Mapping[str, Any] = field(repr=False)

    def device(self, name: str) -> DeviceEntry:
        """A device by its name or alias; of a part of one, such as ``slits.gap``, the whole.

        :raises NotFound: when there is none; the hint names the nearest.
        """
        entry = self.devices.get(self.aliases.get(name, name).partition(".")[0])
        if entry is None:
            raise NotFound(f"{self.name} has no device {name!r}.", hint=nearest(name, [*self.devices, *self.aliases]))
        return entry

    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The devices in the order of building: each level needs only those before it."""
        return levels({name: entry.references for name, entry in self.devices.items()})

    def members(self, group: str) -> tuple[str, ...]:
        """Names of the devices of a group, those of groups in it included; parts such as ``cam:roi1`` as written.

        :raises NotFound: when there is no such group.
        """
        if group not in self.groups:
            raise NotFound(f"{self.name} has no group {group!r}.", hint=nearest(group, self.groups))
        found: dict[str, None] = {}
        for member in self.groups[group]:
            if member in self.groups:
                found |= dict.fromkeys(self.members(member))
            elif is_pattern(member) and ":" not in member:
                found |= dict.fromkeys(name for name in self.devices if fnmatchcase(name, member))
            else:
                found[self.aliases.get(member, member)] = None
        return tuple(found)


def is_pattern(text: str) -> bool:
    """Whether a text stands for several names."""
    return any(sign in text for sign in "*?[")
