"""Tables of the elements from xraydb, asked for once and kept as plain numbers and arrays.

xraydb (M. Newville, https://xraypy.github.io/XrayDB) holds the absorption of W. T. Elam, B. D. Ravel, J. R. Sieber,
Radiat. Phys. Chem. 63 (2002) 121-128, the form factors of D. Waasmaier, A. Kirfel, Acta Cryst. A51 (1995) 416-431 and
the anomalous ones of C. T. Chantler, J. Phys. Chem. Ref. Data 29 (2000) 597-1056. Its import takes a second, so it is
asked inside functions only.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput

HC = 12.398419843320026
"""Planck's constant times the speed of light, keV Å (CODATA 2018, exact)."""

ELECTRON_RADIUS = 2.8179403262e-5
"""Classical radius of the electron, Å (CODATA 2018)."""

AVOGADRO = 6.02214076e23
"""1/mol (exact)."""

_LOW, _HIGH = 0.12, 120.0
"""Energies that the tables are asked for, keV."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One absorption edge.

    :param energy: keV.
    :param fluorescence: probability that its vacancy is filled under emission of a photon.
    :param jump: absorption just above over that just below.
    """

    name: str
    energy: float
    fluorescence: float
    jump: float


@dataclass(frozen=True, slots=True)
class Line:
    """One emission line.

    :param energy: keV.
    :param share: of the photons emitted from its initial level.
    :param level: the initial level: K, L1, L2, ...
    """

    name: str
    energy: float
    share: float
    level: str


def wavelength(energy: float) -> float:
    """Å of an energy in keV."""
    return HC / energy


@cache
def symbol(element: str) -> str:
    """The element's symbol as the tables spell it.

    :raises InvalidInput: for what is no element.
    """
    import xraydb

    try:
        return str(xraydb.atomic_symbol(xraydb.atomic_number(element)))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        known = [str(xraydb.atomic_symbol(z)) for z in range(1, 93)]
        close = difflib.get_close_matches(element.title(), known, n=1, cutoff=0.3)
        raise InvalidInput(
            f"There is no element {element!r}.", hint=f"Did you mean {close[0]}?" if close else "Write it like Fe."
        ) from error


@cache
def atomic_mass(element: str) -> float:
    """g/mol."""
    import xraydb

    return float(xraydb.atomic_mass(symbol(element)))


@cache
def density_of(element: str) -> float:
    """Of the element, g/cm³."""
    import xraydb

    return float(xraydb.atomic_density(symbol(element)))


@cache
def edges_of(element: str) -> tuple[Edge, ...]:
    """The edges of the K and L shells, by falling energy."""
    import xraydb

    found = xraydb.xray_edges(symbol(element))
    return tuple(
        Edge(name, e.energy * 1e-3, e.fyield, e.jump_ratio)
        for name, e in sorted(found.items(), key=lambda item: -item[1].energy)
        if name in ("K", "L1", "L2", "L3")
    )


@cache
def lines_of(element: str) -> tuple[Line, ...]:
    """The lines of the K and L shells."""
    import xraydb

    found = xraydb.xray_lines(symbol(element))
    return tuple(
        Line(name, line.energy * 1e-3, line.intensity, line.initial_level)
        for name, line in found.items()
        if line.initial_level in ("K", "L1", "L2", "L3")
    )


@cache
def coster_kronig(element: str, initial: str, final: str) -> float:
    """Probability that a vacancy moves from one L level to another, in one step or two."""
    import xraydb

    try:
        return float(xraydb.ck_probability(symbol(element), initial, final, total=True) or 0.0)
    except (ValueError, AttributeError):
        return 0.0


@cache
def _absorption(element: str, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of energy (keV) and of the cross section (cm²/g), dense, with both sides of each edge."""
    import xraydb

    grid = np.geomspace(_LOW, _HIGH, 1600)
    edges = [e.energy * 1e-3 for e in xraydb.xray_edges(symbol(element)).values()]
    inside = np.array([e for e in edges if _LOW < e < _HIGH])
    grid = np.unique(np.concatenate([grid, inside * (1.0 - 1e-6), inside * (1.0 + 1e-6)]))
    values = np.asarray(xraydb.mu_elam(symbol(element), grid * 1e3, kind=kind), dtype=np.float64)
    return np.log(grid), np.log(np.maximum(values, 1e-30))


def mass_absorption(element: str, energy: ArrayLike, kind: str = "total") -> NDArray[np.float64]:
    """Mass attenuation at energies (keV), cm²/g.

    :param kind: ``total``, ``photo``, ``coh`` (elastic) or ``incoh`` (Compton).
    """
    x, y = _absorption(symbol(element), kind)
    return np.exp(np.interp(np.log(np.asarray(energy, dtype=np.float64)), x, y))


def absorption_of(masses: Mapping[str, float], energy: ArrayLike, kind: str = "total") -> NDArray[np.float64]:
    """Mass attenuation of a mixture, cm²/g.

    :param masses: mass fraction of each element.
    """
    total = np.zeros(np.shape(energy))
    for element, fraction in masses.items():
        total = total + fraction * mass_absorption(element, energy, kind)
    return total


def form_factor(element: str, s: ArrayLike) -> NDArray[np.float64]:
    """Scattering factor f₀ of the neutral atom.

    :param s: sin θ / λ, 1/Å.
    """
    import xraydb

    return np.asarray(xraydb.f0(symbol(element), np.atleast_1d(np.asarray(s, dtype=np.float64))), dtype=np.float64)


@cache
def anomalous(element: str, energy: float) -> complex:
    """f′ + i f″ at an energy (keV)."""
    import xraydb

    name = symbol(element)
    return complex(float(xraydb.f1_chantler(name, energy * 1e3)), float(xraydb.f2_chantler(name, energy * 1e3)))


def mass_fractions(formula: str) -> dict[str, float]:
    """Mass fraction of each element of a chemical formula such as ``CeO2``.

    :raises InvalidInput: for what is no formula.
    """
    import xraydb

    try:
        counts = dict(xraydb.chemparse(formula))
    except (ValueError, KeyError) as error:
        raise InvalidInput(f"{formula!r} is not a chemical formula.", hint="Write it like Fe2O3.") from error
    if not counts:
        raise InvalidInput("A chemical formula is empty.", hint="Write it like Fe2O3.")
    return normalised({name: count * atomic_mass(name) for name, count in counts.items()})


def normalised(masses: Mapping[str, float]) -> dict[str, float]:
    """The same composition with fractions of sum 1.

    :raises InvalidInput: when an amount is below zero, or all are zero.
    """
    total = sum(masses.values())
    if not total > 0 or min(masses.values()) < 0:
        raise InvalidInput(f"A composition needs amounts of at least zero, and one above: {dict(masses)}.")
    return {symbol(name): amount / total for name, amount in masses.items()}
