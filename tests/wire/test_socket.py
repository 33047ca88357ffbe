from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from firstlight.model import Conflict
from firstlight.wire import AsyncClient, Client, Server, address


def test_an_address_is_the_same_for_everybody_who_asks_and_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one = address("saver", "/dev/shm/firstlight-1000")
    assert one == address("saver", Path("/dev/shm/firstlight-1000"))
    assert one.parent == tmp_path / "firstlight"
    assert one.parent.stat().st_mode & 0o777 == 0o700
    assert len({one, address("saver", "/elsewhere"), address("camera", "/dev/shm/firstlight-1000")}) == 3
    assert len(address("saver", "/x" * 500).name) == len(one.name)


def test_without_a_runtime_folder_it_is_in_the_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert address("saver").parent == tmp_path / f"firstlight-{os.getuid()}"


def test_a_folder_that_somebody_else_prepared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    elsewhere = tmp_path / "trap"
    elsewhere.mkdir()
    (tmp_path / "firstlight").symlink_to(elsewhere)
    with pytest.raises(Conflict, match="does not belong to you"):
        address("saver")


def test_clients_know_the_process_that_serves(server: Server) -> None:
    async def ask() -> int:
        async with AsyncClient(server.path) as client:
            return client.peer.pid

    with Client(server.path) as client:
        assert client.peer.pid == asyncio.run(ask()) == os.getpid()
