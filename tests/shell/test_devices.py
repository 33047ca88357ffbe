"""Devices that fail, change, are locked or belong to a configuration, as seen at the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import FirstlightError
from firstlight.scanning._claims import Client, acting_as
from firstlight.session import Session, load
from firstlight.shell._notebook import attach, detach
from tests.session.session_kinds import SWITCH, kinds
from tests.shell.conftest import Prompt

AXIS = {"name": "rot", "kind": "sim.axis", "unit": "deg", "velocity": 1000.0, "acceleration": 10000.0}
BAD = {"name": "bad", "kind": "test.broken"}
RING = {"name": "ring", "kind": "sim.ring"}

Opened = Callable[[Session], Prompt]


@pytest.fixture
def opened(ipython: Any, capsys: pytest.CaptureFixture[str], buffer_root: Path) -> Iterator[Opened]:
    """A prompt at a session of the test's own, which ends with the test."""
    made: list[Session] = []

    def at(session: Session) -> Prompt:
        made.append(session)
        return Prompt(ipython, attach(ipython, session), capsys)

    yield at
    detach(ipython)
    for session in made:
        session.close()


@pytest.fixture
def broken(opened: Opened, tmp_path: Path, buffer_root: Path) -> Iterator[Prompt]:
    """A prompt where one device did not connect."""
    with kinds():
        yield opened(Session("x", [AXIS, BAD, RING], data=tmp_path / "data", buffer=buffer_root))


def test_a_device_that_failed_is_listed_and_says_why(broken: Prompt) -> None:
    assert "test.broken: FAILED" in broken("lsobj")
    assert "does not answer at its address." in broken("mv bad 3")
    assert "does not answer at its address." in broken("ct 0 bad")
    assert "bad" not in broken("wa")
    assert broken("mv rot 1") == "rot: 0 → 1 deg\n"


def test_a_device_that_failed_is_tried_again(broken: Prompt) -> None:
    assert "does not answer" in broken("retry bad")
    SWITCH["broken"] = False
    assert broken("retry bad") == "bad works.\n"
    assert broken("mv bad 1").startswith("bad: 0 → 1")


def test_an_axis_that_does_not_answer_leaves_the_others_readable(
    broken: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off() -> float:
        raise OSError("no route to host")

    SWITCH["broken"] = False
    broken("retry bad")
    monkeypatch.setattr(broken["bad"].driver, "position", off)
    lines = broken("wa").splitlines()
    assert lines[1].split() == ["user", "0", "ERR"]
    assert "bad: OSError: no route to host." in lines
    assert "ERR" in broken("sta") or "bad" in broken("sta")


def test_what_is_locked_by_somebody_else_is_told_by_whom(broken: Prompt) -> None:
    assert broken("lslock") == "Nothing is locked.\n"
    with acting_as(Client("anna", 1234, "page")):
        broken.session.take_lock("rot")
    assert "rot: anna's page (process 1234)" in broken("lslock")
    assert "locked by anna's page" in broken("mv rot 3")
    assert "had locked nothing" in broken("unlock")
    with acting_as(Client("anna", 1234, "page")):
        broken.session.unlock("rot")
    assert "rot: " in broken("lock rot")
    assert broken("unlock") == "rot unlocked\n"


def test_a_configuration_is_listed_and_read_again(opened: Opened, tmp_path: Path, buffer_root: Path) -> None:
    file = tmp_path / "fl02.yml"
    file.write_text(
        f"beamline: fl02\nstorage: {{data: {tmp_path}}}\n"
        "devices:\n  - {name: rot, kind: sim.axis, unit: deg}\n  - {name: ring, kind: sim.ring}\n"
        "groups: {light: [ring]}\naliases: {theta: rot}\n"
    )
    prompt = opened(load(file, buffer=buffer_root, state=tmp_path / "state"))
    assert "fl02.yml:4" in prompt("lsconfig rot")
    assert prompt("mv theta 1") == "rot: 0 → 1 deg\n"
    assert prompt("wa").splitlines()[0].split() == ["rot[deg]"]
    file.write_text(file.read_text().replace("name: ring,", "name: current,").replace("[ring]", "[current]"))
    prompt("reload")
    assert "current" in prompt("lscnt")
    assert "ring" not in prompt.shell.user_ns
    file.write_text(file.read_text().replace("sim.axis", "sim.axs"))
    assert "Did you mean" in prompt("reload")
    assert prompt("mv rot 2") == "rot: 1 → 2 deg\n"


def test_a_script_of_the_proposal_is_found(broken: Prompt) -> None:
    assert "No scripts." in broken("script")
    folder = broken.session.dataset.experiment.scripts
    folder.mkdir(parents=True)
    (folder / "align.py").write_text("def double(x):\n    return 2 * x\n")
    assert "align" in broken("script")
    broken("mine = script align")
    assert broken["mine"].double(4) == 8
    assert "Did you mean align?" in broken("script algn")


def test_an_error_without_a_sentence_of_its_own_is_still_one_line(broken: Prompt) -> None:
    assert "takes" in broken("rot.set_position(1, 2, 3)")
    assert "are no limits" in broken("rot.limits = 3")
    assert "is not a quantity" in broken("rot.velocity = 'fast'")


def test_what_ends_the_session_is_told(broken: Prompt) -> None:
    broken.session.engine.close()
    try:
        assert broken("mv rot 3").startswith("The engine is closed.")
    except FirstlightError as error:  # pragma: no cover - shows which error came through
        pytest.fail(str(error))
