"""What the engine needs of a buffer: a run to write, and the same run to read what cameras publish into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec, RunEnd, RunInfo


class Log(Protocol):
    """A channel being written."""

    def append(self, values: NDArray[Any]) -> Any:
        """Acknowledge items."""


class RaggedLog(Protocol):
    """A channel of items of varying length being written."""

    def append(self, values: NDArray[Any], lengths: NDArray[np.integer[Any]]) -> Any:
        """Acknowledge items, given one after the other."""


class Owner(Protocol):
    """The writing side of a run (``buffer.RunWriter``)."""

    @property
    def key(self) -> str:
        """Key of the run."""

    def create_log(self, spec: ChannelSpec) -> Log:
        """A new channel."""

    def create_ragged(self, spec: ChannelSpec) -> RaggedLog:
        """A new channel of items of varying length."""

    def prepared(self) -> None:
        """All channels of this process are there."""

    def running(self) -> None:
        """Acquisition begins."""

    def stop(self, end: RunEnd) -> None:
        """Seal the channels of this process and record the end."""

    def close(self) -> None:
        """Give the run up."""


class Readable(Protocol):
    """A channel being read (``buffer.ChannelReader``)."""

    @property
    def count(self) -> int:
        """Acknowledged items."""

    @property
    def sealed(self) -> bool:
        """Whether there will be no more."""

    @property
    def seal_reason(self) -> str:
        """Why it was sealed before its run ended; empty for an ordinary end."""

    def read(self, start: int, stop: int) -> Any:
        """A copy of items."""


class Reader(Protocol):
    """The reading side of a run (``buffer.RunReader``)."""

    def channel(self, name: str) -> Readable:
        """One channel.

        :raises NotFound: when it is not there yet.
        """


class Store(Protocol):
    """Where runs are kept (``buffer.Buffer``)."""

    def create_run(self, info: RunInfo, *, readers: Sequence[str] = ()) -> Owner:
        """A new run."""

    def run(self, key: str) -> Reader:
        """An existing run."""
