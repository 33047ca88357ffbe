"""The websocket: events to the page, what the page wants to follow, and its acknowledgements."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeGuard

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from firstlight.model import FirstlightError, InvalidInput
from firstlight.web._outbox import Outbox
from firstlight.web._state import Shared, shared, someone
from firstlight.web._stream import Hub

_log = logging.getLogger(__name__)

router = APIRouter()
BEAT = 1.0
"""Seconds between two beats."""
MESSAGE = 64 << 10
"""Characters of a page's message that are read."""


@router.websocket("/events")
async def events(socket: WebSocket) -> None:
    """Everything that a page is told without asking."""
    parts = shared(socket)
    await socket.accept()
    user = someone(socket)
    outbox = Outbox()
    viewer = _Viewer(socket, outbox)
    hub = Hub(viewer, parts.runs, parts.columns)
    outbox.put({"ev": "hello", "server": parts.server, "me": parts.me(user), "time": time.time()})
    for session in parts.sessions.all:
        outbox.put({"ev": "session", "session": session.told()})
    outbox.put({"ev": "log", "lines": parts.sessions.lines()})
    parts.viewers[outbox] = user
    try:
        await _first(_send(viewer, outbox), _beat(parts, outbox), _read(socket, hub, outbox))
    finally:
        parts.viewers.pop(outbox, None)
        await hub.close()


class _Viewer:
    def __init__(self, socket: WebSocket, outbox: Outbox) -> None:
        self._socket = socket
        self._outbox = outbox
        # Two tasks send: messages must not mix.
        self._turn = asyncio.Lock()

    def tell(self, event: dict[str, Any]) -> None:
        """Send JSON, in time."""
        self._outbox.put(event)

    async def send(self, payload: bytes) -> None:
        """Send a binary message."""
        async with self._turn:
            try:
                await self._socket.send_bytes(payload)
            except (RuntimeError, WebSocketDisconnect) as error:
                # Starlette's words for a page that was closed.
                raise ConnectionError("the page was closed") from error

    async def say(self, event: dict[str, Any]) -> None:
        """Send JSON now."""
        async with self._turn:
            await self._socket.send_text(json.dumps(event))


async def _first(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; the others end with it. A connection that breaks is the ordinary end."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for problem in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(problem, Exception) and not isinstance(problem, WebSocketDisconnect | RuntimeError | OSError):
                _log.error("a viewer's connection failed", exc_info=problem)


async def _send(viewer: _Viewer, outbox: Outbox) -> None:
    while True:
        await viewer.say(await outbox.take())


async def _beat(parts: Shared, outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(BEAT)
        outbox.put({"ev": "beat", "time": time.time()})
        # An idle lease, or an unanswered wish, changes by time alone.
        parts.lease.look()


async def _read(socket: WebSocket, hub: Hub, outbox: Outbox) -> None:
    while True:
        received = await socket.receive()
        if received["type"] != "websocket.receive":
            return
        message = _parsed(received.get("text"))
        try:
            await _obey(hub, message)
        except FirstlightError as error:
            told = {"ev": "error", "what": error.message, "hint": error.hint}
            sub = message.get("sub")
            outbox.put({**told, "sub": sub} if _is_number(sub) else told)


def _parsed(text: str | None) -> dict[str, Any]:
    """A page's message; an empty one when it is none."""
    try:
        found = json.loads(text) if text is not None and len(text) <= MESSAGE else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def _obey(hub: Hub, message: dict[str, Any]) -> None:
    match message.get("op"):
        case "sub":
            wanted = {name: value for name, value in message.items() if name not in ("op", "sub")}
            await hub.subscribe(_integer(message, "sub"), wanted)
        case "unsub":
            await hub.unsubscribe(_integer(message, "sub"))
        case "ack":
            hub.acknowledge(_integer(message, "sub"), _integer(message, "seq"))
        case "pong":
            pass
        case str() as other:
            raise InvalidInput(f"{other[:40]!r} is nothing to ask for.", hint="Reload the page.")
        case _:
            raise InvalidInput("That message is not understood.", hint="Reload the page.")


def _integer(message: dict[str, Any], name: str) -> int:
    value = message.get(name)
    if not _is_number(value):
        raise InvalidInput(f"{name} is no number.", hint="Reload the page.")
    return int(value)


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31
