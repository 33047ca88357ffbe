"""A run is read seamlessly while its items move from memory to its file."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from firstlight.data import Run
from firstlight.model import (
    ChannelSpec,
    IndexNoLongerThere,
    IndexNotYetThere,
    NotFound,
    RunState,
)
from tests.data.conftest import ArraySource, make_info

Make = Callable[[ArraySource, ArraySource | None], Run]


@pytest.fixture
def pair() -> tuple[ArraySource, ArraySource]:
    """The same ten items live and in a file."""
    sources = ArraySource(make_info(), "live"), ArraySource(make_info(), "file")
    for source in sources:
        source.add(ChannelSpec("diode"), np.arange(10.0))
    return sources


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data._resolver.GRACE", 0.05)


def test_memory_is_asked_first(pair: tuple[ArraySource, ArraySource], moving: Make) -> None:
    live, file = pair
    assert moving(live, file)["diode"][:].tolist() == list(range(10))
    assert file.made["diode"].reads == 0


def test_what_memory_released_comes_from_the_file(pair: tuple[ArraySource, ArraySource], moving: Make) -> None:
    live, file = pair
    live.made["diode"].release(6)
    run = moving(live, file)
    assert run["diode"][:].tolist() == list(range(10))
    assert run["diode"][2:4].tolist() == [2, 3]
    assert run["diode"][[9, 0]].tolist() == [9, 0]
    assert file.made["diode"].reads == 3


def test_an_item_recycled_during_the_copy_comes_from_the_file(
    pair: tuple[ArraySource, ArraySource], moving: Make
) -> None:
    live, file = pair
    read = live.made["diode"].read

    def recycled(start: int, stop: int) -> object:
        live.made["diode"].first = stop
        live.made["diode"].read = read  # type: ignore[method-assign]
        raise IndexNoLongerThere("recycled")

    live.made["diode"].read = recycled  # type: ignore[method-assign, assignment]
    assert moving(live, file)["diode"][:].tolist() == list(range(10))
    assert file.made["diode"].reads == 1


def test_a_log_that_memory_lost_as_a_whole_is_one_read_of_the_file(
    pair: tuple[ArraySource, ArraySource], moving: Make
) -> None:
    live, file = pair

    def lost(start: int, stop: int) -> object:
        raise IndexNoLongerThere("the run was removed")

    live.made["diode"].read = lost  # type: ignore[method-assign, assignment]
    assert moving(live, file)["diode"][:].tolist() == list(range(10))
    assert file.made["diode"].reads == 1


def test_an_item_that_is_in_neither_place_is_no_longer_there(
    pair: tuple[ArraySource, ArraySource], moving: Make
) -> None:
    live, _ = pair
    live.made["diode"].release(6)
    empty = ArraySource(make_info(), "file")
    empty.add(ChannelSpec("diode"))
    run = moving(live, empty)
    with pytest.raises(IndexNoLongerThere, match=r"diode\[0\] is no longer there.*not in file"):
        run["diode"][:]
    assert empty.refreshed > 0
    with pytest.raises(IndexNoLongerThere, match="does not exist"):
        moving(live, None)["diode"][3]
    assert run["diode"][6:].tolist() == [6, 7, 8, 9]


def test_an_unsaved_run_says_that_released_items_are_lost(source: ArraySource, run: Run) -> None:
    source.made["diode"].release(6)
    with pytest.raises(IndexNoLongerThere, match="not saved"):
        run["diode"][0]
    with pytest.raises(IndexNotYetThere):
        run["diode"][10]


def test_the_file_is_waited_for_while_the_saver_flushes(
    pair: tuple[ArraySource, ArraySource], moving: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.data._resolver.GRACE", 10.0)
    live, _ = pair
    live.made["diode"].release(8)
    late = ArraySource(make_info(), "file")
    channel = late.add(ChannelSpec("diode"))
    threading.Timer(0.05, lambda: channel.append(np.arange(10.0))).start()
    assert moving(live, late)["diode"][:].tolist() == list(range(10))


def test_reading_goes_on_in_the_file_when_the_run_leaves_the_buffer(
    pair: tuple[ArraySource, ArraySource], moving: Make
) -> None:
    live, file = pair
    file.stop()
    file.state = RunState.CLOSED
    run = moving(live, file)
    diode = run["diode"]
    before = run.live
    assert diode[3] == 3
    live.gone = True
    assert diode[:].tolist() == list(range(10))
    assert diode.sealed
    assert (before, run.live) == (True, False)
    assert run.state is RunState.CLOSED
    assert run.where == "file"
    assert live.closed


def test_a_follower_goes_on_in_the_file(pair: tuple[ArraySource, ArraySource], moving: Make) -> None:
    live, file = pair
    file.stop()
    follower = moving(live, file)["diode"].follow(limit=4)
    first = next(follower)
    live.gone = True
    assert [first.first, *(b.first for b in follower)] == [0, 4, 8]


def test_an_unsaved_run_that_leaves_the_buffer_is_no_longer_there(source: ArraySource, run: Run) -> None:
    source.gone = True
    with pytest.raises(IndexNoLongerThere, match="removed from the buffer"):
        run["diode"][0]
    with pytest.raises(IndexNoLongerThere, match="removed from the buffer"):
        _ = run.state


def test_a_file_that_does_not_exist_is_not_found(moving: Make) -> None:
    from firstlight.data._resolver import Resolver

    def absent() -> ArraySource:
        raise NotFound("there is no such file")

    with pytest.raises(NotFound, match="no such file"):
        Resolver(None, absent)
