"""The devices of a simulated beamline from their configuration: its optics, and what measures its beam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from firstlight.devices._configuration import Configuration, Misfit, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.sim._beamline import Beam, SimBeamline
from firstlight.devices.sim._chain import BeamlineConfiguration, Millimetres
from firstlight.devices.sim._current import IonChamber, PhotoDiode
from firstlight.devices.sim._names import BeamlineName, Name, misplaced

Amperes = Annotated[float, unit("A")]
VoltsPerAmpere = Annotated[float, unit("V/A")]
Volts = Annotated[float, unit("V")]


class CurrentConfiguration(Configuration):
    """A detector that gives a current."""

    name: Name
    beamline: Annotated[BeamlineName, Field(min_length=1)]
    """Name of the ``sim.beamline`` that it stands in."""
    gain: VoltsPerAmpere = Field(default=1e5, gt=0)
    """Of the amplifier, V/A."""
    dark: Amperes = 1e-10
    """Without beam, A."""
    noise: float = Field(default=1e-12, ge=0)
    """Of the amplifier, A/√Hz."""
    full_scale: Volts = Field(default=10.0, gt=0)
    """Of the converter, V."""
    seed: int | None = 0
    """Of the noise; null for none."""


class IonChamberConfiguration(CurrentConfiguration):
    """An ion chamber; its gas is an element of the beamline."""

    gas: str = ""
    """Name of that element; that of the chamber when not given."""

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Gas that the beamline does not have."""
        yield from misplaced(others, self.beamline, self.gas or self.name, "gas", "gas")


class PhotoDiodeConfiguration(CurrentConfiguration):
    """A silicon photodiode."""

    at: str | float
    """Place in the beamline: the name of an element, or a distance in m."""
    thickness: Millimetres = Field(default=0.3, gt=0)
    """Of the silicon, mm."""

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """A place that the beamline does not have."""
        yield from misplaced(others, self.beamline, self.at, "at")


def beamline(config: Mapping[str, Any], surroundings: Surroundings) -> SimBeamline:
    """Build a ``sim.beamline``."""
    c = parse(BeamlineConfiguration, config, "sim.beamline")
    return SimBeamline(c, clock=surroundings.clock, board=surroundings.board)


def ion_chamber(config: Mapping[str, Any], surroundings: Surroundings) -> IonChamber:
    """Build a ``sim.ion_chamber``."""
    c = parse(IonChamberConfiguration, config, "sim.ion_chamber")
    beam = Beam(c.beamline, surroundings.board)
    return IonChamber(c.name, beam, c.gas or c.name, clock=surroundings.clock, **_amplifier(c))


def photodiode(config: Mapping[str, Any], surroundings: Surroundings) -> PhotoDiode:
    """Build a ``sim.photodiode``."""
    c = parse(PhotoDiodeConfiguration, config, "sim.photodiode")
    beam = Beam(c.beamline, surroundings.board)
    return PhotoDiode(c.name, beam, c.at, thickness=c.thickness, clock=surroundings.clock, **_amplifier(c))


def _amplifier(c: CurrentConfiguration) -> dict[str, Any]:
    return c.model_dump(include={"gain", "dark", "noise", "full_scale", "seed"})
