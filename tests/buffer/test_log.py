"""Logs."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.buffer import Buffer, LogWriter, RunReader, RunWriter, _mapping
from firstlight.buffer._blocks import RESOLUTION
from firstlight.buffer._column import LARGEST, Geometry
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    Conflict,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    InvalidInput,
    RunInfo,
    StorageFull,
)


@pytest.fixture
def reader(other: Buffer, run: RunWriter) -> RunReader:
    return other.run(run.key)


def read(reader: RunReader, name: str, start: int, stop: int) -> NDArray[Any]:
    values = reader.channel(name).read(start, stop)
    assert isinstance(values, np.ndarray)
    return values


def test_single_values_and_blocks_are_read_as_one_array(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("diode"))
    assert log.append_one(0.5) == 1
    assert log.append(np.array([1.5, 2.5])) == 3
    assert log.append(np.empty(0)) == 3
    assert log.count == reader.channel("diode").count == len(reader.channel("diode")) == 3
    assert read(reader, "diode", 0, 3).tolist() == [0.5, 1.5, 2.5]
    assert read(reader, "diode", 1, 2).tolist() == [1.5]
    assert read(reader, "diode", 3, 3).shape == (0,)


def test_a_log_grows_over_many_segments(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("diode"))
    expected = np.arange(3_000_000, dtype=float)
    at = 0
    for n in (1, 2047, 1, 5, 100_000, 1_500_000, 1_397_946):
        block = expected[at : at + n]
        at += n
        assert log.append(block) == at
    late = reader.channel("diode")
    values = late.read(0, at)
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, expected[:at])


def test_items_may_be_arrays_of_any_dtype(run: RunWriter, reader: RunReader) -> None:
    spectra = np.arange(60, dtype="<u2").reshape(5, 3, 4)
    log = run.create_log(ChannelSpec("mca", dtype="<u2", shape=(3, 4)))
    log.append(spectra[:4])
    log.append_one(spectra[4])
    np.testing.assert_array_equal(read(reader, "mca", 0, 5), spectra)
    pair = np.dtype([("x", "<f4"), ("n", "<i8")])
    text = run.create_log(ChannelSpec("word", dtype="<U8"))
    text.append(np.array(["yes", "no"]))
    assert read(reader, "word", 0, 2).tolist() == ["yes", "no"]
    assert pair.itemsize == 12


@pytest.mark.parametrize(
    "dtype", ["<f4", "<f8", "<f2", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", "<c16"]
)
def test_every_numeric_dtype_keeps_its_values(dtype: str, run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x", dtype=dtype))
    values = np.array([0, 1, 1, 0, 1]).astype(dtype)
    log.append(values)
    for value in values:
        log.append_one(value)
    log.append_one(dtype == "|b1" or 1)
    got = read(reader, "x", 0, 11)
    assert got.dtype == np.dtype(dtype)
    assert got.tolist() == [*values.tolist(), *values.tolist(), np.ones((), dtype).item()]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("<u1", 256), ("<u1", -1), ("<i4", 2**31), ("<i8", 0.5), ("<f8", 1j), ("<f8", "text"), ("<u2", [1])],
)
def test_a_value_that_does_not_fit_is_refused_and_nothing_is_kept(
    dtype: str, value: object, run: RunWriter, reader: RunReader
) -> None:
    log = run.create_log(ChannelSpec("x", dtype=dtype))
    with pytest.raises(InvalidInput):
        log.append_one(value)
    with pytest.raises(InvalidInput):
        log.append(np.asarray([value]))
    assert log.count == reader.channel("x").count == 0


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 3)])
def test_blocks_of_another_shape_are_refused(shape: tuple[int, ...], run: RunWriter) -> None:
    log = run.create_log(ChannelSpec("x", shape=(2, 3)))
    with pytest.raises(InvalidInput, match="shape"):
        log.append(np.zeros((2, *shape)) if shape else np.zeros(()))
    scalar = run.create_log(ChannelSpec("y"))
    with pytest.raises(InvalidInput, match="1-D"):
        scalar.append(np.zeros((4, 4)))
    assert log.append(np.zeros((2, 2, 3))) == 2


def test_blocks_in_other_layouts_and_byte_orders_are_copied_right(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(10.0)[::-2])
    log.append(np.arange(3.0).astype(">f8"))
    log.append(np.arange(3, dtype="<f4"))
    log.append(np.arange(3))
    assert read(reader, "x", 0, 14).tolist() == [9, 7, 5, 3, 1, 0, 1, 2, 0, 1, 2, 0, 1, 2]


def test_each_wrong_index_has_its_own_error(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(3.0))
    channel = reader.channel("x")
    with pytest.raises(IndexNotYetThere):
        channel.read(2, 4)
    for start, stop in ((-1, 2), (2, 1)):
        with pytest.raises(IndexNeverThere):
            channel.read(start, stop)
    log.seal()
    with pytest.raises(IndexNeverThere, match="3 items"):
        channel.read(2, 4)
    assert read(reader, "x", 0, 3).tolist() == [0, 1, 2]


def test_a_sealed_log_takes_nothing_and_says_why(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append_one(1.0)
    assert not reader.channel("x").sealed
    log.seal("the shutter jammed")
    log.seal("another reason")
    assert log.sealed
    assert reader.channel("x").sealed
    assert reader.channel("x").seal_reason == "the shutter jammed"
    with pytest.raises(Conflict, match="the shutter jammed"):
        log.append_one(2.0)
    with pytest.raises(Conflict):
        log.append(np.zeros(2))
    assert reader.channel("x").count == 1


def test_a_very_long_reason_is_cut(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.seal("é" * 5000)
    assert reader.channel("x").seal_reason.startswith("ééé")


def test_waiting_ends_with_the_items_or_with_the_seal(run: RunWriter, reader: RunReader) -> None:
    log = run.create_log(ChannelSpec("x"))
    channel = reader.channel("x")
    assert not channel.wait(1, 0.0)
    log.append(np.zeros(3))
    assert channel.wait(3, 0.0)
    assert not channel.wait(4, 0.01)
    log.seal()
    assert channel.wait(4, 0.0)


def test_latest_is_the_newest_item_with_its_time(buffer: Buffer, info: RunInfo) -> None:
    now = [100.0]
    with Buffer(buffer.root, now=lambda: now[0]).create_run(info) as run:
        log = run.create_log(ChannelSpec("x"))
        channel = buffer.run(run.key).channel("x")
        assert channel.latest() is None
        log.append_one(1.0)
        now[0] += 5.0
        log.append(np.array([2.0, 3.0]))
        block = channel.latest()
        assert block is not None
        assert (block.channel, block.first, np.asarray(block.values).tolist(), block.time) == ("x", 2, [3.0], 105.0)


def test_times_are_exact_for_slow_appends_and_within_the_resolution_for_fast_ones(
    buffer: Buffer, info: RunInfo
) -> None:
    now = [100.0]
    with Buffer(buffer.root, now=lambda: now[0]).create_run(info) as run:
        log = run.create_log(ChannelSpec("x"))
        truth = []
        rng = np.random.default_rng(5)
        for gap in rng.choice([0.0001, 0.004, 0.02, 7.0], 500):
            now[0] += gap
            n = int(rng.integers(1, 4))
            log.append(np.zeros(n))
            truth += [now[0]] * n
        channel = buffer.run(run.key).channel("x")
        times = channel.times(0, len(truth))
        late = np.array(truth) - times
        assert late.min() >= 0.0
        assert late.max() < RESOLUTION
        np.testing.assert_array_equal(channel.times(40, 50), times[40:50])
        alone = np.flatnonzero(np.diff(truth) >= RESOLUTION) + 1
        np.testing.assert_array_equal(times[alone], np.array(truth)[alone])


def test_capacity_makes_the_memory_ready(run: RunWriter) -> None:
    run.create_log(ChannelSpec("small"), capacity=11)
    run.create_log(ChannelSpec("large"), capacity=1_000_000)
    files = sorted(p.name for p in (run.path / "channels").iterdir() if p.suffix not in (".claim",))
    assert [f for f in files if f.startswith("small")] == ["small.head"]
    assert sum((run.path / "channels" / f).stat().st_size for f in files if f.startswith("large")) >= 8_000_000


def test_a_full_memory_continues_on_disk_and_a_full_disk_is_a_clear_error(
    run: RunWriter, reader: RunReader, spill: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = run.create_log(ChannelSpec("x"))
    real = _mapping.allocate
    memory = str(run.path)

    def refuse_memory(fd: int, size: int) -> None:
        if str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(memory):
            raise OSError(errno.ENOSPC, "full")
        real(fd, size)

    monkeypatch.setattr(_mapping, "allocate", refuse_memory)
    assert log.append(np.arange(30_000.0)) == 30_000
    assert any(p.is_symlink() and p.suffix == ".v1" for p in (run.path / "channels").iterdir())

    def refuse_all(fd: int, size: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(_mapping, "allocate", refuse_all)
    with pytest.raises(StorageFull):
        log.append(np.zeros(1_000_000))
    assert log.count == 30_000
    np.testing.assert_array_equal(read(reader, "x", 0, 30_000), np.arange(30_000.0))
    monkeypatch.setattr(_mapping, "allocate", real)
    assert log.append(np.zeros(1_000_000)) == 1_030_000
    assert read(reader, "x", 29_999, 30_001).tolist() == [29_999.0, 0.0]


def test_an_append_that_failed_half_way_can_be_repeated(
    run: RunWriter, reader: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(100.0))
    left = [2]
    real = _mapping.allocate

    def refuse_the_third(fd: int, size: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full")
        real(fd, size)

    with monkeypatch.context() as patch:
        patch.setattr(_mapping, "allocate", refuse_the_third)
        with pytest.raises(StorageFull):
            log.append(np.full(1_000_000, -1.0))
        assert log.append(np.arange(100.0, 5000.0)) == 5000
    assert log.append(np.arange(5000.0, 500_000.0)) == 500_000
    np.testing.assert_array_equal(read(reader, "x", 0, 500_000), np.arange(500_000.0))


def test_an_append_overtaken_by_a_seal_is_not_acknowledged(buffer: Buffer, info: RunInfo) -> None:
    sealing: list[LogWriter] = []

    def now() -> float:
        # Between the beginning and the end of an append, as another thread would.
        for log in sealing:
            sealing.clear()
            log.seal("aborted")
        return time.monotonic()

    with Buffer(buffer.root, now=now).create_run(info) as run:
        appends: list[Callable[[LogWriter], int]] = [lambda x: x.append_one(1.0), lambda x: x.append(np.ones(3))]
        for append in appends:
            log = run.create_log(ChannelSpec(f"x{len(buffer.run(run.key).channels)}"))
            assert append(log) > 0
            sealing.append(log)
            with pytest.raises(Conflict, match="aborted"):
                append(log)


def test_a_reader_of_a_removed_run_never_sees_the_memory_of_another(buffer: Buffer, info: RunInfo) -> None:
    with buffer.create_run(info) as run:
        run.create_log(ChannelSpec("x")).append(np.ones(100_000))
    channel = buffer.run(run.key).channel("x")
    before = channel.read(50_000, 60_000)
    assert np.asarray(before).min() == 1.0
    buffer.remove(run.key)
    with buffer.create_run(info) as following:
        following.create_log(ChannelSpec("x")).append(np.full(100_000, 2.0))
        with pytest.raises(IndexNoLongerThere):
            channel.read(50_000, 60_000)


def test_a_description_of_another_kind_is_refused(run: RunWriter, frames: ChannelSpec) -> None:
    with pytest.raises(InvalidInput, match="ring"):
        run.create_log(frames)
    with pytest.raises(InvalidInput, match="nothing"):
        run.create_log(ChannelSpec("x", shape=(3, 0)))
    with pytest.raises(InvalidInput, match="longer"):
        run.create_log(ChannelSpec("x" * 300))
    assert run.create_log(ChannelSpec("file", dtype="<U100", kind=ChannelKind.REFERENCE)).append_one("a.h5") == 1


def test_positions_follow_each_other_in_every_geometry() -> None:
    for nbytes, first in ((8, 1), (8, 2048), (24, 7), (100_000, 1), (3_000_000, 2), (LARGEST + 1, 1)):
        geometry = Geometry(nbytes, first)
        for part in range(14):
            start, end = geometry.start(part), geometry.start(part + 1)
            assert end > start
            assert geometry.part_of(start) == geometry.part_of(end - 1) == part
            if part:
                size = geometry.part_nbytes(part)
                assert size & (size - 1) == 0
                assert (end - start) * nbytes + 64 <= size
