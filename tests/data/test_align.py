"""Centres and widths of curves whose answer is known."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.data import Kind, NoPeak, Position, Run, center_of_mass, feature
from firstlight.data._resolver import Resolver
from firstlight.model import ChannelRole, ChannelSpec, InvalidInput, NotFound, PlotHint
from tests.data.conftest import ArraySource, make_info

Points = NDArray[np.float64]

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian, in standard deviations."""


def gauss(x: Points, center: float, sigma: float) -> Points:
    return np.exp(-0.5 * ((x - center) / sigma) ** 2)


def lorentz(x: Points, center: float, width: float) -> Points:
    return 1 / (1 + (2 * (x - center) / width) ** 2)


def triangle(x: Points, center: float, width: float) -> Points:
    return np.clip(1 - np.abs(x - center) / width, 0, None)


def slit(x: Points, center: float, width: float) -> Points:
    """A flat top with linear flanks of a tenth of the width."""
    return np.clip((width / 2 - np.abs(x - center)) / (0.1 * width) + 0.5, 0, 1)


def edge(x: Points, center: float, sigma: float) -> Points:
    return np.array([0.5 * (1 + math.erf((v - center) / sigma)) for v in x])


X = np.linspace(-5, 5, 101)


@pytest.mark.parametrize("center", [-0.73, 0.0, 1.2345])
@pytest.mark.parametrize(
    ("curve", "width"),
    [
        (lambda x, c: gauss(x, c, 0.8), FWHM * 0.8),
        (lambda x, c: lorentz(x, c, 0.6), 0.6),
        (lambda x, c: triangle(x, c, 1.5), 1.5),
        (lambda x, c: slit(x, c, 2.0), 2.0),
    ],
    ids=["gauss", "lorentz", "triangle", "slit"],
)
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (2e-9, 1e-10), (5e6, 1e4)])
def test_a_clean_peak_is_found_to_a_fraction_of_a_step(
    curve: object, width: float, center: float, scale: float, offset: float
) -> None:
    assert callable(curve)
    found = feature(X, offset + scale * curve(X, center))
    assert found.kind is Kind.PEAK
    assert found.center == pytest.approx(center, abs=0.01)
    assert found.width == pytest.approx(width, rel=0.03)
    assert found.height == pytest.approx(scale, rel=0.03)
    assert found.base == pytest.approx(offset, abs=0.02 * scale)


def test_a_triangle_is_exact() -> None:
    found = feature(X, triangle(X, 0.4, 2.0))
    assert found.center == pytest.approx(0.4, abs=1e-12)
    assert found.width == pytest.approx(2.0, abs=1e-12)


def test_a_dip_has_its_centre_too() -> None:
    found = feature(X, 10 - 4 * gauss(X, -0.5, 0.7))
    assert found.kind is Kind.DIP
    assert found.center == pytest.approx(-0.5, abs=0.005)
    assert found.width == pytest.approx(FWHM * 0.7, rel=0.01)
    assert found.base == pytest.approx(10, rel=1e-6)
    assert found.height == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_edge_is_where_it_passes_half_its_step(sign: int) -> None:
    found = feature(X, 3 + sign * 2 * edge(X, 0.7, 0.4))
    assert found.kind is Kind.EDGE
    assert found.center == pytest.approx(0.7, abs=0.005)
    assert math.isnan(found.width)
    assert found.height == pytest.approx(2, rel=1e-6)


def test_points_may_come_in_any_order_unevenly_and_twice() -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(-4, 4, 200))
    y = 2 + gauss(x, 0.3, 0.9)
    order = rng.permutation(200)
    expected = feature(x, y)
    assert feature(x[order], y[order]) == expected
    assert feature(np.tile(x, 2), np.tile(y, 2)).center == pytest.approx(expected.center)
    assert expected.center == pytest.approx(0.3, abs=0.02)
    assert center_of_mass(x, y) == pytest.approx(0.3, abs=0.02)


def test_points_that_were_not_measured_do_not_count() -> None:
    y = gauss(X, 0.3, 0.9)
    y[::7] = np.nan
    assert feature(X, y).center == pytest.approx(0.3, abs=0.02)
    assert center_of_mass(X, y) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(("points", "noise", "tolerance"), [(21, 0.05, 0.15), (41, 0.05, 0.1), (101, 0.1, 0.15)])
def test_noise_moves_the_centre_by_a_fraction_of_the_width(points: int, noise: float, tolerance: float) -> None:
    rng = np.random.default_rng(11)
    x = np.linspace(-3, 3, points)
    errors, widths = [], []
    for _ in range(100):
        found = feature(x, 4 + gauss(x, 0.1, 0.6) + noise * rng.normal(size=points))
        assert found.kind is Kind.PEAK
        errors.append(found.center - 0.1)
        widths.append(found.width)
    assert np.std(errors) < tolerance
    assert abs(np.mean(errors)) < 0.05
    assert np.mean(widths) == pytest.approx(FWHM * 0.6, rel=0.05)


def test_a_flank_that_noise_crosses_several_times_counts_by_its_mean() -> None:
    x = np.arange(40.0)
    y = np.where(x % 2 == 0, 0.02, -0.02)
    y[10:17] = [0.45, 0.55, 0.48, 0.52, 1.0, 1.0, 1.0]
    found = feature(x, y)
    left = np.mean([10.5, 11 + 5 / 7, 12.5])
    right = 16 + 0.5 / 1.02
    assert found.center == pytest.approx((left + right) / 2)
    assert found.width == pytest.approx(right - left)


def test_the_second_peak_does_not_move_the_first() -> None:
    y = gauss(X, -2, 0.4) + 0.8 * gauss(X, 2.5, 0.4)
    found = feature(X, y)
    assert found.center == pytest.approx(-2, abs=0.01)
    assert found.width == pytest.approx(FWHM * 0.4, rel=0.02)


@pytest.mark.parametrize("value", [0.0, 3.5, -1e9])
def test_a_flat_curve_has_no_peak(value: float) -> None:
    with pytest.raises(NoPeak, match="flat"):
        feature(X, np.full(101, value))
    with pytest.raises(NoPeak, match="flat"):
        center_of_mass(X, np.full(101, value))


def test_mere_noise_is_hardly_ever_a_peak() -> None:
    rng = np.random.default_rng(5)
    for draw in (rng.normal, lambda size: rng.poisson(0.3, size=size), lambda size: rng.poisson(50, size=size)):
        found = 0
        for _ in range(200):
            try:
                feature(np.arange(41), draw(size=41))
                found += 1
            except NoPeak:
                pass
        assert found <= 8


def test_few_points_are_too_few() -> None:
    with pytest.raises(NoPeak, match="4 points are too few"):
        feature(np.arange(4), [0, 1, 2, 0])
    with pytest.raises(NoPeak, match="1 points are too few"):
        feature(np.ones(20), np.arange(20))
    assert feature(np.arange(5), [0, 1, 2, 1, 0]).center == 2


def test_a_peak_that_is_cut_says_on_which_side() -> None:
    x = np.linspace(-0.9, 5, 60)
    with pytest.raises(NoPeak, match=r"cut by the end of the scan at -0\.9"):
        feature(x, gauss(x, 0, 1))


def test_shapes_must_fit() -> None:
    with pytest.raises(InvalidInput):
        feature([1, 2, 3], [1, 2])


def test_the_mass_is_taken_above_the_level_beside_the_peak() -> None:
    y = 100 + gauss(X, 1.5, 0.5)
    assert center_of_mass(X, y) == pytest.approx(1.5, abs=1e-6)
    assert center_of_mass(X, y, baseline="none") == pytest.approx(
        1.5 * 0.5 * math.sqrt(2 * math.pi) / 1001.25, rel=1e-3
    )
    with pytest.raises(NoPeak, match="no mass"):
        center_of_mass(X, 5 - gauss(X, 0, 0.5))


def scan(y: Points, **changes: object) -> Run:
    source = ArraySource(make_info(**changes))
    source.add(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS), X)
    source.add(ChannelSpec("diode", unit="A", role=ChannelRole.COUNTER), y)
    source.add(ChannelSpec("other", role=ChannelRole.COUNTER), y[::-1])
    source.add(ChannelSpec("mca", dtype="<i4", shape=(4,), role=ChannelRole.SPECTRUM), np.zeros((101, 4)))
    return Run(Resolver(source, None))


def test_a_run_knows_what_to_align_on() -> None:
    run = scan(1e-6 * gauss(X, 0.52, 0.6))
    center = run.cen()
    assert center == pytest.approx(0.52, abs=0.005)
    assert (center.unit, center.axis, center.counter) == ("deg", "rot", "diode")
    assert run.com("diode", "rot") == pytest.approx(0.52, abs=1e-6)
    assert run.peak("diode") == pytest.approx(0.5)
    assert run.peak("other") == pytest.approx(-0.5)
    assert run.fwhm("diode") == pytest.approx(FWHM * 0.6, rel=0.01)
    assert scan(-gauss(X, 0.52, 0.6)).trough("diode") == pytest.approx(0.5)


def test_a_position_is_a_number_with_a_unit() -> None:
    position = Position(1.23456789, "mm", "sx", "diode")
    assert str(position) == repr(position) == "1.23457 mm"
    assert f"{position:.2f}" == "1.23"
    assert type(position + 1) is float
    copy = pickle.loads(pickle.dumps(position))
    assert (copy, copy.unit, copy.axis, copy.counter) == (position, "mm", "sx", "diode")
    assert str(Position(2.0)) == "2"


def test_a_live_run_is_aligned_on_the_points_that_both_channels_have() -> None:
    run = scan(gauss(X, 0.5, 0.6))
    source = run._resolver._live
    assert isinstance(source, ArraySource)
    source.made["rot"].append([99.0])
    assert run.cen() == pytest.approx(0.5, abs=0.005)


def test_what_can_not_be_aligned_says_why() -> None:
    run = scan(gauss(X, 0.5, 0.6))
    with pytest.raises(NotFound, match="Did you mean diode"):
        run.cen("doide")
    with pytest.raises(InvalidInput, match="mca has no plain numbers"):
        run.cen("mca")
    with pytest.raises(InvalidInput, match=r"2 counters.*diode, other"):
        scan(gauss(X, 0, 1), plots=()).cen()
    with pytest.raises(InvalidInput, match="is a mesh"):
        scan(gauss(X, 0, 1), shape=(1, 101)).cen()
    with pytest.raises(NoPeak, match="diode along rot: The curve is flat"):
        scan(np.ones(101)).cen()
    with pytest.raises(NoPeak, match="is an edge"):
        scan(edge(X, 0, 1)).fwhm()
    assert scan(edge(X, 0.5, 1), plots=(PlotHint(x="rot", y=("diode",)),)).cen() == pytest.approx(0.5, abs=0.01)


def test_a_scan_without_axes_is_aligned_in_time() -> None:
    source = ArraySource(make_info(axes=(), plots=()))
    source.add(ChannelSpec("diode", role=ChannelRole.COUNTER), gauss(X, 0.5, 0.6))
    source.add(ChannelSpec("elapsed_time", unit="s", role=ChannelRole.TIME), X)
    run = Run(Resolver(source, None))
    assert run.cen().axis == "elapsed_time"
    assert str(run.peak()) == "0.5 s"
