"""Scripts with the names of a session."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from firstlight.model import FirstlightError, InvalidInput, NotFound, RunAborted
from firstlight.scanning import held
from firstlight.shell._desk import Desk
from firstlight.shell._errors import explain, place
from firstlight.shell._face import SessionFace
from firstlight.shell._logs import forget, listen
from firstlight.shell._namespace import Namespace


class ScriptFailed(FirstlightError):
    """A script ended with an error; the message begins with its file and line."""


def run_script(session: SessionFace, path: Path, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Run a script as if it were typed, with the session's names.

    :param arguments: what the script finds in ``sys.argv`` after its name.
    :return: the script's namespace when it ended.
    :raises ScriptFailed: with the file and line of the script; axes are at rest.
    """
    text = readable(path)
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(path), "__builtins__": builtins}
    desk = Desk(session)
    desk.typed = f"run {path}"
    Namespace(desk, names)
    handler = listen(desk)
    before = sys.argv, list(sys.path)
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.absolute().parent))
    failure = ""
    try:
        exec(compile(text, str(path), "exec"), names)  # noqa: S102 - to run the user's script is the purpose
    except SystemExit as error:
        if error.code not in (None, 0):
            failure = f"it left with {error.code}."
            raise ScriptFailed(f"{path.name}: {failure}") from error
    except BaseException as error:
        # Axes stop, also on a second Ctrl-C.
        with suppress(KeyboardInterrupt), held():
            session.stop()
        explained = explain(error, names)
        where = _line(error, path)
        failure = f"{where}: {explained.message}"
        kind = RunAborted if isinstance(error, KeyboardInterrupt | RunAborted) else ScriptFailed
        raise kind(failure, hint=explained.hint) from error
    finally:
        sys.argv, sys.path[:] = before
        desk.finish(error=failure)
        forget(handler)
        desk.close()
    return names


def readable(path: Path) -> str:
    """The text of a script.

    :raises NotFound: when there is none.
    """
    try:
        return path.read_text()
    except FileNotFoundError:
        raise NotFound(f"There is no script {path}.", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} can not be read: {error}.", hint="Give a Python script.") from error


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}:{error.lineno}"
    found = place(error)
    # The line of the script matters, also when a module of the user's failed.
    trace = error.__traceback__
    lines = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    mine = f"{path.name}:{lines[-1]}" if lines else path.name
    return mine if not found or found.startswith(path.name) else f"{mine} ({found})"
