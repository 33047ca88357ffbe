"""Runs: states, claims, members."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from firstlight.buffer import BackPressure, Buffer, RunWriter
from firstlight.model import (
    ChannelSpec,
    Conflict,
    EndReason,
    InvalidInput,
    NotFound,
    RunEnd,
    RunInfo,
    RunState,
    StorageFull,
)


def test_states_move_one_way(run: RunWriter, other: Buffer, end: RunEnd) -> None:
    reader = other.run(run.key)
    assert reader.state.name == run.state.name == "CREATED"
    run.running()
    assert reader.state.name == "RUNNING"
    run.prepared()
    assert reader.state.name == "RUNNING"
    with pytest.raises(Conflict, match="RUNNING"):
        reader.mark_closed()
    assert not reader.end
    run.stop(end)
    assert reader.state.name == "STOPPED"
    assert reader.end == end == run.end
    run.stop(RunEnd(reason=EndReason.FAILED, epoch=0.0))
    assert reader.end == end
    reader.mark_closed()
    reader.mark_closed()
    assert reader.state.name == run.state.name == "CLOSED"


def test_a_run_is_described_once_for_everybody(buffer: Buffer, other: Buffer, info: RunInfo) -> None:
    with buffer.create_run(info, readers=["saver", "loop"], on_full=BackPressure.BLOCK) as run:
        reader = other.run(run.key)
        assert reader.info == info == run.info
        assert reader.readers == ("saver", "loop")
        assert reader.path == run.path
        assert reader.owner_alive
        assert run.owner_alive
        assert other.join(run.key).info == info
    assert not reader.owner_alive


def test_stopping_seals_what_was_acquired_but_not_what_is_computed_online(buffer: Buffer, end: RunEnd) -> None:
    info = RunInfo(name="x", title="x", start_epoch=0.0, online=("centre",))
    run = buffer.create_run(info, readers=["saver"])
    run.create_log(ChannelSpec("diode"))
    online = run.create_log(ChannelSpec("centre"))
    run.stop(end)
    channels = buffer.run(run.key).channels
    assert channels["diode"].sealed
    assert channels["diode"].seal_reason == ""
    assert not channels["centre"].sealed
    online.append_one(1.0)
    with pytest.raises(Conflict, match="ended"):
        run.create_log(ChannelSpec("late"))
    run.close()
    assert channels["centre"].sealed


def test_leaving_without_a_stop_is_a_failure(buffer: Buffer, info: RunInfo) -> None:
    with buffer.create_run(info, readers=["saver"]) as run:
        run.create_log(ChannelSpec("x")).append_one(1.0)
    reader = buffer.run(run.key)
    assert reader.state.name == "STOPPED"
    assert reader.end is not None
    assert reader.end.reason is EndReason.FAILED
    assert reader.channel("x").sealed
    with pytest.raises(Conflict, match="left"):
        run.create_log(ChannelSpec("y"))
    run.close()


def test_a_run_that_nobody_retains_is_closed_when_its_owner_leaves(buffer: Buffer, info: RunInfo) -> None:
    with buffer.create_run(info) as run:
        pass
    assert buffer.run(run.key).state is RunState.CLOSED


def test_a_full_memory_does_not_keep_a_run_from_ending(
    buffer: Buffer, info: RunInfo, end: RunEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = buffer.create_run(info, readers=["saver"])
    pages = (run.path / "end.json.new").stat().st_blocks
    run.create_log(ChannelSpec("x")).append_one(1.0)

    def refuse(fd: int, size: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("firstlight.buffer._mapping.allocate", refuse)
    run.stop(end)
    run.close()
    assert pages * 512 >= len(end.model_dump_json())
    assert buffer.run(run.key).end == end


def test_a_run_whose_end_can_not_be_written_is_left_to_an_adopter(
    buffer: Buffer, info: RunInfo, end: RunEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = buffer.create_run(info, readers=["saver"])
    run.create_log(ChannelSpec("x")).append_one(1.0)

    def refuse(folder: object, end: RunEnd) -> None:
        raise StorageFull("full")

    with monkeypatch.context() as patch:
        patch.setattr("firstlight.buffer._folder.RunFolder.write_end", refuse)
        with pytest.raises(StorageFull):
            run.close()
    assert not buffer.run(run.key).owner_alive
    assert buffer.recover() == [run.key]
    assert buffer.run(run.key).channel("x").sealed
    assert buffer.run(run.key).state is RunState.STOPPED


def test_a_channel_is_claimed_by_one(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    log = member.create_log(ChannelSpec("x"))
    with pytest.raises(Conflict, match="claimed"):
        run.create_log(ChannelSpec("x"))
    with pytest.raises(Conflict, match="claimed"):
        member.create_log(ChannelSpec("x"))
    assert log.append_one(1.0) == 1
    member.close()
    with pytest.raises(Conflict, match="claimed"):
        run.create_log(ChannelSpec("x"))


def test_of_many_claims_at_once_exactly_one_wins(run: RunWriter, other: Buffer) -> None:
    members = [other.join(run.key) for _ in range(6)]
    start = threading.Barrier(6)
    won: list[int] = []
    lost: list[int] = []

    def claim(k: int) -> None:
        start.wait()
        for name in range(10):
            try:
                members[k].create_log(ChannelSpec(f"c{name}")).append_one(k)
                won.append(name)
            except Conflict:
                lost.append(name)

    threads = [threading.Thread(target=claim, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(10))
    assert len(lost) == 50
    assert all(channel.count == 1 for channel in other.run(run.key).channels.values())


def test_a_channel_appears_complete_or_not_at_all(
    run: RunWriter, other: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, size: int) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as patch:
        patch.setattr("firstlight.buffer._mapping.allocate", refuse)
        with pytest.raises(StorageFull):
            run.create_log(ChannelSpec("x"))
    reader = other.run(run.key)
    assert not reader.channels
    with pytest.raises(NotFound):
        reader.channel("x")
    run.create_log(ChannelSpec("x"))
    assert list(reader.channels) == ["x"]


def test_names_with_dots_and_colons_do_not_mix_up(run: RunWriter, other: Buffer) -> None:
    names = ["x", "x.v1", "x.head", "x.claim", "cam:start", "é-1", "x.new", "x.b2"]
    for k, name in enumerate(names):
        run.create_log(ChannelSpec(name)).append(np.full(20_000, float(k)))
    channels = other.run(run.key).channels
    assert sorted(channels) == sorted(names)
    for k, name in enumerate(names):
        assert np.asarray(channels[name].read(19_999, 20_000)).tolist() == [k]


@pytest.mark.parametrize("name", ["x" * 3000, "\N{ANGSTROM SIGN}" * 100], ids=["letters", "bytes"])
def test_a_name_that_no_channel_can_have_is_one_that_is_not_there(run: RunWriter, other: Buffer, name: str) -> None:
    with pytest.raises(InvalidInput, match="longer than 200 bytes"):
        run.create_log(ChannelSpec(name))
    with pytest.raises(NotFound, match="There is no channel"):
        other.run(run.key).channel(name)


def test_joining_needs_a_run_that_is_there_and_open(buffer: Buffer, run: RunWriter, end: RunEnd) -> None:
    for key in ("nothing", "", "../runs", ".new-x"):
        with pytest.raises(NotFound):
            buffer.join(key)
        with pytest.raises(NotFound):
            buffer.run(key)
    run.stop(end)
    buffer.run(run.key).mark_closed()
    with pytest.raises(Conflict, match="closed"):
        buffer.join(run.key)


def test_a_member_seals_what_it_leaves_behind(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    member.create_log(ChannelSpec("x")).append_one(1.0)
    assert member.end is None
    assert member.state.name == "CREATED"
    member.close()
    channel = other.run(run.key).channel("x")
    assert channel.sealed
    assert "left" in channel.seal_reason


def test_readers_have_good_and_distinct_names(buffer: Buffer, info: RunInfo) -> None:
    for readers in (["a", "a"], ["../x"], [""], [str(k) for k in range(17)]):
        with pytest.raises(InvalidInput):
            buffer.create_run(info, readers=readers)
    assert buffer.runs() == []


def test_a_waiting_reader_sees_channels_items_and_states(run: RunWriter, other: Buffer, end: RunEnd) -> None:
    reader = other.run(run.key)

    def produce() -> None:
        log = run.create_log(ChannelSpec("x"))
        log.append_one(1.0)
        run.stop(end)

    thread = threading.Thread(target=produce)
    thread.start()
    assert reader.wait(lambda: "x" in reader.channels, 10.0)
    assert reader.wait(lambda: reader.channel("x").count == 1, 10.0)
    assert reader.wait(lambda: reader.state is RunState.STOPPED, 10.0)
    thread.join()
    assert not reader.wait(lambda: False, 0.0)


def test_a_reader_waits_in_an_event_loop_too(run: RunWriter, other: Buffer) -> None:
    log = run.create_log(ChannelSpec("x"))
    reader = other.run(run.key)
    channel = reader.channel("x")

    async def main() -> None:
        for k in range(5):
            asyncio.get_running_loop().call_soon(log.append_one, 1.0)
            assert await reader.wait_async(lambda k=k: channel.count > k, 10.0)  # type: ignore[misc]

    asyncio.run(main())
