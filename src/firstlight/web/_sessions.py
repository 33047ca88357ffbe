"""The sessions of this machine as the pages see them: found, attached to, and told of when one is gone."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.buffer import default_root
from firstlight.model import FirstlightError, NotFound
from firstlight.scanning import Progress
from firstlight.session import running, session_address
from firstlight.web._users import User
from firstlight.wire import AsyncClient, Role, WireTimeout

_log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks for sessions, and at what does not tell of itself."""
AXES = 0.1
"""Seconds between two positions of an axis that moves: more often nobody can read."""
IDLE = 300.0
"""Seconds that the connection of a user who does nothing more is kept: then its locks are free."""

Tell = Callable[[dict[str, Any]], None]


@dataclass
class _Acting:
    """The connection by which one user operates a session."""

    client: AsyncClient
    used: float


@dataclass
class Attached:
    """One session, as it is known."""

    name: str
    view: AsyncClient
    facts: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    data: str = ""
    alive: bool = True
    error: str = ""
    cameras: list[str] = field(default_factory=list)
    other_devices: bool = True
    moved: dict[str, Any] = field(default_factory=dict)
    acting: dict[str, _Acting] = field(default_factory=dict)
    opening: dict[str, asyncio.Lock] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As the pages see it."""
        return {**_EMPTY, **self.facts, "name": self.name, "alive": self.alive, "error": self.error, "axes": self.axes}


_EMPTY: dict[str, Any] = {
    "beamline": "", "proposal": "", "sample": "", "dataset": "", "jobs": [], "beam": None, "shutters": [],
    "groups": {}, "active": "", "failed": [], "cameras": [],
}  # fmt: skip


class Sessions:
    """Follows every session of a buffer.

    :param root: of the buffer; the machine's default when None.
    :param tell: called with events for all viewers, in the event loop.
    """

    def __init__(self, root: Path | None, tell: Tell) -> None:
        self.root = (root or default_root()).absolute()
        self._tell = tell
        self._known: dict[str, Attached] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def all(self) -> list[Attached]:
        """Those that run, and those that ran since the server started."""
        return list(self._known.values())

    def data_roots(self) -> list[Path]:
        """Folders of their data."""
        return [Path(session.data) for session in self._known.values() if session.data]

    def lines(self) -> list[dict[str, Any]]:
        """The last lines of all consoles, oldest first."""
        return sorted((line for s in self._known.values() for line in s.lines), key=lambda line: line["time"])[-100:]

    async def start(self) -> None:
        """Begin to look; returns after the first look."""
        with suppress(FirstlightError, OSError):
            await self._look()
        self._looking = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Leave all sessions."""
        tasks = [*self._tasks, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in self._known.values():
            await _leave(session)

    async def act(self, user: User, session: str, method: str, /, timeout: float = math.inf, **arguments: Any) -> Any:
        """Ask a session for something in the name of a user.

        :raises NotFound: there is no such session, or it is gone.
        :raises FirstlightError: what the session says.
        """
        found = self.get(session)
        # One after the other: two acts at once of a new user must not make two connections, one of them forgotten.
        # One lock a user: a stop waits for nobody else.
        async with found.opening.setdefault(user.id, asyncio.Lock()):
            kept = found.acting.get(user.id)
            if kept is None or kept.client.closed:
                kept = found.acting[user.id] = _Acting(await self._operating(found, user), time.monotonic())
        kept.used = time.monotonic()
        return await kept.client.call(method, timeout=timeout, **arguments)

    async def stop_everything(self, session: str, user: User) -> None:
        """Stop what runs and what moves, for a user of any role."""
        # One request does both. An abort before it would count as a second one, which makes haste: what cleans up would
        # get no time.
        await self.act(user, session, "stop", timeout=10.0, axes=[])

    async def _operating(self, found: Attached, user: User) -> AsyncClient:
        client = AsyncClient(session_address(found.name, self.root), role=Role.OPERATE, timeout=10.0)
        try:
            await client.connect()
            await client.call("introduce", label=f"page of {user.name}")
        except BaseException:
            await client.close()
            raise
        return client

    def get(self, name: str) -> Attached:
        """The session of that name; the only one when empty.

        :raises NotFound: when there is none, or it is gone.
        """
        alive = [session for session in self._known.values() if session.alive]
        if not name and len(alive) == 1:
            return alive[0]
        found = self._known.get(name)
        if found is None or not found.alive:
            words = ", ".join(session.name for session in alive)
            raise NotFound(
                f"Session {name} does not run." if name else "No session was named.",
                hint=f"There is: {words}." if words else "Start one with: firstlight shell",
            )
        return found

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self._look()
                await self._tidy()
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("sessions could not be looked for")

    async def _look(self) -> None:
        names = await asyncio.to_thread(running, self.root)
        for name in names:
            known = self._known.get(name)
            if known is None or not known.alive:
                with suppress(FirstlightError, OSError):
                    await self._attach(name, known)

    async def _tidy(self) -> None:
        before = time.monotonic() - IDLE
        for session in list(self._known.values()):
            for user, acting in list(session.acting.items()):
                if acting.client.closed or acting.used < before:
                    del session.acting[user]
                    session.opening.pop(user, None)
                    await acting.client.close()

    async def _attach(self, name: str, before: Attached | None) -> None:
        view = AsyncClient(session_address(name, self.root), role=Role.VIEW, timeout=10.0)
        await view.connect()
        session = Attached(name, view, lines=before.lines if before is not None else [])
        try:
            await view.call("introduce", label="web server")
            await view.events("axes", lambda changed: self._axes(session, changed))
            await view.events("progress", lambda progress: self._progress(session, progress))
            await view.events("devices", lambda _: setattr(session, "other_devices", True))
            await view.events("log", lambda line: self._line(session, line))
            session.lines = [_line(line, name) for line in await view.call("recent_log")] or session.lines
            await self._refresh(session)
        except BaseException:
            await view.close()
            raise
        self._known[name] = session
        self._tell({"ev": "session", "session": session.told()})
        self._spawn(self._follow(session))

    async def _follow(self, session: Attached) -> None:
        try:
            while not await _closed(session.view):
                try:
                    if await self._refresh(session):
                        self._tell({"ev": "session", "session": session.told()})
                except WireTimeout:
                    # Busy, not gone: what it tells by itself still comes.
                    continue
        except FirstlightError as error:
            _log.info("session %s: %s", session.name, error)
        finally:
            session.alive = False
            session.error = f"Session {session.name} has ended, or was killed."
            session.facts = {**session.facts, "jobs": []}
            self._tell({"ev": "session", "session": session.told()})
            await _leave(session)

    async def _refresh(self, session: Attached) -> bool:
        """Ask what it does not tell by itself; whether anything is different."""
        view = session.view
        status, light, groups = await asyncio.gather(view.call("status"), view.call("strip"), view.call("groups"))
        if session.other_devices:
            session.other_devices = False
            described = await view.call("describe")
            session.data = described.data
            session.cameras = [device.name for device in described.devices if device.sort == "cameras"]
            session.axes = {key: _axis(facts) for key, facts in (await view.call("axes")).items()}
        now = status.current
        facts = {
            "beamline": now.beamline,
            "proposal": now.proposal,
            "sample": now.sample,
            "dataset": now.dataset,
            "jobs": [
                {"number": job.number, "sort": job.sort, "doing": job.doing, "client": str(job.client)}
                for job in status.jobs
            ],
            "beam": None
            if light.beam is None
            else {"channel": light.beam[0], "value": round(light.beam[1], 3), "unit": light.beam[2]},
            "shutters": [{"name": name, "state": state} for name, state in light.shutters.items()],
            "groups": {name: list(group.channels) for name, group in groups.groups.items()},
            "active": groups.active,
            "failed": list(status.failed),
            "cameras": session.cameras,
        }
        changed = facts != session.facts
        session.facts = facts
        return changed

    def _axes(self, session: Attached, changed: dict[str, Any]) -> None:
        fresh = {name: _axis(facts) for name, facts in changed.items()}
        session.axes = {**session.axes, **fresh}
        if not session.moved:
            asyncio.get_running_loop().call_later(AXES, self._tell_axes, session)
        session.moved |= fresh

    def _tell_axes(self, session: Attached) -> None:
        moved, session.moved = session.moved, {}
        self._tell({"ev": "axes", "session": session.name, "axes": moved})

    def _progress(self, session: Attached, progress: Progress) -> None:
        self._tell(
            {
                "ev": "progress",
                "key": progress.key,
                "run": progress.key,
                "state": progress.state.name,
                "point": progress.point,
                "total": progress.total,
                "remaining": progress.remaining,
                "doing": progress.doing,
                "session": session.name,
            }
        )

    def _line(self, session: Attached, line: Any) -> None:
        told = _line(line, session.name)
        session.lines = [*session.lines, told][-100:]
        self._tell({"ev": "log", "lines": [told]})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _closed(client: AsyncClient) -> bool:
    """Whether the connection ends within the time between two looks."""
    try:
        async with asyncio.timeout(LOOK):
            await client.wait_closed()
    except TimeoutError:
        return client.closed
    return True


async def _leave(session: Attached) -> None:
    for client in (session.view, *(acting.client for acting in session.acting.values())):
        await client.close()
    session.acting.clear()


def _axis(facts: Any) -> dict[str, Any]:
    return {
        "unit": facts.unit,
        "position": _finite(facts.position),
        "dial": _finite(facts.dial),
        "moving": facts.moving,
        "limits": [_finite(limit) for limit in facts.limits],
        "velocity": facts.velocity,
        "offset": facts.offset,
        "sign": facts.sign,
        "error": facts.error,
    }


def _finite(value: float) -> float | None:
    # JSON has neither infinity nor "not a number".
    return value if math.isfinite(value) else None


def _line(line: Any, session: str) -> dict[str, Any]:
    return {
        "time": line.time,
        "level": line.level,
        "name": line.name,
        "text": line.text,
        "hint": line.hint,
        "session": session,
    }
