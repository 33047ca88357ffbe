"""The record of a dataset for ICAT, the ESRF's catalogue, written with pyicat-plus.

Its parameters are ICAT's own fields (``Sample_name``, ``TOMOAcquisition_energy``, ...); what a technique knows is taken
from the tree that its scans store under ``technique``, and anything else from ``icat`` of the scans' metadata.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.model import FirstlightError, InvalidInput, MissingExtra, NotFound, RunInfo, ScanKind
from firstlight.storage._policy import DatasetFolder

TECHNIQUES = {"tomo": "XRCT"}
"""Name in the ESRF's ontology of experimental techniques, by the first word of a scan's category."""

_TOMO = {
    "TOMOAcquisition_proj_n": "tomo_n",
    "TOMOAcquisition_flat_n": "flat_n",
    "TOMOAcquisition_dark_n": "dark_n",
    "TOMOAcquisition_scan_range": "scan_range",
    "TOMOAcquisition_exposure_time": "exposure_time",
    "TOMOAcquisition_energy": "energy",
    "TOMOAcquisition_sample_detector_distance": "sample_detector_distance",
    "TOMOAcquisition_source_sample_distance": "source_sample_distance",
}
"""Fields of ICAT, and where a tomographic scan has them in ``technique/scan``, in ICAT's units."""


@dataclass(frozen=True, slots=True)
class IcatRecord:
    """What ICAT is told of one dataset.

    :param path: folder of its acquired data.
    :param metadata: ICAT's fields and their values.
    """

    beamline: str
    proposal: str
    dataset: str
    path: Path
    metadata: Mapping[str, Any] = field(default_factory=dict)


def icat_record(dataset: DatasetFolder, extra: Mapping[str, Any] | None = None) -> IcatRecord:
    """The record of a dataset, from the files of its runs.

    :param extra: more ICAT fields; they win.
    :raises NotFound: when the dataset holds no run that can be read.
    """
    from firstlight.storage._scan import open_scan

    infos: list[RunInfo] = []
    ends: list[float] = []
    for number in dataset.numbers():
        own = dataset.scan_file(number)
        try:
            with open_scan(own if own.is_file() else dataset.file, f"{number}.1") as scan:
                infos.append(scan.info)
                ends.append(scan.end.epoch if scan.end is not None else scan.info.start_epoch)
        except FirstlightError:
            continue  # a run that cannot be read does not keep the others out of the catalogue
    if not infos:
        raise NotFound(f"The dataset {dataset.folder} holds no run that can be read.")
    first = infos[0]
    metadata: dict[str, Any] = {
        "startDate": _moment(min(info.start_epoch for info in infos)),
        "endDate": _moment(max(ends)),
        "Sample_name": dataset.sample,
    }
    if description := _last(infos, ("sample", "description")):
        metadata["Sample_description"] = str(description)
    if techniques := _techniques(infos):
        metadata["definition"] = techniques
    kinds = {info.parameters.get("kind") for info in infos}
    if ScanKind.FLY.value in kinds:
        metadata["scanType"] = "continuous"
    elif ScanKind.STEP.value in kinds:
        metadata["scanType"] = "step_by_step"
    if first.positioners:
        metadata["InstrumentPositioners_name"] = list(first.positioners)
        metadata["InstrumentPositioners_value"] = [q.value for q in first.positioners.values()]
    metadata |= _tomography(infos)
    for info in infos:
        own_fields = info.metadata.get("icat")
        metadata |= own_fields if isinstance(own_fields, dict) else {}
    metadata |= extra or {}
    experiment = dataset.experiment
    return IcatRecord(experiment.beamline, experiment.proposal, dataset.name, dataset.folder, metadata)


def write_icat(record: IcatRecord, file: Path) -> Path:
    """Write a record as the message that ICAT's broker takes; at once or not at all.

    :param file: ``.xml``.
    :raises MissingExtra: without pyicat-plus.
    :raises InvalidInput: when ICAT would not take it.
    """
    try:
        from pyicat_plus.client.main import IcatClient
        from pyicat_plus.errors import IcatMetadataSerializationError, IcatMetadataValidationError
    except ImportError as error:
        raise MissingExtra("pyicat-plus", "icat") from error
    client = IcatClient(metadata_urls=["localhost"])  # it wants one also to write a file; nothing is sent
    fresh = file.with_name(f".{file.name}.{os.getpid()}.xml")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is only deprecated there is taken all the same
            client.store_dataset(
                beamline=record.beamline,
                proposal=record.proposal,
                dataset=record.dataset,
                path=str(record.path),
                metadata=dict(record.metadata),
                store_filename=str(fresh),
                strict=True,
            )
        fresh.replace(file)
    except (IcatMetadataValidationError, IcatMetadataSerializationError, AssertionError) as error:
        raise InvalidInput(
            f"ICAT does not take the record of {record.path}: {_reason(error)}",
            hint="Correct the fields under icat in the metadata; the data are not affected.",
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
    return file


def _reason(error: Exception) -> str:
    """The lines of its errors that say what is wrong, without the advertisements."""
    lines = [line.strip().partition(" [type=")[0] for line in str(error).splitlines()]
    told = [line for line in lines if line and "http" not in line and "validation error" not in line]
    return " ".join(told[:2]) or type(error).__name__


def _moment(epoch: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch, dt.UTC)


def _at(tree: Any, path: Iterable[str]) -> Any:
    for key in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(key)
    return tree


def _last(infos: Iterable[RunInfo], path: tuple[str, ...]) -> Any:
    found = [value for info in infos if (value := _at(info.metadata, path)) not in (None, "")]
    return found[-1] if found else None


def _techniques(infos: Iterable[RunInfo]) -> list[str]:
    categories = {str(c) for info in infos if (c := _at(info.metadata, ("technique", "scan_category")))}
    return sorted({TECHNIQUES[word] for c in categories if (word := c.partition(":")[0]) in TECHNIQUES})


def _tomography(infos: Iterable[RunInfo]) -> dict[str, Any]:
    scans = [s for info in infos if isinstance(s := _at(info.metadata, ("technique", "scan")), Mapping)]
    found: dict[str, Any] = {}
    for scan in scans:
        for name, key in _TOMO.items():
            if isinstance(value := scan.get(key), (int, float)):
                found[name] = value
    return found


def describe_record(record: IcatRecord) -> str:
    """The record as JSON, for people."""
    values = {name: v.isoformat() if isinstance(v, dt.datetime) else v for name, v in record.metadata.items()}
    return json.dumps(
        {"beamline": record.beamline, "proposal": record.proposal, "dataset": record.dataset, "path": str(record.path)}
        | values,
        indent=1,
    )
