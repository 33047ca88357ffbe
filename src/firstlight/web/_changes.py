"""Tells viewers of runs that began, went on to another state, or have more channels now, whoever makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from firstlight.model import FirstlightError
from firstlight.web._runs import Runs, summary

_log = logging.getLogger(__name__)

LOOK = 0.25
"""Seconds between two looks at the buffer's index."""


async def watch_runs(runs: Runs, tell: Callable[[dict[str, Any]], None]) -> None:
    """Until it is cancelled."""
    known: dict[str, tuple[int, int]] = await asyncio.to_thread(runs.states)
    while True:
        await asyncio.sleep(LOOK)
        try:
            now, told = await asyncio.to_thread(_look, runs, known)
        except Exception:  # noqa: BLE001 - the next look may succeed
            _log.exception("the buffer could not be looked at")
            continue
        known = now
        for event in told:
            tell(event)


def _look(runs: Runs, known: dict[str, tuple[int, int]]) -> tuple[dict[str, tuple[int, int]], list[dict[str, Any]]]:
    now = runs.states()
    told: list[dict[str, Any]] = []
    for key, (state, channels) in now.items():
        before = known.get(key)
        try:
            if before is None or before[0] != state:
                told.append({"ev": "run", "run": summary(runs.open(key), key)})
            if before is not None and before[1] != channels:
                told.append({"ev": "channels", "run": key})
        except FirstlightError:
            continue  # removed meanwhile
    return now, told
