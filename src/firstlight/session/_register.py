"""Telling the catalogues what was saved: runs the local one, datasets ICAT; no scan waits for it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.data import Catalogue
from firstlight.model import FirstlightError, RunState
from firstlight.process import ProcessSpec, Restart, Supervisor
from firstlight.storage import DatasetFolder, IcatSpool, state_folder

if TYPE_CHECKING:
    from firstlight.buffer import Buffer
    from firstlight.configuration import IcatSettings
    from firstlight.scanning import Progress

_log = logging.getLogger(__name__)

SAVED = 120.0
"""Seconds after a run that its file is waited for."""
LEAVING = 5.0
"""The same when the session ends."""


class Register:
    """Notes what a session saves.

    :param buffer: of its runs.
    :param state: folder of the user's state; the default one when None.
    :param icat: what is configured for ICAT; None writes no records.
    """

    def __init__(
        self, buffer: Buffer, supervisor: Supervisor, state: Path | None = None, icat: IcatSettings | None = None
    ) -> None:
        self._buffer = buffer
        self._file = (state or state_folder()) / "catalogue.sqlite"
        self._catalogue: Catalogue | None = None
        self._noted = ""
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="catalogue")
        self._spool: IcatSpool | None = None
        if icat is not None:
            self._spool = IcatSpool(Path(icat.spool).expanduser() if icat.spool else self._file.parent / "icat")
            supervisor.spawn(_process(self._spool, icat.brokers))

    def follow(self, progress: Progress) -> None:
        """Note a run when it has ended; a listener of the engine."""
        if progress.state >= RunState.STOPPED and progress.key != self._noted:
            self._noted = progress.key
            self._pool.submit(self._note, progress.key)

    def ended(self, dataset: DatasetFolder) -> None:
        """A dataset has ended: ask for its record."""
        if self._spool is not None:
            try:
                self._spool.put(dataset)
            except OSError as error:
                _log.warning("No record of %s for ICAT: %s. Run 'firstlight icat write' later.", dataset.folder, error)

    def close(self) -> None:
        """Note what has ended, then leave."""
        self._closing.set()
        self._pool.shutdown(wait=True)
        if self._catalogue is not None:
            self._catalogue.close()

    def _note(self, key: str) -> None:
        try:
            run = self._buffer.run(key)
            saving = run.info.saving
            if saving is None:
                return
            run.wait(lambda: run.state >= RunState.CLOSED or self._closing.is_set(), SAVED)
            if not run.wait(lambda: run.state >= RunState.CLOSED, LEAVING if self._closing.is_set() else 0.0):
                return
            if self._catalogue is None:
                self._catalogue = Catalogue(self._file)
            self._catalogue.note(Path(saving.file), saving.number, run)
        except FirstlightError as error:
            # It is only an index; the next search looks at the files.
            _log.warning("Run %s is not in the catalogue: %s", key, error)


def _process(spool: IcatSpool, brokers: tuple[str, ...]) -> ProcessSpec:
    return ProcessSpec(
        name="icat",
        target="firstlight.storage._spool:main",
        arguments={"spool": str(spool.folder), "brokers": list(brokers)},
        restart=Restart.ON_FAILURE,
        max_restarts=5,
    )
