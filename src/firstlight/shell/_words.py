"""From what users type to devices and numbers; every refusal is one sentence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from firstlight.model import DeviceError, InvalidInput, NotFound, convert
from firstlight.session import Failed
from firstlight.shell._command import Usable
from firstlight.shell._face import AxisFace, Number, SessionFace, Word


def name_of(word: Word, what: str = "device") -> str:
    """The name that a device has, or that a word is.

    :param what: what it should be, for the error.
    """
    if isinstance(word, Usable):
        return word.__name__  # a group may have the name of a command
    name = word if isinstance(word, str) else getattr(word, "name", None)
    if not isinstance(name, str) or not name:
        raise InvalidInput(
            f"{shown(word)} is no {what}.",
            hint=f"Name the {what} first, for instance: mv rot 10." if what == "axis" else "Give its name.",
        )
    return name


def axis_of(session: SessionFace, word: Word) -> AxisFace:
    """The axis that a word means.

    :raises NotFound: with the nearest name, or with what it is instead.
    """
    name = name_of(word, "axis")
    name = aliased(session, name)
    found: AxisFace | None = session.axes.get(name)
    if found is not None:
        return found
    kind = kind_of(session, name)
    if kind:
        raise InvalidInput(f"{name} is a {kind}, not an axis.", hint=nearest(name, session.axes, "axes"))
    raise NotFound(f"There is no axis {name}.", hint=nearest(name, session.axes, "axes"))


def axes_of(session: SessionFace, words: Iterable[Word]) -> list[AxisFace]:
    """Axes that words mean, patterns (``s*``) included; all axes when there is no word."""
    found: dict[str, AxisFace] = {}
    given = list(words)
    for word in given:
        if isinstance(word, str) and any(mark in word for mark in "*?["):
            matching = {name: axis for name, axis in session.axes.items() if fnmatchcase(name, word)}
            if not matching:
                raise NotFound(f"No axis matches {word}.", hint=f"There are: {', '.join(session.axes)}.")
            found |= matching
        else:
            axis = axis_of(session, word)
            found[axis.name] = axis
    return list(found.values() if given else {axis.name: axis for axis in session.axes.values()}.values())


def kind_of(session: SessionFace, name: str) -> str:
    """What a device is, for sentences; empty when there is none of that name.

    :raises DeviceError: when it could not be built.
    """
    for kind, devices in (
        ("axis", session.axes),
        ("counter", session.counters),
        ("camera", session.cameras),
        ("shutter", session.shutters),
        ("group", session.groups),
    ):
        if name in devices:
            return kind
    device = session.devices.get(name)
    if device is None:
        return ""
    if isinstance(device, Failed):
        reason = device.error.message.removeprefix(f"{name}: ")
        raise DeviceError(name, f"is not connected: {reason}", hint=f"{device.error.hint} Then: retry {name}.".strip())
    return "device"


def aliased(session: SessionFace, name: str) -> str:
    """The device that an alias stands for, or the name itself."""
    aliases = getattr(session, "aliases", None)
    if isinstance(aliases, Mapping) and name in aliases:
        return name_of(aliases[name])
    return name


def number(value: Number, unit: str, what: str) -> float:
    """A finite number in a unit.

    :param value: a number (in that unit already), a text with a unit, or a quantity of pint.
    :param what: what it is for, for the error.
    """
    hint = f"Give a number, or a text such as '10 {unit or 'mm'}'."
    value = quantity(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        found = convert(value, unit) if isinstance(value, str) else float(value)
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error.message}", hint=error.hint) from None
    except (TypeError, ValueError):
        raise InvalidInput(f"{what}: {shown(value)} is not a position.", hint=hint) from None
    if not math.isfinite(found):
        raise InvalidInput(f"{what}: {found} is not a position.", hint=hint)
    return found


def quantity(value: Any) -> Any:
    """A quantity of pint as a text with its unit; anything else as it is."""
    # Looked for in the class: asking a device of another process for it would be a call.
    return f"{value.magnitude!r} {value.units}" if hasattr(type(value), "magnitude") else value


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """A hint with the nearest known word, or all of them.

    :param what: plural, for when there is none.
    """
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    if not words:
        return f"There are no {what}."
    many = 12
    return f"There are: {', '.join(words[:many])}{' ...' if len(words) > many else ''}."


def shown(value: Any) -> str:
    """Something that a user gave, short enough for a sentence."""
    name = getattr(value, "name", None)
    text = name if isinstance(name, str) and name else repr(value).replace("\n", " ")
    most = 60
    return text if len(text) <= most else f"{text[:most]}..."
