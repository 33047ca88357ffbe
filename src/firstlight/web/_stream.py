"""What a viewer follows over the websocket: the newest curve, frame or map, and never more than it can draw."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from firstlight.data import Run
from firstlight.model import FirstlightError, InvalidInput, RunState
from firstlight.web._curve import Columns, Wanted, curve, names, points
from firstlight.web._map import MapLook, draw
from firstlight.web._runs import Runs
from firstlight.web._sender import Sender

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

FLIGHT = 2
"""Messages of one subscription that may be on the way, not drawn yet."""
MOST = 64
"""Subscriptions of one viewer."""
CURVES = 0.01
"""Seconds between two curves of one subscription."""
WAIT = 1.0
"""Seconds after which a channel that does not grow is looked at again: it may have been sealed."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FollowCurve(_Model):
    """Curves of a run."""

    what: str = Field(pattern="^curve$")
    run: str = Field(max_length=2000)
    x: str | None = Field(default=None, max_length=200)
    y: list[Annotated[str, Field(max_length=200)]] = Field(min_length=1, max_length=16)
    view: tuple[float, float] | None = None
    px: int = Field(default=1600, ge=1, le=8192)
    norm: str | None = Field(default=None, max_length=200)
    derivative: bool = False


class FollowFrame(_Model):
    """Indices of the newest frames; the page fetches what it shows."""

    what: str = Field(pattern="^frame$")
    run: str = Field(max_length=2000)
    channel: str = Field(max_length=200)
    rate: float = Field(default=10.0, gt=0, le=60, allow_inf_nan=False)


class FollowMap(_Model):
    """A map of a run as it grows."""

    what: str = Field(pattern="^map$")
    run: str = Field(max_length=2000)
    z: str = Field(max_length=200)
    x: str | None = Field(default=None, max_length=200)
    y: str | None = Field(default=None, max_length=200)
    norm: str | None = Field(default=None, max_length=200)
    px: tuple[int, int] | None = None
    at: list[int] | None = Field(default=None, max_length=16)
    view: tuple[float, float, float, float] | None = None
    reduce: Literal["mean", "max", "sum"] = "mean"
    rate: float = Field(default=5.0, gt=0, le=60, allow_inf_nan=False)


_follow: TypeAdapter[FollowCurve | FollowFrame | FollowMap] = TypeAdapter(FollowCurve | FollowFrame | FollowMap)


class Hub:
    """What one viewer follows; it lives in the event loop.

    :param sender: how to reach it.
    :param runs: where runs are found.
    :param columns: values that were read already.
    """

    def __init__(self, sender: Sender, runs: Runs, columns: Columns) -> None:
        self._sender = sender
        self._runs = runs
        self._columns = columns
        self._followed: dict[int, _Followed] = {}

    async def subscribe(self, sub: int, wanted: dict[str, Any]) -> None:
        """Follow something; the same number again replaces it.

        :raises InvalidInput: when that is nothing to follow.
        """
        try:
            asked = _follow.validate_python(wanted)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(word) for word in first["loc"][1:])
            raise InvalidInput(f"That cannot be followed: {place}: {first['msg']}.", hint="Reload the page.") from error
        await self.unsubscribe(sub)
        if len(self._followed) >= MOST:
            raise InvalidInput(f"A page follows at most {MOST} things.", hint="Close a plot.")
        followed = self._followed[sub] = _Followed(sub)
        # Called only once the task runs: it may be cancelled before.
        work: Callable[[], Awaitable[None]]
        if isinstance(asked, FollowCurve):
            work = partial(self._curve, followed, asked)
        elif isinstance(asked, FollowMap):
            work = partial(self._map, followed, asked)
        else:
            work = partial(self._frame, followed, asked)
        followed.task = asyncio.create_task(self._guarded(followed, work))

    async def unsubscribe(self, sub: int) -> None:
        """Follow it no more."""
        followed = self._followed.pop(sub, None)
        if followed is not None and followed.task is not None:
            followed.task.cancel()
            await asyncio.wait([followed.task])

    def acknowledge(self, sub: int, seq: int) -> None:
        """The viewer has drawn it, and everything before."""
        followed = self._followed.get(sub)
        if followed is not None and followed.drawn < seq <= followed.seq:
            followed.drawn = seq
            followed.room.set()

    async def close(self) -> None:
        """Follow nothing more."""
        for sub in list(self._followed):
            await self.unsubscribe(sub)

    async def _guarded(self, followed: _Followed, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except FirstlightError as error:
            self._sender.tell({"ev": "error", "sub": followed.sub, "what": error.message, "hint": error.hint})
        except ConnectionError as error:
            _log.debug("a viewer is gone: %s", error)
        except Exception:  # noqa: BLE001 - one plot must not end the connection
            _log.exception("subscription %d failed", followed.sub)
            self._sender.tell(
                {
                    "ev": "error",
                    "sub": followed.sub,
                    "what": "The plot cannot be made.",
                    "hint": "See the server's log.",
                }
            )

    async def _curve(self, followed: _Followed, asked: FollowCurve) -> None:
        wanted = Wanted(asked.x, tuple(asked.y), asked.view, asked.px, asked.norm, asked.derivative)
        run = await self._open(asked.run)
        needed = list(names(wanted))
        sent = -1
        while True:
            await followed.free()
            await self._grown(run, needed, lambda: points(run, wanted), sent)
            # Asked before the count: what is sealed grows no more.
            ended = all(run[name].sealed for name in needed)
            count = points(run, wanted)
            if count != sent or ended:
                extra = {"sub": followed.sub, "seq": followed.next()}
                make = partial(curve, run, asked.run, wanted, self._columns, extra)
                await self._sender.send(await self._work(make))
                sent = count
            if ended:
                return
            await asyncio.sleep(CURVES)

    async def _map(self, followed: _Followed, asked: FollowMap) -> None:
        at = tuple(asked.at) if asked.at is not None else None
        look = MapLook(asked.z, asked.x, asked.y, asked.view, asked.px, asked.reduce, asked.norm, at)
        run = await self._open(asked.run)
        sent = -1
        while True:
            await followed.free()
            count = await self._grown(run, [asked.z], lambda: len(run[asked.z]), sent)
            if count != sent or sent < 0:
                extra = {"sub": followed.sub, "seq": followed.next()}
                make = partial(draw, run, asked.run, look, self._columns, extra)
                await self._sender.send(await self._work(make))
                sent = count
            elif run[asked.z].sealed:
                return
            await asyncio.sleep(1.0 / asked.rate)

    async def _frame(self, followed: _Followed, asked: FollowFrame) -> None:
        run = await self._open(asked.run)
        sent, lost = 0, 0
        while True:
            await followed.free()
            # Not asked for before: a run is told of before it has its channels.
            count = await self._grown(run, [asked.channel], lambda: len(run[asked.channel]), sent)
            if count > sent:
                # What came before somebody looked is not lost.
                lost += count - sent - 1 if sent else 0
                sent = count
                seq = followed.next()
                self._sender.tell(
                    {
                        "ev": "frame",
                        "sub": followed.sub,
                        "seq": seq,
                        "run": asked.run,
                        "channel": asked.channel,
                        "index": count - 1,
                        "count": count,
                        "lost": lost,
                    }
                )
            elif run[asked.channel].sealed:
                return
            await asyncio.sleep(1.0 / asked.rate)

    async def _open(self, identity: str) -> Run:
        return await self._work(lambda: self._runs.open(identity))

    async def _grown(self, run: Run, needed: list[str], count: Callable[[], int], sent: int) -> int:
        """Wait until there is more than was sent, or nothing more will come; how many there are."""

        def ready() -> bool:
            if any(name not in run for name in needed):
                return run.state >= RunState.CLOSED
            return count() != sent or all(run[name].sealed for name in needed)

        while not await run.wait_for_async(ready, WAIT):
            pass
        for name in needed:
            run.channel(name)  # tells which there are when it is none of them
        return count()

    async def _work(self, do: Callable[[], _T]) -> _T:
        try:
            work = asyncio.get_running_loop().run_in_executor(self._runs.pool, do)
        except RuntimeError as error:
            raise ConnectionError("the server ends") from error
        return await work


class _Followed:
    """One subscription: what was sent, and what was drawn."""

    def __init__(self, sub: int) -> None:
        self.sub = sub
        self.seq = 0
        self.drawn = 0
        self.room = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def next(self) -> int:
        """Number of the next message."""
        self.seq += 1
        return self.seq

    async def free(self) -> None:
        """Return when one more message may be on the way."""
        while self.seq - self.drawn >= FLIGHT:
            self.room.clear()
            await self.room.wait()
