"""A reconstruction in its own process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.model import InvalidInput, NotFound, RunAborted
from firstlight.process import ChildContext, ChildState, ProcessSpec, Supervisor
from firstlight.tasks.tomography import Projections, open_source
from firstlight.tasks.tomography._job import main
from tests.tasks.tomography.conftest import Recipe, Sample

h5py = pytest.importorskip("h5py")

TARGET = "firstlight.tasks.tomography._job:main"


@pytest.fixture
def raw(sample: Sample, tmp_path: Path) -> Path:
    """A small scan as NXtomo."""
    made = Recipe(rows=4).measure(sample)
    assert isinstance(made.frames, np.ndarray)
    assert isinstance(made.flats, np.ndarray)
    assert isinstance(made.darks, np.ndarray)
    stack = np.concatenate([made.darks, made.flats[:10], made.frames, made.flats[10:]])
    keys = np.repeat([2, 1, 0, 1], [5, 10, 180, 10])
    with h5py.File(tmp_path / "raw.nx", "w") as file:
        entry = file.create_group("entry0000")
        entry["definition"] = "NXtomo"
        entry["instrument/detector/data"] = stack
        entry["instrument/detector/image_key"] = keys
        entry["sample/rotation_angle"] = np.concatenate([np.zeros(15), made.angles, np.zeros(10)])
        entry["sample/name"] = "tooth"
    return tmp_path / "raw.nx"


class News:
    """A context that keeps what the target tells."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []
        self.context = ChildContext("tomography", self.told.append)


def test_it_tells_stages_and_result_and_reports_them_to_a_file(raw: Path, tmp_path: Path) -> None:
    news = News()
    main(
        news.context,
        source=f"{raw}::/entry0000",
        volume=str(tmp_path / "v.h5"),
        picture=str(tmp_path / "v.png"),
        options={"axis": 47.3},
        report=str(tmp_path / "report.jsonl"),
    )
    stages = [told["stage"] for told in news.told if "stage" in told]
    assert list(dict.fromkeys(stages)) == ["darks and flats", "rotation axis", "slices", "picture"]
    result = news.told[-1]["result"]
    assert result["shape"] == [4, 96, 96]
    assert result["axis"]["position"] == 47.3
    assert Path(result["volume"]).is_file()
    assert Path(result["picture"]).is_file()
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k != "time"} for line in lines] == news.told
    assert json.dumps(news.told[-1])


def test_a_problem_is_told_before_it_is_raised(tmp_path: Path) -> None:
    news = News()
    with pytest.raises(NotFound):
        main(news.context, source=str(tmp_path / "none.h5"), volume=str(tmp_path / "v.h5"))
    assert "There is no file" in news.told[-1]["error"]


def test_a_wrong_option_is_named(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Option filter"):
        main(News().context, source=str(raw), volume=str(tmp_path / "v.h5"), options={"filter": "magic"})
    with pytest.raises(InvalidInput, match="Option colour"):
        main(News().context, source=str(raw), volume=str(tmp_path / "v.h5"), options={"colour": 1})


def test_a_request_to_stop_ends_it_without_a_result(raw: Path, tmp_path: Path) -> None:
    news = News()
    news.context.stopping.set()
    with pytest.raises(RunAborted):
        main(news.context, source=str(raw), volume=str(tmp_path / "out" / "v.h5"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("bare", [False, True])
def test_a_source_may_be_a_function(
    scan: Callable[..., Projections], monkeypatch: pytest.MonkeyPatch, bare: bool
) -> None:
    closed = []

    @contextmanager
    def opened(rows: int) -> Iterator[Projections]:
        yield scan(rows=rows)
        closed.append(True)

    function = (lambda rows: scan(rows=rows)) if bare else opened
    monkeypatch.setattr("tests.tasks.tomography.conftest.opener", function, raising=False)
    with open_source({"opener": "tests.tasks.tomography.conftest:opener", "arguments": {"rows": 3}}) as projections:
        assert projections.rows == 3
    assert bool(closed) is not bare


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"opener": "nowhere"}, "module:function"),
        ({}, "module:function"),
        ({"opener": "firstlight.nowhere:open"}, "no opener"),
        ({"opener": "builtins:dict"}, "gave dict"),
    ],
)
def test_sources_that_make_no_sense_are_refused(source: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words), open_source(source):
        pass


def test_a_supervised_process_does_it(raw: Path, tmp_path: Path, wait_for: Callable[..., None]) -> None:
    arguments = {"source": str(raw), "volume": str(tmp_path / "v.h5"), "options": {"axis_methods": ["registration"]}}
    with Supervisor("test", tmp_path / "logs") as supervisor:
        child = supervisor.spawn(ProcessSpec("tomography", TARGET, arguments))
        wait_for(lambda: child.state in (ChildState.EXITED, ChildState.FAILED), timeout=90)
        assert child.state is ChildState.EXITED, child.log.read_text()
        result = child.info["result"]
    assert result["axis"]["position"] == pytest.approx(47.3, abs=0.3)
    assert Path(result["volume"]).is_file()


def test_a_supervised_process_that_fails_leaves_its_reason(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    arguments = {"source": str(tmp_path / "none.h5"), "volume": str(tmp_path / "v.h5")}
    with Supervisor("test", tmp_path / "logs") as supervisor:
        child = supervisor.spawn(ProcessSpec("tomography", TARGET, arguments))
        wait_for(lambda: child.state in (ChildState.EXITED, ChildState.FAILED), timeout=60)
        assert child.state is ChildState.FAILED
        assert "There is no file" in child.info["error"]
