"""``firstlight export``, ``recover`` and ``compact``: commands that write files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from firstlight.cli._buffer import open_existing
from firstlight.cli._look import open_run, readable
from firstlight.cli._print import as_json, plural, say

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="nxtomo, csv, text, or one that a plug-in brings.")],
    target: Annotated[str, typer.Argument(help="A file, a folder, a proposal, or the key of a run in the buffer.")],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
    scan: Annotated[
        list[str] | None, typer.Option(metavar="N", help="Number of the scan, -1 is the last; may be repeated.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the format, e.g. energy=25; may be repeated."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Write runs in another format."""
    from firstlight.data import export as write
    from firstlight.model import InvalidInput

    settings = dict(_setting(text) for text in option or ())
    with ExitStack() as stack:
        runs = [stack.enter_context(open_run(target, one)) for one in scan or ["-1"]]
        try:
            done = write(form, runs, output, overwrite=overwrite, **settings)
        except TypeError as error:
            unknown = next((name for name in settings if f"{name!r}" in str(error)), None)
            if unknown is None or "unexpected keyword" not in str(error):
                raise
            raise InvalidInput(f"The format {form} has no setting {unknown!r}.") from error
    say(f"{done.path}: {plural(done.points, 'item')}.")
    if done.left_out:
        say(f"Left out, because they do not fit the format: {', '.join(done.left_out)}.")


def recover(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Below this folder, also bring runs into order that the machine's stop left unfinished, and make the "
            "links of datasets, samples and sessions anew."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Save what is left in the buffer when a session or the saver died. Safe at any time, and twice."""
    from firstlight.model import NotFound
    from firstlight.storage import Recovered, rebuild_masters, recover_files
    from firstlight.storage import recover as save

    if folder is not None and not folder.is_dir():
        raise NotFound(f"{folder} is no folder.", hint="Name one with data below it.")

    def report(one: Recovered) -> None:
        if not json:
            say(f"{one.outcome}: {one.title} -> {one.file}{' (' + one.message + ')' if one.message else ''}")

    buffer = open_existing()
    runs = save(buffer, progress=report) if buffer is not None else []
    nothing = not runs
    written = []
    if folder is not None:
        runs += recover_files(folder.resolve(), buffer, progress=report)
        for raw in sorted(p for p in (folder.resolve(), *folder.resolve().rglob("RAW_DATA")) if p.name == "RAW_DATA"):
            written += rebuild_masters(raw)
    failed = [one for one in runs if one.outcome == "failed"]
    if json:
        as_json({"runs": [asdict(one) for one in runs], "links": [str(path) for path in written]})
    else:
        if nothing:
            say("Nothing was left in the buffer: every run is in its file.")
        if folder is not None:
            say(f"{plural(len(written), 'file')} of links below {folder} written anew.")
    if failed:
        raise typer.Exit(1)


def compact(
    dataset: Annotated[Path, typer.Argument(help="The folder or the file of a dataset.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files of the single runs.")] = False,
    json: Json = False,
) -> None:
    """Merge the runs of an ended dataset into its one file; frames stay where they are."""
    from firstlight.model import NotFound
    from firstlight.storage import compact as merge
    from firstlight.storage import list_entries

    if not dataset.exists():
        raise NotFound(f"{dataset} does not exist.", hint="Name the folder or the file of a dataset.")
    path = dataset.resolve()
    file = path / f"{path.name}.h5" if path.is_dir() else path
    with readable(dataset):
        if path.is_file() and not list_entries(path):
            raise NotFound(f"{dataset} holds no scan.", hint="Name the folder or the file of a dataset.")
    done = merge(file, remove=not keep)
    if json:
        as_json({"file": str(done.file), "entries": done.entries, "removed": [str(p) for p in done.removed]})
        return
    say(f"{done.file} holds {plural(len(done.entries), 'run')}; {plural(len(done.removed), 'file')} removed.")


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint="--set")
    try:
        return name, float(value)
    except ValueError:
        return name, value
