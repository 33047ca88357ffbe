"""Compiled pixel and reconstruction functions with their NumPy twins; knows arrays only."""

from firstlight.kernels._angles import angle_weights
from firstlight.kernels._correct import LEAST_TRANSMISSION, Corrected, Reduced, attenuation, reduce_stack
from firstlight.kernels._filters import FILTERS, filter_response, ramp_kernel
from firstlight.kernels._gridrec import TOLERANCE, Gridrec, reconstruct
from firstlight.kernels._region import (
    RegionsStatistics,
    RegionStatistics,
    region_profile,
    region_statistics,
    regions_statistics,
)
from firstlight.kernels._threads import cores, each
from firstlight.kernels._warm import warm_up

__all__ = [
    "FILTERS",
    "LEAST_TRANSMISSION",
    "TOLERANCE",
    "Corrected",
    "Gridrec",
    "Reduced",
    "RegionStatistics",
    "RegionsStatistics",
    "angle_weights",
    "attenuation",
    "cores",
    "each",
    "filter_response",
    "ramp_kernel",
    "reconstruct",
    "reduce_stack",
    "region_profile",
    "region_statistics",
    "regions_statistics",
    "warm_up",
]
