"""Names in the sections beside devices: groups, aliases, setups, scripts, sessions."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from firstlight.configuration._beamline import SubSession, is_pattern
from firstlight.configuration._order import circles, needed
from firstlight.configuration._problem import Problems, Where, nearest
from firstlight.configuration._tree import near_file
from firstlight.configuration._yaml import Items, Node, Scalar, Table
from firstlight.model import Expression, InvalidInput
from firstlight.storage import check_name

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONGEST = 60
SESSION = "session"
"""Stands for the session itself at the prompt and in setups."""
RESERVED = (SESSION, "setup")


def whole_of(name: str) -> str:
    """The device of a part that it brings itself, which is known when it is built: ``slits.gap``, ``cam:roi1``."""
    return re.split("[.:]", name, maxsplit=1)[0]


def word(text: str, what: str, where: Where, key: str, problems: Problems) -> bool:
    """Whether a text can be a name at the prompt; notes the problem otherwise.

    :param what: what it names, for the message.
    """
    if _WORD.fullmatch(text) and len(text) <= _LONGEST and not keyword.iskeyword(text) and text not in RESERVED:
        return True
    if keyword.iskeyword(text) or text in RESERVED:
        hint = f"It is a word of {'Firstlight' if text in RESERVED else 'Python'}; take for instance {text}1."
    else:
        better = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:_LONGEST]
        hint = "Use letters, digits and _, a letter first" + (f": {better}." if _WORD.fullmatch(better) else ".")
    article = "an" if what[0] in "aeiou" else "a"
    problems.add(where, key, f"{text!r} cannot be the name of {article} {what}.", hint)
    return False


@dataclass(slots=True)
class Parts:
    """Checks names against each other, and finds what patterns mean.

    :param top: the sections as they were read, for places.
    :param values: the same with references and variables replaced; sections of a wrong shape are passed over.
    :param names: device or alias to device.
    :param references: of the devices that are there.
    """

    top: Table
    values: Mapping[str, Any]
    names: Mapping[str, str]
    references: Mapping[str, Collection[str]]
    problems: Problems
    scripts: tuple[Path, ...] = ()
    sessions: dict[str, SubSession] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def check(self) -> None:
        """All sections."""
        self.beamline()
        self.read_groups()
        for alias, where, target in self._words("aliases"):
            self.alias(alias, where, target)
        self.default("default", self.top, self.values)
        self.setups()
        self.suspenders()
        self.read_scripts()
        self.read_sessions()

    def beamline(self) -> None:
        entry, name = self.top.entries.get("beamline"), self.values.get("beamline")
        if entry is None or name is None:
            if not self.problems.broken:
                where = Where(self.top.where.file, 1)
                self.problems.add(where, "beamline", "The beamline has no name.", "Add for instance beamline: fl01")
        elif isinstance(name, str):
            try:
                check_name("beamline", name)
            except InvalidInput as error:
                self.problems.add(entry.node.where, "beamline", error.message, error.hint)

    def suspenders(self) -> None:
        """Conditions must be conditions, about devices that are there."""
        for name, _, node in self._words("suspend"):
            values = self.values["suspend"][name]
            if not isinstance(values, Mapping) or not isinstance(node, Table):
                continue
            for setting in ("when", "resume"):
                text, entry = values.get(setting), node.entries.get(setting)
                if isinstance(text, str) and text and entry is not None:
                    self.condition(f"suspend.{name}.{setting}", entry.node.where, text)

    def condition(self, key: str, where: Where, text: str) -> None:
        try:
            expression = Expression(text)
            truth = expression.bind({}).truth
        except InvalidInput as error:
            self.problems.add(where, key, error.message, error.hint)
            return
        if not truth:
            self.problems.add(
                where, key, f"'{text}' is no condition.", "Compare it with something: ring.current < 5 mA."
            )
        for used in expression.names:
            self.known(key, where, whole_of(used), self.names, "device")

    def read_groups(self) -> None:
        for name, where, _ in self._words("groups"):
            if name in self.names:
                self.problems.add(where, f"groups.{name}", f"{name} is a device too.", "Give the group another name.")
            else:
                word(name, "group", where, "groups", self.problems)
        for name, _, node in self._words("groups"):
            members = []
            for at, member in self._texts(node, self.values["groups"][name]):
                members.append(member)
                self.member(f"groups.{name}", at, member)
            self.groups[name] = members
        nested = {name: [m for m in members if m in self.groups] for name, members in self.groups.items()}
        for circle in circles(nested):
            where = self._section("groups").entries[circle[0]].where
            self.problems.add(
                where, f"groups.{circle[0]}", f"Groups hold each other: {' -> '.join(circle)}.", "Take one away."
            )

    def member(self, key: str, where: Where, member: str) -> None:
        whole = whole_of(member)
        groups = self._section("groups").entries if whole == member else ()
        self.known(key, where, whole, {**dict.fromkeys(groups), **self.names}, "device or group")

    def known(self, key: str, where: Where, name: str, known: Collection[str], what: str) -> bool:
        """Whether a name, or a pattern, is that of something; notes the problem otherwise."""
        if name in known or (is_pattern(name) and any(fnmatchcase(one, name) for one in known)):
            return True
        if not self.problems.broken:
            message = f"No {what} is like {name}." if is_pattern(name) else f"There is no {what} {name!r}."
            self.problems.add(where, key, message, nearest(name.strip("*?"), known))
        return False

    def alias(self, alias: str, where: Where, node: Node) -> None:
        key = f"aliases.{alias}"
        if self.names.get(alias) == alias:
            self.problems.add(where, key, f"{alias} is a device too.", "Give the alias another name.")
        elif alias in self.groups:
            self.problems.add(where, key, f"{alias} is a group too.", "Give the alias another name.")
        elif word(alias, "alias", where, "aliases", self.problems):
            devices = [name for name, device in self.names.items() if name == device]
            for at, device in self._texts(node, self.values["aliases"][alias]):
                self.known(key, at, whole_of(device), devices, "device")

    def default(self, key: str, table: Table, values: Mapping[str, Any]) -> None:
        entry, value = table.entries.get("default"), values.get("default")
        if entry is not None and isinstance(value, str) and value:
            self.known(key, entry.node.where, value, self._section("groups").entries, "group")

    def setups(self) -> None:
        for name, where, node in self._words("setups"):
            word(name, "setup", where, "setups", self.problems)
            if isinstance(node, Table):
                for device, entry in node.entries.items():
                    known = [*self.names, SESSION]
                    self.known(f"setups.{name}", entry.where, whole_of(device.removeprefix("$")), known, "device")

    def read_scripts(self) -> None:
        found: dict[str, Path] = {}
        entry = self.top.entries.get("scripts")
        if entry is None:
            return
        for where, text in self._texts(entry.node, self.values["scripts"]):
            path = Path(os.path.normpath(where.file.parent.absolute() / Path(text).expanduser()))
            if not path.is_file():
                self.problems.add(where, "scripts", f"There is no file {path}.", near_file(path))
            elif path.stem in found and found[path.stem] != path:
                self.problems.add(where, "scripts", f"Two scripts are called {path.stem}.", "Rename one.")
            else:
                found[path.stem] = path
        self.scripts = tuple(found.values())

    def read_sessions(self) -> None:
        for name, where, node in self._words("sessions"):
            word(name, "session", where, "sessions", self.problems)
            values = self.values["sessions"][name]
            if not isinstance(node, Table) or not isinstance(values, Mapping):
                continue
            key = f"sessions.{name}"
            devices = [one for one, device in self.names.items() if one == device]
            chosen = self._chosen(f"{key}.devices", node, values, "devices", self.names, "device")
            seen = needed([whole_of(self.names[one]) for one in chosen], self.references)
            visible = [group for group in self.groups if self._devices(group) <= seen] if chosen else list(self.groups)
            groups = self._chosen(f"{key}.groups", node, values, "groups", self.groups, "group") or visible
            for group in groups:
                # A group that was asked for brings what it measures.
                if chosen and group not in visible:
                    seen |= needed(self._devices(group), self.references)
            scripts = {path.stem: path for path in self.scripts}
            wanted = self._chosen(f"{key}.scripts", node, values, "scripts", scripts, "script") or list(scripts)
            self.default(f"{key}.default", node, values)
            own = values.get("default")
            self.sessions[name] = SubSession(
                name=name,
                devices=tuple(one for one in devices if not chosen or one in seen),
                groups=tuple(groups),
                scripts=tuple(scripts[one] for one in wanted),
                default=own if isinstance(own, str) and own else self._inherited_default(groups),
            )

    def _inherited_default(self, groups: Collection[str]) -> str:
        default = self.values.get("default")
        return default if isinstance(default, str) and default in groups else ""

    def _chosen(
        self, key: str, node: Table, values: Mapping[str, Any], part: str, known: Collection[str], what: str
    ) -> list[str]:
        entry = node.entries.get(part)
        found: dict[str, None] = {}
        if entry is None:
            return []
        for where, text in self._texts(entry.node, values[part]):
            if self.known(key, where, text, known, what):
                found |= dict.fromkeys([text] if text in known else [one for one in known if fnmatchcase(one, text)])
        return list(found)

    def _devices(self, group: str, inside: tuple[str, ...] = ()) -> set[str]:
        """The devices that a group needs."""
        found: set[str] = set()
        for member in self.groups.get(group, ()) if group not in inside else ():
            name = whole_of(member)
            if name in self.groups:
                found |= self._devices(name, (*inside, group))
            else:
                found |= {whole_of(self.names[one]) for one in self.names if one == name or fnmatchcase(one, name)}
        return found

    def _section(self, key: str) -> Table:
        entry = self.top.entries.get(key)
        return entry.node if entry is not None and isinstance(entry.node, Table) else Table({}, self.top.where)

    def _words(self, section: str) -> Iterator[tuple[str, Where, Node]]:
        """Keys of a section of the right shape, with their places and what they hold."""
        for name, entry in self._section(section).entries.items():
            if name in self.values[section]:
                yield name, entry.where, entry.node

    def _texts(self, node: Node, value: Any) -> Iterator[tuple[Where, str]]:
        """The texts of a list, or the one text, with their places."""
        if isinstance(node, Scalar):
            if isinstance(value, str) and value:
                yield node.where, value
        elif isinstance(node, Items):
            for item, one in zip(node.items, value, strict=True):
                if isinstance(item, Scalar) and isinstance(one, str) and one:
                    yield item.where, one
