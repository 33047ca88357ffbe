"""Routes of runs and their data: the same addresses for a run that is acquired and for an old file."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from firstlight.data import Feature, NoPeak, feature
from firstlight.model import ChannelKind, DataError, FirstlightError, InvalidInput, NotFound, ProcessError
from firstlight.web._curve import Wanted, curve
from firstlight.web._frame import Look, frame
from firstlight.web._map import MapLook, draw
from firstlight.web._payload import MEDIA, pack, real
from firstlight.web._region import profile, statistics
from firstlight.web._runs import detail, in_file
from firstlight.web._state import Parts, Viewer

router = APIRouter()
_T = TypeVar("_T")
_VALUES = 100_000
_PATIENCE = 30.0
"""Seconds that a request may take: a disk that does not answer must not keep a page waiting for ever."""

Index = Annotated[int, Query(ge=-1, le=1 << 40)]
Text = Annotated[str, Query(max_length=300)]
Numbers = Annotated[str, Query(max_length=200, description="numbers, separated by commas")]
_Finite = Annotated[float, Query(allow_inf_nan=False)]


@router.get("/runs")
async def runs(
    parts: Parts,
    user: Viewer,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    text: Text = "",
    session: Text = "",
) -> dict[str, Any]:
    """Runs of the buffer and of the data folders, newest first."""
    found, more = await _work(parts, lambda: parts.runs.search(text, before, limit, session))
    return {"runs": found, "more": more}


@router.get("/runs/{run}")
async def one(run: str, parts: Parts, user: Viewer) -> dict[str, Any]:
    """A run, its channels, and what was computed from it."""

    def look() -> dict[str, Any]:
        opened = parts.runs.open(run)
        return detail(opened, run, parts.runs.children(opened.key))

    return await _work(parts, look)


@router.get("/runs/{run}/curve")
async def curves(
    run: str,
    parts: Parts,
    user: Viewer,
    y: Text,
    x: Text | None = None,
    view: Numbers | None = None,
    px: Annotated[int, Query(ge=1, le=8192)] = 1600,
    norm: Text | None = None,
    derivative: bool = False,
) -> Response:
    """Curves, reduced to what a plot of ``px`` pixels can show."""
    wanted = Wanted(x, tuple(filter(None, y.split(","))), _pair(view), px, norm, derivative)
    return await _payload(parts, lambda: curve(parts.runs.open(run), run, wanted, parts.columns, {}))


@router.get("/runs/{run}/frame/{channel}/{index}")
async def frames(
    run: str,
    channel: str,
    index: int,
    request: Request,
    parts: Parts,
    user: Viewer,
    view: Numbers | None = None,
    px: Numbers = "1024,1024",
    type: Literal["native", "u8", "jpeg"] = "native",  # noqa: A002 - as browsers ask
    reduce: Literal["max", "mean"] = "max",
    scale: Literal["linear", "log", "gamma"] = "linear",
    low: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    slice: Annotated[int | None, Query(ge=0)] = None,  # noqa: A002 - as browsers ask
    axis: Annotated[int, Query(ge=0, le=2)] = 0,
    stack: bool = False,
) -> Response:
    """What a view shows of one frame; ``-1`` is the newest."""
    width, height = (int(side) for side in _floats(px, 2))
    if index < 0 and not await _work(parts, lambda: len(parts.runs.open(run).channel(channel))):
        return Response(status_code=204)  # none came yet, which is no error
    look = Look(_box(view), (width, height), type, reduce, scale, low, high, slice, axis, stack)
    data, lasting = await _work(
        parts, lambda: frame(parts.runs.open(run), run, channel, _index(index), look, parts.frames)
    )
    return _answer(data, request, _cached(run) if lasting else "")


@router.get("/runs/{run}/map")
async def maps(
    run: str,
    parts: Parts,
    user: Viewer,
    z: Text,
    x: Text | None = None,
    y: Text | None = None,
    view: Numbers | None = None,
    px: Numbers | None = None,
    reduce: Literal["mean", "max", "sum"] = "mean",
    norm: Text | None = None,
    at: Numbers | None = None,
) -> Response:
    """A counter over two axes, so far; of a mesh of more, ``at`` names the step of each other one, outermost first."""
    cells = tuple(int(side) for side in _floats(px, 2)) if px else None
    look = MapLook(z, x, y, _box(view), (cells[0], cells[1]) if cells else None, reduce, norm, _steps(at))
    return await _payload(parts, lambda: draw(parts.runs.open(run), run, look, parts.columns, {}))


@router.get("/runs/{run}/values/{channel}")
async def values(run: str, channel: str, parts: Parts, user: Viewer, start: Index = 0, stop: Index = -1) -> Response:
    """Plain values of a channel, at most 100 000 numbers."""

    def read() -> bytes:
        found = real(parts.runs.open(run).channel(channel))
        if found.spec.kind is ChannelKind.RAGGED:
            raise NotFound(f"Items of {channel} differ in length.", hint="Read them with Python.")
        count = len(found)
        end = count if stop < 0 else min(stop, count)
        first = max(0, min(start, end))
        if (end - first) * max(1, math.prod(found.spec.shape)) > _VALUES:
            raise InvalidInput(f"That is more than {_VALUES} numbers.", hint="Ask for fewer: start, stop.")
        header = {"run": run, "channel": channel, "start": first, "count": count, "unit": found.unit}
        return pack(header, {"values": np.asarray(found[first:end])})

    return await _payload(parts, read)


@router.get("/runs/{run}/features")
async def features(
    run: str, parts: Parts, user: Viewer, y: Text, kind: Literal["cen", "com", "peak", "trough", "fwhm"],
    x: Text | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Where a curve has its centre, its peak: as ``cen``, ``com``, ``peak``, ``trough``, ``fwhm`` say it."""

    def look() -> dict[str, Any]:
        opened = parts.runs.open(run)
        heights = parts.columns.of(opened, y)
        position = getattr(opened, kind)(y, x)
        along = parts.columns.of(opened, position.axis)
        count = min(len(along.channel), len(heights.channel))
        px, py = along.read(count), heights.read(count)
        left, right = _flanks(px, py)
        at = left if kind == "fwhm" and left is not None else float(position)
        return {
            "kind": kind,
            "x": float(position),
            "y": float(py[int(np.nanargmin(np.abs(np.asarray(px, float) - at)))]),
            "left": left,
            "right": right,
            "unit": position.unit,
            "text": str(position),
        }

    return await _work(parts, look)


@router.get("/runs/{run}/roi/{channel}/{index}")
async def region(
    run: str,
    channel: str,
    index: int,
    request: Request,
    parts: Parts,
    user: Viewer,
    kind: Literal["rectangle", "arc"] = "rectangle",
) -> dict[str, Any]:
    """Sum, mean and more of a region, from all pixels of the frame; settings as cameras take them."""
    given = {name: _number(name, text) for name, text in request.query_params.items() if name != "kind"}
    settings = _arc(given) if kind == "arc" else {name: round(value) for name, value in given.items()}
    return await _work(parts, lambda: statistics(parts.runs.open(run), channel, _index(index), settings, parts.frames))


@router.get("/runs/{run}/profile/{channel}/{index}")
async def profiles(
    run: str,
    channel: str,
    index: int,
    parts: Parts,
    user: Viewer,
    x0: _Finite,
    y0: _Finite,
    x1: _Finite,
    y1: _Finite,
    width: Annotated[int, Query(ge=1, le=500)] = 1,
) -> Response:
    """Values along a line, from all pixels of the frame."""
    ends = (x0, y0, x1, y1)
    return await _payload(
        parts, lambda: profile(parts.runs.open(run), run, channel, _index(index), ends, width, parts.frames)
    )


async def _work(parts: Parts, do: Callable[[], _T]) -> _T:
    """In the threads of the data, so that a slow disk delays no event."""
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(parts.runs.pool, do), _PATIENCE)
    except FirstlightError:
        raise
    except TimeoutError as error:
        raise ProcessError(
            f"The data did not come within {_PATIENCE:.0f} s.", hint="The disk is slow or does not answer; try again."
        ) from error
    except OSError as error:
        raise DataError(f"The data cannot be read: {error}.", hint="The file is broken, or its disk fails.") from error


async def _payload(parts: Parts, do: Callable[[], bytes]) -> Response:
    return Response(await _work(parts, do), media_type=MEDIA)


def _answer(data: bytes, request: Request, cached: str) -> Response:
    if not cached:
        return Response(data, media_type=MEDIA)
    tag = f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    headers = {"etag": tag, "cache-control": cached}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA, headers=headers)


def _cached(run: str) -> str:
    """How long a browser may keep what belongs to a run."""
    # The key of a run is never that of another, but a file may be replaced under its name.
    return "private, no-cache" if in_file(run) else "private, max-age=86400, immutable"


def _flanks(x: Any, y: Any) -> tuple[float | None, float | None]:
    try:
        found: Feature = feature(x, y)
    except NoPeak:
        return None, None
    if not math.isfinite(found.width):
        return None, None
    return found.center - found.width / 2, found.center + found.width / 2


def _index(index: int) -> int:
    if not -1 <= index < 1 << 40:
        raise InvalidInput(f"{index} is no index.", hint="Indices begin at 0; -1 is the newest.")
    return index


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e9:
        raise InvalidInput(f"{name}: {text[:40]!r} is no number.", hint="Give the region in pixels.")
    return value


def _arc(given: dict[str, float]) -> dict[str, float]:
    words = {"cx": "x", "cy": "y", "r1": "inner", "r2": "outer", "a1": "start", "a2": "stop"}
    return {words.get(name, name): value for name, value in given.items()}


def _floats(text: str, count: int) -> list[float]:
    parts = text.split(",")
    if len(parts) != count:
        raise InvalidInput(f"{text[:60]!r}: {count} numbers are needed.", hint="Separate them by commas.")
    return [_number("the view", part) for part in parts]


def _steps(text: str | None) -> tuple[int, ...] | None:
    if not text:
        return None
    return tuple(round(_number("the plane", part)) for part in text.split(","))


def _pair(text: str | None) -> tuple[float, float] | None:
    if not text:
        return None
    a, b = _floats(text, 2)
    return a, b


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    a, b, c, d = _floats(text, 4)
    return a, b, c, d
