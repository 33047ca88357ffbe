"""What a failed command says: one sentence, what to do, and a status; the traceback only for who asks."""

from __future__ import annotations

import errno
import sys
import traceback
from typing import Any

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses of every command."""


def report(error: BaseException, *, debug: bool) -> int:
    """Print an error to people, and return the exit status."""
    message, hint, status = _explain(error)
    if debug:
        traceback.print_exception(error)
    sys.stdout.flush()
    colour, plain = ("\033[1;31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{colour}error:{plain} {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status


def _explain(error: BaseException) -> tuple[str, str, int]:
    """Message, hint, status."""
    import typer

    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return "Interrupted.", "", INTERRUPTED
    usage: Any = typer.BadParameter.__mro__[1]  # click's UsageError, wherever this version of typer keeps it
    if isinstance(error, usage):
        context = error.ctx
        command = context.command_path if context is not None else "firstlight"
        return _sentence(error.format_message()), f"See: {command} --help", USAGE

    from firstlight.model import FirstlightError, RunAborted

    if isinstance(error, RunAborted):
        return error.message, error.hint, INTERRUPTED
    if isinstance(error, FirstlightError):
        return error.message, error.hint, FAILED
    if isinstance(error, OSError):
        return *_operating_system(error), FAILED
    return (
        f"Something went wrong inside Firstlight: {type(error).__name__}: {error}",
        "Run the same command with --debug to see where, and report it.",
        FAILED,
    )


def _operating_system(error: OSError) -> tuple[str, str]:
    where = str(error.filename) if error.filename else "A file"
    if error.errno == errno.ENOENT:
        return f"{where} does not exist.", "Check the path."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{where} may not be read or written by you.", "Check the permissions, or choose another place."
    if error.errno == errno.EROFS:
        return f"{where} is on a read-only disk.", "Choose another place."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({where}).", "Free some space, or choose another place."
    if error.errno == errno.EISDIR:
        return f"{where} is a folder, not a file.", "Name a file."
    if error.errno == errno.ENOTDIR:
        return f"{where} is below a file, not below a folder.", "Check the path."
    return f"{where}: {error.strerror or error}.", ""


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."
