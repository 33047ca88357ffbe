"""What a server offers: methods with roles and typed arguments, and events."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, InstanceOf, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from firstlight.model import InvalidInput, NotFound, WireError
from firstlight.wire._caller import Caller
from firstlight.wire._protocol import Role

_Function = TypeVar("_Function", bound=Callable[..., Any])


def method(role: Role = Role.OPERATE) -> Callable[[_Function], _Function]:
    """Offer a method of a :class:`Service` to clients that have at least this role."""

    def offer(function: _Function) -> _Function:
        function.__wire_role__ = role  # type: ignore[attr-defined]
        return function

    return offer


class Service:
    """Base of what a :class:`Server` serves.

    Methods marked with :func:`method` can be called by clients, with arguments by name, validated by their
    annotations. An ``async`` method runs in the server's event loop and is cancelled when its client goes away; a plain
    one runs in a thread, several at a time.
    """

    _sinks: tuple[Callable[[str, object], None], ...] = ()

    def emit(self, topic: str, payload: object = None) -> None:
        """Tell all clients that follow the topic; from any thread, never blocks; without clients nothing happens."""
        for sink in self._sinks:
            sink(topic, payload)

    def left(self, who: Caller) -> None:
        """A client is gone, however it went; for services that keep something for each."""

    def attach(self, sink: Callable[[str, object], None]) -> None:
        """For the server: receive what is emitted."""
        self._sinks = (*self._sinks, sink)

    def detach(self, sink: Callable[[str, object], None]) -> None:
        """For the server: receive no more."""
        self._sinks = tuple(known for known in self._sinks if known != sink)


class Handler:
    """One offered method.

    :raises TypeError: its signature cannot be offered.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function
        self.role: Role = function.__wire_role__  # type: ignore[attr-defined]
        self.is_async = inspect.iscoroutinefunction(function)
        self._adapters: dict[str, TypeAdapter[Any]] = {}
        self._required: set[str] = set()
        hints = get_type_hints(function, include_extras=True)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise TypeError(f"{name}: parameter {parameter.name} cannot be given by name")
            self._adapters[parameter.name] = _adapter(hints.get(parameter.name, Any))
            if parameter.default is parameter.empty:
                self._required.add(parameter.name)

    def validate(self, given: object) -> dict[str, Any]:
        """The arguments as the annotations want them.

        :raises InvalidInput: naming the method, the argument and what is wrong with it.
        """
        if not isinstance(given, Mapping):
            raise WireError(f"{self.name}: arguments must be given by name.")
        for name in given:
            if name not in self._adapters:
                raise InvalidInput(f"{self.name} has no argument {name!r}.", hint=_nearest(name, self._adapters))
        if missing := self._required - given.keys():
            raise InvalidInput(f"{self.name}: argument {', '.join(sorted(missing))} is missing.")
        return {name: self._value(name, value) for name, value in given.items()}

    def _value(self, name: str, value: object) -> Any:
        try:
            return self._adapters[name].validate_python(value)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in (name, *problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_context=False)[:3]
            )
            raise InvalidInput(f"{self.name}: {problems}.") from error


def handlers(service: Service) -> dict[str, Handler]:
    """All offered methods of a service by name."""
    found = {}
    for name, function in inspect.getmembers(type(service), inspect.isfunction):
        if hasattr(function, "__wire_role__"):
            found[name] = Handler(name, getattr(service, name))
    return found


def find(methods: Mapping[str, Handler], name: str) -> Handler:
    """The method of that name.

    :raises NotFound: with the nearest name that exists.
    """
    try:
        return methods[name]
    except KeyError:
        raise NotFound(f"There is no method {name!r}.", hint=_nearest(name, methods)) from None


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """Validator of an annotation; a class that pydantic does not know is checked by ``isinstance``."""
    if get_origin(annotation) is np.ndarray:
        annotation = np.ndarray
    # Classes with a configuration of their own refuse another one.
    own = isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation))
    try:
        return TypeAdapter(annotation, config=None if own else ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:
        return TypeAdapter(InstanceOf[annotation])


def _nearest(name: object, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(sorted(names)) or 'none'}."
