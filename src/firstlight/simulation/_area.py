"""An area detector before a scene: gaps, dead pixels, point spread, counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._detector import Detector
from firstlight.simulation._part import Part, Scene
from firstlight.simulation._random import key, uniforms_of


def module_mask(
    shape: tuple[int, int],
    modules: tuple[int, int] = (1, 1),
    gap: tuple[int, int] = (0, 0),
    dead: float = 0.0,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Which pixels of a detector made of modules do not see: those between them, and some dead ones.

    :param modules: along rows and columns; they are as equal as whole pixels allow.
    :param gap: pixels between them, along rows and columns.
    :param dead: share of the pixels that are dead.
    """
    mask = np.zeros(shape, dtype=np.bool_)
    for axis, (count, width) in enumerate(zip(modules, gap, strict=True)):
        if count < 1 or width < 0 or (count - 1) * width >= shape[axis]:
            raise InvalidInput(f"{count} modules with gaps of {width} pixels do not fit into {shape[axis]} pixels.")
        size = (shape[axis] - (count - 1) * width) / count
        for number in range(1, count):
            first = round(number * (size + width)) - width
            where = slice(first, first + width)
            mask[(where, slice(None)) if axis == 0 else (slice(None), where)] = True
    if dead:
        mask |= uniforms_of(key(seed, 15), shape) < dead
    return mask


class AreaImager:
    """Computes the frames of a scene; one thread at a time.

    :param mask: pixels that do not see; they read the largest value of the type, as missing data does.
    :param seed: of the noise.
    """

    def __init__(
        self, scene: Scene, detector: Detector, mask: NDArray[np.bool_] | None = None, *, seed: int = 0
    ) -> None:
        if scene.shape != detector.shape:
            raise InvalidInput(f"A scene of {scene.shape} pixels does not fit a detector of {detector.shape}.")
        self.scene = scene
        self.detector = detector
        self.mask = np.zeros(detector.shape, dtype=np.bool_) if mask is None else mask
        self.seed = seed
        self._response = detector.response()
        self._response[self.mask] = 0.0
        self._dark = detector.dark()
        self._dark[self.mask] = 0.0
        self._offsets = detector.offsets()
        self._taps = detector.taps()
        self._work = np.empty(detector.shape, dtype=np.float32)
        noise = (detector.offset, detector.offset_spread, detector.dark_current, detector.read_noise)
        self._counts = detector.gain == 1.0 and not any(noise)
        self._blind = np.flatnonzero(self.mask.ravel())

    def render(self, parts: Sequence[Part], exposure: float, run: int, index: int, frame: NDArray[Any]) -> int:
        """Write one frame; the same arguments give the same frame, in any order and process.

        :param parts: those of the exposure that see beam.
        :param exposure: seconds that dark current is collected.
        :param run: number of the run, and
        :param index: of the frame in it: keys of the noise, with the imager's seed.
        :param frame: (height, width) of the detector's dtype, C-contiguous.
        :return: number of saturated pixels.
        """
        d = self.detector
        if frame.shape != d.shape or frame.dtype != np.dtype(d.dtype) or not frame.flags.c_contiguous:
            raise InvalidInput(f"A frame must be {d.shape} of {d.dtype}, contiguous, not {frame.shape} {frame.dtype}.")
        saturated = self._read(self._light(parts), exposure, np.uint64(key(self.seed, run, index)), frame)
        if len(self._blind):
            frame.reshape(-1)[self._blind] = np.iinfo(frame.dtype).max
        return saturated

    def expected(self, parts: Sequence[Part], exposure: float) -> NDArray[np.float32]:
        """The mean counts of a frame without saturation, float32; NaN where pixels do not see."""
        quanta = self._light(parts) * self._response + exposure * self._dark
        counts = np.asarray(self._offsets + self.detector.gain * quanta, dtype=np.float32)
        counts[self.mask] = np.nan
        return counts

    def _read(self, light: NDArray[np.float32], exposure: float, seed: np.uint64, frame: NDArray[Any]) -> int:
        from firstlight.simulation import _counting, _kernels

        d = self.detector
        if self._counts:
            full = min(float(d.maximum), math.floor(d.well + 0.5))
            return int(_counting.count(light, self._response, full, seed, frame))
        return int(
            _kernels.expose(
                light,
                1.0,
                self._response,
                self._dark,
                exposure,
                self._offsets,
                d.gain,
                d.read_noise,
                d.well,
                float(d.maximum),
                seed,
                frame,
            )
        )

    def _light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        light = self.scene.light([part for part in parts if part.photons > 0.0])
        if len(self._taps) == 1:
            return light
        from firstlight.simulation import _kernels

        light = light.copy()
        _kernels.blur(light, self._taps, self._work)
        return light
