"""``firstlight shell`` and ``firstlight run``: a session to type at, or for a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    str,
    typer.Argument(
        metavar="[CONFIG|NAME]",
        help="A configuration file, or the name of a session that runs; the simulated beamline by default.",
        show_default=False,
    ),
]
Simulated = Annotated[bool, typer.Option("--simulated", help="The simulated beamline, whatever else there is.")]
Full = Annotated[
    bool, typer.Option("--full", help="The whole simulated beamline, from the machine to detectors of many techniques.")
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where the files of the simulated beamline go; firstlight-data by default."),
]
Part = Annotated[
    str, typer.Option("--part", metavar="NAME", help="A sub-session of the configuration.", show_default=False)
]
Log = Annotated[bool, typer.Option("--log/--no-log", help="Keep what is typed in the dataset's electronic log.")]


def shell(
    target: Target = "",
    simulated: Simulated = False,
    full: Full = False,
    data: Data = None,
    part: Part = "",
    log: Log = True,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Show the session in the browser, too.")] = True,
) -> None:
    """Talk to a session: IPython with its devices and the commands of SPEC and BLISS.

    Commands need no brackets: mv rot 10. Type help for all of them, Ctrl-D to leave.
    """
    from firstlight.cli._pages import open_pages, pages_of
    from firstlight.cli._print import say
    from firstlight.session import Session
    from firstlight.shell import interact, open_session

    wanted = "" if simulated or full else target
    say(f"Opening {wanted or ('the whole simulated beamline' if full else 'the simulated beamline')} ...")
    with open_session(wanted, data, part, full) as session:
        here = isinstance(session, Session)
        if web and not isinstance(session, Session):
            say(pages_of(session.buffer.root))
        elif web and isinstance(session, Session) and (links := open_pages(session)) is not None:
            say(f"Live in the browser: {links.operate}")
        interact(session, log=log)
        say("Leaving: axes stop, files are closed ..." if here else f"Leaving; {session.name} goes on.")


def run(
    script: Annotated[Path, typer.Argument(help="A Python script; it finds the session's names.")],
    target: Target = "",
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENTS]...", help="What the script finds in sys.argv.")
    ] = None,
    simulated: Simulated = False,
    full: Full = False,
    data: Data = None,
    part: Part = "",
) -> None:
    """Run a script with the names of a session: its devices, and the commands of the shell.

    An error ends it with one sentence that names the script's line; axes are at rest then.
    """
    from firstlight.shell import open_session, readable, run_script

    readable(script)
    with open_session("" if simulated or full else target, data, part, full) as session:
        run_script(session, script, arguments or ())
