"""The server behind TLS: its own, and that of a proxy which keeps or changes the name, below a prefix."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websockets

from firstlight.model import InvalidInput
from firstlight.process import Supervisor
from firstlight.web import Links, WebSettings, spec

NAME = "beamline.example"
OWN = f"https://{NAME}"


@dataclass
class Tls:
    certificate: str
    key: str
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(NAME), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    trusting = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return Tls(str(folder / "cert.pem"), str(folder / "key.pem"), trusting)


class Proxy:
    """What stands in front: ends TLS, and passes each request on.

    :param keeps: whether the request keeps the name by which the proxy was called; else it gets the server's.
    """

    def __init__(self, tls: Tls, target: int, *, keeps: bool) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(tls.certificate, tls.key)
        self._target = target
        self._keeps = keeps
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(30.0)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed now

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sides = [writer]
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
            dropped = (*([] if self._keeps else [b"host:"]), *([] if upgrade else [b"connection:"]))
            head = [line for line in lines[:-2] if not line.lower().startswith(dropped)]
            head += [] if self._keeps else [b"Host: 127.0.0.1:%d" % self._target]
            head += [b"X-Forwarded-Proto: https", *([] if upgrade else [b"Connection: close"])]
            inner, outer = await asyncio.open_connection("127.0.0.1", self._target)
            sides.append(outer)
            outer.write(b"\r\n".join([*head, b"", b""]))
            sending = asyncio.create_task(_pipe(reader, outer))
            # The server's end is the end: each connection carries one request.
            await _pipe(inner, writer)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # either side left
        finally:
            for side in sides:
                side.close()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        sink.write(data)
        await sink.drain()


@pytest.fixture(scope="module")
def behind(places: Path, supervisor: Supervisor) -> Iterator[tuple[int, str]]:
    """A server that stands behind a proxy: its port, and the link that it prints."""
    child = supervisor.spawn(
        replace(spec(WebSettings(buffer=str(places), prefix="/fl", origins=(OWN,))), name="web-behind")
    )
    info = child.wait_ready(60.0)
    yield int(info["port"]), str(info["operate"])
    child.stop()


@pytest.fixture(params=["keeps the name", "changes the name"])
def proxy(request: pytest.FixtureRequest, tls: Tls, behind: tuple[int, str]) -> Iterator[Proxy]:
    made = Proxy(tls, behind[0], keeps=request.param == "keeps the name")
    yield made
    made.close()


def come(port: int, tls: Tls, link: str) -> httpx.Client:
    """A browser that calls the proxy by its name."""
    client = httpx.Client(verify=tls.trusting, timeout=30.0, headers={"Host": NAME, "Origin": OWN})
    parts = urlsplit(link)
    answer = client.get(f"https://127.0.0.1:{port}{parts.path}?{parts.query}")
    assert answer.status_code == 303
    assert answer.headers["location"] == parts.path
    cookie = answer.headers["set-cookie"]
    assert "; Secure" in cookie
    assert f"; Path={parts.path};" in f"{cookie};"
    client.base_url = httpx.URL(f"https://127.0.0.1:{port}{parts.path}")
    client.headers["X-Firstlight-CSRF"] = client.get("api/me").json()["csrf"]
    return client


async def first_event(client: httpx.Client, tls: Tls, origin: str) -> dict[str, object]:
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    port = client.base_url.port
    async with websockets.connect(
        f"wss://{NAME}{client.base_url.path}api/events",
        host="127.0.0.1",
        port=port,
        ssl=tls.trusting,
        origin=websockets.Origin(origin),
        additional_headers={"Cookie": cookies},
    ) as connection:
        found: dict[str, object] = json.loads(await connection.recv())
        return found


def test_behind_a_proxy_everything_lies_below_the_prefix(proxy: Proxy, behind: tuple[int, str], tls: Tls) -> None:
    link = behind[1]
    assert link.startswith(f"{OWN}/fl/?token=")
    with closing(come(proxy.port, tls, link)) as client:
        for path in ("", "live", "runs/some"):
            document = client.get(path)
            if document.status_code == 200:
                assert '<base href="/fl/" />' in document.text
            else:  # an installation without built pages says so
                assert "not built" in document.text
        assert client.get("api/me").json()["prefix"] == "/fl"
        outside = client.get(f"https://127.0.0.1:{proxy.port}/elsewhere")
        assert outside.status_code in (401, 404)
        assert client.post("api/stop", json={"session": "none"}).status_code == 404
        stranger = client.post("api/stop", json={"session": "none"}, headers={"Origin": "https://evil.example"})
        assert stranger.status_code == 403
        assert asyncio.run(first_event(client, tls, OWN))["ev"] == "hello"
        with pytest.raises(websockets.InvalidStatus, match="403"):
            asyncio.run(first_event(client, tls, "https://evil.example"))


def test_a_server_with_tls_of_its_own_sends_nothing_in_the_clear(
    places: Path, supervisor: Supervisor, tls: Tls
) -> None:
    settings = WebSettings(bind="0.0.0.0", certificate=tls.certificate, key=tls.key, hosts=(NAME,), buffer=str(places))
    child = supervisor.spawn(replace(spec(settings), name="web-tls"))
    info = child.wait_ready(60.0)
    link, port = str(info["view"]), int(info["port"])
    try:
        assert link.startswith(f"https://{NAME}:{port}/?token=")
        with httpx.Client(verify=tls.trusting, headers={"Host": f"{NAME}:{port}"}) as client:
            answer = client.get(f"https://127.0.0.1:{port}/?{urlsplit(link).query}")
            assert answer.status_code == 303
            assert "; Secure" in answer.headers["set-cookie"]
            assert client.get(f"https://127.0.0.1:{port}/api/me").json()["role"] == "view"
            stranger = client.get(f"https://127.0.0.1:{port}/api/me", headers={"Host": "evil.example"})
            assert stranger.status_code == 421
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/api/me")
    finally:
        child.stop()


def test_a_server_that_others_reach_answers_to_the_name_in_its_link() -> None:
    settings = WebSettings(bind="0.0.0.0", insecure=True, port=8420)
    assert urlsplit(Links.of(settings).operate).hostname in settings.names()


@pytest.mark.parametrize("origin", ["beamline.example", "https://", "https://a/b", "ftp://a", "https://a:b", ""])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(InvalidInput, match="no origin"):
        WebSettings(origins=(origin,))
