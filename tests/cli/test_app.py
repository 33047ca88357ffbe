"""The command as a whole: help, version, wrong arguments, errors as sentences."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable

import pytest

import firstlight as package
from firstlight.cli import _app
from firstlight.cli._failure import report
from firstlight.model import FirstlightError, NotFound, RunAborted

COMMANDS = ("demo", "shell", "run", "doctor", "config", "buffer", "ls", "show", "export", "recover", "compact")

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command_and_the_statuses(main: Main, capsys: Capture, arguments: tuple[str, ...]) -> None:
    assert main(*arguments) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command in text
    assert "Exit status" in text


@pytest.mark.parametrize("command", [*COMMANDS, "buffer ls", "buffer show", "buffer clean"])
def test_every_command_explains_itself(main: Main, capsys: Capture, command: str) -> None:
    assert main(*command.split(), "--help") == 0
    assert f"firstlight {command}" in capsys.readouterr().out


def test_the_version_is_the_packages(main: Main, capsys: Capture) -> None:
    assert main("--version") == 0
    assert capsys.readouterr().out == f"firstlight {package.__version__}\n"


def test_an_unknown_command_suggests_the_nearest(refused: Refused) -> None:
    assert "Did you mean 'show'?" in refused("shw", status=2)
    assert "Did you mean 'clean'?" in refused("buffer", "claen", status=2)


@pytest.mark.parametrize(
    "arguments", [("show",), ("ls", "a", "b", "c"), ("doctor", "--jsn"), ("demo", "--seed", "many"), ("buffer", "show")]
)
def test_wrong_arguments_are_one_sentence_and_say_where_help_is(refused: Refused, arguments: tuple[str, ...]) -> None:
    assert "hint: See: firstlight" in refused(*arguments, status=2)


def test_an_unexpected_error_is_a_sentence_unless_the_traceback_is_asked_for(
    main: Main, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("a bolt is loose")

    monkeypatch.setattr(_app, "app", broken)
    assert main("doctor") == 1
    text = capsys.readouterr().err
    assert text.startswith("error: Something went wrong inside Firstlight: RuntimeError: a bolt is loose\nhint: ")
    assert "Traceback" not in text
    for arguments in (("--debug", "doctor"), ("doctor", "--debug")):
        assert main(*arguments) == 1
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotFound("There is no run 7.", hint="Look."), "error: There is no run 7.\nhint: Look.\n"),
        (FirstlightError("It broke."), "error: It broke.\n"),
        (OSError(errno.ENOSPC, "No space", "/data/x"), "error: The disk is full (/data/x).\n"),
        (OSError(errno.EACCES, "Denied", "/data/x"), "error: /data/x may not be read or written by you.\n"),
        (OSError(errno.EROFS, "Read-only", "/data/x"), "error: /data/x is on a read-only disk.\n"),
        (OSError(errno.ENOENT, "None", "/data/x"), "error: /data/x does not exist.\n"),
        (OSError(errno.EISDIR, "Dir", "/data/x"), "error: /data/x is a folder, not a file.\n"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/data/x"), "error: /data/x: Input/output error.\n"),
    ],
)
def test_errors_of_the_system_are_sentences_too(capsys: Capture, error: Exception, sentence: str) -> None:
    assert report(error, debug=False) == 1
    assert capsys.readouterr().err.startswith(sentence)


def test_an_interruption_has_its_own_status(capsys: Capture) -> None:
    assert report(KeyboardInterrupt(), debug=False) == 130
    assert capsys.readouterr().err == "error: Interrupted.\n"
    assert report(RunAborted("The run was stopped by the user."), debug=False) == 130


def test_a_warning_is_one_line(main: Main, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def warning(*arguments: object, **options: object) -> int:
        warnings.warn("the memory is slow here", UserWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(_app, "app", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main("doctor") == 0
    assert capsys.readouterr().err == "warning: the memory is slow here\n"
