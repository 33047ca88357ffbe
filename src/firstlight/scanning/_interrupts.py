"""Ctrl-C stops what runs, as often as it is pressed, and nobody leaves before that has ended.

The main thread may be asleep on a lock when Ctrl-C comes, and Python calls its handlers only once that thread is awake.
Usually the signal itself wakes it. It does not when it comes in the instant between the last look at signals and the
sleep, or when the system gives it to another thread: on a busy machine both happen, and the press would be lost until
the motion has ended by itself. So a thread listens at the pipe into which the interpreter writes signals as they come.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

_J = TypeVar("_J")
_T = TypeVar("_T")


@contextmanager
def interruptible(abort: Callable[[], object]) -> Iterator[list[int]]:
    """Inside, each Ctrl-C calls ``abort`` in a thread of its own, whatever the main thread does or waits for.

    :param abort: may wait, and ask another process.
    :return: a list that is empty as long as nothing was pressed.
    """
    presses: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield presses
        return

    def press(number: int, frame: FrameType | None) -> None:
        presses.append(number)

    before = signal.signal(signal.SIGINT, press)
    try:
        with _listening(presses, abort):
            yield presses
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)


@contextmanager
def held() -> Iterator[None]:
    """Inside, Ctrl-C waits: what must not be left half done is done first.

    :raises KeyboardInterrupt: at the end, when it was pressed and nothing else went wrong; where somebody handles
        Ctrl-C, that is called in its place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: presses.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
    if presses:
        # Whoever heard of it before hears of it now: by default, that raises.
        (before if callable(before) else signal.default_int_handler)(signal.SIGINT, None)


def uninterrupted(
    launch: Callable[[], _J],
    result: Callable[[_J], _T],
    abort: Callable[[_J], object],
    stopped: Callable[[_T], bool] = lambda result: False,
) -> _T:
    """The result of what is launched, however often Ctrl-C is pressed: each time aborts, none leaves early.

    :param launch: starts it; one that comes while this still waits for something aborts it once it has started.
    :param result: waits for its end.
    :param stopped: whether a result tells of having been stopped.
    :raises KeyboardInterrupt: it was pressed too late to stop anything: what comes next, in a loop of the user's, must
        not begin.
    """
    guard = threading.Lock()
    launched: list[_J] = []
    early: list[bool] = []

    def pressed() -> None:
        with guard:
            if not launched:
                early.append(True)
                return
        abort(launched[0])

    with interruptible(pressed) as presses:
        job = launch()
        with guard:
            launched.append(job)
        for _ in early:
            abort(job)
        while True:
            try:
                found = result(job)
                break
            except KeyboardInterrupt:
                # Not by our handler: raised by whoever replaced it meanwhile.
                abort(job)
    if presses and not stopped(found):
        raise KeyboardInterrupt
    return found


@contextmanager
def _listening(presses: list[int], abort: Callable[[], object]) -> Iterator[None]:
    """Hear of signals as they come, in a thread; those that are not Ctrl-C go to who listened before."""
    ear, mouth = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(mouth, False)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := os.read(ear, 64):
            for number in numbers:
                if number == signal.SIGINT:
                    presses.append(number)
                    threading.Thread(target=abort, name="interrupt", daemon=True).start()
                elif before != -1:
                    with contextlib.suppress(OSError):
                        os.write(before, bytes([number]))

    thread = threading.Thread(target=listen, name="firstlight-interrupts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(mouth)
        thread.join()
        os.close(ear)
