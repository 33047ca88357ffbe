"""``firstlight ls --search`` and ``--rebuild`` on runs that the saver wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import ChannelRole, ChannelSpec, EndReason, RunEnd, RunInfo
from firstlight.storage import DataPolicy, DatasetFolder, Roots, recover

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def root(environment: dict[str, str], tmp_path: Path) -> Path:
    """A data root with three runs of two samples."""
    buffer = Buffer(Path(environment["FIRSTLIGHT_BUFFER"]), spill=tmp_path / "spill", budget=1 << 28)
    experiment = DataPolicy("fl01", Roots.under(tmp_path / "data")).experiment("hc1234", "20260102")
    for sample, name in (("tooth", "ascan"), ("tooth", "flyscan"), ("steel", "ascan")):
        _acquire(buffer, experiment.dataset(sample, "overview"), name)
    assert all(one.outcome == "saved" for one in recover(buffer))
    return tmp_path / "data"


def _acquire(buffer: Buffer, dataset: DatasetFolder, name: str) -> None:
    info = RunInfo(
        name=name, title=f"{name} rot 0 10 10 0.1", start_epoch=1.7e9, saving=dataset.saving(), axes=("rot",)
    )
    with buffer.create_run(info, readers=["saver"]) as run:
        run.prepared()
        rot = run.create_log(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS, source="rot"))
        run.running()
        rot.append(np.array([0.0, 10.0]))
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1.7e9 + 12))


def test_a_search_below_a_folder_finds_its_runs(main: Main, capsys: Capture, root: Path) -> None:
    assert main("ls", str(root), "--search", "tooth command:fly*") == 0
    text = capsys.readouterr().out
    assert "flyscan rot 0 10 10 0.1" in text
    assert "ascan" not in text.replace("flyscan", "")
    assert text.endswith("1 run.\n")


def test_a_later_search_knows_what_was_indexed_without_a_folder(main: Main, capsys: Capture, root: Path) -> None:
    assert main("ls", str(root), "--rebuild") == 0
    assert "Indexed 2 datasets" in capsys.readouterr().out
    assert main("ls", "-s", "sample:steel", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["sample"], found["command"], found["axes"], found["reason"]) == ("steel", "ascan", ["rot"], "SUCCESS")
    assert Path(found["path"]).is_file()


def test_a_search_that_finds_nothing_says_in_how_many(main: Main, capsys: Capture, root: Path) -> None:
    assert main("ls", str(root), "-s", "lysozyme") == 0
    assert "No run fits 'lysozyme' in 3 indexed runs." in capsys.readouterr().out


def test_a_long_list_is_cut_and_says_so(main: Main, capsys: Capture, root: Path) -> None:
    assert main("ls", str(root), "-s", "", "--limit", "2") == 0
    assert "2 runs, the newest 2; more with --limit." in capsys.readouterr().out


def test_a_wrong_search_is_one_sentence(refused: Refused, root: Path) -> None:
    assert "Did you mean sample:tooth?" in refused("ls", str(root), "-s", "sampel:tooth")
    assert "There is no folder" in refused("ls", str(root / "absent"), "-s", "tooth")


def test_a_state_folder_that_can_not_be_made_is_one_sentence(
    refused: Refused, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIRSTLIGHT_STATE", str(tmp_path / "file" / "state"))
    assert "FIRSTLIGHT_STATE" in refused("ls", str(root), "-s", "tooth")
