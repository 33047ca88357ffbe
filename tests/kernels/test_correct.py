"""Reduction of darks and flats, and the way from counts to attenuation."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.kernels import LEAST_TRANSMISSION, attenuation, reduce_stack
from firstlight.model import InvalidInput


def test_attenuation_of_ideal_counts_is_the_line_integral_in_sinogram_order() -> None:
    truth = np.linspace(0, 3, 4 * 3 * 6).reshape(4, 3, 6)
    dark = np.full((3, 6), 100.0)
    flat = np.linspace(40000, 60000, 18).reshape(3, 6) + dark
    frames = dark + (flat - dark) * np.exp(-truth)
    result = attenuation(frames, dark, flat)
    assert result.sinograms.shape == (3, 4, 6)
    assert result.sinograms.dtype == np.float32
    assert np.allclose(result.sinograms, truth.transpose(1, 0, 2), atol=1e-5)
    assert result.repaired == 0


def test_transmission_comes_without_the_logarithm() -> None:
    frames = np.full((2, 1, 3), 600, np.uint16)
    result = attenuation(frames, np.full((1, 3), 100), np.full((1, 3), 1100), logarithm=False)
    assert np.allclose(result.sinograms, 0.5)


def test_flats_are_interpolated_between_their_moments_and_constant_outside() -> None:
    frames = np.full((5, 1, 2), 100.0)
    flats = np.stack([np.full((1, 2), 100.0), np.full((1, 2), 200.0)])
    result = attenuation(
        frames, np.zeros((1, 2)), flats, moments=[-5, 0, 5, 10, 20], flat_moments=[0, 10], logarithm=False
    )
    assert np.allclose(result.sinograms[0, :, 0], [1, 1, 1 / 1.5, 0.5, 0.5])


def test_three_groups_of_flats_are_interpolated_piece_by_piece() -> None:
    flats = np.array([100.0, 300.0, 200.0])[:, None, None] * np.ones((3, 1, 1))
    result = attenuation(
        np.full((4, 1, 1), 100.0),
        np.zeros((1, 1)),
        flats,
        moments=[1, 2, 3, 4],
        flat_moments=[0, 2, 4],
        logarithm=False,
    )
    assert np.allclose(1 / result.sinograms.ravel(), [2.0, 3.0, 2.5, 2.0])


def test_the_beam_monitor_scales_the_flat() -> None:
    frames = np.array([500.0, 250.0]).reshape(2, 1, 1)
    result = attenuation(frames, np.zeros((1, 1)), np.full((1, 1), 1000.0), scale=[1.0, 0.5], logarithm=False)
    assert np.allclose(result.sinograms.ravel(), 0.5)


def test_broken_pixels_and_missing_frames_never_give_nan() -> None:
    frames = np.full((3, 2, 4), 500.0)
    frames[0, 0, 0] = np.nan
    frames[0, 0, 1] = 0.0
    frames[2] = np.nan
    flat = np.full((2, 4), 1000.0)
    flat[1, 3] = 0.0
    result = attenuation(frames, np.zeros((2, 4)), flat, valid=[True, True, False])
    assert np.isfinite(result.sinograms).all()
    assert result.sinograms[0, 0, 0] == 0
    assert result.sinograms[0, 0, 1] == pytest.approx(-np.log(LEAST_TRANSMISSION))
    assert np.all(result.sinograms[:, 2] == 0)
    assert np.all(result.sinograms[1, :, 3] == 0)
    assert result.repaired == 4


def test_shapes_that_do_not_fit_are_refused() -> None:
    frames = np.ones((3, 2, 4))
    with pytest.raises(InvalidInput, match="do not fit"):
        attenuation(frames, np.zeros((2, 5)), np.ones((2, 4)))
    with pytest.raises(InvalidInput, match="moments"):
        attenuation(frames, np.zeros((2, 4)), np.ones((2, 2, 4)))
    with pytest.raises(InvalidInput, match="rising"):
        attenuation(frames, np.zeros((2, 4)), np.ones((2, 2, 4)), moments=[0, 1, 2], flat_moments=[1, 1])
    with pytest.raises(InvalidInput, match="2 validity flags do not fit 3 frames"):
        attenuation(frames, np.zeros((2, 4)), np.ones((2, 4)), valid=[True, True])
    with pytest.raises(InvalidInput, match="shape"):
        attenuation(frames[0], np.zeros((2, 4)), np.ones((2, 4)))


def test_the_mean_of_a_stack_leaves_out_zingers_but_keeps_noise() -> None:
    rng = np.random.default_rng(3)
    stack = rng.poisson(1000, (20, 8, 9)).astype(np.uint16)
    clean = stack.astype(float).mean(axis=0)
    stack[4, 2, 3] = 60000
    stack[5, 2, 3] = 0
    result = reduce_stack(stack)
    expected = clean.copy()
    expected[2, 3] = np.delete(stack[:, 2, 3].astype(float), [4, 5]).mean()
    assert result.rejected == 2
    assert np.allclose(result.frame, expected, rtol=1e-6)


def test_the_median_of_a_stack_is_the_median() -> None:
    stack = np.random.default_rng(4).integers(0, 9, (6, 3, 3)).astype(np.uint16)
    assert np.allclose(reduce_stack(stack, "median").frame, np.median(stack, axis=0))


def test_an_empty_stack_and_an_unknown_method_are_refused() -> None:
    with pytest.raises(InvalidInput, match="shape"):
        reduce_stack(np.ones((0, 2, 2)))
    with pytest.raises(InvalidInput, match="no reduction"):
        reduce_stack(np.ones((1, 2, 2)), "mode")  # type: ignore[arg-type]
