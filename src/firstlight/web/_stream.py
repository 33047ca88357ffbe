"""What viewers follow: filled by the data side."""

from __future__ import annotations

from firstlight.web._hub import Nothing, Sender, Subscriptions


def hub(sender: Sender) -> Subscriptions:
    """What one viewer follows."""
    return Nothing(sender)
