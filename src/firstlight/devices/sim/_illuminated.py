"""What detectors of samples have in common in their configuration: the beam, and axes that move the sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from firstlight.devices._configuration import Configuration, unit
from firstlight.devices.sim._beamline import Beam
from firstlight.devices.sim._build import PerSecond, RingSettings
from firstlight.devices.sim._parts import Illumination
from firstlight.devices.sim._published import Board
from firstlight.model import InvalidInput

KiloElectronvolts = Annotated[float, unit("keV")]


class IlluminatedConfiguration(Configuration):
    """A detector of a sample in a beam: of a beamline, or a constant one."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """Names of axes that move the sample, by what they move; ``energy`` is one for all samples, keV."""
    beamline: str = ""
    """Name of the ``sim.beamline`` whose beam falls on the sample; it has energy, shutters and ring of its own."""
    at: str | float = ""
    """Place of the sample in that beamline: the name of an element, or a distance in m."""
    flux: PerSecond = Field(default=1e10, ge=0)
    """Photons per second on the sample at the ring's full current, without a beamline."""
    energy: KiloElectronvolts = Field(default=20.0, ge=1, le=120)
    """Of the photons, where neither an axis nor a beamline gives it."""
    shutter: str = ""
    """Name of the shutter, without a beamline; empty for none."""
    ring: RingSettings = RingSettings()
    """The source, without a beamline."""
    parts: int = Field(default=8, ge=1, le=1000)
    """Parts of an exposure during which something moves."""
    seed: int = 0
    """Of structure and noise."""

    def illumination(
        self, subject: str, known: Mapping[str, str], board: Board, opened: Mapping[str, str] | None = None
    ) -> Illumination:
        """The beam on a sample.

        :param subject: whose configuration, for errors.
        :param known: inputs of the sample.
        :param opened: by the name of an input: the shutter whose time open is its value.
        :raises InvalidInput: for an input that the sample does not have, or a beamline without a place in it.
        """
        words = [*known, *([] if self.beamline else ["energy"])]
        for name in self.inputs:
            if name not in words:
                hint = f"Known: {', '.join(words)}." if words else "Nothing moves it."
                raise InvalidInput(f"{subject}: inputs: the sample has no input {name!r}.", hint=hint)
        if self.beamline and self.at == "":
            raise InvalidInput(
                f"{subject}: at: its place in the beamline {self.beamline} is missing.",
                hint="Give the name of an element, or a distance in m.",
            )
        return Illumination(
            board,
            flux=self.flux,
            energy=self.energy,
            inputs=self.inputs,
            shutter=self.shutter,
            ring=self.ring.ring(),
            opened=opened or {},
            beam=Beam(self.beamline, board) if self.beamline else None,
            place=self.at,
        )
