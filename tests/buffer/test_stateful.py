"""Logs, ragged channels and rings against plain Python models, under random sequences of everything one can do."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from firstlight.buffer import (
    BackPressure,
    Buffer,
    ChannelReader,
    LogWriter,
    RaggedWriter,
    RetainingReader,
    RingBusy,
    RingWriter,
    RunWriter,
    _mapping,
)
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    Conflict,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    Ragged,
    RunInfo,
    StorageFull,
)

SHORT = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LONG = settings(SHORT, max_examples=2000, stateful_step_count=80, derandomize=False)

INFO = RunInfo(name="x", title="x", start_epoch=0.0)
READERS = ("saver", "reduction")


class Machine(RuleBasedStateMachine):
    """A run in a buffer of its own, and its retaining readers.

    How much fits depends on how fast the threads are that allocate ahead and spill: no precondition may depend on what
    follows from it, or the same examples would not draw the same rules again.
    """

    readers: tuple[str, ...] = READERS
    run: RunWriter
    channel: ChannelReader
    count: int

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
        self.patch = mock.patch.object(_mapping, "allocate", self.allocate)
        self.patch.start()
        self.real_allocate = self.patch.temp_original
        self.left: int | None = None  # allocations that succeed before the memory is full
        self.sealed = False
        self.retained: dict[str, RetainingReader] = {}
        self.released = dict.fromkeys(READERS, 0)

    def allocate(self, fd: int, size: int) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "full")
        self.real_allocate(fd, size)

    def open(self, *, readers: tuple[str, ...] = READERS, spill_limit: int | None = None) -> None:
        self.readers = readers
        self.buffer = Buffer(self.folder / "root", spill=self.folder / "spill", spill_limit=spill_limit)
        self.run = self.buffer.create_run(INFO, readers=readers)

    def follow(self, name: str) -> None:
        self.other = Buffer(self.folder / "root", spill=self.folder / "spill")
        self.channel = self.other.run(self.run.key).channel(name)
        for reader in self.readers:
            self.retained[reader] = self.other.run(self.run.key).retain(reader)

    def check(self, values: NDArray[Any] | Ragged, start: int) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        self.left = None
        if hasattr(self, "run"):
            for reader in self.retained.values():
                reader.close()
            self.run.close()
        self.patch.stop()
        shutil.rmtree(self.folder)

    # -- what readers of every kind do

    @rule(start=st.integers(-3, 400), n=st.integers(0, 60))
    def read(self, start: int, n: int) -> None:
        stop = start + n
        try:
            values = self.channel.read(start, stop)
        except IndexNoLongerThere:
            assert not self.must_be_there(start, stop)
        except IndexNotYetThere:
            assert not self.sealed
            assert stop > self.count
        except IndexNeverThere:
            assert start < 0 or (self.sealed and stop > self.count)
        else:
            assert 0 <= start <= stop <= self.count
            assert len(values) == n
            self.check(values, start)
            times = self.channel.times(start, stop)
            assert (np.diff(times) >= 0).all()

    def must_be_there(self, start: int, stop: int) -> bool:
        return True

    @rule()
    def join_late(self) -> None:
        late = Buffer(self.folder / "root", spill=self.folder / "spill").run(self.run.key).channel(self.channel.name)
        assert late.count == self.count
        while True:  # the thread that spills also gives up what everybody has released
            first = late.first
            try:
                values = late.read(first, self.count)
            except IndexNoLongerThere:
                assert late.first > first
            else:
                break
        self.check(values, first)
        if self.readers:
            assert late.first <= min(self.released[r] for r in self.readers)

    @rule()
    def see_the_newest(self) -> None:
        block = self.channel.latest()
        if self.count == 0:
            assert block is None
        else:
            assert block is not None
            assert block.first == self.count - 1
            self.check(block.values, block.first)

    @precondition(lambda self: self.readers)
    @rule(who=st.integers(0, 1), part=st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
    def release(self, who: int, part: float) -> None:
        reader = self.readers[who % len(self.readers)]
        upto = self.released[reader] + round(part * (self.count - self.released[reader]))
        self.retained[reader].release(self.channel.name, upto)
        self.released[reader] = upto

    @precondition(lambda self: self.readers)
    @rule(who=st.integers(0, 1), skip=st.integers(0, 5), n=st.integers(1, 50))
    def view(self, who: int, skip: int, n: int) -> None:
        reader = self.readers[who % len(self.readers)]
        start = self.released[reader] + skip
        stop = min(start + n, self.count)
        if start < stop:
            with self.retained[reader].view(self.channel.name, start, stop) as values:
                assert 1 <= len(values) <= stop - start
                array = values.values if isinstance(values, Ragged) else values
                assert not array.flags.writeable
                self.check(values, start)

    @precondition(lambda self: self.readers)
    @rule(who=st.integers(0, 1))
    def restart_a_reader(self, who: int) -> None:
        reader = self.readers[who % len(self.readers)]
        self.retained[reader].close()
        self.retained[reader] = self.other.run(self.run.key).retain(reader)
        assert self.retained[reader].position(self.channel.name) == self.released[reader]

    @invariant()
    def what_is_not_released_is_there(self) -> None:
        if hasattr(self, "channel") and self.readers:
            for at in {min(self.released[r] for r in self.readers), max(0, self.count - 5)}:
                if self.released[self.readers[0]] <= at < self.count:
                    self.check(self.channel.read(at, min(at + 5, self.count)), at)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "channel"):
            assert self.channel.count == self.count
            assert self.channel.sealed == self.sealed


class Logs(Machine):
    """A log whose items are 2 KiB, so that segments end often."""

    @initialize(capacity=st.none() | st.integers(1, 100))
    def start(self, capacity: int | None) -> None:
        self.open()
        self.count = 0
        self.log: LogWriter = self.run.create_log(ChannelSpec("x", shape=(16, 16)), capacity=capacity)
        self.follow("x")

    def values(self, start: int, n: int) -> NDArray[np.float64]:
        return np.broadcast_to(np.arange(start, start + n, dtype=float)[:, None, None], (n, 16, 16))

    def check(self, values: NDArray[Any] | Ragged, start: int) -> None:
        np.testing.assert_array_equal(np.asarray(values), self.values(start, len(values)))

    @rule(n=st.integers(0, 60) | st.sampled_from([200, 400]))
    def append(self, n: int) -> None:
        self.add(lambda: self.log.append(self.values(self.count, n)), n)

    @rule()
    def append_one(self) -> None:
        self.add(lambda: self.log.append_one(self.values(self.count, 1)[0]), 1)

    def add(self, append: Any, n: int) -> None:
        try:
            assert append() == self.count + n
        except StorageFull:
            assert self.left is not None
        except Conflict:
            assert self.sealed
        else:
            assert not self.sealed or n == 0
            self.count += n

    @rule(left=st.sampled_from([None, None, 0, 1, 2, 4]))
    def memory(self, left: int | None) -> None:
        self.left = left

    @rule()
    def seal(self) -> None:
        if self.count <= 100:
            return
        self.log.seal("enough")
        self.sealed = True


class RaggedChannels(Machine):
    """A ragged channel of items of 0 to 5000 values."""

    @initialize()
    def start(self) -> None:
        self.open()
        self.count = 0
        self.items: list[NDArray[np.uint32]] = []
        spec = ChannelSpec("peaks", dtype="<u4", kind=ChannelKind.RAGGED)
        self.ragged: RaggedWriter = self.run.create_ragged(spec)
        self.follow("peaks")

    def check(self, values: NDArray[Any] | Ragged, start: int) -> None:
        assert isinstance(values, Ragged)
        assert values.offsets[0] == 0
        assert values.offsets[-1] == len(values.values)
        items = self.items[start : start + len(values)]
        assert np.diff(values.offsets).tolist() == [len(item) for item in items]
        np.testing.assert_array_equal(values.values, np.concatenate([np.empty(0, "<u4"), *items]))

    @rule(lengths=st.lists(st.integers(0, 40) | st.integers(0, 5000), max_size=12))
    def append(self, lengths: list[int]) -> None:
        items = [np.arange(n, dtype="<u4") + 7 * (self.count + k) for k, n in enumerate(lengths)]
        try:
            values = np.concatenate([np.empty(0, "<u4"), *items])
            assert self.ragged.append(values, np.array(lengths, int)) == self.count + len(items)
        except StorageFull:
            assert self.left is not None
        except Conflict:
            assert self.sealed
        else:
            assert not self.sealed
            self.items += items
            self.count += len(items)

    @rule(left=st.sampled_from([None, None, 0, 1, 2, 4]))
    def memory(self, left: int | None) -> None:
        self.left = left

    @rule()
    def seal(self) -> None:
        if self.count <= 60:
            return
        self.ragged.seal()
        self.sealed = True


class Rings(Machine):
    """A ring under every policy, with frames that all have one number."""

    @initialize(
        slots=st.integers(3, 9),
        policy=st.sampled_from([BackPressure.SPILL, *BackPressure]),
        readers=st.sampled_from([READERS, READERS, READERS[:1], ()]),
        small_spill=st.sampled_from([False, False, True]),
    )
    def start(self, slots: int, policy: BackPressure, readers: tuple[str, ...], small_spill: bool) -> None:
        self.policy, self.small_spill = policy, small_spill
        self.open(readers=readers, spill_limit=40 * 192 if small_spill else None)
        self.count = 0
        self.missing: set[int] = set()
        self.views: list[tuple[str, Any, NDArray[Any], int]] = []
        spec = ChannelSpec("cam", dtype="<i4", shape=(4, 6), kind=ChannelKind.RING)
        self.ring: RingWriter = self.run.create_ring(spec, slots, on_full=policy)
        self.slots = self.ring.slots
        self.follow("cam")

    def values(self, start: int, n: int) -> NDArray[np.int32]:
        numbers = [-1 if k in self.missing else k for k in range(start, start + n)]
        return np.broadcast_to(np.array(numbers, "<i4")[:, None, None], (n, 4, 6))

    def check(self, values: NDArray[Any] | Ragged, start: int) -> None:
        np.testing.assert_array_equal(np.asarray(values), self.values(start, len(values)))

    def needed(self) -> int:
        """The oldest item that must be readable."""
        if self.readers:
            return min(self.released[r] for r in self.readers)
        return max(0, self.count - self.slots)

    def must_be_there(self, start: int, stop: int) -> bool:
        return start >= self.needed()

    @rule(n=st.sampled_from([1, 2, 3, 5, 8, 13, 21]))
    def produce(self, n: int) -> None:
        for _ in range(n):
            try:
                slot = self.ring.slot(timeout=0.0 if self.policy is BackPressure.BLOCK else 5.0)
            except RingBusy:
                assert self.policy is BackPressure.BLOCK
                assert self.count - self.needed() + len(self.ring._pinned) >= self.slots
                return
            except StorageFull:
                assert self.policy is BackPressure.SPILL
                assert self.small_spill
                return
            except Conflict:
                assert self.sealed
                return
            assert not self.sealed
            slot[...] = self.count
            dropped = self.ring.dropped
            assert self.ring.commit() == self.count + 1
            if self.ring.dropped > dropped:
                assert self.policy in (BackPressure.DROP, BackPressure.DEGRADE)
                self.missing.add(self.count)
            self.count += 1

    @precondition(lambda self: self.policy is not BackPressure.SPILL or not self.small_spill)
    @rule(n=st.integers(1, 6), keep=st.integers(0, 5))
    def produce_several(self, n: int, keep: int) -> None:
        if self.sealed or self.policy is BackPressure.BLOCK:
            return
        slots = self.ring.several(n, timeout=5.0)
        assert 1 <= len(slots) <= n
        done = max(1, min(keep, len(slots)))
        slots[...] = np.arange(self.count, self.count + len(slots))[:, None, None]
        dropped = self.ring.dropped
        assert self.ring.commit(done) == self.count + done
        if self.ring.dropped > dropped:
            self.missing.add(self.count)
        self.count += done

    @precondition(lambda self: self.readers)
    @rule(who=st.integers(0, 1), skip=st.integers(0, 8), n=st.integers(1, 12))
    def hold_a_view(self, who: int, skip: int, n: int) -> None:
        if len(self.views) >= 4:
            return
        reader = self.readers[who % len(self.readers)]
        start = self.released[reader] + skip
        if start < self.count:
            view = self.retained[reader].view("cam", start, min(start + n, self.count))
            values = view.__enter__()
            assert isinstance(values, np.ndarray)
            self.check(values, start)
            self.views.append((reader, view, values, start))

    @rule(which=st.integers(0, 3))
    def drop_a_view(self, which: int) -> None:
        if not self.views:
            return
        _, view, values, start = self.views.pop(which % len(self.views))
        self.check(values, start)
        view.__exit__(None, None, None)

    @invariant()
    def held_views_stay_whole(self) -> None:
        for _, _, values, start in getattr(self, "views", ()):
            self.check(values, start)

    def restart_a_reader(self, who: int) -> None:
        reader = self.readers[who % len(self.readers)]
        mine = [view for view in self.views if view[0] == reader]
        self.views = [view for view in self.views if view[0] != reader]
        # Closed while views are open: they stay whole, and the next one comes when the last of them has ended.
        self.retained[reader].close()
        for _, view, values, start in mine:
            assert self.other.run(self.run.key).attended(reader)
            self.check(values, start)
            view.__exit__(None, None, None)
        super().restart_a_reader(who)

    restart_a_reader = precondition(lambda self: self.readers)(rule(who=st.integers(0, 1))(restart_a_reader))

    @invariant()
    def the_missing_are_known(self) -> None:
        if not hasattr(self, "ring"):
            return
        assert set(self.channel.missing(0, self.count).tolist()) == self.missing
        assert self.ring.dropped == len(self.missing)

    @rule(owner_dies=st.booleans())
    def seal(self, owner_dies: bool) -> None:
        if self.count <= 40:
            return
        if owner_dies and self.run._lock is not None:
            self.ring._close()
            self.run._lock.release()
            self.run._lock = None
            assert self.other.recover() == [self.run.key]
        else:
            self.ring.seal()
        self.sealed = True

    def teardown(self) -> None:
        try:
            # Whatever happened: what was not released is there, in order, for each reader.
            for reader in self.readers if hasattr(self, "ring") else ():
                at = self.released[reader]
                while at < self.count:
                    with self.retained[reader].view("cam", at, self.count) as values:
                        self.check(values, at)
                        at += len(values)
        finally:
            super().teardown()


@pytest.mark.parametrize("machine", [Logs, RaggedChannels, Rings])
def test_channels_behave_as_their_models(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("machine", [Logs, RaggedChannels, Rings])
def test_channels_behave_as_their_models_for_long(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)
