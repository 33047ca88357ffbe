"""Rows of points into channels, in small batches: a point is visible within some 20 ms, and costs a tuple."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, Clock, DeviceError, Ragged
from firstlight.scanning._derive import Derivations
from firstlight.scanning._store import Owner

LATEST = 0.02
"""Seconds after which a finished point is acknowledged at the latest."""


class Recorder:
    """Writes the channels that the engine itself acquires.

    Every run has ``elapsed_time`` (s since the run's start) and ``epoch`` (UTC s) of each point's beginning.

    :param columns: axes and counters, in the order of a row.
    :param fail: called with the error when a batch that was written by the timer fails.
    :param derivations: what is computed from these channels and others; None when nothing is.
    """

    def __init__(
        self,
        clock: Clock,
        owner: Owner,
        columns: Sequence[ChannelSpec],
        fail: Callable[[BaseException], None],
        derivations: Derivations | None = None,
    ) -> None:
        self._offset = clock.epoch(0.0)
        self._clock = clock
        self._fail = fail
        self._specs = list(columns)
        self._columns = [_column(owner, spec) for spec in columns]
        self._derivations = derivations
        self._by_name = {spec.name: log for spec, log in zip(self._specs, self._columns, strict=True)}
        self._spec_of = {spec.name: spec for spec in self._specs}
        self._epoch = owner.create_log(ChannelSpec("epoch", unit="s", source="timer", role=ChannelRole.TIME))
        self._elapsed = owner.create_log(ChannelSpec("elapsed_time", unit="s", source="timer", role=ChannelRole.TIME))
        self._rows: list[tuple[Any, ...]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._written = 0.0
        self._closed = False
        self.began = 0.0
        """Moment of the run's start: elapsed times count from here."""
        self.counts: dict[str, int] = {spec.name: 0 for spec in self._specs}
        """Items written to each channel that is filled by blocks."""
        self.rows = 0
        """Rows given so far."""

    def add(self, moment: float, values: tuple[Any, ...], now: float) -> None:
        """One complete point.

        :param moment: when it began.
        :param values: one per column.
        :param now: the present moment, which the caller knows.
        """
        self._rows.append((moment, *values))
        self.rows += 1
        if now - self._written >= LATEST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATEST, self._late)

    def flush(self) -> None:
        """Acknowledge all rows given so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._written = self._clock.now()
        if not self._rows or self._closed:
            return
        rows, self._rows = self._rows, []
        moments, *columns = zip(*rows, strict=True)
        # Converted before anything is written: a value that is no number must not leave channels of unequal length.
        blocks = [self._block(spec, column) for spec, column in zip(self._specs, columns, strict=True)]
        for log, block in zip(self._columns, blocks, strict=True):
            log.append(block)
        self._stamp(np.array(moments))
        if self._derivations is not None:
            for spec, block in zip(self._specs, blocks, strict=True):
                self._derivations.feed(spec.name, block)
            self._derivations.advance()

    def stamp(self, moments: NDArray[np.float64]) -> None:
        """Begin times of points whose values are written by :meth:`block`."""
        if len(moments) and not self._closed:
            self.rows += len(moments)
            self._stamp(moments)

    def block(self, name: str, values: NDArray[Any] | Ragged) -> None:
        """Items of one channel, for points that are acquired in blocks."""
        if len(values) and not self._closed:
            block = self._block(self._spec_of[name], values)
            self._by_name[name].append(block)
            self.counts[name] += len(values)
            if self._derivations is not None:
                self._derivations.feed(name, block)

    def derive(self) -> None:
        """Compute what has become possible."""
        if self._derivations is not None and not self._closed:
            self._derivations.advance()

    def close(self) -> None:
        """Acknowledge what is left; whatever comes later is ignored."""
        try:
            self.flush()
            self.derive()
        finally:
            self._closed = True

    def _stamp(self, moments: NDArray[np.float64]) -> None:
        self._elapsed.append(moments - self.began)
        self._epoch.append(moments + self._offset)

    def _late(self) -> None:
        self._timer = None
        try:
            self.flush()
        except Exception as error:  # noqa: BLE001 - handed to the supervisor of the run, which ends it
            self._fail(error)

    @staticmethod
    def _block(spec: ChannelSpec, values: Any) -> Any:
        device, dtype = spec.source or spec.name, np.dtype(spec.dtype)
        if spec.kind is ChannelKind.RAGGED:
            return values if isinstance(values, Ragged) else Ragged.of(values, dtype)
        try:
            given = np.asarray(values)
            with np.errstate(invalid="ignore"):
                block = given.astype(dtype, copy=False)
            # A whole number that was none, or is too large, must not be stored as another one.
            kept = dtype.kind not in "iu" or given.dtype == dtype or np.array_equal(block, given)
        except (TypeError, ValueError, OverflowError) as error:
            raise DeviceError(
                device, f"gave a value for {spec.name} that does not fit {spec.dtype}: {error}."
            ) from error
        if not kept:
            raise DeviceError(device, f"gave a value for {spec.name} that does not fit {spec.dtype}.")
        if block.shape[1:] != spec.shape:
            raise DeviceError(
                device, f"gave a value of shape {block.shape[1:]} for {spec.name}, which has shape {spec.shape}."
            )
        return block


class _RaggedLog:
    """A ragged channel, written like the others."""

    def __init__(self, owner: Owner, spec: ChannelSpec) -> None:
        self._writer = owner.create_ragged(spec)

    def append(self, values: Ragged) -> Any:
        """Acknowledge items."""
        return self._writer.append(values.values, np.diff(values.offsets))


def _column(owner: Owner, spec: ChannelSpec) -> Any:
    return _RaggedLog(owner, spec) if spec.kind is ChannelKind.RAGGED else owner.create_log(spec)


def axis_columns(axes: Mapping[str, str], *, swept: bool) -> list[ChannelSpec]:
    """The channels of axes' positions.

    :param axes: name to unit.
    :param swept: one axis, whose positions at the start and end of each exposure are recorded too.
    """
    columns = []
    for name, unit in axes.items():
        columns.append(ChannelSpec(name, unit=unit, source=name, role=ChannelRole.AXIS))
        if swept:
            columns += [
                ChannelSpec(f"{name}:{part}", unit=unit, source=name, role=ChannelRole.OTHER, info={"of": name})
                for part in ("start", "stop")
            ]
    return columns
