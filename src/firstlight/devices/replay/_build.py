"""Recordings and replay cameras from paths and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from firstlight.devices._area import SourceConfiguration
from firstlight.devices._configuration import Naming, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.replay._camera import ReplayCamera
from firstlight.devices.replay._hdf5 import open_hdf5
from firstlight.devices.replay._images import SUFFIXES, open_images
from firstlight.devices.replay._recording import Recording
from firstlight.model import InvalidInput, NotFound, RealClock

Seconds = Annotated[float, unit("s")]
Degrees = Annotated[float, unit("deg")]


class ReplayConfiguration(SourceConfiguration):
    """A camera that serves the frames of a recorded tomography."""

    name: str = "camera"
    file: Annotated[str, Field(min_length=1)]
    """An HDF5 file (Data Exchange, NXtomo, scans of Firstlight or BLISS), a folder of images, or a pattern of them."""
    angles: tuple[Degrees, Degrees] | None = None
    """Of the first and the last projection, for images that do not tell; degrees."""
    rotation: Annotated[str, Naming("sim.axis"), Field(min_length=1)]
    """Name of the axis that turns the sample, deg."""
    lateral: Annotated[str, Naming("sim.axis")] = ""
    """Name of the axis that takes the sample out of the beam, mm; empty for none."""
    out: Annotated[float, unit("mm")] = Field(default=1.0, gt=0)
    """Distance of that axis from 0 beyond which the sample is out, mm."""
    shutter: Annotated[str, Naming("sim.shutter")] = ""
    """Name of the shutter; empty for none."""
    dead_time: Seconds = Field(default=0.0005, ge=0)
    """From the end of an exposure to the start of the next."""
    maximum_rate: Annotated[float, unit("1/s")] = Field(default=500.0, gt=0)
    """Frames per second, whatever the exposure."""
    readout: Seconds = Field(default=0.002, ge=0)
    """From the end of an exposure to its frame."""
    buffer: str = ""
    """Root of the buffer in which the axes publish; that of the process when not given."""
    run: str = ""
    """Key of the run in which they publish; the newest one of the buffer when not given."""


def open_recording(path: Path | str, angles: tuple[float, float] | None = None) -> Recording:
    """A recorded tomography.

    :param path: an HDF5 file, a folder of images, or a pattern of them.
    :param angles: of the first and the last projection, degrees, for images that do not tell.
    :raises NotFound: when there is nothing.
    :raises InvalidInput: when it is no tomography.
    :raises MissingExtra: for images without fabio.
    """
    path = Path(path)
    if path.is_dir() or any(c in path.name for c in "*?["):
        return open_images(path, angles)
    if not path.exists():
        raise NotFound(f"There is no file {path}.")
    if not path.is_file():
        raise InvalidInput(f"{path} is neither a file nor a folder.")
    if path.suffix.lower() in SUFFIXES:
        return open_images(path, angles)
    try:
        return open_hdf5(path)
    except PermissionError as error:
        raise InvalidInput(f"{path} may not be read by you.") from error


def camera(config: Mapping[str, Any], surroundings: Surroundings | None = None) -> ReplayCamera:
    """Build a ``replay`` camera.

    :param surroundings: None to find the session's devices in the buffer.
    """
    from firstlight.devices.sim._build import board_of

    c = parse(ReplayConfiguration, config, "replay")
    recording = open_recording(c.file, c.angles)
    return ReplayCamera(
        c.name,
        recording,
        surroundings.board if surroundings is not None else board_of(c.buffer, c.run),
        rotation=c.rotation,
        lateral=c.lateral,
        out=c.out,
        shutter=c.shutter,
        dead_time=c.dead_time,
        maximum_rate=c.maximum_rate,
        readout=c.readout,
        clock=surroundings.clock if surroundings is not None else RealClock(),
    )
