"""``firstlight icat``: what waits, writing records, sending them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.buffer import Buffer
from firstlight.storage import DatasetFolder
from tests.data.data_room import Room
from tests.storage.stomp_broker import broker

pytest.importorskip("pyicat_plus")

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(environment: dict[str, str], tmp_path: Path) -> DatasetFolder:
    room = Room(Buffer(Path(environment["FIRSTLIGHT_BUFFER"]), spill=tmp_path / "spill"), tmp_path / "data")
    dataset = room.dataset("tooth", "overview")
    room.record(dataset, 1.0)
    return dataset


def test_records_are_written_and_wait(main: Main, capsys: Capture, dataset: DatasetFolder) -> None:
    assert main("icat", "ls") == 0
    assert "Nothing waits" in capsys.readouterr().out
    assert main("icat", "write", str(dataset.folder)) == 0
    assert str(dataset.icat_file) in capsys.readouterr().out
    assert dataset.icat_file.is_file()
    assert main("icat", "ls") == 0
    assert "waits to be sent" in capsys.readouterr().out
    assert main("icat", "ls", "--json") == 0
    (waiting,) = json.loads(capsys.readouterr().out)
    assert waiting["folder"] == str(dataset.folder)


def test_a_record_is_shown_without_being_written(main: Main, capsys: Capture, dataset: DatasetFolder) -> None:
    assert main("icat", "write", str(dataset.folder), "--show") == 0
    assert json.loads(capsys.readouterr().out)["Sample_name"] == "tooth"
    assert not dataset.icat_file.exists()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # by its STOMP client
def test_a_broker_that_is_not_there_is_one_sentence(main: Main, refused: Refused, dataset: DatasetFolder) -> None:
    assert main("icat", "write", str(dataset.folder)) == 0
    assert "Not everything was sent" in refused("icat", "send", "--broker", "localhost:1")


def test_a_broker_gets_what_waits(main: Main, capsys: Capture, dataset: DatasetFolder) -> None:
    pytest.importorskip("coilmq")
    assert main("icat", "write", str(dataset.folder)) == 0
    with broker() as running:
        assert main("icat", "send", "--broker", running.address) == 0
        assert b"tooth" in running.received()
    assert "1 record sent, 0 still waiting." in capsys.readouterr().out
    assert not dataset.icat_file.exists()


def test_what_icat_has_no_place_for_is_refused(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "own_data" / "scan0001"
    folder.mkdir(parents=True)
    (folder / "scan0001.h5").write_bytes(b"")
    assert "not in the tree of the data policy" in refused("icat", "write", str(tmp_path / "own"))
    assert "There is no folder" in refused("icat", "write", str(tmp_path / "absent"))


def test_a_folder_without_datasets_says_so(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "There is no dataset" in refused("icat", "write", str(tmp_path / "empty"))
