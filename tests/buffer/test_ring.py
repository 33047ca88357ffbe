"""Rings: slots, policies, and lossy reading."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.buffer import BackPressure, Buffer, RingBusy, RingReader, RingWriter, RunWriter
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    Conflict,
    DataError,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    InvalidInput,
    Ragged,
    RunInfo,
    StorageFull,
)


def frame(k: int, n: int = 1) -> NDArray[np.uint16]:
    return np.broadcast_to(np.arange(k, k + n, dtype="<u2")[:, None, None], (n, 4, 8))


def numbers(values: NDArray[Any] | Ragged) -> list[int]:
    """The numbers of whole frames; fails on a torn one."""
    assert isinstance(values, np.ndarray)
    assert (values == values[:, :1, :1]).all()
    return [int(v) for v in values[:, 0, 0]]


def ring_of(reader: object) -> RingReader:
    assert isinstance(reader, RingReader)
    return reader


@pytest.fixture
def free_run(buffer: Buffer, info: RunInfo) -> RunWriter:
    """A run without retaining readers."""
    return buffer.create_run(info)


def test_frames_are_written_in_place_and_read_back(free_run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    ring = free_run.create_ring(frames, 4)
    slot = ring.slot()
    assert slot.shape == (4, 8)
    assert ring.slot() is not None
    assert np.shares_memory(slot, ring.slot())
    slot[...] = 7
    channel = ring_of(other.run(free_run.key).channel("cam"))
    assert channel.count == 0
    assert channel.latest() is None
    assert ring.commit() == 1
    assert numbers(channel.read(0, 1)) == [7]
    block = channel.latest()
    assert block is not None
    assert (block.first, numbers(block.values)) == (0, [7])
    assert not np.shares_memory(slot, ring.slot())


def test_without_retaining_readers_the_oldest_frames_go(
    free_run: RunWriter, other: Buffer, frames: ChannelSpec
) -> None:
    ring = free_run.create_ring(frames, 4)
    assert ring.append(frame(0, 10)) == 10
    channel = other.run(free_run.key).channel("cam")
    assert channel.first == 6
    assert numbers(channel.read(6, 10)) == [6, 7, 8, 9]
    with pytest.raises(IndexNoLongerThere):
        channel.read(5, 7)
    with pytest.raises(IndexNotYetThere):
        channel.read(9, 11)
    ring.seal()
    with pytest.raises(IndexNeverThere):
        channel.read(9, 11)
    with pytest.raises(Conflict):
        ring.slot()
    assert numbers(channel.read(6, 10)) == [6, 7, 8, 9]


def test_several_slots_are_taken_and_committed_in_order(
    free_run: RunWriter, other: Buffer, frames: ChannelSpec
) -> None:
    ring = free_run.create_ring(frames, 5)
    channel = other.run(free_run.key).channel("cam")
    at = 0
    for wanted in (3, 4, 1, 5, 2, 9):
        slots = ring.several(wanted)
        assert 1 <= len(slots) <= wanted
        slots[...] = frame(at, len(slots))
        committed = max(1, len(slots) - 1)
        at += committed
        assert ring.commit(committed) == at
    first = channel.first
    assert numbers(channel.read(first, at)) == list(range(first, at))
    with pytest.raises(InvalidInput):
        ring.commit(9)


def test_frames_of_another_shape_are_refused(free_run: RunWriter, frames: ChannelSpec) -> None:
    ring = free_run.create_ring(frames, 4)
    with pytest.raises(InvalidInput):
        ring.append(np.zeros((2, 8, 4), "<u2"))
    with pytest.raises(InvalidInput):
        ring.append(np.zeros((2, 4, 8)))
    with pytest.raises(InvalidInput):
        free_run.create_ring(ChannelSpec("other", kind=ChannelKind.RING), 0)
    with pytest.raises(InvalidInput):
        free_run.create_ring(ChannelSpec("other"), 3)


def test_lagging_readers_make_frames_go_to_disk_and_come_back(
    run: RunWriter, other: Buffer, frames: ChannelSpec, spill: Path
) -> None:
    ring = run.create_ring(frames, 6)
    assert ring.append(frame(0, 200)) == 200
    reader = other.run(run.key)
    assert list(spill.rglob("cam.0.spill"))
    channel = reader.channel("cam")
    assert channel.first == 0
    assert numbers(channel.read(0, 200)) == list(range(200))
    with reader.retain("saver") as saver:
        at = 0
        while at < 200:
            with saver.view("cam", at, 200) as view:
                assert isinstance(view, np.ndarray)
                assert not view.flags.writeable
                assert numbers(view) == list(range(at, at + len(view)))
                at += len(view)
            saver.release("cam", at)
        assert saver.position("cam") == 200
    ring.append(frame(200, 3))
    assert 196 <= channel.first <= 200
    assert numbers(channel.read(channel.first, 203)) == list(range(channel.first, 203))


def test_a_full_spill_stops_the_producer_and_loses_nothing(
    buffer: Buffer, spill: Path, info: RunInfo, frames: ChannelSpec
) -> None:
    small = Buffer(buffer.root, spill=spill, spill_limit=20 * 1024)
    with small.create_run(info, readers=["saver"]) as run:
        ring = run.create_ring(frames, 4)
        with pytest.raises(StorageFull, match="limit"):
            ring.append(frame(0, 10_000))
        k = ring.count
        assert 100 < k < 10_000
        reader = buffer.run(run.key)
        with reader.retain("saver") as saver:
            assert numbers(reader.channel("cam").read(0, k)) == list(range(k))
            saver.release("cam", k - 2)
            assert ring.append(frame(k, 20)) == k + 20
            assert numbers(reader.channel("cam").read(k - 2, k + 20)) == list(range(k - 2, k + 20))


def test_spilled_frames_that_were_released_make_room_for_others(
    buffer: Buffer, spill: Path, info: RunInfo, frames: ChannelSpec
) -> None:
    small = Buffer(buffer.root, spill=spill, spill_limit=10 * 1024)
    with small.create_run(info, readers=["saver"]) as run:
        ring = run.create_ring(frames, 4)
        with buffer.run(run.key).retain("saver") as saver:
            at = 0
            for k in range(0, 600, 20):
                ring.append(frame(k, 20))
                while at < k + 20:
                    with saver.view("cam", at, k + 20) as view:
                        assert numbers(view) == list(range(at, at + len(view)))
                        at += len(view)
                    saver.release("cam", at)
        assert buffer.usage().spilled <= 11 * 1024


def test_a_damaged_spill_is_noticed(run: RunWriter, other: Buffer, frames: ChannelSpec, spill: Path) -> None:
    ring = run.create_ring(frames, 4)
    ring.append(frame(0, 20))
    ring.seal()
    file = next(spill.rglob("cam.0.spill"))
    contents = bytearray(file.read_bytes())
    contents[64 + 10] ^= 1
    file.write_bytes(contents)
    channel = other.run(run.key).channel("cam")
    with pytest.raises(DataError, match="damaged"):
        channel.read(0, 1)
    assert numbers(channel.read(1, 20)) == list(range(1, 20))
    file.write_bytes(contents[:100])
    with pytest.raises(DataError, match="cut short"):
        channel.read(1, 2)


def test_blocking_waits_for_the_reader(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    ring = run.create_ring(frames, 4, on_full=BackPressure.BLOCK)
    ring.append(frame(0, 4))
    with pytest.raises(RingBusy):
        ring.slot(timeout=0.0)
    reader = other.run(run.key)
    with reader.retain("saver") as saver:
        thread = threading.Thread(target=lambda: ring.append(frame(4, 30)))
        thread.start()
        for k in range(34):
            assert reader.channel("cam").wait(k + 1, 10.0)
            with saver.view("cam", k, k + 1) as view:
                assert numbers(view) == [k]
            saver.release("cam", k + 1)
        thread.join(10.0)
    assert not thread.is_alive()
    assert ring.count == 34


def test_a_producer_that_waits_is_freed_by_a_seal(
    run: RunWriter, frames: ChannelSpec, wait_for: Callable[..., None]
) -> None:
    ring = run.create_ring(frames, 4, on_full=BackPressure.BLOCK)
    ring.append(frame(0, 4))
    refused: list[Conflict] = []

    def produce() -> None:
        try:
            ring.slot()
        except Conflict as error:
            refused.append(error)

    thread = threading.Thread(target=produce)
    thread.start()
    wait_for(lambda: ring._room.flag[0] == 1)
    ring.seal("aborted")
    thread.join(10.0)
    assert len(refused) == 1


def test_dropped_frames_are_recorded_as_missing_and_read_as_fill(
    run: RunWriter, other: Buffer, frames: ChannelSpec
) -> None:
    ring = run.create_ring(frames, 4, on_full=BackPressure.DROP)
    assert ring.append(frame(0, 10)) == 10
    assert ring.dropped == 6
    reader = other.run(run.key)
    channel = reader.channel("cam")
    assert channel.missing(0, 10).tolist() == [4, 5, 6, 7, 8, 9]
    assert channel.missing(5, 7).tolist() == [5, 6]
    assert numbers(channel.read(0, 10)) == [0, 1, 2, 3] + [65535] * 6
    with reader.retain("saver") as saver:
        saver.release("cam", 2)
        ring.append(frame(10, 3))
        assert channel.missing(0, 13).tolist() == [4, 5, 6, 7, 8, 9, 12]
        assert numbers(channel.read(2, 13)) == [2, 3] + [65535] * 6 + [10, 11, 65535]
        with saver.view("cam", 4, 13) as view:
            assert numbers(view) == [65535]
    assert channel.first == 2
    with reader.retain("saver") as saver:
        saver.release("cam", 6)
        ring.append(frame(13, 2))
    assert channel.first == 4  # what is missing is there, as fill


def test_degrading_keeps_fewer_frames_the_fuller_the_ring(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    ring = run.create_ring(frames, 16, on_full=BackPressure.DEGRADE)
    ring.append(frame(0, 200))
    channel = other.run(run.key).channel("cam")
    missing = set(channel.missing(0, 200).tolist())
    kept = [k for k in range(200) if k not in missing]
    assert len(kept) == 16
    assert kept[:8] == list(range(8))
    assert all(b - a >= c - b or c - b >= b - a for a, b, c in zip(kept, kept[1:], kept[2:], strict=False))
    assert np.diff(kept).max() > 1
    values = numbers(channel.read(0, 200))
    assert values == [65535 if k in missing else k for k in range(200)]
    assert ring.dropped == len(missing)


def test_a_ring_has_room_for_all_its_readers(buffer: Buffer, info: RunInfo, frames: ChannelSpec) -> None:
    with buffer.create_run(info, readers=["a", "b", "c"]) as run:
        assert run.create_ring(frames, 1).slots == 5


def test_a_ring_larger_than_the_memory_is_refused_and_its_name_stays_free(
    buffer_root: Path, spill: Path, info: RunInfo
) -> None:
    small = Buffer(buffer_root / "root", budget=10_000_000, spill=spill)
    with small.create_run(info) as run:
        spec = ChannelSpec("cam", dtype="<u2", shape=(1024, 1024), kind=ChannelKind.RING)
        with pytest.raises(StorageFull, match="budget"):
            run.create_ring(spec, 8)
        assert not list((run.path / "channels").iterdir())
        assert run.create_ring(spec, 2).slots == 2


OVERWRITING = """
import sys
from pathlib import Path
import numpy as np
from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelSpec, RunInfo
run = Buffer(Path(sys.argv[1])).create_run(RunInfo(name="x", title="x", start_epoch=0.0))
ring = run.create_ring(ChannelSpec("cam", dtype="<u4", shape=(128, 128), kind=ChannelKind.RING), 3)
print(run.key, flush=True)
k = 0
while not (run.path / "enough").exists():
    for _ in range(200):
        ring.slot()[...] = k
        ring.commit()
        k += 1
ring.seal()
"""


def test_a_lossy_reader_never_sees_a_torn_frame(buffer: Buffer) -> None:
    child = subprocess.Popen([sys.executable, "-c", OVERWRITING, str(buffer.root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    reader = buffer.run(child.stdout.readline().strip())
    try:
        channel = reader.channel("cam")
        assert channel.wait(1, 10.0)
        whole = gone = 0
        while whole < 1500 or gone < 20:
            count = channel.count
            try:
                values = channel.read(max(0, count - 3), count)
            except IndexNoLongerThere:
                gone += 1
                continue
            assert isinstance(values, np.ndarray)
            for k, value in enumerate(values, max(0, count - 3)):
                assert (value == k).all()
            block = channel.latest()
            assert block is not None
            assert (np.asarray(block.values) == block.first).all()
            whole += 1
    finally:
        (reader.path / "enough").touch()
        child.stdout.close()
        assert child.wait(20) == 0


def test_pinned_frames_stay_while_the_ring_turns(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    ring = run.create_ring(frames, 8)
    ring.append(frame(0, 8))
    reader = other.run(run.key)
    with reader.retain("saver") as saver, saver.view("cam", 0, 8) as view:
        assert len(view) == 4  # half the ring at most
        before = np.array(view)
        ring.append(frame(8, 100))
        np.testing.assert_array_equal(view, before)
        with saver.view("cam", 1, 3) as inner, saver.view("cam", 90, 95) as outside:
            assert numbers(np.asarray(inner)) == [1]
            assert numbers(np.asarray(outside)) == [90]
        ring.append(frame(108, 100))
        np.testing.assert_array_equal(view, before)
        assert numbers(reader.channel("cam").read(0, 208)) == list(range(208))
    ring.append(frame(208, 50))
    assert numbers(reader.channel("cam").read(0, 258)) == list(range(258))
    assert ring._occupied() <= 8


def test_a_recycled_ring_never_shows_frames_of_the_run_before(
    buffer: Buffer, info: RunInfo, frames: ChannelSpec
) -> None:
    with buffer.create_run(info) as run:
        ring = run.create_ring(frames, 4)
        ring.append(frame(0, 4))
    stale = buffer.run(run.key).channel("cam")
    assert numbers(stale.read(0, 4)) == [0, 1, 2, 3]
    buffer.remove(run.key)
    assert buffer.usage().pool > 0
    with buffer.create_run(info) as following:
        fresh = following.create_ring(frames, 4)
        assert buffer.usage().pool == 0
        with pytest.raises(IndexNoLongerThere):
            stale.read(0, 1)
        reader = buffer.run(following.key).channel("cam")
        assert reader.count == 0
        fresh.append(frame(50, 2))
        assert numbers(reader.read(0, 2)) == [50, 51]


def test_scalars_can_be_kept_in_a_ring(free_run: RunWriter, other: Buffer) -> None:
    ring: RingWriter = free_run.create_ring(ChannelSpec("x", kind=ChannelKind.RING), 3)
    ring.append(np.arange(5.0))
    assert np.asarray(other.run(free_run.key).channel("x").read(2, 5)).tolist() == [2, 3, 4]
