"""What may come next on the line: devices where a device belongs, options of commands, names of devices as texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.shell._command import commands_of, usage
from firstlight.shell._desk import Desk
from firstlight.shell._typing import split

_CALL = re.compile(r"(?:^|[\s=(,;])([^\W\d]\w*)\(([^()]*)$")
_LINE = re.compile(r"\s*(?:[^\W\d]\w*\s*=\s*)?([^\W\d]\w*)\s+(.*)$", re.DOTALL)
_MOVES = {"mv", "mvr", "mvd", "mvdr", "umv", "umvr", "umvd", "umvdr", "move"}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the cursor is in a command.

    :param before: the words that are complete.
    :param word: the one being typed.
    """

    command: str
    before: tuple[str, ...]
    word: str


def spot(text: str, commands: Mapping[str, Any]) -> Spot | None:
    """The command and the argument that a text ends in; None outside of commands."""
    found = _CALL.search(text)
    inside = found is not None and found[1] in commands
    if not inside:
        found = _LINE.match(text)
        if found is None or found[1] not in commands:
            return None
    assert found is not None
    rest = found[2]
    word = re.split(r"[\s,\[(]", rest)[-1].lstrip("'\"")
    words = split(rest[: len(rest) - len(word)].rstrip("'\""))
    return None if words is None else Spot(found[1], tuple(words), word)


def candidates(desk: Desk, at: Spot, command: Any) -> list[str]:
    """Words that fit, in the order in which they are offered."""
    offered = _offered(desk, at, command)
    return [word for word in dict.fromkeys(offered) if word.startswith(at.word)]


def _offered(desk: Desk, at: Spot, command: Any) -> list[str]:
    session = desk.session
    axes = list(session.axes)
    counters = [*session.counters, *session.cameras, *session.groups]
    parameters = list(inspect.signature(command).parameters.values())
    key, equals, _ = at.word.partition("=")
    if equals:
        return [f"{key}={value}" for value in _values(parameters, key)]
    plain = [word for word in at.before if "=" not in word]
    options = [f"{p.name}=" for p in parameters if p.kind is p.KEYWORD_ONLY or p.annotation in ("bool", "bool | None")]
    options = [option for option in options if not any(word.startswith(option) for word in at.before)]
    if at.command in _MOVES:
        used = set(plain[::2])
        return [axis for axis in axes if axis not in used] if len(plain) % 2 == 0 else []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    parameter = positional[len(plain)] if len(plain) < len(positional) else rest
    if parameter is None:
        return options
    found = _devices(parameter.name, axes, [c for c in counters if c not in plain], desk)
    return [*found, *options] if parameter is rest or parameter.default is not parameter.empty else found


def _devices(parameter: str, axes: Sequence[str], counters: Sequence[str], desk: Desk) -> list[str]:
    """Names that belong to a parameter of that name."""
    if re.fullmatch(r"axis\d*|axes|flat_axis", parameter):
        return list(axes)
    if parameter in ("counter", "counters"):
        return list(counters)
    if parameter in ("thing", "pattern", "device", "devices"):
        return [*desk.session.devices, *(["last"] if parameter == "thing" else [])]
    if parameter in ("function", "command"):
        return sorted(commands_of(desk.names))
    return []


def _values(parameters: Sequence[inspect.Parameter], name: str) -> list[str]:
    """Values that an option may have."""
    parameter = next((p for p in parameters if p.name == name), None)
    if parameter is None:
        return []
    if isinstance(parameter.default, bool) or "bool" in str(parameter.annotation):
        return ["True", "False"]
    return re.findall(r"['\"]([\w-]+)['\"]", str(parameter.annotation))


def matcher(desk: Desk, commands: Mapping[str, Any]) -> Any:
    """A matcher for IPython's completer."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher()  # type: ignore[untyped-decorator]
    def firstlight_matcher(context: Any) -> Any:
        text = context.text_until_cursor
        at = spot(text, commands)
        if at is None:
            return {"completions": []}
        try:
            found = candidates(desk, at, commands[at.command])
        except Exception:  # noqa: BLE001 - a device that fails must not break the line being typed
            found = []
        token = context.token
        # IPython replaces its own token, which may be shorter than our word (save=Tr) or longer (mv(ro).
        lead = at.word[: len(at.word) - len(token)] if at.word.endswith(token) else ""
        fitting = [word.removeprefix(lead) for word in found]
        fragment = token if at.word.endswith(token) else at.word
        return {
            "completions": [SimpleCompletion(text=word, type="param") for word in fitting],
            "matched_fragment": fragment,
            "suppress": bool(fitting),
            "ordered": True,
        }

    return firstlight_matcher


def toolbar(desk: Desk, text: str, commands: Mapping[str, Any]) -> str:
    """The line below the prompt: how the command being typed is written, or where data go."""
    found = re.match(r"\s*(?:[^\W\d]\w*\s*=\s*)?([^\W\d]\w*)", text)
    command = commands.get(found[1]) if found else None
    if command is not None:
        return usage(command.__name__, inspect.signature(command), options=True)
    return f"{desk.session.name}   {str(desk.session.current).strip('<>')}"
