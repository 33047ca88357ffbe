"""What pages do: the lease, stop, moves, regions. Each act is noted, and goes through the session's own gate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from firstlight.model import FirstlightError
from firstlight.web._errors import status_of
from firstlight.web._state import Operator, Parts, Viewer
from firstlight.web._users import User
from firstlight.wire import WireTimeout

_log = logging.getLogger(__name__)

router = APIRouter()
AT_ONCE = 0.25
"""Seconds that a move may take to be refused."""
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, Field(max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LeaseAct(_Body):
    """What to do about control."""

    action: Literal["take", "request", "release", "grant", "deny"]
    name: _Name = ""
    """How others shall know the user from now on; empty for as before."""


class Stop(_Body):
    """Which session."""

    session: _Name = ""


class Abort(_Body):
    """Which job; everything that runs when none is named."""

    session: _Name = ""
    job: int | None = None


class Move(_Body):
    """Where axes shall go."""

    session: _Name = ""
    targets: dict[_Name, _Number] = Field(min_length=1, max_length=64)
    relative: bool = False


class Rectangle(_Body):
    """Pixels of a frame: those whose centres are in it."""

    kind: Literal["rectangle"]
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class Arc(_Body):
    """A part of a ring: radii in pixels, angles in degrees."""

    kind: Literal["arc"]
    cx: _Number
    cy: _Number
    r1: float = Field(ge=0, allow_inf_nan=False)
    r2: float = Field(gt=0, allow_inf_nan=False)
    a1: _Number
    a2: _Number


Region = Annotated[Rectangle | Arc, Field(discriminator="kind")]


class Regions(_Body):
    """Regions of a camera by name; None removes one."""

    session: _Name = ""
    camera: _Name
    rois: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")], Region | None] = Field(min_length=1)


@router.post("/lease")
async def lease(act: LeaseAct, parts: Parts, user: Operator, request: Request) -> Response:
    """Take, request, release, grant or deny control; what came of it."""
    if act.name:
        user = parts.users.renamed(user, act.name)
        parts.lease.rename(user)
        for outbox, known in parts.viewers.items():
            if known.id == user.id:
                parts.viewers[outbox] = user
    _noted(parts, user, request, f"lease {act.action}", {}, lambda: parts.lease.do(act.action, user))
    answer = JSONResponse(parts.lease.told(user))
    if act.name and parts.guard is not None:
        parts.guard.set_cookie(answer, user, request.headers)
    return answer


@router.post("/stop")
async def stop(what: Stop, parts: Parts, user: Viewer, request: Request) -> dict[str, Any]:
    """Stop everything: whatever runs, whatever moves. Everybody may who is logged in, whoever has control."""
    await _done(parts, user, request, "stop", what, parts.sessions.stop_everything(what.session, user))
    return {"stopped": True}


@router.post("/abort")
async def abort(what: Abort, parts: Parts, user: Viewer, request: Request) -> dict[str, Any]:
    """Stop a scan, or any other job, cleanly; again to make haste. Everybody may."""
    act = parts.sessions.act
    asked = (
        act(user, what.session, "abort", timeout=10.0)
        if what.job is None
        else act(user, what.session, "abort_job", timeout=10.0, job=what.job)
    )
    return {"aborted": bool(await _done(parts, user, request, "abort", what, asked))}


@router.post("/move")
async def move(what: Move, parts: Parts, user: Operator, request: Request) -> dict[str, Any]:
    """Start to move axes to user positions, in the unit of each; the number of the job."""

    async def begin() -> int:
        parts.lease.act(user)
        act = parts.sessions.act
        job = await act(
            user, what.session, "launch_move", timeout=30.0, targets=dict(what.targets), relative=what.relative
        )
        # What the gate refuses, it refuses at once; who clicked is told so.
        with suppress(WireTimeout):
            await act(user, what.session, "result", timeout=AT_ONCE, job=job)
        return int(job)

    return {"job": await _done(parts, user, request, "move", what, begin()), "command": _words(what)}


@router.post("/rois")
async def rois(what: Regions, parts: Parts, user: Operator, request: Request) -> dict[str, Any]:
    """Set or remove regions of a camera; each is a counter of the scans to come."""
    regions = {name: None if region is None else _shape(region) for name, region in what.rois.items()}

    async def set_them() -> Any:
        parts.lease.act(user)
        return await parts.sessions.act(
            user, what.session, "set_regions", timeout=30.0, device=what.camera, regions=regions
        )

    kept = await _done(parts, user, request, "rois", what, set_them())
    lines = [
        f"del {what.camera}.rois[{name!r}]" if region is None else f"{what.camera}.rois[{name!r}] = {_shape(region)}"
        for name, region in what.rois.items()
    ]
    return {"rois": kept, "command": "; ".join(lines)}


def _shape(region: Rectangle | Arc) -> list[float]:
    if isinstance(region, Rectangle):
        return [region.x, region.y, region.width, region.height]
    return [region.cx, region.cy, region.r1, region.r2, region.a1, region.a2]


def _words(what: Move) -> str:
    word = "umvr" if what.relative else "umv"
    return " ".join([word, *(f"{name} {value:g}" for name, value in what.targets.items())])


async def _done(parts: Parts, user: User, request: Request, what: str, detail: BaseModel, act: Any) -> Any:
    """Do it, and note how it went."""
    given = detail.model_dump(exclude_none=True)
    try:
        value = await act
    except FirstlightError as error:
        _note(parts, user, request, what, given, f"refused ({status_of(error)}): {error.message}")
        raise
    except asyncio.CancelledError:
        _note(parts, user, request, what, given, "the page did not wait for the end")
        raise
    _note(parts, user, request, what, given, "done")
    return value


def _noted(parts: Parts, user: User, request: Request, what: str, detail: Mapping[str, Any], act: Any) -> None:
    try:
        act()
    except FirstlightError as error:
        _note(parts, user, request, what, detail, f"refused ({status_of(error)}): {error.message}")
        raise
    _note(parts, user, request, what, detail, "done")


def _note(parts: Parts, user: User, request: Request, what: str, detail: Mapping[str, Any], outcome: str) -> None:
    client = request.client
    parts.audit.note(user, f"{client.host}:{client.port}" if client else "", what, detail, outcome)
