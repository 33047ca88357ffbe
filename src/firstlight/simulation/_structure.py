"""Crystal structures and what they scatter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import anomalous, form_factor, normalised
from firstlight.simulation._lattice import Lattice
from firstlight.simulation._materials import AVOGADRO, element
from firstlight.simulation._random import key, uniforms

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Atom:
    """One atom of a cell.

    :param position: in fractions of the edges.
    :param thermal: isotropic displacement parameter B, Å².
    """

    element: str
    position: Position
    thermal: float = 0.5
    occupancy: float = 1.0


@dataclass(frozen=True)
class Structure:
    """A cell with its atoms.

    F(hkl) = Σ occupancy (f₀(s) + f′ + i f″) exp(-B s²) exp(2πi (hx + ky + lz)), s = sin θ / λ = 1 / 2d.

    :param atoms: all of the cell, not only the independent ones.
    """

    name: str
    lattice: Lattice
    atoms: tuple[Atom, ...]
    source: str = ""
    _fractions: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.atoms:
            raise InvalidInput(f"The structure {self.name} has no atoms.")
        object.__setattr__(self, "_fractions", np.array([atom.position for atom in self.atoms]))

    def mass_fractions(self) -> dict[str, float]:
        """Of each element."""
        masses: dict[str, float] = {}
        for atom in self.atoms:
            masses[atom.element] = masses.get(atom.element, 0.0) + atom.occupancy * element(atom.element).mass
        return normalised(masses)

    @property
    def density(self) -> float:
        """Of the perfect crystal, g/cm³."""
        grams = sum(atom.occupancy * element(atom.element).mass for atom in self.atoms) / AVOGADRO
        return grams / (self.lattice.volume * 1e-24)

    def intensities(self, hkl: NDArray[np.int64], energy: float) -> NDArray[np.float64]:
        """Squares of the structure factors of reflections (n, 3) at an energy (keV), electrons²."""
        s = 0.5 / self.lattice.spacing(hkl)
        factors: dict[tuple[str, float], NDArray[np.complex128]] = {}
        total = np.zeros(len(hkl), dtype=np.complex128)
        for atom, place in zip(self.atoms, self._fractions, strict=True):
            kind = (atom.element, atom.thermal)
            if kind not in factors:
                f = form_factor(atom.element, s) + anomalous(atom.element, round(energy, 6))
                factors[kind] = np.asarray(f * np.exp(-atom.thermal * s * s))
            total += atom.occupancy * factors[kind] * np.exp(2j * np.pi * (hkl @ place))
        return np.asarray(total.real**2 + total.imag**2)


@dataclass(frozen=True)
class WilsonStructure:
    """A large cell of which nothing but its content is known: intensities of random atoms.

    The square of F is Σ f² exp(-2 B s²) x, x being exponentially distributed (A. J. C. Wilson, Acta Cryst. 2 (1949)
    318-321), the same for reflections that the Laue group 4/mmm relates.

    :param carbons: carbon atoms that scatter as much as the cell's content.
    :param thermal: B, Å².
    :param seed: of the intensities.
    """

    name: str
    lattice: Lattice
    carbons: float
    thermal: float = 15.0
    seed: int = 0
    source: str = ""

    def intensities(self, hkl: NDArray[np.int64], energy: float) -> NDArray[np.float64]:
        """Squares of the structure factors of reflections (n, 3), electrons²."""
        s = 0.5 / self.lattice.spacing(hkl)
        h = np.abs(hkl)
        low, high = np.minimum(h[:, 0], h[:, 1]), np.maximum(h[:, 0], h[:, 1])
        states = ((low << 40) + (high << 20) + h[:, 2]).astype(np.uint64) ^ np.uint64(key(self.seed, 21))
        drawn = -np.log(uniforms(states, 0))
        return np.asarray(self.carbons * form_factor("C", s) ** 2 * np.exp(-2.0 * self.thermal * s * s) * drawn)


Scatterer = Structure | WilsonStructure

_FACES: Sequence[Position] = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))


def _placed(element: str, places: Sequence[Position], thermal: float, centring: Sequence[Position]) -> list[Atom]:
    atoms = []
    for x, y, z in places:
        for u, v, w in centring:
            atoms.append(Atom(element, ((x + u) % 1.0, (y + v) % 1.0, (z + w) % 1.0), thermal))
    return atoms


@cache
def ceria() -> Structure:
    """CeO2, fluorite; cell of NIST SRM 674b."""
    quarter: list[Position] = [(0.25, 0.25, 0.25), (0.75, 0.75, 0.75)]
    atoms = _placed("Ce", [(0.0, 0.0, 0.0)], 0.28, _FACES) + _placed("O", quarter, 0.49, _FACES)
    return Structure("CeO2", Lattice(5.411526, 5.411526, 5.411526), tuple(atoms), "NIST SRM 674b")


@cache
def silicon() -> Structure:
    """Si, diamond structure; cell of NIST SRM 640f."""
    places: list[Position] = [(0.0, 0.0, 0.0), (0.25, 0.25, 0.25)]
    return Structure(
        "Si", Lattice(5.431144, 5.431144, 5.431144), tuple(_placed("Si", places, 0.46, _FACES)), "NIST SRM 640f"
    )


@cache
def lanthanum_hexaboride() -> Structure:
    """LaB6; cell of NIST SRM 660c, x(B) = 0.1993 (A. N. Eliseev et al., Zh. Neorg. Khim. 31 (1986) 1694)."""
    x = 0.1993
    boron: list[Position] = [
        (x, 0.5, 0.5), (1 - x, 0.5, 0.5), (0.5, x, 0.5), (0.5, 1 - x, 0.5), (0.5, 0.5, x), (0.5, 0.5, 1 - x),
    ]  # fmt: skip
    whole: list[Position] = [(0.0, 0.0, 0.0)]
    atoms = _placed("La", whole, 0.35, whole) + _placed("B", boron, 0.35, whole)
    return Structure("LaB6", Lattice(4.156826, 4.156826, 4.156826), tuple(atoms), "NIST SRM 660c")


@cache
def corundum() -> Structure:
    """Al2O3, hexagonal axes; cell of NIST SRM 676a, z(Al) = 0.35219 and x(O) = 0.30633 of J. Lewis, D. Schwarzenbach,
    H. D. Flack, Acta Cryst. A38 (1982) 733-739."""
    z, x = 0.35219, 0.30633
    rhombohedral: list[Position] = [(0.0, 0.0, 0.0), (2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)]
    metal: list[Position] = [(0.0, 0.0, z), (0.0, 0.0, 0.5 - z), (0.0, 0.0, 1 - z), (0.0, 0.0, 0.5 + z)]
    oxygen: list[Position] = [
        (x, 0.0, 0.25), (0.0, x, 0.25), (1 - x, 1 - x, 0.25), (1 - x, 0.0, 0.75), (0.0, 1 - x, 0.75), (x, x, 0.75),
    ]  # fmt: skip
    atoms = _placed("Al", metal, 0.21, rhombohedral) + _placed("O", oxygen, 0.25, rhombohedral)
    cell = Lattice(4.759091, 4.759091, 12.991779, 90.0, 90.0, 120.0)
    return Structure("Al2O3", cell, tuple(atoms), "NIST SRM 676a")


@cache
def lysozyme() -> WilsonStructure:
    """Tetragonal hen egg-white lysozyme, P4₃2₁2, with intensities of random atoms (8 molecules of 1001 atoms)."""
    return WilsonStructure("lysozyme", Lattice(79.1, 79.1, 37.9), 8 * 1001 * 1.2, source="cell of PDB entries as 193L")


STANDARDS: dict[str, Callable[[], Structure]] = {
    "CeO2": ceria,
    "LaB6": lanthanum_hexaboride,
    "Si": silicon,
    "Al2O3": corundum,
}
"""Reference materials by name."""

SINGLE_CRYSTALS: dict[str, Callable[[], Scatterer]] = {**STANDARDS, "lysozyme": lysozyme}
"""Everything that a single crystal can be made of, by name."""


def standard_structure(name: str) -> Structure:
    """A reference material.

    :raises InvalidInput: with the names that are known.
    """
    if name not in STANDARDS:
        raise InvalidInput(f"There is no reference material {name!r}.", hint=f"Known: {', '.join(STANDARDS)}.")
    return STANDARDS[name]()


def crystal_structure(name: str) -> Scatterer:
    """A structure for a single crystal.

    :raises InvalidInput: with the names that are known.
    """
    if name not in SINGLE_CRYSTALS:
        raise InvalidInput(f"There is no crystal {name!r}.", hint=f"Known: {', '.join(SINGLE_CRYSTALS)}.")
    return SINGLE_CRYSTALS[name]()
