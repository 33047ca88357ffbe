"""The control lease: one at a time, asked for, passed on, never held by somebody who left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from firstlight.model import Conflict, FakeClock, InvalidInput
from firstlight.web import WebSettings, create_app
from firstlight.web._lease import IDLE, PATIENCE, Lease
from firstlight.web._users import Rank, User, Users

ANNA, BORIS, CARLA = (User(name, name, Rank.OPERATE) for name in ("anna", "boris", "carla"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lease(clock: FakeClock) -> Lease:
    return Lease(clock)


def test_one_has_it_and_others_are_told_who(lease: Lease) -> None:
    lease.take(ANNA)
    with pytest.raises(Conflict, match="anna has control"):
        lease.take(BORIS)
    with pytest.raises(Conflict, match="anna has control"):
        lease.act(BORIS)
    lease.take(ANNA)
    assert lease.holder == ANNA


def test_whoever_acts_first_takes_a_free_one(lease: Lease) -> None:
    lease.act(BORIS)
    assert lease.holder == BORIS


def test_it_is_free_when_its_holder_does_nothing(lease: Lease, clock: FakeClock) -> None:
    lease.take(ANNA)
    clock.pause_until(clock.now() + IDLE - 1)
    lease.act(ANNA)
    clock.pause_until(clock.now() + IDLE - 1)
    assert lease.told(ANNA) is not None
    clock.pause_until(clock.now() + 1)
    assert lease.told(ANNA) is None
    lease.act(BORIS)
    with pytest.raises(Conflict, match="boris has control"):
        lease.act(ANNA)


def test_a_wish_is_granted_refused_or_passes_unanswered(lease: Lease, clock: FakeClock) -> None:
    lease.take(ANNA)
    lease.ask(BORIS)
    lease.ask(CARLA)
    lease.ask(CARLA)
    assert [wish.user for wish in lease.wishes] == [BORIS, CARLA]
    lease.deny(ANNA)
    assert [wish.user for wish in lease.wishes] == [CARLA]
    assert lease.holder == ANNA
    clock.pause_until(clock.now() + PATIENCE)
    assert lease.holder == CARLA
    lease.ask(ANNA)
    lease.grant(CARLA)
    assert lease.holder == ANNA
    assert lease.wishes == ()


def test_only_the_holder_answers_wishes(lease: Lease) -> None:
    lease.take(ANNA)
    lease.ask(BORIS)
    for act in (lease.grant, lease.deny):
        with pytest.raises(Conflict):
            act(BORIS)
    assert lease.holder == ANNA


def test_letting_go_passes_it_to_the_first_who_asked(lease: Lease) -> None:
    lease.take(ANNA)
    lease.ask(BORIS)
    lease.ask(CARLA)
    lease.release(BORIS)
    lease.release(ANNA)
    assert lease.holder == CARLA
    lease.release(ANNA)
    assert lease.holder == CARLA
    lease.release(CARLA)
    assert lease.holder is None


def test_each_sees_it_with_own_eyes(lease: Lease, clock: FakeClock) -> None:
    assert lease.told(ANNA) is None
    lease.take(ANNA)
    clock.pause_until(clock.now() + 10)
    lease.ask(BORIS)
    told = lease.told(ANNA)
    assert told == {
        "name": "anna",
        "mine": True,
        "since": 10.0,
        "expires": IDLE - 10.0,
        "requests": [{"name": "boris", "since": 0.0}],
    }
    seen = lease.told(BORIS)
    assert seen is not None
    assert seen["mine"] is False


def test_unknown_words_are_refused(lease: Lease) -> None:
    with pytest.raises(InvalidInput, match="nothing to do with control"):
        lease.do("seize", ANNA)
    lease.take(ANNA)
    with pytest.raises(Conflict, match="Nobody asks"):
        lease.grant(ANNA)


def test_every_change_is_told(clock: FakeClock) -> None:
    told: list[str] = []
    lease = Lease(clock, lambda: told.append(""))
    lease.take(ANNA)
    lease.ask(BORIS)
    lease.deny(ANNA)
    lease.release(ANNA)
    assert len(told) == 4


def test_over_http_an_idle_lease_ends_and_its_holder_asks_anew(clock: FakeClock, tmp_path: Path) -> None:
    app = create_app(WebSettings(), state=tmp_path)
    app.state.shared.lease = Lease(clock)
    users = Users(tmp_path)

    async def story() -> None:
        async def act(user: User, path: str, body: Mapping[str, object]) -> tuple[int, str]:
            headers = {"Origin": "http://localhost", "X-Firstlight-CSRF": users.csrf(user)}
            cookies = {app.state.shared.cookie: users.cookie(user)}
            way = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=way, base_url="http://localhost", headers=headers, cookies=cookies
            ) as client:
                answer = await client.post(f"/api/{path}", json=body)
            return answer.status_code, (answer.json() or {}).get("error", {}).get("what", "")

        move = {"session": "none", "targets": {"rot": 1.0}}
        assert await act(ANNA, "lease", {"action": "take"}) == (200, "")
        assert await act(BORIS, "move", move) == (409, "anna has control.")
        clock.pause_until(clock.now() + IDLE)
        # Control was free, so that only the session is missing; it is the other one who must ask now.
        assert await act(BORIS, "move", move) == (404, "Session none does not run.")
        assert await act(ANNA, "move", move) == (409, "boris has control.")

    asyncio.run(story())
