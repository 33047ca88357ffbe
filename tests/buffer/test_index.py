"""The run index."""

from __future__ import annotations

import threading

from firstlight.buffer import Buffer
from firstlight.model import RunInfo, Saving


def test_runs_are_listed_in_order_with_their_positions(buffer: Buffer, other: Buffer) -> None:
    assert other.runs() == []
    keys = []
    for k in range(5):
        saving = None
        if k == 3:
            saving = Saving(
                proposal="p",
                beamline="b",
                session="20260101",
                sample="s",
                dataset="d",
                number=1,
                dataset_file="/d.h5",
                file="/f.h5",
            )
        run = buffer.create_run(
            RunInfo(name=f"n{k}", title=f"title {k}", start_epoch=float(k), parent="up", saving=saving)
        )
        keys.append(run.key)
    entries = other.runs()
    assert [e.key for e in entries] == keys
    assert [e.position for e in entries] == [0, 1, 2, 3, 4]
    assert (entries[2].name, entries[2].title, entries[2].epoch, entries[2].parent) == ("n2", "title 2", 2.0, "up")
    assert [e.saved for e in entries] == [False, False, False, True, False]
    assert [e.key for e in other.runs(3)] == keys[3:]
    assert other.runs(5) == []


def test_a_half_written_entry_is_never_seen_and_cut_off_by_the_next(
    buffer: Buffer, other: Buffer, info: RunInfo
) -> None:
    first = buffer.create_run(info)
    index = buffer.root / "index"
    with index.open("ab") as file:
        file.write(b'{"key": "half')
    assert [e.key for e in other.runs()] == [first.key]
    second = buffer.create_run(info)
    assert [e.key for e in other.runs()] == [first.key, second.key]
    assert [e.key for e in Buffer(buffer.root).runs()] == [first.key, second.key]


def test_positions_stay_when_runs_are_removed(buffer: Buffer, other: Buffer, info: RunInfo) -> None:
    keys = []
    for _ in range(4):
        with buffer.create_run(info) as run:
            keys.append(run.key)
    buffer.remove(keys[1])
    assert [(e.position, e.key) for e in other.runs()] == [(0, keys[0]), (2, keys[2]), (3, keys[3])]
    assert [e.key for e in other.runs(1)] == keys[2:]


def test_waiting_for_runs_ends_with_a_run_or_with_time(buffer: Buffer, other: Buffer, info: RunInfo) -> None:
    assert other.wait_runs(0, 0.0) == []
    thread = threading.Thread(target=lambda: buffer.create_run(info))
    thread.start()
    found = other.wait_runs(0, 10.0)
    thread.join()
    assert [e.position for e in found] == [0]
    assert other.wait_runs(1, 0.01) == []


def test_many_processes_worth_of_writers_append_whole_entries(buffer: Buffer, spill: object, info: RunInfo) -> None:
    buffers = [Buffer(buffer.root) for _ in range(4)]
    threads = [threading.Thread(target=lambda b=b: [b.create_run(info).close() for _ in range(20)]) for b in buffers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = buffer.runs()
    assert len({e.key for e in entries}) == 80
    assert [e.position for e in entries] == list(range(80))
