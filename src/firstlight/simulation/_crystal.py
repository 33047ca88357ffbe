"""A double-crystal monochromator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._materials import HC
from firstlight.simulation._state import FWHM, BeamState


@dataclass(frozen=True, slots=True)
class Crystal:
    """A cut of a crystal.

    :param spacing: of the lattice planes, Å.
    :param orders: multiples of the reflection that are not forbidden, the first one 1.
    :param widths: full Darwin width of each, as ΔE/E = Δθ/tan θ, which hardly depends on the energy; σ polarisation.
    """

    spacing: float
    orders: tuple[int, ...]
    widths: tuple[float, ...]


_A_SI, _A_GE = 5.431020, 5.657906

CRYSTALS: dict[str, Crystal] = {
    "Si111": Crystal(_A_SI / 3**0.5, (1, 3, 4), (1.330e-4, 8.94e-6, 5.48e-6)),
    "Si220": Crystal(_A_SI / 8**0.5, (1, 2, 3), (5.85e-5, 1.004e-5, 2.85e-6)),
    "Si311": Crystal(_A_SI / 11**0.5, (1, 3, 4), (2.823e-5, 1.167e-6, 6.09e-7)),
    "Ge111": Crystal(_A_GE / 3**0.5, (1, 3, 4), (3.144e-4, 2.331e-5, 1.442e-5)),
}
"""Lattice constants of CODATA (Si) and of A. S. Cooper, Acta Cryst. 15 (1962) 578 (Ge); widths by
``xraydb.darwin_width`` at 12.4 keV and its multiples."""


@dataclass(frozen=True, slots=True)
class Monochromator:
    """Two parallel crystals, the second of which can be tilted against the first.

    The Bragg axis sets the energies E_m = m h c / (2 d sin θ), m running over the reflection and its multiples. Each
    passes a width ε_m E_m of the source's spectrum, times the rocking curve of the two crystals against each other, the
    correlation of two Darwin curves R(y) = 1 up to y = 1, (y - √(y² - 1))² beyond, even in y (J. Als-Nielsen,
    D. McMorrow, "Elements of Modern X-ray Physics", 2nd ed., 6.4; no absorption). The curves of multiples are narrower,
    so a small tilt takes them away first. A tilt δ turns the beam by 2δ.

    :param crystal: of :data:`CRYSTALS`.
    :param distance: from the source, m.
    :param bragg: angle (degrees) when no axis moves it.
    :param offset: true Bragg angle minus that of the axis, degrees.
    :param pitch: position of the pitch axis at which the crystals are parallel, mrad.
    :param roll: of the second crystal, which turns the beam sideways by 2 sin θ times it, mrad.
    :param glitches: energy (keV), depth (0 to 1) and width (keV, full at half maximum) of what other reflections take.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"bragg": "deg", "pitch": "mrad"}

    name: str = "monochromator"
    crystal: str = "Si111"
    distance: float = 30.0
    bragg: float = 9.1
    offset: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    glitches: Sequence[tuple[float, float, float]] = ()

    def __post_init__(self) -> None:
        crystal(self.crystal)

    def energies(self, bragg: ArrayLike) -> NDArray[np.float64]:
        """Energies of the reflection and its multiples (keV) at true Bragg angles (degrees): (n, orders)."""
        cut = crystal(self.crystal)
        sine = np.sin(np.radians(np.asarray(bragg, dtype=np.float64)))[..., None]
        return np.asarray(np.array(cut.orders) * HC / (2.0 * cut.spacing * np.maximum(sine, 1e-9)))

    def angle(self, energy: ArrayLike) -> NDArray[np.float64]:
        """Position of the Bragg axis (degrees) for energies (keV) of the reflection itself."""
        sine = HC / (2.0 * crystal(self.crystal).spacing * np.asarray(energy, dtype=np.float64))
        return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))) - self.offset)

    def width(self, bragg: ArrayLike) -> NDArray[np.float64]:
        """Darwin widths of the reflection and its multiples (mrad) at Bragg angles (degrees): (n, orders)."""
        tangent = np.tan(np.radians(np.asarray(bragg, dtype=np.float64)))[..., None]
        return np.asarray(1e3 * np.array(crystal(self.crystal).widths) * tangent)

    def rocking(self, tilt: ArrayLike, bragg: ArrayLike) -> NDArray[np.float64]:
        """Share that the second crystal reflects at tilts (n,) in mrad: (n, orders), 1 at no tilt."""
        grid, curve = _rocking()
        # y runs from -1 to 1 over one Darwin width.
        y = 2.0 * np.asarray(tilt, dtype=np.float64)[..., None] / self.width(bragg)
        return np.asarray(np.interp(np.abs(y), grid, curve))

    def apply(self, beam: BeamState, at: Mapping[str, NDArray[np.float64]]) -> BeamState:
        """The beam behind it.

        :param at: positions of ``bragg`` and ``pitch``, (n,); those that are missing are the ideal ones.
        """
        n = len(beam.moments)
        angle = np.broadcast_to(at.get("bragg", np.float64(self.bragg)) + self.offset, (n,))
        # Nothing is reflected at angles that are none, and nothing is divided by zero there.
        bragg = np.clip(angle, 0.1, 89.9)
        tilt = np.broadcast_to(at.get("pitch", np.float64(self.pitch)) - self.pitch, (n,))
        energies = self.energies(bragg)
        widths = energies * np.array(crystal(self.crystal).widths)
        if beam.spectrum is not None:
            # What slits have left is the share of the first line, which all have in common.
            share = beam.horizontal.passed * beam.vertical.passed
            density = beam.spectrum.density(energies) * share[:, None]
            for transmission in beam.filters:
                density = density * transmission(energies)
        else:
            density = np.where(np.abs(energies - beam.energy[:, None]) < widths, beam.flux[:, None] / widths, 0.0)
        lit = bragg == angle
        fluxes = density * widths * self.rocking(tilt, bragg) * lit[:, None]
        for centre, depth, width in self.glitches:
            fluxes[:, 0] *= 1.0 - depth * np.exp(-0.5 * (FWHM * (energies[:, 0] - centre) / width) ** 2)
        cotangent = 1.0 / np.tan(np.radians(bragg))
        divergence = FWHM * beam.vertical.spread * 1e-3 * cotangent
        return replace(
            beam,
            energies=energies,
            fluxes=fluxes,
            bandwidth=energies[:, 0] * np.hypot(crystal(self.crystal).widths[0], divergence),
            horizontal=beam.horizontal.turn(2.0 * self.roll * np.sin(np.radians(bragg))),
            vertical=beam.vertical.turn(2.0 * tilt),
            spectrum=None,
            filters=(),
        )

    def truth(self) -> dict[str, Any]:
        """What the user may want to find."""
        return {
            "crystal": self.crystal,
            "d_spacing": crystal(self.crystal).spacing, "d_spacing@units": "angstrom",
            "bragg_offset": self.offset, "bragg_offset@units": "deg",
            "pitch": self.pitch, "pitch@units": "mrad",
            "roll": self.roll, "roll@units": "mrad",
        }  # fmt: skip


def crystal(name: str) -> Crystal:
    """A crystal by its name in :data:`CRYSTALS`.

    :raises InvalidInput: when there is none.
    """
    if name not in CRYSTALS:
        raise InvalidInput(f"There is no crystal {name!r}.", hint=f"Known: {', '.join(CRYSTALS)}.")
    return CRYSTALS[name]


@cache
def _rocking() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The correlation of two Darwin curves over y ≥ 0, 1 at y = 0."""
    step, reach = 0.02, 40.0
    y = np.arange(-reach, reach + 0.5 * step, step)
    outside = np.maximum(np.abs(y), 1.0)
    darwin = (outside - np.sqrt(outside**2 - 1.0)) ** 2
    curve = np.correlate(darwin, darwin, mode="full")[len(y) - 1 :]
    grid = step * np.arange(len(curve), dtype=np.float64)
    kept = grid <= reach
    return np.asarray(grid[kept]), np.asarray(curve[kept] / curve[0])
