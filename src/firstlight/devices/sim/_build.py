"""Simulated devices from their configuration."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from firstlight.devices._area import SourceConfiguration
from firstlight.devices._axis import Axis
from firstlight.devices._axis_configuration import AnyAxisConfiguration, make_axis
from firstlight.devices._configuration import Configuration, Misfit, WrongSetting, one_of, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.sim._axis import LATENCY, SimAxis
from firstlight.devices.sim._beamline import Beam as LiveBeam
from firstlight.devices.sim._camera import SimCamera
from firstlight.devices.sim._counter import Diode, RingCurrent
from firstlight.devices.sim._encoder import SimEncoder
from firstlight.devices.sim._names import AxisName, BeamlineName, Name, ShutterName, misplaced
from firstlight.devices.sim._published import Board, BufferBoard
from firstlight.devices.sim._shutter import SimShutter
from firstlight.devices.sim._trigger import SimTrigger
from firstlight.model import InvalidInput, RealClock
from firstlight.simulation import PRESETS, Beam, Detector, Ellipsoid, Imager, Machine, Peak, Phantom, Ring

Seconds = Annotated[float, unit("s")]
Millimetres = Annotated[float, unit("mm")]
Degrees = Annotated[float, unit("deg")]
PerSecond = Annotated[float, unit("1/s")]

NOTHING = "none"
"""The name of no sample."""


class EncoderSettings(Configuration):
    """An encoder on a simulated axis."""

    resolution: float = Field(default=0.0, ge=0)
    """Distance between two readings; 0 for a perfect encoder."""
    offset: float = 0.0
    """Reading minus truth."""
    noise: float = Field(default=0.0, ge=0)
    """Root mean square of a reading."""


class AxisConfiguration(AnyAxisConfiguration):
    """A simulated motor. Texts with a unit are converted to that of the axis."""

    unit: str = "deg"
    """Unit of positions."""
    velocity: float = Field(default=20.0, gt=0)
    """Cruise speed, unit/s."""
    maximum_velocity: float | None = Field(default=None, gt=0)
    """Speed that cannot be exceeded, unit/s; the velocity when not given."""
    acceleration: float = Field(default=40.0, gt=0)
    """unit/s²."""
    position: float = 0.0
    """Dial position at the start."""
    instant: bool = False
    """Moves take no time, unless they are given a speed."""
    latency: Seconds = Field(default=LATENCY, ge=0)
    """From an order to its effect."""
    home: float | None = None
    """Where its home switch is, dial; none when not given."""
    switches: tuple[float, float] = (-math.inf, math.inf)
    """Where its limit switches are, dial."""
    noise: float = Field(default=0.0, ge=0)
    """Root mean square of the position that is read."""
    seed: int = 0
    """Of the noise."""
    encoder: EncoderSettings | None = None
    """An encoder; none when not given."""

    @classmethod
    def positions(cls) -> frozenset[str]:
        """Settings that are in the unit of the axis, or per second of it."""
        own = {"velocity", "maximum_velocity", "acceleration", "position", "home", "switches", "noise"}
        return super().positions() | own

    @field_validator("position")
    @classmethod
    def _inside(cls, position: float, info: ValidationInfo) -> float:
        low, high = info.data.get("limits", (-math.inf, math.inf))
        if not low <= position <= high:
            raise InvalidInput(
                f"it starts at {position:g}, outside its limits {low:g} to {high:g}.",
                hint="Change the position or the limits.",
            )
        return position

    @field_validator("switches")
    @classmethod
    def _ordered(cls, switches: tuple[float, float]) -> tuple[float, float]:
        if switches[0] > switches[1]:
            raise InvalidInput(
                "its negative limit switch is above its positive one.", hint="Write the lower one first."
            )
        return switches

    @model_validator(mode="after")
    def _compared(self) -> AxisConfiguration:
        if self.tolerance is not None and self.encoder is None:
            raise InvalidInput("a tolerance needs an encoder, and it has none.", hint="Give it one: encoder: {}")
        return self


class ShutterConfiguration(Configuration):
    """A simulated fast shutter, closed at the start."""

    name: Name
    delay: Seconds = Field(default=0.005, ge=0)
    """From an order to its effect."""


class RingSettings(Configuration):
    """The storage ring: current · exp(-t / lifetime), topped up at the interval."""

    current: Annotated[float, unit("mA")] = Field(default=200.0, gt=0)
    """Right after an injection, mA."""
    lifetime: Seconds = Field(default=20.0 * 3600.0, gt=0)
    """Of the stored beam."""
    interval: Seconds = Field(default=600.0, gt=0)
    """Between injections."""

    def ring(self) -> Ring:
        """The physics of it."""
        return Ring(self.current, self.lifetime, self.interval)


class RingConfiguration(RingSettings):
    """The storage ring, and a counter of its current, mA."""

    name: Name
    dip: float = Field(default=0.0, ge=0, le=1)
    """Share of the light that an injection takes away at first."""
    recovery: Seconds = Field(default=0.02, gt=0)
    """Time constant after an injection, s."""
    drift: tuple[float, float] = (0.0, 0.0)
    """Root mean square of the source's slow movement (x, y), mm."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """The same of its direction, mrad."""
    seed: int = 0
    """Of the drift's phases."""

    def machine(self) -> Machine:
        """What it does to the light beside its current."""
        return Machine(self.dip, self.recovery, self.drift, self.tilt, self.seed)


class PeakSettings(Configuration):
    """A gaussian over the position of an axis."""

    centre: float = 0.0
    """Dial position of the maximum."""
    fwhm: float = Field(default=1.0, gt=0)
    """Full width at half maximum, in the axis's unit."""
    background: float = Field(default=0.0, ge=0, le=1)
    """What remains far from the maximum, relative to it."""

    def peak(self) -> Peak:
        """The physics of it."""
        return Peak(self.centre, self.fwhm, self.background)


class DiodeConfiguration(Configuration):
    """A simulated counting diode."""

    name: Name
    rate: PerSecond = Field(default=1e6, ge=0)
    """Counts per second at the ring's full current."""
    dark: PerSecond = Field(default=0.0, ge=0)
    """Counts per second without beam."""
    shutter: ShutterName = ""
    """Name of the shutter before it; empty for none."""
    peaks: dict[AxisName, PeakSettings] = Field(default_factory=dict)
    """By the name of an axis: how the counts depend on its position."""
    noise: bool = True
    """Whether counts are Poisson numbers."""
    seed: int = 0
    """Of the noise."""
    ring: RingSettings = RingSettings()
    """The source."""


class TriggerConfiguration(Configuration):
    """A simulated timing card."""

    name: Name


class EllipsoidSettings(Configuration):
    """One body of a sample."""

    centre: tuple[float, float, float]
    """x, y, z; mm."""
    radii: tuple[float, float, float]
    """The semi-axes, mm."""
    attenuation: float
    """1/mm, added to what is there."""
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Turn of the body, R = Rz Ry Rz; degrees."""


class BeamSettings(Configuration):
    """Structure of the beam on the detector."""

    width: float = Field(default=2.5, gt=0)
    """Full width at half maximum, in widths of the detector."""
    height: float = Field(default=1.6, gt=0)
    """Full height at half maximum, in heights of the detector."""
    stripes: float = Field(default=0.05, ge=0, lt=0.3)
    """Root mean square of horizontal stripes, relative."""
    speckle: float = Field(default=0.02, ge=0, lt=0.3)
    """Root mean square of correlated noise, relative."""
    grain: float = Field(default=4.0, gt=0)
    """Correlation length of the noise, pixels."""


class DetectorSettings(Configuration):
    """How the detector reads its pixels."""

    gain: float = Field(default=1.0, gt=0)
    """Counts per detected quantum."""
    offset: float = Field(default=100.0, ge=0)
    """Counts of an unexposed pixel."""
    offset_spread: float = Field(default=1.0, ge=0)
    """Root mean square over the columns, counts."""
    dark_current: PerSecond = Field(default=20.0, ge=0)
    """Quanta per pixel and second without light."""
    read_noise: float = Field(default=2.0, ge=0)
    """Root mean square, counts."""
    point_spread: float = Field(default=0.7, ge=0)
    """σ of the image of a point, pixels."""
    nonuniformity: float = Field(default=0.01, ge=0)
    """Root mean square of the pixels' relative sensitivity."""
    scratches: int = Field(default=3, ge=0)
    """Dark lines on the scintillator."""
    well: float = Field(default=1e9, gt=0)
    """Quanta that a pixel holds."""
    bits: int | None = Field(default=None, ge=1, le=32)
    """Of the converter; all of the type when not given."""


class CameraConfiguration(SourceConfiguration):
    """A simulated camera, looking through a sample on simulated axes."""

    name: str = "camera"
    shape: tuple[int, int] = (512, 640)
    """Height and width, pixels."""
    dtype: str = "<u2"
    """Type of the pixels, an unsigned integer."""
    pixel_size: Millimetres = Field(default=0.01, gt=0)
    """Edge of a pixel at the sample, mm."""
    sample: Annotated[str, one_of((*PRESETS, NOTHING))] | tuple[EllipsoidSettings, ...] = "tooth"
    """Name of a sample, ``tooth`` or ``shepp-logan``, or its bodies; ``none`` for an empty beam."""
    radius: Millimetres | None = Field(default=None, gt=0)
    """Size of a sample given by name, mm; 0.4 times the detector's width when not given."""
    axis_offset: float = 12.3
    """Column of the rotation axis from the detector's middle, pixels."""
    rotation: AxisName = ""
    """Name of the axis that turns the sample, deg; empty for none."""
    lateral: AxisName = ""
    """Name of the axis that moves it along the columns, mm."""
    height: AxisName = ""
    """Name of the axis that moves it along the rows, mm."""
    roll: AxisName = ""
    """Name of the axis that tilts the rotation in the detector's plane, deg."""
    pitch: AxisName = ""
    """Name of the axis that tilts the rotation along the beam, deg."""
    axis_roll: Degrees = Field(default=0.0, ge=-45, le=45)
    """Tilt of the rotation in the detector's plane, its lower end towards the first column, deg."""
    axis_pitch: Degrees = Field(default=0.0, ge=-45, le=45)
    """Tilt of the rotation along the beam, its lower end downstream, deg."""
    shutter: ShutterName = ""
    """Name of the shutter; empty for none."""
    beamline: BeamlineName = ""
    """Name of the ``sim.beamline`` whose beam it sees, which then has the shutter and the ring; empty for none."""
    at: str | float = ""
    """Place in that beamline: the name of an element, or a distance in m."""
    stage: str = ""
    """Phantom of that beamline on whose stage the sample stands: what is wrong with that is seen, and its changer holds
    the sample; ``axis_offset`` and ``axis_roll`` come on top. Empty for none."""
    efficiency: float = Field(default=0.01, gt=0)
    """Quanta detected per photon of that beam."""
    flux: PerSecond = Field(default=2e6, ge=0)
    """Quanta per second in a pixel in the middle of the beam at the ring's full current."""
    parts: int = Field(default=1, ge=1, le=1000)
    """Parts of an exposure during which the sample moves; 1 takes it where it is in the middle."""
    dead_time: Seconds = Field(default=0.001, ge=0)
    """From the end of an exposure to the start of the next."""
    maximum_rate: PerSecond = Field(default=100.0, gt=0)
    """Frames per second, whatever the exposure."""
    readout: Seconds = Field(default=LATENCY, ge=0)
    """From the end of an exposure to its frame."""
    pool: int = Field(default=0, ge=0)
    """Frames that are rendered once in a run and shown again and again, for speed; 0 renders each."""
    detector: DetectorSettings = DetectorSettings()
    beam: BeamSettings = BeamSettings()
    ring: RingSettings = RingSettings()
    seed: int = 0
    """Of structure and noise."""
    buffer: str = ""
    """Root of the buffer in which the axes publish; that of the process when not given."""
    run: str = ""
    """Key of the run in which they publish; the newest one of the buffer when not given."""

    @field_validator("dtype")
    @classmethod
    def _whole(cls, dtype: str) -> str:
        return pixel_type(dtype)

    @model_validator(mode="after")
    def _detects(self) -> CameraConfiguration:
        self.pixels()
        if self.stage and not self.beamline:
            raise WrongSetting(("stage",), "a stage is one of a beamline.", hint="Name the beamline, too.")
        return self

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """A place that the beamline does not have."""
        yield from misplaced(others, self.beamline, self.at, "at")
        yield from misplaced(others, self.beamline, self.stage, "stage", "phantom")

    def pixels(self) -> Detector:
        """How it reads them.

        :raises InvalidInput: for settings that do not fit each other.
        """
        return Detector(self.shape, self.dtype, seed=self.seed, **self.detector.model_dump())


def pixel_type(dtype: str) -> str:
    """A type of pixels.

    :raises InvalidInput: when it is none, or no unsigned integer.
    """
    try:
        if np.dtype(dtype).kind == "u":
            return dtype
    except TypeError:
        pass
    raise InvalidInput(f"pixels of type {dtype!r} cannot be had.", hint="Write u1, <u2 or <u4.")


def axis(config: Mapping[str, Any], surroundings: Surroundings) -> Axis:
    """Build a ``sim.axis``."""
    c = parse(AxisConfiguration, config, "sim.axis")
    driver = SimAxis(
        c.name,
        unit=c.unit,
        velocity=c.velocity,
        acceleration=c.acceleration,
        position=c.position,
        instant=c.instant,
        latency=c.latency,
        home=c.home,
        switches=c.switches,
        noise=c.noise,
        seed=c.seed,
        clock=surroundings.clock,
        board=surroundings.board,
        out_of_band=surroundings.out_of_band("stop_axis", c.name),
    )
    encoder = SimEncoder(driver, **c.encoder.model_dump(), seed=c.seed + 1) if c.encoder is not None else None
    return make_axis(driver, c, surroundings, maximum_velocity=c.maximum_velocity, encoder=encoder)


def shutter(config: Mapping[str, Any], surroundings: Surroundings) -> SimShutter:
    """Build a ``sim.shutter``."""
    c = parse(ShutterConfiguration, config, "sim.shutter")
    return SimShutter(
        c.name,
        delay=c.delay,
        clock=surroundings.clock,
        board=surroundings.board,
        out_of_band=surroundings.out_of_band("close_shutter", c.name),
    )


def ring(config: Mapping[str, Any], surroundings: Surroundings) -> RingCurrent:
    """Build a ``sim.ring``."""
    c = parse(RingConfiguration, config, "sim.ring")
    return RingCurrent(c.name, c.ring(), c.machine(), clock=surroundings.clock, board=surroundings.board)


def diode(config: Mapping[str, Any], surroundings: Surroundings) -> Diode:
    """Build a ``sim.diode``."""
    c = parse(DiodeConfiguration, config, "sim.diode")
    return Diode(
        c.name,
        rate=c.rate,
        dark=c.dark,
        shutter=c.shutter,
        peaks={name: settings.peak() for name, settings in c.peaks.items()},
        ring=c.ring.ring(),
        noise=c.noise,
        seed=c.seed,
        clock=surroundings.clock,
        board=surroundings.board,
    )


def trigger(config: Mapping[str, Any], surroundings: Surroundings) -> SimTrigger:
    """Build a ``sim.trigger``."""
    c = parse(TriggerConfiguration, config, "sim.trigger")
    return SimTrigger(c.name, clock=surroundings.clock, board=surroundings.board)


def camera(config: Mapping[str, Any], surroundings: Surroundings | None = None) -> SimCamera:
    """Build a ``sim.camera``.

    :param surroundings: None to find the session's devices in the buffer.
    """
    c = parse(CameraConfiguration, config, "sim.camera")
    board: Board = surroundings.board if surroundings is not None else board_of(c.buffer, c.run)
    detector = c.pixels()
    structure = c.beam.model_dump()
    if c.beamline:
        # Its beam has its own width and height.
        structure |= {"width": math.inf, "height": math.inf}
    imager = Imager(
        detector,
        Beam(seed=c.seed, **structure),
        _sample(c),
        pixel=c.pixel_size,
        axis=(c.shape[1] - 1) / 2 + c.axis_offset,
        flux=c.flux,
        seed=c.seed,
    )
    return SimCamera(
        c.name,
        imager,
        board,
        rotation=c.rotation,
        lateral=c.lateral,
        height=c.height,
        roll=c.roll,
        pitch=c.pitch,
        tilt=(c.axis_roll, c.axis_pitch),
        shutter=c.shutter,
        beam=LiveBeam(c.beamline, board) if c.beamline else None,
        where=c.at,
        stage=c.stage,
        efficiency=c.efficiency,
        ring=c.ring.ring(),
        parts=c.parts,
        dead_time=c.dead_time,
        maximum_rate=c.maximum_rate,
        readout=c.readout,
        pool=c.pool,
        clock=surroundings.clock if surroundings is not None else RealClock(),
    )


def board_of(buffer: str, run: str) -> BufferBoard:
    """The session's devices as another process of the machine sees them.

    :param buffer: root of the buffer; ``$FIRSTLIGHT_BUFFER`` or the default one when empty.
    :param run: key of the devices run; the newest one when empty.
    """
    from firstlight.buffer import Buffer

    root = buffer or os.environ.get("FIRSTLIGHT_BUFFER", "")
    return BufferBoard(Buffer(Path(root)) if root else Buffer(), run or None)


def _sample(c: CameraConfiguration) -> Phantom:
    if not isinstance(c.sample, str):
        return Phantom([Ellipsoid(b.centre, b.radii, b.attenuation, b.angles) for b in c.sample])
    if c.sample == NOTHING:
        return Phantom([])
    radius = c.radius if c.radius is not None else 0.4 * c.shape[1] * c.pixel_size
    return PRESETS[c.sample]().scaled(radius)
