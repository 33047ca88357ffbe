"""Indexing a channel follows NumPy, and what is not there is said by a typed error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firstlight.data import Run
from firstlight.model import (
    ChannelRole,
    IndexNeverThere,
    IndexNotYetThere,
    InvalidInput,
    NotFound,
    Ragged,
)
from tests.data.conftest import SPECS, ArraySource, items_of

DENSE = [spec for spec in SPECS if spec.kind.value != "ragged"]

KEYS: list[Any] = [
    0,
    -1,
    7,
    np.int64(3),
    slice(None),
    slice(2, 5),
    slice(-3, None),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(8, 2, -3),
    slice(5, 5),
    slice(4, 100),
    slice(100, 200),
    [1, 5, 2],
    [3, 3, -1],
    [],
    np.array([[0, 1], [9, 8]]),
    np.arange(10) % 3 == 0,
    ...,
    (),
    (...,),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("spec", DENSE, ids=lambda s: s.name)
def test_an_index_gives_what_numpy_gives(run: Run, spec: Any, key: Any) -> None:
    expected = items_of(spec, 10)[key]
    found = run[spec.name][key]
    np.testing.assert_array_equal(found, expected)
    assert np.asarray(found).dtype == np.dtype(spec.dtype)
    assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize(
    "key",
    [
        (3, slice(1, 3)),
        (3, 2, 5),
        (slice(None), 2),
        (slice(None), slice(None), 3),
        (slice(None, None, -2), 1, slice(2, 4)),
        (..., 4),
        (2, ...),
        (slice(2, 6), ..., 0),
        ([4, 1], slice(1, 3)),
        ([4, 1], [0, 3], [5, 2]),
        ([4, 1], 2),
        (slice(0, 3), [0, 2], [1, 1]),
        (slice(0, 3), None, 2),
        (slice(0, 0), 2),
    ],
    ids=repr,
)
def test_more_indices_apply_to_each_item(run: Run, key: Any) -> None:
    frames: Any = items_of(SPECS[4], 10)
    np.testing.assert_array_equal(run["cam"][key], frames[key])
    assert run["cam"][key].shape == frames[key].shape


@pytest.mark.parametrize("portion", [1, 100, 1 << 20])
def test_reading_a_part_of_each_item_in_portions_changes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr("firstlight.data._select.PORTION", portion)
    frames: Any = items_of(SPECS[4], 10)
    for key in ((slice(None), 2), (slice(None, None, -1), 1), (slice(1, 9, 3), 3), (slice(9, 0, -4), ..., 2)):
        np.testing.assert_array_equal(run["cam"][key], frames[key])


@pytest.mark.parametrize("gap", [0, 48, 1 << 20])
def test_skipping_items_or_reading_across_gaps_changes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, gap: int
) -> None:
    monkeypatch.setattr("firstlight.data._select.GAP", gap)
    frames: Any = items_of(SPECS[4], 10)
    for key in (slice(None, None, 3), slice(8, 0, -2), [9, 0, 4, 4], [2, 3, 7]):
        np.testing.assert_array_equal(run["cam"][key], frames[key])


def test_a_slice_is_one_read(run: Run, source: ArraySource) -> None:
    run["diode"][2:8]
    assert source.made["diode"].reads == 1


def test_a_list_of_neighbours_is_one_read(run: Run, source: ArraySource) -> None:
    run["diode"][[7, 3, 4, 5, 3]]
    assert source.made["diode"].reads == 1


def test_what_is_returned_is_a_copy(run: Run) -> None:
    first = run["cam"][2]
    first[:] = 0
    assert run["cam"][2].any()


@pytest.mark.parametrize("key", ["x", 1.5, (0, 0, 0, 0), [0.5], (None, 2), (..., ...), {"a": 1}], ids=repr)
def test_what_is_no_index_is_refused(run: Run, key: Any) -> None:
    with pytest.raises(InvalidInput):
        run["cam"][key]


def test_a_mask_must_fit(run: Run) -> None:
    with pytest.raises(InvalidInput, match="mask"):
        run["diode"][[True, False]]


@pytest.mark.parametrize("key", [10, [0, 10], 1000], ids=repr)
def test_an_item_to_come_is_not_there_yet(run: Run, key: Any) -> None:
    with pytest.raises(IndexNotYetThere, match=r"not there yet.*wait") as caught:
        run["diode"][key]
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize("key", [10, [0, 10], -11, [0, -11]], ids=repr)
def test_an_item_beyond_a_sealed_end_will_never_be_there(run: Run, source: ArraySource, key: Any) -> None:
    source.stop()
    with pytest.raises(IndexNeverThere, match="never be there"):
        run["diode"][key]


def test_an_index_before_the_start_of_a_growing_channel_is_not_there_yet(run: Run) -> None:
    with pytest.raises(IndexNotYetThere):
        run["diode"][-11]


def test_the_reason_of_an_early_end_is_told(run: Run, source: ArraySource) -> None:
    source.made["diode"].seal("the camera died")
    with pytest.raises(IndexNeverThere, match="the camera died"):
        run["diode"][10]
    assert run["diode"].seal_reason == "the camera died"


def test_the_last_item_of_an_empty_channel_is_not_there_yet(run: Run, source: ArraySource) -> None:
    source.add(SPECS[1].__class__("late"))
    with pytest.raises(IndexNotYetThere):
        _ = run["late"].last
    source.stop()
    with pytest.raises(IndexNeverThere):
        _ = run["late"].last
    assert run["late"][:].shape == (0,)


def test_a_channel_describes_itself(run: Run) -> None:
    cam = run["cam"]
    assert cam.shape == (10, 4, 6)
    assert (cam.ndim, cam.size, cam.dtype, len(cam)) == (3, 240, np.dtype("<u2"), 10)
    assert (run["diode"].unit, run["diode"].role) == ("A", ChannelRole.COUNTER)
    assert not cam.sealed
    assert "10 items so far" in repr(cam)
    assert "4×6 uint16" in repr(cam)
    assert "newest value" in run["diode"].__info__()
    assert np.asarray(cam).shape == cam.shape
    np.testing.assert_array_equal(np.mean(run["diode"], axis=0), items_of(SPECS[1], 10).mean())  # type: ignore[union-attr]


def test_iterating_gives_the_items_that_are_there(run: Run) -> None:
    assert [float(v) for v in run["diode"]] == run["diode"][:].tolist()
    frames = list(run["cam"])
    assert len(frames) == 10
    np.testing.assert_array_equal(np.stack(frames), run["cam"][:])


def test_blocks_give_what_is_there_with_its_times(run: Run) -> None:
    (block,) = run["diode"].blocks()
    assert (block.channel, block.first, len(block), block.time) == ("diode", 0, 10, 9.0)


def test_items_of_varying_length_are_read_one_by_one_or_as_ragged(run: Run) -> None:
    whole = items_of(SPECS[5], 10)
    assert isinstance(whole, Ragged)
    peaks = run["peaks"]
    assert peaks.ragged
    for i in (0, 4, -1):
        np.testing.assert_array_equal(peaks[i], whole[i % 10])
    for key, indices in ((slice(2, 6), [2, 3, 4, 5]), (slice(None, None, -3), [9, 6, 3, 0]), ([5, 5, -1], [5, 5, 9])):
        found = peaks[key]
        assert isinstance(found, Ragged)
        assert found.values.dtype == np.float32
        assert found.offsets.dtype == np.int64
        assert found.offsets[0] == 0
        assert len(found) == len(indices)
        for got, i in zip(found, indices, strict=True):
            np.testing.assert_array_equal(got, whole[i])
    assert len(peaks[3:3]) == 0
    assert [len(item) for item in peaks] == [len(item) for item in whole]
    with pytest.raises(InvalidInput, match="ragged"):
        np.asarray(peaks)
    with pytest.raises(InvalidInput):
        peaks[2, 3]


def test_an_unknown_channel_names_the_nearest(run: Run) -> None:
    with pytest.raises(NotFound, match="Did you mean diode"):
        run["diod"]
    with pytest.raises(NotFound, match="rot"):
        run["xyz"]
    assert "diode" in run
    assert "diod" not in run
    assert run.get("diod") is None


def test_a_channel_that_appears_late_can_be_waited_for(run: Run, source: ArraySource) -> None:
    with pytest.raises(NotFound, match="waits for a channel to appear"):
        run.channel("late", timeout=0.01)
    source.add(SPECS[1].__class__("late"))
    assert len(run.channel("late", timeout=10)) == 0
