"""Phase retrieval of one distance."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.kernels import LEAST_TRANSMISSION
from firstlight.model import InvalidInput
from firstlight.tasks.tomography import Paganin

FILTER = Paganin(delta_beta=300.0, energy=20.0, distance=0.4, pixel_size=(2e-6, 2e-6))


def picture(seed: int = 1) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Transmission of some blobs, with noise, that does not end at the edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:90, :140]
    depth = 0.5 * np.exp(-((x - 60) ** 2 + (y - 40) ** 2) / 800) + 0.3 * (x > 100) + 0.1 * (y > 70)
    return np.asarray(np.exp(-depth) * rng.normal(1, 0.02, depth.shape), dtype=np.float32)


def test_the_filter_equals_that_of_nabu() -> None:
    phase = pytest.importorskip("nabu.preproc.phase", reason="optional: nabu is not installed, nothing to compare with")
    theirs = phase.PaganinPhaseRetrieval(
        (90, 140), distance=0.4, energy=20.0, delta_beta=30.0, pixel_size=2e-6, padding="edge"
    ).apply_filter(picture())
    # Short enough for the edges that nabu adds, which are half as wide as the frame.
    ours = Paganin(delta_beta=30.0, energy=20.0, distance=0.4, pixel_size=(2e-6, 2e-6)).filter(picture())
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_uniform_frame_stays_as_it_is() -> None:
    frame = np.full((40, 50), 0.37, np.float32)
    assert np.allclose(FILTER.filter(frame), 0.37, rtol=1e-5)


def test_the_forward_model_is_undone_exactly() -> None:
    """I = (1 - D δ/μ ∇²) exp(-μ t), with the Laplacian of a cosine."""
    length = FILTER.length / FILTER.pixel_size[0]
    n = 200
    k = 2 * np.pi * 4 / n
    behind = 1.0 + 0.1 * np.cos(k * np.arange(n))[None, :] * np.ones((n, 1))
    seen = 1.0 + 0.1 * (1 + (length * k) ** 2) * np.cos(k * np.arange(n))[None, :] * np.ones((n, 1))
    found = FILTER.filter(seen)
    inside = slice(n // 3, 2 * n // 3)
    assert np.allclose(found[inside, inside], behind[inside, inside], atol=2e-3)


def test_noise_falls_and_transmission_stays_above_zero() -> None:
    frame = picture()
    frame[30, 30] = -5.0
    found = FILTER.filter(frame)
    assert found.min() >= LEAST_TRANSMISSION
    assert np.diff(found, axis=1)[:, :80].std() < 0.3 * np.diff(frame, axis=1)[:, :80].std()


def test_a_slab_with_its_halo_gives_what_the_whole_frame_gives() -> None:
    short = Paganin(delta_beta=20.0, energy=30.0, distance=0.05, pixel_size=(2e-6, 2e-6))
    halo = short.halo
    assert 2 < halo < 20
    whole = short.filter(np.stack([picture(1), picture(2)]))
    slab = short.filter(np.stack([picture(1), picture(2)])[:, 40 - halo : 60 + halo])[:, halo : halo + 20]
    assert np.allclose(slab, whole[:, 40:60], atol=2e-4)


def test_different_pixel_sizes_stretch_the_filter() -> None:
    oblong = Paganin(300.0, 20.0, 0.4, (4e-6, 2e-6))
    point = np.ones((120, 120), np.float32)
    point[60, 60] = 100.0
    spread = oblong.filter(point) - 1
    assert spread[60, 64] == pytest.approx(spread[62, 60], rel=0.15)
    assert spread[64, 60] < 0.7 * spread[60, 64]


def test_impossible_setups_are_refused() -> None:
    with pytest.raises(InvalidInput, match="energy of 0"):
        Paganin(100.0, 0.0, 0.1, (1e-6, 1e-6))
    with pytest.raises(InvalidInput, match="distance of -1"):
        Paganin(100.0, 10.0, -1.0, (1e-6, 1e-6))
