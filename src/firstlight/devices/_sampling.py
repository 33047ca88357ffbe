"""Counters whose hardware is just read: as often as it may be while a point counts."""

from __future__ import annotations

import asyncio
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firstlight.model import (
    Block,
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    Clock,
    DeviceError,
    Expression,
    FakeClock,
    InvalidInput,
    Ragged,
    RealClock,
    TriggerMode,
    TriggerPlan,
)

Missing = Literal["error", "nan"]
"""What a point without any value does: it ends the run, or it is NaN."""


class SamplingMode(StrEnum):
    """What is made of the samples of a point."""

    MEAN = "mean"
    """Their mean."""
    STATS = "stats"
    """Mean, standard deviation, number, least and largest."""
    SAMPLES = "samples"
    """Mean, and all samples."""
    SINGLE = "single"
    """The first one; no other is read."""
    LAST = "last"
    """The last one."""
    INTEGRATE = "integrate"
    """Mean × time that was counted."""
    INTEGRATE_STATS = "integrate_stats"
    """All of the statistics × time that was counted, but for the number."""


_STATISTICS = ("std", "n", "min", "max")
_ROUNDOFF = 1e-3
"""Of an interval; a sample that comes so early before the end is the last one."""
_INTEGRATING = frozenset({SamplingMode.INTEGRATE, SamplingMode.INTEGRATE_STATS})
_WITH_STATISTICS = frozenset({SamplingMode.STATS, SamplingMode.INTEGRATE_STATS})


class SamplingCounter(ABC):
    """Base of counters that are read; those derived give one sample.

    In step and loop scans it samples from the start of a point to the end of its exposure, at least once. In scans in
    time it samples all the while, and each point gets the samples that were taken during its exposure; a point during
    which none was asked for, because reading is slower than the scan, is NaN.

    A read that fails is tried again after the interval. A point is lost when none of its reads gave a value, and more
    than ``retries`` failed. A value that is NaN is no value, but no failure.

    Channels: ``name``, or ``name:part`` for each of several parts; with statistics ``name:std``, ``name:n``,
    ``name:min``, ``name:max``; with all samples the ragged ``name:samples``.

    :param unit: of a sample.
    :param parts: names of the numbers that one sample has; empty for one number.
    :param interval: shortest time between two samples, s.
    :param missing: what a lost point does: ``error`` ends the run, ``nan`` records NaN.
    :param threaded: reading blocks, and runs in a thread.
    """

    def __init__(
        self,
        name: str,
        *,
        unit: str = "",
        parts: Sequence[str] = (),
        mode: SamplingMode | str = SamplingMode.MEAN,
        interval: float = 0.01,
        retries: int = 2,
        missing: Missing = "error",
        threaded: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not interval > 0 or retries < 0:
            raise InvalidInput(f"{name}: the interval is above 0 s, and retries are not negative.")
        self.name = name
        self.unit = unit
        self.parts = tuple(parts)
        self.modes = frozenset({TriggerMode.SOFTWARE, TriggerMode.TIME})
        self.interval = interval
        self.retries = retries
        self.missing: Missing = missing
        self.changed: list[Callable[[SamplingCounter], None]] = []
        """Called after the mode was changed."""
        self._threaded = threaded
        self._clock: Clock = clock or RealClock()
        self._running = self._mode = self._configured = self._known(mode)
        self._channels: tuple[ChannelSpec, ...] | None = None
        self._plan = TriggerPlan(mode=TriggerMode.SOFTWARE, points=0, exposure=0.0)
        self._begin = math.nan
        self._task: asyncio.Task[None] | None = None
        self._samples: list[tuple[float, ...]] = []
        self._moments: list[float] = []
        self._failures: list[tuple[float, BaseException]] = []
        self._seen = -math.inf
        self._collected = 0

    @abstractmethod
    def sample(self) -> float | Sequence[float] | Awaitable[float | Sequence[float]]:
        """One reading: a number, or one per part. It may be ``async``; one that blocks needs ``threaded``."""

    # -- settings

    @property
    def mode(self) -> SamplingMode:
        """What is made of the samples; may be changed between runs."""
        return self._mode

    @mode.setter
    def mode(self, mode: SamplingMode | str) -> None:
        self._mode = self._known(mode)
        self._channels = None
        for listener in tuple(self.changed):
            listener(self)

    def settings(self) -> dict[str, Any]:
        """What was changed since it was built and is kept, JSON values."""
        return {} if self._mode is self._configured else {"mode": self._mode.value}

    def restore(self, settings: Mapping[str, Any]) -> list[str]:
        """Set again what was changed in an earlier session.

        :param settings: of :meth:`settings`.
        :return: a sentence for what could not be restored.
        """
        try:
            self.mode = settings.get("mode", self._mode)
        except InvalidInput as error:
            return [str(error)]
        return []

    @property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """What a point gives."""
        if self._channels is None:
            self._channels = tuple(self._describe())
        return self._channels

    @property
    def info(self) -> dict[str, Any]:
        """How it is set, for the file of a run."""
        return {"sampling_mode": self._mode.value, "sampling_interval": self.interval, "sampling_interval@units": "s"}

    # -- the counter

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for a run.

        :raises DeviceError: when it cannot be triggered so.
        """
        if plan.mode not in self.modes:
            raise DeviceError(
                self.name, f"cannot be triggered by {plan.mode}.", hint="It is read, in time or by asking."
            )
        self.stop()
        self._plan, self._running = plan, self._mode
        self._clear()
        self._collected = 0

    def start(self, moment: float) -> None:
        """Software: sample from now on until the exposure is over. Time: from ``moment`` to the end of the run."""
        self._begin = moment
        exposure = self._plan.exposure
        if self._plan.mode is TriggerMode.TIME:
            self._task = asyncio.ensure_future(self._all(moment))
        elif exposure > 0:
            self._clear()
            self._task = asyncio.ensure_future(self._fill(moment + exposure))

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """What the samples of this point give."""
        if self._task is not None:
            return self._finish()
        # Without time to count there is one sample, and without waiting no task.
        self._clear()
        if self._threaded:
            return self._once(None)
        try:
            value = self.sample()
        except Exception as error:  # noqa: BLE001 - told when the other tries fail too
            return self._once(error)
        return self._once(value) if inspect.isawaitable(value) else self._reduced([self._tuple(value)], 0.0)

    def collect(self) -> Sequence[Block]:
        """The points of a scan in time that are complete."""
        plan = self._plan
        if plan.mode is not TriggerMode.TIME or math.isnan(self._begin):
            return ()
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()
        rows: list[Sequence[Any]] = []
        first = self._collected
        while not plan.points or self._collected < plan.points:
            start = self._begin + self._collected * plan.period
            if self._seen < start + plan.exposure:
                break
            rows.append(self._window(start, start + plan.exposure))
            self._collected += 1
        if not rows:
            return ()
        now = self._clock.now()
        return [
            Block(spec.name, first, _column(spec, column), now)
            for spec, column in zip(self.channels, zip(*rows, strict=True), strict=True)
        ]

    def stop(self) -> None:
        """No more samples; idempotent."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()

    # -- sampling

    async def _fill(self, end: float) -> None:
        """Sample one point."""
        single = self._running is SamplingMode.SINGLE
        while True:
            worked = await self._try()
            now = self._clock.now()
            enough = bool(self._samples) and (single or now >= end)
            if enough or (not worked and now >= end and len(self._failures) > self.retries):
                return
            after = now + self.interval
            if worked and now < end and after > end - _ROUNDOFF * self.interval:
                after = end
            await self._clock.sleep_until(after)

    async def _all(self, moment: float) -> None:
        """Sample until the last exposure of the run is over."""
        plan = self._plan
        end = moment + (plan.points - 1) * plan.period + plan.exposure if plan.points else math.inf
        interval = min(self.interval, plan.exposure / 2)
        await self._clock.sleep_until(moment)
        while True:
            began = self._clock.now()
            await self._try()
            # Samples of exposures that ended before this one began have all come.
            self._seen = began
            if began >= end:
                return
            await self._clock.sleep_until(max(began + interval, self._clock.now()))

    async def _try(self) -> bool:
        moment = self._clock.now()
        try:
            value = await self._one()
        except Exception as error:  # noqa: BLE001 - tried again, and told when all tries failed
            self._failures.append((moment, error))
            return False
        self._samples.append(value)
        self._moments.append(0.5 * (moment + self._clock.now()))
        return True

    async def _one(self) -> tuple[float, ...]:
        if self._threaded and not isinstance(self._clock, FakeClock):
            value: Any = await asyncio.to_thread(self.sample)
        else:
            value = self.sample()
        return self._tuple(await value if inspect.isawaitable(value) else value)

    def _tuple(self, value: Any) -> tuple[float, ...]:
        values = tuple(map(float, value)) if self.parts else (float(value),)
        if self.parts and len(values) != len(self.parts):
            raise DeviceError(self.name, f"gave {len(values)} numbers for {', '.join(self.parts)}.")
        return values

    async def _once(self, begun: Any) -> Sequence[Any]:
        """One sample, of which the first try has begun; an error if that has failed already."""
        if isinstance(begun, Exception):
            self._failures.append((self._clock.now(), begun))
        elif begun is not None:
            try:
                self._samples.append(self._tuple(await begun))
            except Exception as error:  # noqa: BLE001 - tried again
                self._failures.append((self._clock.now(), error))
        while not self._samples and len(self._failures) <= self.retries:
            if self._failures:
                await self._clock.sleep_until(self._clock.now() + self.interval)
            await self._try()
        return self._given(self._samples, self._failures, 0.0)

    async def _finish(self) -> Sequence[Any]:
        task = self._task
        assert task is not None
        await task
        self._task = None
        return self._given(self._samples, self._failures, self._plan.exposure)

    def _window(self, start: float, stop: float) -> Sequence[Any]:
        """What one exposure of a run in time gives; its samples are forgotten."""
        samples = [s for s, t in zip(self._samples, self._moments, strict=True) if start <= t < stop]
        failures = [failure for failure in self._failures if start <= failure[0] < stop]
        later = next((k for k, t in enumerate(self._moments) if t >= stop), len(self._moments))
        del self._samples[:later], self._moments[:later]
        self._failures = [failure for failure in self._failures if failure[0] >= stop]
        if not samples and not failures:
            return self._reduced([], stop - start)
        return self._given(samples, failures, stop - start)

    def _given(
        self, samples: list[tuple[float, ...]], failures: list[tuple[float, BaseException]], exposure: float
    ) -> Sequence[Any]:
        if not samples and failures and self.missing == "error":
            last = failures[-1][1]
            reason = str(last).strip().rstrip(".") or type(last).__name__
            raise DeviceError(
                self.name,
                f"gave no value: {'its read' if len(failures) == 1 else f'all {len(failures)} reads'} failed, the last "
                f"with {type(last).__name__}: {reason}.",
                hint="Check the device; with missing: nan such points are recorded as NaN.",
            ) from last
        return self._reduced(samples, exposure)

    def _reduced(self, samples: list[tuple[float, ...]], exposure: float) -> Sequence[Any]:
        mode = self._running
        if mode is SamplingMode.SINGLE:
            samples = samples[:1]
        elif mode is SamplingMode.LAST:
            samples = samples[-1:]
        factor = exposure if mode in _INTEGRATING else 1.0
        if len(samples) == 1 and mode not in _WITH_STATISTICS and mode is not SamplingMode.SAMPLES:
            return [value * factor for value in samples[0]]
        values: list[Any] = []
        for column in zip(*samples, strict=True) if samples else ((),) * max(1, len(self.parts)):
            given = np.array(column, dtype=np.float64)
            good = given[~np.isnan(given)]
            some = len(good) > 0
            values.append(factor * float(good.mean()) if some else math.nan)
            if mode in _WITH_STATISTICS:
                figures = (good.std(), good.min(), good.max()) if some else (math.nan,) * 3
                std, least, most = (factor * float(figure) for figure in figures)
                values += [std, len(good), least, most]
            elif mode is SamplingMode.SAMPLES:
                values.append(given)
        return values

    def _clear(self) -> None:
        self._samples, self._moments, self._failures = [], [], []
        self._seen = -math.inf

    def _describe(self) -> list[ChannelSpec]:
        mode = self._mode
        unit = self.unit
        if mode in _INTEGRATING:
            unit = Expression("x * 1 s").bind({"x": unit}).unit if unit else ""
        info = {"sampling": mode.value}

        def channel(
            name: str, unit: str = unit, dtype: str = "<f8", kind: ChannelKind = ChannelKind.LOG
        ) -> ChannelSpec:
            return ChannelSpec(name, dtype, (), unit, self.name, kind, ChannelRole.COUNTER, info)

        made = []
        for part in self.parts or ("",):
            name = f"{self.name}:{part}" if part else self.name
            extra = f"{name}_" if part else f"{name}:"
            made.append(channel(name))
            if mode in _WITH_STATISTICS:
                made += [channel(extra + s, *(("", "<i8") if s == "n" else (unit,))) for s in _STATISTICS]
            elif mode is SamplingMode.SAMPLES:
                made.append(channel(f"{extra}samples", self.unit, kind=ChannelKind.RAGGED))
        return made

    def _known(self, mode: SamplingMode | str) -> SamplingMode:
        try:
            return SamplingMode(mode)
        except ValueError:
            known = ", ".join(SamplingMode)
            raise InvalidInput(f"{self.name}: there is no sampling mode {mode!r}.", hint=f"Known: {known}.") from None


def _column(spec: ChannelSpec, values: Sequence[Any]) -> NDArray[Any] | Ragged:
    if spec.kind is not ChannelKind.RAGGED:
        return np.array(values, dtype=spec.dtype)
    return Ragged.of(values)
