"""Budget, pool and removal."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer, BufferWarning, _buffer, _mapping, default_root
from firstlight.buffer._memory import is_segment
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    Conflict,
    FirstlightError,
    NotFound,
    RunEnd,
    RunInfo,
    RunState,
    StorageFull,
)

MB = 1_000_000


def fill(buffer: Buffer, info: RunInfo, *, readers: tuple[str, ...] = (), nbytes: int = 4 * MB) -> str:
    """A run of about that size, left by its owner."""
    with buffer.create_run(info, readers=readers) as run:
        run.create_log(ChannelSpec("x"), capacity=nbytes // 8).append(np.ones(nbytes // 8))
    return run.key


@pytest.fixture
def small(buffer_root: Path, spill: Path) -> Buffer:
    return Buffer(buffer_root / "root", budget=30 * MB, spill=spill)


def test_usage_counts_memory_pool_and_spill(buffer: Buffer, info: RunInfo, frames: ChannelSpec) -> None:
    assert buffer.usage().memory == 0
    with buffer.create_run(info, readers=["saver"]) as run:
        run.create_ring(frames, 4).append(np.ones((100, 4, 8), "<u2"))
        usage = buffer.usage()
        assert usage.memory > 4 * 64
        assert usage.spilled > 90 * 64
        assert usage.runs == 1
    buffer.remove(run.key, force=True)
    usage = buffer.usage()
    assert usage.memory == usage.pool > 0
    assert usage.spilled == usage.runs == 0
    buffer.clean()
    assert buffer.usage().memory == 0


def test_the_oldest_closed_runs_make_room_for_new_ones(small: Buffer, info: RunInfo) -> None:
    keys = [fill(small, info) for _ in range(20)]
    held = [entry.key for entry in small.runs()]
    assert held == keys[-len(held) :]
    assert 2 <= len(held) < 20
    assert small.usage().memory <= small.usage().budget


def test_runs_that_are_not_in_a_file_are_never_removed_to_make_room(small: Buffer, info: RunInfo, spill: Path) -> None:
    keys = [fill(small, info, readers=("saver",)) for _ in range(20)]
    assert [entry.key for entry in small.runs()] == keys
    assert small.usage().memory <= small.usage().budget
    assert small.usage().spilled > 30 * MB
    for key in keys:
        values = small.run(key).channel("x").read(0, 500_000)
        assert np.asarray(values).min() == 1.0
    for key in keys[:10]:
        small.run(key).mark_closed()
    more = [fill(small, info, readers=("saver",)) for _ in range(3)]
    held = [entry.key for entry in small.runs()]
    assert held[-13:] == keys[10:] + more
    assert len(held) < 23


def test_a_run_in_use_is_not_removed(small: Buffer, info: RunInfo, end: RunEnd) -> None:
    run = small.create_run(info, readers=["saver"])
    with pytest.raises(Conflict):
        small.remove(run.key)
    run.stop(end)
    reader = small.run(run.key)
    reader.mark_closed()
    with pytest.raises(Conflict, match="in use"):
        small.remove(run.key)
    run.close()
    with reader.retain("saver"), pytest.raises(Conflict, match="in use"):
        small.remove(run.key)
    small.remove(run.key)
    with pytest.raises(NotFound):
        small.run(run.key)
    with pytest.raises(NotFound):
        small.remove(run.key)
    with pytest.raises(NotFound):
        _ = reader.channels


def test_unsaved_data_are_removed_only_by_force(small: Buffer, info: RunInfo) -> None:
    key = fill(small, info, readers=("saver",))
    with pytest.raises(Conflict, match="saver may still need it"):
        small.remove(key)
    assert small.clean() == []
    assert small.clean(unsaved=True) == [key]


def test_cleaning_spares_the_living(small: Buffer, info: RunInfo) -> None:
    run = small.create_run(info)
    closed = fill(small, info)
    assert small.clean(unsaved=True) == [closed]
    assert run.state is RunState.CREATED
    run.close()


def test_memory_of_removed_runs_is_used_again(buffer: Buffer, info: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ChannelSpec("cam", dtype="<u2", shape=(512, 512), kind=ChannelKind.RING)
    with buffer.create_run(info) as run:
        run.create_ring(spec, 8)
        inode = (run.path / "channels" / "cam.s1").stat().st_ino
    buffer.remove(run.key)
    sizes = []
    real = _mapping.allocate

    def watch(fd: int, size: int) -> None:
        sizes.append(size)
        real(fd, size)

    monkeypatch.setattr(_mapping, "allocate", watch)
    with buffer.create_run(info) as run:
        run.create_ring(spec, 8)
        assert (run.path / "channels" / "cam.s1").stat().st_ino == inode
    assert max(sizes) < 100_000


def test_a_series_of_runs_goes_on_in_the_memory_of_the_first_ones(
    buffer: Buffer, info: RunInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = Buffer(buffer.root, spill=buffer.spill, keep=3)
    spec = ChannelSpec("cam", dtype="<u2", shape=(512, 512), kind=ChannelKind.RING)
    fresh = []
    real = _mapping.allocate

    def watch(fd: int, size: int) -> None:
        fresh.append(size)
        real(fd, size)

    monkeypatch.setattr(_mapping, "allocate", watch)
    keys = []
    for _ in range(12):
        with keeping.create_run(info) as run:
            run.create_ring(spec, 8).append(np.ones((9, 512, 512), "<u2"))
        keys.append(run.key)
        assert len(keeping.runs()) <= 4
    assert [entry.key for entry in keeping.runs()] == keys[-4:]
    assert len([size for size in fresh if size > 2 * MB]) == 4


def test_runs_that_are_not_closed_or_in_use_stay_however_old_they_are(
    buffer: Buffer, info: RunInfo, end: RunEnd
) -> None:
    keeping = Buffer(buffer.root, spill=buffer.spill, keep=2)
    going_on = keeping.create_run(info)
    unsaved = fill(keeping, info, readers=("saver",), nbytes=8000)
    read = fill(keeping, info, readers=("saver",), nbytes=8000)
    keeping.run(read).mark_closed()
    with buffer.run(read).retain("saver"):
        newest = [fill(keeping, info, nbytes=8000) for _ in range(5)][-3:]
        assert [entry.key for entry in keeping.runs()] == [going_on.key, unsaved, read, *newest]
    fill(keeping, info, nbytes=8000)
    assert read not in [entry.key for entry in keeping.runs()]
    going_on.stop(end)
    going_on.close()


def test_a_run_in_no_file_stays_as_long_as_somebody_here_holds_it(buffer: Buffer, info: RunInfo) -> None:
    keeping = Buffer(buffer.root, spill=buffer.spill, keep=2)
    with keeping.create_run(info) as run:
        sequence = run.key
        run.create_log(ChannelSpec("x")).append(np.ones(1000))
        parts = [fill(keeping, info.model_copy(update={"parent": sequence}), nbytes=8000) for _ in range(3)]
    held = keeping.run(sequence)
    for _ in range(6):
        fill(keeping, info, nbytes=8000)
    assert [entry.key for entry in keeping.runs()][:4] == [sequence, *parts]
    assert np.asarray(held.channel("x").read(0, 1000)).min() == 1.0
    del held
    for _ in range(2):
        fill(keeping, info, nbytes=8000)
    assert len(keeping.runs()) == 3


def test_the_leftovers_of_a_day_are_removed_a_few_at_a_time(buffer: Buffer, info: RunInfo) -> None:
    for _ in range(50):
        fill(buffer, info, nbytes=8000)
    keeping = Buffer(buffer.root, spill=buffer.spill, keep=2)
    counts = []
    for _ in range(5):
        fill(keeping, info, nbytes=8000)
        counts.append(len(keeping.runs()))
    assert counts == [35, 20, 5, 3, 3]


def test_the_pool_is_emptied_before_anything_fails(small: Buffer, info: RunInfo) -> None:
    for k in range(1, 30):
        spec = ChannelSpec("cam", dtype="<u2", shape=(100 * k, 500), kind=ChannelKind.RING)
        with small.create_run(info) as run:
            run.create_ring(spec, 8)
        small.remove(run.key)
    assert small.usage().memory <= 30 * MB


def test_a_full_file_system_evicts_closed_runs(buffer: Buffer, info: RunInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [fill(buffer, info) for _ in range(3)]
    real = os.statvfs

    def nearly_full(path: Path) -> os.statvfs_result:
        values = list(real(path))
        # Room for what is there, and nothing more.
        taken = sum(f.stat().st_blocks * 512 for f in buffer.root.rglob("*") if f.is_file())
        values[2], values[4] = 14 * MB // values[1], (14 * MB - taken) // values[1]
        return os.statvfs_result(values)

    monkeypatch.setattr(os, "statvfs", nearly_full)
    new = fill(buffer, info)
    held = [entry.key for entry in buffer.runs()]
    assert held[-1] == new
    assert held[0] != keys[0]
    with buffer.create_run(info) as run, pytest.raises(StorageFull):
        run.create_ring(ChannelSpec("cam", dtype="<u2", shape=(4096, 4096), kind=ChannelKind.RING), 10)


def test_a_root_of_somebody_else_or_of_another_version_is_refused(
    buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Buffer(buffer_root / "root")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 12345)
        with pytest.raises(Conflict, match="does not belong to you"):
            Buffer(buffer_root / "root")
    (buffer_root / "link").symlink_to(buffer_root / "root")
    with pytest.raises(Conflict, match="does not belong to you"):
        Buffer(buffer_root / "link")
    settings = buffer_root / "root" / "root.json"
    settings.write_text(settings.read_text().replace("firstlight-buffer 1", "firstlight-buffer 99"))
    with pytest.raises(Conflict, match="another version"):
        Buffer(buffer_root / "root")


def test_a_root_that_can_not_be_written_is_refused_in_one_sentence(buffer_root: Path) -> None:
    (buffer_root / "file").write_text("")
    with pytest.raises(Conflict, match="can not hold the buffer"):
        Buffer(buffer_root / "file")
    with pytest.raises(Conflict, match="can not hold the buffer"):
        Buffer(buffer_root / "file" / "root")
    with pytest.raises(Conflict, match="can not hold the buffer"):
        Buffer(Path("/proc/firstlight"))


def test_a_full_memory_without_a_folder_to_spill_to_is_a_clear_error(
    buffer_root: Path, tmp_path: Path, info: RunInfo
) -> None:
    (tmp_path / "file").write_text("")
    small = Buffer(buffer_root / "root", budget=MB, spill=tmp_path / "file")
    with small.create_run(info) as run:
        log = run.create_log(ChannelSpec("x"))
        with pytest.raises(StorageFull, match="can not take"):
            log.append(np.zeros(1_000_000))
        assert log.append(np.zeros(10)) == 10
        ring = run.create_ring(ChannelSpec("cam", dtype="<u2", shape=(8,), kind=ChannelKind.RING), 3)
    assert ring.count == 0


def test_a_ring_that_can_not_spill_says_why(buffer_root: Path, tmp_path: Path, info: RunInfo) -> None:
    (tmp_path / "file").write_text("")
    buffer = Buffer(buffer_root / "root", spill=tmp_path / "file")
    with buffer.create_run(info, readers=["saver"]) as run:
        ring = run.create_ring(ChannelSpec("cam", dtype="<u2", shape=(8,), kind=ChannelKind.RING), 3)
        with pytest.raises(FirstlightError, match="spill failed"):
            ring.append(np.zeros((10, 8), "<u2"))
        assert ring.count == 3


def test_a_new_root_is_private(buffer_root: Path) -> None:
    Buffer(buffer_root / "deep" / "root")
    assert (buffer_root / "deep" / "root").stat().st_mode & 0o777 == 0o700


def test_the_budget_of_a_root_is_shared_unless_said_otherwise(buffer_root: Path) -> None:
    Buffer(buffer_root / "root", budget=123 * MB)
    assert Buffer(buffer_root / "root").usage().budget == 123 * MB
    assert Buffer(buffer_root / "root", budget=5 * MB).usage().budget == 5 * MB
    assert Buffer(buffer_root / "other").usage().budget > 0


def test_a_small_shared_memory_falls_back_to_a_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRSTLIGHT_BUFFER", raising=False)
    assert default_root() == Path(f"/dev/shm/firstlight-{os.getuid()}")
    real = os.statvfs

    def docker(path: Path) -> os.statvfs_result:
        values = list(real(path))
        values[2] = 64 * 1024 * 1024 // values[1]
        return os.statvfs_result(values)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", docker)
        with pytest.warns(BufferWarning, match="slower"):
            root = default_root()
    assert root == tmp_path / f"firstlight-buffer-{os.getuid()}"
    monkeypatch.setattr(_buffer, "SHARED_MEMORY", tmp_path / "absent")
    with pytest.warns(BufferWarning):
        assert default_root() == root
    with Buffer(root).create_run(RunInfo(name="x", title="x", start_epoch=time.time())) as run:
        run.create_log(ChannelSpec("x")).append(np.arange(50_000.0))
    values = Buffer(root).run(run.key).channel("x").read(0, 50_000)
    assert np.asarray(values)[-1] == 49_999
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(tmp_path / "named"))
    assert default_root() == tmp_path / "named"


def test_segments_are_known_by_their_names() -> None:
    assert all(is_segment(name) for name in ("x.v1", "x.y.b12", "cam.s1", "x.e3", "x.m1", "x.x9"))
    assert not any(is_segment(name) for name in ("x.head", "x.claim", "x.new", "v1", "x.v", "x.q1"))


def test_lines_and_details_describe_what_is_there(
    buffer: Buffer, info: RunInfo, frames: ChannelSpec, end: RunEnd
) -> None:
    run = buffer.create_run(info, readers=["saver"])
    run.create_log(ChannelSpec("x", unit="mm")).append(np.arange(5.0))
    member = buffer.join(run.key)
    member.create_ring(frames, 4).append(np.ones((10, 4, 8), "<u2"))
    run.stop(end)
    with buffer.run(run.key).retain("saver") as saver:
        saver.release("x", 3)
        (line,) = buffer.summaries()
        assert (line.key, line.name, line.state, line.channels, line.alive) == (
            run.key,
            "ascan",
            RunState.STOPPED,
            2,
            True,
        )
        assert line.end == end
        assert line.memory > 0
        assert line.spilled > 0
        every = buffer.show(run.key)
        # The owner spills ahead, in its own time.
        assert replace(every.summary, spilled=line.spilled) == line
        assert every.info == info
        assert every.readers == {"saver": True}
        cam, x = every.channels
        assert (x.spec.unit, x.count, x.first, x.sealed, x.released, x.producer_alive) == (
            "mm",
            5,
            0,
            True,
            {"saver": 3},
            True,
        )
        assert (cam.count, cam.first, cam.missing, cam.sealed, cam.released) == (10, 0, 0, False, {"saver": 0})
    member.close()
    run.close()
    assert buffer.show(run.key).channels[0].producer_alive is False
    assert buffer.show(run.key).readers == {"saver": False}
    with pytest.raises(NotFound):
        buffer.show("nothing")
