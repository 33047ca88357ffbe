"""How fast the buffer carries samples, frames and wake-ups from one process to another.

The producer is a process of its own (this module run as a script) that keeps its memory from turn to turn, as a session
does from run to run; what is measured is the steady state, in recycled memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._harness import PAIRS, Row, against_reference, alternate, row
from firstlight.buffer import BackPressure, Buffer
from firstlight.model import ChannelKind, ChannelSpec, EndReason, RunEnd, RunInfo

SAMPLES = {1: 2_000_000, 100: 40_000_000, 10_000: 100_000_000}
BLISSDATA = {1: 0.05e6, 100: 3.9e6, 10_000: 24e6}
"""Samples/s of a blissdata stream on valkey, measured on a machine of the same kind."""
FRAME = (2048, 2048)
FRAMES = 200
SLOTS = 16
WAKES = 1000
SPACING = 0.001

INFO = RunInfo(name="bench", title="bench", start_epoch=0.0)
END = RunEnd(reason=EndReason.SUCCESS, epoch=0.0)


def samples() -> list[Row]:
    """``buffer.samples.N``: float64 in blocks of N through a log, summed by another process, samples/s.

    From the first append until the reader has summed the last sample.
    """
    rows = []
    for block, reference in BLISSDATA.items():
        with _producer() as producer:
            ours, _ = alternate(lambda block=block: producer.samples(block))  # type: ignore[misc]
        rows.append(against_reference(f"buffer.samples.{block}", "1/s", ours, "blissdata on valkey", reference))
    return rows


def frames() -> list[Row]:
    """``buffer.frames``: uint16 frames of 8 MiB through a ring of 16, every page touched by another process, bytes/s.

    The peer copies the same frame as often into as many warm frames as the ring has slots, in one process. (Into one
    and the same frame, which then stays in the processor's cache, a copy is up to three times faster.)
    """
    source = np.ones(FRAME, np.uint16)
    targets = np.zeros((SLOTS, *FRAME), np.uint16)

    def memcpy() -> float:
        began = time.perf_counter()
        for k in range(FRAMES):
            np.copyto(targets[k % SLOTS], source)
        return FRAMES * source.nbytes / (time.perf_counter() - began)

    with _producer() as producer:
        ours, theirs = alternate(producer.frames, memcpy, pairs=2 * PAIRS)
    return [row("buffer.frames", "B/s", ours, "memcpy", theirs)]


def latency() -> list[Row]:
    """``buffer.latency``, ``buffer.latency99``: from before an append until the waiting reader has the value, seconds.

    One value a millisecond. The peer sends it through a pipe, and is as noisy as the machine is.
    """
    ours: list[NDArray[np.float64]] = []
    theirs: list[NDArray[np.float64]] = []
    with _producer() as producer:

        def buffer() -> float:
            ours.append(producer.wakes())
            return 0.0

        def pipe() -> float:
            theirs.append(_pipe())
            return 0.0

        alternate(buffer, pipe, warm=False)
    return [
        row(
            name,
            "s",
            [float(np.percentile(turn, q)) for turn in ours],
            "pipe",
            [float(np.percentile(turn, q)) for turn in theirs],
        )
        for name, q in (("buffer.latency", 50), ("buffer.latency99", 99))
    ]


class _Producer:
    """The reading side, and the pipe to the producing process."""

    def __init__(self, buffer: Buffer, process: subprocess.Popen[str]) -> None:
        self._buffer, self._process = buffer, process

    def _order(self, *words: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def samples(self, block: int) -> float:
        """One turn: samples/s."""
        n = SAMPLES[block]
        run = self._buffer.run(self._order("samples", block, n))
        channel = run.channel("x")
        total, seen = 0.0, 0
        with run.retain("reader") as reader:
            self._order("go")
            while seen < n:
                channel.wait(seen + 1, 60.0)
                with reader.view("x", seen, channel.count) as view:
                    assert isinstance(view, np.ndarray)
                    total += float(view.sum())
                    seen += len(view)
            ended = time.monotonic()
        began = float(self._order("ended"))
        assert total == n
        return n / (ended - began)

    def frames(self) -> float:
        """One turn: bytes/s."""
        run = self._buffer.run(self._order("frames", FRAMES))
        channel = run.channel("x")
        seen = 0
        with run.retain("reader") as reader:
            self._order("go")
            while seen < FRAMES:
                channel.wait(seen + 1, 60.0)
                with reader.view("x", seen, channel.count) as view:
                    assert isinstance(view, np.ndarray)
                    assert view.reshape(len(view), -1)[:, ::2048].min() == 1
                    seen += len(view)
                reader.release("x", seen)
            ended = time.monotonic()
        began = float(self._order("ended"))
        return FRAMES * channel.spec.item_nbytes / (ended - began)

    def wakes(self) -> NDArray[np.float64]:
        """One turn: the latency of each value."""
        run = self._buffer.run(self._order("wakes", WAKES))
        channel = run.channel("x")
        found = np.empty(WAKES)
        self._order("go")
        for k in range(WAKES):
            channel.wait(k + 1, 60.0)
            value = channel.read(k, k + 1)
            assert isinstance(value, np.ndarray)
            found[k] = time.monotonic() - value[0]
        self._order("ended")
        return found


@contextmanager
def _producer() -> Iterator[_Producer]:
    base = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="firstlight-bench-", dir=base if base.is_dir() else None))
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._buffer", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    try:
        yield _Producer(Buffer(root, spill=root / "spill"), process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
        shutil.rmtree(root, ignore_errors=True)


def _pipe() -> NDArray[np.float64]:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._buffer", "pipe", str(writing)],
        pass_fds=[writing],
        cwd=Path(__file__).parent.parent,
    )
    os.close(writing)
    found = np.empty(WAKES)
    for k in range(WAKES):
        value = np.frombuffer(os.read(reading, 8), float)
        found[k] = time.monotonic() - value[0]
    os.close(reading)
    process.wait(60)
    return found


# -- the producing process


def _send_through_pipe(fd: int) -> None:
    for _ in range(WAKES):
        time.sleep(SPACING)
        os.write(fd, np.float64(time.monotonic()).tobytes())


def _answer(word: object) -> list[str]:
    print(word, flush=True)
    return sys.stdin.readline().split()


def _produce(root: Path) -> None:
    buffer = Buffer(root, spill=root / "spill")
    frame = np.ones(FRAME, np.uint16)
    order = sys.stdin.readline().split()
    while order:
        run = buffer.create_run(INFO, readers=["reader"], on_full=BackPressure.BLOCK)
        n = int(order[-1])
        if order[0] == "frames":
            spec = ChannelSpec("x", dtype="<u2", shape=FRAME, kind=ChannelKind.RING)
            ring = run.create_ring(spec, SLOTS)
            _answer(run.key)
            print(flush=True)
            began = time.monotonic()
            for _ in range(n):
                ring.slot()[...] = frame
                ring.commit()
        else:
            log = run.create_log(ChannelSpec("x"), capacity=n)
            append_one, append = log.append_one, log.append
            block = int(order[1])
            values = np.ones(block if order[0] == "samples" else 1)
            _answer(run.key)
            print(flush=True)
            began = time.monotonic()
            if order[0] == "wakes":
                for _ in range(n):
                    time.sleep(SPACING)
                    append_one(time.monotonic())
            elif block == 1:
                for _ in range(n):
                    append_one(1.0)
            else:
                for _ in range(n // block):
                    append(values)
        sys.stdin.readline()
        run.stop(END)
        run.close()
        buffer.remove(run.key, force=True)
        order = _answer(began)


if __name__ == "__main__":
    if sys.argv[1] == "pipe":
        _send_through_pipe(int(sys.argv[2]))
    else:
        _produce(Path(sys.argv[1]))
