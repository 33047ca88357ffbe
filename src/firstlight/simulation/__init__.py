"""The physics of a beamline that never breaks: source, sample and detector as seeded, exact functions of time."""

from firstlight.simulation._area import AreaImager, module_mask
from firstlight.simulation._beam import Beam
from firstlight.simulation._detector import Detector
from firstlight.simulation._geometry import Geometry
from firstlight.simulation._imager import Imager, Pose, warm_up
from firstlight.simulation._lattice import Lattice
from firstlight.simulation._part import Part, Scene
from firstlight.simulation._peak import Peak
from firstlight.simulation._phantom import PRESETS, Ellipsoid, Phantom, shepp_logan, tooth
from firstlight.simulation._powder import Family, Powder, PowderSettings
from firstlight.simulation._random import key, key_of, moment_key, poisson
from firstlight.simulation._ring import Ring
from firstlight.simulation._structure import (
    SINGLE_CRYSTALS,
    STANDARDS,
    Atom,
    Structure,
    crystal_structure,
    standard_structure,
)

__all__ = [
    "PRESETS",
    "SINGLE_CRYSTALS",
    "STANDARDS",
    "AreaImager",
    "Atom",
    "Beam",
    "Detector",
    "Ellipsoid",
    "Family",
    "Geometry",
    "Imager",
    "Lattice",
    "Part",
    "Peak",
    "Phantom",
    "Pose",
    "Powder",
    "PowderSettings",
    "Ring",
    "Scene",
    "Structure",
    "crystal_structure",
    "key",
    "key_of",
    "module_mask",
    "moment_key",
    "poisson",
    "shepp_logan",
    "standard_structure",
    "tooth",
    "warm_up",
]
