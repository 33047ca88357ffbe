from __future__ import annotations

import asyncio

import numpy as np
import pytest

from firstlight.devices.sim import Diode, MemoryBoard, RingCurrent, SimAxis, SimShutter
from firstlight.model import DeviceError, FakeClock, TriggerMode, TriggerPlan
from firstlight.simulation import Peak, Ring


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


def count(counter: Diode, clock: FakeClock, exposure: float = 1.0) -> float:
    async def story() -> float:
        counter.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=exposure))
        moment = clock.now()
        counter.start(moment)
        await clock.sleep_until(moment + exposure)
        return float(counter.read()[0])

    return asyncio.run(story())


def test_the_ring_counter_reads_the_mean_current_of_its_exposure(clock: FakeClock) -> None:
    ring = Ring(current=200.0, lifetime=100.0, interval=50.0)
    counter = RingCurrent("ring", ring, clock=clock)
    for start in (0.0, 49.5, 10.0):
        value = counter.value(start, start + 1.0)
        moments = start + (np.arange(100_000) + 0.5) / 100_000
        assert value == pytest.approx(ring.current_at(moments).mean(), rel=1e-6)


def test_a_diode_integrates_over_its_exposure(clock: FakeClock) -> None:
    diode = Diode("diode", rate=1e6, noise=False, ring=Ring(lifetime=1e12), clock=clock)
    assert count(diode, clock, 0.5) == pytest.approx(5e5)
    assert count(diode, clock, 2.0) == pytest.approx(2e6)


def test_a_diode_follows_the_ring(clock: FakeClock) -> None:
    ring = Ring(lifetime=100.0, interval=1e6)
    diode = Diode("diode", rate=1e6, noise=False, ring=ring, clock=clock)
    first = count(diode, clock)
    clock.advance(99.0)
    assert count(diode, clock) / first == pytest.approx(np.exp(-1.0))


def test_a_closed_shutter_leaves_the_dark_counts(clock: FakeClock, board: MemoryBoard) -> None:
    shutter = SimShutter("shutter", clock=clock, board=board)
    diode = Diode("diode", rate=1e6, dark=100.0, noise=False, shutter="shutter", clock=clock, board=board)
    assert count(diode, clock) == pytest.approx(100.0)
    asyncio.run(shutter.open())
    assert count(diode, clock) > 1e5


def test_a_shutter_that_opens_during_the_exposure_counts_for_the_rest_of_it(
    clock: FakeClock, board: MemoryBoard
) -> None:
    SimShutter("shutter", clock=clock, board=board)
    diode = Diode("diode", rate=1e6, noise=False, shutter="shutter", ring=Ring(lifetime=1e12), clock=clock, board=board)
    start = clock.now()
    board.post_shutter("shutter", start + 0.25, True)
    clock.advance(1.0)
    assert diode.value(start, start + 1.0) == pytest.approx(0.75e6)


def test_a_diode_sees_a_peak_along_an_axis(clock: FakeClock, board: MemoryBoard) -> None:
    axis = SimAxis("slit", unit="mm", velocity=10.0, clock=clock, board=board)
    diode = Diode(
        "diode", noise=False, peaks={"slit": Peak(centre=0.3, fwhm=0.2)}, ring=Ring(lifetime=1e12), clock=clock,
        board=board,
    )  # fmt: skip
    values = []
    for x in (0.2, 0.3, 0.4):
        asyncio.run(axis.move(x))
        values.append(count(diode, clock))
    assert values[0] / values[1] == pytest.approx(0.5)
    assert values[2] / values[1] == pytest.approx(0.5)


def test_a_diode_averages_a_peak_that_moves_past_during_the_exposure(clock: FakeClock, board: MemoryBoard) -> None:
    axis = SimAxis("slit", velocity=1.0, acceleration=100.0, position=-2.0, clock=clock, board=board)
    peak = Peak(centre=0.0, fwhm=0.5)
    diode = Diode("diode", rate=1e6, noise=False, peaks={"slit": peak}, ring=Ring(lifetime=1e12), clock=clock,
                  board=board)  # fmt: skip
    began = clock.now()
    asyncio.run(axis.move(2.0))
    start = began + 1.5
    value = diode.value(start, start + 1.0)
    # The axis passes from about -0.5 to 0.5 at 1/s: the mean of the peak over that stretch.
    x = np.linspace(-0.507, 0.493, 100_001)
    assert value == pytest.approx(1e6 * peak.at(x).mean(), rel=2e-3)


def test_counts_are_poisson_numbers_that_depend_on_the_seed_and_the_moment_alone(clock: FakeClock) -> None:
    starts = [k * 0.01 for k in range(20_000)]
    ring = Ring(lifetime=1e12)
    for rate in (400.0, 1e5):
        diodes = [Diode("diode", rate=rate, ring=ring, clock=clock, seed=seed) for seed in (1, 1, 2)]
        one, same, other = (np.array([diode.value(start, start + 0.01) for start in starts]) for diode in diodes)
        np.testing.assert_array_equal(one, same)
        assert np.abs(np.corrcoef(one, other)[0, 1]) < 0.03
        mean = rate * 0.01
        assert one.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / len(starts)))
        assert one.var() == pytest.approx(mean, rel=0.05)
        assert np.array_equal(one, np.round(one))


def test_a_diode_that_must_see_a_shutter_needs_a_board(clock: FakeClock) -> None:
    with pytest.raises(DeviceError, match="no board"):
        Diode("diode", shutter="shutter", clock=clock)
