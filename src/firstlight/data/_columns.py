"""Curves as columns of text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstlight.data._export import Exported, beside
from firstlight.data._run import Run
from firstlight.model import InvalidInput

ROWS = 100_000
"""Rows held at once."""


def export_csv(run: Run, path: Path | str, *, overwrite: bool = False) -> Exported:
    """One column for each scalar channel, axes first, named ``name (unit)``; cells that were not measured are empty.

    :raises InvalidInput: when the run has no scalar channel.
    :raises Conflict: when the file exists and ``overwrite`` is false.
    """
    names, left_out = _names(run)
    with beside(Path(path), overwrite=overwrite) as part, part.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([_label(run, n, "{} ({})") for n in names])
        rows = 0
        for row in _rows(run, names, ""):
            writer.writerow(row)
            rows += 1
    return Exported(Path(path), rows, left_out)


def export_text(run: Run, path: Path | str, *, overwrite: bool = False) -> Exported:
    """The same in columns separated by spaces, below a header of lines that start with ``#``: title, date, names and
    units; ``nan`` stands for what was not measured.

    :raises InvalidInput: when the run has no scalar channel.
    :raises Conflict: when the file exists and ``overwrite`` is false.
    """
    names, left_out = _names(run)
    started = datetime.fromtimestamp(run.info.start_epoch, UTC).isoformat(timespec="seconds")
    with beside(Path(path), overwrite=overwrite) as part, part.open("w", encoding="utf-8") as out:
        out.write(f"# title {' '.join(run.title.split())}\n# date {started}\n")
        if run.number is not None:
            out.write(f"# scan {run.number}.1\n")
        out.write(f"# columns {' '.join(_label(run, n, '{}[{}]').replace(' ', '') for n in names)}\n")
        rows = 0
        for row in _rows(run, names, "nan"):
            out.write(" ".join(row) + "\n")
            rows += 1
    return Exported(Path(path), rows, left_out)


def _names(run: Run) -> tuple[list[str], tuple[str, ...]]:
    scalar = [n for n, s in run.specs().items() if not s.shape and not run[n].ragged]
    if not scalar:
        raise InvalidInput(f"{run.title} has no channel of plain numbers.", hint="Export its frames as nxtomo.")
    axes = [a for a in run.info.axes if a in scalar]
    names = axes + [n for n in scalar if n not in axes]
    return names, tuple(n for n in run if n not in scalar)


def _label(run: Run, name: str, pattern: str) -> str:
    unit = run[name].unit
    return pattern.format(name, unit) if unit else name


def _rows(run: Run, names: list[str], missing: str) -> Iterator[tuple[str, ...]]:
    counts = {n: len(run[n]) for n in names}
    total = max(counts.values())
    for start in range(0, total, ROWS):
        stop = min(start + ROWS, total)
        columns = []
        for name in names:
            values: list[Any] = run[name][start : min(stop, counts[name])].tolist() if start < counts[name] else []
            columns.append([repr(v) for v in values] + [missing] * (stop - start - len(values)))
        yield from zip(*columns, strict=True)
