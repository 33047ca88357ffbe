"""When things are measured: the plan that a master hands to every slave before a run."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class TriggerMode(StrEnum):
    """What starts each exposure."""

    SOFTWARE = "software"
    """The engine asks for each point."""
    TIME = "time"
    """A period after a common start: point k starts at ``start + k * period``."""
    POSITION = "position"
    """An axis passes ``first + k * step`` (dial units of that axis)."""


class TriggerPlan(BaseModel):
    """Exposures to make.

    :param points: number of exposures; 0 when open-ended (software or time only).
    :param exposure: seconds each point integrates.
    :param period: seconds between starts (time), or the shortest spacing to expect (position, software).
    :param axis: name of the axis whose position triggers; empty otherwise.
    :param first: dial position of the start of exposure 0.
    :param step: dial distance between starts, signed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: TriggerMode
    points: int = Field(ge=0)
    exposure: float = Field(ge=0)
    period: float = Field(default=0.0, ge=0)
    axis: str = ""
    first: float = 0.0
    step: float = 0.0
