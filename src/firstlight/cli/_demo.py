"""``firstlight demo``: a whole experiment on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Fewer and smaller frames: seconds instead of minutes.")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="Ask nothing and open no window.")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the experiment's files go; a new folder by default.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed is another beam and other noise.")] = 1,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Recorded projections to use instead of simulated ones: HDF5, or a folder of images."
        ),
    ] = None,
    angles: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FIRST LAST", help="Angles of the first and the last recorded image, where the images do not tell."
        ),
    ] = None,
    web: Annotated[
        bool | None,
        typer.Option("--web/--no-web", help="Show it in the browser while it runs; not when --headless, by default."),
    ] = None,
) -> None:
    """Run an experiment from end to end: acquire, buffer, save, read back, reconstruct.

    A simulated beamline takes darks, flats and projections of a rotating sample in a continuous scan; a second process
    saves them; the volume is reconstructed, stored and pictured.
    """
    from firstlight import session
    from firstlight.cli._pages import open_pages

    def pages(beamline: session.Session) -> str:
        links = open_pages(beamline)
        return links.operate if links is not None else ""

    shown = pages if web or (web is None and not headless) else None
    session.demo(fast=fast, headless=headless, data=data, seed=seed, replay=replay, angles=angles, pages=shown)
