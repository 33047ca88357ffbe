"""Killing one process leaves the others at work, and the page says which is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import websockets

from firstlight.process import Child, ProcessSpec, Supervisor
from firstlight.session import Session, session_address
from firstlight.web import WebSettings, free_port, spec
from firstlight.wire import Client, Role
from tests.web.conftest import Site, Socket, talk


def test_a_killed_web_server_starts_again_where_it_was_and_the_session_goes_on(
    beamline: Session, places: Path, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    supervisor = Supervisor("a server to be killed", tmp_path)
    settings = WebSettings(port=free_port(), buffer=str(places))
    child = supervisor.spawn(spec(settings))
    info = child.wait_ready(60.0)
    site = Site(child, str(info["view"]), str(info["operate"]), int(info["port"]))
    try:
        client = site.operator()
        job = beamline.engine.launch(beamline.loopscan.scan(60, 0.02, "diode"))
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        run = beamline.saved(job)
        assert len(run["diode"]) == 60

        def answers() -> bool:
            try:
                return client.get("api/me").status_code == 200
            except httpx.HTTPError:
                return False

        # The cookie of before is still good, at the same address.
        wait_for(answers, 60.0)
        assert child.pid != pid
        assert client.get(f"api/runs/{run.key}").json()["npoints"] == 60
    finally:
        site.close()
        supervisor.stop()


@pytest.fixture
def other(places: Path, supervisor: Supervisor, tmp_path: Path) -> Iterator[Child]:
    """A session in a process of its own, beside the one of the tests."""
    arguments = {
        "config": "", "name": "fl02", "session": "", "data": str(tmp_path), "buffer": str(places),
        "folder": str(tmp_path), "full": False,
    }  # fmt: skip
    child = supervisor.spawn(ProcessSpec("other", "firstlight.session._headless:main", arguments, stop_timeout=60.0))
    child.wait_ready(90.0)
    yield child
    child.stop()


def test_a_killed_session_is_said_to_be_gone_and_its_data_stay(
    other: Child, site: Site, places: Path, tmp_path: Path
) -> None:
    async def story(page: Socket) -> None:
        def told(name: str) -> list[bool]:
            return [e["session"]["alive"] for e in page.of("session") if e["session"]["name"] == name]

        await page.until(lambda: True in told("fl02"))
        client = site.operator()
        with Client(session_address("fl02", places), role=Role.VIEW) as session:
            assert session.call("status").name == "fl02"
        pid = other.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await page.until(lambda: told("fl02")[-1] is False)
        last = [e["session"] for e in page.of("session") if e["session"]["name"] == "fl02"][-1]
        assert last["error"] == "Session fl02 has ended, or was killed."
        answer = client.post("api/move", json={"session": "fl02", "targets": {"rot": 1.0}})
        assert answer.status_code == 404
        assert client.get("api/runs").status_code == 200

    talk(site, story)


def test_a_server_that_ends_says_so_to_its_pages(places: Path, tmp_path: Path) -> None:
    supervisor = Supervisor("a server that ends", tmp_path)
    child = supervisor.spawn(spec(WebSettings(buffer=str(places))))
    info = child.wait_ready(60.0)
    site = Site(child, str(info["view"]), str(info["operate"]), int(info["port"]))

    async def story(page: Socket) -> None:
        await page.until(lambda: page.of("hello"))
        ending = asyncio.create_task(asyncio.to_thread(child.stop))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await page.until(lambda: False)
        await ending
        # "Service restart": the page keeps its view and comes back.
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012

    try:
        talk(site, story, site.view)
    finally:
        site.close()
        supervisor.stop()
