from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the filters that h5py needs to read
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firstlight.model import ChannelKind, ChannelSpec, DataError, InvalidInput, StorageFull
from firstlight.storage._bitshuffle import Compressor, filter_options
from firstlight.storage._digest import digest
from firstlight.storage._framefile import dataset_path, frame_records
from firstlight.storage._frames import FrameWriter, Part, remove_journals
from firstlight.storage._journal import Journal, Record, read_journal

COMPRESSIONS = ["none", "bitshuffle-lz4"]


def spec(shape: tuple[int, ...] = (16, 24), dtype: str = "<u2", name: str = "cam") -> ChannelSpec:
    return ChannelSpec(name, dtype, shape, unit="count", kind=ChannelKind.RING)


def images(count: int, shape: tuple[int, ...] = (16, 24), dtype: str = "<u2", seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 200, (count, *shape)).astype(dtype)


def stored(folder: Path, parts: list[Part]) -> NDArray[Any]:
    found = []
    for part in parts:
        with h5py.File(folder / part.file, "r") as file:
            found.append(file[part.dataset][: part.count])
    return np.concatenate(found)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_frames_come_back_from_a_row_of_files(tmp_path: Path, compression: str) -> None:
    expected = images(25)
    writer = FrameWriter(tmp_path, spec(), frames_per_file=10, compression=compression)
    for start, stop in ((0, 1), (1, 4), (4, 25)):
        writer.write(expected[start:stop])
    writer.close()

    parts = writer.parts()
    assert [(p.file, p.count) for p in parts] == [("cam_0000.h5", 10), ("cam_0001.h5", 10), ("cam_0002.h5", 5)]
    np.testing.assert_array_equal(stored(tmp_path, parts), expected)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_file_has_the_frames_written_so_far_and_no_more(tmp_path: Path, compression: str) -> None:
    writer = FrameWriter(tmp_path, spec(), compression=compression)
    expected = images(6)
    for k in range(6):
        writer.write(expected[k : k + 1])
        writer.flush()
        with h5py.File(tmp_path / "cam_0000.h5", "r", locking=False) as file:
            np.testing.assert_array_equal(file[dataset_path("cam")][()], expected[: k + 1])
            assert file["entry_0000/measurement/data"].shape[0] == k + 1
    writer.close()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(["|u1", "<u2", "<u4", "<i4", "<i8", "<f4", "<f8"]),
    count=st.integers(1, 7),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_compressed_by_threads_are_read_by_the_hdf5_filter(
    shape: tuple[int, int], dtype: str, count: int, seed: int
) -> None:
    expected = images(count, shape, dtype, seed)
    compressor = Compressor(shape[0] * shape[1], np.dtype(dtype), 2)
    number, options = filter_options()
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset(
            "d", expected.shape, dtype, chunks=(1, *shape), compression=number, compression_opts=options
        )
        for k, chunk in enumerate(compressor.compress(expected)):
            dataset.id.write_direct_chunk((k, 0, 0), chunk)
        np.testing.assert_array_equal(dataset[()], expected)
    compressor.close()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("flushed", [0, 3, 12])
def test_a_writer_that_was_killed_loses_no_frame(tmp_path: Path, compression: str, flushed: int) -> None:
    """Giving up leaves the files as a kill does: HDF5's index ends at the last flush, the journal does not."""
    expected = images(30)
    first = FrameWriter(tmp_path, spec(), frames_per_file=20, compression=compression)
    for k in range(12):
        first.write(expected[k : k + 1])
        if k + 1 == flushed:
            first.flush()
    first.give_up()

    second = FrameWriter(tmp_path, spec(), frames_per_file=20, compression=compression)
    assert second.count == 12
    second.write(expected[12:])
    second.close()
    np.testing.assert_array_equal(stored(tmp_path, second.parts()), expected)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_file_that_hdf5_can_not_open_is_rebuilt_beside_itself(tmp_path: Path, compression: str) -> None:
    expected = images(9)
    first = FrameWriter(tmp_path, spec(), compression=compression)
    first.write(expected)
    first.flush()
    first.give_up()
    path = tmp_path / "cam_0000.h5"
    before = path.stat().st_ino
    with path.open("r+b") as file:
        file.write(b"\0" * 64)  # the superblock

    second = FrameWriter(tmp_path, spec(), compression=compression)
    second.close()
    np.testing.assert_array_equal(stored(tmp_path, second.parts()), expected)
    assert path.stat().st_ino != before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cam_0000.h5", "cam_0000.journal"]


def test_a_salvage_that_is_killed_between_its_two_renamings_is_taken_up(tmp_path: Path) -> None:
    expected = images(9)
    first = FrameWriter(tmp_path, spec(), compression="bitshuffle-lz4")
    first.write(expected)
    first.give_up()
    old = (tmp_path / "cam_0000.journal").read_bytes()
    FrameWriter(tmp_path, spec(), compression="bitshuffle-lz4").close()
    (tmp_path / "cam_0000.journal").write_bytes(old)

    again = FrameWriter(tmp_path, spec(), compression="bitshuffle-lz4")
    again.close()
    np.testing.assert_array_equal(stored(tmp_path, again.parts()), expected)


def test_frames_whose_record_is_torn_were_not_saved(tmp_path: Path) -> None:
    expected = images(9)
    first = FrameWriter(tmp_path, spec())
    first.write(expected)
    first.give_up()
    journal = tmp_path / "cam_0000.journal"
    journal.write_bytes(journal.read_bytes()[:-7])

    second = FrameWriter(tmp_path, spec())
    assert second.count == 8
    second.write(expected[8:])
    second.close()
    np.testing.assert_array_equal(stored(tmp_path, second.parts()), expected)


def test_a_payload_that_is_not_what_was_written_is_never_passed_on(tmp_path: Path) -> None:
    first = FrameWriter(tmp_path, spec())
    first.write(images(5))
    first.give_up()
    record = read_journal(tmp_path / "cam_0000.journal").records[3]  # type: ignore[union-attr]
    with (tmp_path / "cam_0000.h5").open("r+b") as file:
        file.seek(record.offset + 10)
        file.write(b"\xff\xff")

    with pytest.raises(DataError, match=r"Frame 3 .* is damaged"):
        FrameWriter(tmp_path, spec())


def test_two_channels_whose_names_look_alike_in_files_keep_their_frames(tmp_path: Path) -> None:
    one, other = images(4, seed=1), images(4, seed=2)
    for _ in range(2):
        writers = [FrameWriter(tmp_path, spec(name=n), frames_per_file=2) for n in ("cam-a", "cam.a")]
        for k in range(0, 4, 2):
            if writers[0].count < 4:
                writers[0].write(one[k : k + 2])
                writers[1].write(other[k : k + 2])
        for writer in writers:
            writer.give_up()
    for name, expected in (("cam-a", one), ("cam.a", other)):
        writer = FrameWriter(tmp_path, spec(name=name), frames_per_file=2)
        np.testing.assert_array_equal(stored(tmp_path, writer.parts()), expected)
        writer.close()


def test_a_missing_file_in_the_row_is_told_not_passed_over(tmp_path: Path) -> None:
    first = FrameWriter(tmp_path, spec(), frames_per_file=2)
    first.write(images(6))
    first.close()
    (tmp_path / "cam_0001.h5").unlink()
    (tmp_path / "cam_0001.journal").unlink()

    with pytest.raises(DataError, match="starts with frame 4"):
        FrameWriter(tmp_path, spec(), frames_per_file=2)


def test_files_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "cam_0000.h5"
    foreign.write_bytes(b"somebody's")
    writer = FrameWriter(tmp_path, spec())
    writer.write(images(2))
    writer.close()

    assert foreign.read_bytes() == b"somebody's"
    assert [p.file for p in writer.parts()] == ["cam_0001.h5"]


def test_journals_go_when_the_run_is_closed(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path, spec(), frames_per_file=2)
    writer.write(images(5))
    writer.close()
    remove_journals(tmp_path)
    assert [p.suffix for p in sorted(tmp_path.iterdir())] == [".h5"] * 3


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="gzip"):
        FrameWriter(tmp_path, spec(), compression="gzip")


def test_raw_frames_lie_page_aligned_and_apart(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path, spec((128, 128)))
    writer.write(images(10, (128, 128)))
    writer.close()
    offsets = [r.offset for r in frame_records(tmp_path / "cam_0000.h5", spec((128, 128)))]
    assert all(o % 4096 == 0 for o in offsets)
    assert all(b - a >= 2 * 128 * 128 for a, b in itertools.pairwise(offsets))


def test_a_limit_on_file_sizes_gives_one_clear_sentence_and_loses_nothing(tmp_path: Path) -> None:
    import resource
    import signal

    expected = images(64, (64, 64))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = FrameWriter(tmp_path, spec((64, 64)))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        with pytest.raises(StorageFull, match=r"cam_0000\.h5 can not be written: .* file size"):
            _write_all(writer, expected)
        writer.give_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(list(Path("/proc/self/fd").iterdir())) < 100

    again = FrameWriter(tmp_path, spec((64, 64)))
    assert 0 < again.count < 64
    again.write(expected[again.count :])
    again.close()
    np.testing.assert_array_equal(stored(tmp_path, again.parts()), expected)


def _write_all(writer: FrameWriter, frames: NDArray[Any]) -> None:
    for k in range(len(frames)):
        writer.write(frames[k : k + 1])


def test_threads_of_a_writer_end_with_it(tmp_path: Path) -> None:
    before = threading.active_count()
    for compression in COMPRESSIONS:
        writer = FrameWriter(tmp_path / compression, spec(), compression=compression)
        writer.write(images(5))
        writer.close()
    assert threading.active_count() == before


def test_the_checksum_sees_changed_lost_and_exchanged_pages() -> None:
    data = np.random.default_rng(0).integers(0, 2**60, 512 * 16)
    expected = digest(data)
    pages = data.reshape(16, 512)
    flipped, zeroed, swapped = data.copy(), pages.copy(), pages.copy()
    flipped[777] ^= 1
    zeroed[5] = 0
    swapped[[3, 9]] = swapped[[9, 3]]

    assert digest(data.tobytes()) == expected
    assert len({expected, digest(flipped), digest(zeroed), digest(swapped)}) == 4


@given(
    records=st.lists(st.tuples(*[st.integers(0, 2**40)] * 2, st.integers(0, 2**32 - 1)), max_size=20),
    cut=st.integers(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_a_journal_gives_back_every_whole_record(records: list[tuple[int, int, int]], cut: int) -> None:
    import tempfile

    expected = [Record(k, *values) for k, values in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        journal = Journal(path, spec(), 7, compressed=True)
        journal.append(expected)
        journal.close()
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - cut] if len(data) - cut >= 4096 else data)
        contents = read_journal(path)

    kept = len(expected) if len(data) - cut < 4096 else len(expected) - -(-cut // 40)
    assert contents is not None
    assert (contents.spec, contents.compressed, contents.first) == (spec(), True, 7)
    assert list(contents.records) == expected[:kept]
