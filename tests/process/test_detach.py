"""Processes that live on when the one that started them has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.model import ProcessError
from firstlight.process import ProcessSpec, detach


def _gone(pid: int) -> bool:
    # Whoever takes in orphans here may be slow to bury them.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_lives_on_in_a_terminal_session_of_its_own(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    code = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from firstlight.process import ProcessSpec, detach
pid, info = detach(ProcessSpec("alone", "process_targets:serve"), Path({str(tmp_path / "logs" / "alone.log")!r}))
print(json.dumps([pid, info["session"]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    pid, session = json.loads(done.stdout)
    assert session == pid
    assert not _gone(pid)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: _gone(pid))
    assert "the last word" in (tmp_path / "logs" / "alone.log").read_text()


def test_one_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    spec = ProcessSpec("alone", "process_targets:raise_before_ready")
    with pytest.raises(ProcessError, match="the cable is loose"):
        detach(spec, tmp_path / "alone.log")
