"""What the saver says of a run, in the run's own folder in the buffer: the engine finds it there without asking."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from firstlight.model import FirstlightError

_NAME = "saver.json"


class SavingReport(BaseModel):
    """How saving a run goes."""

    model_config = ConfigDict(frozen=True)

    state: str
    """``saving``, ``failed`` or ``closed``."""
    file: str
    message: str = ""
    """Why it failed, one sentence."""
    hint: str = ""
    """What to do about it."""
    epoch: float = 0.0
    """UTC seconds of the report."""


def write_report(folder: Path, state: str, file: str, error: FirstlightError | None = None) -> SavingReport:
    """Leave a report in the folder of a run."""
    report = SavingReport(
        state=state,
        file=file,
        message=error.message if error else "",
        hint=error.hint if error else "",
        epoch=time.time(),
    )
    draft = folder / f".{_NAME}"
    # The run may have been removed meanwhile, and a report is no reason to fail.
    with contextlib.suppress(OSError):
        draft.write_text(report.model_dump_json())
        draft.replace(folder / _NAME)
    return report


def read_report(folder: Path) -> SavingReport | None:
    """What the saver said last of a run; None when it has said nothing.

    :param folder: the run's in the buffer (``RunReader.path``).
    """
    try:
        return SavingReport.model_validate_json((folder / _NAME).read_bytes())
    except (OSError, ValidationError):
        return None
