"""``firstlight run``: a script from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def firstlight(*arguments: str, buffer: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firstlight", *arguments],
        env={**os.environ, "FIRSTLIGHT_BUFFER": str(buffer)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def test_a_script_runs_and_its_error_names_its_line(tmp_path: Path, buffer_root: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import sys\nrun = ascan(sx, 0, 1, 4, 0, diode)\nprint(sys.argv[1], len(run['diode']))\nmv(sx, 99)\n"
    )
    done = firstlight("run", "mine.py", "--simulated", "", "hello", buffer=buffer_root, folder=tmp_path)
    assert "hello 5" in done.stdout
    assert done.returncode == 1
    assert done.stderr.startswith("error: mine.py:4: sx: cannot go to 99 mm")
    assert "Traceback" not in done.stderr


def test_a_script_finds_the_whole_beamline_and_its_data_lie_in_the_current_folder(
    tmp_path: Path, buffer_root: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "run = dscan(mono_pitch, -0.25, 0.25, 4, 0, i0)\nmv(changer, 4)\nprint(len(run['i0']), run.path)\n"
    )
    done = firstlight("run", "mine.py", "--full", buffer=buffer_root, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"5 {tmp_path / 'firstlight-data'}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nothing.py"), "There is no script nothing.py."),
        (("shell", "nothing.yml"), "There is no configuration nothing.yml."),
    ],
)
def test_what_does_not_exist_is_told_at_once(
    arguments: tuple[str, ...], words: str, tmp_path: Path, buffer_root: Path
) -> None:
    done = firstlight(*arguments, buffer=buffer_root, folder=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
