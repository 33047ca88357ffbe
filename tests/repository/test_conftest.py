"""The common conftest: long tests are left out, skips are listed, and in CI a skip is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"

SAMPLE = """
import pytest

def test_that_runs(): pass

def test_that_needs_recorded_data(): pytest.skip("data: tooth.h5 is not here")

@pytest.mark.long
def test_that_takes_hours(): pass

@pytest.mark.xfail(reason="known")
def test_that_is_expected_to_fail(): assert False
"""


def run_pytest(folder: Path, *arguments: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    long: hours\n")
    environment = {**os.environ, "CI": ci, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "no:cacheprovider", str(folder), *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("ci", ["", "true"])
def test_missing_data_may_be_skipped_even_in_ci_and_is_listed(tmp_path: Path, ci: str) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    result = run_pytest(tmp_path, ci=ci)
    assert result.returncode == 0
    assert "NOT TESTED HERE" in result.stdout
    assert "1 skipped: data: tooth.h5 is not here" in result.stdout
    assert "1 passed, 1 skipped, 1 deselected, 1 xfailed" in result.stdout


def test_long_tests_run_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    assert "2 passed, 1 skipped, 1 xfailed" in run_pytest(tmp_path, "--long").stdout


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_server(): pytest.skip('no server here')",
        "import pytest\n@pytest.mark.skipif(True, reason='no server here')\ndef test_server(): pass",
        "import pytest\npytest.skip('no server here', allow_module_level=True)",
    ],
    ids=["inside", "mark", "module"],
)
def test_another_skip_is_a_failure_in_ci_only(tmp_path: Path, source: str, workers: str) -> None:
    (tmp_path / "test_needy.py").write_text(source)
    (tmp_path / "test_other.py").write_text("def test_that_runs(): pass")
    at_home = run_pytest(tmp_path, "-n", workers)
    assert at_home.returncode == 0
    assert "1 skipped: no server here" in at_home.stdout
    in_ci = run_pytest(tmp_path, "-n", workers, ci="true")
    assert in_ci.returncode == 1
    assert "no server here" in in_ci.stdout
