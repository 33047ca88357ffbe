"""Simulated point and fluorescence detectors from their configuration, and the samples that they see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from firstlight.devices._configuration import Configuration, WrongSetting, one_of, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.sim._build import Degrees, Millimetres, PerSecond, Seconds
from firstlight.devices.sim._edge import Angstroms, Density, EdgeSettings, Micrometres
from firstlight.devices.sim._illuminated import ChangerConfiguration, IlluminatedConfiguration, KiloElectronvolts
from firstlight.devices.sim._mca import SimMca
from firstlight.devices.sim._names import Name, ShutterName
from firstlight.devices.sim._point import SimPointDetector
from firstlight.simulation import (
    GONIOMETERS,
    SINGLE_CRYSTALS,
    AbsorptionScan,
    Diffractometer,
    Disc,
    FluorescentPlate,
    GrowingFilm,
    Material,
    PointChanger,
    PointSample,
    PulseDetector,
    composition,
    crystal_structure,
)


class CircleSample(Configuration):
    """A crystal on a diffractometer; the inputs are its circles, deg."""

    technique: Literal["diffractometer"]
    goniometer: Annotated[str, one_of(GONIOMETERS)] = "fourcv"
    """``fourcv``: omega, chi, phi, tth; ``psic``: mu, eta, chi, phi, nu, delta."""
    material: Annotated[str, one_of(SINGLE_CRYSTALS)] = "Si"
    """``Si``, ``CeO2``, ``LaB6``, ``Al2O3`` or ``lysozyme``."""
    orientation: tuple[Degrees, Degrees, Degrees] = (5.0, -8.0, 20.0)
    """U is the product of turns about x, y, z of the goniometer's frame, the last one first."""
    mosaicity: Degrees = Field(default=0.05, gt=0)
    """Full width at half maximum of rocking curves."""
    resolution: float = Field(default=1e-3, gt=0)
    """Full width at half maximum along the scattering vector, relative."""
    size: Millimetres = Field(default=1e-3, gt=0)
    """Of the crystal along the beam."""
    background: float = Field(default=1e-9, ge=0)
    """Photons detected per incident photon, whatever the angles."""
    offsets: dict[str, Degrees] = Field(default_factory=dict)
    """What the dials of circles read too little, deg."""

    def sample(self) -> PointSample:
        """The physics."""
        settings = self.model_dump(exclude={"technique", "material", "goniometer"})
        return Diffractometer(crystal_structure(self.material), self.goniometer, **settings)

    @property
    def opened(self) -> dict[str, str]:
        """Shutters whose time open is an input."""
        return {}


class FilmSample(Configuration):
    """A growing film that reflects; inputs are ``theta`` and ``two_theta``, deg, and ``deposition``, s."""

    technique: Literal["reflectivity"]
    film: str = "Fe"
    """Chemical formula."""
    film_density: Density = Field(default=7.874, gt=0)
    """g/cm³."""
    substrate: str = "Si"
    """Chemical formula."""
    substrate_density: Density = Field(default=2.329, gt=0)
    """g/cm³."""
    rate: Annotated[float, unit("nm/s")] = Field(default=0.02, ge=0)
    """Of growth, nm/s."""
    start: Annotated[float, unit("nm")] = Field(default=0.0, ge=0)
    """Thickness before it, nm."""
    deposition: ShutterName = ""
    """Name of the shutter of the source of the film: it grows while that is open."""
    film_roughness: Angstroms = Field(default=4.0, ge=0)
    """σ of its surface, Å."""
    substrate_roughness: Angstroms = Field(default=2.0, ge=0)
    """σ of the substrate's, Å."""
    length: Millimetres = Field(default=20.0, gt=0)
    """Of the sample along the beam."""
    beam: Millimetres = Field(default=0.05, ge=0)
    """Full width at half maximum of the beam across the surface; 0 without a footprint."""
    acceptance: Degrees = Field(default=0.2, gt=0)
    """Full width at half maximum of the detector in 2θ."""
    offset: Degrees = 0.0
    """What the dial of θ reads too little, deg."""
    background: float = Field(default=1e-8, ge=0)
    """Photons detected per incident photon, whatever the angle."""

    def sample(self) -> PointSample:
        """The physics."""
        return GrowingFilm(**self.model_dump(exclude={"technique", "deposition"}))

    @property
    def opened(self) -> dict[str, str]:
        """Shutters whose time open is an input."""
        return {"deposition": self.deposition} if self.deposition else {}


class AbsorbingSample(EdgeSettings):
    """A plate with an absorption edge, before a counting detector."""

    technique: Literal["absorption"]
    mode: Literal["transmission", "fluorescence"] = "transmission"
    """What the detector counts: photons that pass, or the fluorescence of the edge."""

    def sample(self) -> PointSample:
        """The physics."""
        return AbsorptionScan(self.plate(), self.mode)

    @property
    def opened(self) -> dict[str, str]:
        """Shutters whose time open is an input."""
        return {}


AnyPointSample = Annotated[CircleSample | FilmSample | AbsorbingSample, Field(discriminator="technique")]


class PointDetectorConfiguration(ChangerConfiguration):
    """A simulated counting detector that sees what a sample sends into one direction."""

    name: Name
    sample: AnyPointSample | None = None
    """What is in the beam: ``technique`` is diffractometer, reflectivity or absorption."""
    samples: dict[float, AnyPointSample] = Field(default_factory=dict)
    """Several samples in its place, by their slots of the ``changer``."""
    dark: PerSecond = Field(default=0.5, ge=0)
    """Counts per second without beam."""
    efficiency: float = Field(default=1.0, gt=0)
    """Counts per photon."""
    noise: bool = True
    """Whether counts are Poisson numbers."""
    parts: int = Field(default=16, ge=1, le=1000)
    """Parts of an exposure during which something moves."""

    @property
    def _all(self) -> Collection[CircleSample | FilmSample | AbsorbingSample]:
        if self.samples:
            return self.samples.values()
        if self.sample is None:
            raise WrongSetting(("sample",), "what it looks at is missing.", hint="Give a sample with its technique.")
        return (self.sample,)

    def moved(self) -> Collection[str]:
        """Inputs of the sample, or of all samples."""
        return dict.fromkeys(name for sample in self._all for name in sample.sample().inputs)

    def opened(self) -> dict[str, str]:
        """Shutters whose time open is an input."""
        return {name: shutter for sample in self._all for name, shutter in sample.opened.items()}

    def seen(self) -> PointSample:
        """The physics of the sample, or of all samples on their changer."""
        if self.samples:
            return PointChanger({slot: sample.sample() for slot, sample in self.samples.items()})
        (sample,) = self._all
        return sample.sample()


class DiscSettings(Configuration):
    """A round spot with more of some elements."""

    x: Millimetres
    """Of the centre, mm."""
    z: Millimetres
    """Of the centre, mm."""
    radius: Millimetres = Field(gt=0)
    """mm."""
    masses: dict[str, float]
    """Added inside: μg/cm² of each element."""


class PlateSettings(Configuration):
    """A plate that fluoresces: a matrix, traces in it, and spots."""

    formula: str = "SiO2"
    """Of the matrix."""
    density: Density = Field(default=2.2, gt=0)
    """g/cm³."""
    thickness: Micrometres = Field(default=20.0, gt=0)
    """μm."""
    traces: dict[str, float] = Field(default_factory=dict)
    """μg/cm² of further elements, everywhere."""
    discs: tuple[DiscSettings, ...] = (
        DiscSettings(x=-0.2, z=-0.1, radius=0.15, masses={"Fe": 40.0}),
        DiscSettings(x=0.15, z=-0.15, radius=0.12, masses={"Cu": 25.0, "Zn": 10.0}),
        DiscSettings(x=0.05, z=0.15, radius=0.18, masses={"Ca": 120.0, "Pb": 15.0}),
        DiscSettings(x=0.1, z=0.1, radius=0.08, masses={"Fe": 60.0}),
    )
    """Round spots."""
    incidence: Degrees = Field(default=45.0, gt=0, le=90)
    """Between beam and surface."""
    takeoff: Degrees = Field(default=45.0, gt=0, le=90)
    """Between surface and detector."""
    collected: float = Field(default=0.01, ge=0, le=1)
    """Share of all directions that one element of the detector covers."""
    beam: Millimetres = Field(default=0.01, ge=0)
    """Full width at half maximum of the beam on the plate."""
    scatter: float = Field(default=0.1, ge=0)
    """Factor on scattered photons; below 1 for a detector in the plane of polarisation."""

    def plate(self) -> FluorescentPlate:
        """The physics."""
        matrix = Material(self.formula, self.density)
        areal = self.thickness * 1e-4 * matrix.density * 1e6
        masses = {name: share * areal for name, share in composition(matrix.formula).items()}
        for name, mass in self.traces.items():
            masses[name] = masses.get(name, 0.0) + mass
        discs = [Disc(d.x, d.z, d.radius, d.masses) for d in self.discs]
        settings = self.model_dump(include={"incidence", "takeoff", "collected", "beam", "scatter"})
        return FluorescentPlate(masses, discs, **settings)


class PulseSettings(Configuration):
    """How pulses are recorded."""

    bins: int = Field(default=2048, ge=16, le=65536)
    """Of the spectrum."""
    gain: KiloElectronvolts = Field(default=0.01, gt=0)
    """Of a bin, keV."""
    offset: KiloElectronvolts = 0.0
    """Energy of bin 0, keV."""
    noise: KiloElectronvolts = Field(default=0.08, gt=0)
    """Full width at half maximum of the electronics, keV."""
    fano: float = Field(default=0.115, ge=0)
    """Fano factor."""
    thickness: Millimetres = Field(default=0.45, gt=0)
    """Of the silicon."""
    window: Micrometres = Field(default=8.0, ge=0)
    """Of beryllium, μm."""
    dead_time: Seconds = Field(default=1e-6, ge=0)
    """After each pulse; a pulse within it prolongs it."""
    resolving_time: Seconds = Field(default=1e-7, ge=0)
    """In which pulses are taken for one."""


class McaConfiguration(IlluminatedConfiguration):
    """A simulated fluorescence detector; inputs are ``x`` and ``z``, mm, of the beam on the plate."""

    name: Name
    elements: int = Field(default=1, ge=1, le=64)
    """Of the detector."""
    rois: dict[str, tuple[float | str, float | str]] = Field(default_factory=dict)
    """Regions by name: first and last channel, or energies such as 6.3 keV."""
    sample: PlateSettings = PlateSettings()
    """What is in the beam."""
    detector: PulseSettings = PulseSettings()
    noise: bool = True
    """Whether counts are Poisson numbers."""

    def moved(self) -> Collection[str]:
        """Inputs of the sample."""
        return self.sample.plate().inputs

    @model_validator(mode="after")
    def _inside(self) -> McaConfiguration:
        mca_of(self, Surroundings())
        return self

    def channel_names(self) -> Collection[str]:
        """Spectra, statistics and regions."""
        return [spec.name for spec in mca_of(self, Surroundings()).channels]


def point_detector(config: Mapping[str, Any], surroundings: Surroundings) -> SimPointDetector:
    """Build a ``sim.point_detector``."""
    c = parse(PointDetectorConfiguration, config, "sim.point_detector")
    beam = c.illumination(surroundings.board, c.opened())
    return SimPointDetector(
        c.name,
        c.seen(),
        beam,
        dark=c.dark,
        efficiency=c.efficiency,
        parts=c.parts,
        noise=c.noise,
        seed=c.seed,
        clock=surroundings.clock,
    )


def mca(config: Mapping[str, Any], surroundings: Surroundings) -> SimMca:
    """Build a ``sim.mca``."""
    return mca_of(parse(McaConfiguration, config, "sim.mca"), surroundings)


def mca_of(c: McaConfiguration, surroundings: Surroundings) -> SimMca:
    """The detector of checked settings.

    :raises InvalidInput: for a region that leaves the spectrum.
    """
    return SimMca(
        c.name,
        c.sample.plate(),
        PulseDetector(**c.detector.model_dump()),
        c.illumination(surroundings.board),
        elements=c.elements,
        rois=c.rois,
        parts=c.parts,
        noise=c.noise,
        seed=c.seed,
        clock=surroundings.clock,
    )
