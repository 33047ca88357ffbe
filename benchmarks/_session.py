"""What a session with many devices costs, and how soon its clients know of a motor that moved."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks._harness import Row, alternate, row
from firstlight.session import RemoteSession, Session, connect, load
from firstlight.shell import Desk, Namespace

AXES, COUNTERS = 180, 20
WA = 200
"""Axes of the table."""
MOVES = 51


def loading() -> list[Row]:
    """``session.load``: seconds from the configuration's file until the session can be used, 200 simulated devices."""
    with _beamline(AXES, COUNTERS) as (file, root):
        turns: list[Session] = []

        def turn() -> float:
            began = time.perf_counter()
            session = load(file, buffer=root, state=root / "state")
            seconds = time.perf_counter() - began
            turns.append(session)
            session.close()
            return seconds

        mine, _ = alternate(turn)
        assert all(len(session.devices) == AXES + COUNTERS for session in turns)
        return [row("session.load", "s", mine)]


def wa() -> list[Row]:
    """``session.wa``: seconds of ``wa`` in the shell, 200 axes; and the same in a shell attached to the session."""
    with _beamline(WA, 1) as (file, root), load(file, buffer=root, state=root / "state") as session:
        rows = [row("session.wa", "s", alternate(lambda: _wa(session))[0])]
        with connect(session.name, buffer=root) as attached:
            return [*rows, row("session.wa.attached", "s", alternate(lambda: _wa(attached))[0])]


def client() -> list[Row]:
    """``session.client``: seconds from the moment when a motor has arrived, as the client that moved it is told, until
    another process sees it there; 0 when it saw it before.
    """
    with _beamline(3, 1) as (file, root), load(file, buffer=root, state=root / "state") as session:
        axis = next(iter(session.axes))
        code = _WATCH.format(name=session.name, root=str(root), axis=axis)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            delays = []
            with connect(session.name, buffer=root) as mover:
                for turn in range(MOVES):
                    target = float(turn % 2 + 1)
                    mover.move({axis: target})
                    arrived = time.monotonic()
                    # Both processes read the machine's monotonic clock.
                    seen, position = map(float, other.stdout.readline().split())
                    assert position == target
                    delays.append(max(0.0, seen - arrived))
            other.terminate()
        return [row("session.client", "s", delays[1:])]


_WATCH = """
import time
from pathlib import Path
from firstlight.session import connect
session = connect({name!r}, buffer=Path({root!r}))
axis, last = session.axes[{axis!r}], session.axes[{axis!r}].position
print("ready", flush=True)
while True:
    position = axis.position
    if position != last and position in (1.0, 2.0) and not axis.moving:
        print(time.monotonic(), position, flush=True)
        last = position
    time.sleep(0.0005)
"""


def _wa(session: Session | RemoteSession) -> float:
    desk = Desk(session, Console(file=io.StringIO(), width=120), log=False)
    command = Namespace(desk, {}).commands["wa"]
    began = time.perf_counter()
    command()
    return time.perf_counter() - began


@contextmanager
def _beamline(axes: int, counters: int) -> Iterator[tuple[Path, Path]]:
    """The configuration of a simulated beamline, and the root of a buffer in memory."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-bench-", dir="/dev/shm"))
    lines = ["beamline: bench", "devices:"]
    lines += [f"  - {{name: m{n:03d}, kind: sim.axis, velocity: 1000, acceleration: 100000}}" for n in range(axes)]
    lines += [f"  - {{name: c{n:03d}, kind: sim.diode}}" for n in range(counters)]
    file = root / "bench.yml"
    file.write_text("\n".join(lines) + "\n")
    try:
        yield file, root
    finally:
        shutil.rmtree(root, ignore_errors=True)
