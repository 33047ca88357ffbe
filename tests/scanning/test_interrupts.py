"""Ctrl-C, whenever it comes and whichever thread the system gives it to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from firstlight.model import RunAborted
from firstlight.scanning import ascan, held, interruptible, timescan, uninterrupted
from tests.scanning.conftest import Beamline

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whoever listened to signals before does so afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.set_wakeup_fd(-1) == -1
    assert not [thread for thread in threading.enumerate() if thread.name == "firstlight-interrupts"]


def press_elsewhere() -> None:
    """Ctrl-C that wakes no thread but this one: the main thread sleeps on."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


class Job:
    """Something that runs until it is aborted."""

    def __init__(self, ends_after: int = 1) -> None:
        self.future: Future[str] = Future()
        self.aborts = 0
        self._ends_after = ends_after

    def abort(self) -> None:
        self.aborts += 1
        if self.aborts == self._ends_after:
            self.future.set_result("aborted")


def end_of(job: Job) -> str:
    return job.future.result()


def waited(job: Job) -> str:
    return uninterrupted(lambda: job, end_of, Job.abort, lambda result: result == "aborted")


@pytest.mark.parametrize("presses", [1, 3])
def test_each_press_aborts_also_when_another_thread_receives_it(presses: int) -> None:
    job = Job(presses)

    def press() -> None:
        for number in range(presses):
            press_elsewhere()
            while job.aborts <= number:
                pass

    thread = threading.Thread(target=press)

    def launch() -> Job:
        thread.start()
        return job

    assert uninterrupted(launch, end_of, Job.abort, lambda _: True) == "aborted"
    thread.join()
    assert job.aborts == presses


def test_a_press_before_anything_is_launched_aborts_it_once() -> None:
    job = Job()

    def launch() -> Job:
        signal.raise_signal(signal.SIGINT)
        return job

    assert uninterrupted(launch, end_of, Job.abort, lambda _: True) == "aborted"
    assert job.aborts == 1


def test_a_press_that_came_too_late_lets_nothing_follow() -> None:
    job = Job()
    job.future.set_result("done")

    def result(job: Job) -> str:
        signal.raise_signal(signal.SIGINT)
        return job.future.result()

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(lambda: job, result, lambda j: None)


def test_a_press_raised_by_a_handler_of_somebody_else_aborts_too() -> None:
    job = Job()

    def result(job: Job) -> str:
        if not job.aborts:
            raise KeyboardInterrupt
        return job.future.result()

    assert uninterrupted(lambda: job, result, Job.abort) == "aborted"


def test_an_error_passes() -> None:
    job = Job()
    job.future.set_exception(RunAborted("stopped"))
    with pytest.raises(RunAborted):
        waited(job)


def test_other_threads_wait_without_signals() -> None:
    job = Job()
    job.future.set_result("done")
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(waited(job)))
    thread.start()
    thread.join()
    assert found == ["done"]


def test_other_signals_reach_who_listened_before() -> None:
    ear, mouth = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(mouth, False)
    handled: list[int] = []
    handler = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    signal.set_wakeup_fd(mouth)
    try:
        with interruptible(lambda: None) as presses:
            signal.raise_signal(signal.SIGUSR1)
        assert os.read(ear, 8) == bytes([signal.SIGUSR1])
        assert handled == [signal.SIGUSR1]
        assert not presses
    finally:
        assert signal.set_wakeup_fd(-1) == mouth
        signal.signal(signal.SIGUSR1, handler)
        os.close(ear)
        os.close(mouth)


def test_what_must_not_be_left_half_done_is_done_before_a_press_counts() -> None:
    done = []

    def work() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_an_error_in_what_is_held_matters_more_than_the_press() -> None:
    def work() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            raise RunAborted("stopped")

    with pytest.raises(RunAborted):
        work()


def test_a_scan_is_stopped_by_a_press_that_does_not_wake_the_main_thread(beamline: Beamline) -> None:
    pressed: list[int] = []

    def look(progress: object) -> None:
        if not pressed and getattr(progress, "point", 0) >= 5:
            pressed.append(1)
            press_elsewhere()

    beamline.engine.listeners.append(look)
    with pytest.raises(RunAborted):
        beamline.engine.run(timescan(0.0))
    assert beamline.engine.last is not None
    assert beamline.engine.last.points >= 5


def test_a_scan_is_stopped_by_a_press_while_it_is_launched(beamline: Beamline) -> None:
    beamline.engine.launched.append(lambda job: signal.raise_signal(signal.SIGINT))
    with pytest.raises(RunAborted):
        beamline.engine.run(ascan("rot", 0, 100, 1000, 0.1))
    assert not beamline.engine.busy
    assert beamline.at_rest_and_closed()
