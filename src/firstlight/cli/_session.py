"""``firstlight session``: sessions that live by themselves, for several shells and programs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight.cli._print import as_json, moment, plural, say, table

if TYPE_CHECKING:
    from firstlight.session import SessionStatus

app = typer.Typer(help="Sessions that live by themselves; shells and programs attach to them.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("start")
def start(
    config: Annotated[Path | None, typer.Argument(help="A configuration: a file, or a folder of them.")] = None,
    name: Annotated[str, typer.Option("--name", help="Of the session, when it is not that of the beamline.")] = "",
    part: Annotated[str, typer.Option("--part", help="A sub-session of the configuration.")] = "",
    simulated: Annotated[bool, typer.Option("--simulated", help="The simulated beamline, without a file.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The whole simulated beamline, without a file.")] = False,
    data: Annotated[Path, typer.Option("--data", help="Folder for the data of the simulated beamline.")] = Path(
        "firstlight-data"
    ),
    json: Json = False,
) -> None:
    """Start a session in the background, where it outlives this terminal; returns when clients can attach."""
    from firstlight import session
    from firstlight.model import InvalidInput

    if (config is None) is not (simulated or full):
        raise InvalidInput(
            "Which session is to be started?", hint="Name a configuration, or give --simulated or --full; not both."
        )
    started, pid, log = session.start(config, name=name, session=part, data=data, full=full)
    if json:
        as_json({"name": started, "pid": pid, "log": str(log)})
        return
    say(f"Session {started} runs as process {pid}; its log is {log}.")
    say(f"Attach with: firstlight shell {started}, or in Python: firstlight.connect({started!r}).")
    failed = next((status.failed for status in session.statuses() if status.name == started), ())
    if failed:
        say(
            f"{plural(len(failed), 'device')} failed: {', '.join(failed)}. The log says why; retry('NAME') tries again."
        )


@app.command("ls")
def ls(json: Json = False) -> None:
    """List the sessions that run on this machine: what each does, and who is attached."""
    from firstlight import session

    found = session.statuses()
    if json:
        as_json([_plain(status) for status in found])
        return
    if not found:
        say("No session runs here. Start one with: firstlight session start FILE")
        return
    table(
        ("session", "process", "since", "devices", "runs", "attached", "data go to"),
        [
            (
                status.name,
                status.pid,
                moment(status.since),
                f"{status.devices}, {len(status.failed)} failed" if status.failed else status.devices,
                "; ".join(map(_job, status.jobs)) or "nothing",
                ", ".join(str(client) for client in status.clients) or "nobody",
                f"{status.current.proposal}/{status.current.sample}",
            )
            for status in found
        ],
        right=("process",),
    )
    for status in found:
        if status.locks:
            say(f"{status.name}: " + ", ".join(f"{lock.device} is locked by {lock.owner}" for lock in status.locks))
        say(f"{status.name}: log {status.log}" if status.hosted else f"{status.name}: lives in a shell or a program")


@app.command("stop")
def stop(
    name: Annotated[str, typer.Argument(help="Of the session; the only one that runs when left out.")] = "",
) -> None:
    """End a session in good order: what runs is stopped, files are closed."""
    from firstlight import session

    say(f"Session {session.stop(name)} has ended.")


def _job(job: Any) -> str:
    paused = f", waits: {job.paused}" if job.paused else ""
    return f"{job.doing} ({job.client}{paused})"


def _plain(status: SessionStatus) -> dict[str, Any]:
    return dataclasses.asdict(status)
