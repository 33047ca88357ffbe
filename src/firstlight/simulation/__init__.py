"""The physics of a beamline that never breaks: source, sample and detector as seeded, exact functions of time."""

from firstlight.simulation._beam import Beam
from firstlight.simulation._detector import Detector
from firstlight.simulation._imager import Imager, Pose, warm_up
from firstlight.simulation._peak import Peak
from firstlight.simulation._phantom import PRESETS, Ellipsoid, Phantom, shepp_logan, tooth
from firstlight.simulation._random import key, key_of, moment_key, poisson
from firstlight.simulation._ring import Ring

__all__ = [
    "PRESETS",
    "Beam",
    "Detector",
    "Ellipsoid",
    "Imager",
    "Peak",
    "Phantom",
    "Pose",
    "Ring",
    "key",
    "key_of",
    "moment_key",
    "poisson",
    "shepp_logan",
    "tooth",
    "warm_up",
]
