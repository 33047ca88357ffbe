"""The shell itself is killed, or its terminal closed, in the middle of a scan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

import firstlight
from firstlight.buffer import Buffer
from firstlight.devices.sim import BufferBoard
from firstlight.model import EndReason
from firstlight.model.motion import positions
from tests.shell.test_terminal import PROMPT, Terminal

FAR = 540.0
"""Several seconds away: whoever is still on the way was stopped by somebody."""


def where_it_stays(board: BufferBoard, axis: str) -> float | None:
    """Where an axis is, once it rests; None while it moves."""
    now = time.monotonic()
    rows = board.motion(axis, now)
    here, soon = positions(rows, [now, now + 1.0]).tolist()
    return float(here) if here == soon else None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal closed"])
def test_motors_stop_the_file_is_complete_and_the_next_shell_starts_clean(
    how: signal.Signals, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    root = tmp_path / "buffer"
    terminal = Terminal(tmp_path, root)
    terminal.ask("sx.set_position(0.25)", PROMPT[:4])
    terminal.ask("newproposal hc1234", "data go to")
    terminal.type(f"ascan rot 0 {FAR:g} 1 0.1 diode")
    terminal.child.expect(r"rot\[deg\]")
    buffer = Buffer(root)
    board = BufferBoard(buffer)
    wait_for(lambda: float(positions(board.motion("rot", time.monotonic()), [time.monotonic()])[0]) > 5.0, timeout=30)
    os.kill(terminal.child.pid, how)
    wait_for(lambda: not terminal.child.isalive(), timeout=60)
    terminal.child.close(force=True)

    wait_for(lambda: where_it_stays(board, "rot") is not None, timeout=30)
    stayed = where_it_stays(board, "rot")
    assert stayed is not None
    assert 5.0 < stayed < FAR - 1.0

    environment = {**os.environ, "FIRSTLIGHT_BUFFER": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "firstlight", "recover"],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    saved = [entry for entry in buffer.runs() if entry.saved]
    assert len(saved) == 1
    saving = buffer.run(saved[0].key).info.saving
    assert saving is not None
    with firstlight.open(saving.file) as run:
        assert len(run["diode"]) == 1
        assert run.end is not None
        assert run.end.reason is not EndReason.SUCCESS

    again = Terminal(tmp_path, root)
    try:
        again.ask("wu sx", r"0\.25")
        again.ask("mv rot 1", r"rot: .* → 1 deg")
        again.ask("ascan rot 0 1 2 0.01 diode", r"scan 2: 3 points")
        again.child.sendeof()
        again.child.expect(pexpect.EOF)
    finally:
        again.child.close(force=True)
