"""How Firstlight measures: alternate with the peer, report median and range, and show a miss as a miss.

The machine is never quiet, so ours and the peer's turns alternate: whatever slows one pair slows both of its halves.
A figure is the median of at least seven turns, with the smallest and the largest beside it. A ratio says how many times
better ours is (for rates ours / peer, for times peer / ours), as the median over the pairs. A peer that cannot run here
is named as a reference, with a figure measured elsewhere and no ratio.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

PAIRS = 7
"""Turns of each side, at least."""

REFERENCE = "reference: "
"""Begins the name of a peer whose figure comes from elsewhere."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    :param value: median, in ``unit``; times are in seconds.
    :param peer: what it is compared with, or ``reference: ...``, or empty.
    :param peer_value: median of the peer, in ``unit``.
    :param ratio: times that ours is better; None without a peer in the same run.
    :param low: smallest of our values.
    :param high: largest of our values.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float | None
    ratio: float | None
    low: float
    high: float
    machine: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a figure has to reach.

    :param least: smallest value allowed.
    :param most: largest value allowed.
    :param ratio: smallest ratio allowed; cannot be judged without a peer.
    """

    least: float | None = None
    most: float | None = None
    ratio: float | None = None

    def kept(self, row: Row) -> bool | None:
        """Whether the row keeps it; None when that cannot be told here."""
        if self.least is not None and row.value < self.least:
            return False
        if self.most is not None and row.value > self.most:
            return False
        if self.ratio is not None:
            return None if row.ratio is None else row.ratio >= self.ratio
        return True

    def text(self, unit: str) -> str:
        """The promise as people read it."""
        parts = []
        if self.least is not None:
            parts.append(f"≥ {quantity(self.least, unit)}")
        if self.most is not None:
            parts.append(f"≤ {quantity(self.most, unit)}")
        if self.ratio is not None:
            parts.append(f"≥ {self.ratio:g} × peer")
        return ", ".join(parts)


def alternate(
    ours: Callable[[], float], peer: Callable[[], float] | None = None, *, pairs: int = PAIRS, warm: bool = True
) -> tuple[list[float], list[float]]:
    """Values of both sides, turn by turn; which side begins changes with every pair.

    :param ours: does its work once and returns the figure.
    :param warm: give each side one turn that does not count.
    """
    if pairs < PAIRS:
        raise ValueError(f"At least {PAIRS} pairs are needed.")
    mine: list[float] = []
    theirs: list[float] = []
    sides = [(ours, mine)] if peer is None else [(ours, mine), (peer, theirs)]
    if warm:
        for side, _ in sides:
            side()
    for turn in range(pairs):
        for side, values in sides if turn % 2 == 0 else reversed(sides):
            values.append(side())
    return mine, theirs


def row(name: str, unit: str, ours: Sequence[float], peer: str = "", theirs: Sequence[float] = ()) -> Row:
    """A figure from the values of both sides, pair by pair."""
    ratio = None
    if theirs:
        pairs = zip(ours, theirs, strict=True)
        ratio = statistics.median(p / o if unit == "s" else o / p for o, p in pairs)
    return Row(
        name=name,
        value=statistics.median(ours),
        unit=unit,
        peer=peer,
        peer_value=statistics.median(theirs) if theirs else None,
        ratio=ratio,
        low=min(ours),
        high=max(ours),
        machine=machine(),
    )


def against_reference(name: str, unit: str, ours: Sequence[float], peer: str, peer_value: float | None) -> Row:
    """A figure beside one that was measured elsewhere."""
    mine = row(name, unit, ours)
    return Row(**{**asdict(mine), "peer": REFERENCE + peer, "peer_value": peer_value})


@cache
def machine() -> str:
    """The machine in one line: processor, cores that may be used, memory, system, Python."""
    model = platform.processor() or platform.machine()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = next((int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}"
    return f"{model}, {cores} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float, unit: str) -> str:
    """A figure for people: ``12.5 µs``, ``3.1 GB/s``."""
    if not unit:
        return f"{value:.4g}"
    factor, prefix = next((step for step in _STEPS if abs(value) >= step[0]), _STEPS[-1])
    number = f"{value / factor:.3g}"
    # Rates read better as 12.5 k/s than as 12.5 k1/s.
    return f"{number} {prefix}{unit.removeprefix('1')}"
