"""One tree of errors.

Every error that a person may see is a :class:`FirstlightError`: one sentence that says what happened and where,
and a ``hint`` that says what to do. Rooms derive their own errors from the branches below, so a caller can catch a
whole branch by its meaning.
"""

from __future__ import annotations

from typing import Any


class FirstlightError(Exception):
    """Base of all errors raised on purpose.

    :param message: what happened and where, one sentence, no trailing newline.
    :param hint: what the user can do about it, one sentence; empty when there is nothing to do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross processes, and those below take other arguments than Exception remembers.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[FirstlightError], args: tuple[Any, ...], state: dict[str, Any]) -> FirstlightError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidInput(FirstlightError, ValueError):
    """A value given by a user, a file or a message is not acceptable; nothing was changed."""


class NotFound(FirstlightError, LookupError):
    """Something named by the caller does not exist."""


class Conflict(FirstlightError):
    """The thing exists already, is claimed by another process, or is in a state that forbids the request."""


class MissingExtra(FirstlightError, ImportError):
    """An optional dependency is not installed.

    :param module: the module that could not be imported.
    :param extra: the extra of the package that brings it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed.", hint=f"Install it with: pip install 'firstlight[{extra}]'")
        self.module = module
        self.extra = extra


class DataError(FirstlightError):
    """Base of errors about items of a channel."""


class IndexNotYetThere(DataError, IndexError):
    """The item was not produced yet; the channel is still growing, so waiting may help."""


class IndexNoLongerThere(DataError, IndexError):
    """The item existed and its memory was released, and no file holds it."""


class IndexNeverThere(DataError, IndexError):
    """The channel is sealed (or the index is negative beyond its start): the item will never exist."""


class StorageFull(FirstlightError, OSError):
    """A memory segment, a spill file or a data file could not grow."""


class DeviceError(FirstlightError):
    """A device refused or failed.

    :param device: name of the device.
    """

    def __init__(self, device: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{device}: {message}", hint=hint)
        self.device = device


class DeviceTimeout(DeviceError, TimeoutError):
    """A device did not answer in time."""


class LimitError(DeviceError):
    """A motion was refused because it would leave the limits; nothing moved."""


class ProcessError(FirstlightError):
    """A child process could not be started, died, or did not answer."""


class WireError(FirstlightError):
    """A request could not be carried: no server, connection lost, malformed message, or not allowed."""


class RunAborted(FirstlightError):
    """A run was ended by the user before it was complete; what was acquired is kept."""
