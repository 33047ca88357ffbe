"""Ring removal."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.simulation import tooth
from firstlight.tasks.tomography import RING_METHODS, remove_rings
from tests.tasks.tomography.conftest import Sample


@pytest.mark.parametrize("method", [name for name in RING_METHODS if name != "none"])
def test_stripes_of_a_sinogram_are_reduced(method: str) -> None:
    large = Sample(tooth().scaled(100.0), 0.9)
    clean = large.lines(np.arange(180), 1, 256, 127.5)[:, 0].astype(np.float32)
    rng = np.random.default_rng(2)
    stripes = np.zeros(256, np.float32)
    stripes[[50, 81, 110, 111, 140, 177]] = rng.choice([-0.15, 0.15], 6)
    noisy = clean + stripes + rng.normal(0, 0.01, clean.shape).astype(np.float32)
    left = remove_rings(noisy, method) - clean
    assert left.dtype == np.float32
    assert np.isfinite(left).all()
    assert np.abs(np.median(left, axis=0))[stripes != 0].sum() < 0.4 * np.abs(stripes).sum()
    assert np.abs(left).mean() < 0.03


def test_a_stack_is_cleaned_slice_by_slice(sample: Sample) -> None:
    stack = sample.lines(np.arange(90) * 2, 3, 96, 47.5).transpose(1, 0, 2).astype(np.float32)
    cleaned = remove_rings(stack)
    for one, other in zip(stack, cleaned, strict=True):
        assert np.array_equal(remove_rings(one), other)


def test_no_removal_changes_nothing() -> None:
    sinogram = np.random.default_rng(1).random((10, 30), dtype=np.float32)
    assert np.array_equal(remove_rings(sinogram, "none"), sinogram)


def test_unknown_methods_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no ring removal 'magic'"):
        remove_rings(np.zeros((5, 9)), "magic")
    with pytest.raises(InvalidInput, match="median over 21 of 9"):
        remove_rings(np.zeros((5, 9)), "sorting")
