"""What an engine does now: each command that somebody gave is a job with its own end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from firstlight.model import Conflict
from firstlight.scanning._claims import Client, acting
from firstlight.scanning._conduct import Interrupt
from firstlight.scanning._steering import USER, Steering

_T = TypeVar("_T")

Sort: TypeAlias = Literal["scan", "move", "operation"]

_numbers = itertools.count(1)


@dataclass(eq=False, repr=False)
class Job(Generic[_T]):
    """One command under way.

    :param doing: as a user types it.
    :param client: who gave it.
    """

    sort: Sort
    doing: str
    loop: asyncio.AbstractEventLoop
    client: Client = field(default_factory=acting)
    number: int = field(default_factory=lambda: next(_numbers))
    interrupt: Interrupt = field(default_factory=Interrupt)
    steering: Steering = field(default_factory=Steering)
    future: Future[_T] = field(default_factory=Future)

    def __repr__(self) -> str:
        return f"<Job {self.doing}: {'done' if self.done else 'under way'}>"

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.future.done()

    def abort(self) -> bool:
        """Stop it, cleanly; call it again to make haste. Any thread; returns at once; whether it was running."""
        if self.future.done():
            return False
        self.loop.call_soon_threadsafe(self.interrupt.press)
        return True

    def pause(self, why: str = "") -> None:
        """Let a scan wait at its next safe point: before the next point, or between the parts of a sequence.

        Any thread; returns at once.

        :param why: told to everybody and kept with the data; who asked for it when empty.
        :raises Conflict: it cannot wait; says why.
        """
        self._must_scan("wait")
        if self.steering.refusal:
            raise Conflict(self.steering.refusal, hint="Let it end, or stop it.")
        self.steering.hold(USER, why or f"by {acting()}")
        self._noticed()

    def resume(self, *, anyway: bool = False) -> None:
        """Let a scan that waits go on. Any thread; returns at once.

        :param anyway: also when a condition such as the loss of the beam wants it to wait.
        :raises Conflict: when nobody wants it to wait, or a condition still does.
        """
        self._must_scan("go on")
        if not self.steering.holds:
            raise Conflict(f"{self.doing} does not wait.", hint="Only what was paused can be resumed.")
        if anyway:
            self.steering.release_all()
        self.steering.release(USER)
        self._noticed()
        if left := self.steering.why:
            raise Conflict(
                f"{self.doing} still waits: {left}.",
                hint="It goes on by itself; resume(anyway=True) does not wait for that.",
            )

    def stop(self, why: str = "") -> None:
        """End a scan at its next safe point, as if it were complete. Any thread; returns at once.

        :param why: kept with the data; who asked for it when empty.
        :raises Conflict: it is no scan, or has ended.
        """
        self._must_scan("be stopped")
        self.steering.end(why or f"Stopped by {acting()}.")
        self._noticed()

    def skip(self, why: str = "") -> None:
        """End the present scan of a sequence in this way, and go on with the next; a scan by itself just ends.

        :raises Conflict: it is no scan, or has ended.
        """
        self._must_scan("be left out")
        self.steering.leave(why or f"The rest was left out by {acting()}.")
        self._noticed()

    @property
    def paused(self) -> str:
        """Why it waits, or will at its next safe point; empty when it goes on."""
        return "" if self.future.done() else self.steering.why

    def _must_scan(self, what: str) -> None:
        if self.sort != "scan":
            raise Conflict(f"{self.doing} is no scan and cannot {what}.", hint="It can be aborted.")
        if self.future.done():
            raise Conflict(f"{self.doing} has ended.")

    def _noticed(self) -> None:
        self.loop.call_soon_threadsafe(self.steering.look)

    def result(self, timeout: float | None = None) -> _T:
        """What it gave, when it has ended."""
        return self.future.result(timeout)

    def on_end(self, callback: Callable[[Job[Any]], None]) -> None:
        """Call when it has ended, in the engine's thread."""
        self.future.add_done_callback(lambda _: callback(self))
