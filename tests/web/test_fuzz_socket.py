"""Whatever a page's websocket is told, it answers in words, sends no more than was asked for, and stays open."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import websockets
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, RunEnd, RunInfo
from firstlight.web._payload import unpack
from firstlight.web._runs import file_id
from firstlight.web._stream import FLIGHT
from tests.web.conftest import Site

EXAMPLES = 25 if settings().max_examples <= 100 else settings().max_examples
"""A few by default, many in long tests."""
CHANNELS = ["a", "b", "c", "z", "t", "whole", "spectrum", "cam", "volume", "complex", "ragged", "nothing", "cam:status"]
SHAPE = (3, 4, 5)
LAST = 1000
"""A subscription whose number no message has."""


@pytest.fixture(scope="module")
def growing(places: Path) -> Iterator[RunWriter]:
    """A run that is never ended before its viewers are: with a channel of every sort."""
    writer = Buffer(places).create_run(
        RunInfo(name="odd", title="odd", start_epoch=1.0, axes=("a", "b", "c"), shape=SHAPE, npoints=60)
    )
    places_of = np.indices(SHAPE).reshape(3, -1).astype(float)
    columns = {
        "a": places_of[0],
        "b": places_of[1],
        "c": places_of[2],
        "z": np.where(places_of[2] == 3, np.nan, places_of[0]),
        "t": np.arange(60) * 0.1,
        "whole": np.arange(60),
        "spectrum": np.ones((60, 7)),
        "volume": np.ones((60, 2, 3, 4)),
        "complex": np.ones(60, complex),
        "cam:status": np.zeros(60, np.uint8),
    }
    for name, values in columns.items():
        role = ChannelRole.AXIS if name in "abc" else ChannelRole.COUNTER
        log = writer.create_log(ChannelSpec(name, dtype=values.dtype.str, shape=values.shape[1:], role=role))
        log.append(values[:50])
    ragged = writer.create_ragged(ChannelSpec("ragged", dtype="<f8", kind=ChannelKind.RAGGED))
    ragged.append(np.arange(6.0), [2, 4])
    cam = writer.create_ring(ChannelSpec("cam", "<u2", (8, 9), kind=ChannelKind.RING, role=ChannelRole.FRAME), 8)
    for _ in range(12):
        cam.append(np.ones((1, 8, 9), np.uint16))
    writer.prepared()
    writer.running()
    yield writer
    writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=2.0))
    writer.close()


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just("\ud800"), st.just([]),
    st.just({}), st.just(10**400), st.just(-1), st.just("x" * 3000),
)  # fmt: skip
NUMBERS = st.lists(st.one_of(st.floats(), st.floats(-2, 70), st.integers(-2, 70)), max_size=5)


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Something to follow: mostly as pages ask, with something odd here and there."""
    channel = st.one_of(st.sampled_from(CHANNELS), st.sampled_from(CHANNELS), ODD)
    run = draw(st.sampled_from(["RUN", "RUN", "RUN", "RUN", "FILE", "f~", "f~\ud800", "", "\0", "../x", "x" * 3000]))
    fields = {
        "curve": {
            "x": channel,
            "y": st.lists(channel, max_size=3),
            "view": NUMBERS,
            "px": st.integers(-1, 50),
            "norm": channel,
            "derivative": st.booleans(),
        },
        "frame": {"channel": channel, "rate": st.floats(0, 90)},
        "map": {
            "x": channel,
            "y": channel,
            "z": channel,
            "norm": channel,
            "view": NUMBERS,
            "px": st.lists(st.integers(-1, 3000), max_size=3),
            "at": st.lists(st.integers(-1, 5), max_size=3),
            "reduce": st.sampled_from(["mean", "max", "sum", "least"]),
            "rate": st.floats(0, 90),
        },
    }
    what = draw(st.sampled_from(sorted(fields)))
    needed = {"curve": ["y"], "frame": ["channel"], "map": ["z"]}[what]
    more = draw(st.lists(st.sampled_from(sorted(fields[what])), max_size=3, unique=True))
    wish = {"op": "sub", "sub": draw(st.integers(0, 5)), "what": what, "run": run}
    wish |= {name: draw(fields[what][name]) for name in [*needed, *more]}
    if draw(st.integers(0, 9)) == 0:
        wish[draw(st.sampled_from([*wish, "more"]))] = draw(ODD)
    return wish


MESSAGES = st.one_of(
    wishes(),
    wishes(),
    st.fixed_dictionaries(
        {"op": st.sampled_from(["unsub", "ack", "pong", "sub", "dance"])},
        optional={"sub": st.one_of(st.integers(0, 5), ODD), "seq": st.one_of(st.integers(0, 9), ODD)},
    ),
    st.dictionaries(st.sampled_from(["op", "sub", "seq", "what"]), ODD),
    st.text(max_size=40),
    st.binary(max_size=40),
    st.sampled_from(
        ["[" * 60_000, '{"op":' * 10_000, "x" * 70_000, '{"op": "ack", "sub": ' + "9" * 6000 + "}", "null"]
    ),
)


def spoken(message: Any, run: str, file: str) -> str | bytes:
    if isinstance(message, str | bytes):
        return message
    text = json.dumps(message)
    return text.replace('"RUN"', json.dumps(run)).replace('"FILE"', json.dumps(file))


class Listener:
    """Hears everything, and draws nothing unless it is told to: what is on the way can be counted."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection
        self.errors: list[dict[str, Any]] = []
        self.flying: Counter[int] = Counter()

    async def drawn(self, sub: int) -> None:
        async with asyncio.timeout(60.0):
            while not self.flying[sub]:
                self.hear(await self.connection.recv())

    async def until(self, what: str) -> None:
        async with asyncio.timeout(60.0):
            while not any(what in error["what"] for error in self.errors):
                self.hear(await self.connection.recv())

    def hear(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            header, _ = unpack(message)
            self.flying[header["sub"]] += 1
            return
        event = json.loads(message, parse_constant=pytest.fail)
        if event["ev"] == "frame":
            self.flying[event["sub"]] += 1
        if event["ev"] == "error":
            assert event["what"]
            assert "See the server's log" not in event["hint"], event
            self.errors.append(event)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(MESSAGES, min_size=1, max_size=12))
@example(messages=[{"op": "sub", "sub": 1, "what": "curve", "run": "RUN", "y": ["x" * 3000]}])
@example(messages=[{"op": "sub", "sub": 1, "what": "frame", "run": "RUN", "channel": "\N{ANGSTROM SIGN}" * 200}])
@example(messages=[{"op": "sub", "sub": 1, "what": "frame", "run": "RUN", "channel": "cam"}, {"op": "unsub", "sub": 1}])
def test_no_message_finds_a_bug(site: Site, growing: RunWriter, messages: list[Any]) -> None:
    file = file_id(Path("/nowhere/scan.h5"), "1.1")
    cookies = "; ".join(f"{name}={value}" for name, value in _browser(site).items())

    async def story() -> None:
        address = f"ws://127.0.0.1:{site.port}/api/events"
        origin = websockets.Origin(site.origin)
        async with websockets.connect(address, origin=origin, additional_headers={"Cookie": cookies}) as connection:
            page = Listener(connection)
            asked: Counter[str] = Counter()
            acknowledged = False
            for message in messages:
                if isinstance(message, dict):
                    asked[str(message.get("sub")) if message.get("op") == "sub" else ""] += 1
                    acknowledged |= message.get("op") == "ack"
                await connection.send(spoken(message, growing.key, file))
            await connection.send(json.dumps({"op": "are you there"}))
            await page.until("are you there")
            # What is followed last is drawn, and takes the way of all before it: they had their turn to fail.
            asked[str(LAST)] += 1
            last = {"op": "sub", "sub": LAST, "what": "curve", "run": growing.key, "x": "a", "y": ["z"]}
            await connection.send(json.dumps(last))
            await page.drawn(LAST)
            await connection.send(json.dumps({"op": "still there"}))
            await page.until("still there")
            if not acknowledged:
                for sub, flying in page.flying.items():
                    assert flying <= FLIGHT * asked[str(sub)]

    # Only what these messages did: what others did before would fail every example after it.
    before = site.child.log.stat().st_size
    asyncio.run(story())
    log = site.child.log.read_bytes()[before:].decode(errors="replace")
    assert "Traceback" not in log
    assert "never awaited" not in log
    assert " ERROR " not in log


_cookies: dict[int, dict[str, str]] = {}


def _browser(site: Site) -> dict[str, str]:
    """One login for all examples."""
    if site.port not in _cookies:
        _cookies[site.port] = dict(site.viewer().cookies)
    return _cookies[site.port]


def test_the_log_would_tell_of_a_bug(site: Site, wait_for: Callable[..., None]) -> None:
    # What the other test looks for is where the server writes.
    wait_for(lambda: "serves at port" in site.child.log.read_text(), 20.0)
