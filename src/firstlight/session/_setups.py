"""Setups: named sets of parameters that are set for a while, and set back afterwards whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol

from firstlight.model import FirstlightError, InvalidInput, NotFound
from firstlight.scanning import nearest

OWN = "session"
"""Stands for the session itself in a setup: its active group, and defaults of the scan commands."""

Values = Mapping[str, Mapping[str, Any]]
"""By the name of a device (or ``session``): its parameters and their values."""


class HasParameters(Protocol):
    """What a setup is applied to: a session, here or elsewhere."""

    defaults: dict[str, Any]
    """Values of parameters of scan commands that a user leaves out."""

    @property
    def groups(self) -> Any:
        """The measurement groups."""

    def __getitem__(self, name: str) -> Any:
        """A device."""


class Setup:
    """One named set of parameters.

    ``with session.setup("fast"):`` sets them and sets them back at the end of the block; :meth:`apply` leaves them.

    :param begun: called with what was before, when parameters are set for a while; returns what to call at the end.
    """

    def __init__(
        self, name: str, values: Values, session: HasParameters, begun: Callable[[Values], Callable[[], None]]
    ) -> None:
        self.name = name
        self.values = values
        self._session = session
        self._begun = begun
        self._stack: list[tuple[dict[str, dict[str, Any]], Callable[[], None]]] = []

    def apply(self) -> None:
        """Set the parameters, to stay.

        :raises FirstlightError: the first that is refused; those before it are set back.
        """
        set_all(self._session, self.values)

    def __enter__(self) -> Setup:
        before = read_all(self._session, self.values)
        ended = self._begun(before)
        try:
            set_all(self._session, self.values)
        except BaseException:
            ended()
            raise
        self._stack.append((before, ended))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before, ended = self._stack.pop()
        try:
            put_back(self._session, before)
        finally:
            ended()

    def __repr__(self) -> str:
        lines = [f"setup {self.name}:"]
        for device, parameters in self.values.items():
            lines += [f"  {device}.{name} = {value}" for name, value in parameters.items()]
        return "\n".join(lines)


class Setups(Mapping[str, Setup]):
    """All setups of a session.

    :param look: gives the named sets.
    """

    def __init__(
        self,
        session: HasParameters,
        look: Callable[[], Mapping[str, Values]],
        begun: Callable[[Values], Callable[[], None]] = lambda values: lambda: None,
    ) -> None:
        self._session = session
        self._look = look
        self._begun = begun

    def __getitem__(self, name: str) -> Setup:
        known = self._look()
        if name not in known:
            raise NotFound(f"There is no setup {name}.", hint=nearest(name, known))
        return Setup(name, known[name], self._session, self._begun)

    def __contains__(self, name: object) -> bool:
        return name in self._look()

    def __iter__(self) -> Iterator[str]:
        return iter(self._look())

    def __len__(self) -> int:
        return len(self._look())

    def __repr__(self) -> str:
        return "\n".join(repr(self[name]) for name in self) or "No setups."


def read_all(session: HasParameters, values: Values) -> dict[str, dict[str, Any]]:
    """The present values of the parameters of a setup.

    :raises InvalidInput: a device has no such parameter.
    """
    return {device: {name: _get(session, device, name) for name in names} for device, names in values.items()}


def set_all(session: HasParameters, values: Values) -> None:
    """Set parameters; when one is refused, those before it are set back."""
    before: dict[str, dict[str, Any]] = {}
    try:
        for device, parameters in values.items():
            for name, value in parameters.items():
                old = _get(session, device, name)
                _put(session, device, name, value)
                before.setdefault(device, {})[name] = old
    except BaseException:
        put_back(session, before)
        raise


def put_back(session: HasParameters, values: Values) -> None:
    """Set parameters, the last first; one that is refused keeps no other from being set, and is told at the end."""
    refused: list[FirstlightError] = []
    for device, parameters in reversed(list(values.items())):
        for name, value in reversed(list(parameters.items())):
            try:
                _put(session, device, name, value)
            except FirstlightError as error:
                refused.append(error)
    if refused:
        raise refused[0]


def _get(session: HasParameters, device: str, name: str) -> Any:
    if device != OWN:
        found = session[device]
        try:
            return getattr(found, name)
        except AttributeError as error:
            if isinstance(error, FirstlightError):
                raise
            raise InvalidInput(f"{device} has no parameter {name}.", hint=nearest(name, _settable(found))) from None
    if name == "group":
        return session.groups.active.name if session.groups.active is not None else ""
    return session.defaults.get(name)


def _put(session: HasParameters, device: str, name: str, value: Any) -> None:
    if device != OWN:
        try:
            setattr(session[device], name, value)
        except AttributeError as error:
            if isinstance(error, FirstlightError):
                raise
            raise InvalidInput(f"{device}.{name} cannot be set.", hint="Only settings of a device can be.") from None
    elif name == "group":
        if value:
            session.groups.active = value
    elif value is None:
        session.defaults.pop(name, None)
    else:
        session.defaults[name] = value


def _settable(device: Any) -> list[str]:
    return [word for word in dir(device) if not word.startswith("_")]
