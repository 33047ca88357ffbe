"""A session with its web server: real processes, real sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import websockets

from firstlight.process import Child, Supervisor
from firstlight.session import Layout, Session, simulated
from firstlight.web import WebSettings, spec
from firstlight.web._payload import unpack

SMALL = Layout(shape=(48, 64), axis_offset=2.5)


@dataclass
class Site:
    """A web server that runs.

    :param view: link to look on.
    :param operate: link to operate.
    """

    child: Child
    view: str
    operate: str
    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def token(link: str) -> str:
        return parse_qs(urlsplit(link).query)["token"][0]

    def browser(self, link: str = "", **headers: str) -> httpx.Client:
        """What a browser is to the server: logged in by a link, with cookies, its own origin and the page's secret."""
        client = httpx.Client(base_url=self.base, timeout=30.0, headers={"Origin": self.origin, **headers})
        self.clients.append(client)
        if link:
            answer = client.get(link, follow_redirects=True)
            assert answer.status_code == 200, answer.text
            client.headers["X-Firstlight-CSRF"] = client.get("api/me").json()["csrf"]
        return client

    def operator(self) -> httpx.Client:
        return self.browser(self.operate)

    def viewer(self) -> httpx.Client:
        return self.browser(self.view)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.clients.clear()


class Socket:
    """The websocket of a page."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self.payloads: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.acknowledge = True

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self) -> None:
        message = await self.connection.recv()
        if isinstance(message, bytes):
            header, arrays = unpack(message)
            self.payloads.append((header, arrays))
            if self.acknowledge:
                await self.say(op="ack", sub=header["sub"], seq=header["seq"])
        else:
            event = json.loads(message)
            self.events.append(event)
            if event["ev"] == "frame" and self.acknowledge:
                await self.say(op="ack", sub=event["sub"], seq=event["seq"])

    async def until(self, condition: Callable[[], object], timeout: float = 30.0) -> None:
        async with asyncio.timeout(timeout):
            while not condition():
                await self.next()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["ev"] == kind]


def talk(site: Site, story: Callable[[Socket], Awaitable[None]], link: str = "") -> None:
    """Open a page's websocket, and let a story happen."""

    async def run() -> None:
        client = site.browser(link or site.operate)
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        address = f"ws://127.0.0.1:{site.port}/api/events"
        async with websockets.connect(
            address, origin=websockets.Origin(site.origin), additional_headers={"Cookie": cookies}
        ) as connection:
            await story(Socket(connection))

    asyncio.run(run())


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def beamline(places: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with simulated(tmp_path_factory.mktemp("data"), layout=SMALL, buffer=places) as made:
        made.newproposal("hc1234")
        made.newsample("tooth")
        made.newdataset("pages")
        made.move(sx=0.0)
        yield made


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    with Supervisor("web tests", tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.fixture(scope="module")
def serving(places: Path, supervisor: Supervisor) -> Iterator[Site]:
    """A server for the buffer; it finds a session there when one runs."""
    child = supervisor.spawn(spec(WebSettings(buffer=str(places))))
    info = child.wait_ready(60.0)
    made = Site(child, str(info["view"]), str(info["operate"]), int(info["port"]))
    yield made
    made.close()
    child.stop()


@pytest.fixture
def site(serving: Site) -> Iterator[Site]:
    yield serving
    serving.close()
