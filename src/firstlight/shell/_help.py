"""``help``: the commands by topic, and what each does, with examples."""

from __future__ import annotations

from typing import Any

from firstlight.model import NotFound
from firstlight.shell._command import Usable, commands_of, plain
from firstlight.shell._desk import Desk
from firstlight.shell._words import nearest


def help(desk: Desk, command: Any = None) -> None:  # noqa: A001 - the word that everybody types
    """What the commands are, or what one of them does.

    ::

        help
        help ascan

    :param command: a command, its name, or anything else of Python.
    """
    if command is None:
        _overview(desk)
        return
    if isinstance(command, str):
        found = desk.names.get(command)
        if found is None:
            raise NotFound(
                f"There is no command {command}.", hint=nearest(command, commands_of(desk.names), "commands")
            )
        command = found
    if isinstance(command, Usable):
        desk.say(command.__info__())
        return
    kind = command if isinstance(command, type) else type(command)
    name = getattr(command, "name", None)
    desk.say(f"{name or kind.__name__}: {plain(kind.__doc__ or 'nothing is written about it.')}")
    words = [word for word in dir(command) if not word.startswith("_")]
    if words:
        desk.say(f"It has: {', '.join(words)}")


def _overview(desk: Desk) -> None:
    topics: dict[str, list[str]] = {}
    for name, command in commands_of(desk.names).items():
        topics.setdefault(command.topic, []).append(name)
    width = max(map(len, topics), default=0)
    desk.say("Commands need no brackets: mv rot 10. 'help ascan' explains one; Tab completes; Ctrl-C stops.")
    for topic, words in topics.items():
        desk.say(_wrapped(f"{topic:<{width}}  ", words, desk.width))


def _wrapped(head: str, words: list[str], width: int) -> str:
    lines = [head]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width and lines[-1].strip():
            lines.append(" " * len(head))
        lines[-1] += f"{word} "
    return "\n".join(line.rstrip() for line in lines)
