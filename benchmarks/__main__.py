"""``./run bench [NAME...] [--json FILE]``: measure, print a table, write the rows."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path

from benchmarks._harness import Promise, Row, machine, quantity
from benchmarks._registry import chosen, fits, promises


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a row (scan.loop) or the beginning of several (buffer)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--list", action="store_true", help="only say which rows there are, and what they promise")
    options = parser.parse_args()
    try:
        benchmarks = chosen(options.names)
    except LookupError as error:
        parser.error(str(error))
    if options.json:
        try:
            options.json.touch()
        except OSError as error:
            parser.error(f"{options.json} cannot be written: {error.strerror}.")
    known = promises()
    if options.list:
        for name, promise in known.items():
            print(f"{name:24} {promise.text(_unit(name))}")
        return 0
    print(machine())
    rows: list[Row] = []
    failed = []
    for benchmark in benchmarks:
        names = ", ".join(benchmark.promises)
        print(f"measuring {names} ...", flush=True)
        try:
            measured = benchmark.measure()
        except Exception:  # noqa: BLE001 - one benchmark that fails must not cost the figures of the others
            traceback.print_exc()
            failed.append(names)
            continue
        rows += [r for r in measured if not options.names or any(fits(name, r.name) for name in options.names)]
        if options.json:
            # After each, so that an interruption keeps what is there.
            options.json.write_text(json.dumps([r.to_json() for r in rows], indent=1) + "\n")
    _print(rows, known)
    if failed:
        print(f"error: these could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _unit(name: str) -> str:
    """Unit in which a promise reads, before anything was measured."""
    seconds = ("start.", "scan.single", "scan.pause", "buffer.latency")
    return "s" if name.startswith(seconds) else ""


def _print(rows: list[Row], known: dict[str, Promise]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "median", "range", "peer", "peer's", "ratio", "promise", "", box=None, pad_edge=False)
    for r in rows:
        promise = known.get(r.name)
        verdict = promise.kept(r) if promise else None
        table.add_row(
            r.name,
            quantity(r.value, r.unit),
            f"{quantity(r.low, r.unit)} to {quantity(r.high, r.unit)}",
            r.peer,
            "" if r.peer_value is None else quantity(r.peer_value, r.unit),
            "" if r.ratio is None else f"{r.ratio:.3g} ×",
            promise.text(r.unit) if promise else "",
            {True: "kept", False: "[bold red]MISSED[/]", None: "" if promise is None else "not judged"}[verdict],
        )
    console = Console()
    # A table that is cut at the width of a pipe helps nobody.
    console = console if console.is_terminal else Console(width=200)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
