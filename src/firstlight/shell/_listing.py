"""What there is: ``lsmot lscnt lsmg lsobj lsconfig info prdef wid``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from firstlight.model import InvalidInput, NotFound
from firstlight.session import Failed
from firstlight.shell._command import Command, commands_of
from firstlight.shell._desk import Desk
from firstlight.shell._face import Word
from firstlight.shell._looking import ERROR, wa
from firstlight.shell._words import aliased, name_of, nearest, shown


def lsmot(desk: Desk, pattern: str = "*") -> None:
    """The axes: unit, limits, speed.

    ::

        lsmot
        lsmot s*

    :param pattern: only names that match.
    """
    axes = _matching(desk.session.axes, pattern, "axes")
    rows = []
    for name, axis in axes.items():
        rows.append((name, axis.unit, _tried(partial(_limits, axis)), _tried(partial(_speed, axis))))
    _print(desk, ("axis", "unit", "limits", "velocity"), rows, "There are no axes.")


def lscnt(desk: Desk, pattern: str = "*") -> None:
    """The counters and cameras, with the channels that each gives.

    ::

        lscnt

    :param pattern: only names that match.
    """
    rows: list[Sequence[object]] = []
    cameras = dict(desk.session.cameras.items())
    for name, counter in _matching(dict(desk.session.counters.items()) | cameras, pattern, "counters").items():
        if name in cameras:
            seen = getattr(counter, "info", None)
            rows.append((name, name, _shape(getattr(seen, "shape", ())), getattr(seen, "unit", "")))
        else:
            rows += [(name, spec.name, _shape(spec.shape), spec.unit) for spec in counter.channels]
    _print(desk, ("counter", "channel", "item", "unit"), rows, "There are no counters.")


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def lsmg(desk: Desk) -> None:
    """The measurement groups; the active one measures when a scan names nothing.

    ::

        lsmg
    """
    groups = desk.session.groups
    if not len(groups):
        desk.say("There are no measurement groups.")
        return
    desk.say(repr(groups))


def lsobj(desk: Desk, pattern: str = "*") -> None:
    """All devices of the session, those that failed too.

    ::

        lsobj
        lsobj cam*

    :param pattern: only names that match.
    """
    rows = [
        (name, _kind(desk, name, device))
        for name, device in _matching(desk.session.devices, pattern, "devices").items()
    ]
    _print(desk, ("device", "what"), rows, "There are no devices.")


def lsconfig(desk: Desk, pattern: str = "*") -> None:
    """What the configuration defines, and where.

    ::

        lsconfig

    :param pattern: only names that match.
    """
    config = getattr(desk.session, "config", None)
    if config is None:
        raise InvalidInput(
            "This session has no configuration file.",
            hint="lsobj lists its devices; firstlight config new makes a file.",
        )
    rows = []
    for name, entry in _matching(config.devices, pattern, "devices").items():
        rows.append((name, entry.kind, str(entry.where)))
    _print(desk, ("device", "kind", "where"), rows, "The configuration defines no device.")


def info(desk: Desk, thing: Any = None) -> None:
    """Everything that a device, a run or a command tells of itself.

    ::

        info rot
        info last

    :param thing: a device, a run, a command; the session when nothing is named.
    """
    if thing is None:
        thing = desk.session
    if thing is desk.names.get("last"):
        thing = desk.names["last"]()
    if isinstance(thing, str):
        name = aliased(desk.session, thing)
        found = desk.session.devices.get(name)
        if found is None:
            found = desk.names.get(name)
        if found is None:
            known = list(desk.session.devices)
            raise NotFound(f"There is no device or command {thing}.", hint=nearest(thing, known, "devices"))
        thing = found
    axis = desk.session.axes.get(getattr(thing, "name", None) or "")
    desk.say(_axis(axis) if axis is not None and not hasattr(type(thing), "__info__") else told(thing))


def told(thing: Any) -> str:
    """What something tells of itself."""
    teller = getattr(type(thing), "__info__", None)
    if teller is not None:
        return str(teller(thing))
    return repr(thing)


def prdef(desk: Desk, function: Any) -> None:
    """Show how a command or a function of yours is written.

    ::

        prdef cen

    :param function: the command, or its name.
    """
    if isinstance(function, str):
        found = desk.names.get(function)
        if found is None:
            raise NotFound(
                f"There is no command {function}.", hint=nearest(function, commands_of(desk.names), "commands")
            )
        function = found
    desk.say(source(function))


def source(function: Any) -> str:
    """The text of a function.

    :raises InvalidInput: when it was written nowhere.
    """
    inner = inspect.unwrap(function.function if isinstance(function, Command) else function)
    try:
        text = inspect.getsource(inner)
        file = inspect.getsourcefile(inner)
        line = inspect.getsourcelines(inner)[1]
    except (TypeError, OSError):
        raise InvalidInput(
            f"{shown(function)} has no text to show.", hint="Name a command, or a function that you wrote."
        ) from None
    return f"# {file}:{line}\n{text.rstrip()}"


def wid(desk: Desk) -> None:
    """Where the insertion devices are: their axes.

    ::

        wid
    """
    names = [name for name in desk.session.axes if _is_undulator(desk, name)]
    if not names:
        desk.say("No insertion device is configured.")
        return
    wa(desk, *names)


def _is_undulator(desk: Desk, name: str) -> bool:
    config = getattr(desk.session, "config", None)
    entries = config.devices if config is not None else {}
    followers = [entry.settings.get("undulator") for entry in entries.values()]
    if any(isinstance(follower, Mapping) and follower.get("axis") == name for follower in followers):
        return True
    entry = entries.get(name)
    words = f"{name} {getattr(entry, 'kind', '')}".lower()
    return "undulator" in words or "insertion" in words


def _axis(axis: Any) -> str:
    lines = [f"axis {axis.name}"]
    unit = axis.unit
    for what, ask in (
        ("position", lambda: f"{axis.position:.6g} {unit}"),
        ("dial", lambda: f"{axis.dial:.6g} {unit}"),
        ("limits", lambda: f"{_limits(axis)} {unit}"),
        ("offset", lambda: f"{axis.offset:.6g} {unit}"),
        ("sign", lambda: str(axis.sign)),
        ("velocity", lambda: f"{axis.velocity:.6g} {unit}/s"),
        ("acceleration", lambda: f"{axis.acceleration:.6g} {unit}/s²"),
        ("moving", lambda: "yes" if axis.moving else "no"),
    ):
        lines.append(f"  {what:<13}{_tried(ask)}")
    return "\n".join(lines)


def _limits(axis: Any) -> str:
    low, high = axis.limits
    return f"{low:.6g} to {high:.6g}"


def _speed(axis: Any) -> str:
    return f"{axis.velocity:.6g}"


def _kind(desk: Desk, name: str, device: Any) -> str:
    if isinstance(device, Failed):
        return f"{device.kind}: FAILED, {device.error}"
    session = desk.session
    for kind, devices in (
        ("axis", session.axes),
        ("counter", session.counters),
        ("camera", session.cameras),
        ("shutter", session.shutters),
    ):
        if name in devices:
            return kind
    return type(vars(device).get("device", device)).__name__


def _matching(found: Any, pattern: Word, what: str) -> dict[str, Any]:
    word = name_of(pattern, "pattern")
    if word == "*":
        return dict(found.items())
    matching = {name: thing for name, thing in found.items() if fnmatchcase(name, word)}
    if not matching:
        raise NotFound(f"Nothing among the {what} matches {word}.", hint=nearest(word, found, what))
    return matching


def _tried(ask: Any) -> str:
    try:
        return str(ask())
    except Exception:  # noqa: BLE001 - one bad device must not hide the others
        return ERROR


def _print(desk: Desk, heads: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> None:
    cells = [[str(value) for value in row] for row in rows]
    if not cells:
        desk.say(none)
        return
    widths = [max(len(head), *(len(row[i]) for row in cells)) for i, head in enumerate(heads)]
    # The last column may be as long as it wants.
    widths[-1] = 0

    def line(row: Sequence[str]) -> str:
        return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()

    desk.say(line(heads), style="bold")
    desk.say("\n".join(map(line, cells)))
