"""Records of datasets for ICAT: valid by ICAT's own rules, kept until a broker has them, never lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from firstlight.buffer import Buffer
from firstlight.model import Conflict, InvalidInput, NotFound, Quantity
from firstlight.process import ProcessSpec, Supervisor
from firstlight.storage import DatasetFolder, IcatSpool, icat_broker, icat_record, write_icat
from tests.data.data_room import START, Room
from tests.storage.stomp_broker import Broker, broker

pytest.importorskip("pyicat_plus")

NAMES = "{http://www.esrf.fr/icat}"
TOMO: dict[str, Any] = {
    "sample": {"name": "tooth", "description": "molar of a cave bear"},
    "technique": {
        "scan_category": "tomo:basic",
        "scan": {"tomo_n": 900, "flat_n": 20, "dark_n": 10, "scan_range": 180.0, "exposure_time": 0.01, "energy": 20.5},
    },
}


@pytest.fixture
def room(buffer_root: Path, tmp_path: Path) -> Room:
    return Room(Buffer(buffer_root, spill=tmp_path / "spill"), tmp_path / "data")


@pytest.fixture
def dataset(room: Room) -> DatasetFolder:
    """Two runs, the second a tomography."""
    dataset = room.dataset("tooth", "overview")
    positioners = {"rot": Quantity(value=1.5, unit="deg"), "sx": Quantity(value=-2.0, unit="mm")}
    room.record(dataset, 1.0, parameters={"kind": "step"}, positioners=positioners)
    room.record(dataset, 60.0, parameters={"kind": "fly"}, metadata=TOMO)
    return dataset


@pytest.fixture
def spool(tmp_path: Path) -> IcatSpool:
    return IcatSpool(tmp_path / "state" / "icat")


@pytest.fixture
def ingester() -> Iterator[Broker]:
    pytest.importorskip("coilmq")
    with broker() as running:
        yield running


def parameters(message: Path | bytes) -> dict[str, str]:
    root = ET.fromstring(message if isinstance(message, bytes) else message.read_bytes())
    found = {child.tag.removeprefix(NAMES): child.text or "" for child in root}
    for parameter in root.iter(f"{NAMES}parameter"):
        name, value = parameter
        found[name.text or ""] = value.text or ""
    return found


def test_a_record_says_what_the_files_say(dataset: DatasetFolder) -> None:
    written = parameters(write_icat(icat_record(dataset), dataset.icat_file))
    assert written["investigation"] == written["proposal"] == "hc1234"
    assert written["instrument"] == "id00"
    assert written["name"] == "overview"
    # pyicat-plus leaves out what stands before the facility's roots.
    assert written["location"].endswith("/visitor/hc1234/id00/20251113/RAW_DATA/tooth/tooth_overview")
    assert written["Sample_name"] == "tooth"
    assert written["Sample_description"] == "molar of a cave bear"
    assert written["startDate"].startswith("2025-11-13T02:13:21")
    assert written["endDate"].startswith("2025-11-13T02:14:21")
    assert "XRCT" in written["definition"].split()
    assert written["scanType"] == "continuous"
    assert written["InstrumentPositioners_name"].split() == ["rot", "sx"]
    assert [float(v) for v in written["InstrumentPositioners_value"].split()] == [1.5, -2.0]
    assert float(written["TOMOAcquisition_energy"]) == 20.5
    assert float(written["TOMOAcquisition_proj_n"]) == 900
    assert dataset.icat_file.parent.name == "__icat__"
    assert START == 1_763_000_000.0


def test_fields_of_icat_can_be_given_with_the_scans_and_with_the_dataset(room: Room) -> None:
    dataset = room.dataset("steel", "map")
    room.record(dataset, 1.0, metadata={"icat": {"definition": "XRF", "Sample_temperature_env": "300"}})
    record = icat_record(dataset, {"Sample_temperature_env": "77"})
    written = parameters(write_icat(record, dataset.icat_file))
    assert "XRF" in written["definition"]
    assert written["Sample_temperature_env"] == "77"


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"Sampel_name": "tooth"}, "Sampel_name"),
        ({"definition": "TOMO"}, "technique"),
        ({"TOMOAcquisition_energy": "much"}, "TOMOAcquisition"),
    ],
)
def test_what_icat_would_not_take_is_refused_and_nothing_is_written(
    dataset: DatasetFolder, extra: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        write_icat(icat_record(dataset, extra), dataset.icat_file)
    assert list(dataset.icat_file.parent.glob("*")) == []


def test_a_dataset_without_runs_has_no_record(room: Room) -> None:
    with pytest.raises(NotFound, match="holds no run"):
        icat_record(room.dataset("air", "0001"))


def test_a_run_that_can_not_be_read_does_not_keep_the_others_out(dataset: DatasetFolder) -> None:
    dataset.scan_file(1).write_bytes(b"broken")
    assert icat_record(dataset).metadata["Sample_description"] == "molar of a cave bear"


def test_without_a_broker_records_are_written_and_wait(dataset: DatasetFolder, spool: IcatSpool) -> None:
    spool.put(dataset)
    with spool.alone():
        (tried,) = spool.work(None)
        assert tried.problem == ""
        assert spool.work(None) == []
    assert dataset.icat_file.is_file()
    (waiting,) = spool.pending()
    assert waiting.written == str(dataset.icat_file)


def test_a_broker_gets_the_record_once(dataset: DatasetFolder, spool: IcatSpool, ingester: Broker) -> None:
    spool.put(dataset)
    with spool.alone():
        (tried,) = spool.work(icat_broker([ingester.address]))
        assert tried.problem == ""
        assert spool.work(icat_broker([ingester.address])) == []
    kept = dataset.icat_file.parent / "sent" / dataset.icat_file.name
    assert ingester.received() == kept.read_bytes()
    assert parameters(kept)["Sample_name"] == "tooth"
    assert spool.pending() == []
    assert not dataset.icat_file.exists()


def test_an_absent_broker_is_tried_again_later_and_later(dataset: DatasetFolder, spool: IcatSpool) -> None:
    calls: list[Path] = []

    def refuse(record: Path) -> None:
        calls.append(record)
        raise ConnectionRefusedError("nobody listens")

    spool.put(dataset)
    with spool.alone():
        moment, waits = 1e9, []
        for tries in range(1, 10):
            (tried,) = spool.work(refuse, now=moment)
            assert (tried.tries, tried.problem) == (tries, "ConnectionRefusedError: nobody listens")
            assert spool.work(refuse, now=tried.due - 0.1) == []
            waits.append(tried.due - moment)
            moment = tried.due
        assert waits[0] == pytest.approx(10)
        assert sorted(waits) == waits
        assert waits[-1] == pytest.approx(600)
        assert len(calls) == 9
        (tried,) = spool.work(lambda record: calls.append(record), now=moment)
        assert tried.problem == ""
    assert spool.pending() == []


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # by its STOMP client
def test_a_broker_that_is_not_there_fails_with_a_reason(dataset: DatasetFolder, spool: IcatSpool) -> None:
    spool.put(dataset)
    with spool.alone():
        (tried,) = spool.work(icat_broker(["localhost:1"], timeout=0.5))
    assert tried.problem
    assert dataset.icat_file.is_file()
    assert len(spool.pending()) == 1


def test_asking_again_makes_the_record_anew(dataset: DatasetFolder, spool: IcatSpool) -> None:
    with spool.alone():
        spool.put(dataset, {"Sample_notes": "first"})
        spool.work(None)
        spool.put(dataset, {"Sample_notes": "second"})
        spool.work(None)
    assert parameters(dataset.icat_file)["Sample_notes"] == "second"
    assert len(spool.pending()) == 1


def test_only_one_works_on_a_spool(spool: IcatSpool) -> None:
    with spool.alone(), pytest.raises(Conflict, match="Another process works on"), spool.alone():
        pass
    with spool.alone():
        pass


def test_a_request_that_is_no_request_is_put_aside(dataset: DatasetFolder, spool: IcatSpool) -> None:
    (spool.folder / "nonsense.json").write_text("{")
    spool.put(dataset)
    assert [r.dataset for r in spool.pending()] == ["overview"]
    assert (spool.folder / "nonsense.broken").is_file()


def test_the_process_writes_what_it_is_asked_for_also_after_it_was_killed(
    dataset: DatasetFolder, spool: IcatSpool, room: Room, tmp_path: Path, wait_for: Any
) -> None:
    second = room.dataset("steel", "map")
    room.record(second, 2.0)
    spec = ProcessSpec(
        name="icat", target="firstlight.storage._spool:main", arguments={"spool": str(spool.folder), "brokers": []}
    )
    with Supervisor("test", tmp_path / "logs") as supervisor:
        child = supervisor.spawn(spec)
        child.wait_ready(30)
        spool.put(dataset)
        wait_for(dataset.icat_file.is_file, timeout=60)
        child.kill()
    spool.put(second)
    with Supervisor("test", tmp_path / "logs") as supervisor:
        supervisor.spawn(spec).wait_ready(30)
        wait_for(second.icat_file.is_file, timeout=60)
    assert {r.dataset for r in spool.pending()} == {"overview", "map"}


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    script = "import sys, firstlight.storage._spool; sys.exit('pyicat_plus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
