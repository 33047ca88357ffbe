"""Asking many devices at once, so that a slow or dead one delays nobody for long."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from firstlight.model import DeviceTimeout

_T = TypeVar("_T")

PATIENCE = 3.0
"""Seconds that a table waits for the slowest device."""
_AT_ONCE = 0.02
_WORKERS = 16


def read_all(
    devices: Mapping[str, Any], ask: Callable[[Any], _T], patience: float = PATIENCE
) -> dict[str, _T | Exception]:
    """What each device answers, or why it does not; in the order given.

    :param ask: called in other threads.
    """
    waiting = deque(devices.items())
    found: dict[str, _T | Exception] = {}
    changed = threading.Condition()

    def work() -> None:
        while True:
            try:
                name, device = waiting.popleft()
            except IndexError:
                return
            answer: _T | Exception
            try:
                answer = ask(device)
            except Exception as error:  # noqa: BLE001 - one bad device must not hide the others
                answer = error
            with changed:
                found[name] = answer
                if len(found) == len(devices):
                    changed.notify()

    def begin() -> None:
        threading.Thread(target=work, name="firstlight-reading", daemon=True).start()

    begin()
    with changed:
        # Where all answer at once, one thread is fastest.
        if not changed.wait_for(lambda: len(found) == len(devices), _AT_ONCE):
            for _ in range(min(_WORKERS, len(devices)) - 1):
                begin()
            changed.wait_for(lambda: len(found) == len(devices), patience)
        answers = dict(found)
    late = {name: DeviceTimeout(name, f"does not answer within {patience:g} s.") for name in devices}
    return {name: answers.get(name, late[name]) for name in devices}
