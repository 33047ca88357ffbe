"""What waits to be sent to one viewer: the newest of each thing, so that a slow one sees the present."""

from __future__ import annotations

import asyncio
from typing import Any

LINES = 100
"""Lines of a console that wait; older ones are lost to a viewer that does not take them."""


class Outbox:
    """Events by key; a later one of the same key takes the place of the earlier one."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, ...], dict[str, Any]] = {}
        self._something = asyncio.Event()

    def put(self, event: dict[str, Any]) -> None:
        """Let an event be sent, in time."""
        key = _key(event)
        earlier = self._waiting.get(key)
        if earlier is not None and event["ev"] == "axes":
            event = {**event, "axes": {**earlier["axes"], **event["axes"]}}
        elif earlier is not None and event["ev"] == "log":
            event = {**event, "lines": [*earlier["lines"], *event["lines"]][-LINES:]}
        self._waiting[key] = event
        self._something.set()

    async def take(self) -> dict[str, Any]:
        """The next one, as it is now."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        return self._waiting.pop(next(iter(self._waiting)))

    def __len__(self) -> int:
        return len(self._waiting)


def _key(event: dict[str, Any]) -> tuple[str, ...]:
    match event["ev"]:
        case "session":
            return "session", event["session"]["name"]
        case "axes":
            return "axes", event["session"]
        case "run":
            return "run", event["run"]["id"]
        case "progress" | "channels":
            return event["ev"], event["run"]
        case "frame":
            # Each of the few that may be on the way: one that took the place of another would be lost uncounted.
            return "frame", str(event["sub"]), str(event["seq"])
        case "error":
            return "error", str(event.get("sub", "")), event["what"]
        case other:
            return (other,)
