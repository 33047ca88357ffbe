"""The reference pages name everything that there is."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import isclass, isroutine
from pathlib import Path

import pytest

from benchmarks._registry import BENCHMARKS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"

COMMANDS = (
    "session start",
    "session ls",
    "session stop",
    "demo",
    "shell",
    "run",
    "doctor",
    "ls",
    "show",
    "export",
    "recover",
    "compact",
    "config check",
    "config show",
    "config schema",
    "config new",
    "buffer ls",
    "buffer show",
    "buffer clean",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_the_command_line_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from firstlight.cli import main

    assert main([*command.split(), "--help"]) == 0
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help", "--debug"}
    page = (REFERENCE / "cli.md").read_text()
    start = page.index(f"`firstlight {command}")
    signature = page[start : page.index("`\n", start)]
    assert {option for option in options if option not in signature} == set()


ROOMS = tuple(page.stem for page in sorted((REFERENCE / "api").glob("*.md")) if page.stem != "index")


@pytest.mark.parametrize("room", ROOMS)
def test_the_python_reference_finds_every_public_name(room: str) -> None:
    module = import_module("firstlight.tasks.tomography" if room == "tomography" else f"firstlight.{room}")
    assert set(module.__all__) - set(dir(module)) == set()
    public = [getattr(module, name) for name in module.__all__]
    assert [thing for thing in public if (isclass(thing) or isroutine(thing)) and not thing.__doc__] == []


def test_every_room_has_a_page() -> None:
    rooms = {path.parent.name for path in (ROOT / "src" / "firstlight").glob("*/__init__.py")}
    assert rooms - {"cli", "tasks"} - set(ROOMS) == set()


def test_the_page_of_settings_names_every_variable() -> None:
    sources = [*(ROOT / "src").rglob("*.py"), ROOT / "run"]
    used = {name for path in sources for name in re.findall(r"FIRSTLIGHT_[A-Z]+", path.read_text())}
    page = (REFERENCE / "configuration.md").read_text()
    assert {name for name in used if name not in page} == set()


def test_the_page_of_figures_names_every_promise() -> None:
    page = (REFERENCE / "figures.md").read_text()
    assert {name for benchmark in BENCHMARKS for name in benchmark.promises if f"`{name}`" not in page} == set()


def test_nothing_names_a_host_or_a_path_of_a_machine() -> None:
    files = [
        ROOT / "run",
        ROOT / "constraints.txt",
        ROOT / "pyproject.toml",
        ROOT / "README.md",
        *REFERENCE.rglob("*.md"),
    ]
    forbidden = re.compile(r"https?://|/home/|/root/")
    assert [path.name for path in files if forbidden.search(path.read_text())] == []
