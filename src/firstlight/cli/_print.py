"""Output for people and for programs: tables, JSON, sizes, moments."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

_WIDE = 500


def say(text: str = "") -> None:
    """One line for the user."""
    print(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print rows below the names of their columns.

    :param right: columns of numbers, which line up at their right end.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Into a pipe or a file lines go whole: cells cut at the width of no terminal help nobody.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE, no_color=True)
    drawn = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        # Text, not markup: titles and paths may hold brackets.
        drawn.add_row(*(Text(str(cell)) for cell in row))
    console.print(drawn)


def as_json(value: Any) -> None:
    """Print a value of plain types, for programs."""
    print(json.dumps(value, indent=1, default=str))


def size(nbytes: float) -> str:
    """``3.1 GB``."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if nbytes >= factor:
            return f"{nbytes / factor:.3g} {unit}"
    return f"{nbytes:.0f} B"


def moment(epoch: float) -> str:
    """UTC seconds as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))


def plural(count: int, noun: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
