from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.model import Conflict, InvalidInput, NotFound
from firstlight.storage import DataPolicy, DatasetFolder, Experiment, Roots, check_name, dataset_of, require_root

ESRFPath = pytest.importorskip("esrf_pathlib").ESRFPath


@pytest.fixture
def experiment() -> Experiment:
    return DataPolicy("id19").experiment("ma1234", "20260131")


def test_esrf_pathlib_reads_our_dataset_file_back(experiment: Experiment) -> None:
    parsed = ESRFPath(experiment.dataset("tooth", "overview").file)

    assert parsed.schema_name == "esrf_v3"
    assert (parsed.proposal, parsed.beamline, parsed.collection, parsed.dataset) == (
        "ma1234",
        "id19",
        "tooth",
        "overview",
    )
    assert parsed.session_date == dt.date(2026, 1, 31)


def test_every_path_is_the_one_that_esrf_pathlib_derives(experiment: Experiment) -> None:
    dataset = experiment.dataset("tooth", "overview")
    oracle = ESRFPath(dataset.file)

    ours = {
        "session_path": experiment.folder,
        "raw_data_path": experiment.raw,
        "raw_proposal_file": experiment.master,
        "raw_collection_path": experiment.collection("tooth"),
        "raw_collection_file": experiment.collection_master("tooth"),
        "raw_dataset_path": dataset.folder,
        "raw_dataset_file": dataset.file,
        "raw_gallery_path": dataset.gallery,
        "raw_metadata_file": dataset.icat_file,
        "processed_data_path": experiment.processed,
        "processed_dataset_path": dataset.processed,
        "processed_dataset_file": dataset.processed_file,
        "processed_gallery_path": dataset.processed_gallery,
        "nobackup_path": experiment.nobackup,
        "nobackup_dataset_path": dataset.nobackup,
        "scripts_path": experiment.scripts,
        "gallery_path": experiment.gallery,
        "notes_path": experiment.notes,
    }
    assert {name: str(getattr(oracle, name)) for name in ours} == {name: str(path) for name, path in ours.items()}


@pytest.mark.parametrize(
    ("proposal", "root"),
    [
        ("ma1234", "/data/visitor"),
        ("id192601", "/data/id19/inhouse"),
        ("test7", "/data/id19/tmp"),
        ("tmpfix", "/data/id19/tmp"),
        ("TEMP1", "/data/id19/tmp"),
    ],
)
def test_the_root_follows_the_name_of_the_proposal(proposal: str, root: str) -> None:
    assert DataPolicy("id19").experiment(proposal).root == Path(root)


def test_without_a_proposal_the_default_one_of_the_month_is_used() -> None:
    found = DataPolicy("ID19").experiment(date=dt.date(2026, 3, 9))

    assert (found.proposal, found.session, found.beamline) == ("id192603", "20260309", "id19")
    assert found.root == Path("/data/id19/inhouse")


def test_roots_below_one_folder_keep_the_three_sorts_apart(tmp_path: Path) -> None:
    policy = DataPolicy("fl01", Roots.under(tmp_path))

    roots = {policy.experiment(p).root for p in ("hc1", "fl012601", "test1")}
    assert roots == {tmp_path / "visitor", tmp_path / "fl01" / "inhouse", tmp_path / "fl01" / "tmp"}


@pytest.mark.parametrize(
    "name", ["", "my sample", "a/b", "..", ".hidden", "a\0b", "x.h5", "ä", "a:b", "end.", "n" * 101]
)
def test_a_name_that_can_not_stand_in_a_path_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_name("sample", name)
    assert "sample" in caught.value.message


def test_the_hint_offers_a_name_that_would_do() -> None:
    with pytest.raises(InvalidInput, match="for instance my_first_sample"):
        check_name("sample", "my first/sample")


@pytest.mark.parametrize("date", ["2026", "20261301", "20260230", "2026-01-01"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    with pytest.raises(InvalidInput, match="YYYYMMDD"):
        DataPolicy("id19").experiment("ma1", date)


def test_fresh_datasets_are_numbered_or_given_a_suffix(tmp_path: Path) -> None:
    experiment = DataPolicy("fl01", Roots.under(tmp_path)).experiment("hc1", "20260101")
    assert experiment.fresh_dataset("tooth") == "0001"
    for name in ("0001", "overview"):
        experiment.dataset("tooth", name).folder.mkdir(parents=True)

    assert experiment.fresh_dataset("tooth") == "0002"
    assert experiment.fresh_dataset("tooth", "overview") == "overview_0002"
    assert experiment.fresh_dataset("tooth", "zoom") == "zoom"
    assert (experiment.samples(), experiment.datasets("tooth")) == (["tooth"], ["0001", "overview"])


def test_numbers_follow_each_other_and_a_number_is_never_given_twice(tmp_path: Path) -> None:
    dataset = DataPolicy("fl01", Roots.under(tmp_path)).experiment("hc1").dataset("tooth", "one")

    assert [dataset.reserve() for _ in range(3)] == [1, 2, 3]
    dataset.scan_folder(2).rmdir()
    assert dataset.reserve() == 4
    assert dataset.numbers() == [1, 3, 4]


def test_who_knows_an_earlier_number_goes_on_from_it_without_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = DataPolicy("fl01", Roots.under(tmp_path)).experiment("hc1").dataset("tooth", "one")
    first = dataset.saving().number
    dataset.scan_folder(3).mkdir()  # another session's
    with monkeypatch.context() as patch:
        patch.setattr(DatasetFolder, "numbers", lambda self: pytest.fail("listed"))
        assert [second := dataset.saving(after=first).number, dataset.saving(after=second).number] == [2, 4]
    # A merged dataset has no folders: what is inside its file counts.
    monkeypatch.setattr(DatasetFolder, "_stored", lambda self: [7])
    dataset.scan_folder(4).rmdir()
    assert dataset.reserve(after=4) == 8


def test_sessions_that_reserve_at_the_same_moment_get_different_numbers(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from firstlight.storage import *\n"
        "d = DataPolicy('fl01', Roots.under(Path(sys.argv[1]))).experiment('hc1', '20260101').dataset('s', 'd')\n"
        "print(*[d.reserve() for _ in range(50)])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    numbers = [int(n) for process in running for n in process.communicate()[0].split()]

    assert sorted(numbers) == list(range(1, 151))


def test_a_root_that_can_not_be_written_gives_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "visitor").write_text("a file where a folder should be")
    dataset = DataPolicy("fl01", Roots.under(tmp_path)).experiment("hc1").dataset("s", "d")

    with pytest.raises(Conflict, match="can not be created"):
        dataset.reserve()


def test_the_place_of_a_run_leads_back_to_its_dataset(tmp_path: Path) -> None:
    dataset = DataPolicy("fl01", Roots.under(tmp_path)).experiment("hc1", "20260101").dataset("tooth", "one")
    saving = dataset.saving(compression="bitshuffle-lz4")

    assert dataset_of(saving) == dataset
    assert saving.file.endswith("RAW_DATA/tooth/tooth_one/scan0001/scan0001.h5")
    with pytest.raises(InvalidInput, match="not in the tree"):
        dataset_of(saving.model_copy(update={"dataset_file": "/somewhere/else.h5"}))


def test_a_file_where_the_dataset_folder_should_be_is_a_clear_error(tmp_path: Path) -> None:
    dataset = DataPolicy("bl", Roots.under(tmp_path)).experiment("hc1").dataset("s", "d")
    dataset.folder.parent.mkdir(parents=True)
    dataset.folder.write_text("")
    with pytest.raises(Conflict, match="can not be created"):
        dataset.reserve()


def test_a_proposal_whose_root_is_not_there_is_refused(tmp_path: Path) -> None:
    roots = Roots(f"{tmp_path}/visitor", f"{tmp_path}/{{beamline}}/inhouse", f"{tmp_path}/{{beamline}}/tmp")
    policy = DataPolicy("id19", roots)
    experiment = policy.experiment("hc1", "20260101")
    with pytest.raises(NotFound, match=rf"The proposal hc1 belongs in {tmp_path}/visitor, which does not exist"):
        require_root(experiment)
    require_root(experiment, tmp_path)
    (tmp_path / "visitor").mkdir()
    require_root(experiment)
    (tmp_path / "visitor" / "hc1").write_text("a file in its place")
    with pytest.raises(Conflict, match="where you may not write"):
        require_root(experiment)
