"""Where a run in a file leads: every way in which HDF5 goes to another file, before it goes there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from firstlight.data import Reach, reach
from firstlight.model import DataError, NotFound
from tests.data.data_room import Room

SECRET = b"nobody may read this here"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """The folder that may be read, with a file of one run."""
    folder = tmp_path / "inside"
    folder.mkdir()
    with h5py.File(folder / "run.h5", "w") as file:
        file["1.1/measurement/diode"] = np.arange(3.0)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """One that may not."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_bytes(SECRET)
    with h5py.File(folder / "other.h5", "w") as file:
        file["v"] = np.arange(3.0)
        file["1.1/measurement/diode"] = np.arange(3.0)
    return folder


def look(inside: Path, name: str = "run.h5") -> Reach:
    return reach(inside / name, "1.1", lambda path: path.is_relative_to(inside))


def external_link(file: h5py.File, outside: Path) -> None:
    file["1.1/measurement/x"] = h5py.ExternalLink(str(outside / "other.h5"), "/v")


def relative_link(file: h5py.File, outside: Path) -> None:
    file["1.1/measurement/x"] = h5py.ExternalLink("../outside/other.h5", "/v")


def linked_group(file: h5py.File, outside: Path) -> None:
    file["1.1/instrument"] = h5py.ExternalLink(str(outside / "other.h5"), "/1.1")


def link_by_a_link(file: h5py.File, outside: Path) -> None:
    file["elsewhere/x"] = h5py.ExternalLink(str(outside / "other.h5"), "/")
    file["1.1/measurement/x"] = h5py.SoftLink("/elsewhere/x/v")


def link_through_another_file(file: h5py.File, outside: Path) -> None:
    with h5py.File(Path(file.filename).parent / "next.h5", "w") as other:
        other["x"] = h5py.ExternalLink(str(outside / "other.h5"), "/v")
    file["1.1/measurement/x"] = h5py.ExternalLink("next.h5", "/x")


def link_to_a_symbolic_link(file: h5py.File, outside: Path) -> None:
    (Path(file.filename).parent / "near.h5").symlink_to(outside / "other.h5")
    file["1.1/measurement/x"] = h5py.ExternalLink("near.h5", "/v")


def link_that_falls_back_on_its_last_name(file: h5py.File, outside: Path) -> None:
    (Path(file.filename).parent / "gone.h5").symlink_to(outside / "other.h5")
    file["1.1/measurement/x"] = h5py.ExternalLink("/nowhere/gone.h5", "/v")


def virtual_dataset(file: h5py.File, outside: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(outside / "other.h5"), "v", (3,))
    file.create_virtual_dataset("1.1/measurement/x", layout)


def virtual_dataset_of_its_own_file(file: h5py.File, outside: Path) -> None:
    file["hidden/x"] = h5py.ExternalLink(str(outside / "other.h5"), "/v")
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(".", "hidden/x", (3,))
    file.create_virtual_dataset("1.1/measurement/x", layout)


def many_pieces_and_one_of_them_outside(file: h5py.File, outside: Path) -> None:
    with h5py.File(Path(file.filename).parent / "part.h5", "w") as part:
        part["v"] = np.arange(100.0)
        part["w"] = h5py.ExternalLink(str(outside / "other.h5"), "/v")
    layout = h5py.VirtualLayout((100,), "f8")
    whole = h5py.VirtualSource("part.h5", "v", (100,))
    for k in range(97):
        layout[k : k + 1] = whole[k : k + 1]
    layout[97:100] = h5py.VirtualSource("part.h5", "w", (3,))
    file.create_virtual_dataset("1.1/measurement/x", layout)


def bytes_of_any_file(file: h5py.File, outside: Path) -> None:
    secret = [(str(outside / "secret.txt"), 0, 24)]
    file.create_dataset("1.1/measurement/x", (24,), "u1", external=secret)


def bytes_of_any_file_by_a_relative_name(file: h5py.File, outside: Path) -> None:
    secret = [(os.path.relpath(outside / "secret.txt"), 0, 24)]
    file.create_dataset("1.1/measurement/x", (24,), "u1", external=secret)


WAYS = [
    external_link, relative_link, linked_group, link_by_a_link, link_through_another_file, link_to_a_symbolic_link,
    link_that_falls_back_on_its_last_name, virtual_dataset, virtual_dataset_of_its_own_file,
    many_pieces_and_one_of_them_outside, bytes_of_any_file, bytes_of_any_file_by_a_relative_name,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_way_leads_out(inside: Path, outside: Path, way: Callable[[h5py.File, Path], None]) -> None:
    with h5py.File(inside / "run.h5", "r+") as file:
        way(file, outside)
    with h5py.File(inside / "run.h5", "r") as file:
        # HDF5 itself does go there.
        item = file["1.1/instrument/measurement/diode" if way is linked_group else "1.1/measurement/x"]
        assert len(item[()]) > 0
    with pytest.raises(NotFound, match="outside the folders that are served") as refused:
        look(inside)
    assert "--data" in refused.value.hint
    # With that folder it is all there.
    files = reach(inside / "run.h5", "1.1", lambda path: path.is_relative_to(inside.parent)).files
    assert any(Path(os.path.realpath(file)).is_relative_to(outside) for file in files)


def test_numbered_files_of_a_virtual_dataset_are_none_that_can_be_known(inside: Path) -> None:
    with h5py.File(inside / "run.h5", "r+") as file:
        space = h5py.h5s.create_simple((3,), (h5py.h5s.UNLIMITED,))
        space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
        source = h5py.h5s.create_simple((1,))
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_virtual(space, b"part%b.h5", b"v", source)
        h5py.h5d.create(file["1.1/measurement"].id, b"x", h5py.h5t.IEEE_F64LE, space, dcpl=made)
    with pytest.raises(NotFound, match="outside the folders"):
        look(inside)


def test_a_percent_sign_in_a_name_is_one(inside: Path) -> None:
    with h5py.File(inside / "50%.h5", "w") as part:
        part["v%"] = np.arange(3.0)
    with h5py.File(inside / "run.h5", "r+") as file:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource("50%%.h5", "v%%", (3,))
        file.create_virtual_dataset("1.1/measurement/x", layout)
        assert file["1.1/measurement/x"][2] == 2.0
    assert look(inside).files == {inside / "run.h5", inside / "50%.h5"}


def test_what_is_no_plain_file_is_not_opened(inside: Path) -> None:
    # Opening a pipe would wait until somebody writes into it.
    os.mkfifo(inside / "pipe.h5")
    with h5py.File(inside / "run.h5", "r+") as file:
        file["1.1/measurement/x"] = h5py.ExternalLink("pipe.h5", "/v")
    with pytest.raises(NotFound):
        look(inside)


def test_other_entries_of_the_file_do_not_matter(inside: Path, outside: Path) -> None:
    with h5py.File(inside / "run.h5", "r+") as file:
        file["2.1"] = h5py.ExternalLink(str(outside / "other.h5"), "/1.1")
    assert look(inside).files == {inside / "run.h5"}
    with pytest.raises(NotFound):
        reach(inside / "run.h5", "2.1", lambda path: path.is_relative_to(inside))


def test_links_in_a_circle_end(inside: Path) -> None:
    with h5py.File(inside / "run.h5", "r+") as file, h5py.File(inside / "back.h5", "w") as back:
        file["1.1/around"] = h5py.ExternalLink("back.h5", "/x")
        back["x"] = h5py.ExternalLink("run.h5", "/1.1/around")
        file["1.1/itself"] = h5py.SoftLink("/1.1")
        file["1.1/nothing"] = h5py.SoftLink("/1.1/nothing")
    assert look(inside).files == {inside / "run.h5", inside / "back.h5"}


def test_a_chain_without_end_is_no_run(inside: Path) -> None:
    for k in range(40):
        with h5py.File(inside / f"{k}.h5", "w") as file:
            file["1.1"] = h5py.ExternalLink(f"{k + 1}.h5", "/1.1")
    with pytest.raises(DataError, match="more links one behind the other"):
        look(inside, "0.h5")


def test_a_link_to_nothing_stops_nobody_and_is_seen_when_it_leads_somewhere(inside: Path, outside: Path) -> None:
    with h5py.File(inside / "run.h5", "r+") as file:
        file["1.1/measurement/x"] = h5py.ExternalLink("later.h5", "/v")
    found = look(inside)
    assert found.files == {inside / "run.h5"}
    assert found.same()
    (inside / "later.h5").symlink_to(outside / "other.h5")
    assert not found.same()
    with pytest.raises(NotFound):
        look(inside)


def test_a_file_that_was_changed_or_replaced_is_not_the_same(inside: Path) -> None:
    found = look(inside)
    with h5py.File(inside / "run.h5", "r+") as file:
        file["1.1/measurement/more"] = np.arange(1000)
    assert not found.same()
    found = look(inside)
    copy = inside / "copy.h5"
    copy.write_bytes((inside / "run.h5").read_bytes())
    copy.replace(inside / "run.h5")
    assert not found.same()


def test_a_file_that_is_not_there_or_is_none_of_ours(inside: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        look(inside, "none.h5")
    (inside / "text.h5").write_text("text")
    with pytest.raises(DataError):
        look(inside, "text.h5")


def test_a_saved_run_stays_in_its_folder_however_it_is_reached(room: Room) -> None:
    dataset = room.dataset()
    room.record(dataset, 1.0)
    own = dataset.folder / "scan0001" / "scan0001.h5"
    for file in (own, dataset.file):
        files = reach(file, "1.1", lambda path: path.is_relative_to(dataset.folder.resolve())).files
        assert own in files
