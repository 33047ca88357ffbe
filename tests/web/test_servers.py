"""Servers that run are found: by shells that attach to a session, and by whoever shares a link."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from firstlight.buffer import acquire
from firstlight.cli import main
from firstlight.cli._pages import pages_of
from firstlight.process import Child, Restart, Supervisor
from firstlight.session import Session, connect
from firstlight.web import Links, WebSettings, servers, spec
from firstlight.web._servers import announced


def start(supervisor: Supervisor, name: str, settings: WebSettings) -> tuple[Child, int]:
    child = supervisor.spawn(replace(spec(settings), name=name, restart=Restart.NEVER))
    return child, int(child.wait_ready(60.0)["port"])


def test_a_server_is_found_as_long_as_it_lives(
    places: Path, supervisor: Supervisor, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    def ports() -> list[int]:
        return [settings.port for settings in servers(places)]

    ended, first = start(supervisor, "ended", WebSettings(buffer=str(places)))
    killed, second = start(supervisor, "killed", WebSettings(buffer=str(places), prefix="/fl"))
    assert {first, second} <= set(ports())
    assert next(s.prefix for s in servers(places) if s.port == second) == "/fl"
    assert servers(tmp_path) == []
    ended.stop()
    assert first not in ports()
    assert second in ports()
    pid = killed.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: second not in ports(), 30.0)


def test_what_is_not_of_this_machine_or_not_whole_is_no_server(tmp_path: Path) -> None:
    buffer = tmp_path / "buffer"
    settings = WebSettings(port=8421, buffer=str(buffer))
    with announced(settings, tmp_path):
        assert servers(buffer, tmp_path) == [settings]
        # Somebody else at the same port, at another address: the first keeps the word.
        with announced(replace(settings, bind="127.0.0.2"), tmp_path):
            assert servers(buffer, tmp_path) == [settings]
        assert servers(buffer, tmp_path) == [settings]
    assert list(tmp_path.glob("*.json")) == []
    here = socket.gethostname()
    for name, text in [
        (f"web-{here}-1.json", "{"),
        (f"web-{here}-2.json", "[]"),
        (f"web-{here}-3.json", json.dumps(settings.to_json() | {"port": 90000})),
        ("web-elsewhere-4.json", json.dumps(settings.to_json())),
    ]:
        path = tmp_path / name
        path.write_text(text)
        with acquire(path) or pytest.fail("it is locked"):
            assert servers(buffer, tmp_path) == []


def test_an_attached_shell_says_where_the_pages_are(
    beamline: Session, places: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    with connect(beamline.name, buffer=places) as attached:
        child, port = start(supervisor, "pages", WebSettings(buffer=str(places)))
        link = Links.of(WebSettings(port=port, buffer=str(places))).operate
        assert pages_of(attached.buffer.root) == f"Live in the browser: {link}"
        child.stop()
        assert pages_of(attached.buffer.root) == "No pages are served now; to have them: firstlight web"


def test_the_shared_link_is_that_of_a_server_that_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(tmp_path / "buffer"))
    (tmp_path / "state").mkdir()

    def said(*words: str) -> str:
        status = main(["web", "--share", *words])
        captured = capsys.readouterr()
        return captured.out.strip() if status == 0 else captured.err

    assert "No web server runs here." in said()
    one, two = WebSettings(port=8431), WebSettings(port=8432, origins=("https://beamline.example",), prefix="/fl")
    with announced(one, tmp_path / "state"):
        assert said() == Links.of(one).view
        assert "No web server runs at port 8432." in said("--port", "8432")
        with announced(two, tmp_path / "state"):
            assert said().splitlines() == [Links.of(one).view, Links.of(two).view]
            assert said("--port", "8432").startswith("https://beamline.example/fl/?token=")
