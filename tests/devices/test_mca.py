from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import Calibration, Mca, Spectra, SpectrumRegion
from firstlight.model import (
    Block,
    CounterDriver,
    DeviceError,
    FakeClock,
    InvalidInput,
    NotFound,
    TriggerMode,
    TriggerPlan,
)

BINS = 100


class Ramp(Mca):
    """Point p counts (p + 1) · k in channel k of element 0, ten times that in element 1."""

    def __init__(self, **options: Any) -> None:
        modes = frozenset({TriggerMode.SOFTWARE, TriggerMode.TIME})
        defaults: dict[str, Any] = {"calibration": Calibration(gain=0.01), "clock": FakeClock(), "modes": modes}
        super().__init__("mca", BINS, **(defaults | options))
        self.pending: list[int] = []
        self.lost: set[int] = set()
        self.log: list[str] = []
        self.waits = False

    def arm(self, plan: TriggerPlan) -> None:
        self.log.append(f"arm {plan.points}")

    def start(self, moment: float) -> None:
        self.log.append(f"start {moment:g}")

    def spectra(self) -> Any:
        points, self.pending = self.pending, []
        counts = np.array([[(p + 1) * 10**e * np.arange(BINS) for e in range(self.elements)] for p in points])
        times = np.ones((len(points), self.elements))
        made = Spectra(
            counts.reshape(len(points), self.elements, BINS).astype("<u4"),
            2.0 * times,
            1.5 * times,
            1000.0 * times,
            750.0 * times,
            np.array([p not in self.lost for p in points], dtype=bool),
        )
        return self._late(made) if self.waits else made

    async def _late(self, spectra: Spectra) -> Spectra:
        return spectra

    def stop(self) -> None:
        self.log.append("stop")


def plan(mode: TriggerMode = TriggerMode.SOFTWARE) -> TriggerPlan:
    return TriggerPlan(mode=mode, points=3, exposure=0.1, period=0.1)


def collect(mca: Mca) -> dict[str, Block]:
    blocks = mca.collect()
    assert not isinstance(blocks, Awaitable)
    return {block.channel: block for block in blocks}


def names(mca: Mca) -> list[str]:
    return [spec.name.removeprefix("mca:") for spec in mca.channels]


STATISTICS = ["real_time", "live_time", "input_rate", "output_rate", "dead_time"]


def test_one_element_has_a_spectrum_statistics_and_regions() -> None:
    mca = Ramp(rois={"Fe_ka": (10, 12)})
    assert isinstance(mca, CounterDriver)
    assert names(mca) == ["spectrum", *STATISTICS, "Fe_ka"]
    assert {s.name: s.unit for s in mca.channels if s.unit} == {
        "mca:spectrum": "count", "mca:real_time": "s", "mca:live_time": "s", "mca:input_rate": "1/s",
        "mca:output_rate": "1/s", "mca:Fe_ka": "count",
    }  # fmt: skip
    mca.prepare(plan())
    mca.pending = [0]
    values: Any = mca.read()
    assert values[0].tolist() == list(range(BINS))
    assert values[1:] == [2.0, 1.5, 1000.0, 750.0, 0.25, 10 + 11 + 12]


def test_several_elements_have_their_own_channels_and_a_sum() -> None:
    mca = Ramp(elements=2, rois={"low": (0, 2)})
    elements = [[f"det{n}", *(f"det{n}_{part}" for part in [*STATISTICS, "low"])] for n in (0, 1)]
    assert names(mca) == ["spectrum", "low", *elements[0], *elements[1]]
    mca.prepare(plan(TriggerMode.TIME))
    mca.pending = [0, 1]
    first = collect(mca)
    mca.pending = [2]
    second = collect(mca)
    assert list(first) == [spec.name for spec in mca.channels]
    assert first["mca:low"].values.tolist() == [3 + 30, 6 + 60]  # type: ignore[union-attr]
    assert first["mca:det1_low"].values.tolist() == [30, 60]  # type: ignore[union-attr]
    assert (second["mca:low"].first, len(second["mca:low"])) == (2, 1)
    np.testing.assert_array_equal(second["mca:spectrum"].values, 3 * 11 * np.arange(BINS)[None])
    assert mca.collect() == ()


def test_blocks_have_the_types_that_were_announced() -> None:
    mca = Ramp(elements=2, rois={"low": (0, 2)})
    mca.prepare(plan(TriggerMode.TIME))
    mca.pending = [0, 1]
    for block, spec in zip(collect(mca).values(), mca.channels, strict=True):
        assert isinstance(block.values, np.ndarray)
        assert block.values.dtype == np.dtype(spec.dtype)
        assert block.values.shape == (2, *spec.shape)


def test_a_driver_that_waits_is_waited_for() -> None:
    mca = Ramp(rois={"low": (0, 2)})
    mca.prepare(plan())
    mca.pending, mca.waits = [0], True
    reading: Any = mca.read()
    assert asyncio.run(reading)[-1] == 3


def test_a_point_that_the_hardware_lost_does_not_read_as_zero() -> None:
    mca = Ramp(rois={"low": (0, 2)})
    mca.prepare(plan(TriggerMode.TIME))
    mca.pending, mca.lost = [0, 1, 2], {1}
    blocks = {name: np.asarray(block.values) for name, block in collect(mca).items()}
    assert blocks["mca:low"].tolist() == [3, -1, 9]
    assert blocks["mca:spectrum"][1].tolist() == [2**32 - 1] * BINS
    assert np.isnan(blocks["mca:live_time"]).tolist() == [False, True, False]


def test_regions_are_channels_or_energies() -> None:
    mca = Ramp()
    mca.rois["channels"] = (30, 40)
    mca.rois["energies"] = ("300 eV", "0.4 keV")
    mca.rois["values"] = {"low": 300, "high": 400, "unit": "eV"}
    assert mca.rois["energies"] == SpectrumRegion(low=0.3, high=0.4, unit="keV")
    assert [region.channels(mca.calibration) for region in mca.rois.values()] == [(30, 40)] * 3
    mca.calibration = Calibration(offset=0.1, gain=0.01)
    assert [region.channels(mca.calibration) for region in mca.rois.values()] == [(30, 40), (20, 30), (20, 30)]
    selection = {spec.name: spec.info.get("selection") for spec in mca.channels}
    assert selection["mca:channels"] == {"kind": "channels", "low": 30, "high": 40}
    assert selection["mca:energies"] == {
        "kind": "channels", "low": 20, "high": 30, "energy": [0.3, 0.4], "energy@units": "keV",
    }  # fmt: skip
    assert mca.channels[0].info["calibration"] == [0.1, 0.01, 0.0]


@pytest.mark.parametrize(
    ("name", "region", "words"),
    [
        ("Fe ka", (1, 2), "'Fe ka' cannot name a region"),
        ("live_time", (1, 2), "a channel is called live_time already"),
        ("a", (1, 100), "channels 1 to 100 are not in the spectrum. It has channels 0 to 99, 0 to 0.99 keV"),
        ("a", (-1, 10), "channels -1 to 10 are not in the spectrum"),
        ("a", (10, 1), "its low end 10 is above its high end 1"),
        ("a", (0.31, 0.38), "channels 1 to 0 are not"),
        ("a", (1, 2, 3, 4), "a region is (low, high)"),
        ("a", ("6.3 keV", "6.5 keV"), "channels 630 to 650 are not in the spectrum"),
        ("a", ("6.3 mm", "6.5 keV"), "'6.3 mm' is not a quantity in keV"),
        ("a", (1, 2, "mm"), "is not a quantity in keV"),
        ("a", "Fe", "Write (300, 340)"),
        ("a", (float("nan"), 3), "finite number"),
    ],
)
def test_a_region_that_does_not_fit_is_refused(name: str, region: Any, words: str) -> None:
    mca = Ramp(rois={"kept": (1, 2)})
    with pytest.raises(InvalidInput) as caught:
        mca.rois[name] = region
    assert words in str(caught.value)
    assert str(caught.value).startswith("mca: ")
    assert list(mca.rois) == ["kept"]


def test_changes_are_told_and_kept() -> None:
    mca = Ramp()
    told: list[dict[str, Any]] = []
    mca.changed.append(lambda changed: told.append(changed.settings()))
    mca.rois["Fe_ka"] = (30, 40)
    mca.rois["Fe_kb"] = ("0.7 keV", "0.72 keV")
    mca.calibration = (0.0, 0.011)
    del mca.rois["Fe_ka"]
    assert [list(settings["rois"]) for settings in told] == [["Fe_ka"], *[["Fe_ka", "Fe_kb"]] * 2, ["Fe_kb"]]
    other = Ramp()
    assert other.restore(mca.settings()) == []
    assert Ramp().settings() == {}
    assert other.settings() == mca.settings()
    assert other.channels == mca.channels
    assert other.calibration == Calibration(gain=0.011)
    other.rois.clear()
    assert names(other) == ["spectrum", *STATISTICS]


def test_settings_that_do_not_fit_change_nothing() -> None:
    mca = Ramp(rois={"kept": ("0.5 keV", "0.6 keV")})
    before = mca.settings()
    (complaint,) = mca.restore({"calibration": {"gain": 0.001}})
    assert "not in the spectrum" in complaint
    with pytest.raises(InvalidInput, match="not in the spectrum"):
        mca.calibration = (0.0, 0.001)
    with pytest.raises(InvalidInput, match=r"calibration is \(offset, gain\)"):
        mca.calibration = (0.0,)
    assert mca.settings() == before
    with pytest.raises(NotFound, match=r"no region kept_\. Did you mean kept\?"):
        del mca.rois["kept_"]


def test_a_region_that_is_changed_during_a_run_counts_from_the_next_one() -> None:
    mca = Ramp(rois={"low": (0, 2)})
    mca.prepare(plan())
    mca.rois["low"] = (0, 3)
    mca.pending = [0]
    values: Any = mca.read()
    assert values[-1] == 3
    mca.prepare(plan())
    mca.pending = [0]
    again: Any = mca.read()
    assert again[-1] == 6


def test_what_the_hardware_cannot_do_or_gives_wrongly_is_an_error() -> None:
    mca = Ramp()
    with pytest.raises(DeviceError, match="mca: cannot be triggered by position"):
        mca.prepare(plan(TriggerMode.POSITION))
    mca.prepare(plan())
    with pytest.raises(DeviceError, match="gave 0 spectra for one point"):
        mca.read()
    mca.pending = [0]
    mca.bins = 50
    with pytest.raises(DeviceError, match=r"gave spectra of shape \(1, 100\), not \(1, 50\)"):
        mca.read()


@given(st.floats(-5, 5), st.floats(0.001, 1), st.floats(-1e-6, 1e-6), st.integers(0, 4095))
def test_channels_and_energies_are_inverse(offset: float, gain: float, quadratic: float, channel: int) -> None:
    calibration = Calibration(offset=offset, gain=gain, quadratic=quadratic)
    if gain + 2 * quadratic * channel <= gain / 100:
        return  # beyond the top of the parabola
    energy = float(calibration.energy(channel))
    assert calibration.channel(energy) == pytest.approx(channel, abs=1e-4)


def test_an_energy_beyond_the_calibration_has_no_channel() -> None:
    calibration = Calibration(gain=1.0, quadratic=-0.01)
    assert np.isnan(calibration.channel(26.0))
    assert SpectrumRegion(low=1.0, high=26.0, unit="keV").channels(calibration) == (0, -1)
