"""Runs of a buffer as the server keeps, describes and draws them; no server is needed."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import ArrayLike

import firstlight.data
from firstlight.buffer import Buffer, RunWriter
from firstlight.model import (
    ChannelRole,
    ChannelSpec,
    DataError,
    EndReason,
    InvalidInput,
    NotFound,
    ProcessError,
    RunEnd,
    RunInfo,
    RunState,
    missing_value,
)
from firstlight.web import _data
from firstlight.web._changes import Watch
from firstlight.web._curve import Columns, Wanted, curve
from firstlight.web._frame import Frames, Look, frame
from firstlight.web._map import MapLook, draw
from firstlight.web._payload import unpack
from firstlight.web._region import statistics
from firstlight.web._runs import KEPT, LISTED, Runs
from firstlight.web._state import Shared
from firstlight.web._stream import Hub

END = RunEnd(reason=EndReason.SUCCESS, epoch=2.0)


@pytest.fixture
def buffer(buffer_root: Path) -> Buffer:
    return Buffer(buffer_root)


@pytest.fixture
def runs(buffer: Buffer) -> Iterator[Runs]:
    made = Runs(buffer.root, list)
    yield made
    made.close()


def record(buffer: Buffer, channels: Mapping[str, ArrayLike], *, close: bool = True, **more: Any) -> RunWriter:
    """A run with these items in its channels."""
    usual: dict[str, Any] = {"name": "scan", "title": "scan", "start_epoch": 1.0}
    writer = buffer.create_run(RunInfo(**usual | more))
    for name, given in channels.items():
        items = np.asarray(given)
        role = ChannelRole.FRAME if items.ndim > 2 else ChannelRole.COUNTER
        writer.create_log(ChannelSpec(name, dtype=items.dtype.str, shape=items.shape[1:], role=role)).append(items)
    writer.prepared()
    writer.running()
    if close:
        writer.stop(END)
        writer.close()
    return writer


def count_openings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    opened: list[Any] = []

    def watched(*given: Any, **more: Any) -> Any:
        opened.append(given[0])
        return firstlight.data.open(*given, **more)

    monkeypatch.setattr("firstlight.web._changes.open_run", watched)
    return opened


def test_looking_for_changes_opens_each_run_once(buffer: Buffer, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = [record(buffer, {"diode": np.arange(3.0)}).key for _ in range(KEPT + 10)]
    going = [record(buffer, {"diode": np.arange(3.0)}, close=False) for _ in range(5)]
    opened = count_openings(monkeypatch)
    watch = Watch(runs)
    first = watch.look()
    assert sorted(opened) == sorted([*closed, *(run.key for run in going)])
    assert {first[key] for key in closed} == {(int(RunState.CLOSED), 1)}
    assert {first[run.key] for run in going} == {(int(RunState.RUNNING), 1)}
    assert watch.look() == first
    going[0].create_log(ChannelSpec("ring"))
    going[1].stop(END)
    going[2].stop(END)
    going[2].close()
    now = watch.look()
    assert now[going[0].key] == (int(RunState.RUNNING), 2)
    assert now[going[1].key] == (int(RunState.STOPPED), 1)
    assert now[going[2].key] == (int(RunState.CLOSED), 1)
    assert {key: now[key] for key in closed} == {key: first[key] for key in closed}
    assert watch.look() == now
    assert len(opened) == len(first)
    watch.close()


def test_lists_and_looks_put_out_no_run_that_somebody_watches(buffer: Buffer, runs: Runs) -> None:
    seen = record(buffer, {"diode": np.arange(3.0)})
    run = runs.open(seen.key)
    for _ in range(KEPT + 10):
        record(buffer, {"diode": np.arange(3.0)})
    watch = Watch(runs)
    assert len(watch.look()) == KEPT + 11
    assert len(runs.live(LISTED)) == KEPT + 11
    assert runs.open(seen.key) is run
    np.testing.assert_array_equal(run["diode"][:], np.arange(3.0))
    watch.close()


def test_a_removed_run_is_no_longer_told(buffer: Buffer, runs: Runs) -> None:
    first, second = (record(buffer, {"diode": np.arange(3.0)}).key for _ in range(2))
    third = record(buffer, {"diode": np.arange(3.0)}, close=False).key
    watch = Watch(runs)
    assert set(watch.look()) == {first, second, third}
    buffer.remove(first, force=True)
    buffer.remove(third, force=True)
    assert set(watch.look()) == {second}
    watch.close()


def test_of_a_mesh_of_three_axes_every_plane_can_be_looked_at(buffer: Buffer, runs: Runs) -> None:
    outer, middle, inner = np.meshgrid([0.0, 100.0], [0.0, 10.0, 20.0], np.arange(4.0), indexing="ij")
    cube = np.arange(24.0).reshape(2, 3, 4)
    channels = {"a": outer.ravel(), "b": middle.ravel(), "c": inner.ravel(), "z": cube.ravel()}
    key = record(buffer, channels, axes=("a", "b", "c"), shape=(2, 3, 4), npoints=24).key
    columns = Columns()

    def seen(**look: Any) -> tuple[dict[str, Any], Any]:
        header, arrays = unpack(draw(runs.open(key), key, MapLook("z", **look), columns, {}))
        assert header["regular"]
        assert [header[side]["n"] for side in "yx"] == list(arrays["image"].shape)
        return header, arrays["image"]

    for look in ({}, {"x": "c", "y": "b"}):
        header, image = seen(**look)
        assert (header["y"]["name"], header["y"]["start"], header["y"]["stop"]) == ("b", 0.0, 20.0)
        np.testing.assert_array_equal(image, cube[1])
        assert header["planes"] == [{"name": "a", "unit": "", "n": 2, "index": 1, "position": 100.0}]
    header, image = seen(at=(0,))
    np.testing.assert_array_equal(image, cube[0])
    assert header["planes"][0]["position"] == 0.0
    header, image = seen(x="c", y="a", at=(1,))
    np.testing.assert_array_equal(image, cube[:, 1])
    assert (header["planes"][0]["name"], header["planes"][0]["position"]) == ("b", 10.0)
    _, image = seen(x="b", y="c", at=(0,))
    np.testing.assert_array_equal(image, cube[0].T)
    header, image = seen(at=(0,), view=(0.6, -1.0, 2.4, 11.0))
    np.testing.assert_array_equal(image, cube[0, :2, 1:3])
    assert [header["x"][key] for key in ("start", "stop", "n")] == [1.0, 2.0, 2]
    header, image = seen(at=(0,), px=(2, 2), reduce="max")
    np.testing.assert_array_equal(image, [[5.0, 7.0], [9.0, 11.0]])
    assert [header["x"][key] for key in ("start", "stop", "n")] == [0.5, 2.5, 2]
    assert [header["y"][key] for key in ("start", "stop", "n")] == [5.0, 25.0, 2]
    assert header["binned"]
    for wrong in ({"at": (2,)}, {"at": (0, 0)}, {"x": "z", "y": "c", "at": (0,)}):
        with pytest.raises(InvalidInput):
            seen(**wrong)


def test_channels_that_are_no_axes_of_a_mesh_are_points(buffer: Buffer, runs: Runs) -> None:
    b, c = np.meshgrid([0.0, 1.0], np.arange(3.0), indexing="ij")
    channels = {"b": b.ravel(), "c": c.ravel(), "encoder": c.ravel() + 0.1, "z": np.arange(6.0)}
    key = record(buffer, channels, axes=("b", "c"), shape=(2, 3), npoints=6).key
    for x, y in (("encoder", "b"), ("c", "c")):
        header, arrays = unpack(draw(runs.open(key), key, MapLook("z", x=x, y=y), Columns(), {}))
        assert (header["regular"], header["points"], header["planes"]) == (False, 6, [])
        np.testing.assert_allclose(arrays["x"], channels[x], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"])
def test_regions_of_every_type_of_frame_are_those_of_plain_sums(buffer: Buffer, runs: Runs, dtype: str) -> None:
    frames = np.random.default_rng(3).integers(0, 100, (1, 8, 8)).astype(dtype)
    key = record(buffer, {"cam": frames}).key
    box = {"x": 1.0, "y": 2.0, "width": 5.0, "height": 4.0}
    found = statistics(runs.open(key), "cam", 0, box, Frames())
    part = frames[0, 2:6, 1:6].astype(np.float64)
    assert (found["sum"], found["min"], found["max"]) == (part.sum(), part.min(), part.max())
    assert (found["count"], found["missing"], found["saturated"]) == (20, 0, 0)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i4", "<i8", "<u4", "<u8"])
def test_missing_pixels_of_a_region_are_counted_and_left_out(buffer: Buffer, runs: Runs, dtype: str) -> None:
    frames = np.full((1, 4, 4), 7).astype(dtype)
    frames[0, 1, 1:3] = missing_value(np.dtype(dtype))
    key = record(buffer, {"cam": frames}).key
    box = {"x": 0.0, "y": 0.0, "width": 4.0, "height": 4.0}
    found = statistics(runs.open(key), "cam", 0, box, Frames())
    assert (found["missing"], found["count"], found["sum"], found["min"]) == (2, 14, 98, 7)


@pytest.mark.parametrize("dtype", ["|i1", "<i2", "<u2"])
def test_a_region_of_a_missing_frame_has_no_sum(buffer: Buffer, runs: Runs, dtype: str) -> None:
    fill = missing_value(np.dtype(dtype))
    frames = np.full((1, 4, 4), fill).astype(dtype)
    key = record(buffer, {"cam": frames, "cam:status": np.array([_missing()], np.uint8)}).key
    box = {"x": 0.0, "y": 0.0, "width": 4.0, "height": 4.0}
    found = statistics(runs.open(key), "cam", 0, box, Frames())
    assert (found["missing"], found["count"], found["sum"]) == (16, 0, None)


def test_a_frame_is_kept_only_when_its_status_is_known(buffer: Buffer, runs: Runs) -> None:
    frames = np.ones((2, 4, 4), "<u2")
    writer = record(buffer, {"cam": frames}, close=False)
    status = writer.create_log(ChannelSpec("cam:status", dtype="|u1", role=ChannelRole.STATUS))
    status.append(np.zeros(1, np.uint8))
    run = runs.open(writer.key)
    assert frame(run, writer.key, "cam", 0, Look(), Frames())[1]
    data, lasting = frame(run, writer.key, "cam", 1, Look(), Frames())
    assert not lasting
    assert not unpack(data)[0]["missing"]
    status.append(np.array([_missing()], np.uint8))
    data, lasting = frame(run, writer.key, "cam", 1, Look(), Frames())
    assert lasting
    assert unpack(data)[0]["missing"]


def test_items_of_three_dimensions_are_seen_slice_by_slice(buffer: Buffer, runs: Runs) -> None:
    volumes = np.arange(2 * 3 * 4 * 5, dtype="<u4").reshape(2, 3, 4, 5)
    key = record(buffer, {"volume": volumes}).key
    run = runs.open(key)
    for axis, size in enumerate((3, 4, 5)):
        for at in range(size):
            data, _ = frame(run, key, "volume", 1, Look(slice=at, axis=axis), Frames())
            header, arrays = unpack(data)
            np.testing.assert_array_equal(arrays["image"], np.take(volumes[1], at, axis))
            assert header["planes"] == [3, 4, 5]
        middle, _ = frame(run, key, "volume", 1, Look(axis=axis), Frames())
        np.testing.assert_array_equal(unpack(middle)[1]["image"], np.take(volumes[1], size // 2, axis))
        with pytest.raises(InvalidInput, match=f"no slice {size}"):
            frame(run, key, "volume", 1, Look(slice=size, axis=axis), Frames())


def _missing() -> int:
    from firstlight.model import STATUS_MISSING

    return int(STATUS_MISSING)


@pytest.mark.parametrize("dtype", ["<c8", "<U5", "|S3", "<M8[s]"])
def test_what_is_no_real_number_is_refused_in_words(buffer: Buffer, runs: Runs, dtype: str) -> None:
    values = np.zeros(9, dtype) if dtype != "<M8[s]" else np.arange(9).astype(dtype)
    key = record(buffer, {"y": values, "x": np.arange(9.0), "cam": np.tile(values, (2, 3, 1))}).key
    run = runs.open(key)
    columns = Columns()
    asked: list[Callable[[], object]] = [
        lambda: curve(run, key, Wanted("x", ("y",)), columns, {}),
        lambda: curve(run, key, Wanted("y", ("x",)), columns, {}),
        lambda: curve(run, key, Wanted("x", ("x",), norm="y"), columns, {}),
        lambda: draw(run, key, MapLook("y", "x", "x"), columns, {}),
        lambda: frame(run, key, "cam", 0, Look(type="u8"), Frames()),
        lambda: statistics(run, "cam", 0, {"x": 0.0, "y": 0.0, "width": 2.0, "height": 2.0}, Frames()),
    ]
    for ask in asked:
        with pytest.raises(NotFound, match="no real numbers"):
            ask()


def work(runs: Runs, do: Callable[[], Any]) -> Any:
    return asyncio.run(_data._work(cast("Shared", SimpleNamespace(runs=runs)), do))


def test_a_disk_that_does_not_answer_is_said_to_be_slow(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_data, "_PATIENCE", 0.01)
    over = threading.Event()
    try:
        with pytest.raises(ProcessError, match="did not come"):
            work(runs, lambda: over.wait(30.0))
    finally:
        over.set()


def test_a_broken_file_is_said_to_be_broken(runs: Runs) -> None:
    def read() -> None:
        raise OSError("Can't read data (wrong checksum)")

    with pytest.raises(DataError, match="wrong checksum"):
        work(runs, read)


def test_errors_in_words_stay_what_they_are(runs: Runs) -> None:
    def read() -> None:
        raise NotFound("There is no such run.")

    with pytest.raises(NotFound, match="no such run"):
        work(runs, read)


class Told:
    """A viewer that remembers what it is told."""

    def __init__(self, *, gone: bool) -> None:
        self.events: list[dict[str, Any]] = []
        self.payloads: list[bytes] = []
        self.gone = gone

    def tell(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    async def send(self, payload: bytes) -> None:
        if self.gone:
            raise ConnectionError("the page was closed")
        self.payloads.append(payload)


def follow(runs: Runs, key: str, viewer: Told) -> None:
    async def story() -> None:
        hub = Hub(viewer, runs, Columns())
        await hub.subscribe(1, {"what": "curve", "run": key, "y": ["diode"]})
        task = hub._followed[1].task
        assert task is not None
        await asyncio.wait_for(task, 30.0)

    asyncio.run(story())


@pytest.mark.parametrize("what", ["curve", "map"])
def test_of_what_is_not_drawn_two_are_sent_and_then_the_newest(buffer: Buffer, runs: Runs, what: str) -> None:
    writer = record(buffer, {}, close=False)
    logs = [writer.create_log(ChannelSpec(name)) for name in ("x", "y", "z")]
    plots: dict[str, dict[str, Any]] = {
        "curve": {"y": ["z"], "x": "x"},
        "map": {"z": "z", "x": "x", "y": "y", "rate": 60},
    }
    wanted = plots[what]

    def grow() -> None:
        for log in logs:
            log.append(np.arange(5.0))

    async def story() -> None:
        viewer = Arriving()
        hub = Hub(viewer, runs, Columns())
        grow()
        await hub.subscribe(1, {"what": what, "run": writer.key, **wanted})
        first = await viewer.next()
        grow()
        second = await viewer.next()
        for _ in range(3):
            grow()
        hub.acknowledge(1, 3)  # nobody can have drawn what was not sent
        assert (first["seq"], second["seq"]) == (1, 2)
        assert (first["count"], second["count"]) == (5, 10)
        hub.acknowledge(1, 2)
        third = await viewer.next()
        assert (third["seq"], third["count"]) == (3, 25)
        await hub.close()

    asyncio.run(asyncio.wait_for(story(), 60.0))


def test_frames_can_be_followed_before_there_are_any(buffer: Buffer, runs: Runs) -> None:
    writer = record(buffer, {}, close=False)

    async def story() -> None:
        viewer = Told(gone=False)
        hub = Hub(viewer, runs, Columns())
        await hub.subscribe(1, {"what": "frame", "run": writer.key, "channel": "cam", "rate": 60})
        followed = hub._followed[1].task
        assert followed is not None
        await asyncio.wait([followed], timeout=0.1)  # it has seen that there is no such channel
        log = writer.create_log(ChannelSpec("cam", "<u2", (2, 2), role=ChannelRole.FRAME))
        log.append(np.ones((3, 2, 2), np.uint16))
        writer.stop(END)
        await followed
        assert [(event["ev"], event["index"]) for event in viewer.events] == [("frame", 2)]

    asyncio.run(asyncio.wait_for(story(), 60.0))


class Arriving:
    """A viewer that takes what comes, one by one."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue()

    def tell(self, event: dict[str, Any]) -> None:
        raise AssertionError(event)

    async def send(self, payload: bytes) -> None:
        self.payloads.put_nowait(payload)

    async def next(self) -> dict[str, Any]:
        return unpack(await self.payloads.get())[0]


def test_a_subscription_can_end_before_it_began(buffer: Buffer, runs: Runs) -> None:
    key = record(buffer, {"diode": np.arange(3.0)}).key
    wishes: tuple[dict[str, Any], ...] = (
        {"what": "curve", "y": ["diode"]},
        {"what": "frame", "channel": "diode"},
        {"what": "map", "z": "diode"},
    )

    async def story() -> None:
        hub = Hub(Told(gone=False), runs, Columns())
        for wish in wishes:
            await hub.subscribe(1, {"run": key, **wish})
            await hub.unsubscribe(1)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(story())
        gc.collect()
    # Not what other tests left for the collector.
    assert [str(w.message) for w in told if "never awaited" in str(w.message)] == []


@pytest.mark.parametrize("name", ["x" * 201, "\N{CYRILLIC SMALL LETTER A}" * 150], ids=["letters", "bytes"])
def test_a_name_longer_than_any_is_answered_in_words(
    buffer: Buffer, runs: Runs, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = record(buffer, {"diode": np.arange(3.0)}).key
    viewer = Told(gone=False)

    async def story() -> None:
        hub = Hub(viewer, runs, Columns())
        if len(name) > 200:
            with pytest.raises(InvalidInput, match="at most 200 characters"):
                await hub.subscribe(1, {"what": "curve", "run": key, "y": [name]})
            return
        await hub.subscribe(1, {"what": "curve", "run": key, "y": [name]})
        task = hub._followed[1].task
        assert task is not None
        await task
        assert [event["ev"] for event in viewer.events] == ["error"]
        assert "See the server's log" not in viewer.events[0]["hint"]

    asyncio.run(asyncio.wait_for(story(), 60.0))
    assert not caplog.records


def test_a_plot_that_fails_says_so(buffer: Buffer, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    key = record(buffer, {"diode": np.arange(3.0)}).key

    def broken(*_: Any) -> bytes:
        raise RuntimeError("Can't open file (file read failed)")

    monkeypatch.setattr("firstlight.web._stream.curve", broken)
    viewer = Told(gone=False)
    follow(runs, key, viewer)
    assert [(event["ev"], event["sub"]) for event in viewer.events] == [("error", 1)]


def test_a_viewer_that_left_is_no_error(buffer: Buffer, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    key = record(buffer, {"diode": np.arange(3.0)}).key
    viewer = Told(gone=True)
    follow(runs, key, viewer)
    assert viewer.events == []
    assert not caplog.records


def test_a_server_that_ends_is_no_error(buffer: Buffer, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    key = record(buffer, {"diode": np.arange(3.0)}).key
    runs.pool.shutdown()
    viewer = Told(gone=False)
    follow(runs, key, viewer)
    assert viewer.events == []
    assert not caplog.records
