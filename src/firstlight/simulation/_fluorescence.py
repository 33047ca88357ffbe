"""X-ray fluorescence of a plate, and what it scatters.

Per photon on the plate, a line of an element with the areal mass m sends towards a detector that covers the share Ω/4π

    Ω/4π · τ ω p · m / sin ψ₁ · (1 - exp(-A)) / A,    A = Σ_i m_i (μ_i(E) / sin ψ₁ + μ_i(E_line) / sin ψ₂)

photons, with the photoelectric cross section τ of the line's level, its fluorescence yield ω, and the line's share p
of what the level emits (J. Sherman, Spectrochim. Acta 7 (1955) 283-306, primary fluorescence of a plate that is
homogeneous in depth). Vacancies that Coster-Kronig transitions move among the L levels are counted; secondary
fluorescence and vacancies that follow those of the K shell are not, nor are lines below 1 keV. Elastic and Compton
scatter are taken as equal in all directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import coster_kronig, edges_of, lines_of, mass_absorption, symbol
from firstlight.simulation._materials import LOWEST

ELECTRON_MASS = 510.99895
"""keV."""

_WEAKEST = 1e-3
"""Lines with a smaller share of their level's photons are left out."""


@dataclass(frozen=True, slots=True)
class Disc:
    """A round spot with more of some elements.

    :param x: of the centre, mm; likewise z.
    :param masses: added inside, μg/cm² of each element.
    """

    x: float
    z: float
    radius: float
    masses: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Lines:
    """All lines at one energy of the beam; arrays over the lines, or over (elements, lines)."""

    names: tuple[str, ...]
    energies: NDArray[np.float64]
    strengths: NDArray[np.float64]
    """Photons per photon and mass (g/cm²), (elements, lines)."""
    incoming: NDArray[np.float64]
    """μ of the elements at the beam's energy, cm²/g."""
    outgoing: NDArray[np.float64]
    """μ at the lines' energies, (elements, lines)."""


class FluorescentPlate:
    """A plate with spots, moved across a small beam.

    :param masses: of the plate, μg/cm² of each element.
    :param discs: what lies on it.
    :param incidence: ψ₁ between beam and surface, degrees.
    :param takeoff: ψ₂ between surface and detector, degrees.
    :param collected: Ω/4π of the detector.
    :param beam: full width at half maximum of the beam on the plate, mm; it blurs the edges of the discs.
    :param scatter: factor on the scattered intensity; below 1 for a detector in the plane of polarisation.
    """

    inputs: Mapping[str, str] = {"x": "mm", "z": "mm"}

    def __init__(
        self,
        masses: Mapping[str, float],
        discs: Sequence[Disc] = (),
        *,
        incidence: float = 45.0,
        takeoff: float = 45.0,
        collected: float = 0.01,
        beam: float = 0.01,
        scatter: float = 0.1,
    ) -> None:
        if not (0 < incidence <= 90 and 0 < takeoff <= 90):
            raise InvalidInput("Angles of incidence and take-off are above 0° and at most 90°.")
        if not (0 <= collected <= 1 and beam >= 0 and scatter >= 0):
            raise InvalidInput("A solid angle is a share from 0 to 1; beam and scatter are not below zero.")
        self.masses = {symbol(name): mass for name, mass in masses.items()}
        self.discs = tuple(discs)
        if any(mass < 0 for part in (self.masses, *(disc.masses for disc in self.discs)) for mass in part.values()):
            raise InvalidInput("Masses of elements are not below zero.")
        names = dict.fromkeys(self.masses)
        for disc in self.discs:
            names |= dict.fromkeys(symbol(name) for name in disc.masses)
        if not names:
            raise InvalidInput("A plate that fluoresces holds at least one element.")
        self.elements = tuple(names)
        """All elements, in the order of :meth:`masses_at`."""
        self._base = np.array([self.masses.get(name, 0.0) for name in self.elements])
        self._added = np.array(
            [
                [sum(m for e, m in disc.masses.items() if symbol(e) == name) for name in self.elements]
                for disc in self.discs
            ]
        ).reshape(len(self.discs), len(self.elements))
        self._sines = math.sin(math.radians(incidence)), math.sin(math.radians(takeoff))
        self._angle = math.radians(incidence + takeoff)
        self._collected, self._beam, self._scatter = collected, beam, scatter
        self._tables: dict[float, _Lines] = {}

    def masses_at(self, x: float, z: float) -> NDArray[np.float64]:
        """Areal mass of each element under the beam at a position (mm), μg/cm²."""
        masses = self._base.copy()
        for disc, added in zip(self.discs, self._added, strict=True):
            inside = disc.radius - math.hypot(x - disc.x, z - disc.z)
            width = self._beam / 2.3548
            share = 0.5 * math.erfc(-inside / (width * math.sqrt(2.0))) if width > 0 else float(inside >= 0.0)
            masses += share * added
        return masses

    def lines(self, energy: float) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Names (``Fe Ka1``, ``elastic``, ``Compton``) and energies (keV) of what a beam of an energy (keV) excites."""
        table = self._table(energy)
        return table.names, table.energies

    def emission(self, energy: float, x: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
        """Photons towards the detector per photon on the plate, one value per line of :meth:`lines`."""
        table = self._table(energy)
        masses = self.masses_at(x, z) * 1e-6
        first, second = self._sines
        absorbed = (table.incoming @ masses) / first + (masses @ table.outgoing) / second
        escaped = -np.expm1(-absorbed) / np.maximum(absorbed, 1e-30)
        return np.asarray(self._collected * (masses @ table.strengths) / first * np.where(absorbed > 0, escaped, 1.0))

    def truth(self) -> dict[str, Any]:
        """Areal masses of the plate and of its discs."""
        return {
            "technique": "fluorescence",
            "masses": {**self.masses, **{f"{name}@units": "ug/cm^2" for name in self.masses}},
            "discs": {
                f"disc{n}": {
                    "x": d.x,
                    "x@units": "mm",
                    "z": d.z,
                    "z@units": "mm",
                    "radius": d.radius,
                    "radius@units": "mm",
                    "masses": {**d.masses, **{f"{name}@units": "ug/cm^2" for name in d.masses}},
                }
                for n, d in enumerate(self.discs)
            },
            "collected": self._collected,
        }

    @staticmethod
    def _mass_in(disc: Disc, element: str) -> float:
        return sum(mass for name, mass in disc.masses.items() if symbol(name) == element)

    def _table(self, energy: float) -> _Lines:
        energy = round(energy, 5)
        if energy not in self._tables:
            if len(self._tables) >= 16:
                del self._tables[next(iter(self._tables))]
            self._tables[energy] = self._tabulate(energy)
        return self._tables[energy]

    def _tabulate(self, energy: float) -> _Lines:
        names: list[str] = []
        energies: list[float] = []
        columns: list[NDArray[np.float64]] = []
        for k, element in enumerate(self.elements):
            for name, at, strength in line_cross_sections(element, energy):
                column = np.zeros(len(self.elements))
                column[k] = strength
                names.append(f"{element} {name}")
                energies.append(at)
                columns.append(column)
        compton = energy / (1.0 + energy / ELECTRON_MASS * (1.0 + math.cos(self._angle)))
        for name, at, kind in (("elastic", energy, "elastic"), ("Compton", compton, "compton")):
            names.append(name)
            energies.append(at)
            columns.append(self._scatter * np.array([float(mass_absorption(e, energy, kind)) for e in self.elements]))
        lines = np.array(energies)
        return _Lines(
            tuple(names),
            lines,
            np.stack(columns, axis=1),
            np.array([float(mass_absorption(e, energy)) for e in self.elements]),
            np.stack([mass_absorption(e, lines) for e in self.elements]),
        )


def line_cross_sections(element: str, energy: float) -> list[tuple[str, float, float]]:
    """Production cross sections of an element's K and L lines.

    :param energy: of the exciting photons, keV.
    :return: name, energy (keV) and photons per photon and mass (cm²/g) of each line.
    """
    remaining = float(mass_absorption(element, energy, "photo"))
    vacancies: dict[str, float] = {}
    for edge in edges_of(element):
        if edge.energy < energy:
            vacancies[edge.name] = remaining * (1.0 - 1.0 / edge.jump)
            remaining /= edge.jump
    one, two = vacancies.get("L1", 0.0), vacancies.get("L2", 0.0)
    if "L3" in vacancies:
        # The probabilities are those of all ways, also over L2.
        vacancies["L3"] += one * coster_kronig(element, "L1", "L3") + two * coster_kronig(element, "L2", "L3")
    if "L2" in vacancies:
        vacancies["L2"] += one * coster_kronig(element, "L1", "L2")
    yields = {edge.name: edge.fluorescence for edge in edges_of(element)}
    return [
        (line.name, line.energy, vacancies[line.level] * yields[line.level] * line.share)
        for line in lines_of(element)
        if line.level in vacancies and line.share > _WEAKEST and line.energy >= LOWEST
    ]
