"""What a user can provoke in an hour: wrong arguments of every command, lost files, killed processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from firstlight.session import Session, simulated
from firstlight.shell._command import commands_of
from firstlight.shell._notebook import attach, detach
from tests.shell.conftest import SMALL, Prompt

WRONG = [
    "nosuch", "-1", "[]", "rot", "rot nosuch", "rot 0 1 -5 0.1", "rot 0 1 5 -0.1", "rot 0 1 0 0.1", "rot 0mm 1 5 0.1",
    "rot 0 1 5 0.1 nosuch", "rot 'x' 1 2 3", "sx 0 1 2 sx 0 1 2 0.1", "rot [1,'a'] 0.1", "nan", "1e400", "a=1",
    "5 -1 diode", "diode 0 1 5 0.1", "1 2 3 4 5 6 7 8 9", "lambda: 1",
]  # fmt: skip
"""Arguments that hardly any command takes; where one does, that is right as well."""

LEAVING = {"exit", "quit"}
ENDLESS = {("timescan", "rot"), ("timescan", "-1")}
TALKING = {"last_error", "help", "info", "prdef", "elog_show", "elog_export", "lsobj"}
"""Their answers are pages, or show what was typed before."""


def one_or_two_sentences(printed: str) -> bool:
    """Whether an answer is what a tired person can read: no traceback, nothing that only we understand."""
    return not any(word in printed for word in ("Traceback", "inside Firstlight", "last_error"))


def saved(printed: str, points: int = 3) -> bool:
    """Whether a scan says that it is in its file."""
    return re.search(rf"{points} points in [\d.]+ s → \S+\.h5", " ".join(printed.split())) is not None


@pytest.mark.timeout(180)
def test_wrong_arguments_of_every_command_are_told_in_a_sentence(
    prompt: Prompt, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    prompt.session.ascan("sx", -0.5, 0.5, 6, 0, "diode")
    strange = []
    commands = [name for name in commands_of(prompt.shell.user_ns) if name not in LEAVING | TALKING]
    assert len(commands) > 70
    for name in commands:
        for words in WRONG:
            if (name, words) not in ENDLESS:
                printed = prompt(f"{name} {words}")
                if not one_or_two_sentences(printed):
                    strange.append(f"{name} {words}: {printed}")
    prompt("unlock")
    prompt("debugoff")
    assert not strange


TABLE = [
    ("where rot [] 0.1", "where: run is a run, not 0.1. Give one, for instance run=last(1)."),
    ("cen diode sx 3", "cen: run is a run, not 3. Give one, for instance run=last(1)."),
    ("lock rto", "There is no device rto. Did you mean rot?"),
    ("lock", "lock needs a device. Write: lock device [device ...]. lslock lists what is locked."),
    ("loopscan 3 -0.1 diode", "count_time"),
    ("loopscan 0 0.1 diode", "0 is too few."),
    ("ascan rot 0 1 0 0.1", "intervals: 0 is too few."),
    ("ascan rot 0mm 1 5 0.1", "rot"),
    ("ascan rot '0' 'x' 5 0.1", "stop: 'x' is not a quantity"),
    ("ct 0.1 dioed", "Did you mean diode?"),
    ("amesh rot 0 1 2 rot 0 1 2 0.1", "rot"),
]


@pytest.mark.parametrize(("line", "words"), TABLE, ids=[line for line, _ in TABLE])
def test_it_says_what_to_do(prompt: Prompt, line: str, words: str) -> None:
    printed = prompt(line)
    assert words in " ".join(printed.split())
    assert one_or_two_sentences(printed)
    assert "was stopped" not in printed


def test_a_traceback_is_full_or_not(prompt: Prompt) -> None:
    assert "last_error: full or nothing, not 'often'." in prompt("last_error often")


def test_an_axis_that_moves_is_not_scanned(prompt: Prompt) -> None:
    prompt("move rot 300 wait=False")
    printed = prompt("ascan rot 0 1 2 0.01 diode")
    prompt("stop")
    assert one_or_two_sentences(printed)
    assert "rot" in printed
    assert "3 points" in prompt("loopscan 3 0 diode")


# -- what is lost under the session


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A beamline whose processes and files may come to harm."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    try:
        with simulated(tmp_path_factory.mktemp("own") / "data", name="harmed", layout=SMALL, buffer=root) as made:
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def harmed(own: Session, ipython: Any, capsys: pytest.CaptureFixture[str]) -> Iterator[Prompt]:
    attached = attach(ipython, own)
    own.newproposal("hc1234")
    own.newsample("tooth")
    own.newdataset("one")
    yield Prompt(ipython, attached, capsys)
    detach(ipython)


def goes_on(prompt: Prompt) -> None:
    """The shell moves, counts and scans as if nothing had been."""
    assert "rot" in prompt("wa")
    assert "1 point" in prompt("ct 0.01 diode")
    printed = prompt("loopscan 3 0.01 diode")
    assert saved(printed), printed


def once_running(session: Session, points: int, then: Callable[[], None]) -> Callable[[], None]:
    """Do something in the middle of the next run; what to call after it."""
    done = threading.Event()

    def look(progress: Any) -> None:
        if progress.point >= points and not done.is_set():
            done.set()
            then()

    session.engine.listeners.append(look)

    def end() -> None:
        session.engine.listeners.remove(look)
        assert done.is_set()

    return end


@pytest.mark.timeout(120)
def test_a_folder_that_is_removed_during_a_scan_spoils_that_scan_only(harmed: Prompt) -> None:
    session = harmed.session
    goes_on(harmed)
    end = once_running(session, 5, lambda: shutil.rmtree(session.dataset.folder))
    printed = " ".join(harmed("loopscan 30 0.02 diode").split())
    end()
    assert "was removed while it was written. Nobody should clean up data during a scan." in printed
    assert "'firstlight recover' saves what the saver cannot" in printed
    assert one_or_two_sentences(printed)
    # The next one has nothing to do with it, saved or not, in the same dataset or in a new one.
    goes_on(harmed)
    assert "data go to" in harmed("newdataset two")
    goes_on(harmed)
    # Begun again, a dataset gives no number twice: the run that was lost can still be saved.
    places = [run.info.saving for run in session.runs if run.info.saving is not None]
    numbers = {saving.number for saving in places if saving.dataset_file.endswith("tooth_one.h5")}
    shutil.rmtree(session.dataset.folder.parent / "tooth_one")
    harmed("newdataset one")
    goes_on(harmed)
    assert session.last.info.saving.number > max(numbers)


@pytest.mark.timeout(120)
def test_a_data_root_that_is_no_folder_is_told_at_each_scan_until_it_is_one(harmed: Prompt, tmp_path: Path) -> None:
    session = harmed.session
    sample = session.dataset.folder.parent
    kept = tmp_path / "kept"
    shutil.move(sample, kept) if sample.exists() else None
    sample.parent.mkdir(parents=True, exist_ok=True)
    sample.write_text("somebody's notes")
    for line in ("loopscan 3 0.01 diode", "elog_print hello", "elog_plot", "enddataset"):
        printed = harmed(line)
        assert one_or_two_sentences(printed), line
    assert "can not be created: Not a directory. Check the data root" in " ".join(
        harmed("loopscan 3 0.01 diode").split()
    )
    assert "1 point" in harmed("ct 0.01 diode")
    sample.unlink()
    goes_on(harmed)


@pytest.fixture
def small_disk(own: Session) -> Iterator[Path]:
    """Where the data of the beamline go, as a disk of its own."""
    root = own.data
    root.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(root)], check=False).returncode:
        pytest.skip("optional: a small disk can be mounted by root only")
    yield root
    # The saver may have a file of it open until it hears of the next run.
    subprocess.run(["umount", "--lazy", str(root)], check=True)


@pytest.mark.timeout(120)
def test_a_full_disk_is_told_and_once_there_is_room_it_goes_on(harmed: Prompt, small_disk: Path) -> None:
    goes_on(harmed)
    stuffing = small_disk / "stuffing"
    with suppress(OSError), stuffing.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    for line in ("loopscan 3 0.01 cam diode", "elog_print hello", "elog_plot", "newdataset three", "enddataset"):
        printed = harmed(line)
        assert one_or_two_sentences(printed), (line, printed)
    printed = " ".join(harmed("loopscan 3 0.01 cam diode").split())
    assert "bytes are free for" in printed, printed
    assert "Free some space, or save somewhere else." in printed
    assert "rot" in harmed("wa")
    assert "1 point" in harmed("ct 0.01 diode")
    stuffing.unlink()
    goes_on(harmed)


def victim(session: Any, name: str) -> int:
    child = {
        "saver": lambda: session.saver,
        "guard": lambda: session._processes._guard,
        "cam": lambda: session.cameras["cam"].child,
    }[name]()
    assert isinstance(child.pid, int)
    return child.pid


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["saver", "guard", "cam"])
def test_a_process_that_is_killed_is_told_and_started_again(harmed: Prompt, name: str) -> None:
    session = harmed.session
    assert saved(harmed("loopscan 3 0.01 cam diode"))

    os.kill(victim(session, name), signal.SIGKILL)
    goes_on(harmed)
    assert saved(harmed("loopscan 3 0.01 cam diode"))

    end = once_running(session, 5, lambda: os.kill(victim(session, name), signal.SIGKILL))
    printed = " ".join(harmed("loopscan 30 0.02 cam diode").split())
    end()
    assert one_or_two_sentences(printed)
    if name == "cam":
        assert "cam: the receiver process died. What it acknowledged is kept, and it is started again." in printed
    else:
        assert saved(printed, 30)
    assert saved(harmed("loopscan 3 0.01 cam diode"))
    goes_on(harmed)
