"""Who may do what: tokens in links, signed cookies in browsers, both of them secrets of this user's state folder."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from firstlight.model import InvalidInput

AGE = 30 * 86400
"""Seconds that a login lasts."""
_NAME = 40


class Rank(IntEnum):
    """Roles; each may do what the lower ones may."""

    VIEW = 1
    """Look, and stop what moves."""
    OPERATE = 2
    """Move and measure, holding the control lease."""
    TERMINAL = 3
    """What equals sitting at the machine."""

    @property
    def word(self) -> str:
        """Its name in addresses and answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is logged in.

    :param id: tells this login apart from all others.
    :param name: what others see; people choose it.
    """

    id: str
    name: str
    rank: Rank


class Users:
    """Knows the secrets; made once a server.

    :param folder: where they are kept, readable for this user alone, so that a restarted server keeps its users.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "web.json"
        kept = _load(self.path)
        self._tokens = {Rank[word.upper()]: token for word, token in kept["tokens"].items()}
        self._key: str = kept["key"]
        self._signer = URLSafeTimedSerializer(self._key, salt="firstlight-login")

    def token(self, rank: Rank) -> str:
        """What a link carries to log somebody in with this role."""
        return str(self._tokens[rank])

    def rank(self, token: str) -> Rank | None:
        """The role of a token; None when it is none."""
        given = token.encode()
        found = None
        # Every one is compared, in constant time: answers must not tell how near a guess was.
        for rank, known in self._tokens.items():
            if hmac.compare_digest(known.encode(), given):
                found = rank
        return found

    def login(self, rank: Rank, name: str = "") -> User:
        """A new user."""
        number = secrets.token_hex(8)
        return User(number, name or f"{'visitor' if rank is Rank.VIEW else 'operator'} {number[:3]}", rank)

    def renamed(self, user: User, name: str) -> User:
        """The same user, whom others know by another name.

        :raises InvalidInput: when that is no name.
        """
        words = " ".join(name.split())
        if not words or len(words) > _NAME or not words.isprintable():
            raise InvalidInput("That is no name.", hint=f"Use 1 to {_NAME} letters.")
        return User(user.id, words, user.rank)

    def cookie(self, user: User) -> str:
        """What the browser keeps."""
        cookie: str = self._signer.dumps([user.id, user.name, int(user.rank)])
        return cookie

    def read(self, cookie: str) -> User | None:
        """Whose cookie it is; None when it is forged, old, or of other secrets."""
        try:
            number, name, rank = self._signer.loads(cookie, max_age=AGE)
            return User(str(number), str(name), Rank(rank))
        except (BadSignature, ValueError, TypeError):
            return None

    def csrf(self, user: User) -> str:
        """What the page of this user sends with every write, and other sites cannot know."""
        return hmac.new(self._key.encode(), f"csrf {user.id}".encode(), sha256).hexdigest()

    def allows(self, user: User, csrf: str) -> bool:
        """Whether a write comes from the user's own page."""
        return hmac.compare_digest(self.csrf(user).encode(), csrf.encode())


def _load(path: Path) -> dict[str, Any]:
    """The secrets; made when they are not there, or not whole."""
    try:
        kept = json.loads(path.read_text())
        if set(kept["tokens"]) == {rank.word for rank in Rank} and len(kept["key"]) >= 32:
            return dict(kept)
    except (OSError, ValueError, TypeError, KeyError):
        pass
    fresh: dict[str, Any] = {
        "key": secrets.token_urlsafe(32),
        "tokens": {rank.word: secrets.token_urlsafe(24) for rank in Rank},
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(fresh, file)
        # Whoever comes first wins: two servers that start together must share the secrets.
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            try:
                json.loads(path.read_text())["tokens"]["view"]
            except (ValueError, TypeError, KeyError):
                beside.replace(path)
    except OSError as error:
        raise InvalidInput(
            f"The secrets of the web server cannot be kept in {path}: {error.strerror}.",
            hint="Make the folder writable, or name another one in FIRSTLIGHT_STATE.",
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return dict(json.loads(path.read_text()))
