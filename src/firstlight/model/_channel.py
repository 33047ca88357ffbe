"""What a channel is: name, type, item shape, unit, source and kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from firstlight.model._errors import InvalidInput

RING_CURRENTS = ("ring", "current", "ring_current", "machine_current", "srcurrent")
"""Names by which beamlines call the current of the storage ring: found under one of them, it normalises frames."""


class ChannelKind(StrEnum):
    """How the items of a channel are kept."""

    LOG = "log"
    """Items of one fixed shape, all kept until they are in a file: positions, counters, spectra."""
    RAGGED = "ragged"
    """Items that are 1-D arrays of varying length: sparse frames, peak lists, events."""
    RING = "ring"
    """Frames in recycled slots."""
    REFERENCE = "reference"
    """Items are references (file, path, index) to frames that another writer stores."""


class ChannelRole(StrEnum):
    """What a channel means to plots and files."""

    AXIS = "axis"
    COUNTER = "counter"
    SPECTRUM = "spectrum"
    FRAME = "frame"
    TIME = "time"
    STATUS = "status"
    RESULT = "result"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """Description of one channel.

    :param name: unique in its run; ``device`` or ``device:part``, of letters, digits and ``_ - : .``.
    :param dtype: numpy dtype string of one value, for instance ``<f8`` or ``<u2``.
    :param shape: shape of one item, ``()`` for a scalar, ``(height, width)`` for a frame; ``()`` for ragged channels.
    :param unit: unit of the values as pint spells it, empty for plain numbers.
    :param source: name of the device, step or task that produces it.
    :param info: free JSON values: exposure, dead time, selections, display hints.
    """

    name: str
    dtype: str = "<f8"
    shape: tuple[int, ...] = ()
    unit: str = ""
    source: str = ""
    kind: ChannelKind = ChannelKind.LOG
    role: ChannelRole = ChannelRole.OTHER
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-:." for c in self.name) or self.name.startswith("."):
            raise InvalidInput(f"{self.name!r} is not a channel name.", hint="Use letters, digits and _ - : . only.")
        if np.dtype(self.dtype).hasobject:
            raise InvalidInput(f"Channel {self.name}: dtype {self.dtype} holds Python objects.")

    @property
    def item_nbytes(self) -> int:
        """Bytes of one item (of one value, for a ragged channel)."""
        count = 1
        for n in self.shape:
            count *= n
        return count * np.dtype(self.dtype).itemsize

    @property
    def fill(self) -> float | int:
        """Value that stands for missing data: NaN for floats, -1 for signed, the maximum for unsigned integers."""
        return missing_value(np.dtype(self.dtype))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of :meth:`from_json`."""
        return {**asdict(self), "shape": list(self.shape), "kind": self.kind.value, "role": self.role.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChannelSpec:
        """Rebuild a description written by :meth:`to_json`; unknown keys are ignored, so newer files can be read."""
        known = {k: data[k] for k in cls.__dataclass_fields__ if k in data}
        known["shape"] = tuple(known.get("shape", ()))
        known["kind"] = ChannelKind(known.get("kind", "log"))
        known["role"] = ChannelRole(known.get("role", "other"))
        return cls(**known)


def missing_value(dtype: np.dtype[Any]) -> float | int:
    """The fill value of a dtype: NaN, -1 or the largest unsigned integer, so that a hole never reads as zero."""
    if dtype.kind in "fc":
        return float("nan")
    if dtype.kind == "i":
        return -1
    if dtype.kind == "u":
        return int(np.iinfo(dtype).max)
    return 0


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive items of one channel.

    :param channel: name of the channel.
    :param first: index of the first item.
    :param values: array of shape ``(count, *item shape)``, or a :class:`Ragged` for ragged channels.
    :param time: monotonic time (s) at which the newest item was acknowledged.
    """

    channel: str
    first: int
    values: NDArray[Any] | Ragged
    time: float

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Items of varying length: item ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    :param values: all values, 1-D.
    :param offsets: int64 array of length ``items + 1`` that starts at 0.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[ArrayLike], dtype: DTypeLike = np.float64) -> Ragged:
        """Items from 1-D arrays."""
        arrays = [np.asarray(item, dtype=dtype).reshape(-1) for item in items]
        offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
        return cls(np.concatenate(arrays) if arrays else np.empty(0, dtype), offsets)

    def first(self, count: int) -> Ragged:
        """The first items."""
        offsets = self.offsets[: count + 1]
        return Ragged(self.values[: offsets[-1]], offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[Any]:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))
