"""What stands in the beam and only weakens or cuts it: slits, filters, shutters, gases and windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from firstlight.simulation._materials import Material, attenuation, material, transmission
from firstlight.simulation._state import BeamState

Positions = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Slits:
    """Four blades; a blade that no axis moves is out of the beam.

    :param distance: from the source, m.
    :param offset: (x, y) of the true opening against what the axes say, mm.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"left": "mm", "right": "mm", "bottom": "mm", "top": "mm"}

    name: str = "slits"
    distance: float = 27.0
    offset: tuple[float, float] = (0.0, 0.0)

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind them.

        :param at: positions of ``left``, ``right`` (x) and ``bottom``, ``top`` (y), (n,), mm.
        """
        x, y = self.offset
        far = np.float64(np.inf)
        return beam.clipped(
            x=(at.get("left", -far) + x, at.get("right", far) + x),
            y=(at.get("bottom", -far) + y, at.get("top", far) + y),
        )

    def truth(self) -> dict[str, Any]:
        """What the user may want to find."""
        x, y = self.offset
        return {"x_offset": x, "x_offset@units": "mm", "y_offset": y, "y_offset@units": "mm"}


@dataclass(frozen=True, slots=True)
class Aperture:
    """A fixed opening about the design orbit: a mask, a window in a wall.

    :param distance: from the source, m.
    :param width: mm.
    :param height: mm.
    """

    UNITS: ClassVar[Mapping[str, str]] = {}

    name: str = "aperture"
    distance: float = 40.0
    width: float = 10.0
    height: float = 10.0

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it."""
        x, y = (np.float64(0.5 * size) for size in (self.width, self.height))
        return beam.clipped(x=(-x, x), y=(-y, y))

    def truth(self) -> dict[str, Any]:
        """Nothing that a user would look for."""
        return {}


@dataclass(frozen=True, slots=True)
class Foil:
    """A foil of an attenuator; no thickness for an empty place.

    :param material: a name or formula, see ``material``.
    :param thickness: mm.
    :param density: g/cm³, for a formula.
    """

    material: str = "Al"
    thickness: float = 0.0
    density: float | None = None

    def transmission(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """At energies in keV."""
        if self.thickness <= 0.0:
            return np.ones(energies.shape)
        return transmission(material(self.material, self.density), self.thickness, energies)


@dataclass(frozen=True, slots=True)
class Attenuator:
    """A wheel of foils; position k of its axis puts foil k into the beam, and between two foils is the frame.

    :param distance: from the source, m.
    """

    UNITS: ClassVar[Mapping[str, str]] = {"wheel": ""}

    name: str = "attenuator"
    distance: float = 39.0
    foils: Sequence[Foil] = (Foil(),)

    def __post_init__(self) -> None:
        for foil in self.foils:
            material(foil.material, foil.density)

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it.

        :param at: positions of ``wheel``, (n,).
        """
        wheel = np.broadcast_to(at.get("wheel", np.float64(0.0)), beam.moments.shape)
        place = np.rint(wheel).astype(int)
        clear = (np.abs(wheel - place) < 0.35) & (place >= 0) & (place < len(self.foils))

        def passes(energies: NDArray[np.float64]) -> NDArray[np.float64]:
            through = np.zeros(energies.shape)
            for k in np.unique(place[clear]):
                chosen = clear & (place == k)
                through[chosen] = self.foils[k].transmission(energies[chosen])
            return through

        return beam.filtered(passes)

    def truth(self) -> dict[str, Any]:
        """Thicknesses of the foils."""
        return {
            "foils": [f.material for f in self.foils],
            "thicknesses": [f.thickness for f in self.foils], "thicknesses@units": "mm",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Absorber:
    """Something that is always in the beam: a window, a path of air.

    :param distance: from the source, m.
    """

    UNITS: ClassVar[Mapping[str, str]] = {}

    name: str = "window"
    distance: float = 39.0
    foil: Foil = Foil()

    def __post_init__(self) -> None:
        material(self.foil.material, self.foil.density)

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it."""
        return beam.filtered(self.foil.transmission)

    def truth(self) -> dict[str, Any]:
        """Nothing that a user would look for."""
        return {}


@dataclass(frozen=True, slots=True)
class FastShutter:
    """A shutter; ``open`` is 1 or 0.

    :param distance: from the source, m.
    """

    UNITS: ClassVar[Mapping[str, str]] = {}

    name: str = "shutter"
    distance: float = 40.0

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it."""
        return beam.scaled(np.broadcast_to(at.get("open", np.float64(1.0)), beam.moments.shape)[:, None])

    def truth(self) -> dict[str, Any]:
        """Nothing that a user would look for."""
        return {}


@dataclass(frozen=True, slots=True)
class GasCell:
    """The gas of an ion chamber between its electrodes.

    :param distance: from the source, m.
    :param gas: a material, at 1 bar and 20 °C.
    :param length: of the electrodes, mm.
    :param pressure: bar.
    """

    UNITS: ClassVar[Mapping[str, str]] = {}

    name: str = "ion chamber"
    distance: float = 40.5
    gas: str = "nitrogen"
    length: float = 50.0
    pressure: float = 1.0

    def __post_init__(self) -> None:
        material(self.gas)

    @property
    def filling(self) -> Material:
        """The gas at its pressure; tables are at 1 atm."""
        known = material(self.gas)
        return Material(known.formula, known.density * self.pressure / 1.01325)

    def transmission(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the whole length, at energies in keV."""
        return transmission(self.filling, self.length, energies)

    def ionising(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the photons that give their energy to the gas (the photoelectric effect), at energies in keV."""
        whole = attenuation(self.filling, energies)
        photo = attenuation(self.filling, energies, photo=True)
        return np.asarray(photo / whole * -np.expm1(-whole * self.length))

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it."""
        return beam.filtered(self.transmission)

    def truth(self) -> dict[str, Any]:
        """What it is filled with."""
        return {
            "gas": self.gas,
            "length": self.length, "length@units": "mm",
            "pressure": self.pressure, "pressure@units": "bar",
        }  # fmt: skip
