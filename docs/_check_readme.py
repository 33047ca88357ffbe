"""Do what a page tells its reader to do: run its ``python`` and ``console`` blocks, in order, as a newcomer would.

A block after the comment ``<!-- not run -->`` is left out. Console blocks run the lines that begin with ``$``.
A block of Python whose first line is the name of a file, as in ``# align.py``, is added to that file, for a later block
to run. Every page gets an empty folder, a private buffer, and the repository's ``./run``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 600.0
_FILE = re.compile(r"# ([\w-]+\.py)\n")
_BLOCK = re.compile(r"(<!-- not run -->\s*\n)?^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page.

    :param line: where it begins.
    """

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file that it is a part of; empty for a block that is run."""
        found = _FILE.match(self.text) if self.language == "python" else None
        return found[1] if found else ""

    def script(self) -> list[str]:
        """The process that does what it says."""
        if self.language == "python":
            return [sys.executable, "-W", "error", "-c", self.text]
        lines = [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]
        return ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that are to be run."""
    for found in _BLOCK.finditer(text):
        if not found[1]:
            yield Block(found[2], found[3], text.count("\n", 0, found.start(3)))


def check(page: Path) -> list[str]:
    """Run a page; the complaints about what did not work."""
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="firstlight-page-"))
    buffer = Path(tempfile.mkdtemp(prefix="firstlight-page-", dir=memory))
    launcher = folder / "run"
    launcher.write_text(f'#!/bin/sh\nexec "{ROOT}/run" "$@"\n')
    launcher.chmod(0o755)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FIRSTLIGHT_BUFFER": str(buffer / "root")}
    complaints = []
    try:
        for block in blocks(page.read_text()):
            if block.file:
                with (folder / block.file).open("a") as file:
                    file.write(block.text)
                continue
            began = time.monotonic()
            result = subprocess.run(
                block.script(),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT,
            )
            what = f"{page.name}:{block.line} ({block.language})"
            if result.returncode:
                complaints.append(f"{what} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
            else:
                print(f"{what}: {time.monotonic() - began:.1f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(buffer, ignore_errors=True)
    return complaints


def main() -> int:
    """Run pages; 1 when something in them does not work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    complaints = [complaint for page in parser.parse_args().pages for complaint in check(page)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
