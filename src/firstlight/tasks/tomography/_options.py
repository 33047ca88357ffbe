"""What can be chosen in a reconstruction, with defaults that suit most."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Options of :func:`process`; JSON values, checked when they are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: float | None = None
    """Detector pixel of the rotation axis; None finds it."""
    axis_methods: tuple[Literal["registration", "vo", "sharpness"], ...] = ("registration", "vo", "sharpness")
    """Estimators that look for it, over the full width."""
    axis_rows: int = Field(default=2, ge=1)
    """Detector rows that they look at: those with most contrast."""
    axis_spread: float = Field(default=1.5, gt=0)
    """Pixels between the estimates beyond which a warning is given."""
    rows: tuple[int, int] | None = None
    """First detector row and the one after the last; None takes all."""
    size: int | None = Field(default=None, ge=1)
    """Pixels of a slice's side; None takes the width of the detector."""
    reference: Literal["mean", "median"] = "mean"
    """How darks and flats are reduced."""
    zinger: float = Field(default=6.0, gt=0)
    """Standard deviations from the median beyond which a value is left out of that mean."""
    monitor: bool = True
    """Divide by the beam monitor where there is one."""
    rings: Literal["none", "sorting", "filtering", "large", "all"] = "none"
    """How rings are removed; it changes every pixel a little, so not unasked. ``sorting`` suits most."""
    ring_size: int = Field(default=21, ge=3)
    """Width of the median that removes them, pixels."""
    delta_beta: float | None = Field(default=None, gt=0)
    """δ/β of the sample: retrieve the phase (Paganin); None does not."""
    energy: float | None = Field(default=None, gt=0)
    """keV; None takes it from the data."""
    distance: float | None = Field(default=None, gt=0)
    """From sample to detector, metres; None takes it from the data."""
    pixel_size: float | None = Field(default=None, gt=0)
    """At the sample, metres; None takes it from the data."""
    filter: Literal["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen", "none"] = "shepp-logan"
    """Reconstruction filter: ``ramp`` is the sharpest and the noisiest."""
    cutoff: float = Field(default=1.0, gt=0, le=1)
    """Fraction of the Nyquist frequency above which the filter passes nothing."""
    padding: Literal["auto", "zero", "edge"] = "auto"
    """What lies beside the detector: nothing, or more of the sample (``edge``); ``auto`` looks at the edges."""
    circle: float | None = Field(default=1.0, gt=0)
    """Radius of the disc that is kept, as a fraction of half the size; None keeps the square."""
    memory: int | None = Field(default=None, gt=0)
    """Bytes for one slab of rows with its slices; None takes a quarter of what is free, 2 GiB at most."""
    workers: int | None = Field(default=None, ge=1)
    """Threads; None takes one a core."""
    overwrite: bool = False
    """Replace a result that exists."""
