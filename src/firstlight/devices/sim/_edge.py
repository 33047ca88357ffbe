"""How a plate with an absorption edge is written down."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firstlight.devices._configuration import Configuration, unit
from firstlight.simulation import COPPER, EdgeSample, FineStructure, Shell

Micrometres = Annotated[float, unit("um")]
Angstroms = Annotated[float, unit("angstrom")]
Density = Annotated[float, unit("g/cm**3")]


class ShellSettings(Configuration):
    """Neighbours of an absorbing atom at one distance."""

    number: float = Field(ge=0)
    """How many."""
    distance: Angstroms = Field(gt=0)
    """Å."""
    sigma2: float = Field(default=0.008, ge=0)
    """Mean square of the distance's spread, Å²."""
    amplitude: Angstroms = Field(default=0.5, ge=0)
    """Of the backscattering, Å."""

    def shell(self) -> Shell:
        """The physics."""
        return Shell(self.number, self.distance, self.sigma2, self.amplitude)


COPPER_SHELLS = tuple(
    ShellSettings(number=s.number, distance=s.distance, sigma2=s.sigma2, amplitude=s.amplitude) for s in COPPER
)


class EdgeSettings(Configuration):
    """A plate with an absorption edge and its fine structure; as it stands, a foil of copper."""

    element: str = "Cu"
    """Whose edge it is."""
    edge: str = "K"
    """K, L1, L2 or L3."""
    formula: str = ""
    """Of the material; the element alone when not given."""
    density: Density = Field(default=8.96, gt=0)
    """g/cm³."""
    thickness: Micrometres = Field(default=5.0, ge=0)
    """μm."""
    shells: tuple[ShellSettings, ...] = COPPER_SHELLS
    """Around the absorbing atoms."""
    s02: float = Field(default=0.9, ge=0)
    """Amplitude factor S₀²."""
    phase: tuple[float, float] = (-1.0, -0.25)
    """φ₀ (rad) and φ₁ (Å) of the phase φ₀ + φ₁ k."""
    path: Angstroms = Field(default=8.0, gt=0)
    """Mean free path of the photoelectron, Å."""
    white_line: float = Field(default=0.3, ge=0)
    """Height of the white line over the step."""
    white_line_position: Annotated[float, unit("eV")] = 4.0
    """Above the edge, eV."""
    white_line_width: Annotated[float, unit("eV")] = Field(default=6.0, gt=0)
    """Full width at half maximum, eV."""
    core_hole: Annotated[float, unit("eV")] = Field(default=1.5, gt=0)
    """Width of the step, eV."""
    shift: Annotated[float, unit("eV")] = 0.0
    """Of the edge against the tables, eV."""

    def plate(self) -> EdgeSample:
        """The physics."""
        of_plate = {"formula", "density", "thickness", "shells"}
        plain = {name: getattr(self, name) for name in EdgeSettings.model_fields if name not in of_plate}
        structure = FineStructure(**plain, shells=tuple(shell.shell() for shell in self.shells))
        return EdgeSample(structure, formula=self.formula, density=self.density, thickness=self.thickness)
