"""A simulated area detector: what a sample scatters, diffracts or images at the moment of each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.sim._faulty import FaultySource
from firstlight.devices.sim._parts import Illumination
from firstlight.model import (
    STATUS_GOOD,
    STATUS_SATURATED,
    CameraInfo,
    Clock,
    RealClock,
    TriggerMode,
    TriggerPlan,
)
from firstlight.simulation import AreaImager


class SimAreaDetector(FaultySource):
    """Frames of an :class:`~firstlight.simulation.AreaImager` whose scene stands on simulated axes.

    A frame depends on the seed, the number of the run since the detector was built, its index, and what the axes, the
    shutter and the beam did during its exposure.

    :param beam: what falls on the sample, and which axes move it.
    :param parts: into which an exposure is cut while something moves.
    :param pool: frames that are rendered once and shown again; 0 renders each.
    """

    def __init__(
        self,
        name: str,
        imager: AreaImager,
        beam: Illumination,
        *,
        pixel: tuple[float, float] = (0.0, 0.0),
        parts: int = 1,
        dead_time: float = 1e-4,
        maximum_rate: float = 500.0,
        readout: float = 0.002,
        pool: int = 0,
        clock: Clock | None = None,
    ) -> None:
        info = CameraInfo(
            shape=imager.detector.shape,
            dtype=imager.detector.dtype,
            modes=frozenset(TriggerMode),
            dead_time=dead_time,
            maximum_rate=maximum_rate,
            pixel_size=(pixel[0] * 1e-3, pixel[1] * 1e-3),
        )
        super().__init__(
            name,
            info,
            clock=clock or RealClock(),
            motion=beam.board.motion,
            board=beam.board,
            readout=readout,
            pool=pool,
        )
        self.imager = imager
        self.beam = beam
        self._parts = parts
        self._run = 0
        # Compiled, and the pictures that do not change computed, now rather than at the first frame.
        imager.render([], 0.0, 0, 0, np.empty(info.shape, dtype=info.dtype))

    def check(self, plan: TriggerPlan) -> None:
        """See that everything the detector looks at is published, and count the run."""
        now = self._clock.now()
        self.beam.check(now)
        if plan.axis:
            self.beam.board.motion(plan.axis, now)
        self._run += 1

    def render(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        """Write the frame exposed from ``start`` to ``stop``."""
        parts = self.beam.parts(start, stop, self._parts)
        saturated = self.imager.render(parts, stop - start, self._run, index, frame)
        return STATUS_SATURATED if saturated else STATUS_GOOD

    def expected(self, start: float, stop: float) -> NDArray[np.float32]:
        """The mean counts of that frame; NaN where pixels do not see."""
        return self.imager.expected(self.beam.parts(start, stop, self._parts), stop - start)

    def truth(self) -> dict[str, Any]:
        """What is true of sample, geometry and beam."""
        return {**self.imager.scene.truth(), **self.beam.truth(), "dead_pixels": int(self.imager.mask.sum())}
