"""The electronic log of the dataset: notes, results, plots."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from firstlight.model import InvalidInput, NotFound
from firstlight.shell._desk import Desk
from firstlight.shell._face import Word
from firstlight.shell._listing import source
from firstlight.shell._notes import Note
from firstlight.shell._picture import picture
from firstlight.shell._plot import curves, require
from firstlight.shell._words import name_of, nearest


def elog_print(desk: Desk, *text: Any) -> None:
    """Write a comment into the log of the dataset.

    ::

        elog_print the beam was lost for a minute

    :param text: what to write.
    """
    words = " ".join(str(word) for word in text).strip()
    if not words:
        raise InvalidInput("There is nothing to write.", hint="Write for instance: elog_print beam is back.")
    desk.written().now(Note("comment", words, wanted=True))
    desk.say(f"noted in {desk.session.elog.path.name}")


def elog_add(desk: Desk) -> None:
    """Put the last command and what it printed into the log of the dataset.

    ::

        elog_add
    """
    if desk.previous is None:
        raise NotFound("There is no earlier command to add.", hint="Type a command first.")
    desk.written().now(Note("info", desk.previous.text, wanted=True))
    desk.say(f"noted in {desk.session.elog.path.name}")


def elog_plot(desk: Desk, counter: Word | None = None) -> None:
    """Put a plot of the last scan into the log, and as a picture into the dataset's gallery.

    ::

        elog_plot
        elog_plot diode

    :param counter: by default the one chosen by plotselect, or the run's first.
    """
    run = desk.run()
    wanted = [name_of(counter, "counter")] if counter is not None else list(desk.selected)
    if counter is not None and wanted[0] not in run:
        raise NotFound(f"The scan '{run.title}' has no {wanted[0]}.", hint=nearest(wanted[0], run, "counters"))
    for curve in require(curves(run, wanted), run):
        number = f"scan{run.number:04d}_" if run.number is not None else ""
        with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
            file = Path(folder) / f"{number}{curve.counter.replace(':', '_')}.png"
            picture(curve, file)
            entry = desk.written().now(Note("plot", curve.title, file, wanted=True))
        desk.say(f"noted with a picture, {getattr(entry, 'picture', '') or file.name}")


def elog_prdef(desk: Desk, function: Any) -> None:
    """Put the text of a function into the log of the dataset.

    ::

        elog_prdef myscan

    :param function: a command, or a function of yours.
    """
    if isinstance(function, str):
        function = desk.names.get(function, function)
    desk.written().now(Note("info", source(function), wanted=True))
    desk.say(f"noted in {desk.session.elog.path.name}")


def elog_show(desk: Desk, number: int = 10) -> None:
    """The last entries of the log of the dataset.

    ::

        elog_show
        elog_show 50

    :param number: how many.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InvalidInput(f"{number!r} is no number of entries.", hint="Write for instance: elog_show 10.")
    desk.written().flush()
    log = desk.session.elog
    entries = list(log)[-number:]
    for entry in entries:
        desk.say(str(entry))
    if not entries:
        desk.say("The log of this dataset is empty.")


def elog_export(desk: Desk, file: str = "") -> None:
    """Write the log of the dataset as Markdown, for people.

    ::

        elog_export

    :param file: where to; by default into the experiment's NOTES.
    """
    desk.written().flush()
    dataset = desk.session.dataset
    path = Path(file).expanduser() if file else dataset.experiment.notes / f"{dataset.stem}.md"
    entries = list(desk.session.elog)
    if not entries:
        raise NotFound("The log of this dataset is empty.", hint="elog_print writes into it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(markdown(f"{dataset.experiment.proposal}: {dataset.stem}", entries, dataset.gallery))
    except OSError as error:
        raise InvalidInput(f"{path} can not be written: {error.strerror}.", hint="Choose another place.") from error
    desk.say(f"written to {path}")


def markdown(title: str, entries: list[Any], gallery: Path) -> str:
    """A log as a page of Markdown."""
    import time

    lines = [f"# {title}", ""]
    for entry in entries:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.epoch))
        lines += [f"**{moment}**{f' {entry.author}' if entry.author else ''}", ""]
        if entry.picture:
            lines += [f"![{entry.text}]({gallery / entry.picture})", ""]
        elif entry.kind == "comment":
            lines += [entry.text, ""]
        else:
            lines += ["```text", entry.text.replace("```", "'''"), "```", ""]
    return "\n".join(lines)
