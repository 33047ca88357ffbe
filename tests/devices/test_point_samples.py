"""Point and fluorescence detectors with samples on simulated axes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest

from firstlight.devices import Surroundings, build
from firstlight.devices.sim import MemoryBoard, SimAxis, SimMca, SimPointDetector, SimShutter
from firstlight.devices.sim._parts import open_time
from firstlight.model import CounterDriver, FakeClock, InvalidInput, NotFound, TriggerMode, TriggerPlan
from firstlight.simulation import Diffractometer, EdgeSample, GrowingFilm

QUIET: dict[str, Any] = {"ring": {"lifetime": 1e12}, "noise": False, "dark": 0}


class Table:
    """Instant axes in fake time, and what is built on them."""

    def __init__(self, *axes: str, unit: str = "deg") -> None:
        self.clock, self.board = FakeClock(), MemoryBoard()
        self.around = Surroundings(self.clock, self.board)
        self.axes = {n: SimAxis(n, unit=unit, instant=True, clock=self.clock, board=self.board) for n in axes}

    def detector(self, **config: Any) -> SimPointDetector:
        built = build({"kind": "sim.point_detector", "name": "det", **QUIET, **config}, self.around)
        assert isinstance(built, SimPointDetector)
        assert isinstance(built, CounterDriver)
        return built

    def mca(self, **config: Any) -> SimMca:
        settings = {"kind": "sim.mca", "name": "mca", "ring": {"lifetime": 1e12}, **config}
        built = build(settings, self.around)
        assert isinstance(built, SimMca)
        assert isinstance(built, CounterDriver)
        return built

    def put(self, **positions: float) -> None:
        for name, position in positions.items():
            asyncio.run(self.axes[name].move(position))

    def count(self, counter: Any, seconds: float = 0.1) -> Any:
        counter.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=seconds))
        counter.start(self.clock.now())
        self.clock.advance(seconds)
        return counter.read()


def test_a_crystal_is_found_on_its_circles_and_an_omega_scan_has_its_width() -> None:
    table = Table("om", "ch", "ph", "tt")
    circles = {"omega": "om", "chi": "ch", "phi": "ph", "tth": "tt"}
    sample = {"technique": "diffractometer", "mosaicity": "0.1 deg", "background": 0, "offsets": {"omega": 0.3}}
    detector = table.detector(energy=12.4, inputs=circles, sample=sample)
    crystal = detector.sample
    assert isinstance(crystal, Diffractometer)
    at = crystal.angles((2, 2, 0), 12.4)
    table.put(**{circles[name]: angle for name, angle in at.items()})
    (top,) = table.count(detector)
    assert top > 1e3
    table.put(om=at["omega"] + 0.05)
    (side,) = table.count(detector)
    assert side / top == pytest.approx(0.5, rel=1e-4)
    assert detector.truth()["offsets"]["omega"] == 0.3


def test_a_flying_scan_gives_what_a_scan_in_steps_gives() -> None:
    table = Table("ch", "ph", "tt")
    moving = SimAxis("om", velocity=1.0, acceleration=100.0, clock=table.clock, board=table.board)
    circles = {"omega": "om", "chi": "ch", "phi": "ph", "tth": "tt"}
    detector = table.detector(
        energy=12.4, inputs=circles, parts=32, sample={"technique": "diffractometer", "mosaicity": 0.1, "background": 0}
    )
    crystal = detector.sample
    assert isinstance(crystal, Diffractometer)
    at = crystal.angles((2, 2, 0), 12.4)
    table.put(ch=at["chi"], ph=at["phi"], tt=at["tth"])
    asyncio.run(moving.move(at["omega"] - 0.5))
    plan = TriggerPlan(
        mode=TriggerMode.POSITION, points=20, exposure=0.02, axis="om", first=at["omega"] - 0.2, step=0.02
    )
    detector.prepare(plan)
    detector.start(table.clock.now())
    asyncio.run(moving.move(at["omega"] + 0.5))
    (block,) = detector.collect()
    counts = np.asarray(block.values)
    assert len(counts) == 20
    # All of the rocking curve: Darwin's photons at one degree per second.
    fine = np.linspace(-0.2, 0.2, 2001)
    angles = {name: np.full(2001, angle) for name, angle in at.items()}
    angles["omega"] = angles["omega"] + fine
    curve = crystal.response(np.full(2001, 12.4), angles)
    assert float(counts.sum()) == pytest.approx(1e10 * float(curve.sum()) * 2e-4, rel=2e-3)


def test_a_film_grows_while_the_shutter_of_its_source_is_open() -> None:
    table = Table("theta")
    source = SimShutter("source", delay=0.01, clock=table.clock, board=table.board)
    detector = table.detector(
        energy=10.0,
        inputs={"theta": "theta"},
        sample={"technique": "reflectivity", "deposition": "source", "rate": "3 nm/min", "beam": 0, "background": 0},
    )
    table.put(theta=1.0)
    film = detector.sample
    assert isinstance(film, GrowingFilm)
    assert film.rate == pytest.approx(0.05)

    def expected(seconds: float) -> float:
        at = {"theta": np.array([1.0]), "deposition": np.array([seconds])}
        return 1e9 * float(film.response(np.array([10.0]), at)[0])

    (bare,) = table.count(detector)
    assert bare == pytest.approx(expected(0.0), rel=1e-6)
    asyncio.run(source.open())
    opened = table.clock.now()
    table.clock.advance(60.0)
    (growing,) = table.count(detector)
    assert growing == pytest.approx(expected(60.05), rel=2e-3)
    asyncio.run(source.close())
    closed = table.clock.now()
    table.clock.advance(100.0)
    first, second = table.count(detector)[0], table.count(detector)[0]
    assert first == pytest.approx(second, rel=1e-9)
    assert first == pytest.approx(expected(closed - opened), rel=1e-3)


def test_open_time_adds_up_over_openings() -> None:
    rows = np.array([[1.0, 0.0], [2.0, 1.0], [5.0, 0.0], [9.0, 1.0]])
    np.testing.assert_allclose(open_time(rows, np.array([0.5, 1.5, 3.0, 7.0, 10.0])), [0.0, 0.0, 1.0, 3.0, 4.0])


@pytest.mark.parametrize("mode", ["transmission", "fluorescence"])
def test_an_energy_scan_measures_the_edge(mode: str) -> None:
    table = Table("mono", unit="keV")
    detector = table.detector(inputs={"energy": "mono"}, sample={"technique": "absorption", "mode": mode})
    foil = EdgeSample()
    for energy in (8.9, 8.985, 9.1):
        table.put(mono=energy)
        (counts,) = table.count(detector)
        law = foil.transmission if mode == "transmission" else foil.fluorescence
        assert counts == pytest.approx(1e9 * float(law(energy)), rel=1e-6)
    truth = detector.truth()
    assert truth["e0"] == pytest.approx(8.979)
    assert truth["shells"]["distance"][0] == 2.556


def test_counts_are_poisson_numbers_that_depend_on_the_moment_alone() -> None:
    table = Table("mono", unit="keV")
    table.put(mono=8.9)
    settings: dict[str, Any] = {
        "inputs": {"energy": "mono"}, "flux": 1e4, "dark": 50.0, "noise": True, "sample": {"technique": "absorption"},
    }  # fmt: skip
    detector, twin = table.detector(**settings), table.detector(**settings)
    starts = np.arange(400) * 0.1
    counts = np.array([detector.value(s, s + 0.1) for s in starts])
    mean = detector.expected(0.0, 0.1)
    assert counts.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / 400))
    assert counts.var() == pytest.approx(mean, rel=0.3)
    assert [twin.value(s, s + 0.1) for s in starts[:20]] == counts[:20].tolist()


PLATE = {"discs": [{"x": 0.0, "z": 0.0, "radius": "50 um", "masses": {"Fe": 50.0}}], "thickness": "1 um"}


def test_a_spectrum_shows_what_lies_under_the_beam() -> None:
    table = Table("sx", "sz", unit="mm")
    mca = table.mca(
        inputs={"x": "sx", "z": "sz"}, sample=PLATE, energy=17.0, flux=1e9,
        rois={"fe": ["6.2 keV", "6.6 keV"], "el": ["16.7 keV", "17.3 keV"]},
    )  # fmt: skip
    names = [spec.name for spec in mca.channels]
    on = dict(zip(names, table.count(mca, 1.0), strict=True))
    table.put(sx=0.2)
    off = dict(zip(names, table.count(mca, 1.0), strict=True))
    assert on["mca:fe"] > 1000
    assert off["mca:fe"] < 0.05 * on["mca:fe"]
    assert on["mca:el"] > off["mca:el"] > 10
    assert on["mca:spectrum"].argmax() == pytest.approx(640, abs=2)
    assert on["mca:live_time"] < on["mca:real_time"] == 1.0
    assert on["mca:output_rate"] == pytest.approx(on["mca:spectrum"].sum())
    assert on["mca:input_rate"] > on["mca:output_rate"]
    truth = mca.truth()
    assert truth["discs"]["disc0"]["masses"]["Fe"] == 50.0
    assert truth["masses"]["Si"] == pytest.approx(220.0 * 28.0855 / 60.084, rel=1e-3)


def test_points_of_a_flying_map_are_those_of_their_windows_in_whatever_blocks_they_come() -> None:
    table = Table("sz", unit="mm")
    sx = SimAxis("sx", unit="mm", velocity=0.5, acceleration=10.0, clock=table.clock, board=table.board)
    sample = {"inputs": {"x": "sx", "z": "sz"}, "sample": PLATE, "energy": 17.0, "elements": 2, "noise": False}
    mca = table.mca(**sample)
    asyncio.run(sx.move(-0.2))
    mca.prepare(TriggerPlan(mode=TriggerMode.POSITION, points=16, exposure=0.02, axis="sx", first=-0.15, step=0.02))
    mca.start(table.clock.now())
    asyncio.run(sx.move(0.3))
    found = mca.collect()
    assert not isinstance(found, Awaitable)
    blocks = {block.channel: np.asarray(block.values) for block in found}
    assert len(blocks["mca:det0"]) == 16
    np.testing.assert_array_equal(blocks["mca:det0"], blocks["mca:det1"])
    np.testing.assert_array_equal(blocks["mca:spectrum"], 2 * blocks["mca:det0"].astype(np.int64))
    iron = blocks["mca:spectrum"][:, 620:660].sum(axis=1)
    inside = np.abs(-0.15 + 0.02 * np.arange(16) + 0.005) < 0.04
    assert iron[inside].min() > 5 * max(1, iron[[0, 1, -1]].max())
    assert not mca.collect()


def test_spectra_are_poisson_numbers_of_what_is_expected() -> None:
    table = Table()
    mca = table.mca(sample=PLATE, energy=17.0, flux=1e10, elements=3)
    values = table.count(mca, 1.0)
    spectra = [v for v, spec in zip(values, mca.channels, strict=True) if spec.name in ("mca:det0", "mca:det1")]
    start = mca._start
    mean = mca.pulses.record(mca.arriving(start, start + 1.0)).counts
    assert (spectra[0] != spectra[1]).any()
    bright = mean > 20
    z = (spectra[0][bright] - mean[bright]) / np.sqrt(mean[bright])
    assert abs(z.mean()) < 0.3
    assert 0.8 < z.std() < 1.2


def test_what_nobody_publishes_is_named_when_it_is_prepared() -> None:
    table = Table()
    detector = table.detector(inputs={"energy": "mono"}, sample={"technique": "absorption"})
    with pytest.raises(NotFound, match="'mono'"):
        table.count(detector)
    with pytest.raises(NotFound, match="'sx'"):
        table.count(table.mca(inputs={"x": "sx"}))
    film = table.detector(sample={"technique": "reflectivity", "deposition": "source"})
    with pytest.raises(NotFound, match="'source'"):
        table.count(film)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"kind": "sim.point_detector", "sample": {"technique": "absorption", "edge": "M1"}}, "no edge 'M1'"),
        ({"kind": "sim.point_detector", "sample": {"technique": "absorption", "element": "Xx"}}, "no element 'Xx'"),
        (
            {"kind": "sim.point_detector", "sample": {"technique": "diffractometer", "goniometer": "e6c"}},
            "fourcv, psic",
        ),
        ({"kind": "sim.point_detector", "sample": {"technique": "reflectivity", "rate": "3 kg"}}, "rate"),
        ({"kind": "sim.point_detector", "sample": {"technique": "absorption"}, "inputs": {"x": "a"}}, "no input 'x'"),
        ({"kind": "sim.point_detector"}, "sample"),
        ({"kind": "sim.mca", "inputs": {"y": "sy"}}, r"no input 'y'.*x, z, energy"),
        ({"kind": "sim.mca", "sample": {"formula": "1O"}}, "formula"),
        ({"kind": "sim.mca", "rois": {"fe": ["90 keV", "95 keV"]}}, "region fe"),
        ({"kind": "sim.mca", "elements": 0}, "elements = 0"),
    ],
)
def test_a_wrong_detector_is_one_clear_sentence(config: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        build({"name": "det", **config}, Surroundings(FakeClock(), MemoryBoard()))
    assert "\n" not in str(caught.value)
