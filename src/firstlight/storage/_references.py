"""Reference channels: frames that a detector's own writer stores; they are linked, never copied.

An item is ``(file, path, index)``: the file (absolute, or relative to the run's), the path of its dataset, the frame in
it. The channel's ``info`` says what the frames are: ``dtype`` and ``shape``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelKind, ChannelRole, ChannelSpec
from firstlight.storage._frames import Part

DTYPE = "S512,S128,<i8"
"""Type of one reference: file, path, index."""

_SESSION_DEPTH = 4
"""From a run's folder up to its session's."""


def reference_spec(name: str, dtype: str, shape: tuple[int, ...], *, unit: str = "", source: str = "") -> ChannelSpec:
    """The description of a reference channel.

    :param dtype: of the frames.
    :param shape: of one frame.
    """
    return ChannelSpec(
        name=name,
        dtype=DTYPE,
        unit=unit,
        source=source or name,
        kind=ChannelKind.REFERENCE,
        role=ChannelRole.FRAME,
        info={"dtype": dtype, "shape": list(shape)},
    )


def references(frames: Sequence[tuple[str | Path, str, int]]) -> NDArray[Any]:
    """Items of a reference channel."""
    return np.array([(str(f).encode(), p.encode(), i) for f, p, i in frames], dtype=DTYPE)


def extend_parts(parts: list[Part], items: NDArray[Any], folder: Path) -> None:
    """Add references to a list of runs of consecutive frames.

    :param parts: changed in place.
    :param items: references, as :func:`references` makes them.
    :param folder: of the run's file; names are made relative to it where that does not leave its session.
    """
    names: dict[bytes, str] = {}
    for file, path, index in items.tolist():
        name = names.get(file) or names.setdefault(file, _relative(file.decode(), folder))
        last = parts[-1] if parts else None
        if last and (last.file, last.dataset, last.first + last.count) == (name, path.decode(), index):
            parts[-1] = Part(last.file, last.dataset, last.count + 1, last.first)
        else:
            parts.append(Part(name, path.decode(), 1, index))


def _relative(file: str, folder: Path) -> str:
    if not Path(file).is_absolute():
        return file
    relative = os.path.relpath(file, folder)
    return relative if relative.count("..") <= _SESSION_DEPTH else file
