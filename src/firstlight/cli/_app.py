"""The command line: its commands, and the one place where errors become sentences.

This module and those of the commands import nothing slow: ``firstlight --help`` is a product figure.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

from firstlight.cli import _buffer, _config, _demo, _doctor, _files, _icat, _look, _session, _shell, _web
from firstlight.cli._failure import report

app = typer.Typer(
    name="firstlight",
    help="A whole synchrotron experiment from one package.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong arguments, 130 interrupted. "
    "With --debug anywhere in the line a failure shows its traceback.",
    no_args_is_help=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(_demo.demo)
app.command("shell")(_shell.shell)
app.command("run")(_shell.run)
app.command("web")(_web.web)
app.command("doctor")(_doctor.doctor)
app.add_typer(_buffer.app, name="buffer")
app.add_typer(_config.app, name="config")
app.add_typer(_icat.app, name="icat")
app.add_typer(_session.app, name="session")
for _command in (_look.ls, _look.show, _files.export, _files.recover, _files.compact):
    app.command(_command.__name__)(_command)


def _version(asked: bool) -> None:
    if asked:
        from firstlight import __version__

        print(f"firstlight {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _firstlight(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: those of the process by default.
    :return: exit status.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # People add --debug at the end of the line that failed, whichever command it was.
    end = words.index("--") if "--" in words else len(words)
    debug = "--debug" in words[:end]
    words = [word for word in words[:end] if word != "--debug"] + words[end:]
    warnings.showwarning = _warn
    try:
        status = app(words, prog_name="firstlight", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the one place that turns every error into a sentence
        return report(error, debug=debug)
    return status if isinstance(status, int) else 0


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"warning: {message}", file=sys.stderr)
