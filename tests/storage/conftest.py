"""A buffer, a dataset, a run that fills all kinds of channels, and a saver in this process."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import (
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    EndReason,
    PlotHint,
    Quantity,
    RunEnd,
    RunInfo,
    RunState,
    Saving,
)
from firstlight.storage import DataPolicy, DatasetFolder, Roots, Saver, SaverOptions, ScanFile

SHAPE = (24, 40)

QUICK = SaverOptions(flush=0.03, collect=0.005, links=0.01, retry=0.1, minimum_free=0, low_free=0)
"""Options under which a test need not wait."""


@pytest.fixture
def buffer(buffer_root: Path, tmp_path: Path) -> Buffer:
    return Buffer(buffer_root, spill=tmp_path / "spill")


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    return DataPolicy("fl01", Roots.under(tmp_path / "data")).experiment("hc1234", "20260102").dataset("tooth", "one")


def frame(index: int) -> NDArray[np.uint16]:
    """The frame of that number: no two rows and no two frames are equal."""
    rows = np.arange(SHAPE[0], dtype=np.uint32)[:, np.newaxis]
    return ((index * 977 + rows * 31 + np.arange(SHAPE[1], dtype=np.uint32)) % 60_000).astype(np.uint16)


def peaks(index: int) -> NDArray[np.float32]:
    """The peak list of that number, sometimes empty."""
    return np.arange(index, index + index % 4, dtype=np.float32)


@dataclass
class Producer:
    """Fills a run; what it has acknowledged can be compared with a file."""

    run: RunWriter
    count: int = 0
    writers: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.run.key

    def start(self, *, slots: int = 8) -> None:
        create = self.run.create_log
        self.writers = {
            "rot": create(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS, source="rot")),
            "elapsed_time": create(ChannelSpec("elapsed_time", unit="s", role=ChannelRole.TIME)),
            "diode": create(ChannelSpec("diode", unit="A", role=ChannelRole.COUNTER, source="diode")),
            "mca": create(ChannelSpec("mca:spectrum", "<u4", (16,), role=ChannelRole.SPECTRUM)),
            "peaks": self.run.create_ragged(ChannelSpec("cam:peaks", "<f4", kind=ChannelKind.RAGGED)),
            "status": create(ChannelSpec("cam:status", "|u1", role=ChannelRole.STATUS)),
            "cam": self.run.create_ring(
                ChannelSpec("cam", "<u2", SHAPE, unit="count", kind=ChannelKind.RING, role=ChannelRole.FRAME), slots
            ),
        }
        self.run.prepared()
        self.run.running()

    def produce(self, count: int) -> None:
        for k in range(self.count, self.count + count):
            self.writers["rot"].append_one(0.5 * k)
            self.writers["elapsed_time"].append_one(0.01 * k)
            self.writers["diode"].append_one(k**0.5)
            self.writers["mca"].append(np.arange(k, k + 16, dtype=np.uint32)[np.newaxis])
            self.writers["peaks"].append_one(peaks(k))
            self.writers["status"].append_one(k % 3)
            self.writers["cam"].append(frame(k)[np.newaxis])
        self.count += count

    def stop(self, reason: EndReason = EndReason.SUCCESS, message: str = "") -> None:
        end = {"rot": Quantity(value=90.0, unit="deg"), "sz": Quantity(value=1.5, unit="mm")}
        self.run.stop(RunEnd(reason=reason, message=message, epoch=time.time(), positioners=end))
        self.run.close()

    def check(self, scan: ScanFile) -> None:
        """The file holds exactly what was acknowledged."""
        k = np.arange(self.count)
        expected = {
            "rot": 0.5 * k,
            "elapsed_time": 0.01 * k,
            "diode": k**0.5,
            "mca:spectrum": k[:, np.newaxis] + np.arange(16),
            "cam:status": k % 3,
        }
        assert {n: c.count for n, c in scan.channels.items()} == dict.fromkeys(
            [*expected, "cam", "cam:peaks"], self.count
        )
        for name, values in expected.items():
            np.testing.assert_array_equal(scan.channels[name].read(0, self.count), values, err_msg=name)
        lists = scan.channels["cam:peaks"].read(0, self.count)
        for index in range(self.count):
            np.testing.assert_array_equal(lists[index], peaks(index))
        frames = scan.channels["cam"].read(0, self.count)
        for index in range(self.count):
            np.testing.assert_array_equal(frames[index], frame(index), err_msg=f"frame {index}")


def describe(saving: Saving | None, **more: Any) -> RunInfo:
    given: dict[str, Any] = {
        "name": "ascan",
        "title": "ascan rot 0 90 180 0.01",
        "start_epoch": time.time(),
        "clock_offset": time.time() - time.monotonic(),
        "saving": saving,
        "axes": ("rot",),
        "count_time": 0.01,
        "plots": (PlotHint(x="rot", y=("diode",)),),
        "positioners": {"rot": Quantity(value=0.0, unit="deg"), "sz": Quantity(value=1.5, unit="mm")},
        "parameters": {"start": 0.0, "stop": 90.0},
        "devices": {"cam": {"gain": 2, "temperature": -10.0, "temperature@units": "degC"}},
        "metadata": {"technique": {"image_key": 0}, "sample": {"description": "a tooth"}},
    }
    return RunInfo(**{**given, **more})


@pytest.fixture
def producer(buffer: Buffer, dataset: DatasetFolder) -> Iterator[Callable[..., Producer]]:
    """``producer(saving, readers=("saver",), **info)``: a run that was created but not started."""
    made: list[RunWriter] = []

    def make(saving: Saving | None = None, readers: tuple[str, ...] = ("saver",), **more: Any) -> Producer:
        info = describe(saving or dataset.saving(frames_per_file=16), **more)
        made.append(buffer.create_run(info, readers=readers))
        return Producer(made[-1])

    yield make
    for run in made:
        run.close()


@contextmanager
def saving(buffer: Buffer, options: SaverOptions = QUICK, session: str = "") -> Iterator[Saver]:
    """A saver in a thread of this process."""
    saver = Saver(buffer, options, session=session)
    over = threading.Event()
    thread = threading.Thread(target=saver.follow, args=(over.is_set,))
    thread.start()
    try:
        yield saver
    finally:
        over.set()
        thread.join()


def closed(buffer: Buffer, key: str) -> bool:
    return buffer.run(key).state is RunState.CLOSED


def wait_closed(buffer: Buffer, key: str, timeout: float = 30.0) -> None:
    run = buffer.run(key)
    assert run.wait(lambda: run.state is RunState.CLOSED, timeout), f"{key} was not closed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place]).returncode != 0:
        pytest.skip("optional: a small disk can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
