"""A simulated camera: the sample's exact shadow at the moment of each frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._track import Rows
from firstlight.devices.sim._beamline import Beam, Stage
from firstlight.devices.sim._exposure import open_spans
from firstlight.devices.sim._faulty import FaultySource
from firstlight.devices.sim._published import Board
from firstlight.model import (
    STATUS_GOOD,
    STATUS_SATURATED,
    CameraInfo,
    Clock,
    RealClock,
    TriggerMode,
    TriggerPlan,
)
from firstlight.model.motion import Segments, positions
from firstlight.simulation import CHANGER, Imager, Light, Pose, Ring, at_slot

_IDEAL = Stage()
_AWAY = 1e6
"""Where a sample is that the changer has taken out, mm."""


class SimCamera(FaultySource):
    """Frames of an :class:`~firstlight.simulation.Imager` whose sample stands on simulated axes.

    Angle, lateral position and height are those of the named axes (dial) in the middle of each part of the exposure;
    its weight is the ring's charge while the shutter was open, exactly. A frame depends on the seed, the number of the
    run since the camera was built, its index and its exposure alone.

    :param board: where the axes and the shutter are read.
    :param rotation: axis in degrees; empty for a sample that does not turn. The others likewise.
    :param lateral: axis in mm that moves the rotation along the detector's columns.
    :param height: axis in mm that moves the sample along the detector's rows.
    :param roll: axis in degrees that tilts the rotation in the detector's plane.
    :param pitch: axis in degrees that tilts it along the beam.
    :param tilt: (roll, pitch) of the rotation where those axes stand at 0, degrees.
    :param shutter: empty for a beam that is always on.
    :param beam: of a beamline, which then has the shutter and the ring; None for a constant one.
    :param where: place of the camera in the beamline.
    :param stage: phantom of that beamline whose rotation axis carries the sample, with what is wrong with it; empty for
        one that is where ``tilt`` and the imager say.
    :param efficiency: quanta detected per photon of that beam.
    :param parts: of an exposure during which the sample moves.
    :param pool: frames that are rendered once and shown again; 0 renders each.
    """

    def __init__(
        self,
        name: str,
        imager: Imager,
        board: Board,
        *,
        rotation: str = "",
        lateral: str = "",
        height: str = "",
        roll: str = "",
        pitch: str = "",
        tilt: tuple[float, float] = (0.0, 0.0),
        shutter: str = "",
        beam: Beam | None = None,
        where: str | float = 0.0,
        stage: str = "",
        efficiency: float = 0.01,
        ring: Ring | None = None,
        parts: int = 1,
        dead_time: float = 0.001,
        maximum_rate: float = 100.0,
        readout: float = 0.002,
        pool: int = 0,
        clock: Clock | None = None,
    ) -> None:
        pixel = imager.pixel * 1e-3
        info = CameraInfo(
            shape=imager.detector.shape,
            dtype=imager.detector.dtype,
            modes=frozenset(TriggerMode),
            dead_time=dead_time,
            maximum_rate=maximum_rate,
            pixel_size=(pixel, pixel),
        )
        super().__init__(
            name, info, clock=clock or RealClock(), motion=board.motion, board=board, readout=readout, pool=pool
        )
        self.imager = imager
        self._board = board
        self._axes = {"angle": rotation, "lateral": lateral, "height": height, "roll": roll, "pitch": pitch}
        self._tilt = {"roll": tilt[0], "pitch": tilt[1]}
        self._shutter = shutter
        self._ring = ring or Ring()
        self._parts = parts
        self._beam = beam
        self._where = where
        self._stage_name = stage
        self._efficiency = efficiency
        # Rows are counted downwards, y upwards.
        rows, columns = info.shape
        self._grid = (
            (np.arange(columns) - (columns - 1) / 2) * imager.pixel,
            ((rows - 1) / 2 - np.arange(rows)) * imager.pixel,
        )
        self._run = 0
        # Compiled now rather than at the first frame.
        imager.render([Pose()], 0.0, 0, 0, np.empty(info.shape, dtype=info.dtype))

    def check(self, plan: TriggerPlan) -> None:
        """See that everything the camera looks at is published, and count the run."""
        now = self._clock.now()
        for axis in (*self._axes.values(), plan.axis):
            if axis:
                self._board.motion(axis, now)
        if self._shutter:
            self._board.shutter(self._shutter, now)
        if self._beam is not None:
            self._beam.check(self._where)
            if self._stage.changer:
                self._board.motion(self._stage.changer, now)
        self._run += 1

    def render(self, index: int, start: float, stop: float, frame: NDArray[Any]) -> int:
        """Write the frame exposed from ``start`` to ``stop``."""
        poses, light = self.seen(start, stop)
        saturated = self.imager.render(poses, stop - start, self._run, index, frame, light)
        return STATUS_SATURATED if saturated else STATUS_GOOD

    def truth(self) -> dict[str, Any]:
        """Where the rotation axis is and how it leans, and the pixel size; what a reconstruction has to find."""
        stage = self._stage
        return {
            "technique": "tomography",
            "rotation_column": self.imager.axis + stage.offset[0] / self.imager.pixel,
            "roll": self._tilt["roll"] + stage.roll,
            "roll@units": "deg",
            "pitch": self._tilt["pitch"],
            "pitch@units": "deg",
            "pixel": self.imager.pixel,
            "pixel@units": "mm",
            "bodies": len(self.imager.phantom.ellipsoids),
        }

    def seen(self, start: float, stop: float) -> tuple[list[Pose], Light | None]:
        """How the sample stands during an exposure, part by part, and the beam of a beamline if there is one."""
        if self._beam is None or stop <= start:
            return self.poses(start, stop), None
        exposures = self._beam.during([start], [stop], self._where)
        spans = self._beam.spans(start, stop, self._where)
        photons = float(exposures.sums(exposures.beam.flux)[0])
        if not spans or photons <= 0.0:
            return [], None
        # The beam's shape is taken in the middle of the exposure, its flux is the mean.
        middle = len(exposures.seconds) // 2
        state = exposures.beam.take(np.array([middle]), exposures.beam.moments[middle : middle + 1])
        x, y = self._grid
        pixel = self.imager.pixel
        columns, rows = (p.density(at)[0] * pixel for p, at in ((state.horizontal, x), (state.vertical, y)))
        flux = self._efficiency * photons / sum(b - a for a, b in spans)
        light = Light(rows.astype(np.float32), columns.astype(np.float32), flux)
        return self._parts_of(spans, start, stop, lambda a, b: b - a), light

    def poses(self, start: float, stop: float) -> list[Pose]:
        """How the sample stands during an exposure, part by part, weighted by the ring's charge."""
        if stop <= start:
            return []
        spans = [(start, stop)]
        if self._shutter:
            spans = open_spans(self._board.shutter(self._shutter, start), start, stop)
        full = self._ring.current
        return self._parts_of(spans, start, stop, lambda a, b: self._ring.charge(a, b) / full if full else 0.0)

    def _parts_of(
        self, spans: list[tuple[float, float]], start: float, stop: float, weight: Callable[[float, float], float]
    ) -> list[Pose]:
        stage = self._stage
        motions = {part: self._board.motion(axis, start) for part, axis in self._axes.items() if axis}
        if stage.changer:
            motions[CHANGER] = self._board.motion(stage.changer, start)
        parts = self._parts if any(_moves(rows, stop) for rows in motions.values()) else 1
        poses: list[Pose] = []
        for a, b in spans:
            count = max(1, math.ceil(parts * (b - a) / (stop - start)))
            edges = np.linspace(a, b, count + 1).tolist()
            poses += [self._pose(stage, motions, left, right, weight(left, right)) for left, right in pairwise(edges)]
        return poses

    def _pose(self, stage: Stage, motions: dict[str, Segments], start: float, stop: float, seconds: float) -> Pose:
        middle = 0.5 * (start + stop)
        x, height = stage.offset
        at = {"lateral": x, "height": height, **self._tilt}
        at["roll"] += stage.roll
        for part, rows in motions.items():
            at[part] = at.get(part, 0.0) + float(positions(rows, [middle])[0])
        changer = at.pop(CHANGER, stage.slot)
        if not at_slot(changer, stage.slot):
            at["lateral"] = _AWAY
        return Pose(seconds=seconds, **at)

    @property
    def _stage(self) -> Stage:
        return self._beam.stage(self._stage_name) if self._beam is not None and self._stage_name else _IDEAL


def _moves(rows: Rows, stop: float) -> bool:
    return bool(np.any((rows[:, 0] < stop) & (rows[:, 1] > 0.0)))
