"""The conformance suites of counters over all that Firstlight brings, and over some that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import (
    AttributeCounter,
    Calibration,
    IntegratingCounter,
    Mca,
    SamplingMode,
    SoftCounter,
    Spectra,
    Surroundings,
    build,
)
from firstlight.devices.sim import MemoryBoard
from firstlight.model import ChannelSpec, Clock, CounterDriver, FakeClock, TriggerMode, TriggerPlan
from firstlight.testing import CounterConformance, SpectrumConformance

IN_TIME = frozenset({TriggerMode.SOFTWARE, TriggerMode.TIME})


class TestSimulated(CounterConformance):
    @pytest.fixture(params=["sim.ring", "sim.diode"])
    def counter(self, clock: Clock, request: pytest.FixtureRequest) -> CounterDriver:
        device: Any = build({"kind": request.param, "name": "counter"}, Surroundings(clock, MemoryBoard()))
        made: CounterDriver = device
        return made


class TestPointDetector(CounterConformance):
    @pytest.fixture(params=["absorption", "reflectivity", "diffractometer"])
    def counter(self, clock: Clock, request: pytest.FixtureRequest) -> CounterDriver:
        config = {"kind": "sim.point_detector", "name": "counter", "sample": {"technique": request.param}}
        device: Any = build(config, Surroundings(clock, MemoryBoard()))
        made: CounterDriver = device
        return made


class TestIonChamber(CounterConformance):
    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        around = Surroundings(clock, MemoryBoard())
        gas = {"name": "i0", "kind": "gas", "distance": 40.5, "length": 50.0}
        build({"name": "beam", "kind": "sim.beamline", "elements": [gas]}, around)
        device: Any = build({"kind": "sim.ion_chamber", "name": "counter", "beamline": "beam", "gas": "i0"}, around)
        made: CounterDriver = device
        return made


class TestPhotodiode(CounterConformance):
    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        around = Surroundings(clock, MemoryBoard())
        build({"name": "beam", "kind": "sim.beamline"}, around)
        device: Any = build({"kind": "sim.photodiode", "name": "counter", "beamline": "beam", "at": 45.0}, around)
        made: CounterDriver = device
        return made


class TestSimulatedMca(SpectrumConformance):
    @pytest.fixture(params=[1, 3])
    def mca(self, clock: Clock, request: pytest.FixtureRequest) -> Mca:
        config = {"kind": "sim.mca", "name": "mca", "elements": request.param, "energy": 17.0, "flux": 1e9}
        made = build(config, Surroundings(clock, MemoryBoard()))
        assert isinstance(made, Mca)
        return made


class TestFunction(CounterConformance):
    @pytest.fixture
    def counter(self) -> CounterDriver:
        return SoftCounter("counter", lambda: 42.0, unit="mA")


class TestFunctionThatWaits(CounterConformance):
    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        async def read() -> tuple[float, float]:
            await clock.sleep_until(clock.now() + 0.01)
            return 1.0, 2.0

        return SoftCounter("counter", read, channels=[ChannelSpec("counter:a"), ChannelSpec("counter:b")])


class Source:
    """What a soft counter reads."""

    name = "source"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.value = 3.0

    async def slow(self) -> float:
        await self.clock.sleep_until(self.clock.now() + 0.004)
        return 4.0


class TestSampling(CounterConformance):
    @pytest.fixture(params=list(SamplingMode))
    def counter(self, clock: Clock, request: pytest.FixtureRequest) -> CounterDriver:
        return AttributeCounter("counter", Source(clock), "value", unit="A", mode=request.param, clock=clock)


class TestSamplingThatWaits(CounterConformance):
    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        return AttributeCounter("counter", Source(clock), "slow", mode="stats", clock=clock)


class Schedule:
    """Which points of a plan are over."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.plan = TriggerPlan(mode=TriggerMode.SOFTWARE, points=0, exposure=0.0)
        self.start = self.stop = np.inf
        self.given = 0

    def new(self) -> NDArray[np.int64]:
        over = (min(self.clock.now(), self.stop) - self.start - self.plan.exposure) / (self.plan.period or 1.0)
        count = int(np.floor(over + 1e-9)) + 1 if np.isfinite(over) and over >= -1e-9 else 0
        count = min(count, self.plan.points) if self.plan.points else count
        points = np.arange(self.given, max(self.given, count))
        self.given += len(points)
        return points


class Card(IntegratingCounter):
    """A counting card; in time it keeps its points until they are read."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__("card", inputs={"a": "count", "b": "V"}, modes=IN_TIME, clock=clock, **options)
        self.schedule = Schedule(clock)

    def arm(self, plan: TriggerPlan) -> None:
        clock = self.schedule.clock
        self.schedule = Schedule(clock)
        self.schedule.plan = plan

    def start(self, moment: float) -> None:
        self.schedule.start = moment

    def counts(self) -> Sequence[float]:
        return [1.0, 2.0]

    def buffered(self) -> NDArray[Any]:
        points = self.schedule.new()
        return np.stack([points, 2.0 * points], axis=1)

    def stop(self) -> None:
        self.schedule.stop = min(self.schedule.stop, self.schedule.clock.now())


class TestIntegrating(CounterConformance):
    @pytest.fixture(params=["error", "nan"])
    def counter(self, clock: Clock, request: pytest.FixtureRequest) -> CounterDriver:
        return Card(clock, missing=request.param)


class TestBlocking(CounterConformance):
    @pytest.fixture
    def counter(self, clock: Clock) -> CounterDriver:
        class Blocking(Card):
            blocking = True

        return Blocking(clock)


class Pulser(Mca):
    """Element e of point p counts p + e + k in channel k."""

    def __init__(self, clock: Clock, elements: int) -> None:
        super().__init__(
            "mca", 64, elements=elements, modes=IN_TIME, clock=clock, calibration=Calibration(offset=-0.1, gain=0.02)
        )
        self.schedule = Schedule(clock)

    def arm(self, plan: TriggerPlan) -> None:
        self.schedule = Schedule(self.schedule.clock)
        self.schedule.plan = plan

    def start(self, moment: float) -> None:
        self.schedule.start = moment

    def spectra(self) -> Spectra:
        software = self.schedule.plan.mode is TriggerMode.SOFTWARE
        points = np.zeros(1, np.int64) if software else self.schedule.new()
        counts = points[:, None, None] + np.arange(self.elements)[None, :, None] + np.arange(self.bins)
        real = np.full((len(points), self.elements), self.schedule.plan.exposure or 1e-3)
        return Spectra(counts.astype("<u4"), real, 0.9 * real, 1e4 + 0 * real, 9e3 + 0 * real)

    def stop(self) -> None:
        self.schedule.stop = min(self.schedule.stop, self.schedule.clock.now())


class TestSpectra(SpectrumConformance):
    @pytest.fixture(params=[1, 3])
    def mca(self, clock: Clock, request: pytest.FixtureRequest) -> Mca:
        return Pulser(clock, request.param)


class Wrong(SoftCounter):
    """A counter with one thing wrong."""

    def __init__(self, what: str, clock: Clock) -> None:
        channels = [ChannelSpec("counter", unit="furlongz" if what == "unit" else "mA")]
        super().__init__("counter", lambda: (1.0,), channels=channels)
        self.what = what
        self.schedule = Schedule(clock)
        self.modes = IN_TIME

    def prepare(self, plan: TriggerPlan) -> None:
        self.schedule = Schedule(self.schedule.clock)
        self.schedule.plan = plan

    def start(self, moment: float) -> None:
        self.schedule.start = moment - (1.0 if self.what == "early" else 0.0)

    def read(self) -> Any:
        return (1.0, 2.0) if self.what == "too many" else (np.ones(3),) if self.what == "shape" else (1.0,)

    def collect(self) -> Any:
        from firstlight.model import Block

        first = 0 if self.what == "first" else self.schedule.given
        points = self.schedule.new()
        if self.what == "lost" and len(points):
            points = points[:-1]
        return [Block("counter", first, points.astype("f8"), 0.0)] if len(points) else []

    def stop(self) -> None:
        if self.what != "goes on":
            self.schedule.stop = min(self.schedule.stop, self.schedule.clock.now())


@pytest.mark.parametrize(
    ("what", "test"),
    [
        ("unit", "test_it_has_a_name_and_channels_that_tell_their_type_and_unit"),
        ("too many", "test_by_software_each_point_gives_a_value_per_channel"),
        ("shape", "test_by_software_each_point_gives_a_value_per_channel"),
        ("early", "test_in_time_every_point_comes_once_in_order_and_not_before_it_is_over"),
        ("first", "test_in_time_every_point_comes_once_in_order_and_not_before_it_is_over"),
        ("lost", "test_in_time_every_point_comes_once_in_order_and_not_before_it_is_over"),
        ("goes on", "test_in_time_no_point_follows_a_stop"),
        ("mode", "test_what_it_cannot_be_triggered_by_it_refuses_by_its_name"),
    ],
)
def test_what_is_wrong_is_found(what: str, test: str) -> None:
    clock = FakeClock()
    suite = CounterConformance()
    method = getattr(suite, test)
    arguments: list[Any] = [clock] if "clock" in method.__code__.co_varnames else []
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        method(Wrong(what, clock), *arguments)
    # The same test passes when nothing is wrong, but for what this counter never refuses.
    if what != "mode":
        method(Wrong("", clock), *arguments)
