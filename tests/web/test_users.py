"""Tokens, cookies and the secret of a page."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from firstlight.model import InvalidInput
from firstlight.web._users import Rank, Users


def test_each_role_has_a_token_of_its_own_and_guesses_are_none(tmp_path: Path) -> None:
    users = Users(tmp_path)
    assert [users.rank(users.token(rank)) for rank in Rank] == list(Rank)
    assert len({users.token(rank) for rank in Rank}) == 3
    for guess in ("", "x", users.token(Rank.VIEW)[:-1], users.token(Rank.VIEW) + "x", "é"):
        assert users.rank(guess) is None


def test_a_restarted_server_keeps_its_users(tmp_path: Path) -> None:
    first = Users(tmp_path)
    user = first.login(Rank.OPERATE)
    again = Users(tmp_path)
    assert again.read(first.cookie(user)) == user
    assert again.token(Rank.VIEW) == first.token(Rank.VIEW)
    assert again.csrf(user) == first.csrf(user)


def test_only_this_user_can_read_the_secrets(tmp_path: Path) -> None:
    Users(tmp_path)
    assert stat.S_IMODE((tmp_path / "web.json").stat().st_mode) == 0o600


def test_cookies_cannot_be_forged_or_changed(tmp_path: Path) -> None:
    users = Users(tmp_path)
    (tmp_path / "other").mkdir()
    other = Users(tmp_path / "other")
    viewer = users.login(Rank.VIEW)
    cookie = users.cookie(viewer)
    assert other.read(cookie) is None
    for k in range(0, len(cookie), 7):
        assert users.read(cookie[:k] + ("A" if cookie[k] != "A" else "B") + cookie[k + 1 :]) is None
    assert users.read("") is None


def test_the_secret_of_one_page_is_none_for_another_user(tmp_path: Path) -> None:
    users = Users(tmp_path)
    one, two = users.login(Rank.OPERATE), users.login(Rank.OPERATE)
    assert users.allows(one, users.csrf(one))
    assert not users.allows(one, users.csrf(two))
    assert not users.allows(one, "")


def test_names_are_chosen_within_reason(tmp_path: Path) -> None:
    users = Users(tmp_path)
    user = users.login(Rank.OPERATE)
    assert users.renamed(user, "  Anna   Müller ").name == "Anna Müller"
    for name in ("", "   ", "x" * 41, "a\x00b"):
        with pytest.raises(InvalidInput):
            users.renamed(user, name)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "short", "tokens": {}}', json.dumps({"key": "x" * 40})])
def test_broken_secrets_are_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "web.json").write_text(content)
    users = Users(tmp_path)
    assert users.rank(users.token(Rank.OPERATE)) is Rank.OPERATE
    assert Users(tmp_path).token(Rank.OPERATE) == users.token(Rank.OPERATE)
