"""X-ray absorption near an edge, with its white line and the oscillation of its fine structure.

    μ(E) = μ_pre(E) + (μ_post(E) - μ_pre(E)) · (s(E) + w(E)) · (1 + χ(k)),   k = √(0.2625 (E - E₀))  (eV, 1/Å)

μ_pre continues the tables from below the edge and μ_post those from above, each as a power of the energy. The step s
is an arctangent of the core hole's width, the white line w a lorentzian, and

    χ(k) = S₀² Σ_j N_j f_j(k) / (k R_j²) · sin(2 k R_j + φ₀ + φ₁ k) · exp(-2 σ²_j k² - 2 R_j / λ) · (1 - exp(-(k/k₁)²))

is the equation of D. E. Sayers, E. A. Stern, F. W. Lytle, Phys. Rev. Lett. 27 (1971) 1204-1207 with a phase that is
linear in k, a backscattering amplitude f(k) = a k₂² / (k₂² + k²), and a last factor that takes it out where it does
not hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import edges_of, lines_of, mass_absorption, symbol
from firstlight.simulation._materials import composition
from firstlight.simulation._state import BeamState

K_PER_EV = 0.2624682917
"""2 m_e / ħ², 1/(Å² eV) (CODATA 2018)."""

_K_LOW, _K_HALF = 2.0, 8.0
_PRE = (0.30, 0.03)
_POST = (0.03, 0.30)
"""Where the tables are continued from, relative to the edge: below it and above it."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Neighbours at one distance.

    :param number: N.
    :param distance: R, Å.
    :param sigma2: σ², Å².
    :param amplitude: a of the backscattering amplitude, Å.
    """

    number: float
    distance: float
    sigma2: float
    amplitude: float = 0.5


COPPER = (Shell(12, 2.556, 0.0085), Shell(6, 3.615, 0.0115), Shell(24, 4.427, 0.0125), Shell(12, 5.112, 0.014))
"""The first shells of fcc copper at room temperature."""


@dataclass(frozen=True)
class FineStructure:
    """The edge of one element in a material.

    :param element: whose edge it is.
    :param edge: K, L1, L2 or L3.
    :param shells: around the absorber.
    :param s02: S₀².
    :param phase: φ₀ (rad) and φ₁ (Å).
    :param path: λ, Å.
    :param white_line: height of the white line over the step.
    :param white_line_position: above the edge, eV.
    :param white_line_width: full width at half maximum, eV.
    :param core_hole: width of the step, eV.
    :param shift: of the edge against the tables, eV.
    """

    element: str = "Cu"
    edge: str = "K"
    shells: tuple[Shell, ...] = COPPER
    s02: float = 0.9
    phase: tuple[float, float] = (-1.0, -0.25)
    path: float = 8.0
    white_line: float = 0.3
    white_line_position: float = 4.0
    white_line_width: float = 6.0
    core_hole: float = 1.5
    shift: float = 0.0

    def __post_init__(self) -> None:
        found = {e.name: e.energy for e in edges_of(symbol(self.element))}
        if self.edge not in found:
            raise InvalidInput(f"{self.element} has no edge {self.edge!r}.", hint=f"Known: {', '.join(found)}.")
        if not (self.core_hole > 0 and self.white_line_width > 0 and self.path > 0):
            raise InvalidInput("Widths and the mean free path of a fine structure are above zero.")
        if any(not (s.number >= 0 and s.distance > 0 and s.sigma2 >= 0) for s in self.shells):
            raise InvalidInput("A shell has a number and σ² of at least zero, and a distance above it.")

    @property
    def e0(self) -> float:
        """E₀, keV."""
        (energy,) = [e.energy for e in edges_of(symbol(self.element)) if e.name == self.edge]
        return energy + 1e-3 * self.shift

    def chi(self, k: ArrayLike) -> NDArray[np.float64]:
        """χ(k), k in 1/Å; 0 for k ≤ 0."""
        k = np.asarray(k, dtype=np.float64)
        inside = np.maximum(k, 1e-3)
        total = np.zeros(k.shape)
        for shell in self.shells:
            r = shell.distance
            amplitude = shell.number * shell.amplitude * _K_HALF**2 / (_K_HALF**2 + inside**2) / (inside * r * r)
            damping = np.exp(-2.0 * shell.sigma2 * inside**2 - 2.0 * r / self.path)
            total += amplitude * damping * np.sin(2.0 * inside * r + self.phase[0] + self.phase[1] * inside)
        return np.asarray(np.where(k > 0, self.s02 * total * (1.0 - np.exp(-((inside / _K_LOW) ** 2))), 0.0))

    def mass_absorption(self, energy: ArrayLike) -> NDArray[np.float64]:
        """Of the element, cm²/g, at energies (keV)."""
        energy = np.asarray(energy, dtype=np.float64)
        smooth = self._continued(energy, *_PRE, -1.0)
        step = self._continued(energy, *_POST, 1.0) - smooth
        return np.asarray(smooth + step * self.edge_shape(energy))

    def edge_shape(self, energy: ArrayLike) -> NDArray[np.float64]:
        """Of the edge alone, 0 far below it and about 1 above: what a normalised spectrum shows."""
        off = 1e3 * (np.asarray(energy, dtype=np.float64) - self.e0)
        step = 0.5 + np.arctan(off / (0.5 * self.core_hole)) / math.pi
        line = 1.0 / (1.0 + ((off - self.white_line_position) / (0.5 * self.white_line_width)) ** 2)
        k = np.sqrt(K_PER_EV * np.maximum(off, 0.0))
        return np.asarray((step + self.white_line * line) * (1.0 + self.chi(k)))

    def truth(self) -> dict[str, Any]:
        """Edge, shells and what else shapes the spectrum."""
        plain = asdict(self)
        shells = plain.pop("shells")
        return {
            **plain,
            "e0": self.e0,
            "e0@units": "keV",
            "path@units": "angstrom",
            "shells": {
                "number": [s["number"] for s in shells],
                "distance": [s["distance"] for s in shells],
                "distance@units": "angstrom",
                "sigma2": [s["sigma2"] for s in shells],
                "sigma2@units": "angstrom^2",
                "amplitude": [s["amplitude"] for s in shells],
                "amplitude@units": "angstrom",
            },
        }

    def _continued(self, energy: NDArray[np.float64], far: float, near: float, side: float) -> NDArray[np.float64]:
        """A power of the energy through the tables on one side of the edge."""
        tabulated = self.e0 - 1e-3 * self.shift
        # Not across the next edge of the element.
        others = [e.energy for e in edges_of(symbol(self.element)) if e.name != self.edge]
        low, high = sorted(tabulated * (1.0 + side * x) for x in (far, near))
        if side < 0:
            low = max([low, *(1.001 * e for e in others if e < tabulated * 0.999)])
            high = max(high, 0.5 * (low + tabulated))
        else:
            high = min([high, *(0.999 * e for e in others if e > tabulated * 1.001)])
            low = min(low, 0.5 * (high + tabulated))
        a, b = mass_absorption(self.element, np.array([low, high]))
        power = math.log(b / a) / math.log(high / low)
        return np.asarray(a * (energy / low) ** power)


class EdgeSample:
    """A plate with an edge: how much it lets through, and how much it fluoresces.

    :param structure: the edge.
    :param formula: of the material; the element alone when empty.
    :param density: g/cm³.
    :param thickness: μm.
    :param collected: share of the fluorescence that a diode sees, for :meth:`fluorescence`.
    """

    def __init__(
        self,
        structure: FineStructure | None = None,
        *,
        formula: str = "",
        density: float = 8.96,
        thickness: float = 5.0,
        collected: float = 0.01,
    ) -> None:
        self.structure = structure or FineStructure()
        self._masses = composition(formula or symbol(self.structure.element))
        self._element = symbol(self.structure.element)
        if self._element not in self._masses:
            raise InvalidInput(f"{formula} holds no {self._element}, whose edge it should have.")
        if not (density > 0 and thickness >= 0 and 0 <= collected <= 1):
            raise InvalidInput("A plate's density is above zero, its thickness not below, and a share is from 0 to 1.")
        self._formula = formula or self._element
        self._density, self.thickness, self._collected = density, thickness, collected

    def absorption(self, energy: ArrayLike) -> NDArray[np.float64]:
        """μ, 1/μm, at energies (keV)."""
        energy = np.asarray(energy, dtype=np.float64)
        total = self._masses[self._element] * self.structure.mass_absorption(energy)
        for element, fraction in self._masses.items():
            if element != self._element:
                total = total + fraction * mass_absorption(element, energy)
        return np.asarray(total * self._density * 1e-4)

    def transmission(self, energy: ArrayLike) -> NDArray[np.float64]:
        """What it lets through, any shape."""
        return np.asarray(np.exp(-self.absorption(energy) * self.thickness))

    def fluorescence(self, energy: ArrayLike) -> NDArray[np.float64]:
        """Photons of the edge's lines at the diode per incident photon, under 45° on both sides.

        ε ω c μ_edge / (μ(E) + μ(E_f)) · (1 - exp(-(μ(E) + μ(E_f)) √2 t)), with self-absorption (e.g. L. Tröger et al.,
        Phys. Rev. B 46 (1992) 3283-3289).
        """
        energy = np.asarray(energy, dtype=np.float64)
        s = self.structure
        (edge,) = [e for e in edges_of(self._element) if e.name == s.edge]
        lines = [line for line in lines_of(self._element) if line.level == s.edge]
        emitted = sum(line.energy * line.share for line in lines) / sum(line.share for line in lines)
        fraction = self._masses[self._element]
        own = fraction * (s.mass_absorption(energy) - s._continued(energy, *_PRE, -1.0)) * self._density * 1e-4
        total = self.absorption(energy) + self.absorption(np.array(emitted))
        escaped = -np.expm1(-total * math.sqrt(2.0) * self.thickness) / total
        return np.asarray(self._collected * edge.fluorescence * np.maximum(own, 0.0) * escaped)

    def truth(self) -> dict[str, Any]:
        """The edge and the plate."""
        return {
            "technique": "absorption spectroscopy",
            "formula": self._formula,
            "density": self._density,
            "density@units": "g/cm^3",
            "thickness": self.thickness,
            "thickness@units": "um",
            **self.structure.truth(),
        }


class AbsorptionScan:
    """An :class:`EdgeSample` before a diode that counts what it lets through, or its fluorescence.

    :param mode: ``transmission`` or ``fluorescence``.
    """

    inputs: Mapping[str, str] = {}

    def __init__(self, sample: EdgeSample, mode: str = "transmission") -> None:
        if mode not in ("transmission", "fluorescence"):
            raise InvalidInput(f"Absorption is not measured by {mode!r}.", hint="Known: transmission, fluorescence.")
        self.sample = sample
        self._mode = mode

    def response(self, energy: NDArray[np.float64], at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Photons at the diode per photon of the beam, (n,)."""
        return self.sample.transmission(energy) if self._mode == "transmission" else self.sample.fluorescence(energy)

    def truth(self) -> dict[str, Any]:
        """Of the sample."""
        return {**self.sample.truth(), "mode": self._mode}


@dataclass(frozen=True, slots=True)
class EdgePlate:
    """An :class:`EdgeSample` as an element of a beamline: what stands behind it sees what it lets through.

    :param distance: from the source, m.
    """

    UNITS: ClassVar[Mapping[str, str]] = {}

    name: str
    distance: float
    sample: EdgeSample

    def apply(self, beam: BeamState, at: Mapping[str, NDArray[np.float64]]) -> BeamState:
        """The beam behind it."""
        return beam.filtered(self.sample.transmission)

    def truth(self) -> dict[str, Any]:
        """Of the sample."""
        return self.sample.truth()
