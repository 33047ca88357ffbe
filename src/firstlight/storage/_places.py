"""Where in an entry each channel lies.

``device:part`` is ``instrument/{device}/{part}``; a channel that is the device itself is ``data`` of an NXdetector or
``value`` of an NXpositioner. ``measurement`` links to it as ``device`` or ``device_part``. So does blisswriter.
"""

from __future__ import annotations

from dataclasses import dataclass

from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, RunInfo
from firstlight.storage._tree import nexus_name

_RESERVED = frozenset({"positioners", "positioners_start", "positioners_end", "name", "title"})


@dataclass(frozen=True, slots=True)
class Place:
    """Names of one channel in its entry.

    :param group: its group in ``instrument``.
    :param nx_class: of that group.
    :param name: of the dataset in it.
    :param link: its name in ``measurement``.
    :param positioner: its name in ``instrument/positioners``; empty when it is no axis.
    """

    group: str
    nx_class: str
    name: str
    link: str
    positioner: str = ""

    @property
    def path(self) -> str:
        """Path of the dataset in the entry."""
        return f"instrument/{self.group}/{self.name}"


class Places:
    """Gives each channel of a run its place, and no two the same."""

    def __init__(self, info: RunInfo) -> None:
        self._axes = {*info.axes, *info.positioners}
        self._groups: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._paths: set[str] = set()
        self._links: set[str] = set()

    def group(self, device: str) -> str:
        """The group of a device in ``instrument``."""
        if device not in self._groups:
            name = nexus_name(device)
            if name in _RESERVED:
                name += "_device"
            self._groups[device] = _free(name, set(self._groups.values()))
        return self._groups[device]

    def place(self, spec: ChannelSpec) -> Place:
        """The place of a channel; always the same when channels come in the same order."""
        device, _, part = spec.name.partition(":")
        region = spec.info.get("region")
        if isinstance(region, str) and region:
            return self._of_region(device, part, f"{device}:{region}", str(spec.info.get("part") or "data"))
        group = self.group(device)
        moves = device in self._axes or (spec.role in {ChannelRole.AXIS, ChannelRole.TIME} and not part)
        nx_class = self._classes.setdefault(group, "NXpositioner" if moves else "NXdetector")
        name = nexus_name(part) if part else ("value" if nx_class == "NXpositioner" else "data")
        if part and name in {"value", "data"}:
            name += "_part"
        path = f"{group}/{name}"
        name = _free(path, self._paths).rpartition("/")[2]
        self._paths.add(f"{group}/{name}")
        link = _free(group if not part else f"{group}_{nexus_name(part)}", self._links)
        self._links.add(link)
        if spec.kind is ChannelKind.RAGGED:
            self._paths.add(f"{group}/{name}_offsets")
            self._links.add(f"{link}_offsets")
        return Place(group, nx_class, name, link, group if device in self._axes and not part else "")

    def _of_region(self, device: str, part: str, region: str, counted: str) -> Place:
        """What is counted in a region of a detector stands together in a group of its own, as in BLISS files."""
        group = self.group(region)
        self._classes.setdefault(group, "NXdetector")
        name = _free(f"{group}/{nexus_name(counted)}", self._paths).rpartition("/")[2]
        self._paths.add(f"{group}/{name}")
        link = _free(f"{self.group(device)}_{nexus_name(part)}", self._links)
        self._links.add(link)
        return Place(group, "NXdetector", name, link)


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found = f"{name}_{number}"
        number += 1
    return found
