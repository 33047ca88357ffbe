"""Adoption of what dead processes left."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer, RunMember, RunWriter
from firstlight.model import ChannelSpec, Conflict, EndReason, RunEnd, RunInfo, RunState


def die(member: RunMember) -> None:
    """As the kernel does when the process is killed: the lock goes, nothing else happens."""
    lock, member._lock = member._lock, None
    assert lock is not None
    lock.release()


def test_nothing_living_is_touched(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    run.create_log(ChannelSpec("x"))
    member.create_log(ChannelSpec("y"))
    assert other.recover() == []
    channels = other.run(run.key).channels
    assert not channels["x"].sealed
    assert not channels["y"].sealed


def test_a_dead_owners_run_is_ended_and_its_items_stay(run: RunWriter, other: Buffer, frames: ChannelSpec) -> None:
    run.create_log(ChannelSpec("x")).append(np.arange(5.0))
    run.create_ring(frames, 4).append(np.ones((20, 4, 8), "<u2"))
    run.running()
    die(run)
    assert other.recover() == [run.key]
    reader = other.run(run.key)
    assert reader.state.name == "STOPPED"
    assert reader.end is not None
    assert reader.end.reason is EndReason.LOST
    for name, count in (("x", 5), ("cam", 20)):
        channel = reader.channel(name)
        assert channel.sealed
        assert "died" in channel.seal_reason
        assert len(channel.read(0, count)) == count
    assert other.recover() == []


def test_an_unsaved_run_of_a_dead_owner_is_closed(buffer: Buffer, info: RunInfo) -> None:
    run = buffer.create_run(info)
    die(run)
    assert buffer.recover() == [run.key]
    assert buffer.run(run.key).state is RunState.CLOSED


def test_a_dead_members_channels_are_sealed_while_the_run_goes_on(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    member.create_log(ChannelSpec("cam:start")).append_one(1.0)
    mine = run.create_log(ChannelSpec("x"))
    die(member)
    assert other.recover() == [run.key]
    reader = other.run(run.key)
    assert reader.channel("cam:start").sealed
    assert not reader.channel("x").sealed
    assert reader.state.name == "CREATED"
    assert mine.append_one(1.0) == 1


def test_a_living_member_finishes_a_run_whose_owner_died(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    log = member.create_log(ChannelSpec("cam:start"))
    run.create_log(ChannelSpec("x"))
    die(run)
    assert not member.owner_alive
    assert other.recover() == [run.key]
    reader = other.run(run.key)
    assert reader.channel("x").sealed
    assert reader.state.name == "CREATED"
    log.append_one(1.0)
    member.close()
    assert other.recover() == [run.key]
    assert reader.state.name == "STOPPED"


def test_the_owner_adopts_dead_members_when_it_stops(run: RunWriter, other: Buffer, end: RunEnd) -> None:
    member = other.join(run.key)
    member.create_log(ChannelSpec("y"))
    die(member)
    run.stop(end)
    assert other.run(run.key).channel("y").sealed
    assert other.run(run.key).end == end


def test_a_claim_whose_channel_never_appeared_is_free_after_its_claimant_died(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    member._claim("x")
    (run.path / "channels" / "x.new").write_bytes(b"half")
    (run.path / "channels" / "x.v1").write_bytes(b"half")
    with pytest.raises(Conflict):
        run.create_log(ChannelSpec("x"))
    die(member)
    log = run.create_log(ChannelSpec("x"))
    log.append(np.arange(20_000.0))
    assert other.run(run.key).channel("x").count == 20_000


def test_recovery_drops_claims_that_never_became_channels(run: RunWriter, other: Buffer) -> None:
    member = other.join(run.key)
    member._claim("x")
    (run.path / "channels" / "x.new").write_bytes(b"half")
    die(member)
    other.recover()
    assert not list((run.path / "channels").iterdir())


def test_an_end_that_was_written_before_the_owner_died_stands(run: RunWriter, other: Buffer, end: RunEnd) -> None:
    run._folder.write_end(end)
    die(run)
    other.recover()
    assert other.run(run.key).end == end
    assert other.run(run.key).state is RunState.STOPPED


def test_a_seal_cut_off_before_its_last_word_is_done_again(run: RunWriter, other: Buffer) -> None:
    from firstlight.buffer._head import REASON_LENGTH

    log = run.create_log(ChannelSpec("x"))
    head = log._head
    head.mapping.memory[2048:2053] = b"half "
    head.words[REASON_LENGTH] = 5
    assert not other.run(run.key).channel("x").sealed
    die(run)
    other.recover()
    assert other.run(run.key).channel("x").seal_reason == "The process that produced it died."


def test_half_made_and_half_removed_runs_disappear(buffer: Buffer, other: Buffer, info: RunInfo) -> None:
    with buffer.create_run(info) as run:
        run.create_log(ChannelSpec("x"))
    runs = buffer.root / "runs"
    (runs / ".new-dead").mkdir()
    (runs / ".gone-dead" / "channels").mkdir(parents=True)
    run.path.rename(runs / "never-in-the-index")
    other.recover()
    assert not list(runs.iterdir())


def test_a_run_that_has_ended_is_not_looked_at_again(run: RunWriter, other: Buffer, end: RunEnd) -> None:
    member = other.join(run.key)
    member.create_log(ChannelSpec("x"))
    members = run.path / "members"
    assert len(list(members.iterdir())) == 2
    member.close()
    assert [p.name for p in members.iterdir()] == ["owner"]
    dead = other.join(run.key)
    die(dead)
    other.recover()
    assert [p.name for p in members.iterdir()] == ["owner"]
    run.stop(end)
    run.close()
    assert not list(members.iterdir())
    assert not other.run(run.key).owner_alive
    assert other.recover() == []


def test_what_was_spilled_by_runs_that_are_gone_is_removed(
    run: RunWriter, other: Buffer, frames: ChannelSpec, spill: Path, buffer_root: Path, info: RunInfo
) -> None:
    ring = run.create_ring(frames, 4)
    ring.append(np.ones((20, 4, 8), "<u2"))
    rebooted = Buffer(buffer_root / "second", spill=spill)
    with rebooted.create_run(info, readers=["saver"]) as second:
        second.create_ring(frames, 4).append(np.ones((20, 4, 8), "<u2"))
    (other.spill / "a-run-before-the-reboot").mkdir()
    (spill / "not-ours").mkdir()
    shutil.rmtree(buffer_root / "second")
    other.recover()
    assert sorted(p.name for p in spill.iterdir()) == sorted([other.spill.name, "not-ours"])
    assert [p.name for p in other.spill.iterdir() if p.is_dir()] == [run.key]
    assert len(other.run(run.key).channel("cam").read(0, 20)) == 20


def test_a_member_that_joins_at_this_instant_is_left_alone(run: RunWriter, other: Buffer) -> None:
    (run.path / "members" / ".joining").touch()
    other.recover()
    assert other.join(run.key).create_log(ChannelSpec("x")).count == 0
