"""Who asks: known to the methods of a service while they answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from firstlight.wire._protocol import Role
from firstlight.wire._socket import Peer

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Caller:
    """One connection of a client.

    :param peer: its process.
    :param role: what it may do.
    :param number: tells it apart from all other connections of this server's process.
    """

    peer: Peer
    role: Role
    number: int = field(default_factory=lambda: next(_numbers))


_present: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller | None:
    """Whose request is being answered; None outside of requests."""
    return _present.get()


@contextmanager
def answering(who: Caller) -> Iterator[None]:
    """Inside, requests are those of this caller."""
    token = _present.set(who)
    try:
        yield
    finally:
        _present.reset(token)
