"""The control lease: at most one person operates at a time, under a name, and others may ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firstlight.model import Clock, Conflict, InvalidInput
from firstlight.web._users import User

IDLE = 300.0
"""Seconds without an act after which the lease is free."""
PATIENCE = 30.0
"""Seconds that a request waits for an answer of the holder; then the lease passes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody asks for the lease."""

    user: User
    since: float


class Lease:
    """Who may operate now.

    :param clock: monotonic.
    :param changed: called after each change.
    """

    def __init__(self, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._changed = changed
        self._holder: User | None = None
        self._since = 0.0
        self._acted = 0.0
        self._wishes: list[Wish] = []

    @property
    def holder(self) -> User | None:
        """Who has it; None when it is free."""
        self.look()
        return self._holder

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """Who asks for it, the first first."""
        self.look()
        return tuple(self._wishes)

    def look(self) -> bool:
        """Let time do its work: an idle lease is free, and an unanswered wish is granted; whether that changed it."""
        now = self._clock.now()
        if self._holder is not None and now - self._acted >= IDLE:
            self._give(self._wishes[0].user if self._wishes else None)
            return True
        if self._holder is not None and self._wishes and now - self._wishes[0].since >= PATIENCE:
            self._give(self._wishes[0].user)
            return True
        return False

    def take(self, user: User) -> None:
        """Take it.

        :raises Conflict: somebody else has it.
        """
        self.look()
        if self._holder is not None and self._holder.id != user.id:
            raise Conflict(f"{self._holder.name} has control.", hint="Ask for it; unanswered, it passes after 30 s.")
        self._give(user, since=None if self._holder is None else self._since)

    def ask(self, user: User) -> None:
        """Ask the holder for it; a free one is taken."""
        self.look()
        if self._holder is None or self._holder.id == user.id:
            self.take(user)
        elif all(wish.user.id != user.id for wish in self._wishes):
            self._wishes.append(Wish(user, self._clock.now()))
            self._changed()

    def grant(self, user: User) -> None:
        """Hand it to the first who asked.

        :raises Conflict: it is not the user's, or nobody asks.
        """
        self._check(user)
        if not self._wishes:
            raise Conflict("Nobody asks for control.", hint="Release it instead.")
        self._give(self._wishes[0].user)

    def deny(self, user: User) -> None:
        """Refuse the first who asked.

        :raises Conflict: it is not the user's, or nobody asks.
        """
        self._check(user)
        if not self._wishes:
            raise Conflict("Nobody asks for control.")
        self._wishes.pop(0)
        self._acted = self._clock.now()
        self._changed()

    def release(self, user: User) -> None:
        """Let go of it; of a wish, too. Nothing happens when there is neither."""
        if self._holder is not None and self._holder.id == user.id:
            self._give(self._wishes[0].user if self._wishes else None)
            return
        before = len(self._wishes)
        self._wishes = [wish for wish in self._wishes if wish.user.id != user.id]
        if len(self._wishes) != before:
            self._changed()

    def act(self, user: User) -> None:
        """The user is about to act; a free lease is taken.

        :raises Conflict: somebody else has it.
        """
        self.look()
        if self._holder is None:
            self._give(user)
        self._check(user)
        self._acted = self._clock.now()

    def do(self, action: str, user: User) -> None:
        """One of the words ``take``, ``request``, ``release``, ``grant``, ``deny``.

        :raises InvalidInput: another word.
        """
        ways = {
            "take": self.take,
            "request": self.ask,
            "release": self.release,
            "grant": self.grant,
            "deny": self.deny,
        }
        if action not in ways:
            raise InvalidInput(f"{action!r} is nothing to do with control.", hint=f"Say one of: {', '.join(ways)}.")
        ways[action](user)

    def told(self, user: User) -> dict[str, object] | None:
        """What this user sees of it; None when it is free."""
        self.look()
        if self._holder is None:
            return None
        now = self._clock.now()
        return {
            "name": self._holder.name,
            "mine": self._holder.id == user.id,
            "since": round(now - self._since, 1),
            "expires": round(IDLE - (now - self._acted), 1),
            "requests": [{"name": w.user.name, "since": round(now - w.since, 1)} for w in self._wishes],
        }

    def rename(self, user: User) -> None:
        """The same user has another name."""
        if self._holder is not None and self._holder.id == user.id:
            self._holder = user
        self._wishes = [Wish(user, w.since) if w.user.id == user.id else w for w in self._wishes]
        self._changed()

    def _check(self, user: User) -> None:
        self.look()
        if self._holder is None or self._holder.id != user.id:
            who = f"{self._holder.name} has control." if self._holder is not None else "You do not have control."
            raise Conflict(who, hint="Ask for it; unanswered, it passes after 30 s.")

    def _give(self, user: User | None, since: float | None = None) -> None:
        now = self._clock.now()
        self._holder = user
        self._since = now if since is None else since
        self._acted = now
        self._wishes = [wish for wish in self._wishes if user is None or wish.user.id != user.id]
        self._changed()
