"""What the tutorial tells its reader to type works."""

from __future__ import annotations

import re
from pathlib import Path

from tests.shell.conftest import Prompt

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "shell.md"
_LINE = re.compile(r"^fl01 \[\d+\]: (.*)$")
REFUSED = ("mv rot 9999",)
"""Lines that are to be refused."""


def steps() -> list[tuple[str, str]]:
    """What is typed, and what the page says that it prints (empty for what changes each time)."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            typed = _LINE.match(line)
            if typed:
                found.append((typed[1], ""))
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def test_every_line_of_the_tutorial_works(prompt: Prompt) -> None:
    lines = steps()
    assert len(lines) > 20
    for line, printed in lines:
        prompt.desk.error = None
        seen = prompt(line)
        assert (prompt.desk.error is not None) == (line in REFUSED), f"{line}\n{seen}"
        if printed and line != "wa":
            assert seen.startswith(printed)
