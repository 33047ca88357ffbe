"""The same items, whatever place they are read from: memory, spill, a file that is written, closed, or compacted."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firstlight
from firstlight.buffer import Buffer, RingWriter, RunWriter
from firstlight.data import Run
from firstlight.model import (
    ChannelKind,
    EndReason,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    Quantity,
    Ragged,
    RunEnd,
    RunState,
)
from firstlight.storage import DataPolicy, Roots, RunSaver, SaverOptions, compact
from tests.data.conftest import SPECS, items_of, make_info

COUNT = 10


@dataclass
class Scene:
    """A buffer, a data folder, and one run that goes through its life."""

    buffer: Buffer
    data: Path
    slots: int
    saved: bool
    writer: RunWriter = field(init=False)
    channels: dict[str, Any] = field(init=False)
    process: subprocess.Popen[str] | None = None
    saver: threading.Thread | None = None

    def __post_init__(self) -> None:
        policy = DataPolicy("id00", Roots.under(self.data))
        dataset = policy.experiment("hc1234", "20251113").dataset("tooth", "0001")
        info = make_info(
            saving=dataset.saving(frames_per_file=4) if self.saved else None,
            positioners={"rot": Quantity(value=1.5, unit="deg")},
            parameters={"start": 0, "stop": 180},
        )
        self.writer = self.buffer.create_run(info, readers=("saver",) if self.saved else ())
        self.channels = {}
        for spec in SPECS:
            if spec.kind is ChannelKind.RING:
                self.channels[spec.name] = self.writer.create_ring(spec, self.slots)
            elif spec.kind is ChannelKind.RAGGED:
                self.channels[spec.name] = self.writer.create_ragged(spec)
            else:
                self.channels[spec.name] = self.writer.create_log(spec)
        self.writer.prepared()
        self.writer.running()

    @property
    def key(self) -> str:
        return self.writer.key

    @property
    def file(self) -> Path:
        assert self.writer.info.saving is not None
        return Path(self.writer.info.saving.file)

    @property
    def dataset_file(self) -> Path:
        assert self.writer.info.saving is not None
        return Path(self.writer.info.saving.dataset_file)

    def produce(self, start: int, stop: int) -> None:
        for spec in SPECS:
            whole = items_of(spec, COUNT)
            channel = self.channels[spec.name]
            if isinstance(whole, Ragged):
                part = whole.offsets[start : stop + 1]
                channel.append(whole.values[part[0] : part[-1]], np.diff(part))
            elif isinstance(channel, RingWriter):
                for frame in whole[start:stop]:
                    channel.append(frame[None])
            else:
                channel.append(whole[start:stop])

    def save(self) -> None:
        """Start to save: in another process where there is one, else in a thread."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(f"{self.buffer.root} {self.buffer.spill.parent} {self.key}\n")
            self.process.stdin.flush()
            return
        saver = RunSaver(self.buffer, self.buffer.run(self.key), SaverOptions(flush=0.02))
        self.saver = threading.Thread(target=saver.save)
        self.saver.start()

    def stop(self) -> None:
        self.writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1_763_000_100.0))

    def finish(self) -> None:
        """Stop, save to the end, and leave the buffer."""
        self.stop()
        if self.saver is None:
            self.save()
        assert self.saver is not None
        self.saver.join()
        self.writer.close()
        self.buffer.remove(self.key)

    def close(self) -> None:
        saved = self.saver is not None or self.process is not None
        if saved:
            self.stop()
        if self.saver is not None:
            self.saver.join()
        elif saved:
            assert firstlight.open(self.key, buffer=self.buffer).wait(RunState.CLOSED, 20)
        self.writer.close()


SAVER = """
import sys, threading
from pathlib import Path
from firstlight.buffer import Buffer
from firstlight.storage import RunSaver, SaverOptions
for line in sys.stdin:
    root, spill, key = line.split()
    buffer = Buffer(Path(root), spill=Path(spill))
    saver = RunSaver(buffer, buffer.run(key), SaverOptions(flush=0.02))
    threading.Thread(target=saver.save).start()
"""


@pytest.fixture(scope="module")
def saving_process() -> Iterator[subprocess.Popen[str]]:
    """Another process that saves the runs it is told."""
    process = subprocess.Popen([sys.executable, "-c", SAVER], stdin=subprocess.PIPE, text=True)
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


@pytest.fixture
def scene(buffer_root: Path, tmp_path: Path, saving_process: subprocess.Popen[str]) -> Iterator[Callable[..., Scene]]:
    """Makes scenes: ``scene(slots=32, saved=True, apart=False)``; ``apart``: saved by another process."""
    made: list[Scene] = []

    def make(*, slots: int = 32, saved: bool = True, apart: bool = False) -> Scene:
        buffer = Buffer(buffer_root, spill=tmp_path / "spill")
        found = Scene(buffer, tmp_path / "data", slots, saved, saving_process if apart else None)
        made.append(found)
        return found

    yield make
    for found in made:
        found.close()


def filled(run: Run) -> bool:
    return set(run) == {s.name for s in SPECS} and all(len(channel) == COUNT for channel in run.values())


PLACES = ["memory", "spill", "memory and file", "live file", "stopped", "closed file", "compacted file"]


@contextmanager
def opened(place: str, scene: Callable[..., Scene], empty: Path) -> Iterator[Run]:
    """A run with ten items in each channel, in one of the places.

    :param empty: a folder without a buffer, so that files are read as on another machine.
    """
    if place == "memory":
        made = scene(saved=False)
        made.produce(0, COUNT)
        run = firstlight.open(made.key, buffer=made.buffer)
    elif place == "spill":
        made = scene(slots=3)
        made.produce(0, COUNT)
        run = firstlight.open(made.key, buffer=made.buffer)
        assert not made.file.exists()
    elif place == "memory and file":
        made = scene(slots=3, apart=True)
        made.save()
        made.produce(0, COUNT)
        run = firstlight.open(made.key, buffer=made.buffer)
    elif place == "live file":
        made = scene(apart=True)
        made.save()
        made.produce(0, COUNT)
        assert firstlight.open(made.key, buffer=made.buffer).wait_for(made.file.exists, 10)
        run = firstlight.open(made.file, buffer=empty)
        assert run.wait_for(lambda: filled(run), 10)
        assert run.state is RunState.RUNNING
    elif place == "stopped":
        made = scene()
        made.produce(0, COUNT)
        made.stop()
        run = firstlight.open(made.key, buffer=made.buffer)
    else:
        made = scene(slots=3)
        made.save()
        made.produce(0, COUNT)
        made.finish()
        if place == "compacted file":
            compact(made.dataset_file)
            assert not made.file.exists()
            run = firstlight.open(made.dataset_file, scan=1, buffer=empty)
        else:
            run = firstlight.open(made.file, buffer=empty)
        assert run.state is RunState.CLOSED
    with run:
        yield run


@pytest.fixture(params=PLACES)
def anywhere(request: pytest.FixtureRequest, scene: Callable[..., Scene], tmp_path: Path) -> Iterator[Run]:
    with opened(request.param, scene, tmp_path / "none") as run:
        yield run


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, Ragged):
        assert isinstance(found, Ragged)
        same(found.values, expected.values)
        same(found.offsets, expected.offsets)
        return
    np.testing.assert_array_equal(found, expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    assert np.shape(found) == np.shape(expected)
    assert type(found) is type(expected)


@pytest.mark.parametrize("place", ["live file", "closed file", "compacted file"])
def test_where_items_are_stored_is_told_also_while_they_are_written(
    place: str, scene: Callable[..., Scene], tmp_path: Path
) -> None:
    h5py = pytest.importorskip("h5py")
    with opened(place, scene, tmp_path / "none") as run:
        for spec in SPECS:
            pieces = run[spec.name].stored()
            if spec.kind is ChannelKind.RAGGED:
                assert pieces == ()
                continue
            parts = []
            for piece in pieces:
                with h5py.File(piece.file, "r", locking=False) as file:
                    parts.append(file[piece.dataset][piece.first : piece.first + piece.count])
            assert len(parts) == (3 if spec.kind is ChannelKind.RING else 1)
            same(np.concatenate(parts), items_of(spec, COUNT))
        assert [piece.count for piece in run["cam"].stored(6)] == [4, 2]


def test_reading_gives_identical_arrays_everywhere(anywhere: Run) -> None:
    assert list(anywhere) == ["rot", "cam", "counts", "diode", "mca", "peaks"]
    for spec in SPECS:
        whole: Any = items_of(spec, COUNT)
        channel = anywhere[spec.name]
        assert channel.spec == spec
        assert len(channel) == COUNT
        same(channel[:], whole)
        for i in (0, 4, 9, -1, -10):
            same(channel[i], whole[i % COUNT])
        same(channel.last, whole[COUNT - 1])
        if spec.kind is ChannelKind.RAGGED:
            same(channel[3:7].values, whole.values[whole.offsets[3] : whole.offsets[7]])
            continue
        for key in (slice(2, 7), slice(None, None, -3), slice(7, 100), [9, 0, 5], np.arange(COUNT) % 2 == 0):
            same(channel[key], whole[key])
        if spec.shape:
            same(channel[2:5, 1], whole[2:5, 1])
            same(channel[-1, 0], whole[-1, 0])


def test_following_gives_the_same_items_everywhere(anywhere: Run) -> None:
    for spec in SPECS:
        whole: Any = items_of(spec, COUNT)
        blocks = list(islice(anywhere[spec.name].follow(limit=1, timeout=10), COUNT))
        assert [b.first for b in blocks] == list(range(COUNT))
        for i, block in enumerate(blocks):
            same(block.values[0], whole[i])


def test_the_description_is_the_same_everywhere(anywhere: Run) -> None:
    assert anywhere.title == "ascan rot 0 180 9 0.1 diode"
    assert anywhere.info.positioners == {"rot": Quantity(value=1.5, unit="deg")}
    assert anywhere.info.axes == ("rot",)
    assert anywhere.npoints == COUNT
    assert anywhere.key
    assert anywhere["diode"].unit == "A"
    assert "diode" in anywhere.__info__()


def test_what_is_beyond_the_end_says_why_everywhere(anywhere: Run) -> None:
    error = IndexNotYetThere if anywhere.state < RunState.STOPPED else IndexNeverThere
    for spec in SPECS:
        with pytest.raises(error, match=rf"{spec.name}\[10\]"):
            anywhere[spec.name][10]
        with pytest.raises(error, match=spec.name):
            anywhere[spec.name][-11]


def test_the_newest_item_is_the_same_everywhere(anywhere: Run) -> None:
    newest = anywhere["cam"].latest(4)
    assert newest is not None
    assert (newest.index, newest.lost) == (9, 5)
    same(newest.value, items_of(SPECS[4], COUNT)[9])


def test_the_tree_has_the_same_names_and_values_everywhere(anywhere: Run) -> None:
    tree = anywhere.tree
    for spec in SPECS:
        leaf = "value" if spec.name == "rot" else "data"
        for path in (f"measurement/{spec.name}", f"instrument/{spec.name}/{leaf}"):
            dataset = tree[path]
            whole: Any = items_of(spec, COUNT)
            expected = whole.values if isinstance(whole, Ragged) else whole
            same(dataset[:], expected)
            same(dataset[()], expected)
            assert dataset.shape == expected.shape
            assert dataset.dtype == np.dtype(spec.dtype)
            assert dataset.channel is not None
    same(tree["measurement/peaks_offsets"][:], items_of(SPECS[5], COUNT).offsets)  # type: ignore[union-attr]
    assert tree["title"].asstr()[()] == anywhere.title
    assert tree["measurement"].attrs["NX_class"] == "NXcollection"
    assert tree["measurement/diode"].attrs["units"] == "A"
    assert tree["instrument/positioners_start/rot"][()] == 1.5
    assert tree["scan_parameters/stop"][()] == 180
    same(tree["plotselect/diode"][:], items_of(SPECS[1], COUNT))
    assert tree["plotselect"].attrs["signal"] == "diode"


def test_the_tree_has_the_same_members_everywhere(anywhere: Run) -> None:
    seen: list[str] = []
    anywhere.tree.visititems(lambda path, item: seen.append(path))
    ended = {"end_time", "end_reason", "instrument/positioners_end", "firstlight/end"}
    assert {"measurement/cam", "instrument/cam/data", "plotselect/rot", "writer/status", "sample/name"} <= set(seen)
    assert ended.issubset(seen) == (anywhere.end is not None)


def test_an_ended_run_says_how(anywhere: Run) -> None:
    if anywhere.state < RunState.STOPPED:
        assert anywhere.end is None
    else:
        assert anywhere.end is not None
        assert anywhere.end.reason is EndReason.SUCCESS
        assert anywhere["cam"].sealed


def test_a_follower_stays_lossless_while_frames_leave_the_ring(scene: Callable[..., Scene]) -> None:
    made = scene(slots=4, apart=True)
    made.save()
    follower = firstlight.open(made.key, buffer=made.buffer)["cam"].follow(timeout=20)
    for i in range(COUNT):
        made.produce(i, i + 1)
    made.stop()
    frames = np.concatenate([np.asarray(b.values) for b in follower])
    same(frames, items_of(SPECS[4], COUNT))


def test_a_run_is_read_on_after_it_left_the_buffer(scene: Callable[..., Scene]) -> None:
    made = scene(slots=3)
    made.save()
    made.produce(0, COUNT)
    run = firstlight.open(made.key, buffer=made.buffer)
    same(run["diode"][:5], items_of(SPECS[1], COUNT)[:5])  # type: ignore[index]
    made.finish()
    for spec in SPECS:
        same(run[spec.name][:], items_of(spec, COUNT))
    assert run.state is RunState.CLOSED
    assert run["cam"].sealed


def test_an_unsaved_frame_that_was_recycled_is_no_longer_there(scene: Callable[..., Scene]) -> None:
    made = scene(slots=4, saved=False)
    made.produce(0, COUNT)
    run = firstlight.open(made.key, buffer=made.buffer)
    with pytest.raises(IndexNoLongerThere, match="not saved in a file"):
        run["cam"][0]
    same(run["cam"][-1], items_of(SPECS[4], COUNT)[9])
    newest = run["cam"].latest()
    assert newest is not None
    assert newest.index == 9


def test_two_readers_of_a_growing_file_both_see_it_grow(scene: Callable[..., Scene], tmp_path: Path) -> None:
    made = scene(apart=True)
    made.save()
    made.produce(0, 3)
    live = firstlight.open(made.key, buffer=made.buffer)
    assert live.wait_for(made.file.exists, 10)
    readers = [firstlight.open(made.file, buffer=tmp_path / "none") for _ in range(2)]
    for reader in readers:
        assert reader.channel("diode", timeout=10).wait(3, timeout=10)
    made.produce(3, COUNT)
    for reader in readers:
        assert reader["diode"].wait(COUNT, timeout=10)
        assert reader["cam"].wait(COUNT, timeout=10)
        same(reader["cam"][:], items_of(SPECS[4], COUNT))


def test_a_file_that_is_written_at_this_moment_is_looked_at_again(tmp_path: Path) -> None:
    import fcntl

    from firstlight.data._file import being_written, patiently
    from firstlight.model import NotFound

    path = tmp_path / "scan0001.h5"
    path.touch()
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        if len(looks) < 3:
            raise NotFound("nothing there yet")
        return len(looks)

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert being_written(path)
        assert patiently(path, look) == 3
    assert not being_written(path)
    looks.clear()
    with pytest.raises(NotFound):
        patiently(path, look)
    assert looks == [1]
