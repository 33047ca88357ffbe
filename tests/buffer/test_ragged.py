"""Ragged channels."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.buffer import Buffer, RunReader, RunWriter
from firstlight.model import (
    ChannelSpec,
    Conflict,
    IndexNeverThere,
    IndexNotYetThere,
    InvalidInput,
    Ragged,
)


@pytest.fixture
def reader(other: Buffer, run: RunWriter) -> RunReader:
    return other.run(run.key)


def items(values: object) -> list[list[int]]:
    assert isinstance(values, Ragged)
    assert values.offsets[0] == 0
    assert values.offsets[-1] == len(values.values)
    return [item.tolist() for item in values]


def test_items_of_any_length_come_back_as_they_went_in(run: RunWriter, reader: RunReader, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks)
    assert ragged.append_one(np.array([1, 2, 3], "<u4")) == 1
    assert ragged.append(np.array([4, 5, 6], "<u4"), np.array([2, 0, 1])) == 4
    assert ragged.append_one(np.empty(0, "<u4")) == 5
    channel = reader.channel("peaks")
    assert channel.count == ragged.count == 5
    assert items(channel.read(0, 5)) == [[1, 2, 3], [4, 5], [], [6], []]
    assert items(channel.read(1, 3)) == [[4, 5], []]
    assert items(channel.read(5, 5)) == []
    block = channel.latest()
    assert block is not None
    assert items(block.values) == [[]]


def test_values_and_ends_grow_over_many_segments(run: RunWriter, reader: RunReader, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks)
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, 200, 20_000)
    values = np.arange(lengths.sum(), dtype="<u4")
    at = low = 0
    while at < len(lengths):
        n = min(int(rng.integers(1, 3000)), len(lengths) - at)
        high = low + int(lengths[at : at + n].sum())
        ragged.append(values[low:high], lengths[at : at + n])
        at, low = at + n, high
    channel = reader.channel("peaks")
    every = channel.read(0, 20_000)
    assert isinstance(every, Ragged)
    np.testing.assert_array_equal(every.values, values)
    np.testing.assert_array_equal(np.diff(every.offsets), lengths)
    part = channel.read(9_990, 10_010)
    for k, item in enumerate(part):
        np.testing.assert_array_equal(item, every[9_990 + k])


def test_a_view_never_cuts_an_item(run: RunWriter, reader: RunReader, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks)
    for k in range(300):
        ragged.append_one(np.full(1000 + k, k, "<u4"))
    copied = 0
    with reader.retain("saver") as saver:
        at = 0
        while at < 300:
            with saver.view("peaks", at, 300) as view:
                assert isinstance(view, Ragged)
                assert not view.values.flags.writeable
                for k, item in enumerate(view):
                    assert len(item) == 1000 + at + k
                    assert (item == at + k).all()
                copied += view.values.flags.owndata
                at += len(view)
    assert copied <= 6  # one where each segment ends


def test_a_view_of_empty_items_is_read_only_too(run: RunWriter, reader: RunReader, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks)
    ragged.append_one(np.empty(0, "<u4"))
    with reader.retain("saver") as saver, saver.view("peaks", 0, 1) as view:
        assert isinstance(view, Ragged)
        assert items(view) == [[]]
        assert not view.values.flags.writeable


def test_lengths_must_fit_the_values(run: RunWriter, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks)
    values = np.arange(4, dtype="<u4")
    for lengths in ([3], [5], [5, -1]):
        with pytest.raises(InvalidInput):
            ragged.append(values, np.array(lengths))
    with pytest.raises(InvalidInput):
        ragged.append(values, np.array([2.0, 2.0]))
    with pytest.raises(InvalidInput):
        ragged.append(values.reshape(2, 2), np.array([4]))
    with pytest.raises(InvalidInput):
        ragged.append(np.array([0.5]), np.array([1]))
    assert ragged.count == 0
    with pytest.raises(InvalidInput, match=r"shape is \(\)"):
        run.create_ragged(ChannelSpec("other", shape=(2,), kind=peaks.kind))


def test_a_sealed_ragged_channel_ends(run: RunWriter, reader: RunReader, peaks: ChannelSpec) -> None:
    ragged = run.create_ragged(peaks, capacity=10_000, values=100_000)
    ragged.append_one(np.zeros(2, "<u4"))
    channel = reader.channel("peaks")
    with pytest.raises(IndexNotYetThere):
        channel.read(0, 2)
    ragged.seal()
    with pytest.raises(IndexNeverThere):
        channel.read(0, 2)
    with pytest.raises(Conflict):
        ragged.append_one(np.zeros(2, "<u4"))
    assert channel.times(0, 1).shape == (1,)
