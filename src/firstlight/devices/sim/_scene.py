"""Simulated area detectors from their configuration: one kind, and a sample for each technique."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from firstlight.devices._area import SourceConfiguration
from firstlight.devices._configuration import Configuration, one_of, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.sim._area import SimAreaDetector
from firstlight.devices.sim._build import (
    Degrees,
    DetectorSettings,
    Millimetres,
    PerSecond,
    Seconds,
    board_of,
    pixel_type,
)
from firstlight.devices.sim._illuminated import ChangerConfiguration
from firstlight.devices.sim._published import Board
from firstlight.model import RealClock
from firstlight.simulation import (
    SINGLE_CRYSTALS,
    STANDARDS,
    AreaImager,
    DarkField,
    DarkFieldSettings,
    Detector,
    Geometry,
    Powder,
    PowderSettings,
    Scene,
    SceneChanger,
    SingleCrystal,
    SingleCrystalSettings,
    crystal_structure,
    module_mask,
    standard_structure,
)


class CountingSettings(DetectorSettings):
    """How the detector reads its pixels; as it stands, it counts single photons without any noise of its own."""

    offset: float = Field(default=0.0, ge=0)
    """Counts of an unexposed pixel."""
    offset_spread: float = Field(default=0.0, ge=0)
    """Root mean square over the columns, counts."""
    dark_current: PerSecond = Field(default=0.0, ge=0)
    """Quanta per pixel and second without light."""
    read_noise: float = Field(default=0.0, ge=0)
    """Root mean square, counts."""
    point_spread: float = Field(default=0.0, ge=0)
    """σ of the image of a point, pixels."""
    nonuniformity: float = Field(default=0.0, ge=0)
    """Root mean square of the pixels' relative sensitivity."""
    scratches: int = Field(default=0, ge=0)
    """Dark lines on the sensor."""


class PowderSample(Configuration):
    """A powder in a flat plate or a capillary: rings."""

    technique: Literal["powder"] = "powder"
    material: Annotated[str, one_of(STANDARDS)] = "CeO2"
    """``CeO2``, ``LaB6``, ``Si`` or ``Al2O3``."""
    thickness: Millimetres = Field(default=0.5, gt=0)
    """Of the plate, or diameter of the capillary."""
    capillary: bool = False
    """Whether it is a cylinder along the rows, that the input ``lateral`` moves across the beam."""
    packing: float = Field(default=0.6, gt=0, le=1)
    """Share of the volume that is filled."""
    width: Degrees = Field(default=0.03, gt=0)
    """Full width at half maximum of the rings in 2θ, from the instrument."""
    size: Annotated[float, unit("nm")] = Field(default=math.inf, gt=0)
    """Of the crystallites, nm; they broaden the rings."""
    strain: float = Field(default=0.0, ge=0)
    """Relative spread of the spacings (full width at half maximum)."""
    texture: float = Field(default=0.0, ge=-1, le=1)
    """t of the azimuthal factor 1 + t cos 2(χ - χ₀)."""
    direction: Degrees = 90.0
    """χ₀ of the texture, from the columns index towards the rows index."""
    background: float = Field(default=2e-3, ge=0)
    """Photons scattered diffusely per sr and incident photon at small angles."""
    polarisation: float = Field(default=0.98, ge=-1, le=1)
    """Of the beam: 1 along the columns."""
    beamstop: Millimetres = Field(default=1.5, ge=0)
    """Radius of its shadow about the direct beam."""

    @property
    def moved(self) -> Collection[str]:
        """Its inputs."""
        return Powder.inputs

    def scene(self, c: AreaDetectorConfiguration) -> Scene:
        """The sample before the detector."""
        settings = PowderSettings(**self.model_dump(exclude={"technique", "material"}))
        return Powder(standard_structure(self.material), c.geometry(), settings)


class CrystalSample(Configuration):
    """A single crystal on a rotation axis: spots."""

    technique: Literal["crystal"]
    material: Annotated[str, one_of(SINGLE_CRYSTALS)] = "lysozyme"
    """``lysozyme``, ``CeO2``, ``LaB6``, ``Si`` or ``Al2O3``."""
    orientation: tuple[Degrees, Degrees, Degrees] = (12.0, 34.0, 56.0)
    """U is the product of turns about the laboratory's axes 1 (rows), 2 (columns), 3 (beam), the last one first."""
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """Direction of the rotation axis (the input ``omega``) in the laboratory."""
    mosaicity: Degrees = Field(default=0.1, gt=0)
    """Full width at half maximum of rocking curves; it stands for divergence and bandwidth, too."""
    size: Millimetres = Field(default=0.1, gt=0)
    """Of the crystal along the beam."""
    spot: Millimetres = Field(default=0.3, gt=0)
    """Full width at half maximum of a spot on the detector."""
    resolution: Annotated[float, unit("angstrom")] = Field(default=1.6, gt=0.3)
    """Smallest spacing that diffracts, Å."""
    background: float = Field(default=1e-4, ge=0)
    """Photons scattered diffusely per sr and incident photon at small angles."""
    polarisation: float = Field(default=0.98, ge=-1, le=1)
    """Of the beam: 1 along the columns."""

    @property
    def moved(self) -> Collection[str]:
        """Its inputs."""
        return SingleCrystal.inputs

    def scene(self, c: AreaDetectorConfiguration) -> Scene:
        """The sample before the detector."""
        settings = SingleCrystalSettings(**self.model_dump(exclude={"technique", "material"}))
        return SingleCrystal(crystal_structure(self.material), c.geometry(), settings)


class DarkFieldSample(Configuration):
    """A field of grains in one reflection, magnified: a picture for each tilt. The geometry is not used."""

    technique: Literal["darkfield"]
    phi: Degrees = 0.0
    """Tilt (the input ``phi``) at which the mean of the field reflects."""
    chi: Degrees = 0.0
    """The same of the tilt across it (the input ``chi``)."""
    two_theta: Degrees = Field(default=20.0, gt=0, lt=180)
    """Of the reflection; the objective stands there unless the input ``two_theta`` moves it."""
    grains: int = Field(default=12, ge=1)
    """Number of grains in the field."""
    misorientation: Degrees = Field(default=0.15, ge=0)
    """Root mean square of the grains' mean tilts."""
    bending: Degrees = Field(default=0.05, ge=0)
    """Root mean square of the tilts within grains."""
    strain: float = Field(default=1e-4, ge=0)
    """Root mean square over the field."""
    width: Degrees = Field(default=0.08, gt=0)
    """Full width at half maximum of a pixel's rocking curve."""
    acceptance: Degrees = Field(default=0.08, gt=0)
    """Full width at half maximum of the objective in 2θ."""
    efficiency: float = Field(default=1e-7, ge=0)
    """Detected photons in a pixel per photon on the sample, at the maximum."""

    @property
    def moved(self) -> Collection[str]:
        """Its inputs."""
        return DarkField.inputs

    def scene(self, c: AreaDetectorConfiguration) -> Scene:
        """The sample before the detector."""
        return DarkField(c.shape, DarkFieldSettings(**self.model_dump(exclude={"technique"}), seed=c.seed))


def _powder_unless_told(value: Any) -> Any:
    return {"technique": "powder", **value} if isinstance(value, Mapping) else value


AnySample = Annotated[
    PowderSample | CrystalSample | DarkFieldSample,
    Field(discriminator="technique"),
    BeforeValidator(_powder_unless_told),
]


class AreaDetectorConfiguration(ChangerConfiguration, SourceConfiguration):
    """A simulated area detector that sees what a sample scatters."""

    name: str = "detector"
    shape: tuple[int, int] = (512, 512)
    """Height and width, pixels."""
    dtype: str = "<u4"
    """Type of the pixels, an unsigned integer."""
    pixel_size: Millimetres = Field(default=0.172, gt=0)
    """Edge of a pixel."""
    modules: tuple[int, int] = (1, 1)
    """Of which the detector is made, along rows and columns."""
    gap: tuple[int, int] = (0, 0)
    """Blind pixels between them."""
    dead: float = Field(default=0.0, ge=0, lt=1)
    """Share of the pixels that are dead; they and the gaps read the largest value of the type."""
    distance: Millimetres = Field(default=200.0, gt=0)
    """From the sample to the detector's plane."""
    centre: tuple[float, float] | None = None
    """Row and column of the point of normal incidence, where the direct beam falls without a tilt; the middle when not
    given."""
    tilt: tuple[Degrees, Degrees, Degrees] = (0.0, 0.0, 0.0)
    """rot1, rot2 and rot3 of pyFAI."""
    sample: AnySample = PowderSample()
    """What is in the beam: ``technique`` is powder, crystal or darkfield."""
    samples: dict[float, AnySample] = Field(default_factory=dict)
    """Several samples in its place, by their slots of the ``changer``."""
    parts: int = Field(default=1, ge=1, le=1000)
    """Parts of an exposure during which something moves."""
    dead_time: Seconds = Field(default=1e-4, ge=0)
    """From the end of an exposure to the start of the next."""
    maximum_rate: PerSecond = Field(default=500.0, gt=0)
    """Frames per second, whatever the exposure."""
    pool: int = Field(default=0, ge=0)
    """Frames that are computed once in a run and shown again and again, for speed; 0 computes each."""
    readout: Seconds = Field(default=0.002, ge=0)
    """From the end of an exposure to its frame."""
    detector: CountingSettings = CountingSettings()
    buffer: str = ""
    """Root of the buffer in which the axes publish; that of the process when not given."""
    run: str = ""
    """Key of the run in which they publish; the newest one of the buffer when not given."""

    @field_validator("dtype")
    @classmethod
    def _whole(cls, dtype: str) -> str:
        return pixel_type(dtype)

    @model_validator(mode="after")
    def _detects(self) -> AreaDetectorConfiguration:
        Detector(self.shape, self.dtype, seed=self.seed, **self.detector.model_dump())
        module_mask(self.shape, self.modules, self.gap, self.dead, self.seed)
        self.geometry()
        return self

    def moved(self) -> Collection[str]:
        """Inputs of the sample, or of all samples."""
        return dict.fromkeys(name for sample in self._all for name in sample.moved)

    @property
    def _all(self) -> Collection[PowderSample | CrystalSample | DarkFieldSample]:
        return self.samples.values() or (self.sample,)

    def scene(self) -> Scene:
        """The sample before the detector, or all samples on their changer."""
        if not self.samples:
            return self.sample.scene(self)
        return SceneChanger({slot: sample.scene(self) for slot, sample in self.samples.items()})

    def geometry(self) -> Geometry:
        """Where the detector stands."""
        middle = ((self.shape[0] - 1) / 2, (self.shape[1] - 1) / 2)
        pixel = (self.pixel_size, self.pixel_size)
        return Geometry(self.shape, pixel, self.distance, self.centre or middle, self.tilt)


def area_detector(config: Mapping[str, Any], surroundings: Surroundings | None = None) -> SimAreaDetector:
    """Build a ``sim.area_detector``.

    :param surroundings: None to find the session's devices in the buffer.
    """
    c = parse(AreaDetectorConfiguration, config, "sim.area_detector")
    board: Board = surroundings.board if surroundings is not None else board_of(c.buffer, c.run)
    detector = Detector(c.shape, c.dtype, seed=c.seed, **c.detector.model_dump())
    imager = AreaImager(c.scene(), detector, module_mask(c.shape, c.modules, c.gap, c.dead, c.seed), seed=c.seed)
    beam = c.illumination(board)
    return SimAreaDetector(
        c.name,
        imager,
        beam,
        pixel=(c.pixel_size, c.pixel_size),
        parts=c.parts,
        dead_time=c.dead_time,
        maximum_rate=c.maximum_rate,
        readout=c.readout,
        pool=c.pool,
        clock=surroundings.clock if surroundings is not None else RealClock(),
    )
