"""The log of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.model import InvalidInput, NotFound
from firstlight.storage import DataPolicy, DatasetFolder, Logbook, Roots, StorageError


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    return DataPolicy("id19", Roots.under(tmp_path)).experiment("hc1", "20260101").dataset("tooth", "0001")


def test_entries_are_a_list_beside_the_data(dataset: DatasetFolder) -> None:
    log = Logbook(dataset)
    assert list(log) == []
    log.add("beam is back")
    log.add("ascan rot 0 1 10 0.1", kind="command", author="anna")
    again = Logbook(dataset)
    assert [(e.kind, e.text, e.author) for e in again] == [
        ("comment", "beam is back", ""),
        ("command", "ascan rot 0 1 10 0.1", "anna"),
    ]
    assert again[-1].epoch >= again[0].epoch
    assert [e.text for e in again[:1]] == ["beam is back"]
    assert again.path.parent == dataset.folder
    assert "comment: beam is back" in repr(again)


def test_a_picture_is_kept_in_the_gallery_under_its_own_name(dataset: DatasetFolder, tmp_path: Path) -> None:
    picture = tmp_path / "plot.png"
    picture.write_bytes(b"one")
    log = Logbook(dataset)
    assert log.add("first", kind="plot", picture=picture).picture == "plot.png"
    picture.write_bytes(b"two")
    second = log.add("second", kind="plot", picture=picture)
    assert (dataset.gallery / "plot.png").read_bytes() == b"one"
    assert (dataset.gallery / second.picture).read_bytes() == b"two"


def test_what_cannot_be_added_is_said(dataset: DatasetFolder) -> None:
    log = Logbook(dataset)
    with pytest.raises(InvalidInput, match="'shout' is no kind"):
        log.add("x", kind="shout")
    with pytest.raises(NotFound, match="no picture"):
        log.add("x", picture=Path("/nowhere.png"))
    dataset.folder.parent.mkdir(parents=True)
    dataset.folder.write_text("a file in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        log.add("x")


def test_a_line_that_was_cut_hides_no_other(dataset: DatasetFolder) -> None:
    log = Logbook(dataset)
    log.add("whole")
    with log.path.open("a") as file:
        file.write('{"epoch": 1, "ki\n')
    log.add("after")
    assert [e.text for e in log][0::2] == ["whole", "after"]
    assert log[1].kind == "error"
