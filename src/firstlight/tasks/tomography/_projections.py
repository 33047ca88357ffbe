"""What a reconstruction starts from: projections with their angles, darks and flats, wherever they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

PROJECTION, FLAT, DARK = 0, 1, 2
"""Image keys of NXtomo; all other frames (3: invalid, -1: taken again for alignment) are left out."""


class Frames(Protocol):
    """Frames that can be read in parts: a NumPy array, an HDF5 dataset, or a reader of a run."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, rows, columns)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""

    def __getitem__(self, key: tuple[slice, slice], /) -> NDArray[Any]:
        """``frames[first:last, first_row:last_row]``, both ends given and inside."""


class Picked:
    """Some frames of a larger stack, read run by run of neighbours.

    :param frames: the stack.
    :param indices: frames to keep, in any order.
    """

    def __init__(self, frames: Frames, indices: ArrayLike) -> None:
        self._frames = frames
        self._indices = np.asarray(indices, dtype=np.int64)
        self.shape: tuple[int, ...] = (self._indices.size, *frames.shape[1:])
        self.dtype = np.dtype(frames.dtype)

    def __getitem__(self, key: tuple[slice, slice], /) -> NDArray[Any]:
        frames, rows = key
        wanted = self._indices[frames]
        first, last, _ = rows.indices(self.shape[1])
        out = np.empty((wanted.size, max(0, last - first), self.shape[2]), self.dtype)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        at = 0
        for part in np.split(wanted, breaks):
            if part.size:
                out[at : at + part.size] = self._frames[int(part[0]) : int(part[-1]) + 1, rows]
                at += part.size
        return out


@dataclass(frozen=True)
class Projections:
    """Everything that is known of one tomographic scan; only ``frames`` and ``angles`` have to be there.

    :raises InvalidInput: when the pieces do not fit together.
    """

    frames: Frames
    """Projections, (count, rows, columns), counts."""
    angles: NDArray[np.float64]
    """Degrees, one a projection."""
    flats: Frames | None = None
    darks: Frames | None = None
    moments: NDArray[np.float64] | None = None
    """When each projection was taken: seconds, or its number in the scan."""
    flat_moments: NDArray[np.float64] | None = None
    """The same for each flat; flats before, between and after the projections are then told apart."""
    monitor: NDArray[np.float64] | None = None
    """Intensity of the beam at each projection, any unit."""
    flat_monitor: NDArray[np.float64] | None = None
    pixel_size: tuple[float, float] | None = None
    """(vertical, horizontal) at the sample, metres."""
    energy: float | None = None
    """Of the photons, keV."""
    distance: float | None = None
    """From sample to detector, metres."""
    title: str = ""
    sample: str = ""
    beamline: str = ""
    file: str = ""
    """Where the frames come from: a file, or the place of a run."""
    entry: str = ""
    """Path of the entry in the file."""

    def __post_init__(self) -> None:
        if len(self.frames.shape) != 3 or 0 in self.frames.shape:
            raise InvalidInput(f"Projections have shape (frames, rows, columns), not {self.frames.shape}.")
        count = self.frames.shape[0]
        for what, values, expected in (
            ("angles", self.angles, count),
            ("moments", self.moments, count),
            ("monitor values", self.monitor, count),
            ("moments of flats", self.flat_moments, None if self.flats is None else self.flats.shape[0]),
            ("monitor values of flats", self.flat_monitor, None if self.flats is None else self.flats.shape[0]),
        ):
            if values is not None and expected is not None and np.shape(values) != (expected,):
                raise InvalidInput(f"{np.size(values)} {what} do not fit {expected} frames.")
        for what, frames in (("Flats", self.flats), ("Darks", self.darks)):
            if frames is not None and frames.shape[1:] != self.frames.shape[1:]:
                raise InvalidInput(f"{what} of {frames.shape[1:]} do not fit projections of {self.frames.shape[1:]}.")
        if not np.isfinite(self.angles).all():
            raise InvalidInput("Some projections have no angle.")

    @property
    def rows(self) -> int:
        """Height of a projection."""
        return self.frames.shape[1]

    @property
    def width(self) -> int:
        """Width of a projection."""
        return self.frames.shape[2]

    @classmethod
    def from_keys(
        cls,
        frames: Frames,
        keys: ArrayLike,
        angles: ArrayLike,
        *,
        moments: ArrayLike | None = None,
        monitor: ArrayLike | None = None,
        **more: Any,
    ) -> Projections:
        """From one stack of all frames of a scan, in the order in which they were taken.

        :param frames: (all, rows, columns).
        :param keys: image key of each frame: 0 projection, 1 flat, 2 dark; others are left out, and so are lost
            frames, which must have another key.
        :param angles: degrees, one a frame; those of darks and flats are not used.
        :param moments: when each frame was taken; by default its number.
        :param monitor: intensity of the beam at each frame.
        :param more: other fields of :class:`Projections`.
        :raises InvalidInput: when there is no projection or the lengths differ.
        """
        which = np.asarray(keys)
        turned = np.asarray(angles, dtype=np.float64)
        when = np.arange(which.size, dtype=np.float64) if moments is None else np.asarray(moments, dtype=np.float64)
        beam = None if monitor is None else np.asarray(monitor, dtype=np.float64)
        for what, values in (("image keys", which), ("angles", turned), ("moments", when), ("monitor values", beam)):
            if values is not None and values.shape != (frames.shape[0],):
                raise InvalidInput(f"{values.size} {what} do not fit {frames.shape[0]} frames.")
        places = {key: np.flatnonzero(which == key) for key in (PROJECTION, FLAT, DARK)}
        if not places[PROJECTION].size:
            raise InvalidInput("None of the frames is a projection (image key 0).")
        return cls(
            frames=Picked(frames, places[PROJECTION]),
            angles=turned[places[PROJECTION]],
            flats=Picked(frames, places[FLAT]) if places[FLAT].size else None,
            darks=Picked(frames, places[DARK]) if places[DARK].size else None,
            moments=when[places[PROJECTION]],
            flat_moments=when[places[FLAT]] if places[FLAT].size else None,
            monitor=None if beam is None else beam[places[PROJECTION]],
            flat_monitor=None if beam is None or not places[FLAT].size else beam[places[FLAT]],
            **more,
        )
