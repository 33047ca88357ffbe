"""The table of points of a run, as lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstlight.model import ChannelKind, ChannelRole

if TYPE_CHECKING:
    from firstlight.data import Run

_NUMBER = 5
_LEAST = 10


@dataclass(frozen=True, slots=True)
class Column:
    """One channel in the table.

    :param head: its name and unit.
    """

    channel: str
    head: str
    width: int


class Table:
    """Points of a run in lines of equal form.

    :param run: whose channels exist already.
    :param width: columns of the screen; counters beyond it are left out and named.
    """

    def __init__(self, run: Run, width: int) -> None:
        self._run = run
        specs = run.specs()
        axes = [name for name in run.info.axes if name in specs]
        scalar = [n for n, s in specs.items() if not s.shape and s.kind is not ChannelKind.RAGGED]
        counters = [name for name in scalar if specs[name].role is ChannelRole.COUNTER]
        timed = [] if axes else [name for name in ("elapsed_time",) if name in specs]
        self.columns: list[Column] = []
        self.left_out: list[str] = []
        used = _NUMBER
        for name in [*timed, *axes, *counters]:
            unit = specs[name].unit
            head = f"{'time' if name == 'elapsed_time' else name}{f'[{unit}]' if unit else ''}"
            column = Column(name, head, max(_LEAST, len(head)))
            if used + 2 + column.width > width and name in counters:
                self.left_out.append(name)
                continue
            used += 2 + column.width
            self.columns.append(column)
        self.counters = counters
        self.written = 0
        """Points that are printed or left out."""

    @property
    def heading(self) -> str:
        """Names of the columns."""
        cells = ["#".rjust(_NUMBER), *(column.head.rjust(column.width) for column in self.columns)]
        more = f"  (and {', '.join(self.left_out)})" if self.left_out else ""
        return "  ".join(cells) + more

    def there(self) -> int:
        """Points that all columns have."""
        return min((len(self._run[column.channel]) for column in self.columns), default=0)

    def lines(self, most: int) -> list[str]:
        """The points that came since the last call, at most so many; a line says how many are left out."""
        there = self.there()
        start, first = self.written, max(self.written, there - most)
        if there <= start:
            return []
        found = [f"{'...':>{_NUMBER}}  {first - start} points not shown"] if first > start else []
        values = [np.asarray(self._run[column.channel][first:there]) for column in self.columns]
        for row in range(there - first):
            cells = [str(first + row).rjust(_NUMBER)]
            cells += [cell(v[row]).rjust(c.width) for v, c in zip(values, self.columns, strict=True)]
            found.append("  ".join(cells))
        self.written = there
        return found


def cell(value: object) -> str:
    """One number: whole ones in full, others with six digits."""
    if isinstance(value, np.integer | int):
        return str(int(value))
    if isinstance(value, np.floating | float):
        number = float(value)
        return f"{number:.0f}" if number == round(number) and 1e5 <= abs(number) < 1e10 else f"{number:.6g}"
    return str(value)
