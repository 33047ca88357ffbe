"""Configurations of simulated beamlines that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

FL01 = Path(str(resources.files(__name__).joinpath("fl01.yml")))
"""An imaging beamline of 146 m: the file to read, to learn from and to copy."""
