"""Nested values as HDF5 groups, the way BLISS and silx spell them, and safe for any text.

A run has some hundred of them, so they are written by HDF5's low-level calls, three times as fast as h5py's own.

In a mapping a key is a dataset, a sub-mapping a group, ``"name@units"`` the attribute ``units`` of ``name``, and
``"@NX_class"`` an attribute of the group itself. Groups without a class become ``NXcollection``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

TEXT = h5py.string_dtype("utf-8")

_UTF8 = h5py.h5t.py_create(TEXT, logical=True)
_UTF8_HERE = h5py.h5t.py_create(TEXT)
_SCALAR = h5py.h5s.create(h5py.h5s.SCALAR)
_ALL = h5py.h5s.ALL

_BEYOND_NEXUS = re.compile(r"[^a-zA-Z0-9_]+")


def nexus_name(name: str) -> str:
    """A name for groups and datasets: every run of other characters becomes one underscore, as blisswriter does it."""
    return _BEYOND_NEXUS.sub("_", name) or "_"


def clean_text(text: str) -> str:
    """The text without what a variable-length UTF-8 string can not hold: NUL and lone surrogates are made visible."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode("utf-8")


def stored(value: Any) -> Any:
    """What h5py can store for a JSON value: numbers, text, homogeneous arrays; anything else as JSON text."""
    if isinstance(value, bool | np.bool_):
        return np.bool_(value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return np.int64(value) if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, np.generic | np.ndarray):
        return _array(np.asarray(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return _sequence(value)
    return clean_text(json.dumps(value, default=str))


def write_tree(group: h5py.Group, tree: Mapping[str, Any], *, nx_class: str = "NXcollection") -> None:
    """Write a nested mapping into a group; what exists already under a name is kept, groups are merged.

    :param nx_class: class of the group when it has none yet; sub-groups are ``NXcollection``.
    """
    own = tree.get("@NX_class", tree.get("NX_class"))
    if isinstance(own, str) and own.startswith("NX"):
        write_attribute(group, "NX_class", own)
    elif not h5py.h5a.exists(group.id, b"NX_class"):
        write_attribute(group, "NX_class", nx_class)
    attributes: list[tuple[str, str, Any]] = []
    for key, value in tree.items():
        name, at, attribute = key.rpartition("@") if "@" in key else (key, "", "")
        if at:
            if (name or attribute != "NX_class") and value is not None:
                attributes.append((name, attribute, value))
        elif key != "NX_class" and value is not None:
            _write(group, _child(key), value)
    for name, attribute, value in attributes:
        target = group.get(_child(name)) if name else group
        if target is not None:
            write_attribute(target, attribute or "note", value)


def make_group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """The group of that name, made with its class when it does not exist."""
    path = name.encode()
    if path in parent.id:
        return parent[name]
    group = h5py.Group(h5py.h5g.create(parent.id, path))
    write_attribute(group, "NX_class", nx_class)
    return group


def write_attribute(item: h5py.Group | h5py.Dataset, name: str, value: Any) -> None:
    """An attribute of any JSON value; replaces what is there."""
    data = stored(value)
    if isinstance(data, np.ndarray) and data.dtype == object:
        item.attrs.create(name, data, dtype=TEXT)
        return
    # Attributes share one object header of 64 KiB.
    array = np.array(data[:16_000], dtype=TEXT) if isinstance(data, str) else np.asarray(data)
    if array.ndim:
        item.attrs[name] = array
        return
    path = name.encode("utf-8", "replace")
    if h5py.h5a.exists(item.id, path):
        h5py.h5a.delete(item.id, path)
    h5py.h5a.create(item.id, path, *_types(array)).write(array)


def write_text(group: h5py.Group, name: str, text: str) -> h5py.Dataset:
    """A scalar text dataset; replaces what is there."""
    path = name.encode()
    if path in group.id:
        group.id.unlink(path)
    return h5py.Dataset(_scalar(group, path, np.array(clean_text(text), dtype=TEXT)))


def rewrite_text(group: h5py.Group, name: str, text: str) -> None:
    """Change the value of a scalar text dataset."""
    h5py.h5d.open(group.id, name.encode()).write(_ALL, _ALL, np.array(clean_text(text), dtype=TEXT), _UTF8_HERE)


def read_tree(group: h5py.Group) -> dict[str, Any]:
    """The inverse of :func:`write_tree`, for groups of scalars and small arrays."""
    tree: dict[str, Any] = {}
    if "NX_class" in group.attrs:
        tree["@NX_class"] = as_text(group.attrs["NX_class"])
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            tree[name] = read_tree(item)
        elif isinstance(item, h5py.Dataset):
            tree[name] = plain(item[()])
            tree.update({f"{name}@{key}": plain(value) for key, value in item.attrs.items()})
    return tree


def as_text(value: Any) -> str:
    """Text from what h5py returns for a string dataset or attribute."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return as_text(value.flat[0]) if value.size else ""
    return str(value)


def plain(value: Any) -> Any:
    """A JSON value from what h5py returns."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def as_number(value: Any) -> float | None:
    """A finite number as float; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _child(key: str) -> str:
    # A slash would make a path, and "." stands for the group itself.
    name = clean_text(key).replace("/", "_")
    return name if name.strip(".") else "_" + name.replace(".", "_")


def _write(group: h5py.Group, name: str, value: Any) -> None:
    path = name.encode()
    present = path in group.id
    if isinstance(value, Mapping):
        if not present:
            write_tree(h5py.Group(h5py.h5g.create(group.id, path)), value)
        elif isinstance(group.get(name), h5py.Group):
            write_tree(group[name], value)
        return
    if present:
        return
    data = stored(value)
    if isinstance(data, np.ndarray) and data.ndim:
        group.create_dataset(name, data=data, dtype=TEXT if data.dtype == object else None)
    else:
        _scalar(group, path, np.array(data, dtype=TEXT) if isinstance(data, str) else np.asarray(data))


def _scalar(group: h5py.Group, path: bytes, array: NDArray[Any]) -> h5py.h5d.DatasetID:
    kind, space = _types(array)
    dataset = h5py.h5d.create(group.id, path, kind, space)
    dataset.write(_ALL, _ALL, array, _UTF8_HERE if array.dtype == object else None)
    return dataset


def _types(array: NDArray[Any]) -> tuple[h5py.h5t.TypeID, h5py.h5s.SpaceID]:
    return (_UTF8 if array.dtype == object else h5py.h5t.py_create(array.dtype, logical=True)), _SCALAR


def _array(value: NDArray[Any]) -> Any:
    if value.dtype.kind in "OUSM" or value.dtype.kind == "m":
        return stored(value.tolist()) if value.dtype.kind not in "Mm" else stored(value.astype(str).tolist())
    return value if value.ndim else value[()]


def _sequence(value: Sequence[Any]) -> Any:
    items = list(value)
    if not items:
        return np.empty(0, dtype=np.float64)
    if all(isinstance(v, str) for v in items):
        return np.array([clean_text(v) for v in items], dtype=object)
    if all(isinstance(v, bool | np.bool_) for v in items):
        return np.array(items, dtype=np.bool_)
    if _numbers(items):
        try:
            found = np.array(items)
        except (ValueError, OverflowError):
            found = np.empty(0, dtype=object)
        if found.dtype.kind in "iuf":
            return found
    return clean_text(json.dumps(items, default=str))


def _numbers(items: Sequence[Any]) -> bool:
    return all(
        _numbers(v) if isinstance(v, list | tuple) else isinstance(v, int | float) and not isinstance(v, bool)
        for v in items
    )
