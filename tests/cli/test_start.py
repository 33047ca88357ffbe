"""Starting up is a product figure: what must not be imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SLOW = {
    "numpy",
    "numba",
    "scipy",
    "h5py",
    "pint",
    "scanspec",
    "pydantic",
    "asyncio",
    "finufft",
    "algotom",
    "PIL",
    "xarray",
    "IPython",
}
EXTRAS = {"fabio", "xarray", "dask", "astra"}
SLOW_ROOMS = {"numba", "scipy", "h5py", "pint", "scanspec", "finufft", "algotom", "PIL", *EXTRAS}


def imported(code: str) -> set[str]:
    """Top-level modules that a new process has imported after some code."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_importing_firstlight_imports_nothing_slow() -> None:
    assert imported("import firstlight") & SLOW == set()


def running(*arguments: str) -> set[str]:
    """Modules that a command has imported when it ends."""
    return imported(
        "import contextlib, io\nfrom firstlight.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): main({list(arguments)})"
    )


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_slow(argument: str) -> None:
    assert running(argument) & SLOW == set()


@pytest.mark.parametrize("command", ["demo", "shell", "run", "doctor", "buffer", "show", "config"])
def test_the_help_of_a_command_imports_no_room(command: str) -> None:
    # typer itself needs pydantic to explain some kinds of arguments.
    assert running(command, "--help") & (SLOW - {"pydantic"}) == set()


@pytest.mark.parametrize("room", ["model", "buffer", "process", "wire"])
def test_the_rooms_of_every_process_import_no_compiler_and_no_extra(room: str) -> None:
    assert imported(f"import firstlight.{room}") & SLOW_ROOMS == set()


@pytest.mark.parametrize("room", ["storage", "data", "devices", "detectors", "configuration", "scanning", "session"])
def test_no_room_imports_the_compiler_or_an_extra_before_it_is_needed(room: str) -> None:
    assert imported(f"import firstlight.{room}") & {"numba", *EXTRAS} == set()
