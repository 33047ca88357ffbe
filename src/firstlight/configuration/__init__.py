"""A beamline described in YAML: read, checked by the types of its devices, compared; no device is built here."""

from firstlight.configuration._beamline import Beamline, DeviceEntry, Origin, SubSession
from firstlight.configuration._compare import Difference, compare
from firstlight.configuration._load import load
from firstlight.configuration._order import levels
from firstlight.configuration._problem import ConfigurationError, Problem, Where
from firstlight.configuration._sections import IcatSettings, StorageSettings

__all__ = [
    "Beamline",
    "ConfigurationError",
    "DeviceEntry",
    "Difference",
    "IcatSettings",
    "Origin",
    "Problem",
    "StorageSettings",
    "SubSession",
    "Where",
    "compare",
    "levels",
    "load",
]
