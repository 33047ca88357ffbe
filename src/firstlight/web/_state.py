"""What all routes of one server share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from firstlight.web._audit import Audit
from firstlight.web._curve import Columns
from firstlight.web._errors import NotAllowed
from firstlight.web._frame import Frames
from firstlight.web._guard import Guard
from firstlight.web._lease import Lease
from firstlight.web._outbox import Outbox
from firstlight.web._runs import Runs
from firstlight.web._sessions import Sessions
from firstlight.web._settings import WebSettings
from firstlight.web._users import Rank, User, Users


@dataclass
class Shared:
    """The parts of the server.

    :param server: tells this process apart from the one before: pages reload what they know.
    :param viewers: those that are connected, and who each is.
    """

    settings: WebSettings
    users: Users
    audit: Audit
    lease: Lease
    sessions: Sessions
    runs: Runs
    cookie: str
    columns: Columns = field(default_factory=Columns)
    frames: Frames = field(default_factory=Frames)
    server: str = field(default_factory=lambda: secrets.token_hex(6))
    viewers: dict[Outbox, User] = field(default_factory=dict)
    guard: Guard | None = None

    def roots(self) -> list[Path]:
        """Folders whose data may be read: those named at the start, and those of the sessions."""
        return sorted({*(Path(root) for root in self.settings.roots), *self.sessions.data_roots()})

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event to every viewer."""
        for outbox in self.viewers:
            outbox.put(event)

    def tell_lease(self) -> None:
        """Tell every viewer of the lease, as each sees it."""
        for outbox, user in self.viewers.items():
            outbox.put({"ev": "lease", "lease": self.lease.told(user)})

    def me(self, user: User) -> dict[str, Any]:
        """What a page has to know of its user."""
        from firstlight import __version__

        return {
            "name": user.name,
            "role": user.rank.word,
            "csrf": self.users.csrf(user),
            "version": __version__,
            "prefix": self.settings.prefix,
            "server": self.server,
            "lease": self.lease.told(user),
        }


def shared(connection: HTTPConnection) -> Shared:
    """The parts of the server that a request came to."""
    return cast("Shared", connection.app.state.shared)


def someone(connection: HTTPConnection) -> User:
    """Who asks; the guard let nobody else in."""
    return cast("User", connection.state.user)


def operator(connection: HTTPConnection) -> User:
    """Who asks, when they may operate.

    :raises NotAllowed: they may only look.
    """
    user = someone(connection)
    if user.rank < Rank.OPERATE:
        raise NotAllowed("You may look, but not operate.", hint="Ask for the link to operate.")
    return user


Parts = Annotated[Shared, Depends(shared)]
Viewer = Annotated[User, Depends(someone)]
Operator = Annotated[User, Depends(operator)]
