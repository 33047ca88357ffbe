"""Errors at the prompt: one sentence that says what to do, and the traceback for who asks for it."""

from __future__ import annotations

import builtins
import difflib
import inspect
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from firstlight.model import FirstlightError, InvalidInput
from firstlight.shell._command import Usable, commands_of, usage
from firstlight.shell._desk import Desk

HERE = str(Path(__file__).parents[1])
"""Folder of the package: frames in it are ours."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An error for people.

    :param message: what happened, one sentence.
    :param hint: what to do; empty when there is nothing.
    """

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


def explain(error: BaseException, names: Mapping[str, Any]) -> Explained:
    """What happened, in a sentence, and what to do.

    :param names: what the user may have meant: the namespace.
    """
    if isinstance(error, FirstlightError):
        # A configuration tells all that is wrong with it, a line each.
        return Explained(error.message, error.hint)
    if isinstance(error, KeyboardInterrupt):
        return Explained("Interrupted.")
    if isinstance(error, SyntaxError):
        return _syntax(error, names)
    if isinstance(error, NameError):
        return _name(error, names)
    if isinstance(error, AttributeError):
        return _attribute(error)
    if isinstance(error, ModuleNotFoundError):
        return Explained(f"There is no module {error.name}.", "Check its name, or install it.")
    if isinstance(error, BaseExceptionGroup):
        first = explain(error.exceptions[0], names)
        return Explained(f"{first.message} (and {len(error.exceptions) - 1} more)", first.hint)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Explained(f"{where}{error.strerror}.", "Check the path and its permissions.")
    text = one_line(str(error)).rstrip(".")
    kind = type(error).__name__
    if kind == "UsageError":
        return Explained(f"{text}.", "Type %lsmagic for those of IPython, help for the commands.")
    if kind == "ValidationError" and hasattr(error, "errors"):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Explained(f"{where}: {first['msg']}, not {first['input']!r}.", "Give another value.")
    if isinstance(error, TypeError) and re.match(r"(?:[\w.<>]+\.)?\w+\(\) (?:takes|missing|got)", text):
        # Arguments that a method does not take, wherever the call came through.
        return Explained(
            f"{text.partition('(')[0].rpartition('.')[2]}({text.partition('(')[2]}.", "See help(...) of it."
        )
    if ours(error):
        return Explained(
            f"Something went wrong inside Firstlight: {kind}: {text}.", "Type last_error for where, and report it."
        )
    if isinstance(error, TypeError):
        return _type(error, text)
    said = f"{kind}: {text}." if text else f"{kind}."
    return Explained(said, "Type last_error to see where.")


def one_line(text: str) -> str:
    """A text without line breaks."""
    return " ".join(text.split())


def ours(error: BaseException) -> bool:
    """Whether it was raised in the package and not in what the user wrote."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    frames = [] if error.__traceback__ is None else [f.filename for f in traceback.extract_tb(error.__traceback__)]
    # What the user's own function does wrong when we call it is the user's.
    users = [index for index, name in enumerate(frames) if not _library(name)]
    after = frames[users[-1] + 1 :] if users else frames
    return any(name.startswith(HERE) for name in after)


def place(error: BaseException, inputs: Iterable[str] = ()) -> str:
    """Where in what the user wrote it happened: ``line 3``, ``script.py:12``; empty when that is plain.

    :param inputs: file names that stand for what was typed.
    """
    if error.__traceback__ is None:
        return ""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _library(f.filename)]
    if not frames:
        return ""
    last = frames[-1]
    typed = set(inputs)
    if last.filename in typed or last.filename.startswith("<ipython"):
        return f"line {last.lineno}" if (last.lineno or 0) > 1 else ""
    return f"{Path(last.filename).name}:{last.lineno}"


def _library(filename: str) -> bool:
    parts = Path(filename).parts
    ours_or_frozen = filename.startswith((HERE, "<frozen")) or filename == "<string>"
    return ours_or_frozen or "site-packages" in parts or f"python{_version()}" in parts


def _version() -> str:
    import sys

    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _syntax(error: SyntaxError, names: Mapping[str, Any]) -> Explained:
    line = (error.text or "").strip()
    found = re.match(r"[^\W\d]\w*", line)
    word = found[0] if found else ""
    command = names.get(word)
    message = (error.msg or "it is no Python").rstrip(".?").replace(". ", ": ")
    where = f", line {error.lineno}" if error.lineno and error.lineno > 1 else ""
    shown = f" in {line[:80]!r}" if line else ""
    if isinstance(command, Usable):
        return Explained(
            f"This is not understood{shown}: {message}{where}.", f"Write: {usage(word, inspect.signature(command))}."
        )
    near = difflib.get_close_matches(word, list(commands_of(names)), n=1) if word else []
    hint = f"Did you mean {near[0]}?" if near and near[0] != word else "Type help for the commands."
    return Explained(f"This is not understood{shown}: {message}{where}.", hint)


def _name(error: NameError, names: Mapping[str, Any]) -> Explained:
    name = error.name or str(error).split("'")[1]
    near = difflib.get_close_matches(name, [n for n in [*names, *dir(builtins)] if not n.startswith("_")], n=1)
    return Explained(
        f"There is no device, command or variable {name}.",
        f"Did you mean {near[0]}?" if near else "lsobj lists the devices, help the commands.",
    )


def _attribute(error: AttributeError) -> Explained:
    name, owner = error.name, error.obj
    text = one_line(str(error))
    if text.endswith((".", "?")):
        # Said on purpose, by something that knows the nearest name.
        return Explained(text)
    setter = re.search(r"property '(\w+)' of '(\w+)' object has no (?:setter|deleter)", text)
    if setter:
        hint = "Move it with mv, or call the present position otherwise with set_position(...)."
        return Explained(f"{setter[1]} can not be assigned.", hint if setter[1] in ("position", "dial") else "")
    if not name or owner is None:
        return Explained(f"{text}.", "See what it is with info(...).")
    label = getattr(owner, "name", None)
    label = label if isinstance(label, str) and label else getattr(owner, "__name__", type(owner).__name__)
    known = [word for word in dir(owner) if not word.startswith("_")]
    near = difflib.get_close_matches(name, known, n=1)
    hint = (
        f"Did you mean {near[0]}?" if near else f"It has: {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}."
    )
    if not known:
        hint = ""
    return Explained(f"{label} has no {name}.", hint)


def _type(error: TypeError, text: str) -> Explained:
    if "unsupported operand" in text and ("Command" in text or "function" in text):
        return Explained(
            "A command can not be calculated with.",
            "Write its arguments in brackets, for instance ct(1) or umvr(sx, -0.5).",
        )
    if "not subscriptable" in text and "Command" in text:
        return Explained(
            "A command has no [...].", "Write its arguments in brackets, for instance pointscan(rot, [0, 1], 0.1)."
        )
    if "not callable" in text:
        return Explained(f"{text[:1].upper()}{text[1:]}.", "Only commands and functions are followed by brackets.")
    device = re.search(r"'(\w*(?:Handle|Axis))'", text)
    if device and ("unsupported operand" in text or "not supported between" in text):
        return Explained("A device is no number.", "Its value is meant, perhaps: rot.position.")
    return Explained(f"{text[:1].upper()}{text[1:]}.", "Type last_error to see where.")


def trace(error: BaseException, *, full: bool = False) -> str:
    """The traceback.

    :param full: with the frames of libraries; otherwise only what the user wrote, and Firstlight.
    """
    if full:
        return "".join(traceback.format_exception(error)).rstrip()
    frames = traceback.extract_tb(error.__traceback__)
    kept = [f for f in frames if not _library(f.filename) or f.filename.startswith(HERE)] or list(frames)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(kept)]
    lines += traceback.format_exception_only(error)
    if error.__cause__ is not None:
        cause = "".join(traceback.format_exception_only(error.__cause__)).strip()
        lines.append(f"because of {cause}")
    return "".join(lines).rstrip()


def last_error(desk: Desk, full: Any = False) -> None:
    """The traceback of the last error.

    ::

        last_error
        last_error full

    :param full: with all libraries and causes.
    """
    if not isinstance(full, bool) and full != "full":
        raise InvalidInput(f"last_error: full or nothing, not {full!r}.", hint="Write: last_error full.")
    if desk.error is None:
        desk.say("There was no error yet.")
        return
    desk.say(trace(desk.error, full=bool(full)))


def show(desk: Desk, error: BaseException, trace_from: TracebackType | None = None) -> Explained:
    """Print an error in one sentence, and remember it."""
    del trace_from
    explained = explain(error, desk.names)
    if not isinstance(error, KeyboardInterrupt):
        desk.error = error
    where = place(error)
    text = f"{explained.message[:-1]} ({where})." if where and explained.message.endswith(".") else explained.message
    desk.console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if explained.hint:
        desk.console.print(explained.hint, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return explained
