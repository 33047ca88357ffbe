"""What one viewer follows: the face by which the websocket knows curves, frames and maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from firstlight.model import NotFound


class Sender(Protocol):
    """How a hub reaches its viewer."""

    def tell(self, event: dict[str, Any]) -> None:
        """Send JSON, in time; returns at once."""

    async def send(self, payload: bytes) -> None:
        """Send a binary message; returns when the connection took it."""


class Subscriptions(Protocol):
    """What one viewer follows. All calls come from the event loop."""

    async def subscribe(self, sub: int, wanted: dict[str, Any]) -> None:
        """Follow something; the same number again replaces it.

        :raises FirstlightError: why not; the viewer is told.
        """

    async def unsubscribe(self, sub: int) -> None:
        """Follow it no more; an unknown number is no error."""

    def acknowledge(self, sub: int, seq: int) -> None:
        """The viewer has drawn it, and everything before."""

    async def close(self) -> None:
        """Follow nothing more."""


class Nothing:
    """A hub of a server without data."""

    def __init__(self, sender: Sender) -> None:
        del sender

    async def subscribe(self, sub: int, wanted: dict[str, Any]) -> None:
        """Refuse."""
        raise NotFound("There is nothing to follow here.")

    async def unsubscribe(self, sub: int) -> None:
        """Nothing to do."""

    def acknowledge(self, sub: int, seq: int) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""


MakeHub = Callable[[Sender], Subscriptions]
"""Called once for each viewer."""
