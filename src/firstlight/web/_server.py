"""The server's process: a socket, the application, uvicorn; started by a supervisor or as a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from firstlight.model import Conflict, InvalidInput
from firstlight.process import ProcessSpec, Restart
from firstlight.storage import state_folder
from firstlight.web._servers import announced
from firstlight.web._settings import EVERYWHERE, WebSettings
from firstlight.web._users import Rank, Users

if TYPE_CHECKING:
    from firstlight.process import ChildContext

_log = logging.getLogger(__name__)
PORT = 8420
"""Where servers listen unless told otherwise."""
ENDING = 3.0
"""Seconds that connections get to end."""


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses that log in.

    :param view: to look on.
    :param operate: to operate.
    """

    view: str
    operate: str

    @classmethod
    def of(cls, settings: WebSettings, state: Path | None = None) -> Links:
        """For a server that listens at these settings."""
        users = Users(state or state_folder())
        name = settings.hosts[0] if settings.hosts else settings.bind
        host = socket.gethostname() if name in EVERYWHERE else name
        own = f"{settings.scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"
        # Behind a proxy the way leads through it.
        base = f"{settings.origins[0].rstrip('/') if settings.origins else own}{settings.prefix}/"
        return cls(*(f"{base}?token={quote(users.token(rank))}" for rank in (Rank.VIEW, Rank.OPERATE)))


class WebServer:
    """A server in this process.

    :param settings: port 0 takes a free one.
    :param state: folder of secrets and audit; this user's own when None.
    :raises Conflict: the port is taken.
    """

    def __init__(self, settings: WebSettings, *, state: Path | None = None) -> None:
        self._socket = _listen(settings)
        self.settings = replace(settings, port=self._socket.getsockname()[1])
        self._state = state

    @property
    def links(self) -> Links:
        """Where to point a browser."""
        return Links.of(self.settings, self._state)

    def run(self, started: Callable[[], None] = lambda: None, stopping: threading.Event | None = None) -> None:
        """Serve until ``stopping`` is set.

        :param started: called when it answers.
        """
        import uvicorn

        from firstlight.web._app import create_app

        app = create_app(self.settings, state=self._state)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=1 << 20,
            # Curves of noise do not shrink, and compressing them takes longer than sending them.
            ws_per_message_deflate=False,
            ws_ping_interval=20.0,
            ssl_certfile=self.settings.certificate or None,
            ssl_keyfile=self.settings.key or None,
            timeout_graceful_shutdown=int(ENDING),
            server_header=False,
            proxy_headers=False,
        )
        server = _server(config, started, stopping or threading.Event())
        with announced(self.settings, self._state or state_folder()):
            asyncio.run(server.serve(sockets=[self._socket]))

    def close(self) -> None:
        """Let go of the port; for a server that was not run."""
        self._socket.close()


def spec(settings: WebSettings) -> ProcessSpec:
    """The server as a child of a supervisor: restarted when it fails, at the same address."""
    return ProcessSpec(
        "web",
        "firstlight.web._server:main",
        {"settings": settings.to_json()},
        restart=Restart.ON_FAILURE,
        max_restarts=10,
        stop_timeout=ENDING + 5.0,
        # Viewers must never take time from an acquisition.
        nice=5,
    )


def main(context: ChildContext, *, settings: dict[str, Any]) -> None:
    """Target of the process."""
    server = WebServer(WebSettings.from_json(settings))
    links = server.links

    def started() -> None:
        context.ready(view=links.view, operate=links.operate, port=server.settings.port)
        context.log.info("serves at port %d", server.settings.port)

    server.run(started, context.stopping)


def serve(settings: WebSettings, started: Callable[[Links], None], stopping: threading.Event) -> None:
    """Serve in this process until ``stopping`` is set.

    :raises Conflict: the port is taken.
    """
    server = WebServer(settings)
    server.run(lambda: started(server.links), stopping)


def free_port(bind: str = "127.0.0.1") -> int:
    """A port that nobody listens at now: the usual one, so that links stay, or another."""
    for port in (PORT, 0):
        try:
            with _listen(WebSettings(bind=bind, port=port, insecure=True)) as found:
                return int(found.getsockname()[1])
        except Conflict:
            continue
    raise Conflict(f"No port of {bind} can be listened at.", hint="Look at the limits of this machine.")


def _listen(settings: WebSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.bind, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise InvalidInput(
            f"{settings.bind} is no address of this machine.", hint="Use 127.0.0.1, or one that this machine has."
        ) from error
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(128)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise Conflict(
            f"Port {settings.port} of {settings.bind} cannot be listened at: {error.strerror}.",
            hint="Another server runs there, or it is not allowed: choose another with --port.",
        ) from error
    return made


def _server(config: Any, begun: Callable[[], None], stopping: threading.Event) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        """Uvicorn without its signal handlers: who started this process decides when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                begun()

        async def on_tick(self, counter: int) -> bool:
            if stopping.is_set():
                self.should_exit = True
            return bool(await super().on_tick(counter))

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            yield

    return Server(config)
