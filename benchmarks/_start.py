"""How long Firstlight takes to start: whole processes, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks._harness import Row, alternate, row

_PAIRS = 15


def _process(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def _bare() -> Callable[[], float]:
    return partial(_process, sys.executable, "-c", "pass")


def importing() -> list[Row]:
    """``import firstlight`` in a new process."""
    ours, theirs = alternate(partial(_process, sys.executable, "-c", "import firstlight"), _bare(), pairs=_PAIRS)
    return [row("start.import", "s", ours, "python -c pass", theirs)]


def command_line() -> list[Row]:
    """``firstlight --help`` in a new process."""
    command = Path(sys.executable).with_name("firstlight")
    ours, theirs = alternate(partial(_process, str(command), "--help"), _bare(), pairs=_PAIRS)
    return [row("start.cli", "s", ours, "python -c pass", theirs)]
