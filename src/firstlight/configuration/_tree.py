"""The files of a configuration: one, or a folder of them, with what they include, put together into one document."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.configuration._problem import Problems, Where, nearest
from firstlight.configuration._yaml import Entry, Items, Node, Scalar, Table, read, sort
from firstlight.model import NotFound

SUFFIXES = (".yml", ".yaml")
MAIN = ("beamline.yml", "beamline.yaml")
"""Read before the other files of its folder."""
FOLDER = ("__init__.yml", "__init__.yaml")
"""Settings for all devices of its folder and those below."""
DATA = "firstlight-data"
"""Where data go when nothing is said: a folder beside the configuration."""
DEEPEST = 20
"""Levels of folders."""
MOST = 2000
"""Files and folders."""


@dataclass(frozen=True, slots=True)
class Item:
    """One device as it is written, with the settings of the folders that it is in, the outermost first."""

    table: Table
    folders: tuple[Table, ...]


@dataclass(slots=True)
class Document:
    """All files as one.

    :param top: everything but devices.
    :param files: all that were read.
    """

    top: Table
    devices: list[Item] = field(default_factory=list)
    folders: list[Table] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def gather(path: Path, problems: Problems, expand: Callable[[Scalar], object]) -> Document:
    """Read a file or a folder, and what it includes.

    :param expand: the value of a scalar with its variables replaced, for the paths of included files.
    :raises NotFound: when there is nothing at the path.
    """
    if not os.path.exists(path):  # noqa: PTH110 - it does not raise where a folder may not be entered
        raise NotFound(f"There is no configuration {path}.", hint=near_file(path) or "Write one: firstlight config new")
    gathering = _Gathering(
        path if path.is_dir() else path.parent, problems, expand, Document(Table({}, Where(path, 1)))
    )
    if not path.is_dir():
        gathering.file(path)
    elif any(entry.suffix in SUFFIXES for entry in gathering.entries(path)):
        gathering.folder(path)
    elif not len(problems):
        problems.add(Where(path, 1), "", "The folder holds no .yml file.", "Write one: firstlight config new")
    gathering.document.top = Table(gathering.top, Where(gathering.first or path, 1))
    return gathering.document


def near_file(path: Path) -> str:
    """A hint naming a file of the same folder, when one has a similar name."""
    try:
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        return ""
    hint = nearest(path.name, beside)
    return hint if hint.startswith("Did you mean") else ""


@dataclass(slots=True)
class _Gathering:
    root: Path
    problems: Problems
    expand: Callable[[Scalar], object]
    document: Document
    top: dict[str, Entry] = field(default_factory=dict)
    first: Path | None = None
    seen: set[Path] = field(default_factory=set)
    settings: dict[Path, Table | None] = field(default_factory=dict)

    def folder(self, folder: Path, depth: int = 0) -> None:
        """The files of a folder and below it: the main one, the others by name, then the folders by name."""
        real = folder.resolve()
        if real in self.seen or any(real.is_relative_to(data) for data in self.data()):
            return
        self.seen.add(real)
        entries = self.entries(folder)
        if depth > DEEPEST or len(self.seen) > MOST:
            self.problems.add(
                Where(folder, 1), "", f"More than {DEEPEST} folders in each other, or {MOST} files and folders in all.",
                "Name the folder of the configuration.",
            )  # fmt: skip
            return
        files = [e for e in entries if e.suffix in SUFFIXES and e.name not in FOLDER and e.is_file()]
        for file in sorted(files, key=lambda file: (file.name not in MAIN, file.name)):
            self.file(file)
        for entry in entries:
            if entry.is_dir():
                self.folder(entry, depth + 1)

    def entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        except OSError as error:
            self.problems.broken = True
            self.problems.add(Where(folder, 1), "", f"The folder cannot be read: {error.strerror or error}.")
            return []

    def data(self) -> set[Path]:
        """Folders where data are saved, as far as is known by now: there is no configuration in them."""
        entry = self.top.get("storage")
        if entry is None or not isinstance(entry.node, Table):
            return {(self.root / DATA).resolve()}
        base = entry.where.file.parent
        found = {(base / DATA).resolve()}
        for key in ("data", "visitor", "inhouse", "tmp"):
            if (text := entry.node.text(key)) and "$" not in text:
                found.add((base / Path(text.partition("{")[0]).expanduser()).resolve())
        root = self.root.resolve()
        return {folder for folder in found if not root.is_relative_to(folder)}

    def file(self, path: Path) -> None:
        real = path.resolve()
        if real in self.seen:
            return
        self.seen.add(real)
        self.first = self.first or path
        self.document.files.append(real)
        table = read(path, self.problems)
        if table is None:
            return
        folders = self.folders(path.parent)
        for key, entry in table.entries.items():
            if key == "devices":
                self.devices(entry, folders)
            elif key != "include":
                self.section(key, entry)
        if "include" in table.entries:
            self.include(path, table.entries["include"].node)

    def devices(self, entry: Entry, folders: tuple[Table, ...]) -> None:
        if not isinstance(entry.node, Items):
            if isinstance(entry.node, Table) or entry.node.value is not None:
                hint = "Begin each device with a dash: - {name: rot, kind: sim.axis}"
                self.problems.add(
                    entry.node.where, "devices", f"Devices are a list, and this is {sort(entry.node)}.", hint
                )
            return
        for node in entry.node.items:
            if isinstance(node, Table):
                self.document.devices.append(Item(node, folders))
            else:
                self.problems.add(
                    node.where,
                    "devices",
                    f"A device is a mapping, and this is {sort(node)}.",
                    "Write for instance - {name: rot, kind: sim.axis}",
                )

    def section(self, key: str, entry: Entry) -> None:
        if key == "scripts" and isinstance(entry.node, Scalar) and entry.node.value is not None:
            entry = Entry(entry.where, Items((entry.node,), entry.node.where))
        before = self.top.get(key)
        if before is None or (isinstance(before.node, Scalar) and before.node.value is None):
            self.top[key] = entry
            return
        first, second = before.node, entry.node
        if isinstance(first, Items) and isinstance(second, Items):
            self.top[key] = Entry(before.where, Items((*first.items, *second.items), first.where))
        elif isinstance(first, Table) and isinstance(second, Table):
            merged = dict(first.entries)
            for name, one in second.entries.items():
                if name in merged:
                    self.problems.add(
                        one.where, f"{key}.{name}", f"This is defined in {merged[name].where} too.", "Keep one of them."
                    )
                else:
                    merged[name] = one
            self.top[key] = Entry(before.where, Table(merged, first.where))
        else:
            self.problems.add(entry.where, key, f"This is defined in {before.where} too.", "Keep one of them.")

    def include(self, path: Path, node: Node) -> None:
        if isinstance(node, Scalar) and node.value is None:
            return
        for one in node.items if isinstance(node, Items) else (node,):
            target = self.expand(one) if isinstance(one, Scalar) else None
            if not isinstance(target, str) or not target:
                if not isinstance(one, Scalar) or not isinstance(one.value, str):
                    self.problems.add(one.where, "include", f"Expected the path of a file, and this is {sort(one)}.")
                continue
            found = Path(os.path.normpath(path.parent / Path(target).expanduser()))
            if found.is_dir():
                self.folder(found)
            elif found.is_file():
                self.file(found)
            else:
                self.problems.broken = True
                self.problems.add(one.where, "include", f"There is no file {found}.", near_file(found))

    def folders(self, folder: Path) -> tuple[Table, ...]:
        """The settings of a folder and of those above it, down from the root."""
        above = [folder]
        if folder.is_relative_to(self.root):
            while above[0] != self.root:
                above.insert(0, above[0].parent)
        return tuple(table for one in above if (table := self.settings_of(one)) is not None)

    def settings_of(self, folder: Path) -> Table | None:
        if folder not in self.settings:
            self.settings[folder] = None
            for name in FOLDER:
                path = folder / name
                if path.is_file():
                    self.document.files.append(path.resolve())
                    self.settings[folder] = self.check_settings(read(path, self.problems))
        table = self.settings[folder]
        if table is not None and not any(table is one for one in self.document.folders):
            self.document.folders.append(table)
        return table

    def check_settings(self, table: Table | None) -> Table | None:
        for key in ("devices", "beamline", "groups", "include", "templates", "name"):
            if table is not None and key in table.entries:
                self.problems.add(
                    table.entries[key].where,
                    key,
                    "This file holds settings that the devices of its folder inherit, and nothing else.",
                    "Move it to another file of the folder.",
                )
                return None
        return table
