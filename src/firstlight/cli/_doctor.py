"""``firstlight doctor``: will an experiment run on this machine, and what to do if not."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from firstlight.cli._print import as_json, plural, say

_MARKS = {"good": ("✓", "32"), "note": ("!", "33"), "bad": ("✗", "31")}


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Check this machine: shared memory, locks, disks, packages, compiled kernels; say what to do.

    The first time it compiles the kernels, which takes some seconds. The status is 1 when an experiment would fail.
    """
    from firstlight.cli._checks import Verdict, examine

    colours = sys.stdout.isatty()
    checks = []
    for check in examine():
        checks.append(check)
        if not json:
            mark, colour = _MARKS[check.verdict]
            mark = f"\033[{colour}m{mark}\033[0m" if colours else mark
            say(f"{mark} {check.name}: {check.found}")
            if check.advice:
                say(f"    {check.advice}")
    bad = [check for check in checks if check.verdict is Verdict.BAD]
    if json:
        as_json([asdict(check) for check in checks])
    elif bad:
        say(f"{plural(len(bad), 'thing')} would make an experiment fail: {', '.join(check.name for check in bad)}.")
    else:
        say("An experiment can run here.")
    if bad:
        raise typer.Exit(1)
