"""Runs to read, follow, align and export: live in the buffer, being saved, or in a file, behind one face."""

from firstlight.data._align import Feature, Kind, NoPeak, Position, center_of_mass, feature
from firstlight.data._catalogue import Catalogue, CatalogueEntry, Update
from firstlight.data._channel import Channel
from firstlight.data._columns import export_csv, export_text
from firstlight.data._export import Exported, Exporter, export, exporters
from firstlight.data._follow import Follower, Latest, Watcher
from firstlight.data._listing import DatasetEntry, RunEntry, datasets
from firstlight.data._nxtomo import export_nxtomo
from firstlight.data._open import open, runs  # noqa: A004 - used as firstlight.open
from firstlight.data._query import Query
from firstlight.data._reach import Reach, reach
from firstlight.data._run import Run
from firstlight.data._source import NoChannel, Stored

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "Channel",
    "DatasetEntry",
    "Exported",
    "Exporter",
    "Feature",
    "Follower",
    "Kind",
    "Latest",
    "NoChannel",
    "NoPeak",
    "Position",
    "Query",
    "Reach",
    "Run",
    "RunEntry",
    "Stored",
    "Update",
    "Watcher",
    "center_of_mass",
    "datasets",
    "export",
    "export_csv",
    "export_nxtomo",
    "export_text",
    "exporters",
    "feature",
    "open",
    "reach",
    "runs",
]
