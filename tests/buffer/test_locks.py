"""Locks as signs of life."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.buffer._locks import acquire, held, insist
from firstlight.model import Conflict

HOLDING = """
import sys, time
from pathlib import Path
from firstlight.buffer._locks import acquire
lock = acquire(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(60)
"""


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "lock")
    assert lock is not None
    assert acquire(tmp_path / "lock") is None
    lock.release()
    again = acquire(tmp_path / "lock")
    assert again is not None
    again.release()


def test_releasing_twice_is_harmless(tmp_path: Path) -> None:
    lock = acquire(tmp_path / "lock")
    assert lock is not None
    lock.release()
    lock.release()


def test_asking_whether_a_lock_is_held_does_not_take_it(tmp_path: Path) -> None:
    assert not held(tmp_path / "lock")
    with insist(tmp_path / "lock"):
        assert held(tmp_path / "lock")
        assert held(tmp_path / "lock")
    assert not held(tmp_path / "lock")
    assert acquire(tmp_path / "lock") is not None


def test_a_lock_that_stays_taken_is_a_conflict(tmp_path: Path) -> None:
    with insist(tmp_path / "lock"), pytest.raises(Conflict, match="stayed locked"):
        insist(tmp_path / "lock", timeout=0.02)


def test_an_absent_lock_file_can_be_required(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        acquire(tmp_path / "lock", create=False)


def test_a_killed_process_loses_its_lock(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDING, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    assert held(tmp_path / "lock")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    wait_for(lambda: not held(tmp_path / "lock"))


FORKING = """
import os, sys
from pathlib import Path
from firstlight.buffer._locks import acquire, held
path = Path(sys.argv[1])
lock = acquire(path)
pid = os.fork()
if pid == 0:
    lock.release()
    os._exit(0)
os.waitpid(pid, 0)
assert held(path)
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(writing)
    os.read(reading, 1)
    os._exit(0)
lock.release()
assert not held(path)
os.close(writing)
os.waitpid(pid, 0)
"""


def test_a_forked_child_neither_frees_a_lock_nor_keeps_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path / "lock")], check=True)


def test_a_lock_does_not_pass_to_a_child(tmp_path: Path) -> None:
    lock = insist(tmp_path / "lock")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    try:
        lock.release()
        assert not held(tmp_path / "lock")
    finally:
        child.kill()
        child.wait()
