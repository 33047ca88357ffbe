"""Commands: plain typed functions of the shell, bound to the desk that they work at."""

from __future__ import annotations

import difflib
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firstlight.model import InvalidInput

if TYPE_CHECKING:
    from firstlight.shell._desk import Desk

Function = Callable[..., Any]


class Wrong(InvalidInput):
    """A command was given too few, too many or unknown arguments; nothing was done."""


class Usable(ABC):
    """What people type: a command of the shell, or a scan command of the session."""

    __name__: str
    topic: str
    """Under which :func:`help` lists it."""
    verbatim: bool = False
    """Without brackets, the whole rest of the line is one text."""

    @abstractmethod
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Do it."""

    def __info__(self) -> str:
        """What it does and how it is written."""
        return described(self)


class Command(Usable):
    """One command as users have it: the function without its first parameter, the desk.

    :param function: whose first parameter is the desk.
    :param topic: under which :func:`help` lists it.
    :param verbatim: without brackets, the whole rest of the line is one text.
    """

    def __init__(self, desk: Desk, function: Function, *, topic: str = "", verbatim: bool = False) -> None:
        functools.update_wrapper(self, function)
        whole = inspect.signature(function)
        self.__signature__ = whole.replace(parameters=list(whole.parameters.values())[1:])
        self.__name__: str = function.__name__
        self.topic = topic
        self.verbatim = verbatim
        self.function = function
        self._desk = desk

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        fits(self.__name__, self.__signature__, arguments, keywords)
        return self.function(self._desk, *arguments, **keywords)

    def __repr__(self) -> str:
        return f"<command {usage(self.__name__, self.__signature__)}>"


def described(command: Any, example: str = "") -> str:
    """Usage and documentation of a command.

    :param example: how it is typed, when its documentation does not say so.
    """
    signature = inspect.signature(command)
    text = inspect.cleandoc(command.__doc__ or "")
    if example:
        first, _, rest = text.partition("\n\n")
        text = f"{first}\n\n    {example}\n\n{rest}"
    return f"{usage(command.__name__, signature, options=True)}\n\n{plain(text)}"


def plain(text: str) -> str:
    """Documentation without the marks that only documentation tools read."""
    lines = []
    for line in text.replace("::\n\n", "").replace("``", "").splitlines():
        if line.startswith(":param "):
            name, _, rest = line.removeprefix(":param ").partition(":")
            line = f"  {name}:{rest}"
        lines.append(line.replace(":func:`", "").replace(":class:`", "").replace(":meth:`", "").replace("`", ""))
    return "\n".join(lines)


def usage(name: str, signature: inspect.Signature, *, options: bool = False) -> str:
    """How a command is written, without brackets: ``ascan axis start stop intervals count_time [counters ...]``.

    :param options: with what may be given by name.
    """
    words = [name]
    for parameter in signature.parameters.values():
        if parameter.name == "moves":
            words.append("axis position [axis position ...]")
        elif parameter.kind is parameter.VAR_POSITIONAL:
            words.append(f"[{parameter.name} ...]")
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif parameter.default is parameter.empty:
            words.append(parameter.name)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if options:
                words.append(f"[{parameter.name}={parameter.default!r}]")
        else:
            words.append(f"[{parameter.name}]")
    return " ".join(words)


def fits(
    name: str, signature: inspect.Signature, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> inspect.BoundArguments:
    """Arguments as the parameters they are for.

    :raises Wrong: when they do not fit; the hint shows how the command is written.
    """
    hint = f"Write: {usage(name, signature)}."
    parameters = signature.parameters
    try:
        bound = signature.bind(*arguments, **keywords)
    except TypeError as error:
        reason = str(error)
    else:
        for word, value in bound.arguments.items():
            _suits(name, parameters[word], value)
        return bound
    named = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    unknown = [word for word in keywords if word not in named]
    if unknown:
        near = difflib.get_close_matches(unknown[0], named, n=1)
        raise Wrong(f"{name} has no option {unknown[0]}.", hint=f"Did you mean {near[0]}?" if near else hint)
    positional = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    twice = [p.name for p in positional[: len(arguments)] if p.name in keywords]
    if twice:
        raise Wrong(f"{name} is given {twice[0]} twice.", hint=hint)
    missing = [p.name for p in positional[len(arguments) :] if p.default is p.empty and p.name not in keywords]
    if missing:
        raise Wrong(f"{name} needs {listing(missing)}.", hint=hint)
    if len(arguments) > len(positional):
        raise Wrong(f"{name} takes {_count(positional)}, not {len(arguments)}.", hint=hint)
    raise Wrong(f"{name}: {reason}.", hint=hint)


def _suits(name: str, parameter: inspect.Parameter, value: Any) -> None:
    """Refuse what Python would take for a yes, and what is no text; numbers and devices are looked at elsewhere."""
    annotation = str(getattr(parameter.annotation, "__name__", parameter.annotation))
    if value is None or parameter.kind is parameter.VAR_POSITIONAL or value is parameter.default:
        return
    if annotation in ("bool", "bool | None") and not isinstance(value, bool):
        raise Wrong(
            f"{name}: {parameter.name} is True or False, not {value!r}.", hint=f"Write {parameter.name}=True or =False."
        )
    if annotation in ("Run", "Run | None") and not hasattr(type(value), "info"):
        raise Wrong(f"{name}: {parameter.name} is a run, not {value!r}.", hint="Give one, for instance run=last(1).")
    if annotation == "str" and not isinstance(value, str) and not isinstance(value, Usable):
        raise Wrong(f"{name}: {parameter.name} is a text, not {value!r}.", hint="Put it in quotes.")


def _count(parameters: list[inspect.Parameter]) -> str:
    if not parameters:
        return "no arguments"
    least = sum(p.default is p.empty for p in parameters)
    most = len(parameters)
    amount = str(most) if least == most else f"at most {most}"
    return f"{amount} argument" if most == 1 else f"{amount} arguments"


def commands_of(names: Mapping[str, Any]) -> dict[str, Any]:
    """The commands among names."""
    return {name: value for name, value in names.items() if isinstance(value, Usable)}


def listing(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    found = list(words)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
