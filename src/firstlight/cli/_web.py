"""``firstlight web``: the pages, served until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstlight.cli._print import say

if TYPE_CHECKING:
    from firstlight.web import Links

PORT = 8420  # that of firstlight.web, which is not imported for a help page


def web(
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0 takes a free one.")] = PORT,
    bind: Annotated[
        str, typer.Option("--bind", help="Address to listen at; any but loopback needs TLS, or --insecure.")
    ] = "127.0.0.1",
    certificate: Annotated[Path | None, typer.Option("--certificate", help="TLS certificate, with its chain.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Key of the certificate.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve other machines without TLS: behind a proxy or in a tunnel.")
    ] = False,
    prefix: Annotated[str, typer.Option("--prefix", help="Path of the pages behind a proxy: /fl")] = "",
    host_name: Annotated[
        list[str] | None, typer.Option("--host-name", help="A name by which browsers may call it; may be repeated.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="Origin of a proxy: https://beamline.example; may be repeated.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="A folder whose data may be read; may be repeated.")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Print only the link to look on, of the server that runs.")
    ] = False,
) -> None:
    """Serve the live pages of this machine's sessions, and the data of its runs, to browsers."""
    from firstlight.web import WebSettings, serve

    settings = WebSettings(
        bind=bind,
        port=port,
        certificate=str(certificate or ""),
        key=str(key or ""),
        insecure=insecure,
        prefix=prefix.rstrip("/"),
        hosts=tuple(host_name or ()),
        origins=tuple(origin or ()),
        roots=tuple(str(folder.absolute()) for folder in data or ()),
    )
    if share:
        _share(port)
        return
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())

    def started(links: Links) -> None:
        say(f"Operate: {links.operate}")
        say(f"Look on: {links.view}")
        say("Whoever has the first link can move motors. Ctrl-C ends the server; sessions go on.")

    serve(settings, started, stopping)


def _share(port: int) -> None:
    """The links of the servers that run; of the one at this port where there are several."""
    from firstlight.model import NotFound
    from firstlight.web import Links, servers

    every = servers()
    found = [settings for settings in every if settings.port == port] or (every if port == PORT else [])
    if not found:
        raise NotFound(
            "No web server runs here." if port == PORT else f"No web server runs at port {port}.",
            hint="firstlight shell starts one, and so does: firstlight web",
        )
    for settings in found:
        say(Links.of(settings).view)
