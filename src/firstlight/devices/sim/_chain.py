"""How a chain of optical elements is written down."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from firstlight.devices._configuration import Configuration, one_of, unit
from firstlight.devices.sim._edge import EdgeSettings
from firstlight.devices.sim._names import AxisName, Name, RingName, ShutterName
from firstlight.simulation import (
    CHANGER,
    CRYSTALS,
    PRESETS,
    Absorber,
    Aperture,
    Attenuator,
    EdgePlate,
    Element,
    FastShutter,
    Foil,
    GasCell,
    Mirror,
    Monochromator,
    Mounted,
    Optics,
    Shadow,
    Slits,
    Undulator,
    material,
    misalignment,
)

Metres = Annotated[float, unit("m")]
Millimetres = Annotated[float, unit("mm")]
Degrees = Annotated[float, unit("deg")]
Milliradians = Annotated[float, unit("mrad")]


class ElementSettings(Configuration):
    """What all elements have."""

    name: Name
    distance: Metres = Field(gt=0)
    """From the source, m."""

    @property
    def moved(self) -> dict[str, str]:
        """Names of axes, by what they move in the element; those that are not given are left out."""
        words = {word: getattr(self, word, "") for word in self.words}
        return {word: axis for word, axis in words.items() if axis}

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ()

    @abstractmethod
    def element(self, seed: int | None) -> Element:
        """The physics.

        :param seed: of the misalignments; None for a perfect one.
        """


class MonochromatorSettings(ElementSettings):
    """A double-crystal monochromator."""

    kind: Literal["monochromator"]
    crystal: Annotated[str, one_of(CRYSTALS)] = "Si111"
    """Si111, Si220, Si311 or Ge111."""
    bragg: AxisName = ""
    """Axis of the Bragg angle, deg."""
    pitch: AxisName = ""
    """Axis that tilts the second crystal."""
    fixed: Degrees = 9.1
    """Bragg angle without an axis, deg."""
    offset_error: Degrees = 0.03
    """Most that the Bragg angle is wrong by, deg."""
    pitch_error: Milliradians = 0.15
    """Most that the second crystal is off at position 0, mrad."""
    roll_error: Milliradians = 0.0
    """Most that the second crystal is rolled by, mrad."""
    glitches: tuple[tuple[float, float, float], ...] = ()
    """Energy (keV), depth (0 to 1) and width (keV) of each."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ("bragg", "pitch")

    def element(self, seed: int | None) -> Monochromator:
        """The physics."""
        return Monochromator(
            self.name,
            self.crystal,
            self.distance,
            bragg=self.fixed,
            offset=misalignment(seed, f"{self.name}.bragg", self.offset_error),
            pitch=misalignment(seed, f"{self.name}.pitch", self.pitch_error),
            roll=misalignment(seed, f"{self.name}.roll", self.roll_error),
            glitches=self.glitches,
        )


def _coating(name: str) -> str:
    material(name)
    return name


class MirrorSettings(ElementSettings):
    """A flat mirror that reflects upwards."""

    kind: Literal["mirror"]
    coating: Annotated[str, AfterValidator(_coating)] = "Rh"
    """Material of the surface."""
    angle: Milliradians = Field(default=2.5, gt=0)
    """Design angle, mrad."""
    length: Millimetres = Field(default=800.0, gt=0)
    """Along the beam, mm."""
    roughness: float = Field(default=0.3, ge=0)
    """Root mean square, nm."""
    pitch: AxisName = ""
    """Axis of the angle."""
    height: AxisName = ""
    """Axis of the height."""
    pitch_error: Milliradians = 0.02
    """Most that the angle is wrong by, mrad."""
    height_error: Millimetres = 0.4
    """Most that the height is wrong by, mm."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ("pitch", "height")

    def element(self, seed: int | None) -> Mirror:
        """The physics."""
        return Mirror(
            self.name,
            self.distance,
            self.coating,
            angle=self.angle,
            length=self.length,
            roughness=self.roughness,
            offset=misalignment(seed, f"{self.name}.pitch", self.pitch_error),
            height=misalignment(seed, f"{self.name}.height", self.height_error),
        )


class SlitsSettings(ElementSettings):
    """Four blades."""

    kind: Literal["slits"]
    left: AxisName = ""
    """Axis of the blade at low x."""
    right: AxisName = ""
    """Axis of the blade at high x."""
    bottom: AxisName = ""
    """Axis of the blade at low y."""
    top: AxisName = ""
    """Axis of the blade at high y."""
    error: Millimetres = 0.3
    """Most that the opening's centre is off, in both directions, mm."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ("left", "right", "bottom", "top")

    def element(self, seed: int | None) -> Slits:
        """The physics."""
        x, y = (misalignment(seed, f"{self.name}.{d}", self.error) for d in ("x", "y"))
        return Slits(self.name, self.distance, (x, y))


class ApertureSettings(ElementSettings):
    """A fixed opening about the design orbit, which is where the experiment needs the beam."""

    kind: Literal["aperture"]
    width: Millimetres = Field(default=10.0, gt=0)
    """mm."""
    height: Millimetres = Field(default=10.0, gt=0)
    """mm."""

    def element(self, seed: int | None) -> Aperture:
        """The physics."""
        return Aperture(self.name, self.distance, self.width, self.height)


class FoilSettings(Configuration):
    """One foil."""

    material: str = "Al"
    """A name such as Al or kapton, or a formula."""
    thickness: Millimetres = Field(default=0.0, ge=0)
    """mm; 0 for an empty place."""
    density: float | None = Field(default=None, gt=0)
    """g/cm³, for a formula."""

    @model_validator(mode="after")
    def _known(self) -> FoilSettings:
        material(self.material, self.density)
        return self

    def foil(self) -> Foil:
        """The physics."""
        return Foil(self.material, self.thickness, self.density)


class AttenuatorSettings(ElementSettings):
    """A wheel of foils."""

    kind: Literal["attenuator"]
    wheel: AxisName = ""
    """Axis whose position k puts foil k into the beam."""
    foils: tuple[FoilSettings, ...] = (FoilSettings(),)
    """From position 0 on."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ("wheel",)

    def element(self, seed: int | None) -> Attenuator:
        """The physics."""
        return Attenuator(self.name, self.distance, tuple(foil.foil() for foil in self.foils))


class AbsorberSettings(ElementSettings):
    """A window, or a path of air."""

    kind: Literal["absorber"]
    foil: FoilSettings
    """What it is made of."""

    def element(self, seed: int | None) -> Absorber:
        """The physics."""
        return Absorber(self.name, self.distance, self.foil.foil())


class ShutterSettings(ElementSettings):
    """A fast shutter of the session."""

    kind: Literal["shutter"]
    shutter: Annotated[ShutterName, Field(min_length=1)]
    """Its name."""

    def element(self, seed: int | None) -> FastShutter:
        """The physics."""
        return FastShutter(self.name, self.distance)


class GasSettings(ElementSettings):
    """The gas of an ion chamber, which weakens the beam for what follows; the counter of its name reads it."""

    kind: Literal["gas"]
    gas: Literal["nitrogen", "argon", "helium", "krypton", "air"] = "nitrogen"
    """What it is filled with."""
    length: Millimetres = Field(default=50.0, gt=0)
    """Of the electrodes, mm."""
    pressure: float = Field(default=1.0, gt=0)
    """bar."""

    def element(self, seed: int | None) -> GasCell:
        """The physics."""
        return GasCell(self.name, self.distance, self.gas, self.length, self.pressure)


class SampleSettings(ElementSettings):
    """What a sample has in the beam."""

    changer: AxisName = ""
    """Axis of a sample changer; empty for a sample that is always in the beam."""
    slot: float = 0.0
    """Position of the changer at which this one is in the beam."""

    def mounted(self, element: Element) -> Element:
        """The element, on the changer if there is one."""
        return Mounted(element, self.slot) if self.changer else element


class PhantomSettings(SampleSettings):
    """A sample of ellipsoids, as a camera sees it, for detectors behind it; the camera itself stands at this place."""

    kind: Literal["phantom"]
    sample: Literal["tooth", "shepp-logan"] = "tooth"
    """Which."""
    radius: Millimetres = Field(default=1.28, gt=0)
    """Its size, mm; that of the camera."""
    rotation: AxisName = ""
    """Axis that turns it."""
    lateral: AxisName = ""
    """Axis that moves it along x."""
    height: AxisName = ""
    """Axis that moves it down."""
    offset: tuple[float, float] = (0.0, 0.0)
    """(x, height) of the rotation axis when its axes stand at 0, mm."""
    error: Millimetres = Field(default=0.0, ge=0)
    """Most that the rotation axis is off in x beside that, mm."""
    roll_error: Degrees = Field(default=0.0, ge=0)
    """Most that it leans across the beam, deg; cameras see it."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return ("rotation", "lateral", "height", CHANGER)

    def element(self, seed: int | None) -> Element:
        """The physics."""
        x = self.offset[0] + misalignment(seed, f"{self.name}.x", self.error)
        roll = misalignment(seed, f"{self.name}.roll", self.roll_error)
        phantom = PRESETS[self.sample]().scaled(self.radius)
        return self.mounted(Shadow(self.name, self.distance, phantom, (x, self.offset[1]), roll))


class EdgeElement(SampleSettings):
    """A plate with an absorption edge; what stands behind it sees its spectrum."""

    kind: Literal["edge"]
    plate: EdgeSettings = EdgeSettings()
    """What it is; a foil of copper when not given."""

    @property
    def words(self) -> tuple[str, ...]:
        """The settings that name an axis."""
        return (CHANGER,)

    def element(self, seed: int | None) -> Element:
        """The physics."""
        return self.mounted(EdgePlate(self.name, self.distance, self.plate.plate()))


AnyElement = Annotated[
    MonochromatorSettings
    | MirrorSettings
    | SlitsSettings
    | ApertureSettings
    | AttenuatorSettings
    | AbsorberSettings
    | ShutterSettings
    | GasSettings
    | PhantomSettings
    | EdgeElement,
    Field(discriminator="kind"),
]
"""All kinds of elements; a new one is added here."""


class UndulatorSettings(Configuration):
    """The source."""

    period: Millimetres = Field(default=25.0, gt=0)
    """mm."""
    periods: int = Field(default=80, ge=1)
    """How many."""
    energy: float = Field(default=6.0, gt=0)
    """Of the electrons, GeV."""
    source: tuple[float, float] = (0.030, 0.0037)
    """σ of the electron beam (x, y), mm."""
    divergence: tuple[float, float] = (0.0044, 0.0014)
    """σ of its directions (x, y), mrad."""
    gap: AxisName = ""
    """Axis of the gap."""
    fixed: Millimetres = Field(default=8.0, gt=0)
    """Gap without an axis, mm."""
    error: Millimetres = 0.05
    """Most that the gap is wrong by, mm."""

    def undulator(self, seed: int | None) -> Undulator:
        """The physics."""
        return Undulator(
            period=self.period,
            periods=self.periods,
            energy=self.energy,
            source=self.source,
            divergence=self.divergence,
            gap=self.fixed,
            offset=misalignment(seed, "undulator.gap", self.error),
        )


class BeamlineConfiguration(Configuration):
    """A simulated beamline: a source and what stands in the beam."""

    name: Name
    ring: RingName = ""
    """Name of the ``sim.ring`` that feeds it; empty for a constant 200 mA."""
    undulator: UndulatorSettings = UndulatorSettings()
    """The source."""
    elements: tuple[AnyElement, ...] = ()
    """What stands in the beam, in any order."""
    seed: int | None = None
    """Of the misalignments that the user has to find; a perfect beamline when not given."""

    @model_validator(mode="after")
    def _possible(self) -> BeamlineConfiguration:
        self.optics()
        return self

    def optics(self) -> Optics:
        """The physics."""
        return Optics(self.undulator.undulator(self.seed), [element.element(self.seed) for element in self.elements])

    def moved(self) -> dict[str, dict[str, str]]:
        """By element, names of the axes that move it."""
        found = {element.name: element.moved for element in self.elements}
        return found | ({"undulator": {"gap": self.undulator.gap}} if self.undulator.gap else {})

    def shutters(self) -> dict[str, str]:
        """By element, the shutter of the session that it is."""
        return {e.name: e.shutter for e in self.elements if isinstance(e, ShutterSettings)}
