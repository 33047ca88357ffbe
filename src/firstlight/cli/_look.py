"""``firstlight ls`` and ``firstlight show``: what is in files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight.cli._print import as_json, moment, plural, say, table

if TYPE_CHECKING:
    from firstlight.data import Channel, DatasetEntry, Run, RunEntry

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Scan = Annotated[str, typer.Option(metavar="N", help="Number of the scan, or its entry (3.1); -1 is the last one.")]

_MOST = 1_000_000
"""Items of a counter that are looked through for their smallest and largest."""


def ls(
    where: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="A file, a dataset, a folder above, or a proposal.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            "-s",
            metavar="WORDS",
            help="Find runs below PATH, or in all that was indexed. Words, or key:value with proposal, sample, "
            "dataset, command, title, axis, counter, technique, reason, scan, after, before; * fits anything, - "
            "excludes.",
        ),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Index everything below PATH anew.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Runs that a search shows at most.")] = 100,
    json: Json = False,
) -> None:
    """List the datasets below a folder, or the scans of a dataset or a file; or search what was saved."""
    from firstlight.data import datasets, runs
    from firstlight.model import NotFound

    if search is not None or rebuild:
        from firstlight.cli._search import find

        find(where, search, rebuild=rebuild, limit=limit, json=json)
        return
    where = where or "."
    folder = Path(where).expanduser()
    if folder.is_dir():
        found = datasets(folder)
        if [d.folder for d in found] != [folder.absolute()]:
            _datasets(folder.absolute(), found, json=json)
            return
    with readable(where):
        listed = runs(where)
    if not listed:
        raise NotFound(f"{where} holds no scan.", hint="Files of scans have entries named 1.1, 2.1 and so on.")
    _scans(where, listed, json=json)


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

    with readable(target):
        return open_target(target, scan=int(scan) if scan.lstrip("-").isdigit() else scan)


@contextmanager
def readable(where: object) -> Iterator[None]:
    """Say of which file HDF5 speaks when it finds one broken: its errors do not."""
    from firstlight.model import DataError, FirstlightError

    try:
        yield
    except OSError as error:
        if isinstance(error, FirstlightError) or error.errno is not None:
            raise
        raise DataError(
            f"{where} can not be read: it is cut short or broken.",
            hint="If its session or saver died, 'firstlight recover' may write it anew.",
        ) from error


def _datasets(folder: Path, found: list[DatasetEntry], *, json: bool) -> None:
    if json:
        as_json(
            [
                {
                    "proposal": d.proposal,
                    "session": d.session,
                    "sample": d.sample,
                    "dataset": d.dataset,
                    "scans": d.numbers,
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
    rows = [
        (d.proposal, d.session, d.sample, d.dataset, len(d.numbers), moment(d.modified), d.folder.relative_to(folder))
        for d in found
    ]
    table(("proposal", "session", "sample", "dataset", "scans", "changed", "folder"), rows, right=("scans",))


def _scans(where: str, found: list[RunEntry], *, json: bool) -> None:
    if json:
        as_json(
            [
                {
                    "number": r.number,
                    "title": r.title,
                    "start": r.start,
                    "stop": r.stop,
                    "state": r.state.name,
                    "reason": r.reason,
                    "npoints": r.npoints,
                    "acquired": r.acquired,
                    "key": r.key,
                    "file": r.path,
                    "problem": r.problem,
                }
                for r in found
            ]
        )
        return
    rows = [
        (
            "" if r.number is None else r.number,
            r.title,
            "" if r.start is None else moment(r.start),
            _points(r),
            r.problem or (str(r.reason) if r.reason else f"({r.state.name.lower()})"),
        )
        for r in found
    ]
    table(("scan", "command", "started", "points", "ended with"), rows, right=("scan", "points"))
    say(f"{where}: {plural(len(rows), 'scan')}.")


def _points(run: RunEntry) -> str:
    if run.acquired is None or run.acquired == run.npoints:
        return "" if run.npoints is None else str(run.npoints)
    return str(run.acquired) if run.npoints is None else f"{run.acquired} of {run.npoints}"


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
