"""Runs to read, in every place where a run can be, with the same items in each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.buffer import Buffer
from firstlight.data._resolver import Resolver
from firstlight.data._run import Run
from firstlight.data._source import ChannelSource, Items, SourceGone, Stored, join
from firstlight.model import (
    Block,
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    IndexNoLongerThere,
    NotFound,
    PlotHint,
    Ragged,
    RunEnd,
    RunInfo,
    RunState,
)
from tests.data.data_room import Room


class ArrayChannel:
    """A channel whose items a test puts in, releases and seals."""

    def __init__(self, spec: ChannelSpec, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.first = 0
        self.sealed = False
        self.seal_reason = ""
        self.reads = 0
        self._parts: list[Items] = []
        self._changed = changed

    @property
    def count(self) -> int:
        return sum(len(p) for p in self._parts)

    def append(self, values: Any) -> None:
        self._parts.append(values if isinstance(values, Ragged) else np.asarray(values, dtype=self.spec.dtype))
        self._changed()

    def release(self, upto: int) -> None:
        self.first = upto
        self._changed()

    def seal(self, reason: str = "") -> None:
        self.seal_reason = reason
        self.sealed = True
        self._changed()

    def read(self, start: int, stop: int) -> Items:
        self.reads += 1
        if start < self.first:
            raise IndexNoLongerThere(f"{self.spec.name}[{start}] was released.")
        assert 0 <= start <= stop <= self.count
        whole = join(self._parts, self.spec)
        if isinstance(whole, Ragged):
            chosen = [whole[i] for i in range(start, stop)]
            offsets = np.concatenate([[0], np.cumsum([len(c) for c in chosen])]).astype(np.int64)
            return Ragged(np.concatenate([*chosen, np.empty(0, dtype=self.spec.dtype)]), offsets)
        return whole[start:stop].copy()

    def block(self, start: int, stop: int) -> Block:
        return Block(self.spec.name, start, self.read(start, stop), float(stop - 1))

    def missing(self, start: int, stop: int) -> NDArray[np.int64]:
        return np.empty(0, dtype=np.int64)

    def stored(self) -> Sequence[Stored]:
        return ()

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        return np.arange(start, stop, dtype=np.float64)


class ArraySource:
    """A run in memory that a test grows by hand; a twin of what the buffer and files give."""

    def __init__(self, info: RunInfo, where: str = "memory") -> None:
        self.where = where
        self.key = "20251113T020000-ascan-00000000"
        self.info = info
        self.state = RunState.RUNNING
        self.end: RunEnd | None = None
        self.gone = False
        self.closed = False
        self.refreshed = 0
        self.made: dict[str, ArrayChannel] = {}
        self._bell = threading.Condition()

    def add(self, spec: ChannelSpec, values: Any = None) -> ArrayChannel:
        channel = ArrayChannel(spec, self.ring)
        if values is not None:
            channel.append(values)
        self.made[spec.name] = channel
        self.ring()
        return channel

    def stop(self, end: RunEnd | None = None) -> None:
        for channel in self.made.values():
            channel.seal(channel.seal_reason)
        self.end = end
        self.state = RunState.STOPPED
        self.ring()

    def ring(self) -> None:
        with self._bell:
            self._bell.notify_all()

    def _alive(self) -> None:
        if self.gone:
            raise SourceGone(f"{self.where} is gone.")

    def names(self) -> Sequence[str]:
        self._alive()
        return list(self.made)

    def channel(self, name: str) -> ChannelSource | None:
        self._alive()
        return self.made.get(name)

    def refresh(self) -> None:
        self._alive()
        self.refreshed += 1

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        self._alive()
        deadline = time.monotonic() + timeout
        with self._bell:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._bell.wait(min(left, 0.05))
        return True

    async def wait_async(self, condition: Callable[[], bool], timeout: float) -> bool:
        self._alive()
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.001)
        return True

    def close(self) -> None:
        self.closed = True


def make_info(**changes: Any) -> RunInfo:
    values: dict[str, Any] = {
        "name": "ascan",
        "title": "ascan rot 0 180 9 0.1 diode",
        "start_epoch": 1_763_000_000.0,
        "npoints": 10,
        "axes": ("rot",),
        "plots": (PlotHint(x="rot", y=("diode",)),),
    }
    return RunInfo(**{**values, **changes})


SPECS = (
    ChannelSpec("rot", unit="deg", source="rot", role=ChannelRole.AXIS),
    ChannelSpec("diode", unit="A", source="diode", role=ChannelRole.COUNTER),
    ChannelSpec("counts", dtype="<u4", source="counter", role=ChannelRole.COUNTER),
    ChannelSpec("mca", dtype="<i4", shape=(16,), source="mca", role=ChannelRole.SPECTRUM),
    ChannelSpec("cam", dtype="<u2", shape=(4, 6), source="cam", kind=ChannelKind.RING, role=ChannelRole.FRAME),
    ChannelSpec("peaks", dtype="<f4", source="cam", kind=ChannelKind.RAGGED, role=ChannelRole.RESULT),
)


def items_of(spec: ChannelSpec, count: int, seed: int = 7) -> Items:
    """Seeded items of one channel; the same for the same arguments."""
    rng = np.random.default_rng([seed, sum(spec.name.encode())])
    if spec.kind is ChannelKind.RAGGED:
        lengths = rng.integers(0, 5, size=count)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Ragged(rng.normal(size=int(offsets[-1])).astype(spec.dtype), offsets)
    if spec.name == "rot":
        return np.linspace(0.0, 180.0, count)
    shape = (count, *spec.shape)
    if np.dtype(spec.dtype).kind == "f":
        return rng.normal(size=shape).astype(spec.dtype)
    return rng.integers(0, 1000, size=shape).astype(spec.dtype)


@pytest.fixture
def source() -> ArraySource:
    """A run in memory with ten items in each of six channels, going on."""
    made = ArraySource(make_info())
    for spec in SPECS:
        made.add(spec, items_of(spec, 10))
    return made


@pytest.fixture
def run(source: ArraySource) -> Run:
    """The same as a run to read."""
    return Run(Resolver(source, None))


@pytest.fixture
def moving() -> Callable[[ArraySource, ArraySource | None], Run]:
    """Makes a run of a live source and of the source that its file will be; None: the file does not exist."""

    def make(live: ArraySource, file: ArraySource | None) -> Run:
        def open_file() -> ArraySource:
            if file is None:
                raise NotFound("no file")
            return file

        return Run(Resolver(live, open_file))

    return make


@pytest.fixture
def room(buffer_root: Path, tmp_path: Path) -> Room:
    return Room(Buffer(buffer_root, spill=tmp_path / "spill"), tmp_path / "data")
