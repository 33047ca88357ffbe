"""What every counter must do, whatever its driver."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import (
    Block,
    ChannelKind,
    ChannelSpec,
    Clock,
    CounterDriver,
    DeviceError,
    FakeClock,
    Ragged,
    TriggerMode,
    TriggerPlan,
    parse_unit,
)


class CounterConformance:
    """Tests of one counter.

    Derive a class from it, in a module of tests, with a fixture ``counter`` that gives the driver. It runs on a clock
    that jumps, which the fixture takes as ``clock``; for hardware, give a fixture ``clock`` that returns a
    ``RealClock``. Triggers by position are not tested: they need an axis.
    """

    exposure: ClassVar[float] = 0.05
    """Seconds that a point integrates."""
    period: ClassVar[float] = 0.06
    """Seconds between two starts of a series in time."""
    late: ClassVar[float] = 0.5
    """Seconds that a point of such a series may take to arrive."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of its driver."""
        return FakeClock()

    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        """The driver."""
        raise NotImplementedError("A conformance test needs a fixture 'counter'.")

    # -- what it is

    def test_it_has_a_name_and_channels_that_tell_their_type_and_unit(self, counter: CounterDriver) -> None:
        assert isinstance(counter, CounterDriver)
        assert counter.name
        names = [spec.name for spec in counter.channels]
        assert names, "a counter has at least one channel"
        assert len(set(names)) == len(names), "two channels have one name"
        for spec in counter.channels:
            assert spec.name == counter.name or spec.name.startswith(f"{counter.name}:"), spec.name
            assert np.dtype(spec.dtype).kind in "fiu", f"{spec.name} holds no numbers"
            assert spec.kind in (ChannelKind.LOG, ChannelKind.RAGGED)
            if spec.unit:
                assert str(parse_unit(spec.unit))

    def test_it_knows_how_it_can_be_triggered(self, counter: CounterDriver) -> None:
        assert counter.modes
        assert counter.modes <= frozenset(TriggerMode)

    def test_what_it_cannot_be_triggered_by_it_refuses_by_its_name(self, counter: CounterDriver) -> None:
        for mode in frozenset(TriggerMode) - counter.modes:
            plan = TriggerPlan(mode=mode, points=2, exposure=self.exposure, period=self.period, axis="x", step=1.0)
            with pytest.raises(DeviceError, match=counter.name):
                self.run(self.ask(counter, counter.prepare, plan))

    def test_stop_does_no_harm_before_a_run_and_twice(self, counter: CounterDriver) -> None:
        async def story() -> None:
            for _ in range(2):
                await self.ask(counter, counter.stop)

        self.run(story())

    # -- by software

    def test_by_software_each_point_gives_a_value_per_channel(self, counter: CounterDriver, clock: Clock) -> None:
        if TriggerMode.SOFTWARE in counter.modes:
            for values in self.points(counter, clock, 3, self.exposure):
                self.check(counter.channels, [self.as_block(spec, v) for spec, v in self.named(counter, values)], 1)

    def test_without_time_to_count_it_gives_values_too(self, counter: CounterDriver, clock: Clock) -> None:
        if TriggerMode.SOFTWARE in counter.modes:
            for values in self.points(counter, clock, 3, 0.0):
                self.check(counter.channels, [self.as_block(spec, v) for spec, v in self.named(counter, values)], 1)

    def test_runs_follow_each_other(self, counter: CounterDriver, clock: Clock) -> None:
        for mode in sorted(counter.modes & {TriggerMode.SOFTWARE, TriggerMode.TIME}) * 2:
            if mode is TriggerMode.SOFTWARE:
                assert len(self.points(counter, clock, 2, self.exposure)) == 2
            else:
                assert all(len(values) == 3 for values in self.series(counter, clock, 3).values())

    def test_a_point_that_is_given_up_is_forgotten(self, counter: CounterDriver, clock: Clock) -> None:
        if TriggerMode.SOFTWARE not in counter.modes:
            return

        async def story() -> None:
            await self.ask(counter, counter.prepare, self.plan(TriggerMode.SOFTWARE, 0))
            await self.ask(counter, counter.start, clock.now())
            await clock.sleep_until(clock.now() + self.exposure / 2)
            await self.ask(counter, counter.stop)

        self.run(story())
        assert len(self.points(counter, clock, 1, self.exposure)) == 1

    # -- in time

    def test_in_time_every_point_comes_once_in_order_and_not_before_it_is_over(
        self, counter: CounterDriver, clock: Clock
    ) -> None:
        if TriggerMode.TIME in counter.modes:
            values = self.series(counter, clock, 10)
            self.check(counter.channels, list(values.values()), 10)

    def test_in_time_no_point_follows_a_stop(self, counter: CounterDriver, clock: Clock) -> None:
        if TriggerMode.TIME not in counter.modes:
            return

        async def story() -> dict[str, int]:
            await self.ask(counter, counter.prepare, self.plan(TriggerMode.TIME, 0))
            start = clock.now() + self.late
            await self.ask(counter, counter.start, start)
            await clock.sleep_until(start + 5.5 * self.period)
            await self.ask(counter, counter.stop)
            await clock.sleep_until(clock.now() + 5 * self.period + self.late)
            counts = dict.fromkeys((spec.name for spec in counter.channels), 0)
            for _ in range(2):
                for block in await self.ask(counter, counter.collect):
                    counts[block.channel] += len(block)
            return counts

        assert all(count <= 6 for count in self.run(story()).values())

    # -- settings

    def test_settings_can_be_kept_and_given_back(self, counter: CounterDriver) -> None:
        keeps: Any = counter
        if not hasattr(counter, "settings"):
            return
        before, channels = keeps.settings(), counter.channels
        keeps.restore(before)
        assert keeps.settings() == before
        assert counter.channels == channels

    # -- for the tests

    def plan(self, mode: TriggerMode, points: int) -> TriggerPlan:
        """A plan as the engine makes it."""
        period = self.period if mode is not TriggerMode.SOFTWARE else 0.0
        return TriggerPlan(mode=mode, points=points, exposure=self.exposure, period=period)

    async def ask(self, counter: CounterDriver, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method as the engine does: in a thread if the driver blocks, and wait for its end."""
        if getattr(counter, "blocking", False):
            return await asyncio.to_thread(method, *arguments)
        result = method(*arguments)
        return await result if inspect.isawaitable(result) else result

    def run(self, story: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
        """Run to the end in an event loop of its own."""

        async def body() -> Any:
            return await story

        return asyncio.run(body())

    def points(self, counter: CounterDriver, clock: Clock, count: int, exposure: float) -> list[Any]:
        """The values of some points by software, as the engine makes them."""

        async def story() -> list[Any]:
            plan = self.plan(TriggerMode.SOFTWARE, count).model_copy(update={"exposure": exposure})
            await self.ask(counter, counter.prepare, plan)
            made = []
            for _ in range(count):
                moment = clock.now()
                await self.ask(counter, counter.start, moment)
                if exposure:
                    await clock.sleep_until(moment + exposure)
                made.append(await self.ask(counter, counter.read))
            await self.ask(counter, counter.stop)
            return made

        found: list[Any] = self.run(story())
        return found

    def series(self, counter: CounterDriver, clock: Clock, count: int) -> dict[str, Any]:
        """The values of a series in time by channel; each block is checked as it comes."""
        pieces: dict[str, list[Block]] = {spec.name: [] for spec in counter.channels}

        async def story() -> None:
            await self.ask(counter, counter.prepare, self.plan(TriggerMode.TIME, count))
            assert not await self.ask(counter, counter.collect), "it gave points before it was started"
            start = clock.now() + self.late
            await self.ask(counter, counter.start, start)
            end = start + count * self.period + self.late
            while clock.now() < end:
                await clock.sleep_until(clock.now() + 0.7 * self.period)
                for block in await self.ask(counter, counter.collect):
                    assert block.channel in pieces, f"{block.channel} is none of its channels"
                    there = sum(map(len, pieces[block.channel]))
                    assert block.first == there, f"{block.channel}: point {block.first} came when {there} was due"
                    pieces[block.channel].append(block)
                    over = np.count_nonzero(start + np.arange(count) * self.period + self.exposure <= clock.now())
                    assert there + len(block) <= over, f"{block.channel}: a point came before it was over"
            await self.ask(counter, counter.stop)

        self.run(story())
        return {name: _joined(blocks) for name, blocks in pieces.items()}

    def named(self, counter: CounterDriver, values: Any) -> list[tuple[ChannelSpec, Any]]:
        """The values of one point, each with its channel."""
        assert len(values) == len(counter.channels), f"{len(values)} values for {len(counter.channels)} channels"
        return list(zip(counter.channels, values, strict=True))

    def as_block(self, spec: ChannelSpec, value: Any) -> Any:
        """One value as the recorder takes it."""
        return Ragged.of([value]) if spec.kind is ChannelKind.RAGGED else np.asarray([value])

    def check(self, channels: Any, columns: list[Any], count: int) -> None:
        """Every channel has so many items of the shape and type that it says."""
        for spec, column in zip(channels, columns, strict=True):
            assert len(column) == count, f"{spec.name} has {len(column)} of {count} points"
            if not isinstance(column, Ragged):
                assert column.shape[1:] == spec.shape, spec.name
                as_said = column.astype(spec.dtype)
                assert np.array_equal(as_said, column, equal_nan=True), f"{spec.name} does not fit {spec.dtype}"


def _joined(blocks: list[Block]) -> Any:
    values: list[Any] = [block.values for block in blocks]
    if values and isinstance(values[0], Ragged):
        return Ragged.of([item for ragged in values for item in ragged])
    joined: NDArray[Any] = np.concatenate(values) if values else np.empty(0)
    return joined
