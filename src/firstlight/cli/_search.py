"""``firstlight ls --search``: runs found in the catalogue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from firstlight.cli._print import as_json, moment, plural, say, table

if TYPE_CHECKING:
    from firstlight.data import Catalogue, CatalogueEntry


def find(where: str | None, search: str | None, *, rebuild: bool, limit: int, json: bool) -> None:
    """Bring the catalogue up to date, then search it.

    :param where: a folder; all that was indexed before when None (the present folder when that is nothing).
    :param search: None only indexes.
    """
    from firstlight.data import Catalogue, Query

    Query(search or "").sql()  # a mistyped search is told before the files are looked at
    with Catalogue.default() as catalogue:
        roots = [where] if where is not None else [str(root) for root in catalogue.roots if root.is_dir()] or ["."]
        with _noted() as note:
            updates = [
                catalogue.update(root, rebuild=rebuild, progress=lambda done, folder: note(f"{done} {folder}"))
                for root in roots
            ]
        if search is None:
            datasets, read = sum(u.datasets for u in updates), sum(u.read for u in updates)
            say(f"Indexed {plural(datasets, 'dataset')} below {', '.join(roots)}: {plural(read, 'run')} read.")
            return
        found = catalogue.search(search, root=where, limit=limit + 1)
        _print(catalogue, search, found, limit, json=json)


def _print(catalogue: Catalogue, search: str, found: list[CatalogueEntry], limit: int, *, json: bool) -> None:
    shown = found[:limit]
    if json:
        as_json(
            [
                {
                    "proposal": e.proposal, "beamline": e.beamline, "session": e.session, "sample": e.sample,
                    "dataset": e.dataset, "number": e.number, "command": e.name, "title": e.title,
                    "technique": e.technique, "axes": e.axes, "channels": e.channels, "start": e.start, "stop": e.stop,
                    "state": e.state.name, "reason": e.reason, "points": e.npoints, "path": str(e.path),
                    "problem": e.problem,
                }
                for e in shown
            ]
        )  # fmt: skip
        return
    if not shown:
        say(f"No run fits {search!r} in {plural(len(catalogue.search()), 'indexed run')}.")
        return
    rows = [
        (
            e.proposal,
            e.sample,
            e.dataset,
            e.number,
            e.title,
            "" if e.start is None else moment(e.start),
            e.problem or (str(e.reason) if e.reason else f"({e.state.name.lower()})"),
            e.path,
        )
        for e in shown
    ]
    table(("proposal", "sample", "dataset", "scan", "command", "started", "ended with", "file"), rows, right=("scan",))
    more = f", the newest {limit}; more with --limit" if len(found) > limit else ""
    say(f"{plural(len(rows), 'run')}{more}.")


class _Note:
    """One line that is written over, where there is a person to see it."""

    def __init__(self) -> None:
        self._lively = sys.stderr.isatty()
        self._width = 0

    def __call__(self, text: str) -> None:
        if self._lively:
            line = text[:100]
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)

    def clear(self) -> None:
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def _noted() -> Iterator[_Note]:
    note = _Note()
    try:
        yield note
    finally:
        note.clear()
