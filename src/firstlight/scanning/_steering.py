"""What people and conditions want of a scan under way: that it waits, goes on, leaves something out or ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from firstlight.model import Clock, Pause
from firstlight.scanning._presets import EndScan

USER = ""
"""Holds of users have no name; those of conditions have theirs."""


@dataclass(eq=False)
class Steering:
    """The wishes for all that one command runs. A scan looks at :attr:`asked` between two points, which costs nothing.

    Wishes may be uttered in any thread; :meth:`look`, in the engine's loop, makes them heard.
    """

    asked: bool = False
    """Whether there is anything to do at the next safe point."""
    refusal: str = ""
    """Why it cannot wait now, a sentence; empty when it can."""
    ending: str = ""
    """Why it is to end, cleanly; empty when it goes on."""
    leaving: str = ""
    """Why the present part of a sequence is to end; empty when it goes on."""
    holds: dict[str, str] = field(default_factory=dict)
    """Who wants it to wait, and why."""
    pauses: list[Pause] = field(default_factory=list)
    """Those of the run that goes on now, until it takes them."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _looked: list[Callable[[], None]] = field(default_factory=list)
    _told: list[Callable[[], None]] = field(default_factory=list)

    @property
    def why(self) -> str:
        """All reasons to wait, in words."""
        return "; ".join(dict.fromkeys(tuple(self.holds.values())))

    def hold(self, who: str, why: str) -> None:
        """Wait at the next safe point."""
        self.holds[who] = why

    def release(self, who: str) -> None:
        """No reason any more; others may remain."""
        self.holds.pop(who, None)

    def release_all(self) -> None:
        """Go on, whatever there is."""
        self.holds.clear()

    def end(self, why: str) -> None:
        """End at the next safe point, cleanly."""
        self.ending = self.ending or why

    def leave(self, why: str) -> None:
        """End the present part of a sequence at its next safe point, cleanly, and go on with the next."""
        self.leaving = why

    def check(self, *, part: bool = True) -> None:
        """At a safe point.

        :param part: of a scan; False for one between the parts of a sequence.
        :raises EndScan: when the scan, or the sequence, is to end here.
        """
        if self.ending:
            raise EndScan(self.ending)
        if part and self.leaving:
            why, self.leaving = self.leaving, ""
            self.look()
            raise EndScan(why)

    async def change(self) -> None:
        """Return when somebody wants something else."""
        self._changed.clear()
        await self._changed.wait()

    def unheeded(self, clock: Clock, point: Callable[[], int]) -> Callable[[], None]:
        """A scan begins that cannot wait: what wants it to is kept with its data. Call the result at its end.

        :param point: tells how many points there are.
        """
        began: dict[str, float] = {}
        whys: dict[str, str] = {}

        def look(*, over: bool = False) -> None:
            now = clock.epoch(clock.now())
            for who in [who for who in began if over or who not in self.holds]:
                start = began.pop(who)
                mark = Pause(point=point(), waited=False, start=start, stop=now, reason=whys.pop(who))
                self.pauses.append(mark)
            for who, why in () if over else tuple(self.holds.items()):
                if who != USER and who not in began:
                    began[who], whys[who] = now, why

        def end() -> None:
            self._looked.remove(look)
            look(over=True)

        self._looked.append(look)
        look()
        return end

    def took(self, clock: Clock, began: float, point: int, why: str) -> None:
        """A pause is over: keep its record."""
        start, stop = clock.epoch(began), clock.epoch(clock.now())
        self.pauses.append(Pause(point=point, start=start, stop=stop, reason=why))

    def take(self) -> tuple[Pause, ...]:
        """The pauses of a run that ends; the next one begins without."""
        taken, self.pauses = tuple(self.pauses), []
        return taken

    @contextmanager
    def telling(self, told: Callable[[], None]) -> Iterator[None]:
        """Inside, ``told`` is called when somebody wants the scan to wait."""
        self._told.append(told)
        try:
            yield
        finally:
            self._told.remove(told)

    def look(self) -> None:
        """Take notice of what is wanted now."""
        self.asked = bool(self.holds or self.ending or self.leaving)
        self._changed.set()
        for looked in tuple(self._looked):
            looked()
        if self.holds:
            for told in self._told:
                told()
