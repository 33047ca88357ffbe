"""``firstlight buffer``: what is held in memory, and how it gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight.cli._print import as_json, moment, plural, say, size, table

if TYPE_CHECKING:
    from pathlib import Path

    from firstlight.buffer import Buffer, ChannelSummary, RunDetails, RunSummary

app = typer.Typer(
    help="Look at the memory buffer: the runs that are being acquired, or not yet in a file.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def ls(json: Json = False) -> None:
    """List the runs that the buffer holds, oldest first."""
    buffer = open_existing()
    runs = buffer.summaries() if buffer else []
    if json:
        as_json([_summary(run) for run in runs])
        return
    if buffer is None:
        say("There is no buffer yet: nothing was acquired on this machine since it started.")
        return
    if runs:
        table(
            ("run", "command", "started", "state", "channels", "memory", "on disk", "file"),
            [
                (r.key, r.title, moment(r.epoch), _state(r), r.channels, size(r.memory), size(r.spilled), r.file)
                for r in runs
            ],
            right=("channels", "memory", "on disk"),
        )
    usage = buffer.usage()
    say(
        f"{buffer.root}: {plural(usage.runs, 'run')}, {size(usage.memory)} of {size(usage.budget)} in memory "
        f"({size(usage.pool)} of it free for reuse), {size(usage.spilled)} on disk in {buffer.spill}."
    )


# -1 is a place, not an option.
@app.command(context_settings={"ignore_unknown_options": True})
def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Key of the run, a unique part of it, or -1 for the newest.")
    ],
    json: Json = False,
) -> None:
    """Show one run: its channels, who produces and who reads them."""
    buffer = open_existing()
    details = _find(buffer, run)
    if json:
        as_json(_details(details))
        return
    summary = details.summary
    say(f"{summary.key}: {summary.title}")
    say(f"started {moment(summary.epoch)}, {_state(summary)}, {size(summary.memory)} in memory")
    if summary.file:
        say(f"file {summary.file}")
    if summary.end is not None:
        say(f"ended with {summary.end.reason}{': ' + summary.end.message if summary.end.message else ''}")
    for name, alive in details.readers.items():
        say(f"reader {name}: {'at work' if alive else 'not running'}")
    if details.channels:
        table(
            ("channel", "kind", "type", "item", "unit", "items", "held from", "missing", "state", "released"),
            [_channel_row(channel) for channel in details.channels],
            right=("items", "held from", "missing"),
        )


@app.command()
def clean(
    unsaved: Annotated[
        bool, typer.Option("--unsaved", help="Also runs of dead processes that are in no file: their data are lost.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove the runs that are safely in their files, and give back their memory."""
    buffer = open_existing()
    if buffer is None:
        if json:
            as_json([])
        else:
            say("There is no buffer, so there is nothing to clean.")
        return
    if unsaved and not yes:
        lost = [run for run in buffer.summaries() if run.state.name != "CLOSED" and not run.alive]
        if lost:
            for run in lost:
                say(f"{run.key}: {run.title} ({run.channels} channels) is in no file.")
            typer.confirm(f"Lose the data of {plural(len(lost), 'run')}?", abort=True)
    before = buffer.usage().memory
    removed = buffer.clean(unsaved=unsaved)
    if json:
        as_json(removed)
        return
    kept = len(buffer.runs())
    say(
        f"Removed {plural(len(removed), 'run')} and freed {size(max(0, before - buffer.usage().memory))}; "
        f"{plural(kept, 'run')} kept because they are in use or in no file."
        if kept
        else f"Removed {plural(len(removed), 'run')} and freed {size(max(0, before - buffer.usage().memory))}."
    )


def open_existing(root: Path | None = None) -> Buffer | None:
    """The machine's buffer, or None when there is none; looking at it must not make one."""
    from firstlight.buffer import Buffer, default_root

    root = root or default_root()
    return Buffer(root) if (root / "root.json").exists() else None


def _find(buffer: Buffer | None, wanted: str) -> RunDetails:
    from firstlight.model import InvalidInput, NotFound

    keys = [entry.key for entry in buffer.runs()] if buffer else []
    hint = "List the runs with: firstlight buffer ls"
    if buffer is None or not keys:
        raise NotFound("The buffer holds no run.", hint="Runs in files are listed with: firstlight ls FOLDER")
    place = int(wanted) if wanted.removeprefix("-").isdigit() else None
    if wanted not in keys and place is not None and -len(keys) <= place < len(keys):
        return buffer.show(keys[place])
    # Parts of keys may be all digits, too.
    matching = [wanted] if wanted in keys else [key for key in keys if wanted in key]
    if not matching:
        found = f"holds {plural(len(keys), 'run')}, so there is no {wanted}" if place else f"holds no run {wanted!r}"
        raise NotFound(f"The buffer {found}.", hint=hint)
    if len(matching) > 1:
        raise InvalidInput(f"{wanted!r} could be {' or '.join(matching[:4])}.", hint="Give more of the key.")
    return buffer.show(matching[0])


def _state(run: RunSummary) -> str:
    name = run.state.name.lower()
    return name if run.alive or run.state.name in ("STOPPED", "CLOSED") else f"{name}, owner dead"


def _channel_row(channel: ChannelSummary) -> tuple[object, ...]:
    spec = channel.spec
    state = "sealed" if channel.sealed else "growing" if channel.producer_alive else "producer dead"
    return (
        spec.name,
        spec.kind,
        spec.dtype,
        "×".join(map(str, spec.shape)) or "scalar",
        spec.unit,
        channel.count,
        channel.first,
        channel.missing,
        f"{state}: {channel.seal_reason}" if channel.seal_reason else state,
        ", ".join(f"{name} {items}" for name, items in channel.released.items()),
    )


def _summary(run: RunSummary) -> dict[str, Any]:
    return {
        "key": run.key,
        "name": run.name,
        "title": run.title,
        "state": run.state.name,
        "epoch": run.epoch,
        "end": run.end.model_dump(mode="json") if run.end else None,
        "alive": run.alive,
        "channels": run.channels,
        "memory": run.memory,
        "spilled": run.spilled,
        "file": run.file,
    }


def _details(details: RunDetails) -> dict[str, Any]:
    return {
        **_summary(details.summary),
        "info": details.info.model_dump(mode="json"),
        "readers": details.readers,
        "channels": [
            {
                **channel.spec.to_json(),
                "count": channel.count,
                "first": channel.first,
                "missing": channel.missing,
                "sealed": channel.sealed,
                "seal_reason": channel.seal_reason,
                "producer": channel.producer,
                "producer_alive": channel.producer_alive,
                "released": channel.released,
            }
            for channel in details.channels
        ],
    }
