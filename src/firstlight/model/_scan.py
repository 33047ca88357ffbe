"""A scan is a value: it names devices by string, and can be checked, queued, sent, stored and repeated."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from firstlight.model._trigger import TriggerMode


class ScanKind(StrEnum):
    """What drives the points of a scan."""

    TIME = "time"
    """Points follow each other in time: ``ct``, ``loopscan``, ``timescan``."""
    STEP = "step"
    """Axes go to each point and rest there: ``ascan``, ``dscan``, ``amesh``."""
    FLY = "fly"
    """One axis moves at constant speed through all points: ``flyscan``."""


class Scan(BaseModel):
    """One scan, before anything moves.

    The path is a serialised ``scanspec`` specification over axis names (its JSON form), absolute in user units unless
    ``relative``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the command: ``ascan``."""
    title: str
    """The command as a user types it."""
    kind: ScanKind
    path: dict[str, Any] | None = None
    """Serialised path; None for time scans."""
    npoints: int = Field(default=1, ge=0)
    """Number of points; 0 for an open-ended time scan."""
    count_time: float = Field(default=1.0, ge=0)
    """Seconds that each point integrates."""
    counters: tuple[str, ...] = ()
    """Names of counters, cameras or groups."""
    trigger: TriggerMode = TriggerMode.SOFTWARE
    units: dict[str, str] = Field(default_factory=dict)
    """Unit of the path's numbers for axes whose positions were given with one; the others are in the axis' own unit."""
    relative: bool = False
    """Positions are relative to where the axes are, and the axes return there."""
    back: bool = False
    """The axes return to where they were when the scan ends."""
    shutter: Literal["open", "closed", "as-is"] = "open"
    """The fast shutter: opened for the acquisition and closed after it, kept closed (darks), or not touched."""
    sleep_time: float = Field(default=0.0, ge=0)
    """Seconds to wait after each point."""
    stab_time: float = Field(default=0.0, ge=0)
    """Seconds to wait after each motion."""
    save: bool = True
    sequence: str = ""
    """Key of the run of the sequence that this scan is part of."""
    image_key: Literal[0, 1, 2, 3] | None = None
    """NXtomo: 0 projection, 1 flat, 2 dark, 3 invalid."""
    metadata: dict[str, Any] = Field(default_factory=dict)
