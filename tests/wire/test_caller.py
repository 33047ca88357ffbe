"""Who asks is known while a method answers, and the service hears when a client is gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from firstlight.wire import Caller, Client, Role, Server, Service, caller, method, served


class Desk(Service):
    def __init__(self) -> None:
        self.gone: list[Caller] = []

    @method(Role.VIEW)
    def plain(self) -> tuple[int, int, int]:
        return _told()

    @method(Role.VIEW)
    async def later(self) -> tuple[int, int, int]:
        return _told()

    def left(self, who: Caller) -> None:
        self.gone.append(who)


def _told() -> tuple[int, int, int]:
    who = caller()
    assert who is not None
    return who.number, who.peer.pid, int(who.role)


def test_each_connection_is_a_caller_of_its_own(tmp_path: Path) -> None:
    with Server(Desk(), tmp_path / "s"), Client(tmp_path / "s") as one, Client(tmp_path / "s", role=Role.VIEW) as two:
        assert one.call("plain") == one.call("later")
        first, second = one.call("plain"), two.call("plain")
        assert first[0] != second[0]
        assert first[1:] == (os.getpid(), int(Role.OPERATE))
        assert second[2] == int(Role.VIEW)
    assert caller() is None


def test_the_service_hears_when_a_client_is_gone(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    desk = Desk()
    with Server(desk, tmp_path / "s"):
        with Client(tmp_path / "s") as client:
            number = client.call("plain")[0]
        wait_for(lambda: [who.number for who in desk.gone] == [number])


def test_whether_somebody_serves_is_seen_without_disturbing(tmp_path: Path) -> None:
    assert not served(tmp_path / "s")
    with Server(Desk(), tmp_path / "s"):
        assert served(tmp_path / "s")
        with Client(tmp_path / "s") as client:
            client.call("plain")
    assert not served(tmp_path / "s")
