"""Merging a dataset's runs into its one file."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from firstlight.model import Conflict, DataError, NotFound
from firstlight.storage._entries import sort_entries
from firstlight.storage._foreign import is_finished
from firstlight.storage._hdf5 import Locking, any_locking, opened_otherwise
from firstlight.storage._links import links_of, locked, scan_files
from firstlight.storage._space import full, require_space

_PORTION = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction did.

    :param file: the dataset file.
    :param entries: names of the runs inside it now.
    :param removed: files that were removed, because their content is in the dataset file.
    """

    file: Path
    entries: tuple[str, ...]
    removed: tuple[Path, ...]


def compact(dataset_file: Path, *, remove: bool = True, progress: Callable[[str], None] = lambda _: None) -> Compacted:
    """Merge all runs of a dataset into its file; frames stay in their own files, linked.

    The new file is made beside the old one, compared with what it was made from, and takes its name in one step.
    Doing it again, also after it was interrupted, finishes the work.

    :param remove: remove the runs' files afterwards.
    :param progress: called with the name of each entry when it is merged.
    :raises NotFound: when there is no such dataset.
    :raises Conflict: when one of its runs is still being written.
    :raises DataError: when the copy differs; nothing was changed then.
    """
    folder = dataset_file.parent
    sources = {f"{number}.1": file for number, file in scan_files(folder)}
    with locked(folder):
        present = links_of(dataset_file)
        inside = [name for name, target in present.items() if target is None]
        for name, target in present.items():
            if target is not None and name not in sources and (folder / target[0]).exists():
                sources[name] = folder / target[0]
        if not sources and not inside:
            raise NotFound(
                f"{folder} holds no runs to merge.",
                hint="Name the folder of a dataset, {sample}_{dataset}, or its file.",
            )
        # What is inside already needs no copy, but a new file needs all of it.
        todo = {name: file for name, file in sources.items() if name not in inside}
        if todo:
            require_space(folder, sum(f.stat().st_size for f in {*todo.values(), *([dataset_file] if inside else [])}))
            draft = dataset_file.with_name(f".{dataset_file.stem}.compact.h5")
            try:
                merged = {**dict.fromkeys(inside, dataset_file), **todo}
                any_locking(lambda locking: _merge(draft, merged, dataset_file, progress, locking))
                draft.replace(dataset_file)
            except OSError as error:
                raise full(dataset_file, error) from error
            finally:
                draft.unlink(missing_ok=True)
        removed = any_locking(lambda locking: _remove(dataset_file, sources, locking)) if remove else []
        return Compacted(dataset_file, tuple(sort_entries({*inside, *todo})), tuple(removed))


def _merge(
    draft: Path, sources: dict[str, Path], dataset_file: Path, progress: Callable[[str], None], locking: Locking
) -> None:
    draft.unlink(missing_ok=True)
    with h5py.File(draft, "x", locking=False) as target:
        names = sort_entries(sources)
        for name in names:
            with _source(sources[name], name, locking) as source:
                if not target.attrs:
                    target.attrs.update(dict(source.attrs))
                source.copy(source[name], target, name)
                _relocate(source[name], target[name], sources[name].parent, dataset_file.parent)
            progress(name)
        target.attrs["file_name"] = str(dataset_file)
        target.attrs["default"] = names[-1]
    with h5py.File(draft, "r", locking=locking) as target:
        for name in sort_entries(sources):
            with _source(sources[name], name, locking) as source:
                _compare(source[name], target[name])


@contextlib.contextmanager
def _source(path: Path, name: str, locking: Locking) -> Iterator[h5py.File]:
    try:
        with path.open("rb") as stream:
            # As a reader with HDF5's locks would: a file that is being written is not merged.
            fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        file = h5py.File(path, "r", locking=locking)
    except OSError as error:
        if opened_otherwise(error):
            raise
        raise Conflict(f"{path} can not be merged: it is being written, or can not be read.") from error
    with file:
        if name not in file or not is_finished(file[name]):
            raise Conflict(
                f"{path} is not complete, so its dataset can not be merged yet.",
                hint="Let its run end; if its session died, run 'firstlight recover'.",
            )
        yield file


def _relocate(source: h5py.Group, target: h5py.Group, old: Path, new: Path) -> None:
    """Make virtual datasets find their files from the folder of the merged file."""
    if old == new:
        return
    prefix = f"{old.relative_to(new)}/"

    def visit(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.is_virtual:
            plan = item.id.get_create_plist()
            sources = [plan.get_virtual_filename(i) for i in range(plan.get_virtual_count())]
            if all(name == "." for name in sources):
                return
            _virtual(item, target[path].parent, path.rpartition("/")[2], prefix)

    source.visititems(visit)


def _virtual(source: h5py.Dataset, group: h5py.Group, name: str, prefix: str) -> None:
    old = source.id.get_create_plist()
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    fill = np.zeros((), dtype=source.dtype)
    old.get_fill_value(fill)
    plan.set_fill_value(fill)
    for i in range(old.get_virtual_count()):
        file = old.get_virtual_filename(i)
        moved = file if file == "." or Path(file).is_absolute() else prefix + file
        here, there = old.get_virtual_vspace(i), old.get_virtual_srcspace(i)
        if there.get_select_type() == h5py.h5s.SEL_ALL:
            # A whole source has no length in the file, it is that of what it is mapped to.
            low, high = here.get_select_bounds()
            there = h5py.h5s.create_simple(tuple(b - a + 1 for a, b in zip(low, high, strict=True)))
        plan.set_virtual(here, moved.encode(), old.get_virtual_dsetname(i).encode(), there)
    del group[name]
    made = h5py.Dataset(h5py.h5d.create(group.id, name.encode(), source.id.get_type(), source.id.get_space(), plan))
    for key, value in source.attrs.items():
        made.attrs[key] = value


def _compare(source: h5py.Group, target: h5py.Group) -> None:
    """Every dataset and attribute of the one is in the other, with the same values."""
    names = ["."]
    source.visit(names.append)
    for path in names:
        one, other = source[path], target.get(path)
        same = other is not None and type(one) is type(other) and _attributes(one) == _attributes(other)
        if same and isinstance(one, h5py.Group):
            same = set(one) == set(other)
        if same and isinstance(one, h5py.Dataset):
            assert isinstance(other, h5py.Dataset)
            same = one.shape == other.shape and one.dtype == other.dtype and _values_equal(one, other)
        if not same:
            raise DataError(f"The merged copy of {source.file.filename} differs at {path}; nothing was changed.")


def _attributes(item: h5py.Group | h5py.Dataset) -> dict[str, bytes]:
    return {
        name: np.asarray(value).tobytes() if not _text(value) else repr(value).encode() for name, value in _items(item)
    }


def _items(item: h5py.Group | h5py.Dataset) -> list[tuple[str, Any]]:
    return sorted(item.attrs.items())


def _text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype == object)


def _values_equal(one: h5py.Dataset, other: h5py.Dataset) -> bool:
    if one.is_virtual:
        # The frames stay where they are: that the first and the last are found tells that the mapping is right.
        ends = {0, one.shape[0] - 1} if one.shape[0] else set()
        return bool(other.is_virtual) and all(_bits(one[k]) == _bits(other[k]) for k in ends)
    if one.shape == () or one.shape is None:
        return _bits(one[()]) == _bits(other[()])
    rows = max(1, _PORTION // max(1, one.dtype.itemsize * int(np.prod(one.shape[1:], dtype=np.int64))))
    return all(_bits(one[at : at + rows]) == _bits(other[at : at + rows]) for at in range(0, one.shape[0], rows))


def _bits(value: Any) -> object:
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return value.tobytes()
    return value.tolist() if isinstance(value, np.ndarray) else value


def _remove(dataset_file: Path, sources: dict[str, Path], locking: Locking) -> list[Path]:
    """Remove the files whose entries are all inside the merged one, compared once more."""
    removed = []
    newest = sort_entries(sources)[-1:]
    names: dict[Path, list[str]] = {}
    for name, path in sources.items():
        names.setdefault(path, []).append(name)
    with h5py.File(dataset_file, "r", locking=locking) as merged:
        for path, entries in names.items():
            if not all(_inside(merged, name) for name in entries):
                continue
            for name in entries:
                with _source(path, name, locking) as source:
                    _compare(source[name], merged[name])
            path.unlink()
            removed.append(path)
            # The newest folder stays, so that its number is not given again even where this file is not looked into.
            if path.parent != dataset_file.parent and entries != newest:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
    return removed


def _inside(file: h5py.File, name: str) -> bool:
    return isinstance(file.get(name, getlink=True), h5py.HardLink)
