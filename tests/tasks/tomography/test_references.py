"""Darks, flats, and sinograms made with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.tasks.tomography import Projections, reduce_references, sinograms
from tests.tasks.tomography.conftest import Sample


def test_flats_before_and_after_are_told_apart_and_interpolated(
    scan: Callable[..., Projections], sample: Sample
) -> None:
    projections = scan()
    references = reduce_references(projections)
    assert references.flats.shape == (2, 6, 96)
    assert references.moments.tolist() == [0.0, 199.0]
    assert (references.darks_used, references.flats_used) == (5, (10, 10))
    lines, _ = sinograms(projections, references, 0, 6)
    truth = sample.lines(projections.angles, 6, 96, 47.3).transpose(1, 0, 2)
    noise = np.abs(lines - truth)
    assert np.median(noise) < 0.01
    assert abs(float(np.mean(lines - truth))) < 0.001
    wrong, _ = sinograms(projections, replace(references, flats=references.flats[:1], moments=np.zeros(1)), 0, 6)
    assert np.abs((wrong - truth).mean(axis=(0, 1))).max() > 5 * np.abs((lines - truth).mean(axis=(0, 1))).max()


def test_flats_without_times_are_one_group(scan: Callable[..., Projections]) -> None:
    references = reduce_references(replace(scan(), moments=None, flat_moments=None))
    assert references.flats_used == (20,)


def test_zingers_are_left_out_of_the_mean_and_counted(scan: Callable[..., Projections]) -> None:
    projections = scan()
    clean = reduce_references(projections)
    assert isinstance(projections.flats, np.ndarray)
    flats = projections.flats.copy()
    flats[3, 2, 50] = 65535
    flats[14, 4, 20] = 65535
    struck = reduce_references(replace(projections, flats=flats))
    assert struck.rejected == clean.rejected + 2
    assert np.allclose(struck.flats, clean.flats, rtol=0.005)


def test_the_median_is_there_for_those_who_prefer_it(scan: Callable[..., Projections]) -> None:
    references = reduce_references(scan(), method="median")
    assert np.allclose(references.flats, reduce_references(scan()).flats, rtol=0.01)


def test_the_beam_monitor_takes_out_a_beam_that_fades(scan: Callable[..., Projections], sample: Sample) -> None:
    projections = scan()
    count = len(projections.angles)
    fading = np.exp(-np.arange(count) / count)
    assert isinstance(projections.frames, np.ndarray)
    assert isinstance(projections.darks, np.ndarray)
    dark = projections.darks[0].astype(np.float64)
    frames = (projections.frames - dark) * fading[:, None, None] + dark
    faded = replace(projections, frames=frames, monitor=200 * fading, flat_monitor=np.full(20, 200.0))
    references = reduce_references(faded)
    truth = sample.lines(projections.angles, 6, 96, 47.3).transpose(1, 0, 2)
    with_monitor, _ = sinograms(faded, references, 0, 6)
    without, _ = sinograms(faded, references, 0, 6, monitor=False)
    assert abs(float(np.mean(with_monitor - truth))) < 0.001
    assert float(np.mean(without - truth)) > 0.3


def test_a_monitor_that_differs_between_the_flats_is_divided_out_of_them(scan: Callable[..., Projections]) -> None:
    projections = scan()
    references = reduce_references(projections)
    assert isinstance(projections.flats, np.ndarray)
    assert isinstance(projections.darks, np.ndarray)
    dark = projections.darks[0].astype(np.float64)
    strength = np.where(np.arange(20) < 10, 1.0, 0.5)
    flats = (projections.flats - dark) * strength[:, None, None] + dark
    changed = replace(projections, flats=flats, monitor=np.ones(180), flat_monitor=strength)
    plain, _ = sinograms(projections, references, 0, 6)
    corrected, _ = sinograms(changed, reduce_references(changed), 0, 6)
    assert np.allclose(corrected, plain, atol=0.002)


def test_rows_are_computed_alone_as_they_are_together(scan: Callable[..., Projections]) -> None:
    projections = scan()
    references = reduce_references(projections)
    together, repaired = sinograms(projections, references, 0, 6)
    parts = [sinograms(projections, references, r, r + 2) for r in (0, 2, 4)]
    assert np.array_equal(np.concatenate([lines for lines, _ in parts]), together)
    assert sum(n for _, n in parts) == repaired


def test_without_darks_the_dark_level_is_zero(scan: Callable[..., Projections]) -> None:
    references = reduce_references(replace(scan(), darks=None))
    assert references.darks_used == 0
    assert not references.dark.any()


def test_without_flats_nothing_can_be_told(scan: Callable[..., Projections]) -> None:
    with pytest.raises(InvalidInput, match="no flats"):
        reduce_references(replace(scan(), flats=None, flat_moments=None))


def test_rows_outside_the_detector_are_refused(scan: Callable[..., Projections]) -> None:
    projections = scan()
    with pytest.raises(InvalidInput, match="Rows 4 to 7"):
        sinograms(projections, reduce_references(projections), 4, 7)
