"""A frame: the sample's exact shadow in the beam, as the detector reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._beam import Beam
from firstlight.simulation._detector import Detector
from firstlight.simulation._phantom import Ellipsoid, Phantom
from firstlight.simulation._random import key


@dataclass(frozen=True, slots=True)
class Pose:
    """How the sample stands during a part of an exposure.

    :param angle: of the rotation, degrees.
    :param lateral: position of the rotation axis along the columns index, mm.
    :param height: position of the sample along the rows index, mm.
    :param seconds: how long it stands like this in the full beam, in seconds of the nominal intensity; may be 0.
    :param roll: tilt of the rotation axis in the plane of the detector, degrees.
    :param pitch: its tilt along the beam, degrees.
    """

    angle: float = 0.0
    lateral: float = 0.0
    height: float = 0.0
    seconds: float = 1.0
    roll: float = 0.0
    pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class Light:
    """A beam that does not fill the detector evenly: the share of its photons that falls on each row and column.

    :param rows: (height,).
    :param columns: (width,).
    :param flux: quanta per second that the whole beam would give, in place of the imager's own.
    """

    rows: NDArray[np.float32]
    columns: NDArray[np.float32]
    flux: float


class Imager:
    """Computes frames; one thread at a time.

    The mean number of quanta in a pixel is

        λ = response · (PSF * (beam · Σ_k flux · seconds_k · exp(-∫μ)_k)) + dark · exposure,

    the sum running over the parts of the exposure, and * being the convolution; quanta are then counted and converted
    (``_kernels.expose``). Noise is independent from pixel to pixel, as in a detector that the light on the sensor
    limits. The line integral is the one through the pixel's centre.

    :param pixel: edge of a pixel at the sample, mm.
    :param axis: column of the rotation axis when its lateral position is 0; pixel k's centre is at k.
    :param flux: quanta per second that a pixel detects where the beam's relative intensity is 1.
    :param seed: of the noise.
    """

    def __init__(
        self,
        detector: Detector,
        beam: Beam,
        phantom: Phantom,
        *,
        pixel: float,
        axis: float,
        flux: float,
        seed: int = 0,
    ) -> None:
        if not (pixel > 0 and flux >= 0):
            raise InvalidInput("A detector needs a pixel size above zero and a flux not below it.")
        self.detector = detector
        self.beam = beam
        self.phantom = phantom
        self.pixel = pixel
        self.axis = axis
        self.flux = flux
        self.seed = seed
        self._profile = beam.profile(detector.shape)
        self._response = detector.response()
        self._dark = detector.dark()
        self._offsets = detector.offsets()
        self._taps = detector.taps()
        self._extent = phantom.extent()
        self._reach = phantom.reach()
        self._path = np.empty(detector.shape, dtype=np.float32)
        self._light = np.empty(detector.shape, dtype=np.float32)
        self._work = np.empty(detector.shape, dtype=np.float32)
        self._flat: NDArray[np.float32] | None = None
        self._beam_profile = self._profile
        self._shape: tuple[bytes, bytes] | None = None

    def render(
        self,
        poses: Sequence[Pose],
        exposure: float,
        run: int,
        index: int,
        frame: NDArray[Any],
        light: Light | None = None,
    ) -> int:
        """Write one frame; the same arguments give the same frame, in any order and process.

        :param poses: the parts of the exposure that see beam; none for a dark frame.
        :param exposure: seconds that dark current is collected.
        :param run: number of the run, and
        :param index: of the frame in it: keys of the noise, with the imager's seed.
        :param frame: (height, width) of the detector's dtype, C-contiguous.
        :param light: a beam that does not fill the detector evenly; None for the nominal one.
        :return: number of saturated pixels.
        """
        from firstlight.simulation import _kernels

        d = self.detector
        if frame.shape != d.shape or frame.dtype != np.dtype(d.dtype) or not frame.flags.c_contiguous:
            raise InvalidInput(f"A frame must be {d.shape} of {d.dtype}, contiguous, not {frame.shape} {frame.dtype}.")
        picture, seconds = self._illumination(poses, light)
        return int(
            _kernels.expose(
                picture,
                (self.flux if light is None else light.flux) * seconds,
                self._response,
                self._dark,
                exposure,
                self._offsets,
                d.gain,
                d.read_noise,
                d.well,
                float(d.maximum),
                np.uint64(key(self.seed, run, index)),
                frame,
            )
        )

    def path(self, pose: Pose) -> NDArray[np.float32]:
        """Exact line integrals at the pixels' centres, (height, width) float32; a copy."""
        self._project(pose)
        return self._path.copy()

    def expected(self, poses: Sequence[Pose], exposure: float, light: Light | None = None) -> NDArray[np.float32]:
        """The mean counts of a frame without saturation, float32: what the average of many frames tends to."""
        picture, seconds = self._illumination(poses, light)
        flux = self.flux if light is None else light.flux
        quanta = flux * seconds * picture * self._response + exposure * self._dark
        return np.asarray(self._offsets + self.detector.gain * quanta, dtype=np.float32)

    def _illumination(self, poses: Sequence[Pose], light: Light | None) -> tuple[NDArray[np.float32], float]:
        """Relative intensity on the sensor and the seconds of nominal beam that it holds for."""
        from firstlight.simulation import _kernels

        self._shine(light)
        lit = [pose for pose in poses if pose.seconds > 0.0]
        seconds = sum(pose.seconds for pose in lit)
        if not lit or not any(self._in_view(pose) for pose in lit):
            return self._flat_light(), seconds
        self._light.fill(0.0)
        for pose in lit:
            self._project(pose)
            _kernels.add_transmission(self._path, pose.seconds / seconds, self._light)
        self._light *= self._beam_profile
        _kernels.blur(self._light, self._taps, self._work)
        return self._light, seconds

    def _flat_light(self) -> NDArray[np.float32]:
        if self._flat is None:
            from firstlight.simulation import _kernels

            self._flat = self._beam_profile.copy()
            _kernels.blur(self._flat, self._taps, self._work)
        return self._flat

    def _shine(self, light: Light | None) -> None:
        """Take the beam's shape; what was computed for another one is forgotten."""
        shape = None if light is None else (light.rows.tobytes(), light.columns.tobytes())
        if shape == self._shape:
            return
        self._shape = shape
        self._flat = None
        self._beam_profile = self._profile
        if light is not None:
            self._beam_profile = self._profile * (light.rows[:, None] * light.columns[None, :])

    def _project(self, pose: Pose) -> None:
        from firstlight.simulation import _kernels

        rows = self.detector.shape[0]
        self._path.fill(0.0)
        if self.phantom.ellipsoids:
            _kernels.add_ellipsoids(
                self.phantom.shadows(pose.angle, pose.roll, pose.pitch),
                -self.axis * self.pixel - pose.lateral,
                -(rows - 1) / 2 * self.pixel - pose.height,
                self.pixel,
                self._path,
            )

    def _in_view(self, pose: Pose) -> bool:
        rows, columns = self.detector.shape
        radius, low, high, _ = self._extent
        if pose.roll or pose.pitch:
            radius = self._reach
            low, high = -radius, radius
        left, right = -self.axis * self.pixel - pose.lateral, (columns - 1 - self.axis) * self.pixel - pose.lateral
        middle = (rows - 1) / 2 * self.pixel
        return left <= radius and right >= -radius and low <= middle - pose.height and high >= -middle - pose.height


def warm_up() -> None:
    """Compile the inner loops and keep the machine code on disk: some seconds the first time, nothing after."""
    detector = Detector((4, 4))
    sphere = Phantom([Ellipsoid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0)])
    imager = Imager(detector, Beam(), sphere, pixel=1.0, axis=1.5, flux=1.0)
    imager.render([Pose()], 0.0, 0, 0, np.empty(detector.shape, detector.dtype))
