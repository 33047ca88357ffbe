"""Darks and flats, reduced to one frame for each time they were taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import attenuation, reduce_stack
from firstlight.model import InvalidInput
from firstlight.tasks.tomography._projections import Frames, Projections

Floats = NDArray[np.float32]

_BAND = 64 << 20  # bytes of frames that are reduced together


@dataclass(frozen=True, slots=True)
class References:
    """Reduced darks and flats.

    :param dark: (rows, columns), counts.
    :param flats: (groups, rows, columns), counts; one for each time that flats were taken.
    :param moments: when, rising; the mean of the group.
    :param monitor: intensity of the beam during each group; None when it is not known.
    :param darks_used: number of dark frames; 0 when there are none and the dark level is taken to be 0.
    :param flats_used: number of flat frames in each group.
    :param rejected: values left out as outliers, of darks and flats.
    """

    dark: Floats
    flats: Floats
    moments: NDArray[np.float64]
    monitor: NDArray[np.float64] | None
    darks_used: int
    flats_used: tuple[int, ...]
    rejected: int

    def rows(self, first: int, last: int) -> References:
        """The same for some detector rows."""
        return References(
            self.dark[first:last],
            self.flats[:, first:last],
            self.moments,
            self.monitor,
            self.darks_used,
            self.flats_used,
            self.rejected,
        )


def reduce_references(
    projections: Projections,
    *,
    method: Literal["mean", "median"] = "mean",
    threshold: float = 6.0,
    workers: int | None = None,
) -> References:
    """One dark frame, and one flat frame for each time that flats were taken.

    Flats between which no projection was taken belong together. Outliers (zingers) are left out of a mean.

    :param method: ``mean`` or ``median`` of the frames, pixel by pixel.
    :param threshold: standard deviations from the median beyond which a value is an outlier.
    :raises InvalidInput: when there are no flats.
    """
    if projections.flats is None or not projections.flats.shape[0]:
        raise InvalidInput(
            "There are no flats, so what the sample absorbs cannot be told from the beam.",
            hint="Take frames without the sample (image key 1).",
        )
    groups = _groups(projections)
    rejected = 0
    dark = np.zeros(projections.frames.shape[1:], np.float32)
    darks_used = 0 if projections.darks is None else projections.darks.shape[0]
    if projections.darks is not None and darks_used:
        dark, rejected = _reduce(projections.darks, np.arange(darks_used), method, threshold, workers)
    flats, moments, monitor = [], [], []
    for group in groups:
        flat, left_out = _reduce(projections.flats, group, method, threshold, workers)
        rejected += left_out
        flats.append(flat)
        moments.append(0.0 if projections.flat_moments is None else float(projections.flat_moments[group].mean()))
        if projections.flat_monitor is not None:
            monitor.append(float(projections.flat_monitor[group].mean()))
    return References(
        dark=dark,
        flats=np.stack(flats),
        moments=np.asarray(moments),
        monitor=np.asarray(monitor) if monitor else None,
        darks_used=darks_used,
        flats_used=tuple(g.size for g in groups),
        rejected=rejected,
    )


def sinograms(
    projections: Projections,
    references: References,
    first: int,
    last: int,
    *,
    monitor: bool = True,
    logarithm: bool = True,
    frames: NDArray[np.generic] | None = None,
    workers: int | None = None,
) -> tuple[Floats, int]:
    """Attenuation of some detector rows, as sinograms (rows, projections, columns), and how many pixels were repaired.

    The flat is interpolated in time between the groups. With a beam monitor, flats are taken per unit of the monitor
    and each projection is divided by its own value.

    :param first: first detector row.
    :param last: row after the last.
    :param monitor: use the beam monitor where projections and flats have one.
    :param logarithm: False gives the transmission.
    :param frames: these rows of all projections, when they were read already.
    :raises InvalidInput: when the rows are not on the detector.
    """
    if not 0 <= first < last <= projections.rows:
        raise InvalidInput(f"Rows {first} to {last} are not on a detector of {projections.rows} rows.")
    here = references.rows(first, last)
    flats, scale = here.flats, None
    if monitor and projections.monitor is not None and here.monitor is not None and np.all(here.monitor > 0):
        mean = float(here.monitor.mean())
        flats = here.dark + (here.flats - here.dark) * (mean / here.monitor[:, None, None]).astype(np.float32)
        scale = projections.monitor / mean
    several = len(flats) > 1 and projections.moments is not None
    if len(flats) > 1 and not several:
        flats = flats.mean(axis=0, keepdims=True, dtype=np.float32)
    raw = projections.frames[0 : projections.frames.shape[0], first:last] if frames is None else frames
    result = attenuation(
        raw,
        here.dark,
        flats,
        moments=projections.moments if several else None,
        flat_moments=here.moments if several else None,
        scale=scale,
        logarithm=logarithm,
        workers=workers,
    )
    return result.sinograms, result.repaired


def _groups(projections: Projections) -> list[NDArray[np.int64]]:
    """Indices of the flats that were taken together, in the order of their moments."""
    assert projections.flats is not None
    count = projections.flats.shape[0]
    if projections.flat_moments is None or projections.moments is None:
        return [np.arange(count)]
    order = np.argsort(projections.flat_moments, kind="stable")
    # How many projections came before tells the times between which flats were taken.
    before = np.searchsorted(np.sort(projections.moments), projections.flat_moments[order])
    return [order[before == n] for n in np.unique(before)]


def _reduce(
    frames: Frames,
    which: NDArray[np.int64],
    method: Literal["mean", "median"],
    threshold: float,
    workers: int | None,
) -> tuple[Floats, int]:
    """Some frames of a stack, reduced band by band so that a long stack of large frames fits in memory."""
    from firstlight.tasks.tomography._projections import Picked

    some = Picked(frames, which)
    count, rows, columns = some.shape
    band = max(1, _BAND // (count * columns * some.dtype.itemsize))
    out = np.empty((rows, columns), np.float32)
    rejected = 0
    for first in range(0, rows, band):
        last = min(first + band, rows)
        reduced = reduce_stack(some[0:count, first:last], method, threshold=threshold, workers=workers)
        out[first:last] = reduced.frame
        rejected += reduced.rejected
    return out, rejected
