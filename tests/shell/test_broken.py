"""Scripts and functions of users that are wrong: a sentence, and the shell goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.model import FirstlightError
from firstlight.shell import run_script
from tests.shell.conftest import Prompt

BROKEN = {
    "x = (\n": "mine.py:1",
    "\nimport no_such_module_anywhere\n": "mine.py:2",
    "ascan(rot, 0, 1, 3, 0, diode)\n1 / 0\n": "mine.py:2",
    "def f(x):\n    return f(x)\nf(1)\n": "mine.py:2",
    "import sys\nsys.exit(3)\n": "left with 3",
    "import sys\nsys.exit('no beam')\n": "left with no beam",
    "raise BaseExceptionGroup('all', [ValueError('a')])\n": "mine.py:1",
    "open('/nowhere/at/all')\n": "mine.py:1",
    "assert rot.position > 1e9, 'too low'\n": "too low",
    "move(rot, 300, wait=False)\nundefined_name\n": "mine.py:2",
    "ascan(rot, 0, 1e9, 3, 0, diode)\n": "mine.py:1",
}


def is_told(printed: str, words: str) -> None:
    assert words in printed
    for word in ("Traceback", "inside Firstlight", "\n  File"):
        assert word not in printed
    assert len(printed) < 500


def goes_on(prompt: Prompt) -> None:
    prompt("stop")
    assert "rot: " in prompt("mvr rot 0.25")
    assert "3 points" in prompt("loopscan 3 0 diode")


def test_scripts_at_the_prompt_that_are_wrong(prompt: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    for text, words in BROKEN.items():
        path.write_text(text)
        is_told(prompt(f"script {path}"), words)
    goes_on(prompt)


def test_scripts_of_the_command_line_that_are_wrong(prompt: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    for text, words in BROKEN.items():
        path.write_text(text)
        with pytest.raises(FirstlightError) as failed:
            run_script(prompt.session, path)
        is_told(str(failed.value), words)
        assert not prompt.session.axes["rot"].moving
    goes_on(prompt)


WRONG = {
    "def mine(): return mine()\nmine()": "RecursionError",
    "import no_such_module_anywhere": "There is no module no_such_module_anywhere.",
    "def mine():\n    ascan(rot, 0, 1, 3, 0, diode)\n    raise ValueError('bad')\nmine()": "ValueError: bad",
    "open('/nowhere/at/all')": "No such file or directory",
    "def mine(:\n  pass": "This is not understood",
}


def test_what_is_typed_wrong(prompt: Prompt) -> None:
    for text, words in WRONG.items():
        is_told(prompt(text), words)
    goes_on(prompt)


def test_a_script_at_the_prompt_finds_the_commands_of_the_prompt(prompt: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("mvr(rot, 1)\nwa()\n")
    assert "rot: 0 → 1 deg" in prompt(f"script {path}")
    # Again, though it has not changed.
    assert "rot: 1 → 2 deg" in prompt(f"script {path}")
