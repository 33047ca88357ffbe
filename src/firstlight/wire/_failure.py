"""Errors on their way through the wire: they arrive as the class they were, or as the nearest base known there."""

from __future__ import annotations

from firstlight.model import FirstlightError, WireError
from firstlight.wire._protocol import Failure


class WireTimeout(WireError, TimeoutError):
    """No answer came in time; the request was cancelled."""


def failure(number: int, error: FirstlightError) -> Failure:
    """The message that stands for an error."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, FirstlightError)]
    details = {
        name: value
        for name, value in vars(error).items()
        if name not in ("message", "hint") and isinstance(value, str | int | float | bool | None)
    }
    return Failure(number, kinds, error.message, error.hint, details)


def rebuild(failed: Failure) -> FirstlightError:
    """The error that a message stands for; a :class:`WireError` when none of its classes is known here."""
    known = {kind.__name__: kind for kind in _family(FirstlightError)}
    cls = next((known[name] for name in failed.kinds if name in known), WireError)
    error = cls.__new__(cls)
    # Not the class's own constructor: it may ask for more, and the message is complete already.
    FirstlightError.__init__(error, failed.message, hint=failed.hint)
    vars(error).update(failed.details)
    return error


def _family(kind: type[FirstlightError]) -> list[type[FirstlightError]]:
    # The base itself says nothing about what went wrong, so it is left out.
    return [found for child in kind.__subclasses__() for found in (child, *_family(child))]
