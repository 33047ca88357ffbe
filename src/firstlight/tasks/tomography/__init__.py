"""Tomography: from projections to a volume, as plain functions and as a job in its own process."""

from firstlight.tasks.tomography._axis import METHODS as AXIS_METHODS
from firstlight.tasks.tomography._axis import Axis, AxisEstimate, find_axis
from firstlight.tasks.tomography._chain import Overview, Progress, Result, process
from firstlight.tasks.tomography._job import open_source
from firstlight.tasks.tomography._options import Options
from firstlight.tasks.tomography._phase import Paganin
from firstlight.tasks.tomography._picture import draw
from firstlight.tasks.tomography._projections import DARK, FLAT, PROJECTION, Frames, Picked, Projections
from firstlight.tasks.tomography._references import References, reduce_references, sinograms
from firstlight.tasks.tomography._rings import RING_METHODS, remove_rings
from firstlight.tasks.tomography._sources import open_projections
from firstlight.tasks.tomography._upright import Upright, find_lean

__all__ = [
    "AXIS_METHODS",
    "DARK",
    "FLAT",
    "PROJECTION",
    "RING_METHODS",
    "Axis",
    "AxisEstimate",
    "Frames",
    "Options",
    "Overview",
    "Paganin",
    "Picked",
    "Progress",
    "Projections",
    "References",
    "Result",
    "Upright",
    "draw",
    "find_axis",
    "find_lean",
    "open_projections",
    "open_source",
    "process",
    "reduce_references",
    "remove_rings",
    "sinograms",
]
