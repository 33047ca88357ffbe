"""A buffer of its own for each test, and short ways to make runs and channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import ChannelKind, ChannelSpec, EndReason, RunEnd, RunInfo

MakeRun = Callable[..., RunWriter]


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    return tmp_path / "spill"


@pytest.fixture
def buffer(buffer_root: Path, spill: Path) -> Buffer:
    return Buffer(buffer_root / "root", spill=spill)


@pytest.fixture
def other(buffer: Buffer, spill: Path) -> Buffer:
    """The same root as another process would open it."""
    return Buffer(buffer.root, spill=spill)


@pytest.fixture
def info() -> RunInfo:
    return RunInfo(name="ascan", title="ascan x 0 1 10 0.1", start_epoch=1_700_000_000.0)


@pytest.fixture
def end() -> RunEnd:
    return RunEnd(reason=EndReason.SUCCESS, epoch=1_700_000_100.0)


@pytest.fixture
def run(buffer: Buffer, info: RunInfo) -> Iterator[RunWriter]:
    writer = buffer.create_run(info, readers=["saver"])
    yield writer
    writer.close()


@pytest.fixture
def frames() -> ChannelSpec:
    """Small frames."""
    return ChannelSpec("cam", dtype="<u2", shape=(4, 8), kind=ChannelKind.RING)


@pytest.fixture
def peaks() -> ChannelSpec:
    return ChannelSpec("peaks", dtype="<u4", kind=ChannelKind.RAGGED)
