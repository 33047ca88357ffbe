"""How strongly materials absorb and refract X-rays.

Cross sections are those of W. T. Elam, B. D. Ravel, J. R. Sieber, Radiation Physics and Chemistry 63 (2002) 121-128,
and f' those of C. T. Chantler, J. Phys. Chem. Ref. Data 24 (1995) 71-643, both as ``xraydb`` gives them. That library
takes a second to import, so the elements of common filters, gases and mirrors come from a small table made of it
(:func:`tabulate`), and ``xraydb`` is asked for others only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

LOWEST, HIGHEST = 1.0, 150.0
"""Energies that a table covers, keV."""

PER_DECADE = 60

COMMON = (
    "H", "He", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "Ca", "Ti", "Cr", "Mn",
    "Fe", "Co", "Ni", "Cu", "Zn", "Ge", "Kr", "Zr", "Mo", "Rh", "Pd", "Ag", "Cd", "I", "Xe", "Ta", "W", "Pt", "Au",
    "Pb",
)  # fmt: skip
"""Elements of the table that comes with the package."""

AVOGADRO = 6.02214076e23
CLASSICAL_RADIUS = 2.8179403262e-13
"""Of the electron, cm."""
HC = 12.398419843320026
"""keV Å."""


@dataclass(frozen=True, slots=True)
class Material:
    """A compound and its density, g/cm³."""

    formula: str
    density: float


MATERIALS: dict[str, Material] = {
    "air": Material("N1.562O0.42C0.0003Ar0.0094", 1.20e-3),
    "helium": Material("He", 1.66e-4),
    "nitrogen": Material("N2", 1.165e-3),
    "argon": Material("Ar", 1.662e-3),
    "krypton": Material("Kr", 3.49e-3),
    "kapton": Material("C22H10N2O5", 1.42),
    "diamond": Material("C", 3.51),
    "graphite": Material("C", 2.23),
    "Be": Material("Be", 1.848),
    "C": Material("C", 2.23),
    "Al": Material("Al", 2.699),
    "Si": Material("Si", 2.329),
    "Ti": Material("Ti", 4.506),
    "Fe": Material("Fe", 7.874),
    "Ni": Material("Ni", 8.902),
    "Cu": Material("Cu", 8.96),
    "Zr": Material("Zr", 6.52),
    "Mo": Material("Mo", 10.22),
    "Rh": Material("Rh", 12.41),
    "Pd": Material("Pd", 12.02),
    "Ag": Material("Ag", 10.5),
    "Ta": Material("Ta", 16.65),
    "W": Material("W", 19.3),
    "Pt": Material("Pt", 21.45),
    "Au": Material("Au", 19.3),
    "Pb": Material("Pb", 11.35),
}
"""Materials known by name; gases at 20 °C and 1 atm."""


@dataclass(frozen=True, slots=True)
class Table:
    """Of one element.

    :param energies: keV, rising; at an absorption edge the last value below and the first above it.
    :param total: logarithm of the mass attenuation coefficient, cm²/g.
    :param photo: logarithm of its photoelectric part.
    :param f1: real part of the scattering factor forward, Z + f', electrons.
    """

    energies: NDArray[np.float64]
    total: NDArray[np.float64]
    photo: NDArray[np.float64]
    f1: NDArray[np.float64]
    mass: float
    """Atomic mass, g/mol."""


def material(name: str, density: float | None = None) -> Material:
    """A material by its name in :data:`MATERIALS`, or by its formula.

    :param density: g/cm³; needed for a formula that is not in the list.
    :raises InvalidInput: when the density is not known, or the formula cannot be read.
    """
    known = MATERIALS.get(name)
    if known is not None:
        return known if density is None else Material(known.formula, density)
    composition(name)
    if density is None:
        raise InvalidInput(
            f"The density of {name} is not known.", hint=f"Give it in g/cm³, or use one of: {', '.join(MATERIALS)}."
        )
    return Material(name, density)


@cache
def composition(formula: str) -> Mapping[str, float]:
    """Mass fractions of the elements of a formula such as ``SiO2`` or ``C22H10N2O5``.

    :raises InvalidInput: when it cannot be read.
    """
    parts = re.findall(r"([A-Z][a-z]?)([0-9.]*)", formula)
    if not parts or "".join(a + b for a, b in parts) != formula:
        raise InvalidInput(f"{formula!r} is no chemical formula.", hint="Write for instance SiO2.")
    masses: dict[str, float] = {}
    for symbol, count in parts:
        masses[symbol] = masses.get(symbol, 0.0) + (float(count) if count else 1.0) * element(symbol).mass
    whole = sum(masses.values())
    return {symbol: mass / whole for symbol, mass in masses.items()}


def attenuation(of: Material, energies: ArrayLike, *, photo: bool = False) -> NDArray[np.float64]:
    """Linear attenuation coefficient, 1/mm.

    :param energies: keV, any shape.
    :param photo: only the photoelectric part, which is what ionises a gas.
    """
    logs = np.log(np.clip(np.asarray(energies, dtype=np.float64), LOWEST, HIGHEST))
    mass = np.zeros(logs.shape)
    for symbol, share in composition(of.formula).items():
        table = element(symbol)
        mass += share * np.exp(np.interp(logs, np.log(table.energies), table.photo if photo else table.total))
    return np.asarray(0.1 * of.density * mass)


def transmission(of: Material, thickness: ArrayLike, energies: ArrayLike) -> NDArray[np.float64]:
    """exp(-μ t), Beer and Lambert.

    :param thickness: mm.
    :param energies: keV.
    """
    return np.asarray(np.exp(-attenuation(of, energies) * np.asarray(thickness, dtype=np.float64)))


def refraction(of: Material, energies: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """δ and β of the index n = 1 - δ + iβ.

    δ = r_e λ² Σ n_j f1_j / 2π and β = μ λ / 4π with the photoelectric μ (J. Als-Nielsen, D. McMorrow, "Elements of
    Modern X-ray Physics", 2nd ed., chapter 3).
    """
    keV = np.clip(np.asarray(energies, dtype=np.float64), LOWEST, HIGHEST)
    wavelength = HC * 1e-8 / keV
    electrons = np.zeros(keV.shape)
    for symbol, share in composition(of.formula).items():
        table = element(symbol)
        atoms = of.density * share * AVOGADRO / table.mass
        electrons += atoms * np.interp(np.log(keV), np.log(table.energies), table.f1)
    delta = CLASSICAL_RADIUS * wavelength**2 * electrons / (2.0 * np.pi)
    beta = 10.0 * attenuation(of, keV, photo=True) * wavelength / (4.0 * np.pi)
    return delta, beta


@cache
def element(symbol: str) -> Table:
    """The table of an element: from the package's own, or made of ``xraydb``.

    :raises InvalidInput: when there is no such element.
    """
    stored = _stored()
    if symbol in stored:
        return stored[symbol]
    return tabulate(symbol)


@cache
def _stored() -> dict[str, Table]:
    with resources.files("firstlight.simulation").joinpath("elements.npz").open("rb") as file:
        read = np.load(file)
        symbols = [str(s) for s in read["symbols"]]
        masses, stops, rows = read["masses"], read["stops"], read["rows"].astype(np.float64)
    starts = [0, *stops[:-1].tolist()]
    return {
        symbol: Table(rows[0, a:b], rows[1, a:b], rows[2, a:b], rows[3, a:b], float(mass))
        for symbol, mass, a, b in zip(symbols, masses, starts, stops.tolist(), strict=True)
    }


def tabulate(symbol: str) -> Table:
    """The table of an element, made of ``xraydb``.

    :raises InvalidInput: when there is no such element.
    """
    import xraydb

    try:
        number = int(xraydb.atomic_number(symbol))
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(f"There is no element {symbol!r}.") from None
    count = round(PER_DECADE * np.log10(HIGHEST / LOWEST)) + 1
    grid = np.geomspace(LOWEST, HIGHEST, count)
    edges = [edge.energy * 1e-3 for edge in xraydb.xray_edges(symbol).values()]
    # Close above an edge the coefficient falls in no simple way.
    sides = (1 - 0.01, 1 - 1e-5, 1 + 1e-5, 1 + 0.004, 1 + 0.009, 1 + 0.018)
    around = [e * side for e in edges if LOWEST < e < HIGHEST for side in sides]
    around = [e for e in around if LOWEST <= e <= HIGHEST]
    energies = np.unique(np.concatenate([grid, around]))
    eV = energies * 1e3
    f1 = number + np.asarray(xraydb.f1_chantler(symbol, eV)) if number <= 92 else np.full(len(eV), float(number))
    total, photo = (np.log(xraydb.mu_elam(symbol, eV, kind=kind)) for kind in ("total", "photo"))
    return Table(energies, total, photo, f1, float(xraydb.atomic_mass(symbol)))


def write_tables(path: Any, symbols: Sequence[str] = COMMON) -> None:
    """Write the table that comes with the package, from ``xraydb``: ``python -m firstlight.simulation._materials``."""
    tables = [tabulate(symbol) for symbol in symbols]
    rows = np.concatenate([np.stack([t.energies, t.total, t.photo, t.f1]) for t in tables], axis=1)
    np.savez_compressed(
        path,
        symbols=np.array(symbols),
        masses=np.array([t.mass for t in tables]),
        stops=np.cumsum([len(t.energies) for t in tables]),
        rows=rows.astype(np.float32),
    )


if __name__ == "__main__":
    write_tables(str(resources.files("firstlight.simulation").joinpath("elements.npz")))
