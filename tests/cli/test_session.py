"""Sessions that live by themselves, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_a_session_is_started_listed_and_ended(firstlight: Command, tmp_path: Path) -> None:
    started = firstlight("session", "start", "--simulated", "--data", str(tmp_path / "data"), "--name", "sim")
    try:
        assert started.returncode == 0, started.stderr
        assert "Session sim runs as process" in started.stdout
        assert "firstlight shell sim" in started.stdout
        listed = firstlight("session", "ls")
        assert "sim" in listed.stdout
        assert "nobody" in listed.stdout
        (status,) = json.loads(firstlight("session", "ls", "--json").stdout)
        assert (status["name"], status["hosted"], status["failed"]) == ("sim", True, [])
        assert status["devices"] > 0
        assert Path(status["log"]).is_file()
        again = firstlight("session", "start", "--simulated", "--name", "sim")
        assert again.returncode == 1
        assert "A session sim runs already." in again.stderr
        other = firstlight("session", "stop", "sym")
        assert other.returncode == 1
        assert "Did you mean sim?" in other.stderr
    finally:
        ended = firstlight("session", "stop", "sim")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "Session sim has ended.\n"
    assert "No session runs here." in firstlight("session", "ls").stdout


def test_a_wrong_configuration_is_told_at_the_terminal(firstlight: Command, tmp_path: Path) -> None:
    file = tmp_path / "fl01.yml"
    file.write_text("beamline: fl01\ndevices: [{name: rot, kind: sim.axs}]\n")
    done = firstlight("session", "start", str(file))
    assert done.returncode == 1
    assert "sim.axis" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_to_start_has_to_be_said(firstlight: Command) -> None:
    done = firstlight("session", "start")
    assert done.returncode == 1
    assert "Name a configuration, or give --simulated" in done.stderr
