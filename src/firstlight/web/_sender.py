"""How what a viewer follows reaches it."""

from __future__ import annotations

from typing import Any, Protocol


class Sender(Protocol):
    """How a hub reaches its viewer."""

    def tell(self, event: dict[str, Any]) -> None:
        """Send JSON, in time; returns at once."""

    async def send(self, payload: bytes) -> None:
        """Send a binary message; returns when the connection took it."""
