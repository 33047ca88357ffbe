"""A beamline described in YAML: read, checked by the types of its devices, compared; no device is built here."""

from firstlight.configuration._beamline import Beamline, DeviceEntry, Origin, SubSession
from firstlight.configuration._compare import Difference, compare
from firstlight.configuration._example import new, schema_text
from firstlight.configuration._load import load
from firstlight.configuration._order import levels
from firstlight.configuration._problem import ConfigurationError, Problem, Where
from firstlight.configuration._schema import broken, schema
from firstlight.configuration._sections import IcatSettings, StorageSettings
from firstlight.configuration._show import Setting, settings, shown

__all__ = [
    "Beamline",
    "ConfigurationError",
    "DeviceEntry",
    "Difference",
    "IcatSettings",
    "Origin",
    "Problem",
    "Setting",
    "StorageSettings",
    "SubSession",
    "Where",
    "broken",
    "compare",
    "levels",
    "load",
    "new",
    "schema",
    "schema_text",
    "settings",
    "shown",
]
