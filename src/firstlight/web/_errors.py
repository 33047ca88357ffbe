"""Errors as answers: what happened and what to do, never a traceback."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from firstlight.model import (
    Conflict,
    DataError,
    DeviceError,
    FirstlightError,
    InvalidInput,
    MissingExtra,
    NotFound,
    ProcessError,
    StorageFull,
    WireError,
)

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[FirstlightError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 422),
    (Conflict, 409),
    (DeviceError, 409),
    (DataError, 404),
    (WireError, 503),
    (ProcessError, 503),
    (StorageFull, 507),
    (MissingExtra, 501),
)


class NotAllowed(FirstlightError):
    """The user's role, or the request's origin, does not allow it."""


class NotLoggedIn(FirstlightError):
    """The request carries no valid login."""


def status_of(error: FirstlightError) -> int:
    """The HTTP status that fits an error."""
    if isinstance(error, NotLoggedIn):
        return 401
    if isinstance(error, NotAllowed):
        return 403
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def body(what: str, hint: str = "", kind: str = "Error") -> dict[str, Any]:
    """What every refused request gets."""
    return {"error": {"what": what, "hint": hint, "kind": kind}}


def answer(error: FirstlightError) -> Response:
    """An error as an answer."""
    return JSONResponse(body(error.message, error.hint, type(error).__name__), status_of(error))


def install(app: FastAPI) -> None:
    """Every error of the app's routes becomes an answer in words."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, FirstlightError)
        return answer(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return JSONResponse(body(_sentence(error), "Look at api/openapi.json.", "InvalidInput"), 422)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = {404: "NotFound", 405: "NotAllowed"}.get(error.status_code, "Error")
        what = {404: "There is nothing at this address.", 405: "This address does not do that."}
        return JSONResponse(
            body(what.get(error.status_code, str(error.detail)), "", kind), error.status_code, headers=error.headers
        )

    async def bug(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse(
            body("Something went wrong in the web server.", "Its log says what; please report it.", "Bug"), 500
        )

    app.add_exception_handler(FirstlightError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)


def _sentence(error: RequestValidationError) -> str:
    parts = []
    for problem in error.errors()[:3]:
        place = ".".join(str(word) for word in problem.get("loc", ())[1:]) or "the request"
        given = problem.get("input")
        said = "" if given is None or isinstance(given, dict | list | bytes) else f" (not {json.dumps(given)[:60]})"
        parts.append(f"{place}: {problem.get('msg', 'not acceptable')}{said}")
    return "; ".join(parts) + "."
