"""The ``run`` script where nothing can be installed: what it says, and that it leaves no half-made environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "env", "dirname", "cat", "sha256sum", "cut", "mkdir", "rm", "mv", "ls", "tail", "id", "flock", "sleep")


class Repository:
    """A copy of the script with a PATH that holds its tools and whatever Pythons a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "first light"  # a blank, as people have them
        self.bin = folder / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        for name in ("run", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.bin / tool).symlink_to(found)

    def add_python(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "run"), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.root), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


# Stands for a Python that makes environments and installs into them, but fast.
WORKING = f"""
case "$*" in
    *venv\\ --clear*) for last; do :; done; mkdir -p "$last/bin"; : >"$last/pyvenv.cfg"; cp "$0" "$last/bin/python" ;;
    *pip\\ install*) echo "$*" >>"$INSTALLED"; exit "${{PIP_STATUS:-0}}" ;;
    *ensurepip*) exit "${{VENV_STATUS:-0}}" ;;
    -m\\ pytest*) echo "pytest $*" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def working(repository: Repository) -> Repository:
    shutil.copy(str(shutil.which("cp")), repository.bin / "cp")
    repository.add_python("python3.12", WORKING)
    return repository


def installs(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_help_names_every_command(repository: Repository) -> None:
    result = repository.run("help")
    assert result.returncode == 0
    for command in ("demo", "test", "check", "bench", "docs", "ci-setup"):
        assert f"./run {command}" in result.stdout


def test_an_unknown_command_is_refused(repository: Repository) -> None:
    result = repository.run("tset")
    assert result.returncode == 1
    assert "error: tset is no command of ./run." in result.stderr


def test_a_machine_without_python_is_told_so(repository: Repository) -> None:
    result = repository.run("demo")
    assert result.returncode == 1
    assert result.stderr.startswith("error: No Python 3.11, 3.12 or 3.13 was found.\nhint: ")
    assert not (repository.root / ".venv").exists()


def test_a_python_that_is_too_old_or_a_shim_that_does_not_work_is_passed_over(working: Repository) -> None:
    working.add_python("python3.13", "exit 127")
    working.add_python("python3", "exit 1")
    log = working.root / "log"
    assert working.run("test", INSTALLED=str(log)).returncode == 0


def test_a_python_without_venv_is_told_which_package_to_install(working: Repository) -> None:
    result = working.run("demo", VENV_STATUS="1")
    assert result.returncode == 1
    assert "comes without its venv module" in result.stderr
    assert "python3-venv" in result.stderr


def test_a_folder_that_is_no_environment_is_left_alone(working: Repository) -> None:
    precious = working.root / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    result = working.run("demo", FIRSTLIGHT_VENV=str(precious))
    assert result.returncode == 1
    assert "is no virtual environment" in result.stderr
    assert sorted(p.name for p in precious.iterdir()) == ["thesis.tex"]


def test_a_second_run_installs_nothing(working: Repository) -> None:
    log = working.root / "log"
    first = working.run("test", "tests/model", INSTALLED=str(log))
    assert first.returncode == 0
    assert "pytest -m pytest -n 2 --dist worksteal tests/model" in first.stdout
    before = installs(log)
    assert before[-1].endswith("[test]")
    assert working.run("test", INSTALLED=str(log)).returncode == 0
    assert installs(log) == before


def test_a_changed_pyproject_installs_again(working: Repository) -> None:
    log = working.root / "log"
    working.run("test", INSTALLED=str(log))
    before = len(installs(log))
    with (working.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    working.run("test", INSTALLED=str(log))
    assert len(installs(log)) > before


def test_a_failed_installation_is_tried_again_and_says_where_its_log_is(working: Repository) -> None:
    log = working.root / "log"
    result = working.run("test", INSTALLED=str(log), PIP_STATUS="1")
    assert result.returncode == 1
    assert "error: The packages could not be installed" in result.stderr
    assert "pytest" not in result.stdout
    before = len(installs(log))
    assert working.run("test", INSTALLED=str(log)).returncode == 0
    assert len(installs(log)) > before


def test_an_environment_that_was_moved_is_made_anew(working: Repository) -> None:
    log = working.root / "log"
    working.run("test", INSTALLED=str(log))
    (working.root / ".venv").rename(working.root / "other")
    result = working.run("test", INSTALLED=str(log), FIRSTLIGHT_VENV=str(working.root / "other"))
    assert result.returncode == 0
    assert "Making a virtual environment" in result.stderr


def test_two_runs_at_once_install_one_after_the_other(working: Repository) -> None:
    if shutil.which("flock") is None:
        pytest.skip("flock (of util-linux) is not installed")
    log = working.root / "log"
    environment = {"PATH": str(working.bin), "HOME": str(working.root), "INSTALLED": str(log)}
    both = [
        subprocess.Popen([str(working.root / "run"), "test"], env=environment, stdout=DEVNULL, stderr=DEVNULL)
        for _ in "ab"
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert len(installs(log)) == 2


def test_the_users_python_settings_do_not_leak_in(working: Repository) -> None:
    working.add_python("python3.12", WORKING.replace('echo "pytest', 'echo "path=$PYTHONPATH"; echo "pytest'))
    result = working.run("test", INSTALLED=os.devnull, PYTHONPATH="/facility/python")
    assert "path=\n" in result.stdout
