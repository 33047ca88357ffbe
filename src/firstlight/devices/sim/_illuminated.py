"""What detectors of samples have in common in their configuration: the beam, and axes that move the sample."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from firstlight.devices._configuration import Configuration, Misfit, WrongSetting, unit
from firstlight.devices.sim._beamline import Beam
from firstlight.devices.sim._build import PerSecond, RingSettings
from firstlight.devices.sim._names import AxisName, BeamlineName, ShutterName, misplaced
from firstlight.devices.sim._parts import Illumination
from firstlight.devices.sim._published import Board
from firstlight.simulation import CHANGER

KiloElectronvolts = Annotated[float, unit("keV")]


class IlluminatedConfiguration(Configuration):
    """A detector of a sample in a beam: of a beamline, or a constant one."""

    inputs: dict[str, AxisName] = Field(default_factory=dict)
    """Names of axes that move the sample, by what they move; ``energy`` is one for all samples, keV."""
    beamline: BeamlineName = ""
    """Name of the ``sim.beamline`` whose beam falls on the sample; it has energy, shutters and ring of its own."""
    at: str | float = ""
    """Place of the sample in that beamline: the name of an element, or a distance in m."""
    flux: PerSecond = Field(default=1e10, ge=0)
    """Photons per second on the sample at the ring's full current, without a beamline."""
    energy: KiloElectronvolts = Field(default=20.0, ge=1, le=120)
    """Of the photons, where neither an axis nor a beamline gives it."""
    shutter: ShutterName = ""
    """Name of the shutter, without a beamline; empty for none."""
    ring: RingSettings = RingSettings()
    """The source, without a beamline."""
    changer: AxisName = ""
    """Axis of a sample changer; empty for a sample that is always in the beam."""
    slot: float = 0.0
    """Position of the changer at which the sample is in the beam."""
    parts: int = Field(default=8, ge=1, le=1000)
    """Parts of an exposure during which something moves."""
    seed: int = 0
    """Of structure and noise."""

    @abstractmethod
    def moved(self) -> Collection[str]:
        """Inputs of the sample, or of all of them."""

    @model_validator(mode="after")
    def _understood(self) -> IlluminatedConfiguration:
        words = [*self.moved(), *([] if self.beamline else ["energy"])]
        for name in self.inputs:
            if name not in words:
                hint = f"Known: {', '.join(words)}." if words else "Nothing moves it."
                raise WrongSetting(("inputs", name), f"the sample has no input {name!r}.", hint=hint)
        if self.beamline and self.at == "":
            raise WrongSetting(
                ("at",),
                f"its place in the beamline {self.beamline} is missing.",
                hint="Give the name of an element, or a distance in m.",
            )
        return self

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """A place that the beamline does not have."""
        yield from misplaced(others, self.beamline, self.at, "at")

    def illumination(self, board: Board, opened: Mapping[str, str] | None = None) -> Illumination:
        """The beam on a sample.

        :param opened: by the name of an input: the shutter whose time open is its value.
        """
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
            changer=self.changer,
            slot=self.slot,
        )


class ChangerConfiguration(IlluminatedConfiguration):
    """A detector of one sample, or of several on a changer."""

    samples: dict[float, Any] = Field(default_factory=dict)
    """Several samples in the place of one, by their slots of the ``changer``."""

    @model_validator(mode="after")
    def _held(self) -> ChangerConfiguration:
        if self.samples and not self.changer:
            hint = "Name its axis: changer: NAME; or give one sample."
            raise WrongSetting(("samples",), "several samples need a changer.", hint=hint)
        for single in ("sample", "slot"):
            if self.samples and single in self.model_fields_set:
                raise WrongSetting((single,), f"with several samples there is no {single}.", hint="Leave it away.")
        return self

    def illumination(self, board: Board, opened: Mapping[str, str] | None = None) -> Illumination:
        """The beam; with several samples, it falls on whichever is in."""
        beam = super().illumination(board, opened)
        if not self.samples:
            return beam
        return replace(beam, inputs={**beam.inputs, CHANGER: self.changer}, changer="")
