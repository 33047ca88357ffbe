"""From files to a :class:`Beamline`, or to all that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from firstlight.configuration._beamline import Beamline, DeviceEntry, Origin
from firstlight.configuration._check import Named, check, keys, place, references
from firstlight.configuration._dollar import Dollars
from firstlight.configuration._fit import unlike
from firstlight.configuration._inherit import OURS, Family
from firstlight.configuration._order import circles
from firstlight.configuration._parts import Parts, whole_of, word
from firstlight.configuration._problem import ConfigurationError, Problems, Where, nearest
from firstlight.configuration._sections import Layout
from firstlight.configuration._tree import Document, Item, gather
from firstlight.configuration._yaml import Entry, Scalar, Table
from firstlight.devices import Configuration, configuration, kinds
from firstlight.model import FirstlightError


def load(path: Path | str, environ: Mapping[str, str] | None = None) -> Beamline:
    """Read a configuration and check all of it.

    :param path: a file, or a folder with ``beamline.yml`` and others in it and below it.
    :param environ: variables that ``${NAME}`` takes; those of the process when None.
    :raises ConfigurationError: with everything that is wrong.
    :raises NotFound: when there is nothing at the path.
    """
    path = Path(path)
    environ = os.environ if environ is None else environ
    problems = Problems()
    paths = Dollars(environ, None, problems)
    document = gather(path, problems, lambda scalar: paths.plain(scalar, "include")[0])
    beamline = _Loading(path, environ, problems, document).beamline()
    if beamline is None or len(problems):
        raise ConfigurationError(path, problems.all())
    return beamline


@dataclass(slots=True)
class _Loading:
    path: Path
    environ: Mapping[str, str]
    problems: Problems
    document: Document
    kinds: tuple[str, ...] = field(default_factory=kinds)
    taken: set[Where] = field(default_factory=set)
    """Settings of folders that a device has."""
    offered: dict[Where, dict[str, None]] = field(default_factory=dict)
    """Settings of folders, and the words that the devices below know."""
    checked: dict[str, tuple[_Written, Configuration]] = field(default_factory=dict)
    """Devices whose settings are right by themselves."""
    expected: list[tuple[_Written, Named, str]] = field(default_factory=list)
    """Settings of devices that name others, and the names of those."""

    def beamline(self) -> Beamline | None:
        named = self.named()
        aliases = self.aliases(named)
        templates = self.templates(named)
        family = Family(named, templates, self.problems)
        for template in templates:
            family.table(template)
        names = {name: name for name in named} | aliases
        devices = {name: self.device(name, family, names) for name in named}
        self.untaken()
        self.fit(names)
        needed = {name: found[1] for name, found in devices.items()}
        for circle in circles(needed):
            self.problems.add(
                named[circle[0]].table.where,
                circle[0],
                f"These devices need each other: {' -> '.join(circle)}.",
                "Take one reference away.",
            )
        values, shown, layout = self.layout(names)
        parts = Parts(self.document.top, values, names, needed, self.problems)
        parts.check()
        entries = {name: entry for name, (entry, _) in devices.items() if entry is not None}
        if layout is None or len(self.problems):
            return None
        storage = self.document.top.entries.get("storage")
        base = _base(storage.where.file.parent if storage is not None else self.folder())
        return Beamline(
            name=layout.beamline,
            devices=MappingProxyType(entries),
            groups=MappingProxyType(dict(layout.groups)),
            default=layout.default,
            aliases=MappingProxyType(aliases),
            setups=MappingProxyType(dict(layout.setups)),
            scripts=parts.scripts,
            sessions=MappingProxyType(parts.sessions),
            storage=layout.storage,
            icat=layout.icat,
            suspend=MappingProxyType(values.get("suspend") or {}),
            suspenders=MappingProxyType(dict(layout.suspend)),
            roots=layout.storage.roots(base),
            base=base,
            path=self.path.absolute(),
            files=tuple(self.document.files),
            shown=MappingProxyType(shown),
        )

    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def named(self) -> dict[str, Item]:
        """The devices by name; one without a good name is left out."""
        found: dict[str, Item] = {}
        for item in self.document.devices:
            name = item.table.entries.get("name")
            if name is None or (isinstance(name.node, Scalar) and name.node.value in (None, "")):
                self.problems.add(item.table.where, "devices", "This device has no name.", "Add name: and a word.")
            elif not isinstance(name.node, Scalar) or not isinstance(name.node.value, str):
                self.problems.add(name.node.where, "name", "Expected a word as the name of the device.")
            elif word(name.node.value, "device", name.node.where, "devices", self.problems):
                text = name.node.value
                if text in found:
                    first = found[text].table.where
                    self.problems.add(
                        name.node.where, text, f"Another device has this name, in {first}.", "Give each its own name."
                    )
                else:
                    found[text] = item
        return found

    def aliases(self, named: Mapping[str, Item]) -> dict[str, str]:
        """Alias to device; what is wrong with them is told with the other sections."""
        entry = self.document.top.entries.get("aliases")
        if entry is None or not isinstance(entry.node, Table):
            return {}
        found = {alias: (entry.node.text(alias) or "").removeprefix("$") for alias in entry.node.entries}
        return {alias: name for alias, name in found.items() if name.partition(".")[0] in named and alias not in named}

    def templates(self, named: Mapping[str, Item]) -> dict[str, Table]:
        entry = self.document.top.entries.get("templates")
        if entry is None or not isinstance(entry.node, Table):
            return {}
        found = {}
        for name, one in entry.node.entries.items():
            if name in named:
                self.problems.add(
                    one.where, f"templates.{name}", f"{name} is a device too.", "Give the template another name."
                )
            elif isinstance(one.node, Table):
                found[name] = one.node
                if "name" in one.node.entries:
                    self.problems.add(
                        one.node.entries["name"].where,
                        f"templates.{name}.name",
                        "A template gives no name.",
                        "Remove it.",
                    )
        return found

    def device(self, name: str, family: Family, names: Mapping[str, str]) -> tuple[DeviceEntry | None, tuple[str, ...]]:
        """One device, None when something is wrong with it, and the devices that it refers to."""
        table = family.table(name)
        kind, kind_type = self.kind(name, table, told=name in family.orphans or self.problems.broken)
        entries = {key: entry for key, entry in table.entries.items() if key not in OURS}
        if kind_type is not None:
            entries = self.fitting(entries, kind_type)
        settings = Table(entries, table.where)
        dollars = Dollars(self.environ, names, self.problems, heir=name)
        before = len(self.problems)
        values, shown = dollars.plain(settings, name)
        if kind_type is not None:
            given = {"name": name, **values} if "name" in kind_type.model_fields else values
            # A device with a missing variable or an unknown reference is still checked: everything is told at once.
            checked = check(
                kind_type, given, settings, self.problems,
                what=kind, key=name, heir=name, mask=dollars.mask, unknown=dollars.unknown,
            )  # fmt: skip
            written = _Written(name, kind, settings, dollars)
            self.refer(written, kind_type, values)
            if checked is not None:
                self.checked[name] = written, checked
                for loc, other in checked.names_in_texts():
                    written.refer(loc, whole_of(other))
        needed = tuple(dollars.references)
        if kind_type is None or len(self.problems) > before:
            return None, needed
        origins = dict(_origins(settings))
        return DeviceEntry(name, kind, values, needed, table.where, shown, origins), needed

    def refer(self, device: _Written, kind: type[Configuration], values: dict[str, Any]) -> None:
        """Names of other devices in the settings of one: noted, checked, and replaced where they are aliases."""
        found = list(references(kind, values))
        for named in found:
            true = device.refer(named.loc, named.name.removeprefix("$"), key=named.key, first=named.first)
            self.expected.append((device, named, true))
            if not named.key:
                replace(values, named.loc, true)
        for named in reversed(found):
            if named.key:
                rename(values, named.loc, device.dollars.names or {})

    def fit(self, names: Mapping[str, str]) -> None:
        """What is wrong between devices that are right by themselves."""
        for device, reference, name in self.expected:
            whole = name.partition(".")[0]
            if whole not in self.checked or whole == device.name:  # the latter is a circle
                continue
            other, settings = self.checked[whole]
            told = unlike(reference.what, other.kind, settings, name)
            if told is not None:
                message, word, known = told
                where, key, heir = device.place(reference.loc, key=reference.key)
                self.problems.add(where, key, message, nearest(word, known), heir=heir)
        others = {name: self.checked[whole][1] for name, whole in names.items() if whole in self.checked}
        for device, settings in self.checked.values():
            for misfit in settings.misfits(others):
                where, key, heir = device.place(misfit.loc)
                hint = nearest(misfit.word, misfit.known) if misfit.word else ""
                mask = device.dollars.mask
                self.problems.add(where, key, mask(misfit.message), mask(hint), heir=heir)

    def kind(self, name: str, table: Table, *, told: bool) -> tuple[str, type[Configuration] | None]:
        entry = table.entries.get("kind")
        kind = table.text("kind")
        if entry is None:
            if not told:
                hint = "Add one, for instance kind: sim.axis."
                self.problems.add(table.where, f"{name}.kind", "This device has no kind.", hint)
        elif kind is None:
            self.problems.add(entry.node.where, f"{name}.kind", "Expected the word for a kind of device.")
        elif kind not in self.kinds:
            home = entry.home or f"{name}.kind"
            heir = name if entry.home else ""
            hint = nearest(kind, self.kinds)
            if ":" in kind:
                hint = "A function of yours becomes a kind as a plug-in."
            self.problems.add(entry.node.where, home, f"There is no kind of device {kind!r}.", hint, heir=heir)
        else:
            try:
                return kind, configuration(kind)
            except FirstlightError as error:
                self.problems.add(entry.node.where, f"{name}.kind", error.message, error.hint)
        return kind or "", None

    def fitting(self, entries: Mapping[str, Entry], kind: type[Configuration]) -> dict[str, Entry]:
        """The settings without those of a folder that this kind does not have."""
        known = keys(kind)
        found = {}
        for key, entry in entries.items():
            if entry.optional:
                self.offered.setdefault(entry.where, {}).update(dict.fromkeys(known))
                if key not in known:
                    continue
                self.taken.add(entry.where)
            found[key] = entry
        return found

    def untaken(self) -> None:
        """Settings of folders that no device below has are misspelled, or in the wrong folder."""
        for folder in self.document.folders:
            for key, entry in folder.entries.items():
                if entry.where in self.offered and entry.where not in self.taken:
                    known = [name for name in self.offered[entry.where] if name != "name"]
                    self.problems.add(
                        entry.where, key, "No device of this folder has such a setting.", nearest(key, known)
                    )

    def layout(self, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any], Layout | None]:
        """The sections beside devices: plain values, as they may be shown, and checked."""
        top = self.document.top
        dollars = Dollars(self.environ, names, self.problems)
        # Templates are replaced and checked where a device takes them.
        rest = Table({key: entry for key, entry in top.entries.items() if key != "templates"}, top.where)
        values, shown = dollars.plain(rest)
        templates = {}
        if (entry := top.entries.get("templates")) is not None:
            templates["templates"] = Dollars({}, {}, Problems()).plain(entry.node)[1]
        layout = check(
            Layout,
            {**values, **templates},
            top,
            self.problems,
            what="A configuration",
            mask=dollars.mask,
            unknown=dollars.unknown,
        )
        return values, shown, layout


@dataclass(frozen=True, slots=True)
class _Written:
    """A device as it is written.

    :param table: its settings.
    """

    name: str
    kind: str
    table: Table
    dollars: Dollars

    def place(self, loc: Sequence[str | int], *, key: bool = False) -> tuple[Where, str, str]:
        """Where a setting was written, how it is called there, and the device when it inherited it."""
        where, home = place(self.table, loc, key=key)
        return where, home or ".".join(map(str, (self.name, *loc))), self.name if home else ""

    def refer(self, loc: Sequence[str | int], name: str, *, key: bool = False, first: bool = True) -> str:
        """Note a reference to another device, unless the place was told to be wrong; its name, for an alias."""
        where, called, heir = self.place(loc, key=key)
        if where in self.dollars.unknown:
            return name
        return (self.dollars.refer if first else self.dollars.mention)(name, where, called, heir)


def rename(values: Any, loc: tuple[str | int, ...], names: Mapping[str, str]) -> None:
    """Put the name of a device where a key of plain values is its alias."""
    for part in loc[:-1]:
        values = values[part]
    old = str(loc[-1])
    new = names.get(old.removeprefix("$"), old)
    if new != old:
        items = [(new if key == old else key, value) for key, value in values.items()]
        values.clear()
        values.update(items)


def replace(values: Any, loc: tuple[str | int, ...], new: str) -> None:
    """Put a value at a path of plain values."""
    for part in loc[:-1]:
        values = values[part]
    values[loc[-1]] = new


def _origins(table: Table, key: str = "") -> list[tuple[str, Origin]]:
    found = []
    for name, entry in table.entries.items():
        inner = f"{key}.{name}" if key else name
        if isinstance(entry.node, Table) and entry.node.entries:
            found += _origins(entry.node, inner)
        else:
            found.append((inner, Origin(entry.where, entry.via)))
    return found


def _base(folder: Path) -> Path:
    """Where relative paths of data begin: beside the file, but never within the package, which all users share."""
    package = Path(__file__).resolve().parents[1]
    return Path.cwd() if folder.resolve().is_relative_to(package) else folder.absolute()
