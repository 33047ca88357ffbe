"""The examples do what they say: each is run as it stands, in a folder of its own."""

from __future__ import annotations

import itertools
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import firstlight
from firstlight.configuration import load

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.fixture
def folder(tmp_path: Path, buffer_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples, whose sessions share a buffer that nobody else uses."""
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("data", "__pycache__", "*.csv"))
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(buffer_root))
    monkeypatch.setenv("FIRSTLIGHT_STATE", str(tmp_path / "state"))
    return copy


@pytest.fixture
def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs an example in this process, which is quicker than in one of its own; what it printed."""

    def run(name: str) -> str:
        runpy.run_path(str(folder / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def test_every_example_is_listed_and_tested() -> None:
    assert SCRIPTS == ["alignment.py", "first_scan.py", "live.py", "mesh.py", "own_counter.py", "xanes.py"]
    for listing in (EXAMPLES / "README.md", EXAMPLES.parent / "docs" / "how-to" / "examples.md"):
        assert all(name in listing.read_text() for name in SCRIPTS), listing


def test_their_beamline_is_right() -> None:
    assert load(EXAMPLES / "beamline.yml").name == "example"


def test_first_scan(told: Callable[[str], str], folder: Path) -> None:
    text = told("first_scan.py")
    assert "41 points" in text
    assert "within limits" in text
    # The top is flat, and the counts are noisy.
    assert number(r"the highest at sx = (\S+) mm", text) == pytest.approx(0.12, abs=0.4)
    with firstlight.open("hc1234/tooth/first", root=folder / "data") as run:
        assert run["diode"].shape == (41,)


def test_alignment(told: Callable[[str], str]) -> None:
    text = told("alignment.py")
    assert number(r"at sx = (\S+) mm", text) == pytest.approx(0.12, abs=0.03)
    assert number(r", (\d+) after", text) > 1.2 * number(r"(\d+) counts before", text)
    assert "now sx = 0.000 mm" in text


def test_mesh(told: Callable[[str], str], folder: Path) -> None:
    text = told("mesh.py")
    picture = text.splitlines()[-8:-1]
    assert {len(row) for row in picture} == {18}
    assert "@" in text
    assert abs(number(r"most at sx = (\S+),", text)) < 0.7
    with firstlight.open("hc1234/tooth/map", root=folder / "data") as run:
        assert run["cam:middle_sum"].shape == (63,)
        assert "cam" not in run


def test_xanes(told: Callable[[str], str], folder: Path) -> None:
    text = told("xanes.py")
    assert number(r"edge at (\S+) eV", text) == pytest.approx(8979.0, abs=2.0)
    assert number(r"jump (\S+),", text) == pytest.approx(1.0, abs=0.2)
    assert (folder / "xanes.csv").read_text().startswith("energy (keV),absorbance")


def test_own_counter(told: Callable[[str], str], folder: Path) -> None:
    text = told("own_counter.py")
    pressures = [float(line.split()[0]) for line in text.splitlines() if "samples" in line]
    assert len(pressures) == 10
    assert pressures == sorted(pressures)
    with firstlight.open("hc1234/vessel/leak", root=folder / "data") as run:
        assert run["gauge:n"].shape == (6,)
        assert run["gauge"].unit == "mbar"


def test_live(folder: Path) -> None:
    command = [sys.executable, "-W", "error", str(folder / "live.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    blocks = [tuple(map(int, pair)) for pair in re.findall(r"points (\d+) to (\d+)", done.stdout)]
    assert blocks[0][0] == 0
    assert blocks[-1][1] == 99
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(blocks))
    assert "of 100 frames" in done.stdout
    assert (folder / "data").exists()
