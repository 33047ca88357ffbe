"""The control lease: one at a time, asked for, passed on, never held by somebody who left."""

from __future__ import annotations

import pytest

from firstlight.model import Conflict, FakeClock, InvalidInput
from firstlight.web._lease import IDLE, PATIENCE, Lease
from firstlight.web._users import Rank, User

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
