"""YAML 1.2 into values that know their file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from firstlight.configuration._problem import Problems, Where
from firstlight.configuration._syntax import explain

LARGEST = 4 * 2**20
"""Bytes of a file; people do not write longer ones."""
MOST = 200_000
"""Values of a file, those repeated by aliases counted each time."""
DEEPEST = 50
"""Levels of lists and mappings."""

# The core schema of YAML 1.2.2, section 10.3.2.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")

_STANDARD = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, truth value or nothing."""

    value: str | int | float | bool | None
    where: Where


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a table and its value.

    :param where: of the key.
    :param via: what it was inherited from, for people; empty when it was written here.
    :param home: the key as it is called where it was written, ``templates.stepper.velocity``; empty when here.
    :param optional: it comes from a folder's settings, and kinds that do not have it leave it out.
    """

    where: Where
    node: Node
    via: str = ""
    home: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; its keys are texts."""

    entries: Mapping[str, Entry]
    where: Where

    def text(self, key: str) -> str | None:
        """The text under a key, None when there is none."""
        entry = self.entries.get(key)
        value = entry.node.value if entry is not None and isinstance(entry.node, Scalar) else None
        return value if isinstance(value, str) else None


Node: TypeAlias = Scalar | Items | Table


def sort(node: Node) -> str:
    """What a node is, for people."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "true or false"
    return "a text" if isinstance(node.value, str) else "a number"


def read(path: Path, problems: Problems) -> Table | None:
    """The mapping that a file holds; None when it holds none, or nothing that can be read.

    :param problems: notes what is wrong with the file.
    """
    text = _text(path, problems)
    if text is None:
        problems.broken = True
        return None
    node = _Reader(path, text, problems).document()
    if node is None or isinstance(node, Table):
        return node
    if isinstance(node, Scalar) and node.value is None:
        return Table({}, node.where)
    hint = "Begin with keys, for instance: beamline: fl01"
    if isinstance(node, Scalar) and re.match(r"[\w-]+:\S", str(node.value)):
        hint = "Write a blank after the colon."
    problems.add(node.where, "", f"The file holds {sort(node)}, not keys and values.", hint)
    problems.broken = True
    return None


def _text(path: Path, problems: Problems) -> str | None:
    start = Where(path, 1)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            problems.add(
                start,
                "",
                f"The file has {size / 2**20:.0f} MiB, and a configuration at most {LARGEST // 2**20}.",
                "Name the right file, or split it into several.",
            )
            return None
        data = path.read_bytes()
    except OSError as error:
        problems.add(start, "", f"The file cannot be read: {error.strerror or error}.", "Check the path and its owner.")
        return None
    if not data.strip():
        problems.add(start, "", "The file is empty.", "Remove it, or write one with: firstlight config new")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"byte 0x{data[error.start]:02x}"
        problems.add(Where(path, line), "", f"The file is not UTF-8 text ({found}).", "Save it as UTF-8.")
        return None


@dataclass(slots=True)
class _Reader:
    path: Path
    text: str
    problems: Problems
    anchors: dict[str, Node | None] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def document(self) -> Node | None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            events = iter(YAML(typ="safe", pure=True).parse(self.text))
            return self._document(events)
        except YAMLError as error:
            where, message, hint = explain(self.path, self.text, error)
            self.problems.add(where, "", message, hint)
        except _Refused as refused:
            self.problems.add(refused.where, "", refused.message, refused.hint)
        self.problems.broken = True
        return None

    def _document(self, events: Iterator[Any]) -> Node | None:
        from ruamel.yaml import events as kinds

        found: list[Node] = []
        begin = Where(self.path, 1)
        for event in events:
            if isinstance(event, kinds.DocumentStartEvent):
                begin = self._where(event)
            elif isinstance(event, (kinds.ScalarEvent, kinds.CollectionStartEvent, kinds.AliasEvent)):
                if found:
                    raise _Refused(begin, "A second document begins here.", "Keep one; remove the line ---.")
                found.append(self._node(event, events, 0))
        return found[0] if found else Scalar(None, Where(self.path, 1))

    def _where(self, event: Any) -> Where:
        return Where(self.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        from ruamel.yaml import events as kinds

        where = self._where(event)
        if depth > DEEPEST:
            raise _Refused(where, f"More than {DEEPEST} lists and mappings in each other.", "Make it flatter.")
        if isinstance(event, kinds.AliasEvent):
            return self._alias(event.anchor, where)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        before = self.count
        self._counted(1, where)
        node: Node
        if isinstance(event, kinds.MappingStartEvent):
            self._plain_tag(event, where, "map")
            node = self._table(where, events, depth)
        elif isinstance(event, kinds.SequenceStartEvent):
            self._plain_tag(event, where, "seq")
            node = self._list(where, events, depth)
        else:
            node = Scalar(self._scalar(event, where), where)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
            self.sizes[id(node)] = self.count - before
        return node

    def _alias(self, anchor: str, where: Where) -> Node:
        if anchor not in self.anchors:
            known = ", ".join(self.anchors) or "none"
            raise _Refused(where, f"There is no anchor &{anchor} before this *{anchor}.", f"Anchors: {known}.")
        node = self.anchors[anchor]
        if node is None:
            raise _Refused(where, f"The anchor &{anchor} holds itself.", "Write the value out.")
        self._counted(self.sizes[id(node)], where)
        return node

    def _counted(self, values: int, where: Where) -> None:
        self.count += values
        if self.count > MOST:
            raise _Refused(
                where, f"The file has more than {MOST} values, aliases counted.", "Split it, or use fewer aliases."
            )

    def _list(self, where: Where, events: Iterator[Any], depth: int) -> Items:
        from ruamel.yaml.events import SequenceEndEvent

        items = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return Items(tuple(items), where)

    def _table(self, where: Where, events: Iterator[Any], depth: int) -> Table:
        from ruamel.yaml.events import MappingEndEvent, ScalarEvent

        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            at = self._where(event)
            if isinstance(event, ScalarEvent) and not (event.value == "<<" and event.implicit[0]):
                key = event.value
            else:
                key = None
                if isinstance(event, ScalarEvent):
                    self.problems.add(at, "<<", "Merge keys are not used here.", "Inherit with like: instead.")
                else:
                    self._node(event, events, depth + 1)
                    self.problems.add(at, "", "A key must be a word.")
            value = self._node(next(events), events, depth + 1)
            if key is None:
                continue
            if key in entries:
                self.problems.add(
                    at,
                    key,
                    f"This key stands twice; the first is in line {entries[key].where.line}.",
                    "Keep one of them.",
                )
            else:
                entries[key] = Entry(at, value)
        return Table(entries, where)

    def _plain_tag(self, event: Any, where: Where, kind: str) -> None:
        if event.tag is not None and str(event.tag) not in (f"{_STANDARD}{kind}", "!"):
            self._unknown_tag(event.tag, where)

    def _unknown_tag(self, tag: object, where: Where) -> None:
        name = str(tag).replace(_STANDARD, "!!")
        self.problems.add(where, "", f"The tag {name} means nothing here.", "Remove it.")

    def _scalar(self, event: Any, where: Where) -> str | int | float | bool | None:
        text: str = event.value
        tag = "" if event.tag is None else str(event.tag)
        if not tag:
            return self._plain(text, where) if event.implicit[0] else text
        if tag in ("!", f"{_STANDARD}str"):
            return text
        value = self._plain(text, where)
        standard: dict[str, tuple[type, ...]] = {
            "int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)
        }  # fmt: skip
        expected = standard.get(tag.removeprefix(_STANDARD))
        if expected is None:
            self._unknown_tag(tag, where)
        elif not isinstance(value, expected):
            self.problems.add(where, "", f"{text!r} is not what its tag {tag.replace(_STANDARD, '!!')} says.")
        return value

    def _plain(self, text: str, where: Where) -> str | int | float | bool | None:
        if _NULL.fullmatch(text):
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if _FLOAT.fullmatch(text):
            return float(text)
        if found := _INFINITE.fullmatch(text):
            return float(f"{found[1]}inf")
        if _NAN.fullmatch(text):
            self.problems.add(where, "", f"{text} (not a number) means nothing here.", "Give a number.")
            return None
        return text


class _Refused(Exception):
    def __init__(self, where: Where, message: str, hint: str) -> None:
        super().__init__(message)
        self.where, self.message, self.hint = where, message, hint
