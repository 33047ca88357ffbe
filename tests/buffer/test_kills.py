"""kill -9 at any moment: nothing acknowledged is lost, nothing torn is ever returned, and what is left can be used."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import RunState

SCRIPT = Path(__file__).with_name("kill_child.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_child", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


child_code = _load()


@dataclass
class Child:
    """One process that was ordered."""

    pid: int
    reports: IO[bytes]

    def kill(self) -> list[list[str]]:
        """Kill it, and return all that was acknowledged to it."""
        with suppress(ProcessLookupError):  # it may just have ended
            os.kill(self.pid, signal.SIGKILL)
        return self.rest()

    def rest(self) -> list[list[str]]:
        """What it reports until it ends."""
        with self.reports:
            lines = self.reports.read().split(b"\n")[:-1]
        return [line.decode().split(" ") for line in lines]

    def expect(self, word: str) -> list[str]:
        """Its next report, which must start with ``word``."""
        line = self.reports.readline().decode().split()
        assert line[:1] == [word], line
        return line


class Nursery:
    """Starts children."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, task: str, buffer: Buffer, **order: Any) -> Child:
        self.count += 1
        fifo = self.folder / f"fifo{self.count}"
        os.mkfifo(fifo)
        order |= {"task": task, "fifo": str(fifo), "root": str(buffer.root), "spill": str(buffer.spill.parent)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        child = Child(pid, fifo.open("rb"))
        fifo.unlink()
        child.expect("ready")
        return child

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    yield nursery
    nursery.close()


def acknowledged(reports: list[list[str]]) -> dict[str, dict[str, int]]:
    """Items of each channel of each run that a producer was told are safe; also whether the run stopped."""
    runs: dict[str, dict[str, int]] = {}
    current: dict[str, int] = {}
    for what, *rest in reports:
        assert what != "error", rest
        if what == "run":
            current = runs.setdefault(rest[0], {})
        elif what == "removed":
            runs.pop(rest[0])
        elif what == "stopped":
            current["stopped"] = 1
        elif what not in ("done", "released", "lines"):
            current[what] = int(rest[0])
    return runs


def verify(buffer: Buffer, runs: dict[str, dict[str, int]]) -> None:
    """All that was acknowledged is there, all that is there is whole, and all is ended."""
    held = {entry.key for entry in buffer.runs()}
    assert set(runs) <= held
    for key in held:
        reader = buffer.run(key)
        assert reader.state >= RunState.STOPPED
        assert reader.end is not None
        known = runs.get(key, {})
        if known.get("stopped"):
            assert reader.end.reason.value == "SUCCESS"
        channels = reader.channels
        for name, count in known.items():
            assert name == "stopped" or channels[name].count >= count
        for name, channel in channels.items():
            assert channel.sealed
            if name in ("x", "mca", "peaks", "cam"):
                first = channel.first if not reader.readers else channel.released("saver")
                child_code.check(name, first, channel.read(first, channel.count))
            else:
                assert np.array_equal(np.asarray(channel.read(0, channel.count)), np.arange(channel.count))


def settle(buffer: Buffer, wait_for: Callable[..., None]) -> None:
    """Recover; a process that was killed may hold its locks for another instant."""

    def ended() -> bool:
        buffer.recover()
        return all(buffer.run(e.key).state >= RunState.STOPPED for e in buffer.runs())

    wait_for(ended)
    leftovers = [p.name for p in (buffer.root / "runs").iterdir() if p.name.startswith(".")]
    assert leftovers == []
    for entry in buffer.runs():
        channels = buffer.run(entry.key).path / "channels"
        names = {p.name.rpartition(".")[0] for p in channels.iterdir()}
        assert names == set(buffer.run(entry.key).channels)
        assert not list(channels.glob("*.new"))


def kill_producers(buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None], kills: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs: dict[str, dict[str, int]] = {}
    for k in range(kills):
        child = nursery.start("produce", buffer, seed=seed + k, steps=int(rng.integers(1, 300)))
        time.sleep(rng.exponential(0.015))
        runs |= acknowledged(child.kill())
        settle(buffer, wait_for)
        verify(buffer, runs)
        if len(runs) > 5:
            for key in list(runs):
                buffer.remove(key, force=True)
                del runs[key]
            for entry in buffer.runs():
                buffer.remove(entry.key, force=True)


def saver_is_gone(buffer: Buffer, key: str) -> bool:
    return not buffer.show(key).readers["saver"]


def kill_savers(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None], kills: int, seed: int, folder: Path
) -> None:
    rng = np.random.default_rng(seed)
    killed = 0
    while killed < kills:
        producer = nursery.start("produce", buffer, seed=seed + killed, runs=1, steps=600, pause=0.0005)
        key = producer.expect("run")[1]
        journal = folder / key
        released: dict[str, int] = {}
        while True:
            saver = nursery.start("save", buffer, key=key, journal=str(journal))
            time.sleep(rng.exponential(0.02))
            reports = saver.kill() if killed < kills else saver.rest()
            assert not [r for r in reports if r[0] == "error"], [r for r in reports if r[0] == "error"]
            for name, *rest in reports:
                if name not in ("closed", "lines"):
                    assert int(rest[0]) >= released.get(name, 0)
                    released[name] = int(rest[0])
            if ["closed"] in reports:
                break
            killed += 1
            wait_for(partial(saver_is_gone, buffer, key))
            for name, channel in buffer.run(key).channels.items():
                assert channel.released("saver") >= released.get(name, 0)
        counts = acknowledged([["run", key], *producer.rest()])[key]
        reader = buffer.run(key)
        assert reader.state == RunState.CLOSED
        saved: dict[str, int] = {}
        for line in journal.read_text().splitlines():
            name, start, stop = line.split()
            # Nothing left out; a killed saver may journal again what it had not released yet.
            assert int(start) <= saved.get(name, 0)
            saved[name] = max(saved.get(name, 0), int(stop))
        assert saved == {name: count for name, count in counts.items() if name != "stopped"}
        buffer.remove(key)


def kill_readers(buffer: Buffer, nursery: Nursery, kills: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    producer = nursery.start("produce", buffer, seed=seed, runs=1, steps=1_000_000, pause=0.0005, quiet=True)
    key = producer.expect("run")[1]
    reader = buffer.run(key)
    assert reader.wait(lambda: len(reader.channels) == 4, 20.0)
    for k in range(kills):
        child = nursery.start("read", buffer, seed=seed + k, key=key)
        time.sleep(rng.exponential(0.01))
        assert not [r for r in child.kill() if r[0] == "error"]
        count = reader.channel("x").count
        assert reader.wait(lambda: reader.channel("x").count > count, 20.0)  # noqa: B023
    producer.kill()


def kill_at_lines(buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None], lines: list[int], seed: int) -> None:
    """Kill a life at line after line, then the process that adopts it, and look at what is left."""
    rng = np.random.default_rng(seed)
    killed = 0
    for line in lines:
        reports = nursery.start("live", buffer, seed=1, line=line).rest()
        runs = acknowledged(reports)
        # Threads make lives differ a little, so one may end before its line.
        killed += ["done"] not in reports
        nursery.start("recover", buffer, line=int(rng.integers(1, 600))).rest()
        settle(buffer, wait_for)
        # A closed run of that life may have been evicted by its budget, a removed one reported too late.
        held = {entry.key for entry in buffer.runs()}
        verify(buffer, {key: counts for key, counts in runs.items() if key in held})
        missing = [key for key in runs if key not in held]
        assert len(missing) <= 1
        assert not missing or missing == list(runs)[:1]
        again = nursery.start("live", buffer, seed=1).rest() if line % 5 == 0 else [["done"]]
        assert ["done"] in again, again
        for entry in buffer.runs():
            buffer.remove(entry.key, force=True)
    assert killed >= 0.9 * len(lines)


def lines_of_a_life(buffer: Buffer, nursery: Nursery) -> int:
    """How many lines a life has at least; its threads make it vary."""
    counts = []
    for _ in range(3):
        reports = nursery.start("live", buffer, seed=1, line=10**9).rest()
        counts += [int(rest[0]) for what, *rest in reports if what == "lines"]
        for entry in buffer.runs():
            buffer.remove(entry.key, force=True)
    assert len(counts) == 3
    return min(counts)


def test_a_killed_producer_loses_nothing_acknowledged(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None]
) -> None:
    kill_producers(buffer, nursery, wait_for, 40, seed=100)


def test_a_killed_saver_continues_with_nothing_left_out(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None], tmp_path: Path
) -> None:
    kill_savers(buffer, nursery, wait_for, 40, seed=200, folder=tmp_path)


def test_killed_readers_disturb_nobody_and_see_nothing_torn(buffer: Buffer, nursery: Nursery) -> None:
    kill_readers(buffer, nursery, 20, seed=300)


def test_a_process_killed_at_any_line_leaves_a_buffer_that_works(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None]
) -> None:
    total = lines_of_a_life(buffer, nursery)
    lines = np.random.default_rng(400).choice(np.arange(1, total), 40, replace=False)
    kill_at_lines(buffer, nursery, wait_for, sorted(int(n) for n in lines), seed=401)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_ten_thousand_kills_lose_nothing(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None], tmp_path: Path
) -> None:
    for k in range(10):
        kill_producers(buffer, nursery, wait_for, 400, seed=10_000 + 1000 * k)
        kill_savers(buffer, nursery, wait_for, 400, seed=20_000 + 1000 * k, folder=tmp_path)
        kill_readers(buffer, nursery, 200, seed=30_000 + 1000 * k)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_process_killed_at_every_line_leaves_a_buffer_that_works(
    buffer: Buffer, nursery: Nursery, wait_for: Callable[..., None]
) -> None:
    total = lines_of_a_life(buffer, nursery)
    kill_at_lines(buffer, nursery, wait_for, list(range(1, total)), seed=402)
