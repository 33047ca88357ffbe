"""What every spectrum detector must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firstlight.devices import Mca
from firstlight.model import Clock, CounterDriver, InvalidInput, TriggerMode
from firstlight.testing._counter import CounterConformance


class SpectrumConformance(CounterConformance):
    """Tests of one spectrum detector, beyond those of a counter.

    Derive a class from it with a fixture ``mca`` that gives the driver, derived from ``devices.Mca``.
    """

    @pytest.fixture
    def mca(self, clock: Clock) -> Mca:
        """The driver."""
        raise NotImplementedError("A conformance test needs a fixture 'mca'.")

    @pytest.fixture
    def counter(self, mca: Mca) -> CounterDriver:
        """The same, as a counter."""
        return mca

    def test_its_spectra_have_its_bins(self, mca: Mca) -> None:
        specs = {spec.name: spec for spec in mca.channels}
        names = [f"{mca.name}:spectrum"]
        if mca.elements > 1:
            names += [f"{mca.name}:det{element}" for element in range(mca.elements)]
        for name in names:
            assert specs[name].shape == (mca.bins,)
            assert specs[name].info["calibration@units"] == mca.calibration.unit

    def test_a_region_counts_what_the_spectrum_holds(self, mca: Mca, clock: Clock) -> None:
        low, high = mca.bins // 4, mca.bins // 2
        mca.rois["conformance"] = (low, high)
        c = mca.calibration
        ends = (float(c.energy(low)), float(c.energy(high)))
        mca.rois["by_energy"] = {"low": ends[0], "high": ends[1], "unit": c.unit}
        for point in self.spectra(mca, clock):
            for prefix, spectrum in self.elements_of(mca, point):
                counts = np.asarray(spectrum, dtype=np.float64)[..., low : high + 1].sum(axis=-1)
                np.testing.assert_array_equal(point[f"{prefix}conformance"], counts)
                np.testing.assert_array_equal(point[f"{prefix}by_energy"], counts)

    def test_the_sum_is_that_of_its_elements(self, mca: Mca, clock: Clock) -> None:
        if mca.elements > 1:
            for point in self.spectra(mca, clock):
                parts = [np.asarray(point[f"{mca.name}:det{n}"], dtype=np.float64) for n in range(mca.elements)]
                np.testing.assert_array_equal(point[f"{mca.name}:spectrum"], np.sum(parts, axis=0))

    def test_its_times_and_rates_agree(self, mca: Mca, clock: Clock) -> None:
        for point in self.spectra(mca, clock):
            for prefix, _ in self.single_elements(mca, point):
                real, live = (np.asarray(point[prefix + part], np.float64) for part in ("real_time", "live_time"))
                dead, rates = (np.asarray(point[prefix + part]) for part in ("dead_time", "output_rate"))
                assert (live >= 0).all()
                assert (live <= real * (1 + 1e-9)).all()
                np.testing.assert_allclose(dead, 1 - live / real, atol=1e-9)
                assert (rates <= np.asarray(point[f"{prefix}input_rate"]) * (1 + 1e-9)).all()

    def test_regions_that_do_not_fit_are_refused_and_change_nothing(self, mca: Mca) -> None:
        before = mca.settings()
        for region in ((0, mca.bins), (-1, 0), (3, 2)):
            with pytest.raises(InvalidInput, match=mca.name):
                mca.rois["conformance"] = region
        assert mca.settings() == before

    def test_a_change_is_told_and_kept(self, mca: Mca) -> None:
        told: list[Any] = []
        mca.changed.append(lambda changed: told.append(changed.settings()))
        mca.rois["conformance"] = (0, mca.bins - 1)
        assert told
        assert "conformance" in told[-1]["rois"]
        kept = mca.settings()
        del mca.rois["conformance"]
        mca.restore(kept)
        assert "conformance" in mca.rois

    # -- for the tests

    def spectra(self, mca: Mca, clock: Clock) -> list[dict[str, Any]]:
        """Values by channel: of a point by software, and of a series in time, as far as it does both."""
        found: list[dict[str, Any]] = []
        if TriggerMode.SOFTWARE in mca.modes:
            (values,) = self.points(mca, clock, 1, self.exposure)
            found.append({spec.name: value for spec, value in self.named(mca, values)})
        if TriggerMode.TIME in mca.modes:
            found.append(self.series(mca, clock, 3))
        assert found
        return found

    def single_elements(self, mca: Mca, point: dict[str, Any]) -> list[tuple[str, Any]]:
        """Prefix of the channels of each element, and its spectrum."""
        if mca.elements == 1:
            return [(f"{mca.name}:", point[f"{mca.name}:spectrum"])]
        return [(f"{mca.name}:det{n}_", point[f"{mca.name}:det{n}"]) for n in range(mca.elements)]

    def elements_of(self, mca: Mca, point: dict[str, Any]) -> list[tuple[str, Any]]:
        """The same, and the sum if there are several."""
        some = [(f"{mca.name}:", point[f"{mca.name}:spectrum"])] if mca.elements > 1 else []
        return some + self.single_elements(mca, point)
