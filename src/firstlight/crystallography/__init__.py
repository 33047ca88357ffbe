"""Lattices, orientation, reciprocal space: from angles to h, k, l and back; knows numbers, no device."""

from firstlight.crystallography._diffractometer import HC, Diffractometer, Discontinuous, Unreachable
from firstlight.crystallography._geometry import (
    GEOMETRIES,
    Circle,
    Geometry,
    Mode,
    e4ch,
    e4cv,
    geometry,
    k4cv,
    k6c,
    psic,
    sixc,
    zaxis,
)
from firstlight.crystallography._lattice import Lattice
from firstlight.crystallography._line import Line, line
from firstlight.crystallography._orientation import (
    SYSTEMS,
    Refined,
    Reflection,
    measured,
    orientation_of,
    refine,
    ub_from_three,
    ub_from_two,
)
from firstlight.crystallography._solve import Wishes, angles_to_q, azimuths, eulerian, forward, solve

__all__ = [
    "GEOMETRIES",
    "HC",
    "SYSTEMS",
    "Circle",
    "Diffractometer",
    "Discontinuous",
    "Geometry",
    "Lattice",
    "Line",
    "Mode",
    "Refined",
    "Reflection",
    "Unreachable",
    "Wishes",
    "angles_to_q",
    "azimuths",
    "e4ch",
    "e4cv",
    "eulerian",
    "forward",
    "geometry",
    "k4cv",
    "k6c",
    "line",
    "measured",
    "orientation_of",
    "psic",
    "refine",
    "sixc",
    "solve",
    "ub_from_three",
    "ub_from_two",
    "zaxis",
]
