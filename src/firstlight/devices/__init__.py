"""Drivers behind the protocols of ``model``, and what every axis has in common."""

from firstlight.devices._area import (
    STATISTICS,
    AnyRegion,
    Arc,
    AreaRegion,
    Collection,
    Grid,
    Rectangle,
    SourceConfiguration,
    area_region,
)
from firstlight.devices._attribute import AttributeCounter, SoftCounterConfiguration
from firstlight.devices._attribute_hook import AttributeHook
from firstlight.devices._axis import Axis
from firstlight.devices._axis_configuration import AnyAxisConfiguration, make_axis
from firstlight.devices._calculated import Assembly, Calculated
from firstlight.devices._computed import CalculatedCounter, CalculatedCounterConfiguration
from firstlight.devices._configuration import (
    AxisReference,
    Configuration,
    Mention,
    Misfit,
    Naming,
    Quantity,
    Reference,
    WrongSetting,
    one_of,
    unit,
)
from firstlight.devices._integrating import IntegratingCounter
from firstlight.devices._kind import Kind, PlugIn
from firstlight.devices._mca import Mca, Spectra
from firstlight.devices._paced import PacedSource
from firstlight.devices._regions import Regions
from firstlight.devices._registry import (
    DEVICES,
    SOURCES,
    Device,
    build,
    build_source,
    configuration,
    is_source,
    kinds,
    makes,
    plugins,
)
from firstlight.devices._sampling import SamplingCounter, SamplingMode
from firstlight.devices._soft import SoftAxis, SoftCounter
from firstlight.devices._soft_axis import attribute_driver, soft_axis
from firstlight.devices._spectrum import Calibration, SpectrumRegion
from firstlight.devices._surroundings import Surroundings
from firstlight.devices._travel import slowed, travel_time

__all__ = [
    "DEVICES",
    "SOURCES",
    "STATISTICS",
    "AnyAxisConfiguration",
    "AnyRegion",
    "Arc",
    "AreaRegion",
    "Assembly",
    "AttributeCounter",
    "AttributeHook",
    "Axis",
    "AxisReference",
    "Calculated",
    "CalculatedCounter",
    "CalculatedCounterConfiguration",
    "Calibration",
    "Collection",
    "Configuration",
    "Device",
    "Grid",
    "IntegratingCounter",
    "Kind",
    "Mca",
    "Mention",
    "Misfit",
    "Naming",
    "PacedSource",
    "PlugIn",
    "Quantity",
    "Rectangle",
    "Reference",
    "Regions",
    "SamplingCounter",
    "SamplingMode",
    "SoftAxis",
    "SoftCounter",
    "SoftCounterConfiguration",
    "SourceConfiguration",
    "Spectra",
    "SpectrumRegion",
    "Surroundings",
    "WrongSetting",
    "area_region",
    "attribute_driver",
    "build",
    "build_source",
    "configuration",
    "is_source",
    "kinds",
    "make_axis",
    "makes",
    "one_of",
    "plugins",
    "slowed",
    "soft_axis",
    "travel_time",
    "unit",
]
