"""How far a run in a file reaches: every file from which something is read when it is.

HDF5 files lead to others in three ways: by external links, by virtual datasets, and by datasets whose bytes are those
of any file at all. Whoever serves files of others must know where they lead before HDF5 goes there.

How HDF5 looks for files that are named relatively: https://support.hdfgroup.org/documentation/hdf5/latest/group___h5_l.html
(``H5Lcreate_external``) and ``H5Pset_virtual``, ``H5Pset_external`` there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from firstlight.data._file import patiently
from firstlight.model import DataError, NotFound

Stamp: TypeAlias = tuple[str, int, int, int, int] | None
"""A file as it is now: where it really is, device, inode, size (bytes), last change (ns); None where there is none."""

PARTS = 50_000
"""Groups, datasets and links of one run that are looked at; one has some hundreds."""
_DEEP = 32
"""Links one behind the other that are followed; HDF5 follows 16."""


@dataclass(frozen=True)
class Reach:
    """The files that belong to a run.

    :param stamps: each of them as it was when it was looked at, and places where one would be read if it were there.
    """

    stamps: dict[Path, Stamp]

    @property
    def files(self) -> frozenset[Path]:
        """Those that exist."""
        return frozenset(path for path, stamp in self.stamps.items() if stamp is not None)

    def same(self, path: Path | None = None) -> bool:
        """Whether all of them, or one of them, are still as they were, and where they were."""
        stamps = self.stamps if path is None else {path: self.stamps.get(path)}
        return all(_stamp(file) == stamp for file, stamp in stamps.items())


def reach(path: Path, entry: str, allowed: Callable[[Path], bool]) -> Reach:
    """Every file from which something is read when this entry of a file is.

    :param allowed: whether a file, of which all links are resolved, may be read; asked before it is opened.
    :raises NotFound: a file that may not, or no file at all.
    :raises DataError: when it is no HDF5 file, or has more parts than any run.
    """

    def look() -> Reach:
        walk = _Walk(allowed)
        walk.start(path, entry)
        return Reach(walk.stamps)

    return patiently(path, look)


@dataclass
class _Walk:
    allowed: Callable[[Path], bool]
    stamps: dict[Path, Stamp] = field(default_factory=dict)
    _seen: set[tuple[str, object]] = field(default_factory=set)
    _deep: int = 0

    def start(self, path: Path, entry: str) -> None:
        if not self._may_be_read(path):
            raise NotFound(f"There is no file {path}.")
        self._into(path, entry)

    def _new(self, file: str, item: object) -> bool:
        """Whether this part of a file was not looked at yet."""
        if (file, item) in self._seen:
            return False
        self._seen.add((file, item))
        if len(self._seen) + len(self.stamps) > PARTS:
            raise _too_much()
        return True

    def _may_be_read(self, path: Path) -> bool:
        """Whether it is there.

        :raises NotFound: it is, and may not be read.
        """
        if path not in self.stamps:
            self.stamps[path] = _stamp(path)
        stamp = self.stamps[path]
        if stamp is None:
            return False
        # What is no plain file (a pipe, a device) would be waited for.
        if not self.allowed(Path(stamp[0])) or not path.is_file():
            raise _outside()
        return True

    def _into(self, path: Path, inside: str) -> None:
        """Another file, at one of its items."""
        from firstlight.storage import open_hdf5

        if not self._new(str(path), inside):
            return
        if self._deep >= _DEEP:
            raise _too_much()
        self._deep += 1
        with open_hdf5(path) as file:
            self._follow(file, file, inside, 0)
        self._deep -= 1

    def _follow(self, file: Any, start: Any, name: str, depth: int) -> None:
        """What a path leads to, one link at a time, so that none is followed unseen."""
        import h5py

        group = file if name.startswith("/") else start
        steps = [step for step in name.split("/") if step not in ("", ".")]
        for k, step in enumerate(steps):
            link = group.get(step, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None or depth > _DEEP:
                return  # leads nowhere
            rest = "/".join(steps[k + 1 :])
            if isinstance(link, h5py.ExternalLink):
                self._external(file, link.filename, f"{link.path}/{rest}" if rest else link.path)
                return
            if isinstance(link, h5py.SoftLink):
                self._follow(file, group, f"{link.path}/{rest}" if rest else link.path, depth + 1)
                return
            group = group[step]
        self._node(file, group)

    def _node(self, file: Any, item: Any) -> None:
        """Everything in a group, or what a dataset consists of."""
        import h5py

        waiting = [item]
        while waiting:
            one = waiting.pop()
            if not self._new(file.filename, h5py.h5o.get_info(one.id).addr):
                continue
            if isinstance(one, h5py.Dataset):
                self._dataset(file, one)
            elif isinstance(one, h5py.Group):
                for name in one:
                    link = one.get(name, getlink=True)
                    if isinstance(link, h5py.HardLink):
                        waiting.append(one[name])
                    else:
                        self._follow(file, one, name, 0)

    def _dataset(self, file: Any, dataset: Any) -> None:
        for name, _, _ in dataset.external or ():
            for place in _places(file, name, "HDF5_EXTFILE_PREFIX"):
                self._may_be_read(place)
        if not dataset.is_virtual:
            return
        for source in dataset.virtual_sources():
            name, inside = _plain(source.file_name), _plain(source.dset_name)
            if name == ".":
                self._follow(file, file, inside, 0)
            else:
                self._external(file, name, inside, "HDF5_VDS_PREFIX")

    def _external(self, file: Any, name: str, inside: str, prefix: str = "HDF5_EXT_PREFIX") -> None:
        """Where HDF5 would look, in its order: it takes the first that it can open."""
        import h5py

        for place in _places(file, name, prefix):
            if self._may_be_read(place) and h5py.is_hdf5(place):
                self._into(place, inside)
                return


def _plain(name: str) -> str:
    """A name in a virtual dataset, in which a percent sign is doubled."""
    parts = name.split("%%")
    if any("%" in part for part in parts):
        # Numbers that HDF5 fills in name files and datasets without end.
        raise _outside()
    return "%".join(parts)


def _places(file: Any, name: str, prefix: str) -> Iterator[Path]:
    own = Path(file.filename).absolute().parent
    if Path(name).is_absolute():
        yield Path(name)
        name = Path(name).name
    for folder in filter(None, os.environ.get(prefix, "").split(":")):
        yield Path(folder.replace("${ORIGIN}", str(own))) / name
    yield own / name
    yield Path.cwd() / name
    yield Path(os.path.realpath(file.filename)).parent / name


def _stamp(path: Path) -> Stamp:
    try:
        real = os.path.realpath(path, strict=True)
        there = Path(real).stat()
    except (OSError, ValueError):
        return None
    return real, there.st_dev, there.st_ino, there.st_size, there.st_ctime_ns


def _too_much() -> DataError:
    return DataError("The run has more parts, or more links one behind the other, than any run.")


def _outside() -> NotFound:
    return NotFound(
        "A part of this run lies outside the folders that are served.",
        hint="Whoever runs the server can name its folder, too: firstlight web --data FOLDER.",
    )
