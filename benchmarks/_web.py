"""The pages: how fast they draw what grows, how soon they are there, and what they cost an acquisition.

A real server and a headless Chromium with WebGL in software, on this machine. Latencies are from the moment at which an
item was acknowledged in the buffer to the moment at which the page has drawn it; both clocks are the machine's.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._harness import PAIRS, Row, row
from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, PlotHint, RunEnd, RunInfo
from firstlight.process import Supervisor
from firstlight.web import WebSettings, spec

SECONDS = 4.0
"""Of each turn, after two seconds to warm up."""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
_DRAWN = """([selector, name]) => {
  window.drawn = [];
  window.watching?.disconnect();
  const spot = document.querySelector(selector);
  window.watching = new MutationObserver(() => window.drawn.push([Number(spot.dataset[name]),
    (performance.timeOrigin + performance.now()) / 1000]));
  window.watching.observe(spot, {attributes: true, attributeFilter: ["data-" + name]});
}"""


def curve() -> list[Row]:
    """``web.curve``: updates/s of a curve of a million points that grows; ``web.curve.latency``: until it is drawn."""

    def make(buffer: Buffer) -> tuple[str, Callable[[], int], Callable[[], None]]:
        run = buffer.create_run(RunInfo(name="curve", title="a million points", start_epoch=time.time(),
                                        axes=("x",), plots=(PlotHint(x="x", y=("y",)),)))  # fmt: skip
        x = run.create_log(ChannelSpec("x", role=ChannelRole.AXIS))
        y = run.create_log(ChannelSpec("y", role=ChannelRole.COUNTER))
        noise = np.random.default_rng(1).normal(size=1_000_000)
        x.append(np.arange(1e6))
        y.append(noise)
        run.prepared()
        run.running()

        def grow() -> int:
            x.append(np.arange(x.count, x.count + 500, dtype=float))
            return y.append(noise[:500])

        return run.key, grow, lambda: _end(run)

    return _drawn("web.curve", ".curve", "count", 21.0, make)


def image() -> list[Row]:
    """``web.image``: frames/s of 4 Mpx; ``web.image.latency``: until a frame is drawn."""

    def make(buffer: Buffer) -> tuple[str, Callable[[], int], Callable[[], None]]:
        run = buffer.create_run(RunInfo(name="image", title="frames of 4 Mpx", start_epoch=time.time()))
        ring = run.create_ring(
            ChannelSpec("cam", "<u2", (2048, 2048), kind=ChannelKind.RING, role=ChannelRole.FRAME), 8
        )
        frame = np.random.default_rng(1).poisson(200, (2048, 2048)).astype(np.uint16)
        run.prepared()
        run.running()

        def grow() -> int:
            ring.slot()[...] = frame
            return ring.commit() - 1

        for _ in range(2):
            grow()
        return run.key, grow, lambda: _end(run)

    return _drawn("web.image", '[data-plot="image"] canvas', "frame", 15.0, make)


def mesh() -> list[Row]:
    """``web.map``: updates/s of a map of a hundred thousand points that grows."""
    index = np.arange(100_000, dtype=np.int64)
    rows, columns = 400, 250
    info = RunInfo(name="amesh", title="a map of 100 000 points", start_epoch=time.time(), npoints=index.size,
                   axes=("y", "x"), shape=(rows, columns))  # fmt: skip
    return _map("web.map", info, (index % columns).astype(np.float64), (index // columns).astype(np.float64))


def points() -> list[Row]:
    """``web.points``: the same of points that lie on no mesh, each drawn by itself."""
    x, y = np.random.default_rng(2).uniform(-1, 1, (2, 100_000))
    info = RunInfo(name="flight", title="100 000 points anywhere", start_epoch=time.time(), npoints=x.size,
                   axes=("y", "x"))  # fmt: skip
    return _map("web.points", info, x, y)


def _map(name: str, info: RunInfo, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Row]:
    values = [x, y, np.random.default_rng(1).normal(size=x.size)]

    def make(buffer: Buffer) -> tuple[str, Callable[[], int], Callable[[], None]]:
        run = buffer.create_run(info)
        logs = [run.create_log(ChannelSpec(n, role=ChannelRole.AXIS)) for n in ("x", "y")]
        logs.append(run.create_log(ChannelSpec("z", role=ChannelRole.COUNTER)))
        run.prepared()
        run.running()

        def grow(count: int = 15) -> int:
            at = logs[2].count
            for log, value in zip(logs, values, strict=True):
                log.append(value[at : at + count])
            return logs[2].count

        grow(90_000)
        return run.key, grow, lambda: _end(run)

    return _drawn(name, '[data-plot="map"] canvas', "frame", 15.0, make)[:1]


def first_load() -> list[Row]:
    """``web.first_load``: seconds from the printed link to a page that can be used."""
    from playwright.sync_api import sync_playwright

    times = []
    with _room() as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=_FLAGS)
        for _ in range(PAIRS):
            command = [sys.executable, "-m", "firstlight", "web", "--port", "0", "--data", str(root)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout is not None
                found = None
                while found is None:
                    found = re.search(r"http://\S+", server.stdout.readline())
                began = time.perf_counter()
                page = browser.new_page()
                page.goto(found[0])
                page.wait_for_selector(".link.open")
                page.wait_for_selector("main.live")
                times.append(time.perf_counter() - began)
                page.close()
                server.terminate()
        browser.close()
    return [row("web.first_load", "s", times)]


def slowdown() -> list[Row]:
    """``web.slowdown``: CPU time a point of a session with five viewers, over that without; nothing may be lost."""
    from firstlight.session import Layout, simulated

    with (
        _room() as root,
        simulated(root / "data", layout=Layout(shape=(256, 256)), buffer=root) as session,
        Supervisor("bench", root / "logs") as supervisor,
    ):
        info = supervisor.spawn(spec(WebSettings(buffer=str(root)))).wait_ready(60.0)

        def turn() -> float:
            began = time.process_time()
            run = session.loopscan(300, 0.005, "diode", "cam")
            spent = time.process_time() - began
            if len(run["cam"]) != 300 or len(run["cam"].missing(0, 300)):
                raise RuntimeError("Frames were lost.")
            return spent / 300

        session.loopscan(20, 0.005, "diode", "cam")
        alone, watched = [], []
        for _ in range(PAIRS):
            alone.append(turn())
            stop = multiprocessing.get_context("spawn").Event()
            viewers = multiprocessing.get_context("spawn").Process(target=_view, args=(dict(info), 5, stop))
            viewers.start()
            time.sleep(3.0)
            watched.append(turn())
            stop.set()
            viewers.join()
    return [row("web.slowdown", "s", watched, "without viewers", alone)]


def _view(info: dict[str, Any], count: int, stop: Any) -> None:
    """So many pages that follow whatever runs."""
    import websockets

    async def page() -> None:
        token = info["operate"].rpartition("=")[2]
        async with websockets.connect(
            f"ws://127.0.0.1:{info['port']}/api/events", additional_headers={"Authorization": f"Bearer {token}"}
        ) as socket:
            known = set()
            while not stop.is_set():
                try:
                    message = await asyncio.wait_for(socket.recv(), 0.2)
                except TimeoutError:
                    continue
                if isinstance(message, bytes):
                    length = int.from_bytes(message[4:8], "little")
                    header = json.loads(message[8 : 8 + length])
                    await socket.send(json.dumps({"op": "ack", "sub": header["sub"], "seq": header["seq"]}))
                    continue
                event = json.loads(message)
                if event["ev"] == "run" and event["run"]["id"] not in known:
                    known.add(event["run"]["id"])
                    for sub, wanted in (
                        (1, {"what": "curve", "y": ["diode"]}),
                        (2, {"what": "frame", "channel": "cam"}),
                    ):
                        await socket.send(json.dumps({"op": "sub", "sub": sub, "run": event["run"]["id"], **wanted}))
                elif event["ev"] == "frame":
                    await socket.send(json.dumps({"op": "ack", "sub": event["sub"], "seq": event["seq"]}))

    async def all_pages() -> None:
        await asyncio.gather(*(page() for _ in range(count)))

    asyncio.run(all_pages())


def _drawn(
    name: str,
    selector: str,
    attribute: str,
    rate: float,
    make: Callable[[Buffer], tuple[str, Callable[[], int], Callable[[], None]]],
) -> list[Row]:
    from playwright.sync_api import sync_playwright

    with _room() as root, Supervisor("bench", root / "logs") as supervisor, sync_playwright() as playwright:
        key, grow, end = make(Buffer(root))
        info = supervisor.spawn(spec(WebSettings(buffer=str(root)))).wait_ready(60.0)
        browser = playwright.chromium.launch(executable_path=_chromium(), args=_FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{info['operate']}&run={key}")
        page.wait_for_selector(f'{selector}[data-state="drawn"]')
        acknowledged: dict[int, float] = {}
        over = threading.Event()
        producer = threading.Thread(target=_produce, args=(grow, rate, acknowledged, over))
        producer.start()
        page.wait_for_timeout(2000)
        rates, delays = [], []
        for _ in range(PAIRS):
            page.evaluate(_DRAWN, [selector, attribute])
            page.wait_for_timeout(SECONDS * 1000)
            drawn = page.evaluate("() => window.drawn")
            rates.append(len(drawn) / SECONDS)
            delays.append(statistics.median(_delays(drawn, acknowledged)))
        over.set()
        producer.join()
        end()
        browser.close()
    return [row(name, "1/s", rates), row(f"{name}.latency", "s", delays)]


def _produce(grow: Callable[[], int], rate: float, acknowledged: dict[int, float], over: threading.Event) -> None:
    moment = time.perf_counter()
    while not over.is_set():
        acknowledged[grow()] = time.time()
        moment += 1.0 / rate
        over.wait(max(0.0, moment - time.perf_counter()))


def _delays(drawn: Sequence[Sequence[float]], acknowledged: dict[int, float]) -> list[float]:
    return [moment - acknowledged[int(count)] for count, moment in drawn if int(count) in acknowledged] or [
        float("nan")
    ]


def _end(run: Any) -> None:
    run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
    run.close()


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise RuntimeError("There is no Chromium here: ./run ci-setup installs it.")
    return found


@contextmanager
def _room() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="firstlight-bench-", dir="/dev/shm"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
