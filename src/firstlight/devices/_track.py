"""The history of one device as sorted rows, newest last: motion segments, shutter states."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from firstlight.model.motion import ACCELERATION, POSITION, START, Segments, halt, rest, state

_KEPT = 1 << 16
"""Rows kept in memory; half are dropped when there are more (a day of step scanning is far less)."""

Rows = NDArray[np.float64]


class Track:
    """Rows whose first column is the moment from which they hold; any thread may append or read.

    A row that begins before rows appended earlier replaces them: that is how a stop cuts a motion which was known in
    advance.
    """

    def __init__(self, width: int) -> None:
        self._rows = np.empty((64, width))
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Add rows, sorted by their moment."""
        with self._lock:
            count = self._count
            first = rows[0, START]
            if count and self._rows[count - 1, START] >= first:
                count = int(np.searchsorted(self._rows[:count, START], first, side="left"))
            if count + len(rows) > len(self._rows):
                count = self._grow(count, len(rows))
            self._rows[count : count + len(rows)] = rows
            self._count = count + len(rows)

    def _grow(self, count: int, extra: int) -> int:
        keep = count if count < _KEPT else _KEPT // 2
        grown = np.empty((2 * (keep + extra), self._rows.shape[1]))
        grown[:keep] = self._rows[count - keep : count]
        self._rows = grown
        return keep

    def since(self, moment: float) -> Rows:
        """Rows that hold at ``moment`` or later, a copy of shape (n ≥ 1, width)."""
        with self._lock:
            return self._rows[self._index(moment) : self._count].copy()

    def at(self, moment: float) -> Rows:
        """The one row that holds at ``moment``."""
        with self._lock:
            row: Rows = self._rows[self._index(moment)].copy()
            return row

    def last(self) -> Rows:
        """The newest row."""
        with self._lock:
            row: Rows = self._rows[self._count - 1].copy()
            return row

    def motion(self, since: float) -> Segments:
        """The rows as motion segments, the first one cut to begin at ``since``."""
        return cut(self.since(since), since)

    def _index(self, moment: float) -> int:
        # The newest row is what is asked for nearly always.
        if self._rows[self._count - 1, START] <= moment:
            return self._count - 1
        return max(0, int(np.searchsorted(self._rows[: self._count, START], moment, side="right")) - 1)


def cut(segments: Segments, since: float) -> Segments:
    """The same motion with a first row that begins at ``since`` (unless all of it begins later)."""
    start, duration, position, velocity, acceleration = segments[0].tolist()
    if start >= since:
        return segments
    inside = min(since - start, duration)
    segments[0] = (
        since,
        duration - inside,
        position + (velocity + 0.5 * acceleration * inside) * inside,
        velocity + acceleration * inside if duration > inside else 0.0,
        acceleration if duration > inside else 0.0,
    )
    return segments


def halted(segments: Segments, moment: float) -> Segments:
    """The motion as a stop ordered at ``moment`` leaves it: final, with the deceleration of the motion it stops."""
    if segments[0, START] >= moment:
        return rest(float(segments[0, POSITION]), float(segments[0, START]))
    kept = segments[segments[:, START] < moment]
    ramps = np.abs(kept[:, ACCELERATION])
    ramps = ramps[ramps > 0.0]
    if not len(ramps):
        # A motion that began without a ramp ends without one.
        return np.concatenate([kept, rest(state(kept, moment)[0], moment)])
    return np.concatenate([kept, halt(kept, moment, float(ramps[-1]))])
