"""What can be set about saving."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from firstlight.storage._space import LOW, MINIMUM


class SaverOptions(BaseModel):
    """Options of the saver process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flush: float = Field(default=0.5, gt=0)
    """Seconds between two moments at which readers of the file see what was added."""
    collect: float = Field(default=0.05, ge=0)
    """Longest time (s) that items wait to be written together."""
    minimum_free: int = Field(default=MINIMUM, ge=0)
    """Bytes that must be free on the disk to start saving a run."""
    low_free: int = Field(default=LOW, ge=0)
    """Bytes below which a warning is given."""
    frame_file_bytes: int = Field(default=2**30, gt=0)
    """Size that a file of frames does not pass, unless the run says how many frames it holds."""
    threads: int = Field(default=0, ge=0)
    """Threads that compress frames; 0: as many as there are processors, at most 8."""
    links: float = Field(default=0.2, gt=0)
    """Seconds between two rewritings of a dataset file."""
    retry: float = Field(default=30.0, gt=0)
    """Seconds after which a run that could not be saved is tried again."""
