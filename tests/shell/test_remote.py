"""A shell attached to a session that lives in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import NotFound
from firstlight.shell import open_session
from firstlight.shell._notebook import attach, detach
from tests.shell.conftest import Prompt


def firstlight(*words: str, buffer: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "firstlight", *words],
        env={**os.environ, "FIRSTLIGHT_BUFFER": str(buffer)},
        check=True,
        capture_output=True,
        timeout=100,
    )


@pytest.fixture
def attached(
    ipython: Any,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    buffer_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Prompt]:
    """A prompt at a headless session."""
    firstlight("session", "start", "--simulated", "--name", "far", "--data", str(tmp_path), buffer=buffer_root)
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(buffer_root))
    try:
        with open_session("far") as session:
            yield Prompt(ipython, attach(ipython, session), capsys)
            detach(ipython)
    finally:
        firstlight("session", "stop", "far", buffer=buffer_root)


def test_the_same_commands_serve_a_session_elsewhere(attached: Prompt) -> None:
    assert attached("mv rot 3") == "rot: 0 → 3 deg\n"
    assert attached("wu rot").split() == ["rot[deg]", "user", "3"]
    lines = attached("ascan sx -1 1 10 0.01 diode").splitlines()
    assert lines[0].split() == ["#", "sx[mm]", "diode[count]"]
    assert "scan 1: 11 points" in lines[-1] or "scan 1: 11 points" in lines[-2]
    assert "the centre of diode" in attached("goto_cen")
    assert attached("mv rot 9999").startswith("rot: cannot go to 9999 deg")
    assert "Did you mean diode?" in attached("ct 0 dioed")
    assert "rot: " in attached("lock rot")
    assert attached("unlock") == "rot unlocked\n"
    assert "noted" in attached("elog_print from afar")
    assert "from afar" in attached("elog_show")
    assert "saver" in attached("lslog")
    assert "axis rot" in attached("info rot")
    assert "no topic" not in attached("showlog session 200")
    assert "No insertion device" in attached("wid")


def test_the_scan_of_somebody_else_is_paused_and_stopped_from_this_prompt(
    attached: Prompt, wait_for: Callable[..., None]
) -> None:
    assert attached("pause").startswith("No scan runs.")
    with open_session("far") as other:
        job: Any = other.launch(other.loopscan.scan(100_000, 0.001, "diode"))
        assert "resume lets it go on" in attached('pause "tea time"')
        wait_for(lambda: other.status.jobs[0].paused == "tea time")
        assert attached("resume") == "The scan goes on.\n"
        assert "does not wait" in attached("resume")
        assert "next safe point" in attached("stop_scan")
        run = other.open(job.result())
    assert run.end is not None
    assert run.end.message.startswith("Stopped by ")
    assert run.npoints < 100_000


def test_a_session_that_does_not_run_is_told(buffer_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(buffer_root))
    with pytest.raises(NotFound, match="nowhere"):
        open_session("nowhere")


def test_an_attached_prompt_reads_along_with_devices_of_the_session(
    attached: Prompt, capsys: pytest.CaptureFixture[str], wait_for: Callable[..., None]
) -> None:
    assert attached("debugon rot") == "now printing what rot log\n"
    printed = attached("mv rot 2 sx 0.1")

    def there() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return "rot: at rest" in printed

    wait_for(there, timeout=30)
    assert "rot: move to 2 deg" in printed
    assert "sx: move" not in printed
    assert attached("debugoff") == "no longer printing what rot log\n"
    assert attached("debugoff") == "Nothing of that kind was printed.\n"
    assert "Did you mean rot?" in attached("debugon rott")
