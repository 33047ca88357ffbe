"""Scripts with the names of a session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from firstlight.model import NotFound, RunAborted
from firstlight.session import Session
from firstlight.shell import ScriptFailed, run_script

Write = pytest.TempPathFactory


@pytest.fixture
def session(beamline: Session, request: pytest.FixtureRequest) -> Session:
    beamline.newproposal("hc1234")
    beamline.newsample("script")
    beamline.newdataset()
    beamline.move({"rot": 0.0})
    return beamline


def script(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_a_script_finds_devices_and_commands(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, "mv(rot, 2)\nrun = ascan(rot, 0, 1, 2, 0, diode)\nprint(len(run['diode']), __name__)\n")
    names = run_script(session, path)
    assert names["run"].title == "ascan rot 0 1 2 0 diode"
    assert "3 __main__" in capsys.readouterr().out


def test_a_script_finds_its_arguments_and_its_neighbours(session: Session, tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_script.py").write_text("value = 5\n")
    path = script(tmp_path, "import sys\nimport neighbour_of_script\nfound = sys.argv[1:], neighbour_of_script.value\n")
    before = list(sys.argv), list(sys.path)
    assert run_script(session, path, ["a", "b"])["found"] == (["a", "b"], 5)
    assert (sys.argv, sys.path) == before
    del sys.modules["neighbour_of_script"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mv(rot, 1)\nmv(rot, 9999)\n", "mine.py:2: rot: cannot go to 9999 deg"),
        ("def f():\n    return 1/0\n\nf()\n", "mine.py:2: ZeroDivisionError"),
        ("x = (\n", "mine.py:1: This is not understood"),
        ("\nmv rot 10\n", "mine.py:2: This is not understood"),
        ("nosuch\n", "mine.py:1: There is no device, command or variable nosuch."),
        ("import sys\nsys.exit(3)\n", "it left with 3"),
    ],
)
def test_an_error_names_the_line_of_the_script(session: Session, tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScriptFailed) as failed:
        run_script(session, script(tmp_path, text))
    assert words in failed.value.message
    assert "\n" not in str(failed.value)


def test_a_script_that_leaves_early_is_no_failure(session: Session, tmp_path: Path) -> None:
    run_script(session, script(tmp_path, "import sys\nsys.exit()\n"))


def test_an_interrupted_script_stops_the_axes(session: Session, tmp_path: Path) -> None:
    path = script(tmp_path, "move(rot, 100, wait=False)\nraise KeyboardInterrupt\n")
    with pytest.raises(RunAborted) as stopped:
        run_script(session, path)
    assert "mine.py:2: Interrupted." in stopped.value.message
    assert not session.axes["rot"].moving


def test_a_script_that_does_not_exist_is_told_before_anything_starts(session: Session, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run_script(session, tmp_path / "nothing.py")
