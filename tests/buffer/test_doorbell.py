"""Doorbells: futexes in shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from firstlight.buffer._doorbell import NAP, Doorbell
from firstlight.buffer._mapping import PAGE, Mapping

RINGING = """
import sys
from pathlib import Path
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._mapping import Mapping
mapping = Mapping.open(Path(sys.argv[1]), writable=True)
bell = Doorbell(mapping, 0)
print("ready", flush=True)
for line in sys.stdin:
    mapping.memory[2000] += 1
    bell.answer()
"""


@pytest.fixture
def page(buffer_root: Path) -> Mapping:
    return Mapping.create(buffer_root / "page", PAGE)


@pytest.fixture
def bell(page: Mapping) -> Doorbell:
    return Doorbell(page, 0)


def test_nobody_is_woken_while_nobody_waits(bell: Doorbell) -> None:
    before = bell.value
    bell.answer()
    assert bell.value == before


def test_an_armed_bell_is_answered_once(bell: Doorbell) -> None:
    value = bell.arm()
    bell.answer()
    rung = bell.value
    assert rung != value
    bell.answer()
    assert bell.value == rung


def test_sleeping_on_an_old_value_returns_at_once(bell: Doorbell) -> None:
    value = bell.arm()
    bell.ring()
    for _ in range(100):
        bell.sleep(value, 60.0)


def test_a_wait_of_no_time_only_looks(bell: Doorbell) -> None:
    assert bell.wait(lambda: True, 0.0)
    assert not bell.wait(lambda: False, 0.0)


def test_a_wait_ends_at_its_timeout(bell: Doorbell) -> None:
    looked: list[int] = []

    def never() -> bool:
        looked.append(1)
        return False

    assert not bell.wait(never, 3 * NAP)
    assert len(looked) >= 3


def test_a_lost_ring_costs_one_nap_at_most(bell: Doorbell) -> None:
    state = {"ready": False}
    sleeping = threading.Event()

    def condition() -> bool:
        sleeping.set()
        return state["ready"]

    thread = threading.Thread(target=lambda: bell.wait(condition, 30.0))
    thread.start()
    sleeping.wait()
    state["ready"] = True  # and nobody rings
    thread.join(10.0)
    assert not thread.is_alive()


def test_every_waiter_wakes(bell: Doorbell, page: Mapping, wait_for: Callable[..., None]) -> None:
    go: list[bool] = []
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda: done.append(Doorbell(page, 0).wait(lambda: bool(go), 30.0))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: bell.flag[0] == 1)
    go.append(True)
    bell.ring()
    for thread in threads:
        thread.join(10.0)
    assert done == [True] * 4


def test_a_bell_rings_between_processes(page: Mapping, bell: Doorbell) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", RINGING, str(page.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    for k in range(1, 50):
        child.stdin.write(b"\n")
        child.stdin.flush()
        assert bell.wait(partial(lambda k: bool(page.memory[2000] >= k), k), 10.0)
    child.stdin.close()
    assert child.wait(10) == 0
    child.stdout.close()


def test_two_ringers_never_restore_an_old_value(page: Mapping) -> None:
    ringers = [Doorbell(page, 0) for _ in range(2)]
    seen = []
    for k in range(200):
        ringers[k % 2].ring()
        seen.append(ringers[0].value)
    assert len(set(seen)) == len(seen)


def test_a_signal_interrupts_a_wait(bell: Doorbell, wait_for: Callable[..., None]) -> None:
    def interrupt() -> None:
        wait_for(lambda: bell.flag[0] == 1)
        os.kill(os.getpid(), signal.SIGINT)

    # Tests that a shell starts in the background are told to ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            bell.wait(lambda: False, 30.0)
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
