"""Processes that are made to be killed; started by ``test_kills.py`` as a script, imported by nobody.

The script imports everything once, holds no lock and no thread, and forks a pristine child for each line of its input:
``{"task": name, "fifo": path, "line": number or null, ...}``. A child reports what was acknowledged to it, after the
fact, line by line into its fifo. With ``line`` it kills itself when it executes that many lines of the buffer's code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from firstlight.buffer import BackPressure, Buffer, RunReader, RunWriter
from firstlight.buffer import __file__ as _package
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    EndReason,
    FirstlightError,
    IndexNoLongerThere,
    Ragged,
    RunEnd,
    RunInfo,
    RunState,
)

INFO = RunInfo(name="kill", title="kill", start_epoch=0.0)
END = RunEnd(reason=EndReason.SUCCESS, epoch=1.0)
X = ChannelSpec("x")
MCA = ChannelSpec("mca", dtype="<i4", shape=(500,))
PEAKS = ChannelSpec("peaks", dtype="<i4", kind=ChannelKind.RAGGED)
CAM = ChannelSpec("cam", dtype="<i4", shape=(16, 128), kind=ChannelKind.RING)


class Bad(Exception):
    """A reader saw what nobody wrote."""


def values(name: str, start: int, stop: int) -> Any:
    """What the items of a channel are, by their index."""
    index = np.arange(start, stop)
    if name == "x":
        return index.astype(float)
    if name == "peaks":
        lengths = index % 7
        return np.repeat(index, lengths).astype("<i4"), lengths
    shape = MCA.shape if name == "mca" else CAM.shape
    return np.broadcast_to(index.reshape(-1, *[1] * len(shape)), (len(index), *shape)).astype("<i4")


def check(name: str, start: int, got: Any) -> None:
    """Raise :class:`Bad` unless ``got`` is what was written from item ``start`` on."""
    expected = values(name, start, start + len(got))
    if isinstance(got, Ragged):
        good = np.array_equal(got.values, expected[0]) and np.array_equal(np.diff(got.offsets), expected[1])
    else:
        good = np.array_equal(got, expected)
    if not good:
        raise Bad(f"{name}[{start}:{start + len(got)}]")


class Reports:
    """The child's end of its fifo."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY)

    def __call__(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


def ignore(*words: object) -> None:
    """Report nothing."""


def fill(run: RunWriter, rng: np.random.Generator, report: Callable[..., None], steps: int, pause: float = 0.0) -> None:
    """Make all kinds of channels and append at random."""
    x = run.create_log(X)
    mca = run.create_log(MCA)
    peaks = run.create_ragged(PEAKS)
    cam = run.create_ring(CAM, 6)
    for _ in range(steps):
        n = int(rng.integers(1, 30))
        what = rng.integers(5)
        if what == 0:
            report("x", x.append(values("x", x.count, x.count + 100 * n)))
        elif what == 1:
            report("x", x.append_one(x.count))
        elif what == 2:
            report("mca", mca.append(values("mca", mca.count, mca.count + n)))
        elif what == 3:
            report("peaks", peaks.append(*values("peaks", peaks.count, peaks.count + n)))
        else:
            slot = cam.slot()
            slot[...] = cam.count
            report("cam", cam.commit())
        if pause:
            time.sleep(pause)


def produce(order: dict[str, Any], report: Reports) -> None:
    """Runs, one after the other, for ever."""
    buffer = Buffer(Path(order["root"]), spill=Path(order["spill"]))
    rng = np.random.default_rng(order["seed"])
    for _ in range(order.get("runs", 1_000_000)):
        run = buffer.create_run(INFO, readers=["saver"], on_full=BackPressure.SPILL)
        report("run", run.key)
        # Nobody may read the reports of a long life, and a full fifo would stop it.
        listener = ignore if order.get("quiet") else report
        fill(run, rng, listener, order.get("steps", 200), order.get("pause", 0.0))
        run.stop(END)
        report("stopped", run.key)
        run.close()


def save(order: dict[str, Any], report: Reports) -> None:
    """A stand-in for the saver: journals each item once it has checked it, then releases it, then closes the run."""
    buffer = Buffer(Path(order["root"]), spill=Path(order["spill"]))
    run = buffer.run(order["key"])
    saver = run.retain("saver")
    journal = os.open(order["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    done = False
    while not done:
        stopped = run.state >= RunState.STOPPED
        moved = False
        for name, channel in run.channels.items():
            at, count = saver.position(name), channel.count
            if at < count:
                moved = True
                with saver.view(name, at, min(count, at + 400)) as view:
                    check(name, at, view)
                    os.write(journal, f"{name} {at} {at + len(view)}\n".encode())
                    at += len(view)
                saver.release(name, at)
                report(name, at)
        done = stopped and not moved
        if not moved and not done:
            run.wait(lambda: any(c.count > saver.position(n) for n, c in run.channels.items()), 0.05)
    run.mark_closed()
    report("closed")


def read(order: dict[str, Any], report: Reports) -> None:
    """Looks at anything, at random, for ever."""
    buffer = Buffer(Path(order["root"]), spill=Path(order["spill"]))
    rng = np.random.default_rng(order["seed"])
    run: RunReader = buffer.run(order["key"])
    while True:
        for name, channel in run.channels.items():
            count = channel.count
            start = int(rng.integers(0, count + 1))
            if rng.integers(2):
                start = max(0, count - 10)
            try:
                check(name, start, channel.read(start, min(count, start + 500)))
                block = channel.latest()
                if block is not None:
                    check(name, block.first, block.values)
            except IndexNoLongerThere:
                continue
            report(name, start)


def live(order: dict[str, Any], report: Reports) -> None:
    """Everything that changes the structure of a root, once, the same in each life."""
    buffer = Buffer(Path(order["root"]), spill=Path(order["spill"]), budget=3_000_000)
    rng = np.random.default_rng(order["seed"])
    with buffer.create_run(INFO) as first:
        report("run", first.key)
        fill(first, rng, report, 10)
    buffer.remove(first.key)
    report("removed", first.key)
    run = buffer.create_run(INFO, readers=["saver"])
    report("run", run.key)
    member = buffer.join(run.key)
    extra = member.create_log(ChannelSpec("extra"))
    report("extra", extra.append(np.arange(3.0)))
    fill(run, rng, report, 60)
    x = run.create_log(ChannelSpec("big"))
    report("big", x.append(np.arange(60_000.0)))
    with buffer.run(run.key).retain("saver") as saver, saver.view("cam", 0, 3) as view:
        check("cam", 0, view)
        saver.release("cam", 2)
        report("released", 2)
    member.close()
    run.prepared()
    run.running()
    run.stop(END)
    report("stopped", run.key)
    buffer.run(run.key).mark_closed()
    run.close()
    buffer.recover()
    report("done")


def recover(order: dict[str, Any], report: Reports) -> None:
    """Adopts what others left."""
    Buffer(Path(order["root"]), spill=Path(order["spill"])).recover()
    report("done")


def kill_at(line: int) -> list[int]:
    """Die when that many lines of the buffer's code have been executed, in any thread; return how many are left."""
    folder = str(Path(_package).parent)
    left = [line]

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(folder):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return left


TASKS = {"produce": produce, "save": save, "read": read, "live": live, "recover": recover}


def main() -> None:
    """Fork a child for each order on standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for text in sys.stdin:
        order = json.loads(text)
        pid = os.fork()
        if pid:
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            continue
        code = 1
        try:
            report = Reports(order["fifo"])
            report("ready")
            left = kill_at(order["line"]) if "line" in order else [0]
            TASKS[order["task"]](order, report)
            report("lines", order.get("line", 0) - left[0])
            code = 0
        except (FirstlightError, Bad, OSError) as error:
            report("error", type(error).__name__, error)
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
