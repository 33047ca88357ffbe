"""The physics of a beamline that never breaks: source, sample and detector as seeded, exact functions of time."""

from firstlight.simulation._area import AreaImager, module_mask
from firstlight.simulation._beam import Beam
from firstlight.simulation._changer import CHANGER, Mounted, PointChanger, SceneChanger, at_slot, bare
from firstlight.simulation._crystal import CRYSTALS, Crystal, Monochromator
from firstlight.simulation._darkfield import DarkField, DarkFieldSettings
from firstlight.simulation._detector import Detector
from firstlight.simulation._diffractometer import GONIOMETERS, Diffractometer, Goniometer
from firstlight.simulation._edge import COPPER, AbsorptionScan, EdgePlate, EdgeSample, FineStructure, Shell
from firstlight.simulation._film import GrowingFilm, Layer, reflectivity
from firstlight.simulation._fluorescence import Disc, FluorescentPlate
from firstlight.simulation._geometry import Geometry
from firstlight.simulation._imager import Imager, Light, Pose, warm_up
from firstlight.simulation._lattice import Lattice
from firstlight.simulation._machine import History, Machine
from firstlight.simulation._materials import (
    MATERIALS,
    Material,
    attenuation,
    composition,
    material,
    refraction,
    transmission,
)
from firstlight.simulation._mirror import Mirror
from firstlight.simulation._misalignment import misalignment
from firstlight.simulation._optics import Element, Optics
from firstlight.simulation._part import Part, PointSample, Scene
from firstlight.simulation._passive import Absorber, Aperture, Attenuator, FastShutter, Foil, GasCell, Slits
from firstlight.simulation._peak import Peak
from firstlight.simulation._phantom import PRESETS, Ellipsoid, Phantom, shepp_logan, tooth
from firstlight.simulation._powder import Family, Powder, PowderSettings
from firstlight.simulation._pulses import PulseDetector, Recorded
from firstlight.simulation._random import key, key_of, moment_key, normal, poisson, poissons, uniform
from firstlight.simulation._ring import Ring
from firstlight.simulation._shadow import Shadow
from firstlight.simulation._single import REFLECTION, SingleCrystal, SingleCrystalSettings
from firstlight.simulation._state import BeamState, Profile
from firstlight.simulation._structure import (
    SINGLE_CRYSTALS,
    STANDARDS,
    Atom,
    Structure,
    crystal_structure,
    standard_structure,
)
from firstlight.simulation._undulator import HARMONICS, Spectrum, Undulator

__all__ = [
    "CHANGER",
    "COPPER",
    "CRYSTALS",
    "GONIOMETERS",
    "HARMONICS",
    "MATERIALS",
    "PRESETS",
    "REFLECTION",
    "SINGLE_CRYSTALS",
    "STANDARDS",
    "Absorber",
    "AbsorptionScan",
    "Aperture",
    "AreaImager",
    "Atom",
    "Attenuator",
    "Beam",
    "BeamState",
    "Crystal",
    "DarkField",
    "DarkFieldSettings",
    "Detector",
    "Diffractometer",
    "Disc",
    "EdgePlate",
    "EdgeSample",
    "Element",
    "Ellipsoid",
    "Family",
    "FastShutter",
    "FineStructure",
    "FluorescentPlate",
    "Foil",
    "GasCell",
    "Geometry",
    "Goniometer",
    "GrowingFilm",
    "History",
    "Imager",
    "Lattice",
    "Layer",
    "Light",
    "Machine",
    "Material",
    "Mirror",
    "Monochromator",
    "Mounted",
    "Optics",
    "Part",
    "Peak",
    "Phantom",
    "PointChanger",
    "PointSample",
    "Pose",
    "Powder",
    "PowderSettings",
    "Profile",
    "PulseDetector",
    "Recorded",
    "Ring",
    "Scene",
    "SceneChanger",
    "Shadow",
    "Shell",
    "SingleCrystal",
    "SingleCrystalSettings",
    "Slits",
    "Spectrum",
    "Structure",
    "Undulator",
    "at_slot",
    "attenuation",
    "bare",
    "composition",
    "crystal_structure",
    "key",
    "key_of",
    "material",
    "misalignment",
    "module_mask",
    "moment_key",
    "normal",
    "poisson",
    "poissons",
    "reflectivity",
    "refraction",
    "shepp_logan",
    "standard_structure",
    "tooth",
    "transmission",
    "uniform",
    "warm_up",
]
