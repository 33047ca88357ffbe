"""What devices inherit: from ``like``, and from the settings of their folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from firstlight.configuration._problem import Problems, nearest
from firstlight.configuration._tree import Item
from firstlight.configuration._yaml import Entry, Scalar, Table

OURS = ("name", "kind", "like")
"""Keys of a device that its kind never sees."""

DEEPEST = 50
"""Devices that are like one that is like one ..."""


@dataclass(slots=True)
class Family:
    """Devices and templates by name, and what each is with what it inherits.

    :param templates: settings that devices may be ``like``.
    """

    devices: Mapping[str, Item]
    templates: Mapping[str, Table]
    problems: Problems
    orphans: set[str] = field(default_factory=set)
    """Those that would inherit from what is not there, so that it is not known what they lack."""
    _done: dict[str, Table] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def table(self, name: str) -> Table:
        """The settings of a device or template, its own and the inherited ones, without ``like`` and ``name``."""
        if name not in self._done:
            self._open.append(name)
            own, folders = self._own(name)
            inherited: dict[str, Entry] = {}
            for folder in folders:
                inherited = merge(inherited, _from_folder(folder))
            inherited = merge(inherited, self._like(name, own))
            entries = merge(inherited, {key: e for key, e in own.entries.items() if key not in ("name", "like")})
            self._done[name] = Table(entries, own.where)
            self._open.pop()
        return self._done[name]

    def _own(self, name: str) -> tuple[Table, tuple[Table, ...]]:
        if name in self.devices:
            return self.devices[name].table, self.devices[name].folders
        return self.templates[name], ()

    def _like(self, name: str, own: Table) -> dict[str, Entry]:
        entry = own.entries.get("like")
        if entry is None:
            return {}
        key = f"{self._called(name)}.like"
        other = own.text("like")
        if other is None:
            self.problems.add(entry.node.where, key, "Expected the name of a template or a device.")
        elif other in self._open:
            circle = " -> ".join([*self._open[self._open.index(other) :], other])
            self.problems.add(entry.node.where, key, f"This goes in a circle: {circle}.", "Break it.")
        elif len(self._open) > DEEPEST:
            self.problems.add(entry.node.where, key, f"More than {DEEPEST} inherit from each other.", "Use a template.")
        elif other not in self.devices and other not in self.templates:
            if not self.problems.broken:
                known = [*self.templates, *(device for device in self.devices if device != name)]
                self.problems.add(
                    entry.node.where, key, f"There is no template or device {other!r}.", nearest(other, known)
                )
        else:
            called = self._called(other)
            via = f"template {other}" if other not in self.devices else f"device {other}"
            found = {k: _inherited(e, via, f"{called}.{k}") for k, e in self.table(other).entries.items()}
            if other in self.orphans:
                self.orphans.add(name)
            return found
        self.orphans.add(name)
        return {}

    def _called(self, name: str) -> str:
        return name if name in self.devices else f"templates.{name}"


def merge(base: Mapping[str, Entry], over: Mapping[str, Entry]) -> dict[str, Entry]:
    """Two layers of settings: tables go into each other, an empty value takes an inherited one away."""
    merged = dict(base)
    for key, entry in over.items():
        before = merged.get(key)
        if before is None:
            merged[key] = entry
        elif isinstance(entry.node, Scalar) and entry.node.value is None:
            del merged[key]
        elif isinstance(before.node, Table) and isinstance(entry.node, Table):
            inner = merge(before.node.entries, entry.node.entries)
            merged[key] = Entry(entry.where, Table(inner, entry.node.where), entry.via, entry.home)
        else:
            merged[key] = entry
    return merged


def _inherited(entry: Entry, via: str, home: str, optional: bool = False) -> Entry:
    node = entry.node
    if isinstance(node, Table):
        inner = {k: _inherited(e, via, f"{home}.{k}", optional) for k, e in node.entries.items()}
        node = Table(inner, node.where)
    if entry.via:
        return replace(entry, node=node)
    return replace(entry, node=node, via=via, home=home, optional=optional)


def _from_folder(table: Table) -> dict[str, Entry]:
    via = str(table.where.file)
    return {
        key: _inherited(entry, via, key, optional=True) for key, entry in table.entries.items() if key not in OURS[::2]
    }
