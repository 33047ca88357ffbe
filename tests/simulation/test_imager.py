from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.kernels import reconstruct
from firstlight.model import InvalidInput
from firstlight.simulation import Beam, Detector, Ellipsoid, Imager, Phantom, Pose, tooth, warm_up

SHAPE = (64, 96)
PIXEL = 0.05
AXIS = 50.3
PLAIN = Beam(stripes=0.0, speckle=0.0, width=1e6, height=1e6)


def plain_detector(**settings: Any) -> Detector:
    """Without structure: what is seen is the effect under test."""
    quiet: dict[str, Any] = {
        "offset_spread": 0.0, "dark_current": 0.0, "read_noise": 0.0, "nonuniformity": 0.0, "scratches": 0,
        "point_spread": 0.0, "offset": 0.0,
    }  # fmt: skip
    return Detector(SHAPE, **(quiet | settings))


def make(detector: Detector | None = None, phantom: Phantom | None = None, **settings: Any) -> Imager:
    settings = {"pixel": PIXEL, "axis": AXIS, "flux": 1e6, "seed": 1} | settings
    beam = settings.pop("beam", Beam(seed=3))
    return Imager(detector or Detector(SHAPE, seed=2), beam, phantom or tooth().scaled(2.0), **settings)


def shoot(imager: Imager, poses: list[Pose], *, exposure: float = 0.01, run: int = 1, index: int = 0) -> NDArray[Any]:
    frame = np.empty(imager.detector.shape, imager.detector.dtype)
    imager.render(poses, exposure, run, index, frame)
    return frame


def test_the_path_of_a_frame_is_the_exact_projection_through_its_pixels() -> None:
    imager = make()
    for pose in (
        Pose(0.0),
        Pose(33.3),
        Pose(-120.0, lateral=0.7),
        Pose(77.0, height=-0.4),
        Pose(5.0, roll=2.0, pitch=-3.0),
    ):
        u = (np.arange(SHAPE[1]) - AXIS) * PIXEL - pose.lateral
        v = (np.arange(SHAPE[0]) - (SHAPE[0] - 1) / 2) * PIXEL - pose.height
        exact = imager.phantom.project(pose.angle, u[None, :], v[:, None], roll=pose.roll, pitch=pose.pitch)
        np.testing.assert_allclose(imager.path(pose), exact, atol=2e-6)


def test_transmission_is_the_exponential_of_the_path() -> None:
    imager = make(plain_detector(), beam=PLAIN)
    pose = Pose(20.0, seconds=0.01)
    expected = 1e6 * 0.01 * np.exp(-imager.path(pose))
    np.testing.assert_allclose(imager.expected([pose], 0.01), expected, rtol=1e-5)


def test_parts_of_an_exposure_add_their_transmissions() -> None:
    imager = make(plain_detector(), beam=PLAIN)
    one, other = Pose(0.0, seconds=0.002), Pose(60.0, seconds=0.006)
    expected = 1e6 * (0.002 * np.exp(-imager.path(one)) + 0.006 * np.exp(-imager.path(other)))
    np.testing.assert_allclose(imager.expected([one, other], 0.01), expected, rtol=1e-5)


def test_the_rotation_axis_is_where_it_is_said_to_be() -> None:
    """Frames half a turn apart are mirror images about the axis."""
    wire = Phantom([Ellipsoid((0.4, 0.1, 0.0), (0.2, 0.3, 9.0), 1.0)])
    imager = make(phantom=wire)
    columns = np.arange(SHAPE[1])
    centres = [
        float((columns * imager.path(Pose(theta))[10]).sum() / imager.path(Pose(theta))[10].sum())
        for theta in (40.0, 220.0)
    ]
    assert np.mean(centres) == pytest.approx(AXIS, abs=0.02)


def test_a_lateral_move_shifts_the_shadow_and_takes_the_sample_out_of_the_beam() -> None:
    imager = make(plain_detector(), beam=PLAIN)
    np.testing.assert_allclose(
        imager.path(Pose(10.0, lateral=4 * PIXEL))[:, 4:], imager.path(Pose(10.0))[:, :-4], atol=1e-6
    )
    flat = imager.expected([Pose(10.0, lateral=20.0, seconds=0.01)], 0.01)
    np.testing.assert_allclose(flat, 1e4, rtol=1e-6)


def test_a_reconstruction_of_the_frames_is_the_phantom() -> None:
    shape = (9, 160)
    phantom = tooth().scaled(60.0)
    imager = Imager(Detector(shape, point_spread=0.0), PLAIN, phantom, pixel=1.0, axis=83.7, flux=1e6, seed=1)
    angles = np.arange(240) * 0.75
    sinogram = np.stack([imager.path(Pose(float(a)))[4] for a in angles])
    slice_ = reconstruct(sinogram, angles, 83.7, size=160, circle=0.95, workers=1)
    truth = phantom.voxels((1, 160, 160), 1.0, centre=(0.0, 79.5, 79.5), supersampling=4)[0]
    x = np.arange(160) - 79.5
    inside = np.hypot(x[None, :], x[:, None]) < 70
    assert np.corrcoef(slice_[inside], truth[inside])[0, 1] > 0.985
    assert slice_[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.01)


class TestNoise:
    def test_mean_and_variance_are_those_of_photons_gain_and_readout(self) -> None:
        gain, read_noise = 3.0, 5.0
        detector = plain_detector(gain=gain, read_noise=read_noise, offset=50.0)
        for flux in (500.0, 1e4, 4e4, 4e5):
            imager = make(detector, Phantom([]), beam=PLAIN, flux=flux)
            frames = np.stack([shoot(imager, [Pose(seconds=0.01)], index=i) for i in range(30)]).astype(float)
            quanta = flux * 0.01
            variance = gain**2 * quanta + read_noise**2 + 1 / 12
            n = frames.size
            assert frames.mean() == pytest.approx(50.0 + gain * quanta, abs=5 * np.sqrt(variance / n))
            assert frames.var() == pytest.approx(variance, rel=5 * np.sqrt(2.0 / n) + 0.005)

    def test_few_photons_are_poisson_numbers(self) -> None:
        imager = make(plain_detector(), Phantom([]), beam=PLAIN, flux=300.0)
        frame = shoot(imager, [Pose(seconds=0.01)])
        counts = np.bincount(frame.ravel(), minlength=12)[:12] / frame.size
        k = np.arange(12)
        expected = np.exp(-3.0) * 3.0**k / np.cumprod([1, *k[1:]])
        np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(0.25 / frame.size))

    def test_the_skewness_is_right_where_the_approximation_begins(self) -> None:
        imager = make(plain_detector(offset=100.0), Phantom([]), beam=PLAIN, flux=2000.0)
        values = np.stack([shoot(imager, [Pose(seconds=0.01)], index=i) for i in range(40)]).astype(float)
        z = (values - values.mean()) / values.std()
        assert (z**3).mean() == pytest.approx(1 / np.sqrt(20.0), abs=0.03)

    def test_photon_noise_is_independent_between_pixels_and_frames(self) -> None:
        imager = make(plain_detector(), Phantom([]), beam=PLAIN)
        a, b = (shoot(imager, [Pose(seconds=0.01)], index=i).astype(float) for i in range(2))
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05
        assert abs(np.corrcoef(a[:, 1:].ravel(), a[:, :-1].ravel())[0, 1]) < 0.05

    def test_a_dark_frame_is_offset_and_dark_current(self) -> None:
        detector = plain_detector(offset=100.0, read_noise=2.0, dark_current=5000.0)
        imager = make(detector)
        short, long = shoot(imager, [], exposure=0.0), shoot(imager, [], exposure=0.1)
        assert short.mean() == pytest.approx(100.0, abs=0.2)
        assert short.std() == pytest.approx(np.sqrt(4.0 + 1 / 12), rel=0.05)
        assert long.mean() == pytest.approx(600.0, rel=0.02)


class TestSaturation:
    def test_a_pixel_reads_no_more_than_its_type_and_the_frame_says_so(self) -> None:
        imager = make(Detector(SHAPE), Phantom([]), flux=1e8)
        frame = np.empty(SHAPE, "<u2")
        assert imager.render([Pose(seconds=0.01)], 0.01, 1, 0, frame) == frame.size
        assert np.all(frame == 65535)

    def test_the_converter_and_the_well_limit_it_further(self) -> None:
        frame = np.empty(SHAPE, "<u2")
        imager = make(plain_detector(bits=12), Phantom([]), beam=PLAIN)
        assert imager.render([Pose(seconds=0.1)], 0.1, 1, 0, frame) == frame.size
        assert np.all(frame == 4095)
        imager = make(plain_detector(well=1000.0, gain=2.0, offset=100.0), Phantom([]), beam=PLAIN)
        assert imager.render([Pose(seconds=0.1)], 0.1, 1, 0, frame) == frame.size
        assert np.all(frame == 2100)

    def test_a_good_frame_counts_none(self) -> None:
        frame = np.empty(SHAPE, "<u2")
        assert make().render([Pose(seconds=0.01)], 0.01, 1, 0, frame) == 0

    @pytest.mark.parametrize("dtype", ["|u1", "<u2", "<u4"])
    def test_other_pixel_types_do_as_well(self, dtype: str) -> None:
        imager = make(plain_detector(dtype=dtype), Phantom([]), beam=PLAIN, flux=1e4)
        assert shoot(imager, [Pose(seconds=0.01)]).mean() == pytest.approx(100.0, rel=0.02)


class TestStructure:
    def test_the_flat_field_is_structured_and_the_structure_is_the_same_in_every_frame(self) -> None:
        imager = make(Detector(SHAPE, seed=2), Phantom([]), flux=3e6)
        a, b = (shoot(imager, [Pose(seconds=0.01)], index=i).astype(float) for i in range(2))
        assert a.std() / a.mean() > 0.05
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95

    def test_stripes_are_horizontal_and_as_strong_as_asked(self) -> None:
        profile = Beam(stripes=0.08, speckle=0.0, width=1e6, height=1e6, seed=5).profile((200, 50))
        assert np.ptp(profile, axis=1).max() < 1e-6
        assert profile.std() == pytest.approx(0.08 * 1.118, rel=0.1)

    def test_the_envelope_falls_to_half_at_half_its_width(self) -> None:
        profile = Beam(stripes=0.0, speckle=0.0, width=0.5, height=1e6).profile((3, 401))
        assert profile[1, 200] == 1.0
        assert profile[1, 300] == pytest.approx(0.5, abs=0.01)

    def test_the_point_spread_keeps_the_light_and_has_its_width(self) -> None:
        sharp = make(plain_detector(), Phantom([Ellipsoid((0.0, 0.0, 0.0), (0.03, 0.03, 99.0), 5.0)]), beam=PLAIN,
                     axis=48.0)  # fmt: skip
        blurred = make(plain_detector(point_spread=2.0), sharp.phantom, beam=PLAIN, axis=48.0)
        pose = [Pose(seconds=0.01)]
        lost = [(1e4 - imager.expected(pose, 0.01)[30]).astype(float) for imager in (sharp, blurred)]
        assert lost[1].sum() == pytest.approx(lost[0].sum(), rel=1e-4)
        columns = np.arange(SHAPE[1]) - 48.0
        variances = [(values * columns**2).sum() / values.sum() for values in lost]
        assert variances[1] - variances[0] == pytest.approx(4.0, rel=0.03)

    def test_dark_and_flat_correction_leaves_the_transmission(self) -> None:
        imager = make(Detector(SHAPE, seed=2, point_spread=0.0), flux=3e6)
        pose = Pose(12.0, seconds=0.01)
        flat = np.mean([shoot(imager, [Pose(lateral=50.0, seconds=0.01)], index=i) for i in range(20)], axis=0)
        dark = np.mean([shoot(imager, [], index=i, run=2) for i in range(20)], axis=0)
        frame = np.mean([shoot(imager, [pose], index=i, run=3) for i in range(20)], axis=0)
        np.testing.assert_allclose((frame - dark) / (flat - dark), np.exp(-imager.path(pose)), atol=0.02)

    def test_another_seed_is_another_detector(self) -> None:
        one, other = Detector(SHAPE, seed=1), Detector(SHAPE, seed=2)
        assert abs(np.corrcoef(one.response().ravel(), other.response().ravel())[0, 1]) < 0.3


SCRIPT = """
import hashlib, sys
import numpy as np
from firstlight.simulation import Beam, Detector, Imager, Pose, tooth
imager = Imager(Detector((64, 96), seed=2), Beam(seed=3), tooth().scaled(2.0), pixel=0.05, axis=50.3, flux=1e6, seed=1)
frame = np.empty((64, 96), "<u2")
for index in map(int, sys.argv[1:]):
    imager.render([Pose(index * 1.5, seconds=0.01)], 0.01, 7, index, frame)
    print(hashlib.sha256(frame).hexdigest())
"""


class TestReproducibility:
    def test_the_same_arguments_give_the_same_frame_in_any_order_and_process(self) -> None:
        imager = make()
        here = [
            hashlib.sha256(shoot(imager, [Pose(index * 1.5, seconds=0.01)], run=7, index=index).tobytes()).hexdigest()
            for index in range(4)
        ]
        assert len(set(here)) == 4
        there = subprocess.run(
            [sys.executable, "-c", SCRIPT, "3", "1", "0", "2"], capture_output=True, text=True, check=True
        ).stdout.split()
        assert [there[2], there[1], there[3], there[0]] == here

    def test_seed_run_and_index_each_change_the_noise(self) -> None:
        poses = [Pose(seconds=0.01)]
        frames = [
            shoot(make(), poses), shoot(make(seed=2), poses), shoot(make(), poses, run=2), shoot(make(), poses, index=1)
        ]  # fmt: skip
        assert len({frame.tobytes() for frame in frames}) == 4


def test_a_frame_of_another_shape_or_type_is_refused() -> None:
    imager = make()
    wrong: list[NDArray[Any]] = [np.empty((3, 3), "<u2"), np.empty(SHAPE, "<u4"), np.empty((64, 192), "<u2")[:, ::2]]
    for frame in wrong:
        with pytest.raises(InvalidInput, match="must be"):
            imager.render([], 0.01, 1, 0, frame)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (0, 5)},
        {"dtype": "<f4"},
        {"dtype": "<i2"},
        {"bits": 17},
        {"gain": 0.0},
        {"read_noise": -1.0},
        {"well": 0.0},
    ],
)
def test_an_impossible_detector_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Detector(**({"shape": SHAPE} | wrong))


def test_warming_up_compiles_what_a_frame_needs() -> None:
    warm_up()
    from firstlight.simulation import _kernels

    for kernel in (_kernels.add_ellipsoids, _kernels.add_transmission, _kernels.blur, _kernels.expose):
        assert kernel.signatures
