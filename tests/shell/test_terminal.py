"""The shell as people start it, in a real terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

_COLOUR = r"(?:\x1b\[[\d;]*m)*"
PROMPT = rf"fl01 \[{_COLOUR}\d+{_COLOUR}\]: "
LONG = 90
"""Seconds that a loaded machine may need to start all processes."""


class Terminal:
    """A shell at which a test types."""

    def __init__(self, folder: Path, buffer: Path) -> None:
        environment = {
            **os.environ,
            "FIRSTLIGHT_BUFFER": str(buffer),
            "IPYTHONDIR": str(folder / "ipython"),
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "TERM": "xterm",
            "COLUMNS": "100",
        }
        self.child: Any = pexpect.spawn(
            sys.executable,
            ["-m", "firstlight", "shell", "--simulated", "--no-web", "--data", str(folder / "data")],
            env=environment,
            encoding="utf-8",
            timeout=LONG,
            dimensions=(40, 100),
            # A terminal that closes ends its shell, also where whoever runs the tests has told them to survive that.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        self.child.expect("Type help for the commands")
        self.child.expect(PROMPT)

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self.child.send(f"{line}\r")

    def ask(self, line: str, answer: str) -> None:
        """Type a line, wait for what it prints and for the prompt."""
        self.type(line)
        self.child.expect(answer)
        self.child.expect(PROMPT)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("terminal")
    made = Terminal(folder, folder / "buffer")
    yield made
    made.child.close(force=True)


@pytest.mark.timeout(300)
def test_a_user_moves_counts_scans_and_stops(terminal: Terminal) -> None:
    terminal.ask("mv rot 10", r"rot: 0 → 10 deg")
    terminal.ask("wu", r"rot\[deg\]")
    terminal.ask("ascan sx -1 1 6 0.01 diode", r"scan 1: 7 points")
    terminal.ask("cen", r"\d mm")
    terminal.ask("mv rto 3", r"Did you mean rot\?")

    terminal.type("umv rot 540")
    terminal.child.expect(r"rot is at \d+")
    terminal.child.sendintr()
    terminal.child.expect(r"The motion was stopped: rot is at [\d.]+ deg")
    terminal.child.expect(PROMPT)

    terminal.type("timescan 0.02 diode")
    terminal.child.expect(r"diode\[count\]")
    terminal.child.sendintr()
    terminal.child.expect(r"was stopped after \d+ points, which are kept as scan 2")
    terminal.child.expect(PROMPT)

    terminal.type("loopscan 1000 0.05 diode")
    # The curve, in dots, while the scan runs.
    terminal.child.expect("loopscan 1000 0.05 diode")
    terminal.child.expect(r"[\u2801-\u28ff]{2}")
    terminal.child.expect("counting")
    terminal.child.sendintr()
    terminal.child.sendintr()
    terminal.child.expect(r"was stopped after \d+ of 1000 points")
    terminal.child.expect(PROMPT)

    terminal.child.send("mv ro\t")
    terminal.child.expect("rot")
    terminal.child.sendintr()
    terminal.ask("wu sx", r"sx\[mm\]")

    terminal.child.sendeof()
    terminal.child.expect("Leaving")
    terminal.child.expect(pexpect.EOF)
    deadline = time.monotonic() + LONG
    while terminal.child.isalive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert terminal.child.exitstatus == 0
