"""What belongs to a spectrum: its energies and its regions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from firstlight.devices._configuration import Configuration
from firstlight.model import InvalidInput, convert


class Calibration(Configuration):
    """Energy of the middle of channel k: offset + gain · k + quadratic · k²."""

    offset: float = Field(default=0.0, allow_inf_nan=False)
    """Energy of channel 0."""
    gain: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Energy per channel."""
    quadratic: float = Field(default=0.0, allow_inf_nan=False)
    """Energy per channel squared."""
    unit: str = "keV"
    """Unit of the energies."""

    def energy(self, channel: ArrayLike) -> NDArray[np.float64]:
        """Energies of channels, which may be fractions."""
        k = np.asarray(channel, dtype=np.float64)
        return np.asarray(self.offset + self.gain * k + self.quadratic * k * k)

    def channel(self, energy: float) -> float:
        """The channel of an energy, a fraction; NaN when there is none."""
        below = self.offset - energy
        square = self.gain**2 - 4.0 * self.quadratic * below
        # The root that goes over into the linear one: without cancellation.
        return -2.0 * below / (self.gain + math.sqrt(square)) if square >= 0.0 else math.nan


class SpectrumRegion(Configuration):
    """Channels, or energies, that are added up; both ends belong to it."""

    low: float = Field(allow_inf_nan=False)
    """First channel, or lowest energy."""
    high: float = Field(allow_inf_nan=False)
    """Last channel, or highest energy."""
    unit: str = ""
    """Unit of energies; empty for channels."""

    @model_validator(mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        if len(value) not in (2, 3):
            raise InvalidInput("a region is (low, high), in channels or with a unit of energy")
        low, high, *rest = value
        if rest:
            return {"low": low, "high": high, "unit": rest[0]}
        if isinstance(low, str) or isinstance(high, str):
            return {"low": convert(str(low), "keV"), "high": convert(str(high), "keV"), "unit": "keV"}
        return {"low": low, "high": high}

    @model_validator(mode="after")
    def _ordered(self) -> SpectrumRegion:
        if self.low > self.high:
            raise InvalidInput(f"its low end {self.low:g} is above its high end {self.high:g}")
        return self

    def channels(self, calibration: Calibration) -> tuple[int, int]:
        """First and last channel; of energies, those whose middle lies between them.

        :raises InvalidInput: when the unit is none of energy.
        """
        if not self.unit:
            return math.ceil(self.low), math.floor(self.high)
        factor = convert(f"1 {self.unit}", calibration.unit)
        low, high = (calibration.channel(end * factor) for end in (self.low, self.high))
        if math.isnan(low) or math.isnan(high):
            return 0, -1
        # An energy that is that of a channel belongs to it in spite of roundoff.
        return math.ceil(low - 1e-9), math.floor(high + 1e-9)
