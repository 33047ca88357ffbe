"""A camera that serves recorded frames as if it took them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._paced import PacedSource
from firstlight.devices.replay._recording import Recording, Stack, apart
from firstlight.devices.sim import Board
from firstlight.model import STATUS_GOOD, CameraInfo, Clock, DeviceError, RealClock, TriggerMode, TriggerPlan
from firstlight.model.motion import positions

_NEAR = 1.5
"""Steps of the recording that a projection may be away from the angle it is served for."""


class ReplayCamera(PacedSource):
    """Recorded frames, chosen by what the simulated devices do in the middle of the exposure.

    With the shutter closed darks are served, with the sample out of the beam flats, both in their order and again from
    the first; else the projection whose angle is nearest. When a run has as many points as there are projections, and
    each comes within a step of its own, they are served in their order, so that half a step between the two scans does
    not decide by roundoff.

    :param rotation: axis in degrees (dial).
    :param lateral: axis in mm that takes the sample out of the beam; empty when it always stays in.
    :param out: distance (mm) of the lateral axis from 0 beyond which the sample is out.
    :param shutter: empty for a beam that is always on.
    """

    def __init__(
        self,
        name: str,
        recording: Recording,
        board: Board,
        *,
        rotation: str,
        lateral: str = "",
        out: float = 1.0,
        shutter: str = "",
        dead_time: float = 0.0005,
        maximum_rate: float = 500.0,
        readout: float = 0.002,
        clock: Clock | None = None,
    ) -> None:
        info = CameraInfo(
            shape=recording.projections.shape,
            dtype=recording.projections.dtype.newbyteorder("<").str,
            modes=frozenset(TriggerMode),
            dead_time=dead_time,
            maximum_rate=maximum_rate,
            pixel_size=recording.pixel_size or (0.0, 0.0),
        )
        super().__init__(name, info, clock=clock or RealClock(), motion=board.motion, readout=readout)
        self.recording = recording
        self._board = board
        self._rotation = rotation
        self._lateral = lateral
        self._out = out
        self._shutter = shutter
        self._points = 0

    def check(self, plan: TriggerPlan) -> None:
        """See that everything the camera looks at is published."""
        now = self._clock.now()
        for axis in (self._rotation, self._lateral, plan.axis):
            if axis:
                self._board.motion(axis, now)
        if self._shutter:
            self._board.shutter(self._shutter, now)
        self._points = plan.points

    def render(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        """Write the recorded frame that fits the exposure.

        :raises DeviceError: when the recording holds none.
        """
        moment = 0.5 * (start + stop)
        if self._shutter and not self._board.shutter(self._shutter, moment)[0, 1]:
            recorded = self._one_of(self.recording.darks, index, "darks")
        elif self._lateral and abs(self._position(self._lateral, moment)) > self._out:
            recorded = self._one_of(self.recording.flats, index, "flats")
        else:
            recorded = self.recording.projections[self._projection(index, self._position(self._rotation, moment))]
        frame[...] = _cast(recorded, frame.dtype)
        return STATUS_GOOD

    def close(self) -> None:
        """Stop, and close the recording."""
        super().close()
        self.recording.close()

    def _position(self, axis: str, moment: float) -> float:
        return float(positions(self._board.motion(axis, moment), [moment])[0])

    def _one_of(self, stack: Stack | None, index: int, kind: str) -> NDArray[Any]:
        if stack is None:
            raise DeviceError(self.name, f"{self.recording.name} holds no {kind}.")
        return stack[index % len(stack)]

    def _projection(self, index: int, angle: float) -> int:
        recording = self.recording
        if self._points == len(recording.projections) > 1:
            own = float(np.abs(apart(recording.angles[index], angle)))
            if own <= recording.step:
                return index
        nearest, distance = recording.nearest(angle)
        if distance > _NEAR * recording.step:
            low, high = float(recording.angles.min()), float(recording.angles.max())
            raise DeviceError(
                self.name,
                f"{recording.name} holds no projection near {angle:g} deg; it has {low:g} to {high:g} deg.",
            )
        return nearest


def _cast(recorded: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The frame in the camera's type; numbers that do not fit are rounded and clipped, never wrapped."""
    if dtype.kind in "ui" and (recorded.dtype.kind == "f" or not np.can_cast(recorded.dtype, dtype)):
        limits = np.iinfo(dtype)
        return np.asarray(np.clip(np.rint(recorded), limits.min, limits.max), dtype=dtype)
    return np.asarray(recorded, dtype=dtype)
