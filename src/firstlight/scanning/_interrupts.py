"""Ctrl-C stops what runs, as often as it is pressed, and nobody leaves before that has ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(abort: Callable[[], object]) -> Iterator[list[int]]:
    """Inside, each Ctrl-C calls ``abort`` in a thread of its own; gives the list of those pressed so far.

    :param abort: may wait, and ask another process.
    """
    presses: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield presses
        return

    def press(number: int, frame: FrameType | None) -> None:
        presses.append(number)
        # Not here: the main thread may hold what that needs.
        threading.Thread(target=abort, name="interrupt", daemon=True).start()

    before = signal.signal(signal.SIGINT, press)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
