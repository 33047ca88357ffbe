"""The catalogue finds runs by words, follows the files, and is made anew when it is lost or broken."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight.data import Catalogue, CatalogueEntry, Update
from firstlight.model import DataError, EndReason, InvalidInput, NotFound, RunState
from firstlight.storage import compact
from tests.data.data_room import START, Room

TECHNIQUE = {"scan_category": "tomo:basic"}
TOMO = {
    "sample": {"name": "tooth", "description": "molar of a cave bear"},
    "technique": {"scan_category": "tomo:basic"},
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "state" / "catalogue.sqlite") as made:
        yield made


@pytest.fixture
def filled(room: Room, catalogue: Catalogue) -> Catalogue:
    """Four runs in three datasets of two proposals."""
    room.record(room.dataset("tooth", "overview"), 1.0)
    room.record(
        room.dataset("tooth", "overview"),
        2.0,
        name="flyscan",
        title="flyscan rot 0 180 900",
        axes=("rot",),
        metadata=TOMO,
    )
    room.record(room.dataset("steel_100", "map"), 3.0)
    room.record(room.dataset("tooth", "overview", proposal="ma4321"), 4.0)
    catalogue.update(room.data)
    return catalogue


def values(found: list[CatalogueEntry]) -> list[float]:
    return [round(entry.start - START) if entry.start is not None else -1 for entry in found]


def test_what_was_saved_is_found_newest_first(filled: Catalogue) -> None:
    found = filled.search()
    assert values(found) == [4, 3, 2, 1]
    newest, fly = found[0], found[2]
    assert (newest.proposal, newest.sample, newest.dataset, newest.number) == ("ma4321", "tooth", "overview", 1)
    assert (fly.state, fly.reason, fly.npoints, fly.axes) == (RunState.CLOSED, EndReason.SUCCESS, 3, ("rot",))
    assert fly.channels == ("diode",)
    assert (fly.technique, fly.description) == ("tomo:basic", "molar of a cave bear")
    assert fly.path.is_file()
    assert fly.stop == fly.start + 1 if fly.start is not None else False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [4, 3, 2, 1]),
        ("tooth", [4, 2, 1]),
        ("TOOTH flyscan", [2]),
        ('"cave bear"', [2]),
        ("cave -bear", []),
        ("-tooth", [3]),
        ("proposal:hc*", [3, 2, 1]),
        ("proposal:hc", []),
        ("sample:t??th dataset:overview", [4, 2, 1]),
        ("command:flyscan", [2]),
        ("axis:rot", [2]),
        ("axis:ro", []),
        ("counter:diode -axis:rot", [4, 3, 1]),
        ("technique:tomo*", [2]),
        ("reason:success scan:2", [2]),
        ("steel_1", [3]),
        ("steel%", []),
        ("_100", [3]),
        ("x100", []),
        ('title:"loopscan 3 1"', [1]),
        ("before:2025-11-13", []),
        ("after:2025-11-13 before:2025-11-14", [4, 3, 2, 1]),
        ("after:1d", []),
    ],
)
def test_words_and_keys_narrow_the_search(filled: Catalogue, text: str, expected: list[int]) -> None:
    assert values(filled.search(text)) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sampel:tooth", "Did you mean sample:tooth"),
        ("sample:", "sample:t*"),
        ("after:soon", "after:2026-11-25"),
        ("after:99999999w", "is no date"),
        ("scan:first", "scan:3"),
        ('sample:"tooth', "quote is not closed"),
    ],
)
def test_what_is_no_query_is_refused_with_a_better_one(filled: Catalogue, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says.replace("*", r"\*")):
        filled.search(text)


def test_a_search_can_be_kept_below_a_folder(filled: Catalogue, room: Room) -> None:
    assert values(filled.search(root=room.dataset("tooth", "overview").folder)) == [2, 1]
    assert values(filled.search(root=room.dataset("tooth", "overview").folder.parent)) == [2, 1]
    assert values(filled.search(root=room.data)) == [4, 3, 2, 1]
    assert values(filled.search(root=str(room.data) + "-not")) == []
    assert values(filled.search(limit=1)) == [4]


def test_an_update_reads_only_what_changed(filled: Catalogue, room: Room) -> None:
    assert filled.update(room.data) == Update(datasets=3, read=0, removed=0)
    room.record(room.dataset("tooth", "overview"), 5.0)
    assert filled.update(room.data) == Update(datasets=3, read=1, removed=0)
    assert values(filled.search("scan:3")) == [5]
    assert filled.update(room.data, rebuild=True).read == 5
    assert values(filled.search()) == [5, 4, 3, 2, 1]


def test_what_was_deleted_is_forgotten(filled: Catalogue, room: Room) -> None:
    shutil.rmtree(room.dataset("tooth", "overview").folder)
    assert filled.update(room.data) == Update(datasets=2, read=0, removed=2)
    assert values(filled.search()) == [4, 3]


def test_a_merged_dataset_keeps_its_runs(filled: Catalogue, room: Room) -> None:
    dataset = room.dataset("tooth", "overview")
    compact(dataset.file)
    filled.update(room.data)
    found = filled.search(root=dataset.folder)
    assert values(found) == [2, 1]
    assert {entry.path for entry in found} == {dataset.file}


def test_a_run_that_was_just_saved_is_noted_alone(filled: Catalogue, room: Room) -> None:
    dataset = room.dataset("tooth", "overview")
    room.record(dataset, 6.0)
    filled.note(dataset.scan_file(3), 3)
    assert values(filled.search("scan:3")) == [6]
    assert filled.update(room.data).read == 0


def test_the_first_run_of_all_can_be_noted(room: Room, catalogue: Catalogue) -> None:
    dataset = room.dataset("tooth", "overview")
    room.record(dataset, 1.0)
    catalogue.note(dataset.scan_file(1), 1)
    (found,) = catalogue.search("tooth")
    assert (found.proposal, found.dataset) == ("hc1234", "overview")
    assert catalogue.roots == [dataset.experiment.folder]
    catalogue.update(room.data)
    assert values(catalogue.search()) == [1]
    assert catalogue.roots == [room.data]


def test_a_run_that_goes_on_is_read_again(room: Room, catalogue: Catalogue) -> None:
    dataset = room.dataset("tooth", "overview")
    room.record(dataset, 1.0)
    catalogue.update(room.data)
    with sqlite3.connect(catalogue.path) as connection:
        connection.execute("UPDATE runs SET state = ?, reason = ''", (int(RunState.RUNNING),))
    connection.close()
    assert catalogue.update(room.data).read == 1
    assert catalogue.search()[0].state is RunState.CLOSED


def test_a_run_that_can_not_be_read_is_listed_with_its_problem(room: Room, catalogue: Catalogue) -> None:
    dataset = room.dataset("tooth", "overview")
    room.record(dataset, 1.0)
    dataset.scan_file(1).write_bytes(b"not an HDF5 file")
    catalogue.update(room.data)
    (found,) = catalogue.search("problem:*")
    assert "scan0001.h5" in found.problem
    assert found.start is None


@pytest.mark.parametrize("content", [b"this is no database at all, whatever its name says", b""])
def test_a_broken_catalogue_is_begun_anew(room: Room, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(content)
    room.record(room.dataset(), 1.0)
    with Catalogue(path) as catalogue:
        assert catalogue.search() == []
        catalogue.update(room.data)
        assert values(catalogue.search()) == [1]


def test_a_catalogue_of_another_version_is_begun_anew(filled: Catalogue) -> None:
    with sqlite3.connect(filled.path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    filled.close()
    with Catalogue(filled.path) as again:
        assert again.search() == []


def test_a_catalogue_that_breaks_while_it_is_open_says_so_and_goes_on(filled: Catalogue, room: Room) -> None:
    filled.path.write_bytes(b"x" * filled.path.stat().st_size)
    with pytest.raises(DataError, match="begun anew"):
        filled.search()
    filled.update(room.data)
    assert values(filled.search()) == [4, 3, 2, 1]


def test_two_processes_share_a_catalogue(filled: Catalogue, room: Room) -> None:
    script = (
        "import sys; from pathlib import Path; from firstlight.data import Catalogue\n"
        "with Catalogue(Path(sys.argv[1])) as c: c.update(sys.argv[2], rebuild=True); print(len(c.search()))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(filled.path), str(room.data)], capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == "4"
    assert values(filled.search()) == [4, 3, 2, 1]


def test_a_folder_that_is_not_there_and_a_closed_catalogue_say_so(filled: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no folder"):
        filled.update(tmp_path / "absent")
    filled.close()
    filled.close()
    with pytest.raises(DataError, match="is closed"):
        filled.search()


def test_an_index_that_can_not_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="FIRSTLIGHT_STATE"):
        Catalogue(tmp_path / "file" / "catalogue.sqlite")
