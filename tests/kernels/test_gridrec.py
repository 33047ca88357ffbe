"""Reconstruction in Fourier space: geometry, scale, precision and its inputs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.kernels import FILTERS, Gridrec, reconstruct
from firstlight.model import InvalidInput

if TYPE_CHECKING:
    from tests.kernels.conftest import Ellipses

HALF_TURN = np.arange(180) * 1.0
WIDTH = 128
MIDDLE = (WIDTH - 1) / 2


def disc(size: int, radius: float) -> NDArray[np.bool_]:
    """Pixels within ``radius`` (fraction of half the size) of the middle."""
    x = np.arange(size) - (size - 1) / 2
    inside: NDArray[np.bool_] = np.hypot(x[:, None], x[None]) <= radius * size / 2
    return inside


def error(image: NDArray[Any], truth: NDArray[Any], radius: float = 0.98) -> float:
    return float(np.sqrt(np.mean((image - truth)[disc(len(image), radius)] ** 2)))


def test_shepp_logan_of_720_angles_is_reconstructed_to_the_promised_precision(shepp_logan: Ellipses) -> None:
    angles = np.arange(720) * 0.25
    image = reconstruct(shepp_logan.sinogram(angles, 512, 255.5), angles, 255.5)
    assert error(image, shepp_logan.picture(512)) <= 0.0155


def test_image_has_the_orientation_scale_and_values_of_the_sample(blobs: Ellipses) -> None:
    image = reconstruct(blobs.sinogram(HALF_TURN, WIDTH, MIDDLE), HALF_TURN, MIDDLE)
    truth = blobs.picture(WIDTH)
    assert error(image, truth) < 0.001
    for mirrored in (truth[::-1], truth[:, ::-1], truth.T):
        assert error(image, mirrored) > 0.003
    body = truth == 0.02
    assert image[body].mean() == pytest.approx(0.02, rel=0.003)


def test_pixel_size_turns_attenuation_per_pixel_into_attenuation_per_length(blobs: Ellipses) -> None:
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    per_pixel = reconstruct(sinogram, HALF_TURN, MIDDLE)
    per_metre = reconstruct(sinogram, HALF_TURN, MIDDLE, pixel_size=2e-6)
    assert np.allclose(per_metre, per_pixel / 2e-6, rtol=1e-4, atol=1.0)


@pytest.mark.parametrize("axis", [MIDDLE + 0.3, 40.25, 90.8])
def test_a_fractional_axis_far_from_the_middle_changes_nothing(blobs: Ellipses, axis: float) -> None:
    wide = 200
    image = reconstruct(blobs.sinogram(HALF_TURN, wide, axis), HALF_TURN, axis, size=WIDTH)
    # The sample reaches 40 px from the axis at most, so it stays on the detector.
    assert error(image, blobs.picture(WIDTH)) < 0.001


@pytest.mark.parametrize("size", [127, 128, 181, 64])
def test_odd_even_larger_and_smaller_images_show_the_same_sample(blobs: Ellipses, size: int) -> None:
    image = reconstruct(blobs.sinogram(HALF_TURN, WIDTH, MIDDLE), HALF_TURN, MIDDLE, size=size)
    assert error(image, blobs.picture(size), radius=0.95) < 0.0012


def test_two_slices_that_share_a_transform_stay_apart(blobs: Ellipses) -> None:
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    stack = np.stack([sinogram, 0 * sinogram, 3 * sinogram])
    images = reconstruct(stack, HALF_TURN, MIDDLE)
    single = reconstruct(sinogram, HALF_TURN, MIDDLE)
    assert np.allclose(images[0], single, atol=1e-6)
    assert np.allclose(images[1], 0, atol=1e-6)
    assert np.allclose(images[2], 3 * single, atol=3e-6)


def test_each_slice_may_have_its_own_axis(blobs: Ellipses) -> None:
    axes = [60.0, 66.7, 70.25]
    stack = np.stack([blobs.sinogram(HALF_TURN, WIDTH, axis) for axis in axes])
    images = Gridrec(HALF_TURN, WIDTH, 0.0)(stack, axes=axes)
    for image, sinogram, axis in zip(images, stack, axes, strict=True):
        assert np.allclose(image, reconstruct(sinogram, HALF_TURN, axis), atol=2e-5)


def test_one_sinogram_can_be_tried_with_many_axes(blobs: Ellipses) -> None:
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    images = Gridrec(HALF_TURN, WIDTH, 0.0)(sinogram, axes=[MIDDLE - 1, MIDDLE, MIDDLE + 1])
    errors = [error(image, blobs.picture(WIDTH)) for image in images]
    assert errors[1] < 0.5 * min(errors[0], errors[2])


@pytest.mark.parametrize(
    "angles",
    [
        np.linspace(0, 180, 181),
        np.arange(360.0),
        np.arange(720) * 0.5 - 77.3,
        np.mod(np.arange(233) * 360 * (np.sqrt(5) - 1) / 2, 360),
        np.random.default_rng(8).uniform(0, 180, 600),
    ],
    ids=["both ends", "full turn", "other start", "golden", "random"],
)
def test_arbitrary_angles_give_the_same_sample(blobs: Ellipses, angles: NDArray[np.float64]) -> None:
    image = reconstruct(blobs.sinogram(angles, WIDTH, MIDDLE), angles, MIDDLE)
    truth = blobs.picture(WIDTH)
    assert error(image, truth) < 0.002
    assert image[truth == 0.02].mean() == pytest.approx(0.02, rel=0.005)


def test_missing_projections_are_ignored(blobs: Ellipses) -> None:
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    valid = np.ones(180, bool)
    valid[[3, 70, 71, 150]] = False
    broken = sinogram.copy()
    broken[~valid] = 1e6
    image = reconstruct(broken, HALF_TURN, MIDDLE, valid=valid)
    assert error(image, blobs.picture(WIDTH)) < 0.0012


def test_beyond_the_disc_stands_what_was_asked_for(blobs: Ellipses) -> None:
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    image = reconstruct(sinogram, HALF_TURN, MIDDLE, circle=0.9, outside=-5.0)
    inside = disc(WIDTH, 0.9)
    assert np.all(image[~inside] == -5)
    assert not np.any(image[inside] == -5)
    square = reconstruct(sinogram, HALF_TURN, MIDDLE, circle=None)
    assert np.allclose(square[inside], image[inside], atol=5e-5)
    assert np.all(np.abs(square[~inside]) < 0.002)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_keeps_the_mean_attenuation_but_none(blobs: Ellipses, name: str) -> None:
    image = reconstruct(blobs.sinogram(HALF_TURN, WIDTH, MIDDLE), HALF_TURN, MIDDLE, filter=name)
    if name == "none":
        assert image.mean() > 0.1
    else:
        assert image.sum() == pytest.approx(blobs.picture(WIDTH).sum(), rel=0.02)


def test_smoother_filters_lower_noise() -> None:
    noise = np.random.default_rng(1).standard_normal((180, WIDTH)).astype(np.float32)
    levels = [
        float(reconstruct(noise, HALF_TURN, MIDDLE, filter=name)[disc(WIDTH, 0.9)].std())
        for name in ("ramp", "shepp-logan", "cosine", "hann", "parzen")
    ]
    assert levels == sorted(levels, reverse=True)


def test_edge_padding_tames_the_bright_rim_of_a_sample_wider_than_the_detector(blobs: Ellipses) -> None:
    narrow = 40
    sinogram = blobs.sinogram(HALF_TURN, narrow, (narrow - 1) / 2)
    truth = blobs.picture(narrow)
    zero, edge = (reconstruct(sinogram, HALF_TURN, (narrow - 1) / 2, padding=padding) for padding in ("zero", "edge"))
    inside = disc(narrow, 0.9)
    assert np.std((edge - truth)[inside]) < 0.3 * np.std((zero - truth)[inside])


def test_requested_tolerance_hardly_matters(shepp_logan: Ellipses) -> None:
    angles = np.arange(360) * 0.5
    sinogram = shepp_logan.sinogram(angles, 512, 255.5)
    normal, fine = (reconstruct(sinogram, angles, 255.5, tolerance=t) for t in (1e-3, 1e-4))
    assert error(normal, fine) < 2e-4


def test_results_go_to_the_array_that_was_given(blobs: Ellipses) -> None:
    stack = np.stack([blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)] * 2)
    out = np.empty((2, WIDTH, WIDTH), np.float32)
    assert Gridrec(HALF_TURN, WIDTH, MIDDLE)(stack, out=out) is out
    assert np.allclose(out[0], out[1], atol=1e-6)


def test_one_reconstructor_serves_many_threads_and_any_number_of_workers(blobs: Ellipses) -> None:
    stack = np.stack([k * blobs.sinogram(HALF_TURN, WIDTH, MIDDLE) for k in range(1, 8)])
    expected = Gridrec(HALF_TURN, WIDTH, MIDDLE, workers=1)(stack)
    shared = Gridrec(HALF_TURN, WIDTH, MIDDLE, workers=3)
    with ThreadPoolExecutor(3) as pool:
        for images in pool.map(lambda _: shared(stack), range(6)):
            assert np.array_equal(images, expected)


def test_an_empty_stack_gives_an_empty_volume() -> None:
    assert Gridrec(HALF_TURN, WIDTH, MIDDLE)(np.empty((0, 180, WIDTH), np.float32)).shape == (0, WIDTH, WIDTH)


def test_impossible_requests_are_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="no filter"):
        Gridrec(HALF_TURN, WIDTH, MIDDLE, filter="x")
    with pytest.raises(InvalidInput, match="pixel size"):
        Gridrec(HALF_TURN, WIDTH, MIDDLE, pixel_size=0.0)
    with pytest.raises(InvalidInput, match="disc"):
        Gridrec(HALF_TURN, WIDTH, MIDDLE, circle=0.0)
    with pytest.raises(InvalidInput, match="rotation axis"):
        Gridrec(HALF_TURN, WIDTH, float("nan"))
    with pytest.raises(InvalidInput, match="padding"):
        Gridrec(HALF_TURN, WIDTH, MIDDLE, padding="mirror")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="1 pixels"):
        Gridrec(HALF_TURN, 1, 0.0)
    plan = Gridrec(HALF_TURN, WIDTH, MIDDLE)
    with pytest.raises(InvalidInput, match="do not fit 180 angles"):
        plan(np.zeros((179, WIDTH), np.float32))
    with pytest.raises(InvalidInput, match="as many rotation axes"):
        plan(np.zeros((3, 180, WIDTH), np.float32), axes=[1.0, 2.0])
    with pytest.raises(InvalidInput, match="float32 array"):
        plan(np.zeros((3, 180, WIDTH), np.float32), out=np.empty((3, 2, 2), np.float32))


def test_importing_the_room_imports_nothing_slow() -> None:
    code = "import sys, firstlight.kernels; print(*({'numba', 'scipy', 'finufft', 'h5py'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == []


def test_the_result_correlates_with_astra(blobs: Ellipses) -> None:
    astra = pytest.importorskip(
        "astra", reason="optional: astra-toolbox (GPL) is not installed, so nothing is compared with it"
    )
    sinogram = blobs.sinogram(HALF_TURN, WIDTH, MIDDLE)
    geometry = astra.create_proj_geom("parallel", 1.0, WIDTH, np.deg2rad(HALF_TURN))
    volume = astra.create_vol_geom(WIDTH, WIDTH)
    configuration = astra.astra_dict("FBP")
    configuration["ProjectorId"] = astra.create_projector("linear", geometry, volume)
    configuration["ProjectionDataId"] = astra.data2d.create("-sino", geometry, sinogram)
    configuration["ReconstructionDataId"] = astra.data2d.create("-vol", volume)
    astra.algorithm.run(astra.algorithm.create(configuration))
    theirs = astra.data2d.get(configuration["ReconstructionDataId"])[::-1]  # astra counts y upwards
    astra.clear()
    ours = reconstruct(sinogram, HALF_TURN, MIDDLE)
    inside = disc(WIDTH, 0.98)
    truth = blobs.picture(WIDTH)
    assert np.corrcoef(ours[inside], theirs[inside])[0, 1] > 0.998
    assert error(ours, truth) <= error(theirs, truth)
