"""Watching the processes without which a run must not go on."""

from __future__ import annotations

from pathlib import Path

from firstlight.data import Run
from firstlight.model import EndReason, FirstlightError, RunState
from firstlight.process import Child, ChildState
from firstlight.scanning import Progress
from firstlight.storage import read_report

SAVED = 60.0
"""Seconds that a command waits for its file after the acquisition ended."""


class SaverWatch:
    """Complains when the saver is gone for good, or says that it cannot save the run.

    A saver that dies is restarted by the supervisor and takes up where it was: that alone ends no run.

    :param child: the saver.
    :param runs: folder of the buffer's runs.
    """

    def __init__(self, child: Child, runs: Path) -> None:
        self._child = child
        self._runs = runs
        self._key = ""

    def follow(self, progress: Progress) -> None:
        """Learn which run is under way; a listener of the engine."""
        # A run that has ended is no reason to refuse the next one; its file is waited for by its key.
        self._key = progress.key if progress.state < RunState.STOPPED else ""

    def check(self) -> str | None:
        """One sentence that says what is wrong; None while all is well."""
        return self.complaint(self._key)

    def complaint(self, key: str) -> str | None:
        """What is wrong with saving the run of that key."""
        if self._child.state in (ChildState.EXITED, ChildState.FAILED):
            return (
                f"The saver process has ended and does not restart (see {self._child.log}). Data stay in the buffer "
                "until 'firstlight recover' saves them."
            )
        report = read_report(self._runs / key) if key else None
        if report is not None and report.state == "failed":
            return f"The saver cannot save this run: {report.message} {report.hint}".rstrip()
        return None

    def unsaved(self, run: Run) -> FirstlightError | None:
        """Wait until a run is in its file, as long as there is somebody to write it; the reason when it is not."""
        if run.info.saving is None:
            return None
        try:
            run.wait_for(lambda: run.state >= RunState.CLOSED or self.complaint(run.key) is not None, SAVED)
        except KeyboardInterrupt:
            # Ctrl-C again after the one that ended the run: makes haste, and the saver needs nobody to wait for it.
            if run.end is not None and run.end.reason is EndReason.ABORTED:
                return None
            raise
        if run.state >= RunState.CLOSED:
            return None
        why = self.complaint(run.key) or f"The saver still writes after {SAVED:g} s."
        return FirstlightError(
            f"Run {run.number} is acquired but not in its file. {why}",
            hint="The data are in the buffer; 'firstlight recover' saves what the saver cannot.",
        )
