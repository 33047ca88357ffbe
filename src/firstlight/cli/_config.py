"""``firstlight config``: check, show and begin the description of a beamline."""

from __future__ import annotations

import json as notation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight.cli._print import as_json, plural, say, table

if TYPE_CHECKING:
    from firstlight.configuration import Beamline, DeviceEntry, Problem, Setting

app = typer.Typer(help="The configuration of a beamline.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Place = Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder of them.")]


@app.command("check")
def check(path: Place = Path(), json: Json = False) -> None:
    """Check a configuration, and print everything that is wrong: file:line: key: what. The status is 1 then."""
    from firstlight.configuration import ConfigurationError, broken, load

    try:
        beamline = load(path)
    except ConfigurationError as error:
        if json:
            as_json({"problems": [_problem(one) for one in error.problems], "plugins": broken()})
        else:
            for problem in error.problems:
                say(str(problem))
            say(f"{path} has {plural(len(error.problems), 'problem')}.")
        raise typer.Exit(1) from None
    if json:
        as_json({"problems": [], "plugins": broken()})
        return
    for told in broken():
        say(f"note: {told}")
    counted = ", ".join(
        plural(len(part), noun)
        for part, noun in ((beamline.devices, "device"), (beamline.groups, "group"), (beamline.files, "file"))
    )
    say(f"{beamline.name} is right: {counted}.")


@app.command("show")
def show(
    path: Place = Path(),
    device: Annotated[str | None, typer.Argument(help="Name or alias of one device.")] = None,
    json: Json = False,
) -> None:
    """Show a configuration, or one device with the place that each setting comes from. Secrets stay hidden."""
    from firstlight.configuration import load, settings, shown

    beamline = load(path)
    if device is None:
        if json:
            as_json(shown(beamline))
        else:
            _beamline(beamline)
        return
    entry = beamline.device(device)
    found = settings(entry)
    if json:
        as_json(
            {
                "name": entry.name,
                "kind": entry.kind,
                "where": str(entry.where),
                "needs": entry.references,
                "settings": [_setting(one) for one in found],
            }
        )
    else:
        _device(entry, found)


@app.command("schema")
def schema(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there; print it otherwise.")
    ] = None,
) -> None:
    """The JSON Schema of a configuration, with which editors complete and check it."""
    from firstlight.configuration import schema_text
    from firstlight.model import Conflict

    text = schema_text()
    if output is None:
        say(text.rstrip())
        return
    if output.exists() and '"Firstlight configuration"' not in output.read_text(encoding="utf-8", errors="replace"):
        raise Conflict(f"{output} exists and is no schema of Firstlight's.", hint="Choose another name.")
    output.write_text(text, encoding="utf-8")
    say(f"{output} written. Name it in the first line: # yaml-language-server: $schema={output.name}")


@app.command("new")
def new(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The new file, or a folder for beamline.yml.")] = Path(),
    name: Annotated[str, typer.Option("--name", help="Of the beamline.")] = "fl01",
    full: Annotated[bool, typer.Option("--full", help="A whole beamline, from the machine to the camera.")] = False,
) -> None:
    """Write a first configuration, of a simulated beamline, and the schema beside it; never over a file that exists."""
    from firstlight.configuration import new as write

    for file in write(path, name, full=full):
        say(f"{file} written.")


def _problem(problem: Problem) -> dict[str, Any]:
    where = problem.where
    return {
        "file": str(where.file),
        "line": where.line,
        "column": where.column,
        "key": problem.key,
        "message": problem.message,
        "hint": problem.hint,
    }


def _setting(setting: Setting) -> dict[str, Any]:
    origin = setting.origin
    return {
        "key": setting.key,
        "value": setting.value,
        "where": str(origin.where) if origin is not None else None,
        "via": origin.via if origin is not None else "",
        "meaning": setting.meaning,
    }


def _beamline(beamline: Beamline) -> None:
    say(f"{beamline.name}, from {beamline.path}")
    say()
    rows = [(e.name, e.kind, ", ".join(e.references), e.where) for e in beamline.devices.values()]
    table(("device", "kind", "needs", "where"), rows)
    written = beamline.shown
    parts: list[tuple[str, object]] = [
        *((f"group {name}", ", ".join(members)) for name, members in beamline.groups.items()),
        ("default group", beamline.default),
        *((f"alias {alias}", name) for alias, name in beamline.aliases.items()),
        *((f"setup {name}", _text(values)) for name, values in (written.get("setups") or {}).items()),
        *((f"session {name}", ", ".join(one.devices)) for name, one in beamline.sessions.items()),
        *((f"script {file.stem}", file) for file in beamline.scripts),
        *((f"suspend {name}", _text(values)) for name, values in (written.get("suspend") or {}).items()),
        *((f"icat {name}", _text(value)) for name, value in (written.get("icat") or {}).items()),
        *((f"storage {name}", _text(value)) for name, value in (written.get("storage") or {}).items()),
    ]
    if "${" not in str(written.get("storage")):
        parts += [
            (f"data of {sort}", getattr(beamline.roots, sort).replace("{beamline}", beamline.name))
            for sort in ("visitor", "inhouse", "tmp")
        ]
    say()
    table(("part", "what"), [part for part in parts if part[1]])


def _device(entry: DeviceEntry, found: tuple[Setting, ...]) -> None:
    say(f"{entry.name}: {entry.kind}, {entry.where}")
    if entry.references:
        say(f"needs {', '.join(entry.references)}")
    say()
    rows = []
    for setting in found:
        origin = setting.origin
        source = "default" if origin is None else f"{origin.where}{f', {origin.via}' if origin.via else ''}"
        rows.append((setting.key, _text(setting.value), source, setting.meaning))
    table(("setting", "value", "from", "meaning"), rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else notation.dumps(value, ensure_ascii=False)
