"""What a run is: its states, how it ended, and the description that travels with it."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class RunState(IntEnum):
    """States of a run; they only ever grow."""

    CREATED = 1
    PREPARED = 2
    RUNNING = 3
    STOPPED = 4
    """All acquired channels are sealed."""
    CLOSED = 5
    """Declared online channels are sealed or past their deadline, and the file is closed."""


class EndReason(StrEnum):
    """Why a run ended."""

    SUCCESS = "SUCCESS"
    ABORTED = "USER_ABORT"
    FAILED = "FAILURE"
    LOST = "LOST"
    """The process that owned the run died; somebody else sealed what it had acknowledged."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quantity(_Value):
    """A number with its unit, as stored beside a run."""

    value: float
    unit: str = ""


class Saving(_Value):
    """Where the saver puts a run; paths are absolute."""

    proposal: str
    beamline: str
    session: str
    """Date of the experiment session, YYYYMMDD."""
    sample: str
    dataset: str
    number: int = Field(ge=1)
    """Number of the run in its dataset: entry ``{number}.1``."""
    dataset_file: str
    """The dataset's file that links to every run."""
    file: str
    """The run's own file."""
    frames_per_file: int = Field(default=0, ge=0)
    """Frames in one frame file; 0 lets the saver choose."""
    compression: str = "none"
    """Frame compression: ``none`` or ``bitshuffle-lz4``."""


class PlotHint(_Value):
    """A plot that shows what the run was made for."""

    x: str
    y: tuple[str, ...]


class RunInfo(_Value):
    """The description of a run, written once when it is created."""

    name: str
    """Name of the command: ``ascan``, ``flyscan``, ``tomo:projections``."""
    title: str
    """The command as a user types it."""
    start_epoch: float
    """UTC seconds at creation."""
    clock: str = "monotonic"
    clock_offset: float = 0.0
    """UTC = monotonic time of this clock + this offset (s)."""
    npoints: int | None = None
    """Number of points that were asked for; None when open-ended."""
    saving: Saving | None = None
    """Where to save; None for a run that is not saved."""
    session: str = ""
    """Name of the session that makes it, whose saver saves it; empty for a run that any saver takes."""
    parent: str | None = None
    """Key of the run from which this one was computed, or to whose sequence it belongs."""
    axes: tuple[str, ...] = ()
    """Names of the axes that move, outermost first."""
    shape: tuple[int, ...] = ()
    """Shape of a mesh, outermost first; empty for other runs."""
    count_time: float | None = None
    plots: tuple[PlotHint, ...] = ()
    positioners: dict[str, Quantity] = Field(default_factory=dict)
    """Positions of all axes at the start."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """The scan's own parameters, for ``scan_parameters`` in the file."""
    devices: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of each device, for ``instrument/{name}`` in the file; keys ending in ``@units`` name units."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Technique, sample and user metadata: a nested tree of JSON values."""
    online: tuple[str, ...] = ()
    """Channels that are computed online and may be sealed after the acquisition."""
    online_deadline: float = 30.0
    """Seconds after STOPPED that the saver waits for the online channels."""


class Pause(_Value):
    """A while in which a run waited, or should have."""

    point: int
    """Index of the first point after it."""
    waited: bool = True
    """False for a run that could not wait while a condition said so: its points in this time are to be distrusted."""
    start: float
    """UTC seconds."""
    stop: float
    """UTC seconds."""
    reason: str = ""


class RunEnd(_Value):
    """How a run ended, written once when it stops."""

    reason: EndReason
    message: str = ""
    """The error or the user's reason, one sentence."""
    epoch: float
    """UTC seconds."""
    positioners: dict[str, Quantity] = Field(default_factory=dict)
    """Positions of all axes at the end."""
    pauses: tuple[Pause, ...] = ()
    """When it waited, in their order."""
