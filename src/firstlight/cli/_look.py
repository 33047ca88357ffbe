"""``firstlight ls`` and ``firstlight show``: what is in files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight.cli._print import as_json, moment, plural, say, table

if TYPE_CHECKING:
    from firstlight.data import Channel, Run

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Scan = Annotated[str, typer.Option(metavar="N", help="Number of the scan, or its entry (3.1); -1 is the last one.")]

_MOST = 1_000_000
"""Items of a counter that are looked through for their smallest and largest."""


def ls(
    where: Annotated[Path, typer.Argument(metavar="[PATH]", help="A file, a dataset, or a folder above.")] = Path(),
    json: Json = False,
) -> None:
    """List the datasets below a folder, or the scans of a dataset or a file."""
    from firstlight.data import datasets, scan_numbers
    from firstlight.model import NotFound
    from firstlight.storage import list_entries

    if where.is_file():
        _scans(where, list_entries(where), json=json)
        return
    if not where.is_dir():
        raise NotFound(f"{where} does not exist.", hint="Name a file or a folder.")
    folder = where.resolve()
    numbers = scan_numbers(folder)
    if numbers:
        _scans(folder, [f"{number}.1" for number in numbers], json=json)
        return
    found = sorted(datasets(folder), key=lambda d: d.modified)
    if json:
        as_json(
            [
                {
                    "proposal": d.proposal,
                    "sample": d.sample,
                    "dataset": d.dataset,
                    "scans": len(scan_numbers(d.folder)),
                    "modified": d.modified,
                    "folder": str(d.folder),
                }
                for d in found
            ]
        )
        return
    if not found:
        say(f"There is no dataset below {folder}.")
        return
    table(
        ("proposal", "sample", "dataset", "scans", "changed", "folder"),
        [
            (
                d.proposal,
                d.sample,
                d.dataset,
                len(scan_numbers(d.folder)),
                moment(d.modified),
                d.folder.relative_to(folder),
            )
            for d in found
        ],
        right=("scans",),
    )


def show(
    target: Annotated[str, typer.Argument(help="A file, a folder, a proposal, or the key of a run in the buffer.")],
    scan: Scan = "-1",
    json: Json = False,
) -> None:
    """Show one run: what it was, how it ended, and its channels."""
    with open_run(target, scan) as run:
        if json:
            as_json(_description(run))
            return
        info, end = run.info, run.end
        say(f"{run.title}")
        say(run.where)
        ended = f"ended {moment(end.epoch)} with {end.reason}" if end else f"not ended: {run.state.name.lower()}"
        say(f"started {moment(info.start_epoch)}, {ended}")
        if end is not None and end.message:
            say(end.message)
        if info.saving is not None:
            saving = info.saving
            say(f"proposal {saving.proposal}, sample {saving.sample}, dataset {saving.dataset}, scan {saving.number}")
        channels = list(run.values())
        if not channels:
            say("It has no channels.")
            return
        table(
            ("channel", "kind", "type", "item", "unit", "items", "smallest", "largest"),
            [_row(channel) for channel in channels],
            right=("items", "smallest", "largest"),
        )


def open_run(target: str, scan: str) -> Run:
    """The run that two words of a command line mean."""
    from firstlight.data import open as open_target

    return open_target(target, scan=int(scan) if scan.lstrip("-").isdigit() else scan)


def _scans(where: Path, entries: list[str], *, json: bool) -> None:
    rows: list[dict[str, Any]] = []
    for entry in entries:
        with open_run(str(where), entry) as run:
            end = run.end
            rows.append(
                {
                    "entry": entry,
                    "title": run.title,
                    "start": run.info.start_epoch,
                    "points": run.npoints,
                    "end": str(end.reason) if end else "",
                    "state": run.state.name,
                    "file": str(run.path or where),
                }
            )
    if json:
        as_json(rows)
    elif not rows:
        say(f"{where} holds no scan.")
    else:
        table(
            ("scan", "command", "started", "points", "ended with"),
            [
                (r["entry"], r["title"], moment(r["start"]), r["points"], r["end"] or f"({str(r['state']).lower()})")
                for r in rows
            ],
            right=("points",),
        )
        say(f"{where}: {plural(len(rows), 'scan')}.")


def _row(channel: Channel) -> tuple[object, ...]:
    spec = channel.spec
    shape = "×".join(map(str, spec.shape)) or ("list" if channel.ragged else "scalar")
    return (channel.name, spec.role, spec.dtype, shape, spec.unit, len(channel), *_range(channel))


def _range(channel: Channel) -> tuple[str, str]:
    """Smallest and largest value of a curve."""
    import numpy as np

    count = len(channel)
    if channel.ragged or channel.spec.shape or not 0 < count <= _MOST or channel.dtype.kind not in "iuf":
        return "", ""
    values = channel[:]
    values = values[np.isfinite(values)]
    return (f"{values.min():.6g}", f"{values.max():.6g}") if values.size else ("", "")


def _description(run: Run) -> dict[str, Any]:
    return {
        "where": run.where,
        "state": run.state.name,
        "info": run.info.model_dump(mode="json"),
        "end": run.end.model_dump(mode="json") if run.end else None,
        "channels": [{**c.spec.to_json(), "count": len(c), "sealed": c.sealed} for c in run.values()],
    }
