"""Tells viewers of runs that began, went on to another state, or have more channels now, whoever makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from firstlight.data import Run
from firstlight.data import open as open_run
from firstlight.model import FirstlightError, RunState
from firstlight.web._runs import Runs, summary

_log = logging.getLogger(__name__)

LOOK = 0.25
"""Seconds between two looks at the buffer's index."""

States = dict[str, tuple[int, int]]
"""State and number of channels of runs, by key."""


async def watch_runs(runs: Runs, tell: Callable[[dict[str, Any]], None]) -> None:
    """Until it is cancelled."""
    watch = Watch(runs)
    try:
        known = await asyncio.to_thread(watch.look)
        while True:
            await asyncio.sleep(LOOK)
            try:
                now, told = await asyncio.to_thread(_compare, runs, watch, known)
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("the buffer could not be looked at")
                continue
            known = now
            for event in told:
                tell(event)
    finally:
        watch.close()


class Watch:
    """Looks at the newest runs of the buffer, several times a second.

    What goes on is held open, apart from the runs that somebody looks at; what is closed is asked no more.

    :param runs: where they are found.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._going: dict[str, Run] = {}
        self._ended: States = {}

    def look(self) -> States:
        """How they stand: what tells that something changed."""
        found: States = {}
        going: dict[str, Run] = {}
        ended: States = {}
        for entry in self._runs.newest():
            key = entry.key
            known = self._ended.get(key)
            if known is not None:
                found[key] = ended[key] = known
                continue
            try:
                run = self._going.get(key) or open_run(key, buffer=self._runs.buffer)
                # The state first: a closed run gets no more channels.
                state = int(run.state)
                found[key] = (state, len(run))
            except FirstlightError:
                continue  # removed meanwhile
            if state < RunState.CLOSED:
                going[key] = run
            else:
                ended[key] = found[key]
                if key not in self._going:
                    run.close()
        for key in self._going.keys() - going.keys():
            self._going[key].close()
        self._going, self._ended = going, ended
        return found

    def close(self) -> None:
        """Give all files free."""
        for run in self._going.values():
            run.close()
        self._going.clear()


def _compare(runs: Runs, watch: Watch, known: States) -> tuple[States, list[dict[str, Any]]]:
    now = watch.look()
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
