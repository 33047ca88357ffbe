"""``firstlight icat``: the records of datasets for the ESRF's catalogue, and what of them still waits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstlight.cli._print import as_json, moment, plural, say, table

if TYPE_CHECKING:
    from firstlight.storage import DatasetFolder, IcatRequest

app = typer.Typer(help="Records of datasets for the ICAT catalogue.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("ls")
def ls(json: Json = False) -> None:
    """List the datasets whose record was not handed to a broker yet."""
    from firstlight.storage import IcatSpool

    waiting = IcatSpool.default().pending()
    if json:
        as_json([{**asdict(r), "folder": str(r.place.folder)} for r in waiting])
        return
    if not waiting:
        say("Nothing waits for ICAT.")
        return
    rows = [(r.proposal, r.sample, r.dataset, _stage(r), r.tries, r.written or r.place.folder) for r in waiting]
    table(("proposal", "sample", "dataset", "stage", "failed tries", "file"), rows, right=("failed tries",))


@app.command("write")
def write(
    folder: Annotated[Path, typer.Argument(help="Folder of a dataset, or one above several.")],
    show: Annotated[bool, typer.Option("--show", help="Print what would be written, and write nothing.")] = False,
) -> None:
    """Write the records of datasets now, as they are; they wait to be sent."""
    from firstlight.model import FirstlightError, NotFound
    from firstlight.storage import IcatSpool, describe_record, icat_record

    found = _datasets(folder)
    if show:
        for dataset in found:
            say(describe_record(icat_record(dataset)))
        return
    spool = IcatSpool.default()
    with spool.alone():
        wanted = {dataset.folder for dataset in found}
        for dataset in found:
            spool.put(dataset)
        tried = [r for r in spool.work(None, all_due=True) if r.place.folder in wanted]
    for request in tried:
        say(request.problem or f"{request.written}")
    failed = [r for r in tried if r.problem]
    if failed:
        raise FirstlightError(f"{plural(len(failed), 'record')} of {len(tried)} could not be written.")
    if not tried:
        raise NotFound(f"There is no dataset below {folder}.")


@app.command("send")
def send(
    brokers: Annotated[
        list[str], typer.Option("--broker", "-b", metavar="HOST:PORT", help="Message broker of ICAT; may be repeated.")
    ],
) -> None:
    """Hand everything that waits to ICAT's message broker, now."""
    from firstlight.model import FirstlightError
    from firstlight.storage import IcatSpool, icat_broker

    spool = IcatSpool.default()
    with spool.alone():
        tried = spool.work(icat_broker(brokers), all_due=True)
    failed = [request for request in tried if request.problem]
    for request in failed:
        say(f"{request.place.folder}: {request.problem}")
    say(f"{plural(len(tried) - len(failed), 'record')} sent, {len(failed)} still waiting.")
    if failed:
        last = max(failed, key=lambda request: request.tries)
        raise FirstlightError(
            f"Not everything was sent; the last reason: {last.problem}",
            hint=f"What failed stays (tried next after {moment(last.due)} by a running session); try again later.",
        )


def _stage(request: IcatRequest) -> str:
    if request.problem:
        return request.problem
    return "waits to be sent" if request.written else "waits to be written"


def _datasets(folder: Path) -> list[DatasetFolder]:
    from firstlight.data import datasets
    from firstlight.model import InvalidInput
    from firstlight.storage import DatasetFolder, Experiment

    found = []
    for entry in datasets(folder):
        # RAW_DATA / sample / dataset below date, beamline, proposal
        if not entry.proposal:
            raise InvalidInput(
                f"{entry.folder} is not in the tree of the data policy, so ICAT has no place for it.",
                hint="Name a folder below proposal/beamline/date/RAW_DATA.",
            )
        experiment = Experiment(entry.folder.parents[5], entry.proposal, entry.beamline, entry.session)
        found.append(DatasetFolder(experiment, entry.sample, entry.dataset))
    return found
