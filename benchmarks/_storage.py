"""How fast frames and channels reach the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks._harness import PAIRS, Row, alternate, row
from firstlight.buffer import Buffer, RunReader
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, RunEnd, RunInfo, RunState
from firstlight.process import ProcessSpec, Supervisor
from firstlight.storage import DataPolicy, DatasetFolder, Roots

FRAME = (2048, 2048)
FRAMES = 128
CHANNELS = 1000
BLOCK = 100
ROUNDS = 100


def frames() -> list[Row]:
    """``storage.frames``: 128 frames of 8 MiB into their file, against ``pwrite`` of the same bytes.

    Ours is what the saver does with frames that lie in a ring, without the ring: payloads, checksums, journal, and the
    index of the file. No fsync on either side.
    """
    images = np.random.default_rng(1).integers(0, 4096, (8, *FRAME)).astype(np.uint16)
    with _place() as (_, folder):
        return [row("storage.frames", "B/s", *_frames(images, folder))]


def _frames(images: np.ndarray, folder: Path) -> tuple[list[float], str, list[float]]:
    from firstlight.storage._frames import FrameWriter

    spec = ChannelSpec("cam", "<u2", FRAME, kind=ChannelKind.RING, role=ChannelRole.FRAME)
    nbytes: int = FRAMES * images[0].nbytes

    def ours() -> float:
        target = folder / "scan"
        writer = FrameWriter(target, spec)
        began = time.perf_counter()
        for k in range(0, FRAMES, 4):
            writer.write(images[k % 8 : k % 8 + 4])
        writer.flush()
        took = time.perf_counter() - began
        writer.close()
        shutil.rmtree(target)
        return float(nbytes / took)

    def raw() -> float:
        path = folder / "raw"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        began = time.perf_counter()
        for k in range(FRAMES):
            os.pwrite(fd, images[k % 8], k * images[0].nbytes)
        took = time.perf_counter() - began
        os.close(fd)
        path.unlink()
        return float(nbytes / took)

    mine, theirs = alternate(ours, raw, pairs=4 * PAIRS)  # the page cache is noisy
    return mine, "raw pwrite", theirs


def channels() -> list[Row]:
    """``storage.channels``: 1000 channels, 100 blocks of 100 values each, through the buffer and the saver process.

    Timed from the first block until the run is complete in its file, which was closed and opened again.
    """
    with _place() as (buffer, folder), Supervisor("bench", folder / "logs") as supervisor:
        spec = ProcessSpec("saver", "firstlight.storage._saver:main", {"buffer": str(buffer.root)})
        supervisor.spawn(spec).wait_ready(30)
        dataset = DataPolicy("fl01", Roots.under(folder)).experiment("bench1").dataset("sample", "0001")
        block = np.arange(BLOCK, dtype=np.float64)
        mine, _ = alternate(lambda: _channels(buffer, dataset, block))
    return [row("storage.channels", "1/s", mine)]


def _channels(buffer: Buffer, dataset: DatasetFolder, block: np.ndarray) -> float:
    info = RunInfo(name="bench", title="bench", start_epoch=time.time(), saving=dataset.saving())
    with buffer.create_run(info, readers=["saver"]) as run:
        logs = [run.create_log(ChannelSpec(f"c{k:04d}", role=ChannelRole.COUNTER)) for k in range(CHANNELS)]
        run.prepared()
        run.running()
        began = time.perf_counter()
        for _ in range(ROUNDS):
            for log in logs:
                log.append(block)
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
        _closed(buffer.run(run.key))
        took = time.perf_counter() - began
        key = run.key
    buffer.remove(key, force=True)
    return CHANNELS * ROUNDS * BLOCK / took


def _closed(run: RunReader) -> None:
    if not run.wait(lambda: run.state is RunState.CLOSED, 120):
        raise TimeoutError(f"{run.key} was not saved within two minutes.")


@contextmanager
def _place() -> Iterator[tuple[Buffer, Path]]:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="firstlight-bench-", dir=memory if memory.is_dir() else None))
    folder = Path(tempfile.mkdtemp(prefix="firstlight-bench-"))
    try:
        yield Buffer(root, spill=folder / "spill"), folder
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
