"""Runs to read, follow, align and export: live in the buffer, being saved, or in a file, behind one face."""

from firstlight.data._align import Feature, Kind, NoPeak, Position, center_of_mass, feature
from firstlight.data._channel import Channel
from firstlight.data._follow import Follower, Latest, Watcher
from firstlight.data._run import Run

__all__ = [
    "Channel",
    "Feature",
    "Follower",
    "Kind",
    "Latest",
    "NoPeak",
    "Position",
    "Run",
    "Watcher",
    "center_of_mass",
    "feature",
]
