"""Ctrl-C at every moment of a command: axes stop, a sentence tells what was stopped, and the shell goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import RunAborted, RunState
from firstlight.shell import run_script
from tests.shell.conftest import Prompt

pytestmark = pytest.mark.timeout(90)


def press() -> None:
    """Ctrl-C, as a terminal sends it: to the process, not to a thread."""
    os.kill(os.getpid(), signal.SIGINT)


def press_elsewhere() -> None:
    """Ctrl-C that does not wake the main thread."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


class Once:
    """Calls something the first time that it is asked to."""

    def __init__(self, what: Callable[[], None]) -> None:
        self.what, self.done = what, False

    def __call__(self) -> None:
        if not self.done:
            self.done = True
            self.what()


@pytest.fixture
def moments(prompt: Prompt) -> Iterator[Callable[[str, Callable[[], None]], Once]]:
    """Do something at a moment of the next command."""
    engine = prompt.session.engine
    listeners, launched, moved = list(engine.listeners), list(engine.launched), list(engine.gate.listeners)

    def at(moment: str, what: Callable[[], None]) -> Once:
        once = Once(what)

        def progress(now: Any) -> None:
            reached = {
                "prepared": now.state is RunState.PREPARED,
                "moving to the start": now.doing.startswith("moving"),
                "first point": now.point >= 1,
                "in the middle": now.point >= 3,
                "at its end": now.state is RunState.STOPPED,
            }
            if reached.get(moment):
                once()

        def moves(name: str, moving: bool) -> None:
            if moment == "moving" and moving:
                once()

        engine.listeners.append(progress)
        engine.gate.listeners.append(moves)
        if moment == "launched":
            engine.launched.append(lambda job: once())
        return once

    yield at
    engine.listeners[:], engine.launched[:], engine.gate.listeners[:] = listeners, launched, moved


def goes_on(prompt: Prompt) -> None:
    prompt("stop")  # waits for what decelerates still
    assert not prompt.session.engine.busy
    assert [axis.name for axis in prompt.session.axes.values() if axis.moving] == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "rot: " in prompt("mvr rot 0.25")
    assert "3 points" in prompt("loopscan 3 0 diode")


MOTION = "The motion was stopped: rot is at "
SCAN = "was stopped after "
TABLE = [
    ("mv rot 300", "launched", MOTION),
    ("mv rot 300", "moving", MOTION),
    ("umv rot 300", "moving", MOTION),
    ("rot.move(300)", "moving", "mv rot 300 was stopped by the user."),
    ("ascan rot 200 300 10 0.1 diode", "launched", SCAN),
    ("ascan rot 200 300 10 0.1 diode", "prepared", SCAN),
    ("ascan rot 200 300 10 0.1 diode", "moving", SCAN),
    ("loopscan 1000 0.01 diode", "first point", SCAN),
    ("dscan sx -1 1 1000 0.01 diode", "in the middle", SCAN),
    ("timescan 0.01 diode", "in the middle", SCAN),
    ("flyscan rot 0 100 1000 0.01 diode cam", "in the middle", SCAN),
    ("flyscan rot 300 400 1000 0.01 diode", "moving to the start", SCAN),
    ("ct 100 diode", "prepared", SCAN),
    ("tomo rot 0 180 100 0.05 cam", "first point", SCAN),
    ("loopscan 5 0.01 diode", "at its end", ""),
    ("for i in range(100): loopscan(3, 0.01, diode)", "at its end", ""),
    ("for i in range(100): mv(rot, i)", "moving", MOTION),
    ("move(rot, 300, wait=False)\nwhile True: pass", "moving", "Interrupted; what this shell had set going"),
    ("def mine():\n    ascan(rot, 0, 90, 1000, 0.01, diode)\nmine()", "in the middle", SCAN),
]  # fmt: skip


@pytest.mark.parametrize("how", [press, press_elsewhere], ids=["to the process", "to another thread"])
@pytest.mark.parametrize(("line", "moment", "words"), TABLE, ids=[f"{r[0].splitlines()[0]} {r[1]}" for r in TABLE])
def test_it_stops_is_told_and_the_shell_goes_on(
    prompt: Prompt, moments: Any, line: str, moment: str, words: str, how: Callable[[], None]
) -> None:
    pressed = moments(moment, how)
    printed = " ".join(prompt(line).split())
    assert pressed.done, printed
    assert words in printed
    assert "Traceback" not in printed
    assert "inside Firstlight" not in printed
    assert prompt.session.engine.last is None or len(prompt.session.runs) < 100
    goes_on(prompt)


def test_what_is_said_is_of_the_scan_that_was_stopped_not_of_the_one_before(prompt: Prompt, monkeypatch: Any) -> None:
    prompt("loopscan 3 0 diode")

    def interrupted(what: Any) -> None:
        if what is not None:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(prompt.session.engine, "_ready", interrupted)
        printed = prompt("ascan rot 0 1 5 0 diode")
    assert "ascan was stopped before it began." in printed
    goes_on(prompt)


def test_a_script_that_is_interrupted_twice_stops_all_that_moves(
    prompt: Prompt, moments: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("move(rot, 300, wait=False)\nascan(sx, 0, 1, 1000, 0.01, diode)\n")
    moments("in the middle", press)
    session = prompt.session
    stop = session.stop

    def impatient() -> None:
        signal.raise_signal(signal.SIGINT)
        stop()

    monkeypatch.setattr(session, "stop", impatient)
    with pytest.raises(RunAborted, match=r"mine\.py:2: ascan sx 0 1 1000 0\.01 diode was stopped after"):
        run_script(session, path)
    monkeypatch.undo()
    goes_on(prompt)


def test_a_script_of_the_prompt_is_interrupted(prompt: Prompt, moments: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("for i in range(100):\n    ascan(sx, 0, 1, 1000, 0.01, 'diode')\n")
    moments("in the middle", press)
    printed = " ".join(prompt(f"script {path}").split())
    assert "stopped" in printed
    assert "Traceback" not in printed
    goes_on(prompt)
