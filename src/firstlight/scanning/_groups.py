"""Measurement groups: what measures when a scan names a group, or nothing; channels are switched on and off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from firstlight.model import Conflict, FirstlightError, InvalidInput, NotFound
from firstlight.scanning._devices import Devices, nearest


class MeasurementGroup:
    """Counters and cameras that are measured together.

    :param members: names of counters, cameras and groups.
    :param groups: those that it belongs to.
    """

    def __init__(self, name: str, members: Sequence[str], groups: MeasurementGroups) -> None:
        self.name = name
        self.members = tuple(members)
        self.off: frozenset[str] = frozenset()
        """Channels that are switched off, whether they exist now or not."""
        self._groups = groups

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels of its members; a camera counts as one."""
        return self._groups.devices.channels(self.members)

    @property
    def enabled(self) -> tuple[str, ...]:
        """Channels that it measures."""
        return tuple(name for name in self.channels if name not in self.off)

    @property
    def disabled(self) -> tuple[str, ...]:
        """Channels that are switched off."""
        return tuple(name for name in self.channels if name in self.off)

    def enable(self, *patterns: str) -> tuple[str, ...]:
        """Switch channels on whose names match (``diode*``); all without a pattern. What it measures now."""
        matching = self._matching(patterns or ("*",))
        self._groups.switch(self, self.off - matching)
        return self.enabled

    def disable(self, *patterns: str) -> tuple[str, ...]:
        """Switch channels off whose names match; all without a pattern. What it measures now."""
        matching = self._matching(patterns or ("*",))
        self._groups.switch(self, self.off | matching)
        return self.enabled

    def __repr__(self) -> str:
        active = " (active)" if self._groups.active_name == self.name else ""
        lines = [f"{self.name}{active}: {', '.join(self.enabled) or 'nothing enabled'}"]
        if self.disabled:
            lines.append(f"  disabled: {', '.join(self.disabled)}")
        return "\n".join(lines)

    def _matching(self, patterns: Sequence[str]) -> frozenset[str]:
        channels = self.channels
        found: set[str] = set()
        for pattern in patterns:
            fitting = {c for c in channels if fnmatchcase(c, pattern) or fnmatchcase(c.partition(":")[0], pattern)}
            if not fitting:
                raise NotFound(f"{self.name} has no channel {pattern}.", hint=nearest(pattern, channels))
            found |= fitting
        return frozenset(found)


class MeasurementGroups(Mapping[str, MeasurementGroup]):
    """All measurement groups of a session, of which one is active.

    :param look: gives the devices that members name.
    :param changed: called after every change.
    """

    def __init__(self, look: Callable[[], Devices], changed: Callable[[], None] = lambda: None) -> None:
        self._look = look
        self._changed = changed
        self._groups: dict[str, MeasurementGroup] = {}
        self._active = ""
        self._defined: dict[str, tuple[str, ...]] = {}
        self._first = ""

    @property
    def devices(self) -> Devices:
        """What members name."""
        return self._look()

    @property
    def active_name(self) -> str:
        """Name of the active group; empty when there is none."""
        return self._active

    @property
    def active(self) -> MeasurementGroup | None:
        """What measures when a scan names nothing; assign a group or its name."""
        return self._groups.get(self._active)

    @active.setter
    def active(self, group: MeasurementGroup | str) -> None:
        self._active = self._known(group if isinstance(group, str) else group.name).name
        self._changed()

    def add(self, name: str, *members: Any) -> MeasurementGroup:
        """Make a group, or give one other members; the first becomes the active one.

        :param members: counters, cameras and groups, or their names.
        :raises NotFound: when a member does not exist.
        """
        names = [str(getattr(member, "name", member)) for member in members]
        devices = self.devices
        if not name.isidentifier():
            raise InvalidInput(f"{name!r} is not a name for a group.", hint="Use letters, digits and _ only.")
        if devices.knows(name):
            raise InvalidInput(f"{name} is the name of a device.", hint="Give the group another name.")
        if not names:
            raise InvalidInput(f"The group {name} would have no members.", hint="Name counters, cameras or groups.")
        devices.channels([member for member in names if member != name])
        if name in names or any(self._contains(member, name) for member in names):
            raise InvalidInput(f"The group {name} would contain itself.", hint="Take it out of its own members.")
        group = self._groups.get(name) or MeasurementGroup(name, names, self)
        group.members = tuple(names)
        self._groups[name] = group
        self._active = self._active or name
        self._changed()
        return group

    def remove(self, name: str) -> None:
        """Forget a group.

        :raises Conflict: another one contains it.
        """
        self._known(name)
        above = next((g.name for g in self._groups.values() if name in g.members), None)
        if above is not None:
            raise Conflict(f"The group {above} contains {name}.", hint=f"Give {above} other members first.")
        del self._groups[name]
        if self._active == name:
            self._active = next(iter(self._groups), "")
        self._changed()

    def switch(self, group: MeasurementGroup, off: frozenset[str]) -> None:
        """Choose the channels of a group that are off; see :meth:`MeasurementGroup.disable`."""
        group.off = off
        self._changed()

    def define(self, groups: Mapping[str, Sequence[str]], active: str = "") -> None:
        """Groups as a configuration names them; their members are looked up when they are used.

        Those that were made by hand stay, and so does the active one as long as it exists.

        :param active: the one that is active at first.
        """
        kept = {name: group for name, group in self._groups.items() if name not in self._defined}
        off = self.off
        self._defined = {name: tuple(members) for name, members in groups.items()}
        self._groups = {name: MeasurementGroup(name, members, self) for name, members in groups.items()} | kept
        for name, channels in off.items():
            if name in self._groups:
                self._groups[name].off = channels
        self._first = active if active in self._groups else next(iter(self._groups), "")
        if self._active not in self._groups:
            self._active = self._first
        self._changed()

    @property
    def state(self) -> dict[str, Any]:
        """All that was changed by hand, as JSON values, for :meth:`restore`."""
        made = {name: list(g.members) for name, g in self._groups.items() if g.members != self._defined.get(name)}
        return {
            "active": self._active if self._active != self._first else "",
            "made": made,
            "removed": [name for name in self._defined if name not in self._groups],
            "off": {name: sorted(group.off) for name, group in self._groups.items() if group.off},
        }

    def restore(self, state: Mapping[str, Any]) -> list[str]:
        """Groups as they were in an earlier session; what no longer fits is left out.

        :return: a sentence for each part that was left out.
        """
        refused = []
        for name, members in state.get("made", {}).items():
            try:
                self.devices.channels([m for m in members if m not in self._groups and m not in state["made"]])
            except FirstlightError as error:
                refused.append(f"The group {name} was not restored: {error}")
                continue
            group = self._groups.setdefault(name, MeasurementGroup(name, members, self))
            group.members = tuple(members)
        for name in state.get("removed", ()):
            self._groups.pop(name, None)
        for name, off in state.get("off", {}).items():
            if name in self._groups:
                self._groups[name].off = frozenset(off)
        if state.get("active") in self._groups:
            self._active = state["active"]
        elif self._active not in self._groups:
            self._active = next(iter(self._groups), "")
        self._changed()
        return refused

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Name of each group to its members."""
        return {name: group.members for name, group in self._groups.items()}

    @property
    def off(self) -> dict[str, frozenset[str]]:
        """Name of each group to its channels that are switched off."""
        return {name: group.off for name, group in self._groups.items() if group.off}

    def __getitem__(self, name: str) -> MeasurementGroup:
        return self._known(name)

    def __contains__(self, name: object) -> bool:
        return name in self._groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __getattr__(self, name: str) -> MeasurementGroup:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._known(name)
        except NotFound as error:
            raise AttributeError(str(error)) from None

    def __repr__(self) -> str:
        if not self._groups:
            return "No measurement groups."
        width = max(map(len, self._groups))
        lines = []
        for name, group in self._groups.items():
            mark = "*" if name == self._active else " "
            off = f"  (off: {', '.join(group.disabled)})" if group.disabled else ""
            lines.append(f"{mark} {name:<{width}}  {', '.join(group.enabled) or 'nothing enabled'}{off}")
        return "\n".join(lines)

    def _known(self, name: str) -> MeasurementGroup:
        try:
            return self._groups[name]
        except KeyError:
            raise NotFound(f"There is no measurement group {name}.", hint=nearest(name, self._groups)) from None

    def _contains(self, group: str, name: str) -> bool:
        if group not in self._groups:
            return False
        return any(member == name or self._contains(member, name) for member in self._groups[group].members)
