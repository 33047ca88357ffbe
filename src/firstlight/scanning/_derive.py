"""Channels of derived counters: computed as soon as all of their inputs are there, block by block."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec, DeviceError, FirstlightError, NotFound
from firstlight.scanning._selection import Derived
from firstlight.scanning._store import Log, Owner, Readable, Reader


class Derivations:
    """All derived counters of one run.

    :param own: names of the channels that the engine writes, and gives to :meth:`feed`; other inputs are read.
    """

    def __init__(self, owner: Owner, reader: Reader, derived: Sequence[Derived], own: Collection[ChannelSpec]) -> None:
        self._specs = {spec.name: spec for spec in own}
        self._reader = reader
        self._counters: list[_Counter] = []
        for one in derived:
            logs = [owner.create_log(spec) for spec in one.derivation.channels]
            self._counters.append(_Counter(one, logs, {*self._specs} & {*one.inputs}))
            self._specs |= {spec.name: spec for spec in one.derivation.channels}

    def feed(self, name: str, values: NDArray[Any]) -> None:
        """The next items of a channel."""
        for counter in self._counters:
            if name in counter.pending:
                counter.pending[name].append(values)

    def advance(self) -> None:
        """Compute all points whose inputs are there."""
        for counter in self._counters:
            count = min(self._available(counter, name) for name in counter.derived.inputs)
            if count <= 0:
                continue
            values = {name: self._take(counter, name, count) for name in counter.derived.inputs}
            counter.done += count
            for log, spec, block in counter.computed(values, count):
                log.append(block)
                self.feed(spec.name, block)

    def _available(self, counter: _Counter, name: str) -> int:
        if name in counter.pending:
            return sum(map(len, counter.pending[name]))
        channel = self._channel(name)
        return channel.count - counter.done if channel is not None else 0

    def _take(self, counter: _Counter, name: str, count: int) -> NDArray[np.float64]:
        if name not in counter.pending:
            channel = self._channel(name)
            assert channel is not None
            return _floats(np.asarray(channel.read(counter.done, counter.done + count)))
        blocks, taken, missing = counter.pending[name], [], count
        while missing:
            block = blocks.pop(0)
            taken.append(block[:missing])
            if len(block) > missing:
                blocks.insert(0, block[missing:])
            missing -= len(taken[-1])
        return _floats(taken[0] if len(taken) == 1 else np.concatenate(taken))

    def _channel(self, name: str) -> Readable | None:
        try:
            return self._reader.channel(name)
        except NotFound:
            return None


class _Counter:
    """One derived counter: what came of its inputs and was not used yet."""

    def __init__(self, derived: Derived, logs: Sequence[Log], fed: Collection[str]) -> None:
        self.derived = derived
        self.logs = logs
        self.pending: dict[str, list[NDArray[Any]]] = {name: [] for name in fed}
        self.done = 0

    def computed(
        self, values: dict[str, NDArray[np.float64]], count: int
    ) -> list[tuple[Log, ChannelSpec, NDArray[Any]]]:
        name = self.derived.name
        try:
            given = self.derived.derivation.compute(values)
        except FirstlightError:
            raise
        except Exception as error:
            raise DeviceError(name, f"could not be computed: {type(error).__name__}: {error}.") from error
        made = []
        for log, spec, block in zip(self.logs, self.derived.derivation.channels, given, strict=True):
            if block.shape != (count, *spec.shape):
                raise DeviceError(name, f"was computed with shape {block.shape}, not {(count, *spec.shape)}.")
            made.append((log, spec, block.astype(spec.dtype, copy=False)))
        return made


def _floats(values: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers to compute with: those that stand for missing data become NaN."""
    if values.dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    floats = values.astype(np.float64)
    if values.dtype.kind in "iu":
        missing = -1 if values.dtype.kind == "i" else np.iinfo(values.dtype).max
        floats[values == missing] = np.nan
    return floats
