"""What part of an exposure sees the beam."""

from __future__ import annotations

import numpy as np

from firstlight.devices._track import Rows


def open_spans(rows: Rows, start: float, stop: float) -> list[tuple[float, float]]:
    """The parts of ``start`` to ``stop`` in which a shutter is open.

    :param rows: (moment, 1 open or 0 closed) sorted, the first one holding at ``start``; before it, closed.
    """
    spans: list[tuple[float, float]] = []
    edges = [*rows[1:, 0].tolist(), np.inf]
    for (since, is_open), until in zip(rows.tolist(), edges, strict=True):
        a, b = max(since, start), min(until, stop)
        if is_open and b > a:
            spans.append((a, b))
    return spans
