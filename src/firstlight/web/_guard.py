"""The door: every request and websocket passes here before anything else sees it.

In this order: the name by which the server was called, the login, for writes the origin and the page's own secret. What
goes out carries the headers that keep other sites out of the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstlight.web._audit import Audit
from firstlight.web._errors import NotAllowed, NotLoggedIn, body
from firstlight.web._settings import WebSettings
from firstlight.web._users import AGE, Rank, User, Users

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF = "x-firstlight-csrf"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
NOT_LOGGED_IN, FOREIGN = 4401, 4403
"""Close codes of websockets."""

_ONWARD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Firstlight</title>
<meta http-equiv="refresh" content="0; url={target}"></head><body><a href="{target}">Go on</a></body></html>"""
_PLAIN = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Firstlight</title></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""


class Guard:
    """ASGI middleware.

    :param cookie: name of the login's cookie; cookies do not tell ports apart, so the port is part of it.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings, users: Users, audit: Audit, cookie: str) -> None:
        self._app = app
        self._settings = settings
        self._users = users
        self._audit = audit
        self._cookie = cookie
        self._names = settings.names()
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "http":
            send = _with_headers(send)
        refusal = await self._look(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await _close(scope, receive, send, refusal)

    async def _look(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """None when it may pass; who it is is in the scope then."""
        if not self._called_right(headers.get("host", "")):
            return self._say(scope, 421, "This server has another name.", "Use the address that it printed.")
        page = scope["type"] == "http" and scope["method"] in SAFE and not self._path(scope).startswith("/api")
        if page and (redirect := self._swap(scope, headers)) is not None:
            return redirect
        user, script = self._who(headers)
        if user is None:
            return self._say(
                scope,
                401,
                "You are not logged in.",
                "Open the link that Firstlight printed when it started; firstlight web --share prints one to look on.",
            )
        scope.setdefault("state", {})["user"] = user
        write = scope["type"] == "websocket" or scope["method"] not in SAFE
        if write:
            origin = headers.get("origin")
            # Programs send none. A browser does, so a page of another site acts not even where it knows a token.
            own = script if origin is None else self._own(scope, origin, headers.get("host", ""))
            if not own:
                return self._say(scope, 403, "Another site may not do that.", "Use Firstlight's own pages.")
            if scope["type"] == "http" and not script and not self._users.allows(user, headers.get(CSRF, "")):
                return self._say(scope, 403, "The page is out of date.", "Reload it.")
        return None

    def _called_right(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        known = f"[{name}]" if ":" in name else name
        # Behind a proxy the port is the proxy's.
        return known.lower() in self._names and (port is None or 0 < port < 65536)

    def _own(self, scope: Scope, origin: str, host: str) -> bool:
        secure = scope.get("scheme") in ("https", "wss")
        own = f"{'https' if secure else 'http'}://{host}".lower()
        return origin.rstrip("/").lower() in (own, *self._origins)

    def _path(self, scope: Scope) -> str:
        path = str(scope["path"])
        return path[len(self._settings.prefix) :] if path.startswith(self._settings.prefix) else path

    def _swap(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """A token in the address becomes a cookie, and leaves the address."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in query if name == "token"]
        if not tokens:
            return None
        rank = self._users.rank(tokens[0])
        client = _address(scope)
        if rank is None:
            self._audit.note(None, client, "login", {}, "refused: unknown token")
            return self._say(scope, 403, "This link is not valid.", "Use the one that Firstlight printed last.")
        if rank is Rank.TERMINAL and not self._settings.loopback:
            self._audit.note(None, client, "login", {}, "refused: terminal from another machine")
            return self._say(
                scope, 403, "The terminal's link works only on the machine itself.", "Use the link to operate."
            )
        user = self._users.login(rank)
        self._audit.note(user, client, "login", {}, "done")
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # Relative to this host whatever the path is: //elsewhere must not lead away.
        path = "/" + str(scope["path"]).lstrip("/\\")
        target = path + (f"?{rest}" if rest else "")
        answer: Response = RedirectResponse(target, 303)
        if headers.get("sec-fetch-site") == "cross-site":
            # A link in a mail or a chat: a redirect would still count as that site's, and the cookie would not be sent.
            answer = HTMLResponse(_ONWARD.format(target=escape(target)))
        self.set_cookie(answer, user, headers)
        return answer

    def set_cookie(self, answer: Response, user: User, headers: Mapping[str, str]) -> None:
        """Let the browser keep a login.

        :param headers: of its request.
        """
        # A proxy that gives the request another name says by this how it came; whoever lies only locks himself out.
        forwarded = headers.get("x-forwarded-proto", "").lower() == "https"
        answer.set_cookie(
            self._cookie,
            self._users.cookie(user),
            max_age=AGE,
            path=f"{self._settings.prefix}/",
            secure=forwarded or self._settings.encrypted(headers.get("host", "")),
            httponly=True,
            samesite="strict",
        )

    def _who(self, headers: Mapping[str, str]) -> tuple[User | None, bool]:
        """The user, and whether it is a script that proves itself without a cookie."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            rank = self._users.rank(token.strip())
            if rank is Rank.TERMINAL and not self._settings.loopback:
                rank = None
            return (None if rank is None else User(f"script-{rank.word}", "script", rank)), True
        try:
            jar: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None, False
        found = jar.get(self._cookie)
        return (self._users.read(found.value) if found is not None else None), False

    def _say(self, scope: Scope, status: int, what: str, hint: str) -> Response:
        kind = NotLoggedIn.__name__ if status == 401 else NotAllowed.__name__
        if scope["type"] == "http" and not self._path(scope).startswith("/api"):
            return HTMLResponse(_PLAIN.format(title=what, text=hint), status)
        return JSONResponse(body(what, hint, kind), status)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = list(message.get("headers", []))
            given = {name.lower() for name, _ in headers}
            headers += [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in given]
            if b"cache-control" not in given:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return guarded


async def _close(scope: Scope, receive: Receive, send: Send, refusal: Response) -> None:
    """Refuse a websocket: with the status where the server can say it before the handshake, else by a close code."""
    if "websocket.http.response" in scope.get("extensions", {}):
        # Browsers do not tell pages the status of a refused handshake: those that may see a reason get a code.
        own = refusal.status_code == 401
        if not own:
            await send(
                {
                    "type": "websocket.http.response.start",
                    "status": refusal.status_code,
                    "headers": refusal.raw_headers,
                }
            )
            await send({"type": "websocket.http.response.body", "body": bytes(refusal.body)})
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": NOT_LOGGED_IN})
        return
    await send({"type": "websocket.close", "code": FOREIGN if refusal.status_code == 403 else NOT_LOGGED_IN})
