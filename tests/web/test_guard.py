"""The door: without a token, with a foreign origin or name, nobody comes in. A real server, asked over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
import websockets

from firstlight.model import InvalidInput
from firstlight.storage import state_folder
from firstlight.web import WebSettings, create_app
from firstlight.web._users import Rank, Users
from tests.web.conftest import Site

WRITES = {
    "lease": {"action": "take"},
    "stop": {},
    "abort": {},
    "move": {"targets": {"rot": 1.0}},
    "rois": {"camera": "cam", "rois": {"a": {"kind": "rectangle", "x": 0, "y": 0, "width": 2, "height": 2}}},
}
READS = ("api/me", "api/status", "api/runs", "api/runs/x", "api/openapi.json", "api/nothing", "", "live", "assets/x.js")


@pytest.mark.parametrize("path", READS)
def test_without_a_login_nothing_is_shown(site: Site, path: str) -> None:
    answer = site.browser().get(path)
    assert answer.status_code == 401
    assert "link that Firstlight printed" in answer.text
    if path.startswith("api"):
        assert answer.json()["error"]["kind"] == "NotLoggedIn"


@pytest.mark.parametrize("path", WRITES)
def test_without_a_login_nothing_is_done(site: Site, path: str) -> None:
    assert site.browser().post(f"api/{path}", json=WRITES[path]).status_code == 401


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:1", ""])
def test_another_site_can_do_nothing_with_the_users_cookie(site: Site, path: str, origin: str) -> None:
    client = site.operator()
    client.headers["Origin"] = origin
    answer = client.post(f"api/{path}", json=WRITES[path])
    assert answer.status_code == 403
    assert answer.json()["error"]["what"] == "Another site may not do that."


@pytest.mark.parametrize("path", WRITES)
def test_a_write_without_an_origin_is_refused(site: Site, path: str) -> None:
    client = site.operator()
    del client.headers["Origin"]
    assert client.post(f"api/{path}", json=WRITES[path]).status_code == 403


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("secret", ["", "0" * 64])
def test_a_write_needs_the_secret_of_the_page(site: Site, path: str, secret: str) -> None:
    client = site.operator()
    client.headers["X-Firstlight-CSRF"] = secret
    assert client.post(f"api/{path}", json=WRITES[path]).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::2]", ""])
def test_the_server_answers_only_to_its_own_names(site: Site, host: str) -> None:
    answer = site.operator().get("api/me", headers={"Host": host})
    assert answer.status_code in (400, 421)


def test_a_wrong_token_opens_nothing_and_is_noted(site: Site) -> None:
    answer = site.browser().get("?token=guess")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    lines = (state_folder() / "audit.jsonl").read_text().splitlines()
    assert any(json.loads(line)["outcome"] == "refused: unknown token" for line in lines)


def test_the_token_becomes_a_cookie_that_scripts_cannot_read_and_leaves_the_address(site: Site) -> None:
    client = site.browser()
    answer = client.get(f"live?run=a%26b&token={site.token(site.operate)}&x=rot")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/live?run=a%26b&x=rot"
    cookie = SimpleCookie(answer.headers["set-cookie"])
    (morsel,) = cookie.values()
    assert morsel.key == f"firstlight-{site.port}"
    assert morsel["httponly"]
    assert morsel["samesite"].lower() == "strict"
    assert morsel["path"] == "/"
    assert site.token(site.operate) not in morsel.value


def test_a_link_in_a_chat_logs_in_too(site: Site) -> None:
    client = site.browser(**{"Sec-Fetch-Site": "cross-site"})
    answer = client.get(f"live?run=a%22%3Cb&token={site.token(site.view)}")
    assert answer.status_code == 200
    assert 'content="0; url=/live?run=a%22%3Cb"' in answer.text
    assert site.token(site.view) not in answer.text
    assert client.get("api/me").json()["role"] == "view"


def test_a_link_cannot_lead_to_another_site(site: Site) -> None:
    answer = httpx.get(
        site.base + "/evil.example/",
        params={"token": site.token(site.view)},
        headers={"Host": f"127.0.0.1:{site.port}"},
    )
    assert answer.status_code == 303
    assert not answer.headers["location"].startswith("//")


def test_a_forged_cookie_is_none(site: Site) -> None:
    client = site.operator()
    name, value = next(iter(client.cookies.items()))
    forged = site.browser()
    forged.cookies.set(name, value[:-2] + ("AA" if value[-2:] != "AA" else "BB"))
    assert forged.get("api/me").status_code == 401


def test_every_answer_keeps_other_sites_out(site: Site) -> None:
    client = site.operator()
    for path in ("", "api/me", "api/nothing", "assets/nothing.js"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
    assert client.get("api/me").headers["cache-control"] == "no-store"


def test_a_script_proves_itself_without_a_cookie(site: Site) -> None:
    bearer = {"Authorization": f"Bearer {site.token(site.view)}"}
    assert httpx.get(site.base + "api/me", headers=bearer).json()["role"] == "view"
    assert httpx.get(site.base + "api/me", headers={"Authorization": "Bearer guess"}).status_code == 401
    refused = httpx.post(site.base + "api/move", headers=bearer, json=WRITES["move"])
    assert refused.status_code == 403


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_a_token_does_not_let_another_sites_page_act(site: Site, path: str, origin: str) -> None:
    headers = {"Authorization": f"Bearer {site.token(site.operate)}", "Origin": origin}
    answer = httpx.post(site.base + f"api/{path}", headers=headers, json=WRITES[path])
    assert answer.status_code == 403
    assert answer.json()["error"]["what"] == "Another site may not do that."


def test_a_cookie_is_sent_encrypted_only_where_there_is_tls(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").touch()
    file = str(tmp_path / "tls.pem")

    async def cookie(settings: WebSettings, base: str) -> str:
        app = create_app(settings, state=tmp_path)
        token = Users(tmp_path).token(Rank.VIEW)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
            return (await client.get(f"/?token={token}")).headers["set-cookie"]

    assert "; Secure" in asyncio.run(cookie(WebSettings(certificate=file, key=file), "https://localhost"))
    assert "; Secure" not in asyncio.run(cookie(WebSettings(), "http://localhost"))


@pytest.mark.parametrize(
    ("origin", "proof", "expected"),
    [
        ("http://evil.example", "cookie", 403),
        ("http://evil.example", "token", 403),
        (None, "cookie", 403),
        ("own", "", 4401),
    ],
)
def test_foreign_websockets_are_refused(site: Site, origin: str | None, proof: str, expected: int) -> None:
    client = site.operator()
    proofs = {
        "cookie": {"Cookie": "; ".join(f"{k}={v}" for k, v in client.cookies.items())},
        "token": {"Authorization": f"Bearer {site.token(site.operate)}"},
    }
    given = proofs.get(proof, {})
    asked = websockets.Origin(site.origin if origin == "own" else origin) if origin is not None else None

    async def come() -> int:
        try:
            async with websockets.connect(
                f"ws://127.0.0.1:{site.port}/api/events", origin=asked, additional_headers=given
            ) as connection:
                await connection.recv()
        except websockets.InvalidStatus as error:
            return error.response.status_code
        except websockets.ConnectionClosed as error:
            return error.rcvd.code if error.rcvd is not None else 0
        return 200

    assert asyncio.run(come()) == expected


@pytest.mark.parametrize(
    "path",
    [
        "assets/../index.html",
        "assets/%2e%2e/%2e%2e/_app.py",
        "assets/..%2f..%2f_app.py",
        "..%2f_app.py",
        "sources.sha256%00.js",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    ],
)
def test_no_file_beside_the_pages_is_served(site: Site, path: str) -> None:
    answer = site.operator().get(path)
    assert "create_app" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bind": "0.0.0.0"}, "nothing would be encrypted"),
        ({"bind": "::"}, "nothing would be encrypted"),
        ({"certificate": "a.pem"}, "a certificate and its key"),
        ({"certificate": "a.pem", "key": "b.pem"}, "no file a.pem"),
        ({"prefix": "fl"}, "no prefix"),
        ({"prefix": "/fl/"}, "no prefix"),
        ({"port": 70000}, "no port"),
    ],
)
def test_unsafe_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        WebSettings(**settings)  # type: ignore[arg-type]


def test_the_command_refuses_other_machines_without_encryption() -> None:
    command = [sys.executable, "-m", "firstlight", "web", "--bind", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "0.0.0.0 can be reached from other machines" in done.stderr
    assert "--insecure" in done.stderr
    assert "Traceback" not in done.stderr
    assert "token=" not in done.stdout


def test_other_machines_are_served_when_somebody_says_so() -> None:
    settings = WebSettings(bind="0.0.0.0", insecure=True, hosts=("Beam.example",))
    assert not settings.loopback
    assert settings.names() == {"127.0.0.1", "localhost", "[::1]", "beam.example", socket.gethostname().lower()}
    assert WebSettings.from_json(settings.to_json()) == settings
