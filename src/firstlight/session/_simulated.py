"""The simulated beamline that comes with the package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.model import InvalidInput
from firstlight.session._load import load
from firstlight.session._session import Session

NAME = "fl01"


@dataclass(frozen=True, slots=True)
class Layout:
    """Size of the simulated experiment.

    :param shape: height and width of the camera, pixels.
    :param axis_offset: column of the rotation axis from the middle of the detector, pixels; for the user to find.
    """

    shape: tuple[int, int] = (192, 320)
    pixel_size: float = 0.01
    maximum_rate: float = 100.0
    axis_offset: float = 7.3
    axis_roll: float = 0.6
    """Tilt of the rotation axis in the plane of the detector where ``tilt`` stands at 0, degrees; to be found, too."""
    angles: tuple[float, float] | None = None
    """Of the first and the last recorded projection (degrees), where the recording does not tell."""


def devices(layout: Layout, seed: int, replay: Path | None = None) -> list[dict[str, Any]]:
    """Configuration of every device.

    :param replay: recorded projections that the camera shows in place of simulated ones.
    """
    width = layout.shape[1] * layout.pixel_size
    axes: list[dict[str, Any]] = [
        {
            "name": "rot", "kind": "sim.axis", "unit": "deg", "velocity": 120.0, "acceleration": 400.0,
            "limits": [-190.0, 550.0],
        },
        {
            "name": "sx", "kind": "sim.axis", "unit": "mm", "velocity": 4.0 * width, "acceleration": 40.0 * width,
            "limits": [-3.0 * width, 3.0 * width], "position": 0.0 if replay is not None else round(-0.28 * width, 4),
        },
        {"name": "sz", "kind": "sim.axis", "unit": "mm", "velocity": 2.0, "acceleration": 8.0, "limits": [-5.0, 5.0]},
        {
            "name": "tilt", "kind": "sim.axis", "unit": "deg", "velocity": 2.0, "acceleration": 20.0,
            "limits": [-5.0, 5.0],
        },
    ]  # fmt: skip
    counters: list[dict[str, Any]] = [
        {"name": "ring", "kind": "sim.ring"},
        {
            "name": "diode", "kind": "sim.diode", "shutter": "fshut", "rate": 2e6, "dark": 50.0, "seed": seed,
            "peaks": {"sx": {"centre": 0.0, "fwhm": 0.5 * width, "background": 0.05}},
        },
    ]  # fmt: skip
    camera: dict[str, Any] = {"name": "cam", "rotation": "rot", "lateral": "sx", "shutter": "fshut"}
    if replay is None:
        camera |= {
            "kind": "sim.camera",
            "height": "sz",
            "shape": list(layout.shape),
            "pixel_size": layout.pixel_size,
            "axis_offset": layout.axis_offset,
            "axis_roll": layout.axis_roll,
            "roll": "tilt",
            "maximum_rate": layout.maximum_rate,
            "seed": seed,
        }
    else:
        camera |= {"kind": "replay", "file": str(replay), "out": width, "maximum_rate": layout.maximum_rate}
        if layout.angles is not None:
            camera["angles"] = list(layout.angles)
    return [*axes, {"name": "fshut", "kind": "sim.shutter"}, *counters, camera]


def simulated(
    data: Path | str = "firstlight-data",
    *,
    name: str = NAME,
    full: bool = False,
    seed: int | None = None,
    layout: Layout | None = None,
    replay: Path | None = None,
    buffer: Path | None = None,
    compression: str = "none",
    state: Path | None = None,
) -> Session:
    """A session on a simulated beamline: rotation ``rot`` on ``tilt``, sample stage ``sx``, ``sz``, shutter ``fshut``,
    counters ``ring`` and ``diode``, camera ``cam``; the same scans, files and tools as on a real one.

    :param data: folder under which everything is saved.
    :param full: the whole beamline, from the machine to detectors of several techniques, in place of the small one.
    :param seed: another seed is another structure of the beam and other noise, and on the whole beamline other things
        are out of place; 1, or there what the environment has as ``FL01_SEED``, when None.
    :param layout: of the small one.
    :param replay: recorded projections that the camera shows in place of simulated ones.
    :param buffer: root of the buffer; the machine's default when None.
    :param state: folder of the settings that outlive the session; one beside the data when None.
    :raises InvalidInput: for a layout, recorded projections or compression of the whole beamline: its file has them.
    """
    settings = state or Path(data) / "settings"
    if full:
        from firstlight.simulation.beamlines import FL01

        if layout is not None or replay is not None or compression != "none":
            raise InvalidInput(
                "The whole simulated beamline has cameras and storage of its own.",
                hint="Write its file with: firstlight config new --full; change it there, and load that.",
            )
        environ = {**os.environ, "FL01_DATA": str(Path(data).absolute())}
        if seed is not None:
            environ["FL01_SEED"] = str(seed)
        return load(FL01, name=name, buffer=buffer, state=state, settings=settings, environ=environ)
    return Session(
        name,
        devices(layout or Layout(), 1 if seed is None else seed, replay),
        data=Path(data),
        groups={"tomo": ["cam", "diode", "ring"]},
        default=["diode", "ring"],
        buffer=buffer,
        compression=compression,
        state=state,
        settings=settings,
    )
