"""What an engine does now: each command that somebody gave is a job with its own end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from firstlight.scanning._claims import Client, acting
from firstlight.scanning._conduct import Interrupt

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

    def result(self, timeout: float | None = None) -> _T:
        """What it gave, when it has ended."""
        return self.future.result(timeout)

    def on_end(self, callback: Callable[[Job[Any]], None]) -> None:
        """Call when it has ended, in the engine's thread."""
        self.future.add_done_callback(lambda _: callback(self))
