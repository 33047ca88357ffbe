"""Saving what is left in the buffer when its owner and its saver died."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firstlight.buffer import Buffer
from firstlight.model import Conflict, FirstlightError, NotFound, RunState
from firstlight.storage._links import write_dataset_links, write_masters
from firstlight.storage._options import SaverOptions
from firstlight.storage._report import write_report
from firstlight.storage._rescue import rescue, unfinished
from firstlight.storage._runsaver import READER, RunSaver
from firstlight.storage._space import full

SETTLED = 30.0
"""Seconds after which a file that nobody locks is taken for left: a saver flushes every half second."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one run.

    :param key: of the run.
    :param title: of the run.
    :param file: where it is saved.
    :param outcome: ``saved``, ``rescued`` (put in order from what its files held), ``busy`` (its session or a saver is
        alive and will save it) or ``failed``.
    :param message: why it is busy or failed.
    """

    key: str
    title: str
    file: str
    outcome: str
    message: str = ""


def recover(
    buffer: Buffer, options: SaverOptions | None = None, progress: Callable[[Recovered], None] = lambda _: None
) -> list[Recovered]:
    """Adopt what dead processes left, write each run into its file from the buffer, and close it.

    Runs that a living process owns or saves are left to it.

    :param progress: called with each run when it is done.
    """
    buffer.recover()
    found: list[Recovered] = []
    for entry in buffer.runs():
        if not entry.saved:
            continue
        try:
            result = _one(buffer, entry.key, options or SaverOptions())
        except NotFound:
            continue  # removed meanwhile
        if result is not None:
            found.append(result)
            progress(result)
    return found


def recover_files(
    folder: Path, buffer: Buffer | None, progress: Callable[[Recovered], None] = lambda _: None
) -> list[Recovered]:
    """Bring runs into order that were being written when the machine stopped, so that no buffer knows them any more.

    What had reached the disk makes a complete file; its end is ``LOST``. Runs that this buffer holds are left to
    :func:`recover`, and files that changed just now to whoever may write them on another machine.

    :param folder: anywhere above the runs.
    :param progress: called with each run when it is done.
    """
    held = _files(buffer) if buffer is not None else set()
    found = []
    for place in unfinished(folder):
        file = place / f"{place.name}.h5"
        if file.resolve() in held:
            continue
        found.append(_rescued(place, file))
        progress(found[-1])
    return found


def _rescued(place: Path, file: Path) -> Recovered:
    described = ("", file.stem, str(file))
    age = time.time() - max(path.stat().st_mtime for path in (place, *place.iterdir()))
    if age < SETTLED:
        return Recovered(*described, "busy", f"It changed {max(0.0, age):.0f} s ago; try again in a minute.")
    try:
        counts = rescue(place).counts
    except Conflict as error:
        return Recovered(*described, "busy", error.message)
    except FirstlightError as error:
        return Recovered(*described, "failed", str(error))
    except OSError as error:
        return Recovered(*described, "failed", str(full(file, error)))
    most = max(counts.values(), default=0)
    return Recovered(*described, "rescued", f"{len(counts)} channels of up to {most} items")


def _files(buffer: Buffer) -> set[Path]:
    """Files of the runs that a buffer holds and that are not complete."""
    found = set()
    for entry in buffer.runs():
        if entry.saved:
            with contextlib.suppress(NotFound):
                run = buffer.run(entry.key)
                if run.state is not RunState.CLOSED and run.info.saving is not None:
                    found.add(Path(run.info.saving.file).resolve())
    return found


def _one(buffer: Buffer, key: str, options: SaverOptions) -> Recovered | None:
    run = buffer.run(key)
    saving = run.info.saving
    if run.state is RunState.CLOSED or saving is None or READER not in run.readers:
        return None
    described = (key, run.info.title, saving.file)
    if run.state < RunState.STOPPED:
        return Recovered(*described, "busy", "Its session is alive.")
    dataset = Path(saving.dataset_file)
    try:
        RunSaver(buffer, run, options).save()
        write_dataset_links(dataset)
        write_masters(dataset)
    except Conflict as error:
        return Recovered(*described, "busy", error.message)
    except FirstlightError as error:
        write_report(run.path, "failed", saving.file, error)
        return Recovered(*described, "failed", str(error))
    except OSError as error:
        return Recovered(*described, "failed", str(full(Path(saving.file), error)))
    return Recovered(*described, "saved")
