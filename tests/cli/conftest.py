"""Running the command as people do, with a private buffer and home."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(buffer_root: Path, tmp_path: Path) -> dict[str, str]:
    """Environment variables of a user with an empty home and no buffer yet."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "FIRSTLIGHT_BUFFER": str(buffer_root / "root"),
        "FIRSTLIGHT_SPILL": str(tmp_path / "spill"),
        "FIRSTLIGHT_STATE": str(tmp_path / "state"),
        "COLUMNS": "120",
        # The sources under test, when they are not the installed ones.
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
    }


@pytest.fixture
def firstlight(environment: dict[str, str], tmp_path: Path) -> Command:
    """``firstlight("buffer", "ls")``: the installed command in its own process."""
    command = Path(sys.executable).with_name("firstlight")

    def run(*arguments: str, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command), *arguments],
            env=environment,
            cwd=cwd or tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    return run


@pytest.fixture
def main(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The same in this process: ``main("buffer", "ls")`` returns the status; the output is in ``capsys``."""
    from firstlight.cli import main as run

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(list(arguments))


@pytest.fixture
def refused(main: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``refused("show", "absent.h5")``: the one sentence (and the hint) of a command that fails, which it must be."""

    def run(*arguments: str, status: int = 1) -> str:
        assert main(*arguments) == status
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert lines[0].startswith("error: ")
        assert len(lines) <= 2
        assert all(line.startswith("hint: ") for line in lines[1:])
        assert "Traceback" not in captured.err
        return captured.err

    return run
