"""Data on disk: the data policy's tree, the saver of runs, the readers of their files, recovery and compaction.

Modules that need h5py are loaded at first use: paths can be had without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstlight.storage._logbook import Logbook, LogEntry
from firstlight.storage._options import SaverOptions
from firstlight.storage._policy import (
    DataPolicy,
    DatasetFolder,
    Experiment,
    Roots,
    check_name,
    dataset_of,
    require_root,
)
from firstlight.storage._report import SavingReport, read_report
from firstlight.storage._settings import Section, SettingsStore
from firstlight.storage._space import StorageError, free_space, require_space
from firstlight.storage._state import state_folder

if TYPE_CHECKING:
    from firstlight.storage._blueprint import blueprint
    from firstlight.storage._compact import Compacted, compact
    from firstlight.storage._hdf5 import open_hdf5
    from firstlight.storage._icat import IcatRecord, describe_record, icat_record, write_icat
    from firstlight.storage._links import rebuild_masters, write_dataset_links, write_masters
    from firstlight.storage._recover import Recovered, recover, recover_files
    from firstlight.storage._references import reference_spec, references
    from firstlight.storage._rescue import Rescued, rescue, unfinished
    from firstlight.storage._runsaver import RunSaver
    from firstlight.storage._scan import FileChannel, ScanFile, list_entries, open_scan
    from firstlight.storage._service import RunStatus, Saver, SaverStatus, saver_address
    from firstlight.storage._spool import IcatRequest, IcatSpool, icat_broker

_HOMES = {
    "blueprint": "_blueprint",
    "Compacted": "_compact",
    "compact": "_compact",
    "open_hdf5": "_hdf5",
    "IcatRecord": "_icat",
    "describe_record": "_icat",
    "icat_record": "_icat",
    "write_icat": "_icat",
    "rebuild_masters": "_links",
    "write_dataset_links": "_links",
    "write_masters": "_links",
    "Recovered": "_recover",
    "recover": "_recover",
    "recover_files": "_recover",
    "reference_spec": "_references",
    "references": "_references",
    "Rescued": "_rescue",
    "rescue": "_rescue",
    "unfinished": "_rescue",
    "RunSaver": "_runsaver",
    "FileChannel": "_scan",
    "ScanFile": "_scan",
    "list_entries": "_scan",
    "open_scan": "_scan",
    "RunStatus": "_service",
    "Saver": "_service",
    "SaverStatus": "_service",
    "saver_address": "_service",
    "IcatRequest": "_spool",
    "IcatSpool": "_spool",
    "icat_broker": "_spool",
}

__all__ = [
    "Compacted",
    "DataPolicy",
    "DatasetFolder",
    "Experiment",
    "FileChannel",
    "IcatRecord",
    "IcatRequest",
    "IcatSpool",
    "LogEntry",
    "Logbook",
    "Recovered",
    "Rescued",
    "Roots",
    "RunSaver",
    "RunStatus",
    "Saver",
    "SaverOptions",
    "SaverStatus",
    "SavingReport",
    "ScanFile",
    "Section",
    "SettingsStore",
    "StorageError",
    "blueprint",
    "check_name",
    "compact",
    "dataset_of",
    "describe_record",
    "free_space",
    "icat_broker",
    "icat_record",
    "list_entries",
    "open_hdf5",
    "open_scan",
    "read_report",
    "rebuild_masters",
    "recover",
    "recover_files",
    "reference_spec",
    "references",
    "require_root",
    "require_space",
    "rescue",
    "saver_address",
    "state_folder",
    "unfinished",
    "write_dataset_links",
    "write_icat",
    "write_masters",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"firstlight.storage.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'firstlight.storage' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
