"""Slices as they are reconstructed, as a run of the buffer for those who look on; the file knows nothing of it."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer import Buffer, LogWriter, RunWriter
from firstlight.model import ChannelRole, ChannelSpec, EndReason, FirstlightError, PlotHint, RunEnd, RunInfo

MOST = 64
"""Slices that are shown of a volume, evenly spread."""
ROOM = 96 << 20
"""Bytes of memory that they may take."""
WIDEST = 1024
"""Voxels on a side beyond which only every second, third ... one is shown."""

SLICES, PLACES = "slices", "slice"
"""Channels: the slices, and the number of each in the volume."""


class Preview:
    """A run with a part of the slices; it ends when this is left.

    Whatever goes wrong in it ends the preview, never the reconstruction.

    :param root: of the buffer.
    :param parent: key of the run that is reconstructed.
    :param title: for people.
    """

    def __init__(self, root: Path, parent: str, title: str) -> None:
        self._root, self._parent, self._title = root, parent, title
        self._run: RunWriter | None = None
        self._slices: LogWriter | None = None
        self._places: LogWriter | None = None
        self._step = self._thin = 1
        self._dead = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is None:
            return
        reason = EndReason.SUCCESS if error is None else EndReason.FAILED
        message = "" if error is None else getattr(error, "message", type(error).__name__)
        try:
            self._run.stop(RunEnd(reason=reason, message=message, epoch=time.time()))
            self._run.close()
        except FirstlightError:
            pass

    def add(self, first: int, slices: NDArray[np.float32], total: int, unit: str) -> None:
        """Slices ``first`` and following of ``total``, (slices, rows, columns)."""
        if self._dead:
            return
        try:
            if self._run is None:
                self._begin(slices.shape[1:], total, unit)
            assert self._slices is not None
            assert self._places is not None
            chosen = np.arange(-first % self._step, len(slices), self._step)
            if chosen.size:
                self._places.append(np.asarray(first + chosen, np.float64))
                self._slices.append(np.ascontiguousarray(slices[chosen, :: self._thin, :: self._thin]))
        except FirstlightError:
            self._dead = True

    def _begin(self, shape: tuple[int, ...], total: int, unit: str) -> None:
        self._thin = max(1, -(-max(shape) // WIDEST))
        rows, columns = (-(-side // self._thin) for side in shape)
        most = max(1, min(MOST, ROOM // (4 * rows * columns)))
        self._step = max(1, -(-total // most))
        count = -(-total // self._step)
        info = RunInfo(
            name="reconstruction",
            title=self._title,
            start_epoch=time.time(),
            npoints=count,
            parent=self._parent,
            plots=(PlotHint(x=PLACES, y=(SLICES,)),),
            metadata={"technique": {"name": "tomography"}, "slices": total, "every": self._step, "thinned": self._thin},
        )
        self._run = Buffer(self._root).create_run(info)
        self._run.prepared()
        self._places = self._run.create_log(ChannelSpec(PLACES, role=ChannelRole.AXIS), capacity=count)
        spec = ChannelSpec(SLICES, "<f4", (rows, columns), unit, "reconstruction", role=ChannelRole.RESULT)
        self._slices = self._run.create_log(spec, capacity=count)
        self._run.running()
