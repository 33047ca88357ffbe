from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import AttributeCounter, SamplingCounter, SamplingMode, Surroundings, build
from firstlight.model import (
    Block,
    ChannelKind,
    CounterDriver,
    DeviceError,
    FakeClock,
    InvalidInput,
    NotFound,
    Ragged,
    RealClock,
    TriggerMode,
    TriggerPlan,
)


class Sampled(SamplingCounter):
    """Gives 1, 2, 3 ...; or what a function of the number of the reading gives."""

    def __init__(self, function: Callable[[int], Any] = float, **options: Any) -> None:
        self.clock: FakeClock = options.pop("clock", None) or FakeClock()
        super().__init__("t", clock=self.clock, **options)
        self.function = function
        self.reads = 0

    def sample(self) -> Any:
        self.reads += 1
        return self.function(self.reads)


def software(exposure: float) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.SOFTWARE, points=0, exposure=exposure)


async def point(counter: SamplingCounter, clock: FakeClock | RealClock, exposure: float) -> list[Any]:
    """One point as the engine makes it."""
    moment = clock.now()
    counter.start(moment)
    if exposure:
        await clock.sleep_until(moment + exposure)
    values = counter.read()
    return list(await values if inspect.isawaitable(values) else values)


def count(counter: Sampled, exposure: float = 0.1, points: int = 1) -> list[Any]:
    async def run() -> list[Any]:
        counter.prepare(software(exposure))
        made = [await point(counter, counter.clock, exposure) for _ in range(points)]
        counter.stop()
        return made[0] if points == 1 else made

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", {"t": 6.0}),
        ("single", {"t": 1.0}),
        ("last", {"t": 11.0}),
        ("integrate", {"t": 0.6}),
        ("stats", {"t": 6.0, "t:std": math.sqrt(10), "t:n": 11, "t:min": 1.0, "t:max": 11.0}),
        ("integrate_stats", {"t": 0.6, "t:std": math.sqrt(10) / 10, "t:n": 11, "t:min": 0.1, "t:max": 1.1}),
    ],
)
def test_a_point_is_made_of_its_samples(mode: str, expected: dict[str, float]) -> None:
    counter = Sampled(mode=mode)
    found = dict(zip([spec.name for spec in counter.channels], count(counter), strict=True))
    assert found == pytest.approx(expected)


def test_all_samples_are_kept_when_that_is_wanted() -> None:
    counter = Sampled(mode=SamplingMode.SAMPLES)
    assert [(spec.name, spec.kind) for spec in counter.channels] == [
        ("t", ChannelKind.LOG),
        ("t:samples", ChannelKind.RAGGED),
    ]
    mean, samples = count(counter)
    assert mean == 6.0
    assert samples.tolist() == list(range(1, 12))


def test_units_follow_the_mode() -> None:
    counter = Sampled(unit="uA", mode="integrate_stats")
    assert [spec.unit for spec in counter.channels] == ["uA*s", "uA*s", "", "uA*s", "uA*s"]
    counter.mode = SamplingMode.STATS
    assert [spec.unit for spec in counter.channels] == ["uA", "uA", "", "uA", "uA"]
    assert Sampled(unit="1/s", mode="integrate").channels[0].unit == ""


@pytest.mark.parametrize("mode", list(SamplingMode))
def test_without_time_to_count_there_is_one_sample_and_no_waiting(mode: SamplingMode) -> None:
    counter = Sampled(mode=mode)
    points = count(counter, 0.0, points=3)
    assert counter.reads == 3
    factor = 0.0 if "integrate" in mode else 1.0
    assert [values[0] for values in points] == [1.0 * factor, 2.0 * factor, 3.0 * factor]


def test_the_plain_case_gives_its_value_without_a_task() -> None:
    counter = Sampled()
    counter.prepare(software(0.0))
    counter.start(0.0)
    assert counter.read() == [1.0]


def test_one_sample_may_have_several_parts() -> None:
    counter = Sampled(lambda n: (n, 10 * n), parts=["x", "y"], mode="stats")
    names = [spec.name for spec in counter.channels]
    assert names[:2] + names[5:6] == ["t:x", "t:x_std", "t:y"]
    values = dict(zip(names, count(counter), strict=True))
    assert (values["t:x"], values["t:y"], values["t:y_max"]) == (6.0, 60.0, 110.0)
    with pytest.raises(DeviceError, match="t: gave 2 numbers for x, y, z"):
        count(Sampled(lambda n: (1, 2), parts=["x", "y", "z"], retries=0), 0.0)


def test_samples_that_are_no_numbers_do_not_count() -> None:
    mean, _, number, *_ = count(Sampled(lambda n: math.nan if n % 2 else n, mode="stats"))
    assert (mean, number) == (6.0, 5)
    empty = count(Sampled(lambda n: math.nan, mode="stats"))
    assert empty[2] == 0
    assert np.isnan([empty[0], empty[1], empty[3]]).all()


def fails(*numbers: int) -> Callable[[int], float]:
    def function(n: int) -> float:
        if n in numbers:
            raise OSError("no answer")
        return float(n)

    return function


def test_a_read_that_fails_is_tried_again() -> None:
    assert count(Sampled(fails(2, 3, 5)))[0] == pytest.approx((66 - 2 - 3 - 5) / 8)
    assert count(Sampled(fails(1, 2)), 0.0) == [3.0]
    assert count(Sampled(fails(1, 2)), 0.001) == [3.0]


@pytest.mark.parametrize("exposure", [0.0, 0.001, 0.1])
def test_a_point_without_any_value_is_an_error_or_nan(exposure: float) -> None:
    always = range(1, 100)
    with pytest.raises(
        DeviceError, match=r"t: gave no value: all \d+ reads failed, the last with OSError: no answer\."
    ):
        count(Sampled(fails(*always)), exposure)
    with pytest.raises(DeviceError, match="its read failed, the last with OSError"):
        count(Sampled(fails(*always), retries=0), 0.0)
    assert math.isnan(count(Sampled(fails(*always), missing="nan"), exposure)[0])


def test_reading_may_wait() -> None:
    class Slow(Sampled):
        async def sample(self) -> float:
            await self.clock.sleep_until(self.clock.now() + 0.03)
            self.reads += 1
            return float(self.reads)

    assert count(Slow(mode="stats"))[2] == 3
    assert count(Slow(), 0.0) == [1.0]
    never = Slow(retries=1)
    never.function = fails(1, 2, 3)
    never.sample = lambda: _failing(never)  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="all 2 reads failed"):
        count(never, 0.0)


async def _failing(counter: Sampled) -> float:
    counter.reads += 1
    raise OSError("no answer")


def test_reading_that_blocks_runs_in_a_thread() -> None:
    threads: set[str] = set()

    def read(n: int) -> float:
        threads.add(threading.current_thread().name)
        return float(n)

    class Threaded(SamplingCounter):
        def sample(self) -> float:
            return read(1)

    counter = Threaded("t", threaded=True, interval=0.001)

    async def run() -> None:
        counter.prepare(software(0.02))
        assert await point(counter, RealClock(), 0.02) == [1.0]

    asyncio.run(run())
    assert threading.main_thread().name not in threads
    assert count(Sampled(read, threaded=True), 0.0) == [1.0]
    assert count(Sampled(read, threaded=True)) == [6.0]


def in_time(counter: Sampled, plan: TriggerPlan, until: float, step: float = 0.05) -> dict[str, list[Block]]:
    """Acquire in time, collecting now and then."""
    found: dict[str, list[Block]] = {spec.name: [] for spec in counter.channels}

    async def run() -> None:
        clock = counter.clock
        counter.prepare(plan)
        counter.start(clock.now() + 0.1)
        end = clock.now() + 0.1 + until
        while clock.now() < end:
            await clock.sleep_until(clock.now() + step)
            for block in counter.collect():
                found[block.channel].append(block)
        counter.stop()

    asyncio.run(run())
    return found


def test_in_time_each_point_gets_the_samples_of_its_exposure() -> None:
    counter = Sampled(lambda n: counter.clock.now(), mode="stats")
    begin = counter.clock.now() + 0.1
    plan = TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=0.1, period=0.2)
    found = in_time(counter, plan, 1.2)
    assert [block.first for block in found["t"]] == sorted({block.first for block in found["t"]})
    means = np.concatenate([np.asarray(block.values) for block in found["t"]])
    least = np.concatenate([np.asarray(block.values) for block in found["t:min"]])
    most = np.concatenate([np.asarray(block.values) for block in found["t:max"]])
    number = np.concatenate([np.asarray(block.values) for block in found["t:n"]])
    starts = begin + 0.2 * np.arange(5)
    assert (least >= starts).all()
    assert (most < starts + 0.1).all()
    np.testing.assert_allclose(means, starts + 0.05, atol=0.006)
    assert set(number) <= {9, 10, 11}


def test_in_time_all_samples_are_ragged_blocks() -> None:
    counter = Sampled(mode="samples")
    found = in_time(counter, TriggerPlan(mode=TriggerMode.TIME, points=4, exposure=0.1, period=0.1), 0.8, 0.3)
    blocks: list[Ragged] = [block.values for block in found["t:samples"]]  # type: ignore[misc]
    samples = [item for block in blocks for item in block]
    assert len(samples) == 4
    assert np.concatenate(samples).tolist() == sorted(np.concatenate(samples))


def test_in_time_a_point_too_short_for_any_reading_is_nan() -> None:
    class Slow(Sampled):
        async def sample(self) -> float:
            await self.clock.sleep_until(self.clock.now() + 0.3)
            return 1.0

    found = in_time(Slow(), TriggerPlan(mode=TriggerMode.TIME, points=10, exposure=0.1, period=0.1), 3.0)
    values = np.concatenate([np.asarray(block.values) for block in found["t"]])
    assert len(values) == 10
    assert 0 < np.isnan(values).sum() < 10


def test_in_time_a_point_whose_reads_all_fail_is_an_error() -> None:
    plan = TriggerPlan(mode=TriggerMode.TIME, points=5, exposure=0.1, period=0.1)
    with pytest.raises(DeviceError, match="gave no value"):
        in_time(Sampled(fails(*range(10, 100))), plan, 1.0)
    found = in_time(Sampled(fails(*range(1, 1000)), missing="nan"), plan, 1.0)
    assert np.isnan(np.concatenate([np.asarray(block.values) for block in found["t"]])).tolist() == [True] * 5


def test_it_cannot_be_triggered_by_position_and_nothing_runs_on_after_a_stop() -> None:
    counter = Sampled()
    assert isinstance(counter, CounterDriver)
    with pytest.raises(DeviceError, match="t: cannot be triggered by position"):
        counter.prepare(TriggerPlan(mode=TriggerMode.POSITION, points=3, exposure=0.1))

    async def run() -> int:
        counter.prepare(software(10.0))
        counter.start(counter.clock.now())
        await counter.clock.sleep_until(counter.clock.now() + 1.0)
        counter.stop()
        counter.stop()
        reads = counter.reads
        await counter.clock.sleep_until(counter.clock.now() + 5.0)
        return reads

    assert asyncio.run(run()) == counter.reads


def test_the_mode_is_a_setting_that_can_be_kept() -> None:
    counter = Sampled()
    told: list[dict[str, Any]] = []
    counter.changed.append(lambda changed: told.append(changed.settings()))
    counter.mode = SamplingMode.LAST
    assert told == [{"mode": "last"}]
    other = Sampled()
    assert other.restore(counter.settings()) == []
    assert other.mode is SamplingMode.LAST
    (complaint,) = other.restore({"mode": "median"})
    assert complaint.startswith("t: there is no sampling mode 'median'. Known: mean")
    assert Sampled(mode="last").settings() == {}
    assert counter.info["sampling_mode"] == "last"
    with pytest.raises(InvalidInput, match=r"no sampling mode 'median'\. Known: mean, stats, samples"):
        counter.mode = "median"
    with pytest.raises(InvalidInput, match="interval is above 0"):
        Sampled(interval=0.0)


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=20))
def test_statistics_are_those_of_the_samples(values: list[float]) -> None:
    counter = Sampled(lambda n: values[(n - 1) % len(values)], mode="stats", interval=0.1 / max(1, len(values) - 1))
    mean, std, n, least, most = count(counter)
    good = np.array([values[k % len(values)] for k in range(counter.reads)])
    good = good[~np.isnan(good)]
    assert n == len(good)
    if n:
        assert (least, most) == (good.min(), good.max())
        assert mean == pytest.approx(good.mean(), abs=1e-6)
        assert std == pytest.approx(good.std(), abs=1e-6)
    else:
        assert math.isnan(mean)


class Regulation:
    name = "oven"

    def __init__(self) -> None:
        self.setpoint = 20.0
        self.loop = self

    @property
    def temperature(self) -> float:
        return self.setpoint + 0.5

    def power(self) -> float:
        return 3.0

    async def slow(self) -> float:
        return 4.0


@pytest.mark.parametrize(
    ("attribute", "expected"), [("temperature", 20.5), ("power", 3.0), ("slow", 4.0), ("loop.loop.setpoint", 20.0)]
)
def test_a_soft_counter_counts_any_attribute_or_method(attribute: str, expected: float) -> None:
    clock = FakeClock()
    surroundings = Surroundings(clock, devices={"oven": Regulation()})
    config = {"kind": "soft.counter", "name": "t", "device": "oven", "attribute": attribute, "unit": "degC"}
    counter = build({**config, "mode": "stats", "interval": "20 ms"}, surroundings)
    assert isinstance(counter, AttributeCounter)
    assert counter.channels[0].unit == "degC"
    assert counter.info["attribute"] == f"oven.{attribute}"

    async def run() -> list[Any]:
        counter.prepare(software(0.1))
        return await point(counter, clock, 0.1)

    values = asyncio.run(run())
    assert values[0] == expected
    assert values[2] == 6


def test_what_a_soft_counter_cannot_read_is_told() -> None:
    surroundings = Surroundings(FakeClock(), devices={"oven": Regulation()})
    config = {"kind": "soft.counter", "name": "t", "device": "oven"}
    with pytest.raises(InvalidInput, match=r"t: oven has no attribute 'temprature'\. Did you mean temperature\?"):
        build({**config, "attribute": "temprature"}, surroundings)
    with pytest.raises(InvalidInput, match="not the name of a public attribute"):
        build({**config, "attribute": "__class__.name"}, surroundings)
    with pytest.raises(NotFound, match="no device oven2"):
        build({**config, "device": "oven2", "attribute": "power"}, surroundings)
    counter = AttributeCounter("t", Regulation(), "loop.nothing", retries=0, clock=FakeClock())
    counter.prepare(software(0.0))
    reading = counter.read()
    assert isinstance(reading, Awaitable)
    with pytest.raises(DeviceError, match=r"cannot read loop\.nothing"):
        asyncio.run(_await(reading))


async def _await(reading: Awaitable[Any]) -> Any:
    return await reading
