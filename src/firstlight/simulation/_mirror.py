"""A mirror in total reflection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.simulation._materials import HC, material, refraction
from firstlight.simulation._state import BeamState


@dataclass(frozen=True, slots=True)
class Mirror:
    """A flat mirror that reflects upwards; what follows is aligned for its design angle.

    R is Fresnel's for σ polarisation, with k_z in vacuum and k_z' in the coating, weakened by a roughness σ_r as
    exp(-4 k_z Re(k_z') σ_r²) (L. Névot, P. Croce, Rev. Phys. Appl. 15 (1980) 761). Beyond the critical angle √(2δ), or
    at a given angle above a cut-off energy, it falls off steeply, which takes the harmonics away. What misses the
    mirror is lost.

    :param distance: from the source, m.
    :param coating: a material, see ``material``.
    :param angle: design value, mrad; also the angle when no axis moves it.
    :param length: mm.
    :param roughness: root mean square, nm.
    :param offset: true angle minus that of the axis, mrad.
    :param height: position of the height axis at which the surface is on the design orbit, mm.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"pitch": "mrad", "height": "mm"}

    name: str = "mirror"
    distance: float = 33.0
    coating: str = "Rh"
    angle: float = 2.5
    length: float = 800.0
    roughness: float = 0.3
    offset: float = 0.0
    height: float = 0.0

    def __post_init__(self) -> None:
        material(self.coating)

    def critical(self, energies: ArrayLike) -> NDArray[np.float64]:
        """Critical angle, mrad, at energies in keV."""
        delta, _ = refraction(material(self.coating), energies)
        return np.asarray(1e3 * np.sqrt(2.0 * delta))

    def reflectivity(self, angle: ArrayLike, energies: ArrayLike) -> NDArray[np.float64]:
        """Share of the photons reflected.

        :param angle: mrad; broadcast with ``energies``, keV.
        """
        energies = np.asarray(energies, dtype=np.float64)
        delta, beta = refraction(material(self.coating), energies)
        sine = np.sin(1e-3 * np.asarray(angle, dtype=np.float64))
        k = 2.0 * np.pi * energies / (0.1 * HC)
        vacuum = k * np.maximum(sine, 0.0)
        inside = k * np.sqrt(np.maximum(sine, 0.0) ** 2 - 2.0 * delta + 2.0j * beta)
        amplitude = (vacuum - inside) / np.where(vacuum + inside == 0.0, 1.0, vacuum + inside)
        rough = np.exp(-4.0 * vacuum * inside.real * self.roughness**2)
        return np.asarray(np.where(sine > 0.0, np.abs(amplitude) ** 2 * rough, 0.0))

    def apply(self, beam: BeamState, at: Mapping[str, NDArray[np.float64]]) -> BeamState:
        """The beam behind it.

        :param at: positions of ``pitch`` (mrad) and ``height`` (mm), (n,); those that are missing are the ideal ones.
        """
        n = len(beam.moments)
        angle = np.broadcast_to(at.get("pitch", np.float64(self.angle - self.offset)) + self.offset, (n,))
        middle = np.broadcast_to(at.get("height", np.float64(self.height)) - self.height, (n,))
        half = 0.5 * self.length * np.sin(1e-3 * np.maximum(angle, 0.0))
        caught = beam.clipped(y=(middle - half, middle + half))
        # The angle at which the central ray arrives.
        incident = (angle + beam.vertical.slope)[:, None]
        reflected = caught.filtered(lambda energies: self.reflectivity(incident, energies))
        return replace(reflected, vertical=reflected.vertical.turn(2.0 * (angle - self.angle)))

    def truth(self) -> dict[str, Any]:
        """What the user may want to find."""
        return {
            "coating": self.coating,
            "pitch_offset": self.offset, "pitch_offset@units": "mrad",
            "height": self.height, "height@units": "mm",
        }  # fmt: skip
