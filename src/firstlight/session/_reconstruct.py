"""Reconstruction of a run that has just ended, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firstlight.data import Run, export
from firstlight.model import FirstlightError, NotFound, ProcessError
from firstlight.process import Change, ProcessSpec
from firstlight.session._session import Session
from firstlight.storage import dataset_of

TARGET = "firstlight.tasks.tomography._job:main"


def reconstruct(
    session: Session,
    run: Run,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    timeout: float = 3600.0,
) -> dict[str, Any]:
    """Export a tomographic scan as NXtomo and reconstruct it into ``PROCESSED_DATA``, with a picture in ``GALLERY``.

    :param run: the run of the sequence, or of the projections, saved.
    :param options: of :class:`firstlight.tasks.tomography.Options`.
    :param progress: called with the stage, the number done and of all.
    :param timeout: seconds that it may take.
    :returns: the result as JSON values: ``volume``, ``picture``, ``axis``, ``shape``, ``nxtomo`` ...
    :raises FirstlightError: what went wrong, in one sentence.
    """
    saving = run.info.saving
    if saving is None:
        raise NotFound("The run was not saved, so there is nothing to reconstruct.", hint="Run it with save=True.")
    dataset = dataset_of(saving)
    stem = f"{dataset.stem}_scan{saving.number:04d}"
    dataset.processed.mkdir(parents=True, exist_ok=True)
    gallery = dataset.experiment.gallery
    gallery.mkdir(parents=True, exist_ok=True)
    nxtomo = dataset.processed / f"{stem}.nx"
    export("nxtomo", run, nxtomo, overwrite=True)
    arguments = {
        "source": str(nxtomo),
        "volume": str(dataset.processed / f"{stem}_volume.h5"),
        "picture": str(gallery / f"{stem}.png"),
        "options": {"overwrite": True, **(options or {})},
        "preview": {"buffer": str(session.buffer.root), "parent": run.key, "title": f"slices of {run.title}"},
    }
    spec = ProcessSpec(name=f"reconstruction-{saving.number}", target=TARGET, arguments=arguments)
    child = session.supervisor.spawn(spec)

    def changed(change: Change) -> None:
        info = child.info
        if "stage" in info:
            progress(str(info["stage"]), int(info["done"]), int(info["total"]))

    child.on_change(changed)
    try:
        if not child.wait(timeout):
            raise ProcessError(
                f"The reconstruction does not end within {timeout:g} s.", hint=f"Its log is {child.log}."
            )
    finally:
        child.stop()
    info = child.info
    if "error" in info:
        raise FirstlightError(str(info["error"]), hint=str(info["hint"]))
    if "result" not in info:
        raise child.error or ProcessError("The reconstruction ended without a result.", hint=f"Its log is {child.log}.")
    return {"nxtomo": str(nxtomo), **info["result"]}
