"""Edges, lines and scattering of the elements.

They come from xraydb (M. Newville, https://xraypy.github.io/XrayDB): edges, yields and lines and the scattering cross
sections of W. T. Elam, B. D. Ravel, J. R. Sieber, Radiat. Phys. Chem. 63 (2002) 121-128, the Coster-Kronig
probabilities of M. O. Krause, J. Phys. Chem. Ref. Data 8 (1979) 307-327, the form factors of D. Waasmaier, A. Kirfel,
Acta Cryst. A51 (1995) 416-431 and the anomalous ones of C. T. Chantler, J. Phys. Chem. Ref. Data 29 (2000) 597-1056.
That library takes a second to import, so all but the form factors is kept in a small table made of it
(:func:`write_tables`). Photoabsorption is that of ``_materials``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._materials import HC, LOWEST, element

ELECTRON_RADIUS = 2.8179403262e-5
"""Classical radius of the electron, Å (CODATA 2018)."""

LEVELS = ("K", "L1", "L2", "L3")

_HEAVIEST = 92
_GRID = np.geomspace(1.0, 120.0, 48)
"""Energies of the scattering tables, keV; they are smooth."""
_FORMAT = "firstlight.simulation", "lines.npz"


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
    :param level: the initial level: K, L1, L2, L3.
    """

    name: str
    energy: float
    share: float
    level: str


def wavelength(energy: float) -> float:
    """Å of an energy in keV."""
    return HC / energy


def symbol(name: str) -> str:
    """The element's symbol, checked.

    :raises InvalidInput: for what is no element.
    """
    spelled = name.strip().capitalize()
    if spelled not in _tables()["symbols"]:
        raise InvalidInput(f"There is no element {name!r}.", hint="Write it like Fe; the heaviest one is U.")
    return spelled


@cache
def edges_of(name: str) -> tuple[Edge, ...]:
    """The edges of the K and L shells, by falling energy."""
    rows = _tables()["edges"][_index(name)]
    return tuple(Edge(level, *row) for level, row in zip(LEVELS, rows.tolist(), strict=True) if row[0] > 0.0)


@cache
def lines_of(name: str) -> tuple[Line, ...]:
    """The lines of the K and L shells."""
    tables = _tables()
    rows = tables["lines"][tables["owners"] == _index(name)]
    names = tables["names"][tables["owners"] == _index(name)]
    return tuple(
        Line(str(line), energy, share, LEVELS[int(level)])
        for line, (energy, share, level) in zip(names, rows.tolist(), strict=True)
    )


def coster_kronig(name: str, initial: str, final: str) -> float:
    """Probability that a vacancy moves from one L level to another, in one step or two."""
    where = {("L1", "L2"): 0, ("L1", "L3"): 1, ("L2", "L3"): 2}
    return float(_tables()["transitions"][_index(name), where[initial, final]])


def mass_absorption(name: str, energy: ArrayLike, kind: str = "total") -> NDArray[np.float64]:
    """Mass attenuation at energies (keV), cm²/g.

    :param kind: ``total``, ``photo``, ``elastic`` or ``compton``.
    """
    logs = np.log(np.maximum(np.asarray(energy, dtype=np.float64), LOWEST))
    if kind in ("total", "photo"):
        table = element(symbol(name))
        return np.asarray(np.exp(np.interp(logs, np.log(table.energies), getattr(table, kind))))
    return np.asarray(np.exp(np.interp(logs, np.log(_GRID), _tables()[kind][_index(name)])))


def absorption_of(masses: Mapping[str, float], energy: ArrayLike) -> NDArray[np.float64]:
    """Mass attenuation of a mixture, cm²/g.

    :param masses: mass fraction of each element.
    """
    total = np.zeros(np.shape(energy))
    for name, fraction in masses.items():
        total = total + fraction * mass_absorption(name, energy)
    return total


def form_factor(name: str, s: ArrayLike) -> NDArray[np.float64]:
    """Scattering factor f₀ of the neutral atom.

    :param s: sin θ / λ, 1/Å.
    """
    import xraydb

    return np.asarray(xraydb.f0(symbol(name), np.atleast_1d(np.asarray(s, dtype=np.float64))), dtype=np.float64)


@cache
def anomalous(name: str, energy: float) -> complex:
    """f′ + i f″ at an energy (keV)."""
    import xraydb

    known = symbol(name)
    return complex(float(xraydb.f1_chantler(known, energy * 1e3)), float(xraydb.f2_chantler(known, energy * 1e3)))


def normalised(masses: Mapping[str, float]) -> dict[str, float]:
    """The same composition with fractions of sum 1.

    :raises InvalidInput: when an amount is below zero, or all are zero.
    """
    total = sum(masses.values())
    if not total > 0 or min(masses.values()) < 0:
        raise InvalidInput(f"A composition needs amounts of at least zero, and one above: {dict(masses)}.")
    return {symbol(name): amount / total for name, amount in masses.items()}


def _index(name: str) -> int:
    return int(np.flatnonzero(_tables()["symbols"] == symbol(name))[0])


@cache
def _tables() -> dict[str, NDArray[Any]]:
    package, file = _FORMAT
    with resources.files(package).joinpath(file).open("rb") as stream:
        read = np.load(stream)
        return {key: read[key].astype(np.float64) if read[key].dtype.kind == "f" else read[key] for key in read.files}


def write_tables(path: Any) -> None:
    """Write the table that comes with the package, from ``xraydb``: ``python -m firstlight.simulation._elements``."""
    import xraydb

    symbols = [str(xraydb.atomic_symbol(z)) for z in range(1, _HEAVIEST + 1)]
    edges = np.zeros((_HEAVIEST, len(LEVELS), 3))
    transitions = np.zeros((_HEAVIEST, 3))
    owners: list[int] = []
    names: list[str] = []
    lines: list[tuple[float, float, float]] = []
    scattering: dict[str, list[NDArray[np.float64]]] = {"coh": [], "incoh": []}
    for number, known in enumerate(symbols):
        for name, edge in xraydb.xray_edges(known).items():
            if name in LEVELS:
                edges[number, LEVELS.index(name)] = edge.energy * 1e-3, edge.fyield, edge.jump_ratio
        for name, line in xraydb.xray_lines(known).items():
            if line.initial_level in LEVELS:
                owners.append(number)
                names.append(name)
                lines.append((line.energy * 1e-3, line.intensity, LEVELS.index(line.initial_level)))
        for column, (initial, final) in enumerate((("L1", "L2"), ("L1", "L3"), ("L2", "L3"))):
            try:
                transitions[number, column] = xraydb.ck_probability(known, initial, final, total=True) or 0.0
            except ValueError:
                continue  # light elements have no such transition
        for kind, rows in scattering.items():
            rows.append(np.log(np.maximum(xraydb.mu_elam(known, _GRID * 1e3, kind=kind), 1e-12)))
    np.savez_compressed(
        path,
        symbols=np.array(symbols),
        edges=edges,
        transitions=transitions.astype(np.float32),
        owners=np.array(owners, dtype=np.int16),
        names=np.array(names),
        lines=np.array(lines),
        elastic=np.array(scattering["coh"], dtype=np.float32),
        compton=np.array(scattering["incoh"], dtype=np.float32),
    )


if __name__ == "__main__":
    write_tables(str(resources.files("firstlight.simulation").joinpath("lines.npz")))
