"""Where the items of a run are read from: the buffer or a file, behind one protocol.

A source answers for what it holds and nothing else. Which of several sources serves an index, and what an absent
item means, is decided once, in ``_resolver``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firstlight.model import (
    Block,
    ChannelKind,
    ChannelSpec,
    FirstlightError,
    NotFound,
    Ragged,
    RunEnd,
    RunInfo,
    RunState,
)

Items = NDArray[Any] | Ragged
"""Consecutive items: an array ``(count, *item shape)``, or a :class:`~firstlight.model.Ragged`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Consecutive items of a channel as rows of one HDF5 dataset."""

    file: Path
    """The file."""
    dataset: str
    """Path of the dataset in it."""
    first: int
    """Row of the first of the items."""
    count: int
    """Number of items."""


class SourceGone(FirstlightError):
    """The source was removed under its reader; another source may hold the same items."""


class NoChannel(NotFound, KeyError):
    """The run has no channel (or its tree no item) of that name."""


class ChannelSource(Protocol):
    """One channel in one place."""

    @property
    def spec(self) -> ChannelSpec:
        """What the items are."""

    @property
    def count(self) -> int:
        """Items of the channel that this source knows of, whether it still holds them or not."""

    @property
    def first(self) -> int:
        """Oldest item that this source still holds; ``count`` when it holds none."""

    @property
    def sealed(self) -> bool:
        """Whether ``count`` is final."""

    @property
    def seal_reason(self) -> str:
        """Why the channel ended, empty for the ordinary end."""

    def read(self, start: int, stop: int) -> Items:
        """Copy of the items ``start`` to ``stop - 1``, which lie within ``first`` and ``count``.

        :raises IndexNoLongerThere: when they were released meanwhile.
        """

    def block(self, start: int, stop: int) -> Block:
        """The same as one block, with the acknowledge time of its last item, NaN where it is not recorded."""

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Monotonic time (s) at which each item was acknowledged; NaN where it is not recorded."""

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        """Those of the items that the producer could not keep; they read as the missing value of their type."""

    def stored(self) -> Sequence[Stored]:
        """Where all items lie as rows of HDF5 datasets, in order; empty when they do not."""


class RunSource(Protocol):
    """One run in one place. Methods raise :class:`SourceGone` when that place no longer exists."""

    where: str
    """The place, for messages: a key in the buffer, or a file and its entry."""

    @property
    def key(self) -> str:
        """Key of the run in the buffer, now or then; empty when unknown."""

    @property
    def info(self) -> RunInfo:
        """The description written when the run was created."""

    @property
    def state(self) -> RunState:
        """How far the run is."""

    @property
    def end(self) -> RunEnd | None:
        """How it ended; None while it goes on."""

    def names(self) -> Sequence[str]:
        """Names of the channels that exist now."""

    def channel(self, name: str) -> ChannelSource | None:
        """One channel; None when it does not exist here (yet)."""

    def refresh(self) -> None:
        """Look again at what may have grown."""

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block until the condition holds (true) or the time is over (false); the condition is asked again whenever
        the source may have changed."""

    def wait_async(self, condition: Callable[[], bool], timeout: float) -> Awaitable[bool]:
        """The same without blocking the event loop."""

    def close(self) -> None:
        """Release files and mappings."""


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """The hint of an error about an unknown name: the closest ones, or all when they are few."""
    import difflib

    names = [str(n) for n in known]
    if not names:
        return f"There is no {what}."
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    shown = names[:8]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"There is {', '.join(shown)}{more}."


def join(parts: Sequence[Items], spec: ChannelSpec) -> Items:
    """One block of items from consecutive parts; an empty one when there is no part."""
    if len(parts) == 1:
        return parts[0]
    if spec.kind is ChannelKind.RAGGED:
        ragged = [p for p in parts if isinstance(p, Ragged)]
        if not ragged:
            return Ragged(np.empty(0, dtype=spec.dtype), np.zeros(1, dtype=np.int64))
        values = np.concatenate([r.values for r in ragged])
        lengths = np.concatenate([np.diff(r.offsets) for r in ragged])
        return Ragged(values, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)]))
    dense = [p for p in parts if not isinstance(p, Ragged)]
    if not dense:
        return np.empty((0, *spec.shape), dtype=spec.dtype)
    return np.concatenate(dense)
