from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import Peak, Ring


def test_the_current_decays_and_is_topped_up() -> None:
    ring = Ring(current=200.0, lifetime=3600.0, interval=600.0)
    assert ring.current_at(0.0) == pytest.approx(200.0)
    assert ring.current_at(599.9) == pytest.approx(200.0 * np.exp(-599.9 / 3600.0))
    assert ring.current_at(600.0) == pytest.approx(200.0)
    assert ring.current_at(1800.0 + 36.0) == pytest.approx(200.0 * np.exp(-0.01))


@given(start=st.floats(0.0, 1e3), length=st.floats(1e-3, 500.0))
def test_the_charge_is_the_integral_of_the_current(start: float, length: float) -> None:
    ring = Ring(current=100.0, lifetime=200.0, interval=60.0)
    moments = start + (np.arange(200_000) + 0.5) / 200_000 * length
    assert ring.charge(start, start + length) == pytest.approx(
        float(ring.current_at(moments).mean() * length), rel=1e-4
    )


@given(start=st.floats(0.0, 1e6), length=st.floats(1e-7, 1e-5))
def test_the_mean_of_a_short_exposure_keeps_its_digits(start: float, length: float) -> None:
    ring = Ring(interval=1e9)
    assert ring.mean(start, start + length) == pytest.approx(float(ring.current_at(start)), rel=1e-3)


def test_an_exposure_without_length_reads_the_current() -> None:
    assert Ring().mean(100.0, 100.0) == pytest.approx(float(Ring().current_at(100.0)))


def test_a_peak_has_its_width_and_background() -> None:
    peak = Peak(centre=2.0, fwhm=0.5, background=0.2)
    assert peak.at(2.0) == 1.0
    assert peak.at([1.75, 2.25]) == pytest.approx([0.6, 0.6])
    assert peak.at(100.0) == pytest.approx(0.2)


def test_impossible_sources_are_refused() -> None:
    for wrong in ({"current": -1.0}, {"lifetime": 0.0}, {"interval": -1.0}):
        with pytest.raises(InvalidInput):
            Ring(**wrong)
    for wrong in ({"fwhm": 0.0}, {"background": 2.0}):
        with pytest.raises(InvalidInput):
            Peak(**wrong)


def test_a_ring_that_never_decays_has_a_constant_current() -> None:
    constant = Ring(200.0, np.inf)
    assert constant.charge(1.0, 3.5) == 500.0
    assert constant.mean(1.0, 3.5) == 200.0


def test_the_phase_says_when_it_was_filled() -> None:
    later = Ring(200.0, 100.0, 60.0, phase=17.0)
    first = Ring(200.0, 100.0, 60.0)
    moments = np.linspace(20.0, 200.0, 50)
    assert later.current_at(moments + 17.0) == pytest.approx(first.current_at(moments))
    assert later.charge(37.0, 217.0) == pytest.approx(first.charge(20.0, 200.0))
