"""Retaining readers."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import (
    ChannelSpec,
    Conflict,
    IndexNeverThere,
    IndexNoLongerThere,
    IndexNotYetThere,
    InvalidInput,
    NotFound,
    RunInfo,
)


def test_a_reader_must_be_listed_and_free(run: RunWriter, other: Buffer) -> None:
    reader = other.run(run.key)
    assert reader.readers == ("saver",)
    with pytest.raises(NotFound):
        reader.retain("somebody")
    with reader.retain("saver"), pytest.raises(Conflict, match="Another process"):
        other.run(run.key).retain("saver")
    reader.retain("saver").close()


def test_a_restarted_reader_continues_where_it_left(run: RunWriter, other: Buffer) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(10.0))
    with other.run(run.key).retain("saver") as saver:
        assert saver.position("x") == 0
        saver.release("x", 6)
    with other.run(run.key).retain("saver") as saver:
        assert saver.position("x") == 6
        with saver.view("x", 6, 10) as view:
            assert np.asarray(view).tolist() == [6, 7, 8, 9]
        with pytest.raises(IndexNoLongerThere, match="released"):
            saver.view("x", 5, 10).__enter__()
    assert other.run(run.key).channel("x").released("saver") == 6


def test_a_release_goes_forward_and_never_beyond_what_is_there(run: RunWriter, other: Buffer) -> None:
    run.create_log(ChannelSpec("x")).append(np.arange(10.0))
    with other.run(run.key).retain("saver") as saver:
        saver.release("x", 5)
        saver.release("x", 5)
        for upto in (4, 11):
            with pytest.raises(InvalidInput):
                saver.release("x", upto)


def test_views_are_read_only_and_end_at_what_lies_side_by_side(run: RunWriter, other: Buffer) -> None:
    run.create_log(ChannelSpec("x")).append(np.arange(100_000.0))
    seen = 0
    pieces = 0
    with other.run(run.key).retain("saver") as saver:
        while seen < 100_000:
            with saver.view("x", seen, 100_000) as view:
                assert isinstance(view, np.ndarray)
                assert view[0] == seen
                assert view[-1] == seen + len(view) - 1
                with pytest.raises(ValueError, match="read-only"):
                    view[0] = 0.0
                seen += len(view)
                pieces += 1
        with saver.view("x", 7, 7) as nothing:
            assert len(nothing) == 0
    assert 2 < pieces < 10


def test_wrong_ranges_have_the_errors_of_reading(run: RunWriter, other: Buffer) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(3.0))
    with other.run(run.key).retain("saver") as saver:
        with pytest.raises(IndexNotYetThere):
            saver.view("x", 2, 4).__enter__()
        log.seal()
        with pytest.raises(IndexNeverThere):
            saver.view("x", 2, 4).__enter__()
        with pytest.raises(NotFound):
            saver.position("y")
        assert saver.channel("x").count == 3


def test_a_closed_reader_can_not_be_used(run: RunWriter, other: Buffer) -> None:
    run.create_log(ChannelSpec("x"))
    saver = other.run(run.key).retain("saver")
    saver.close()
    saver.close()
    with pytest.raises(Conflict, match="closed"):
        saver.position("x")


def test_a_reader_that_is_closed_while_a_view_is_open_leaves_its_name_when_that_ends(
    run: RunWriter, other: Buffer, frames: ChannelSpec
) -> None:
    ring = run.create_ring(frames, 8)
    reader = other.run(run.key)

    def produce(upto: int) -> None:
        for index in range(ring.count, upto):
            ring.append(np.full((1, *frames.shape), index, frames.dtype))

    produce(4)
    first = reader.retain("saver")
    late = first.view("cam", 2, 3)
    with first.view("cam", 1, 2) as held:
        first.close()
        with pytest.raises(Conflict, match="Another process"):
            reader.retain("saver")
        for use in (lambda: first.release("cam", 1), lambda: first.view("cam", 1, 2), late.__enter__):
            with pytest.raises(Conflict, match="closed"):
                use()
        produce(40)
        assert np.unique(np.asarray(held)).tolist() == [1]
    with reader.retain("saver") as saver, saver.view("cam", 38, 39) as view:
        # Nothing of the first one is left that could touch the pins of the second.
        assert saver.position("cam") == 0
        assert ring._is_pinned(38)
        first.close()
        assert ring._is_pinned(38)
        produce(80)
        assert np.unique(np.asarray(view)).tolist() == [38]


def test_a_view_that_fails_does_not_keep_the_name(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    run.create_ring(frames, 4)
    reader = other.run(run.key)
    first = reader.retain("saver")
    with pytest.raises(LookupError), first.view("cam", 0, 1):
        pass
    first.close()
    reader.retain("saver").close()


def test_a_log_is_kept_too_while_a_view_of_a_closed_reader_is_open(run: RunWriter, other: Buffer) -> None:
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(10.0))
    reader = other.run(run.key)
    first = reader.retain("saver")
    with first.view("x", 0, 10) as values:
        first.close()
        assert reader.attended("saver")
        assert np.asarray(values).tolist() == list(range(10))
    assert not reader.attended("saver")


def test_every_reader_has_its_own_position(buffer: Buffer, other: Buffer, info: RunInfo, frames: ChannelSpec) -> None:
    with buffer.create_run(info, readers=["saver", "reduction"]) as run:
        ring = run.create_ring(frames, 4)
        reader = other.run(run.key)
        with reader.retain("saver") as saver, reader.retain("reduction") as reduction:
            ring.append(np.ones((3, 4, 8), "<u2"))
            saver.release("cam", 3)
            assert (saver.position("cam"), reduction.position("cam")) == (3, 0)
            assert ring._needed_from() == 0
            reduction.release("cam", 2)
            assert ring._needed_from() == 2


def test_a_killed_readers_pins_do_not_outlive_its_successor(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    ring = run.create_ring(frames, 8)
    ring.append(np.zeros((8, 4, 8), "<u2"))
    reader = other.run(run.key)
    dead = reader.retain("saver")
    dead.view("cam", 0, 4).__enter__()
    assert ring._is_pinned(2)
    dead._use._file.release()  # as the kernel does when the process is killed
    with reader.retain("saver") as saver:
        assert saver.position("cam") == 0
        assert not ring._is_pinned(2)


def test_a_second_view_of_a_frame_leaves_the_first_one_whole(
    run: RunWriter, other: Buffer, frames: ChannelSpec
) -> None:
    ring = run.create_ring(frames, 4)

    def produce(upto: int) -> None:
        for index in range(ring.count, upto):
            ring.append(np.full((1, *frames.shape), index, frames.dtype))

    produce(3)
    with other.run(run.key).retain("saver") as saver, saver.view(frames.name, 1, 2) as held:
        # Until its slot is held for this view alone, and whoever else wants the frame gets it from the spill.
        produce(20)
        with saver.view(frames.name, 1, 2) as again:
            assert np.unique(np.asarray(again)).tolist() == [1]
        produce(40)
        assert np.unique(np.asarray(held)).tolist() == [1]
