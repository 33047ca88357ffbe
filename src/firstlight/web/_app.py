"""The application: the door, the routes, the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from firstlight import __version__
from firstlight.model import NotFound, RealClock
from firstlight.storage import state_folder
from firstlight.web import _control, _data, _errors, _events, _images, _static
from firstlight.web._audit import Audit
from firstlight.web._changes import watch_runs
from firstlight.web._guard import Guard
from firstlight.web._lease import Lease
from firstlight.web._runs import Runs
from firstlight.web._sessions import Sessions
from firstlight.web._settings import WebSettings
from firstlight.web._state import Parts, Shared, Viewer
from firstlight.web._users import Users

_looking = APIRouter()


@_looking.get("/me")
async def me(parts: Parts, user: Viewer) -> dict[str, Any]:
    """Who asks, what they may do, and who has control."""
    return parts.me(user)


@_looking.get("/status")
async def status(parts: Parts, user: Viewer) -> dict[str, Any]:
    """The sessions, and the folders whose data can be read."""
    return {
        "sessions": [session.told() for session in parts.sessions.all],
        "roots": [str(root) for root in parts.roots()],
        "server": parts.server,
    }


def create_app(settings: WebSettings, *, state: Path | None = None) -> FastAPI:
    """The server's application.

    :param settings: with the port that it really listens at.
    :param state: folder of secrets and audit; this user's own when None.
    """
    folder = state or state_folder()
    users, audit = Users(folder), Audit(folder)
    root = Path(settings.buffer) if settings.buffer else None
    cookie = f"firstlight-{settings.port}"
    shared = Shared(
        settings,
        users,
        audit,
        Lease(RealClock(), lambda: shared.tell_lease()),
        Sessions(root, lambda event: shared.tell(event)),
        Runs(root, lambda: shared.roots()),
        cookie,
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await shared.sessions.start()
        watching = asyncio.create_task(watch_runs(shared.runs, shared.tell))
        try:
            yield
        finally:
            watching.cancel()
            await shared.sessions.stop()
            shared.runs.close()

    app = FastAPI(
        title="Firstlight",
        version=__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{settings.prefix}/api/openapi.json",
    )
    app.state.shared = shared
    api = APIRouter(prefix=f"{settings.prefix}/api")
    for router in (_looking, _data.router, _images.router, _control.router, _events.router):
        api.include_router(router)
    app.include_router(api)
    _errors.install(app)

    @app.get(f"{settings.prefix}/api/{{path:path}}", include_in_schema=False)
    async def nothing(path: str) -> Response:
        return _errors.answer(NotFound(f"There is nothing at api/{path[:80]}."))

    app.mount(f"{settings.prefix}/assets", _static.assets())

    @app.get(f"{settings.prefix}/{{path:path}}", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _static.page(request, settings.prefix)

    shared.guard = Guard(app, settings, users, audit, cookie)
    app.add_middleware(Guard, settings=settings, users=users, audit=audit, cookie=cookie)
    return app
