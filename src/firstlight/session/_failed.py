"""A device that could not be made: it keeps its place and its reason, and everything else works."""

from __future__ import annotations

from typing import NoReturn

from firstlight.model import DeviceError, FirstlightError


class Unavailable(DeviceError, AttributeError):
    """A device was used that could not be made."""


class Failed:
    """Stands for a device that could not be made; using it says why.

    :param kind: as in the configuration.
    :param error: why.
    """

    def __init__(self, name: str, kind: str, error: FirstlightError) -> None:
        self.name = name
        self.kind = kind
        self.error = error

    def __repr__(self) -> str:
        return f"<{self.name} ({self.kind}) failed: {self.error.message}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise unavailable(self)


def unavailable(failed: Failed) -> Unavailable:
    """The error of whoever uses it."""
    reason = failed.error.message.removeprefix(f"{failed.name}: ")
    hint = f"{failed.error.hint} Then: retry({failed.name!r}).".strip()
    return Unavailable(failed.name, f"is not available: {reason}", hint=hint)


def as_failure(name: str, error: BaseException) -> FirstlightError:
    """The reason in a sentence, whatever a driver raised."""
    if isinstance(error, FirstlightError):
        return error
    text = str(error).strip().rstrip(".")
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return DeviceError(name, f"could not be made: {said}.", hint="Check the device and its connection.")
