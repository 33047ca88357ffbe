"""Counters whose hardware integrates by itself for exactly the time of a point, and is read after."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._sampling import Missing
from firstlight.model import (
    STATUS_GOOD,
    STATUS_MISSING,
    Block,
    ChannelRole,
    ChannelSpec,
    Clock,
    DeviceError,
    InvalidInput,
    RealClock,
    TriggerMode,
    TriggerPlan,
)


class IntegratingCounter(ABC):
    """Base of counting cards and the like; those derived talk to the hardware.

    A read that fails is tried again up to ``retries`` times. What happens to a point without an answer is ``missing``:
    ``error`` ends the run; ``nan`` records NaN, and 1 in the channel ``name:status``, which is 0 for a good point.

    :param inputs: name and unit of each input; one called "" has the channel ``name``, others ``name:input``.
    :param retries: of a read, at once.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, str] | None = None,
        modes: frozenset[TriggerMode] = frozenset({TriggerMode.SOFTWARE}),
        retries: int = 2,
        missing: Missing = "error",
        clock: Clock | None = None,
    ) -> None:
        named = {"": "count"} if inputs is None else dict(inputs)
        if not named:
            raise InvalidInput(f"{name}: a counter has at least one input.")
        self.name = name
        self.modes = modes
        self.missing: Missing = missing
        self._retries = retries
        self._clock: Clock = clock or RealClock()
        self._inputs = len(named)
        self._collected = 0
        self._failures = 0
        channels = [
            ChannelSpec(f"{name}:{part}" if part else name, unit=unit, source=name, role=ChannelRole.COUNTER)
            for part, unit in named.items()
        ]
        if missing == "nan":
            channels.append(ChannelSpec(f"{name}:status", "|u1", source=name, role=ChannelRole.STATUS))
        self._channels = tuple(channels)

    # -- for those derived

    @abstractmethod
    def arm(self, plan: TriggerPlan) -> Awaitable[None] | None:
        """Get the hardware ready for a run."""

    @abstractmethod
    def start(self, moment: float) -> Awaitable[None] | None:
        """Software: integrate for the exposure from now on. Time: exposure 0 starts at ``moment``. Position: arm."""

    @abstractmethod
    def counts(self) -> Sequence[float] | Awaitable[Sequence[float]]:
        """Software: what the inputs counted in the exposure started last, called when that is over."""

    def buffered(self) -> NDArray[Any] | Awaitable[NDArray[Any]]:
        """Time, position: the complete points that were not read yet, (points, inputs)."""
        raise DeviceError(self.name, "keeps no points: it cannot be triggered by hardware.")

    @abstractmethod
    def stop(self) -> Awaitable[None] | None:
        """End of the run, or abort; idempotent."""

    # -- the counter

    @property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """One per input, and the status where lost points are recorded."""
        return self._channels

    def prepare(self, plan: TriggerPlan) -> Awaitable[None] | None:
        """Get ready for a run.

        :raises DeviceError: when it cannot be triggered so.
        """
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot be triggered by {plan.mode}.")
        self._collected = self._failures = 0
        return self.arm(plan)

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """The counts of the exposure started last."""
        for tried in range(self._retries + 1):
            try:
                values = self.counts()
            except Exception as error:  # noqa: BLE001 - tried again, and told when that does not help
                if tried == self._retries:
                    return self._lost(error)
                continue
            if inspect.isawaitable(values):
                return self._awaited(values, tried)
            return self._point(values)
        raise AssertionError

    def collect(self) -> Sequence[Block] | Awaitable[Sequence[Block]]:
        """The points acquired since the last call; a read that fails is tried again at the next call."""
        try:
            values = self.buffered()
        except Exception as error:  # noqa: BLE001 - tried again
            return self._later(error)
        if inspect.isawaitable(values):
            return self._collected_later(values)
        return self._blocks(values)

    async def _awaited(self, begun: Awaitable[Sequence[float]], tried: int) -> Sequence[Any]:
        while True:
            try:
                values = await begun
            except Exception as error:  # noqa: BLE001 - tried again
                if tried == self._retries:
                    return self._lost(error)
                tried, begun = tried + 1, self._again()
            else:
                return self._point(values)

    async def _again(self) -> Sequence[float]:
        values = self.counts()
        return await values if inspect.isawaitable(values) else values

    async def _collected_later(self, values: Awaitable[NDArray[Any]]) -> Sequence[Block]:
        try:
            given = await values
        except Exception as error:  # noqa: BLE001 - tried again
            return self._later(error)
        return self._blocks(given)

    def _point(self, values: Sequence[float]) -> Sequence[Any]:
        if len(values) != self._inputs:
            raise DeviceError(self.name, f"gave {len(values)} counts for {self._inputs} inputs.")
        return (*values, STATUS_GOOD) if self.missing == "nan" else values

    def _lost(self, error: Exception) -> Sequence[Any]:
        if self.missing == "error":
            raise self._failed(error, self._retries + 1) from error
        return (*([float("nan")] * self._inputs), STATUS_MISSING)

    def _later(self, error: Exception) -> Sequence[Block]:
        self._failures += 1
        if self._failures > self._retries:
            raise self._failed(error, self._failures) from error
        return ()

    def _failed(self, error: Exception, times: int) -> DeviceError:
        if isinstance(error, DeviceError) and self._retries == 0:
            return error
        reason = str(error).strip().rstrip(".") or type(error).__name__
        return DeviceError(
            self.name,
            f"could not be read in {times} tries, the last failed with {type(error).__name__}: {reason}.",
            hint="Check the device and its connection.",
        )

    def _blocks(self, values: NDArray[Any]) -> Sequence[Block]:
        self._failures = 0
        given = np.asarray(values, dtype=np.float64)
        if not given.size:
            return ()
        if given.ndim != 2 or given.shape[1] != self._inputs:
            raise DeviceError(self.name, f"gave points of shape {given.shape[1:]}, not ({self._inputs},).")
        first, self._collected = self._collected, self._collected + len(given)
        now = self._clock.now()
        columns: list[NDArray[Any]] = [given[:, k] for k in range(self._inputs)]
        if self.missing == "nan":
            columns.append(np.where(np.isnan(given).any(axis=1), STATUS_MISSING, STATUS_GOOD).astype("|u1"))
        return [Block(spec.name, first, column, now) for spec, column in zip(self._channels, columns, strict=True)]
